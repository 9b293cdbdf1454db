/*
 * base64url and base32, both ways: what decodes is what writing makes, and all bytes survive.
 */
#include "fuzz.h"

#include "codec/base64url.h"

typedef lh_status (*decode_fn)(lh_slice text, uint8_t *out_bytes, size_t max_bytes,
                               size_t *out_len);
typedef void (*write_fn)(lh_slice bytes, char *out_text);

static void check_text(lh_slice text, decode_fn decode, write_fn write)
{
    uint8_t *bytes = fuzz_room(text.len);
    size_t len = SIZE_MAX;
    if (lh_is_ok(decode(text, bytes, text.len, &len))) {
        char *again = fuzz_room(text.len);
        uint8_t *tight = fuzz_room(len);
        size_t tight_len = SIZE_MAX;
        write(lh_slice_of(bytes, len), again);
        FUZZ_CHECK(lh_slice_is_equal(lh_slice_of(again, text.len), text));
        FUZZ_CHECK(lh_is_ok(decode(text, tight, len, &tight_len)) && tight_len == len);
        FUZZ_CHECK(len == 0 || decode(text, tight, len - 1, &tight_len).code == LH_TOO_LARGE);
        free(again);
        free(tight);
    } else {
        FUZZ_CHECK(len == SIZE_MAX);
    }
    free(bytes);
}

static void check_bytes(lh_slice bytes, size_t text_len, decode_fn decode, write_fn write)
{
    char *text = fuzz_room(text_len);
    uint8_t *again = fuzz_room(bytes.len);
    size_t len = SIZE_MAX;
    write(bytes, text);
    FUZZ_CHECK(lh_is_ok(decode(lh_slice_of(text, text_len), again, bytes.len, &len)));
    FUZZ_CHECK(lh_slice_is_equal(lh_slice_of(again, len), bytes));
    free(text);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice input = lh_slice_of(bytes, len);
    check_text(input, lh_base64url_decode, lh_base64url_write);
    check_text(input, lh_base32_decode, lh_base32_write);
    check_bytes(input, LH_BASE64URL_TEXT_LEN(len), lh_base64url_decode, lh_base64url_write);
    check_bytes(input, LH_BASE32_TEXT_LEN(len), lh_base32_decode, lh_base32_write);
    return 0;
}
