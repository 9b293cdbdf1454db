/*
 * What may stand in a header.
 */
#include "base/text_list.h"

#include "base/banned.h"

static bool is_token_byte(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && byte != ',' && byte != '"' && byte != '\\';
}

bool lh_text_is_token(lh_slice text)
{
    if (text.len == 0 || text.len > LH_TEXT_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_byte(text.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool lh_text_list_has(const struct lh_text_list *list, lh_slice text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (lh_slice_is_equal(list->items[i], text)) {
            return true;
        }
    }
    return false;
}
