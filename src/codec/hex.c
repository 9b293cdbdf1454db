/*
 * Writing hexadecimal, four bytes at a time: each request that passes has three ids in it.
 */
#include "codec/hex.h"

#include "base/banned.h"

#define GROUP_BYTES ((size_t)4)
/* A 1 in each byte of a word. */
#define ONES (UINT64_MAX / 0xff)

/* Spreads four bytes, first one highest, over the eight bytes of a word: one half byte in each. */
static uint64_t spread(uint32_t bytes)
{
    uint64_t word = bytes;
    word = (word << 16 | word) & 0x0000ffff0000ffffU;
    word = (word << 8 | word) & 0x00ff00ff00ff00ffU;
    return (word << 4 | word) & 0x0f0f0f0f0f0f0f0fU;
}

/* The digit of each half byte: '0' and up, and for ten and more as far on as 'a' is. */
static uint64_t digits_of(uint64_t halves)
{
    uint64_t is_letter = (halves + 6 * ONES) >> 4 & ONES;
    return halves + '0' * ONES + is_letter * ('a' - '0' - 10);
}

static void write_group(uint32_t bytes, char out_text[2 * GROUP_BYTES])
{
    uint64_t text = htobe64(digits_of(spread(bytes)));
    memcpy(out_text, &text, sizeof(text));
}

void lh_hex_write(lh_slice bytes, char *out_text)
{
    size_t at = 0;
    for (; bytes.len - at >= GROUP_BYTES; at += GROUP_BYTES) {
        uint32_t group;
        memcpy(&group, bytes.ptr + at, sizeof(group));
        write_group(be32toh(group), out_text + 2 * at);
    }
    if (at < bytes.len) {
        uint32_t group = 0;
        char text[2 * GROUP_BYTES];
        for (size_t i = at; i < bytes.len; i++) {
            group |= (uint32_t)bytes.ptr[i] << (24 - 8 * (i - at));
        }
        write_group(group, text);
        memcpy(out_text + 2 * at, text, 2 * (bytes.len - at));
    }
}
