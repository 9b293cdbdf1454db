/*
 * base64url, base64 and base32. Decoding is canonical: the one text that writing makes is the only
 * one that reads back, so that a value cannot have a twin that compares unequal.
 */
#include "codec/base64url.h"

#include "base/secret.h"

#include "base/banned.h"

static const char base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base32_alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

/*
 * Value of each character plus one; 0 for those that are no digits. Two alphabets of base64 share
 * all but two.
 */
#define LETTERS_AND_DIGITS                                                                         \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,        \
    ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, \
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23,            \
    ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,            \
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,            \
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,            \
    ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51,            \
    ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58,            \
    ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62

static const uint8_t base64url_digits[256] = {LETTERS_AND_DIGITS, ['-'] = 63, ['_'] = 64};
static const uint8_t base64_digits[256] = {LETTERS_AND_DIGITS, ['+'] = 63, ['/'] = 64};
static const uint8_t base32_digits[256] = {
    ['a'] = 1,  ['b'] = 2,  ['c'] = 3,  ['d'] = 4,  ['e'] = 5,  ['f'] = 6,  ['g'] = 7,  ['h'] = 8,
    ['i'] = 9,  ['j'] = 10, ['k'] = 11, ['l'] = 12, ['m'] = 13, ['n'] = 14, ['o'] = 15, ['p'] = 16,
    ['q'] = 17, ['r'] = 18, ['s'] = 19, ['t'] = 20, ['u'] = 21, ['v'] = 22, ['w'] = 23, ['x'] = 24,
    ['y'] = 25, ['z'] = 26, ['2'] = 27, ['3'] = 28, ['4'] = 29, ['5'] = 30, ['6'] = 31, ['7'] = 32,
};

/* Bits that the value of a digit never has, but 0 - 1 does. */
#define NO_DIGIT_BITS 0xc0U

static unsigned digit_of(const uint8_t digits[256], uint8_t character)
{
    return (digits[character] - 1U) & 0xffU;
}

void lh_base64url_write(lh_slice bytes, char *out_text)
{
    const uint8_t *at = bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, at += 3, out_text += 4) {
        uint32_t group = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        out_text[0] = base64url_alphabet[group >> 18];
        out_text[1] = base64url_alphabet[group >> 12 & 0x3f];
        out_text[2] = base64url_alphabet[group >> 6 & 0x3f];
        out_text[3] = base64url_alphabet[group & 0x3f];
    }
    if (left > 0) {
        uint32_t group = (uint32_t)at[0] << 16 | (left == 2 ? (uint32_t)at[1] << 8 : 0);
        out_text[0] = base64url_alphabet[group >> 18];
        out_text[1] = base64url_alphabet[group >> 12 & 0x3f];
        if (left == 2) {
            out_text[2] = base64url_alphabet[group >> 6 & 0x3f];
        }
    }
}

void lh_base64_write(lh_slice bytes, char *out_text)
{
    size_t len = LH_BASE64URL_TEXT_LEN(bytes.len);
    lh_base64url_write(bytes, out_text);
    for (size_t i = 0; i < len; i++) {
        out_text[i] = out_text[i] == '-' ? '+' : out_text[i] == '_' ? '/' : out_text[i];
    }
    for (; len < LH_BASE64_TEXT_LEN(bytes.len); len++) {
        out_text[len] = '=';
    }
}

lh_status lh_base64url_add(struct lh_buf *out, lh_slice bytes)
{
    LH_ENSURE(bytes.len <= LH_BUF_MAX_BYTES, LH_TOO_LARGE);
    uint8_t *room;
    LH_TRY(lh_buf_add_room(out, LH_BASE64URL_TEXT_LEN(bytes.len), &room));
    lh_base64url_write(bytes, (char *)room);
    return lh_ok();
}

/* Decodes groups of four; returns bits of NO_DIGIT_BITS if a character was none. */
static unsigned decode_groups(const uint8_t digits[256], const uint8_t *text, size_t groups,
                              uint8_t *out)
{
    unsigned seen = 0;
    for (size_t i = 0; i < groups; i++, text += 4, out += 3) {
        unsigned a = digit_of(digits, text[0]);
        unsigned b = digit_of(digits, text[1]);
        unsigned c = digit_of(digits, text[2]);
        unsigned d = digit_of(digits, text[3]);
        seen |= a | b | c | d;
        out[0] = (uint8_t)(a << 2 | b >> 4);
        out[1] = (uint8_t)(b << 4 | c >> 2);
        out[2] = (uint8_t)(c << 6 | d);
    }
    return seen & NO_DIGIT_BITS;
}

/* Decodes the last two or three characters; returns not 0 if they are no digits or the bits that
   no byte takes (RFC 4648 §3.5) are set. */
static unsigned decode_tail(const uint8_t digits[256], const uint8_t *text, size_t len,
                            uint8_t *out)
{
    unsigned a = digit_of(digits, text[0]);
    unsigned b = digit_of(digits, text[1]);
    unsigned c = len == 3 ? digit_of(digits, text[2]) : 0;
    unsigned slack = len == 3 ? c & 0x03U : b & 0x0fU;
    out[0] = (uint8_t)(a << 2 | b >> 4);
    if (len == 3) {
        out[1] = (uint8_t)(b << 4 | c >> 2);
    }
    return ((a | b | c) & NO_DIGIT_BITS) | slack;
}

/* Decodes a text without padding. */
static lh_status decode_text(const uint8_t digits[256], lh_slice text, uint8_t *out_bytes,
                             size_t max_bytes, size_t *out_len)
{
    size_t groups = text.len / 4;
    size_t tail = text.len % 4;
    LH_ENSURE(tail != 1, LH_MALFORMED);
    size_t len = groups * 3 + (tail == 0 ? 0 : tail - 1);
    LH_ENSURE(len <= max_bytes, LH_TOO_LARGE);
    unsigned bad = decode_groups(digits, text.ptr, groups, out_bytes);
    if (tail > 0) {
        bad |= decode_tail(digits, text.ptr + groups * 4, tail, out_bytes + groups * 3);
    }
    if (bad != 0) {
        lh_wipe(out_bytes, len);
        return lh_status_of(LH_MALFORMED);
    }
    *out_len = len;
    return lh_ok();
}

lh_status lh_base64url_decode(lh_slice text, uint8_t *out_bytes, size_t max_bytes, size_t *out_len)
{
    return decode_text(base64url_digits, text, out_bytes, max_bytes, out_len);
}

lh_status lh_base64_decode(lh_slice text, uint8_t *out_bytes, size_t max_bytes, size_t *out_len)
{
    LH_ENSURE(text.len % 4 == 0, LH_MALFORMED);
    for (unsigned padding = 0; padding < 2 && text.len > 0; padding++) {
        text.len -= text.ptr[text.len - 1] == '=';
    }
    return decode_text(base64_digits, text, out_bytes, max_bytes, out_len);
}

/* Five bytes are eight characters. */
static void write_base32_group(const uint8_t bytes[5], char out_text[8])
{
    uint64_t group = (uint64_t)bytes[0] << 32 | (uint32_t)bytes[1] << 24 |
                     (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
    for (unsigned i = 0; i < 8; i++) {
        out_text[i] = base32_alphabet[group >> (35 - 5 * i) & 0x1f];
    }
}

void lh_base32_write(lh_slice bytes, char *out_text)
{
    size_t at = 0;
    for (; bytes.len - at >= 5; at += 5, out_text += 8) {
        write_base32_group(bytes.ptr + at, out_text);
    }
    uint32_t held = 0;
    unsigned held_bits = 0;
    for (size_t i = at; i < bytes.len; i++) {
        held = held << 8 | bytes.ptr[i];
        for (held_bits += 8; held_bits >= 5; held_bits -= 5) {
            *out_text++ = base32_alphabet[held >> (held_bits - 5) & 0x1f];
        }
    }
    if (held_bits > 0) {
        *out_text = base32_alphabet[held << (5 - held_bits) & 0x1f];
    }
}

lh_status lh_base32_decode(lh_slice text, uint8_t *out_bytes, size_t max_bytes, size_t *out_len)
{
    size_t tail = text.len % 8; /* characters that cannot end a whole byte: 1, 3 and 6 */
    LH_ENSURE(tail != 1 && tail != 3 && tail != 6, LH_MALFORMED);
    size_t len = text.len / 8 * 5 + tail * 5 / 8;
    LH_ENSURE(len <= max_bytes, LH_TOO_LARGE);
    uint32_t held = 0;
    unsigned held_bits = 0;
    unsigned bad = 0;
    uint8_t *at = out_bytes;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = digit_of(base32_digits, text.ptr[i]);
        bad |= digit & NO_DIGIT_BITS;
        held = held << 5 | (digit & 0x1fU);
        held_bits += 5;
        if (held_bits >= 8) {
            held_bits -= 8;
            *at++ = (uint8_t)(held >> held_bits);
        }
    }
    if (bad != 0 || (held & ((1U << held_bits) - 1U)) != 0) {
        lh_wipe(out_bytes, len);
        return lh_status_of(LH_MALFORMED);
    }
    *out_len = len;
    return lh_ok();
}
