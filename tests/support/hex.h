/*
 * Test vectors are published in hexadecimal; this reads them. Not for input: a bad digit fails
 * the test.
 */
#ifndef LH_TESTS_SUPPORT_HEX_H
#define LH_TESTS_SUPPORT_HEX_H

#include "support/test.h"

/*
 * Decodes pairs of digits into room.
 * room  at least strlen(text) / 2 bytes.
 * returns  a view of what was written.
 */
static inline lh_slice hex_bytes(const char *text, uint8_t *room)
{
    size_t len = strlen(text) / 2;
    assert_int_equal(strlen(text) % 2, 0);
    for (size_t i = 0; i < len; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        char *end;
        room[i] = (uint8_t)strtoul(pair, &end, 16);
        assert_ptr_equal(end, pair + 2);
    }
    return lh_slice_of(room, len);
}

/* Fails unless the slice holds exactly the bytes that the text names. */
static inline void assert_slice_hex(lh_slice got, const char *expected)
{
    assert_int_equal(got.len * 2, strlen(expected));
    for (size_t i = 0; i < got.len; i++) {
        char pair[3] = {expected[2 * i], expected[2 * i + 1], 0};
        assert_int_equal(got.ptr[i], strtoul(pair, NULL, 16));
    }
}

#endif
