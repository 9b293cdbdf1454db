/*
 * base64url and base32: RFC 4648's vectors, and that every text but the canonical one is refused
 * (abuse case J29).
 */
#include "support/test.h"

#include "codec/base64url.h"

#define ROOM_BYTES 64U

static const char base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base32_alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

typedef lh_status (*decode_fn)(lh_slice text, uint8_t *out_bytes, size_t max_bytes,
                               size_t *out_len);

struct vector {
    const char *bytes;
    const char *base64url;
    const char *base32;
};

/* RFC 4648 §10, without padding and in our alphabets. */
static const struct vector rfc4648[] = {
    {"", "", ""},
    {"f", "Zg", "my"},
    {"fo", "Zm8", "mzxq"},
    {"foo", "Zm9v", "mzxw6"},
    {"foob", "Zm9vYg", "mzxw6yq"},
    {"fooba", "Zm9vYmE", "mzxw6ytb"},
    {"foobar", "Zm9vYmFy", "mzxw6ytboi"},
    {"\xfb\xff\xbf", "-_-_", "7p736"},
};

static void assert_decodes(decode_fn decode, const char *text, const char *bytes)
{
    uint8_t room[ROOM_BYTES];
    size_t len = 99;
    assert_ok(decode(lh_slice_from_text(text), room, sizeof(room), &len));
    assert_slice_text(lh_slice_of(room, len), bytes);
}

static void test_base64url__matches_rfc_4648(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc4648) / sizeof(rfc4648[0]); i++) {
        lh_slice bytes = lh_slice_from_text(rfc4648[i].bytes);
        char text[ROOM_BYTES];
        assert_int_equal(LH_BASE64URL_TEXT_LEN(bytes.len), strlen(rfc4648[i].base64url));
        lh_base64url_write(bytes, text);
        assert_slice_text(lh_slice_of(text, LH_BASE64URL_TEXT_LEN(bytes.len)),
                          rfc4648[i].base64url);
        assert_decodes(lh_base64url_decode, rfc4648[i].base64url, rfc4648[i].bytes);
    }
}

static void test_base32__matches_rfc_4648(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc4648) / sizeof(rfc4648[0]); i++) {
        lh_slice bytes = lh_slice_from_text(rfc4648[i].bytes);
        char text[ROOM_BYTES];
        assert_int_equal(LH_BASE32_TEXT_LEN(bytes.len), strlen(rfc4648[i].base32));
        lh_base32_write(bytes, text);
        assert_slice_text(lh_slice_of(text, LH_BASE32_TEXT_LEN(bytes.len)), rfc4648[i].base32);
        assert_decodes(lh_base32_decode, rfc4648[i].base32, rfc4648[i].bytes);
    }
}

static void test_codecs__write_exactly_the_promised_length(void **state)
{
    (void)state;
    uint8_t bytes[ROOM_BYTES];
    memset(bytes, 0xff, sizeof(bytes));
    for (size_t len = 0; len <= 40; len++) {
        char text[ROOM_BYTES + 1];
        memset(text, '#', sizeof(text));
        lh_base64url_write(lh_slice_of(bytes, len), text);
        assert_int_equal(text[LH_BASE64URL_TEXT_LEN(len)], '#');
        memset(text, '#', sizeof(text));
        lh_base32_write(lh_slice_of(bytes, len), text);
        assert_int_equal(text[LH_BASE32_TEXT_LEN(len)], '#');
    }
}

static void test_base64url_add__appends_within_the_bound(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(8);
    assert_ok(lh_base64url_add(&text, LH_SLICE_LITERAL("foo")));
    assert_ok(lh_base64url_add(&text, LH_SLICE_LITERAL("fo")));
    assert_status(lh_base64url_add(&text, LH_SLICE_LITERAL("f")), LH_TOO_LARGE);
    assert_slice_text(lh_buf_view(&text), "Zm9vZm8");
}

/* --- One text per value --- */

/* Decodes every text of len characters over the alphabet; each that is accepted must be what its
   bytes are written as, and 2^bits of them must be accepted. */
static void assert_canonical(decode_fn decode, void (*write)(lh_slice bytes, char *out_text),
                             const char *alphabet, size_t len, size_t expected)
{
    size_t base = strlen(alphabet);
    size_t total = 1;
    for (size_t i = 0; i < len; i++) {
        total *= base;
    }
    size_t accepted = 0;
    for (size_t number = 0; number < total; number++) {
        char text[4];
        char again[8];
        uint8_t room[4];
        size_t room_len;
        size_t rest = number;
        for (size_t i = 0; i < len; i++, rest /= base) {
            text[i] = alphabet[rest % base];
        }
        if (lh_is_ok(decode(lh_slice_of(text, len), room, sizeof(room), &room_len))) {
            accepted++;
            write(lh_slice_of(room, room_len), again);
            assert_memory_equal(again, text, len);
        }
    }
    assert_int_equal(accepted, expected);
}

static void test_base64url_decode__accepts_one_text_per_value(void **state)
{
    (void)state;
    assert_canonical(lh_base64url_decode, lh_base64url_write, base64url_alphabet, 1, 0);
    assert_canonical(lh_base64url_decode, lh_base64url_write, base64url_alphabet, 2, 256);
    assert_canonical(lh_base64url_decode, lh_base64url_write, base64url_alphabet, 3, 65536);
}

static void test_base32_decode__accepts_one_text_per_value(void **state)
{
    (void)state;
    assert_canonical(lh_base32_decode, lh_base32_write, base32_alphabet, 1, 0);
    assert_canonical(lh_base32_decode, lh_base32_write, base32_alphabet, 2, 256);
    assert_canonical(lh_base32_decode, lh_base32_write, base32_alphabet, 3, 0);
    assert_canonical(lh_base32_decode, lh_base32_write, base32_alphabet, 4, 65536);
}

static void test_base32_decode__refuses_lengths_that_end_within_a_byte(void **state)
{
    (void)state;
    uint8_t room[ROOM_BYTES];
    size_t len;
    for (size_t chars = 0; chars <= 40; chars++) {
        bool is_whole = chars % 8 != 1 && chars % 8 != 3 && chars % 8 != 6;
        lh_slice text =
            lh_slice_cut(LH_SLICE_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 0, chars);
        assert_status(lh_base32_decode(text, room, sizeof(room), &len),
                      is_whole ? LH_OK : LH_MALFORMED);
    }
}

/* Puts each byte that is in no alphabet into each place of a valid text. */
static void assert_only_alphabet(decode_fn decode, const char *alphabet, const char *valid)
{
    size_t valid_len = strlen(valid);
    for (size_t at = 0; at < valid_len; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint8_t text[ROOM_BYTES];
            uint8_t room[ROOM_BYTES];
            size_t len;
            memcpy(text, valid, valid_len);
            text[at] = (uint8_t)byte;
            bool is_digit = byte != 0 && strchr(alphabet, (int)byte) != NULL;
            bool is_accepted =
                lh_is_ok(decode(lh_slice_of(text, valid_len), room, sizeof(room), &len));
            assert_true(is_digit || !is_accepted);
            assert_true(is_accepted || !is_digit || at == valid_len - 1); /* slack bits */
        }
    }
}

static void test_base64url_decode__refuses_every_byte_outside_its_alphabet(void **state)
{
    (void)state;
    assert_only_alphabet(lh_base64url_decode, base64url_alphabet, "AAAAAAAAAAAA");
    assert_only_alphabet(lh_base64url_decode, base64url_alphabet, "AAAAAAAAAA");
    assert_only_alphabet(lh_base64url_decode, base64url_alphabet, "AAAAAAAAAAA");
}

static void test_base32_decode__refuses_every_byte_outside_its_alphabet(void **state)
{
    (void)state;
    assert_only_alphabet(lh_base32_decode, base32_alphabet, "aaaaaaaaaaaaaaaa");
    assert_only_alphabet(lh_base32_decode, base32_alphabet, "aaaaaaaaaa");
}

static void test_base64url_decode__refuses_what_others_let_pass(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "Zg==",    "Zg=",    "Zm8=",    "=",     "====",  "Zm9v=",      "Zm9vZg==",
        "Zm9v\n",  "\nZm9v", " Zm9v",   "Zm9v ", "Zm 9v", "Zm\r\n9v",   "+/+/",
        "Zm9v.Zg", "Zm9v,",  "Zm9v%3D", "Zh",    "Zm9",   "\xc2\xa0Zm",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint8_t room[ROOM_BYTES];
        size_t len;
        assert_status(lh_base64url_decode(lh_slice_from_text(texts[i]), room, sizeof(room), &len),
                      LH_MALFORMED);
    }
}

/* --- base64 ----------------------------------------------------------------------------------- */

static void test_base64_decode__matches_rfc_4648(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {"+/+/", "\xfb\xff\xbf"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_decodes(lh_base64_decode, rows[i][0], rows[i][1]);
    }
}

static void test_base64_decode__is_base64url_with_another_alphabet_and_padding(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 65536; value++) {
        uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
        char text[4];
        lh_base64url_write(LH_SLICE_OF(bytes), text);
        text[3] = '=';
        for (size_t i = 0; i < 3; i++) {
            text[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
        }
        uint8_t room[2];
        size_t len;
        assert_ok(lh_base64_decode(LH_SLICE_OF(text), room, sizeof(room), &len));
        assert_memory_equal(room, bytes, sizeof(bytes));
    }
}

static void test_base64_decode__refuses_every_byte_outside_its_alphabet(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[] = "AAAAAAAAAAAA";
    uint8_t room[ROOM_BYTES];
    size_t len;
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
            text[i] = (char)byte;
            bool is_digit = byte != 0 && strchr(alphabet, (int)byte) != NULL;
            bool is_padding = byte == '=' && i == sizeof(text) - 2;
            bool is_accepted = lh_is_ok(
                lh_base64_decode(lh_slice_of(text, sizeof(text) - 1), room, sizeof(room), &len));
            assert_int_equal(is_accepted, is_digit || is_padding);
        }
        text[i] = 'A';
    }
}

static void test_base64_decode__refuses_what_others_let_pass(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "Zg",   "Zg=",      "Zg===",    "Zh==", "Zm9=", "Zm8",  "Z===",   "=",        "==",
        "====", "Zg==Zg==", "Zm9v====", "=Zm9", "Zm=v", "Z-9v", "Zm9v\n", " Zm9v   ",
    };
    uint8_t room[ROOM_BYTES];
    size_t len;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_status(lh_base64_decode(lh_slice_from_text(texts[i]), room, sizeof(room), &len),
                      LH_MALFORMED);
    }
    assert_status(lh_base64_decode(LH_SLICE_LITERAL("Zm9vYg=="), room, 3, &len), LH_TOO_LARGE);
}

static void test_decode__says_when_there_is_no_room_and_writes_nothing(void **state)
{
    (void)state;
    uint8_t room[4] = {0xee, 0xee, 0xee, 0xee};
    size_t len = 77;
    assert_status(lh_base64url_decode(LH_SLICE_LITERAL("Zm9vYg"), room, 3, &len), LH_TOO_LARGE);
    assert_status(lh_base32_decode(LH_SLICE_LITERAL("mzxw6yq"), room, 3, &len), LH_TOO_LARGE);
    assert_memory_equal(room, "\xee\xee\xee\xee", 4);
    assert_int_equal(len, 77);
    assert_ok(lh_base64url_decode(LH_SLICE_LITERAL("Zm9v"), room, 3, &len));
    assert_int_equal(room[3], 0xee);
}

static void test_decode__wipes_what_it_had_read_when_a_later_character_is_bad(void **state)
{
    (void)state;
    uint8_t room[8];
    size_t len = 77;
    memset(room, 0, sizeof(room));
    assert_status(lh_base64url_decode(LH_SLICE_LITERAL("Zm9vYmE!"), room, 8, &len), LH_MALFORMED);
    assert_memory_equal(room, "\0\0\0\0\0\0\0", 8);
    assert_status(lh_base32_decode(LH_SLICE_LITERAL("mzxw6yt!"), room, 8, &len), LH_MALFORMED);
    assert_memory_equal(room, "\0\0\0\0\0\0\0", 8);
    assert_int_equal(len, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64url__matches_rfc_4648),
        cmocka_unit_test(test_base32__matches_rfc_4648),
        cmocka_unit_test(test_codecs__write_exactly_the_promised_length),
        cmocka_unit_test(test_base64url_add__appends_within_the_bound),
        cmocka_unit_test(test_base64url_decode__accepts_one_text_per_value),
        cmocka_unit_test(test_base32_decode__accepts_one_text_per_value),
        cmocka_unit_test(test_base32_decode__refuses_lengths_that_end_within_a_byte),
        cmocka_unit_test(test_base64url_decode__refuses_every_byte_outside_its_alphabet),
        cmocka_unit_test(test_base32_decode__refuses_every_byte_outside_its_alphabet),
        cmocka_unit_test(test_base64url_decode__refuses_what_others_let_pass),
        cmocka_unit_test(test_base64_decode__matches_rfc_4648),
        cmocka_unit_test(test_base64_decode__is_base64url_with_another_alphabet_and_padding),
        cmocka_unit_test(test_base64_decode__refuses_every_byte_outside_its_alphabet),
        cmocka_unit_test(test_base64_decode__refuses_what_others_let_pass),
        cmocka_unit_test(test_decode__says_when_there_is_no_room_and_writes_nothing),
        cmocka_unit_test(test_decode__wipes_what_it_had_read_when_a_later_character_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
