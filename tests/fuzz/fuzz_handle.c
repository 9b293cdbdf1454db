/*
 * Cookies and session references: what is read is what writing makes, fields lie within their
 * limits, and nothing that was not made under a cell's secret is accepted.
 */
#include "fuzz.h"

#include "session/session_handle.h"

#define KEY_ID 1

/* One for the process: the target is called again and again. */
static struct lh_cell *open_cell(void)
{
    static struct lh_crypto *crypto;
    static struct lh_cell *cell;
    if (cell == NULL) {
        struct lh_key secret = {{1, 2, 3}};
        FUZZ_CHECK(lh_is_ok(lh_crypto_new(&crypto)));
        FUZZ_CHECK(lh_is_ok(lh_cell_new(crypto, KEY_ID, &secret, LH_LOCK_BEST_EFFORT, 2, &cell)));
    }
    return cell;
}

static void check_cookie(lh_slice text)
{
    struct lh_raw_handle raw;
    if (!lh_is_ok(lh_handle_parse(text, &raw))) {
        return;
    }
    FUZZ_CHECK(text.len == LH_HANDLE_TEXT_BYTES && raw.bucket < LH_STORE_BUCKETS_MAX);
    char again[LH_HANDLE_TEXT_BYTES];
    lh_base64url_write(LH_SLICE_OF(raw.bytes), again);
    FUZZ_CHECK(lh_slice_is_equal(LH_SLICE_OF(again), text));

    struct lh_tenant_uid uid = {{7}};
    struct lh_handle handle;
    lh_status status = lh_handle_verify(open_cell(), &uid, &raw, &handle);
    FUZZ_CHECK(status.code == LH_BAD_MAC);
}

/* The input as fields: what is written is accepted, for its own tenant only. */
static void check_fields(lh_slice input)
{
    struct lh_handle handle = {.bucket = 0};
    struct lh_cursor cursor = lh_cursor_over(input);
    if (!lh_is_ok(lh_cursor_u16(&cursor, &handle.bucket)) ||
        !lh_is_ok(lh_cursor_copy(&cursor, handle.uid.bytes, sizeof(handle.uid.bytes))) ||
        !lh_is_ok(lh_cursor_copy(&cursor, handle.lease.bytes, sizeof(handle.lease.bytes))) ||
        !lh_is_ok(lh_cursor_copy(&cursor, handle.secret, sizeof(handle.secret)))) {
        return;
    }
    handle.bucket %= LH_STORE_BUCKETS_MAX;
    char text[LH_HANDLE_TEXT_BYTES];
    FUZZ_CHECK(lh_is_ok(lh_handle_write(open_cell(), &handle, text)));
    struct lh_raw_handle raw;
    struct lh_handle again;
    FUZZ_CHECK(lh_is_ok(lh_handle_parse(LH_SLICE_OF(text), &raw)));
    FUZZ_CHECK(lh_is_ok(lh_handle_verify(open_cell(), &handle.uid, &raw, &again)));
    FUZZ_CHECK(memcmp(again.secret, handle.secret, sizeof(again.secret)) == 0);
    handle.uid.bytes[0] ^= 1;
    FUZZ_CHECK(lh_handle_verify(open_cell(), &handle.uid, &raw, &again).code == LH_BAD_MAC);
}

static void check_ref(lh_slice text)
{
    uint16_t bucket;
    struct lh_lease_id lease;
    if (lh_is_ok(lh_session_ref_parse(text, &bucket, &lease))) {
        struct lh_session_ref again;
        lh_session_ref_write(bucket, &lease, &again);
        FUZZ_CHECK(lh_slice_is_equal(lh_slice_of(again.text, again.len), text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice input = lh_slice_of(bytes, len);
    check_cookie(input);
    check_fields(input);
    check_ref(input);
    (void)lh_cookie_is_ours(input);
    return 0;
}
