/*
 * UTF-8 by table 3-7 of the Unicode standard: what a second byte may be depends on the first.
 */
#include "codec/utf8.h"

#include "base/bug.h"

#include "base/banned.h"

struct lead {
    uint8_t followers, second_min, second_max;
};

/* What a byte >= 0x80 leads; no followers: nothing. */
static struct lead lead_of(uint8_t byte)
{
    if (byte >= 0xc2 && byte <= 0xdf) {
        return (struct lead){1, 0x80, 0xbf};
    }
    if (byte >= 0xe0 && byte <= 0xef) {
        return (struct lead){2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf};
    }
    if (byte >= 0xf0 && byte <= 0xf4) {
        return (struct lead){3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf};
    }
    return (struct lead){0, 0, 0};
}

size_t lh_utf8_sequence(lh_slice text)
{
    if (text.len == 0 || text.ptr[0] < 0x80) {
        return text.len == 0 ? 0 : 1;
    }
    struct lead lead = lead_of(text.ptr[0]);
    if (lead.followers == 0 || text.len <= lead.followers || text.ptr[1] < lead.second_min ||
        text.ptr[1] > lead.second_max) {
        return 0;
    }
    for (size_t i = 2; i <= lead.followers; i++) {
        if ((text.ptr[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return lead.followers + 1U;
}

size_t lh_utf8_write(uint32_t code_point, uint8_t out_bytes[LH_UTF8_MAX_BYTES])
{
    static const uint8_t lead_marks[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    LH_BUG_IF(code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff));
    size_t len = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; code_point >>= 6) {
        out_bytes[i] = (uint8_t)(0x80U | (code_point & 0x3fU));
    }
    out_bytes[0] = (uint8_t)(lead_marks[len] | code_point);
    return len;
}
