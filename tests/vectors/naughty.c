/*
 * Hostile strings: each survives as a JSON string, and as a host name it is refused or nothing
 * but letters, digits, hyphens and dots.
 */
#include "vectors.h"

#include "codec/hostname.h"
#include "codec/json.h"

#define DOCUMENT_MAX_BYTES ((size_t)1024 * 1024)

static bool survives_json(lh_slice text)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf document = LH_BUF_EMPTY;
    LH_CLEANUP(lh_json_fini) json_t *array = NULL;
    if (!lh_is_ok(lh_buf_add_u8(&document, '[')) ||
        !lh_is_ok(lh_json_add_string(&document, text)) ||
        !lh_is_ok(lh_buf_add_u8(&document, ']')) ||
        !lh_is_ok(lh_json_parse(lh_buf_view(&document), DOCUMENT_MAX_BYTES, &array))) {
        return false;
    }
    const json_t *again = json_array_get(array, 0);
    return lh_slice_is_equal(lh_slice_of(json_string_value(again), json_string_length(again)),
                             text);
}

static bool is_harmless_as_host(lh_slice text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    struct lh_hostname name;
    if (!lh_is_ok(lh_hostname_parse(text, &name))) {
        return true;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.text[i] == 0 || strchr(allowed, name.text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

void run_naughty_strings(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    (void)crypto;
    size_t index;
    const json_t *string;
    json_array_foreach(file, index, string)
    {
        lh_slice text = lh_slice_of(json_string_value(string), json_string_length(string));
        char number[24];
        (void)snprintf(number, sizeof(number), "%zu", index);
        vector_count(tally, survives_json(text) && is_harmless_as_host(text), number);
    }
}
