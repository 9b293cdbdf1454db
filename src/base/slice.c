/*
 * Slices and the cursor: plain bytes, no locale, no allocation.
 */
#include "base/slice.h"

#include "base/banned.h"

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

lh_slice lh_slice_from_text(const char *text)
{
    return lh_slice_of(text, strlen(text));
}

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

bool lh_slice_is_equal(lh_slice a, lh_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    size_t at = 0;
    for (; a.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        if (word_at(a.ptr + at) != word_at(b.ptr + at)) {
            return false;
        }
    }
    for (; at < a.len; at++) {
        if (a.ptr[at] != b.ptr[at]) {
            return false;
        }
    }
    return true;
}

/* ASCII capitals of eight bytes at once; bytes over 0x7f stay as they are. */
static uint64_t lower_word(uint64_t word)
{
    const uint64_t ones = UINT64_MAX / 0xff; /* 1 in each byte */
    uint64_t low_bits = word & (0x7f * ones);
    uint64_t is_a_or_more = low_bits + (0x80 - 'A') * ones;
    uint64_t is_more_than_z = low_bits + (0x7f - 'Z') * ones;
    uint64_t is_capital = (is_a_or_more ^ is_more_than_z) & ~word & (0x80 * ones);
    return word | is_capital >> 2; /* 0x20 */
}

bool lh_slice_is_equal_nocase(lh_slice a, lh_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    size_t i = 0;
    for (; a.len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        if (lower_word(word_at(a.ptr + i)) != lower_word(word_at(b.ptr + i))) {
            return false;
        }
    }
    for (; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool lh_slice_has_prefix(lh_slice s, lh_slice prefix)
{
    return s.len >= prefix.len && lh_slice_is_equal(lh_slice_of(s.ptr, prefix.len), prefix);
}

bool lh_slice_has_suffix_nocase(lh_slice s, lh_slice suffix)
{
    return s.len >= suffix.len &&
           lh_slice_is_equal_nocase(lh_slice_cut(s, s.len - suffix.len, suffix.len), suffix);
}

size_t lh_slice_find(lh_slice s, uint8_t byte)
{
    const uint8_t *found = s.len == 0 ? NULL : memchr(s.ptr, byte, s.len);
    return found == NULL ? s.len : (size_t)(found - s.ptr);
}

lh_slice lh_slice_cut(lh_slice s, size_t from, size_t len)
{
    if (from >= s.len) {
        return LH_SLICE_EMPTY;
    }
    size_t left = s.len - from;
    return lh_slice_of(s.ptr + from, len < left ? len : left);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

lh_slice lh_slice_trim(lh_slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s = lh_slice_cut(s, 1, s.len - 1);
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

lh_status lh_slice_parse_u64(lh_slice s, uint64_t max, uint64_t *out_value)
{
    LH_ENSURE(s.len > 0 && (s.len == 1 || s.ptr[0] != '0'), LH_MALFORMED);
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        LH_ENSURE(s.ptr[i] >= '0' && s.ptr[i] <= '9', LH_MALFORMED);
        LH_ENSURE(!__builtin_mul_overflow(value, 10U, &value), LH_TOO_LARGE);
        LH_ENSURE(!__builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value), LH_TOO_LARGE);
    }
    LH_ENSURE(value <= max, LH_TOO_LARGE);
    *out_value = value;
    return lh_ok();
}
