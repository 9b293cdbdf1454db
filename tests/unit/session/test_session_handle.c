/*
 * Cookies, references and names: one text per value, and no bit of a cookie that may differ.
 */
#include "support/hex.h"
#include "support/test.h"

#include "session/session_handle.h"

#define TENANTS 4

/* What the next MAC fails with, or nothing. */
static enum lh_code mac_failure;

lh_status __real_lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid, uint8_t key_id,
                             lh_slice message, struct lh_digest *out_mac);
lh_status __wrap_lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid, uint8_t key_id,
                             lh_slice message, struct lh_digest *out_mac);

lh_status __wrap_lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid, uint8_t key_id,
                             lh_slice message, struct lh_digest *out_mac)
{
    if (mac_failure == LH_OK) {
        return __real_lh_cell_mac(cell, uid, key_id, message, out_mac);
    }
    memset(out_mac->bytes, 0, sizeof(out_mac->bytes));
    return lh_status_of(mac_failure);
}

struct fixture {
    struct lh_crypto *crypto;
    struct lh_cell *cell;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_ok(lh_crypto_new(&fixture->crypto));
    struct lh_key secret = {{9}};
    assert_ok(
        lh_cell_new(fixture->crypto, 3, &secret, LH_LOCK_BEST_EFFORT, TENANTS, &fixture->cell));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_cell_free(fixture->cell);
    lh_crypto_free(fixture->crypto);
    free(fixture);
    return 0;
}

static struct lh_handle handle_of_bytes(void)
{
    struct lh_handle handle = {.bucket = 0x07fe};
    memset(handle.uid.bytes, 0xa1, sizeof(handle.uid.bytes));
    memset(handle.lease.bytes, 0xa2, sizeof(handle.lease.bytes));
    memset(handle.secret, 0xa3, sizeof(handle.secret));
    return handle;
}

static lh_slice write_cookie(struct fixture *fixture, const struct lh_handle *handle,
                             char text[LH_HANDLE_TEXT_BYTES])
{
    assert_ok(lh_handle_write(fixture->cell, handle, text));
    return lh_slice_of(text, LH_HANDLE_TEXT_BYTES);
}

static lh_status accept(struct fixture *fixture, const struct lh_tenant_uid *uid, lh_slice cookie)
{
    struct lh_raw_handle raw;
    LH_TRY(lh_handle_parse(cookie, &raw));
    struct lh_handle handle;
    return lh_handle_verify(fixture->cell, uid, &raw, &handle);
}

static void test_handle__is_read_as_it_was_written(void **state)
{
    struct lh_handle handle = handle_of_bytes();
    char text[LH_HANDLE_TEXT_BYTES];
    lh_slice cookie = write_cookie(*state, &handle, text);
    struct lh_raw_handle raw;
    assert_ok(lh_handle_parse(cookie, &raw));
    struct lh_handle again;
    assert_ok(lh_handle_verify(((struct fixture *)*state)->cell, &handle.uid, &raw, &again));
    assert_memory_equal(again.uid.bytes, handle.uid.bytes, sizeof(handle.uid.bytes));
    assert_int_equal(again.bucket, handle.bucket);
    assert_memory_equal(again.lease.bytes, handle.lease.bytes, sizeof(handle.lease.bytes));
    assert_memory_equal(again.secret, handle.secret, sizeof(handle.secret));
}

static void test_handle__has_its_fields_in_order_and_the_mac_of_the_cell(void **state)
{
    struct fixture *fixture = *state;
    struct lh_handle handle = handle_of_bytes();
    char text[LH_HANDLE_TEXT_BYTES];
    struct lh_raw_handle raw;
    assert_ok(lh_handle_parse(write_cookie(fixture, &handle, text), &raw));
    assert_slice_hex(lh_slice_of(raw.bytes, 36), "010307fe"
                                                 "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"
                                                 "a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3");
    struct lh_digest mac;
    assert_ok(lh_cell_mac(fixture->cell, &handle.uid, 3, lh_slice_of(raw.bytes, 36), &mac));
    assert_memory_equal(raw.bytes + 36, mac.bytes, LH_HANDLE_MAC_BYTES);
    assert_int_equal(raw.key_id, 3);
}

static void test_handle__no_flipped_bit_of_the_value_is_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct lh_handle handle = handle_of_bytes();
    char text[LH_HANDLE_TEXT_BYTES];
    struct lh_raw_handle raw;
    assert_ok(lh_handle_parse(write_cookie(fixture, &handle, text), &raw));
    for (size_t bit = 0; bit < 8 * sizeof(raw.bytes); bit++) {
        uint8_t bytes[LH_HANDLE_BYTES];
        memcpy(bytes, raw.bytes, sizeof(bytes));
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        char flipped[LH_HANDLE_TEXT_BYTES];
        lh_base64url_write(LH_SLICE_OF(bytes), flipped);
        lh_status status = accept(fixture, &handle.uid, LH_SLICE_OF(flipped));
        assert_true(status.code == LH_BAD_MAC || status.code == LH_MALFORMED);
        /* Version and bucket are judged by form; all else by the MAC. */
        assert_true(status.code == LH_BAD_MAC || bit / 8 == 0 || bit / 8 == 2);
    }
}

static void test_handle__no_other_text_is_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct lh_handle handle = handle_of_bytes();
    char text[LH_HANDLE_TEXT_BYTES];
    lh_slice cookie = write_cookie(fixture, &handle, text);
    for (size_t i = 0; i < sizeof(text); i++) {
        char kept = text[i];
        for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
            text[i] = (char)byte;
            if (text[i] != kept) {
                assert_int_not_equal(accept(fixture, &handle.uid, cookie).code, LH_OK);
            }
        }
        text[i] = kept;
    }
    assert_ok(accept(fixture, &handle.uid, cookie));
}

static void test_handle__no_other_length_is_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct lh_handle handle = handle_of_bytes();
    char text[LH_HANDLE_TEXT_BYTES + 2];
    (void)write_cookie(fixture, &handle, text);
    static const char *const tails[] = {"=", "A", "=="};
    for (size_t len = 0; len < LH_HANDLE_TEXT_BYTES; len++) {
        assert_status(accept(fixture, &handle.uid, lh_slice_of(text, len)), LH_MALFORMED);
    }
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        memcpy(text + LH_HANDLE_TEXT_BYTES, tails[i], strlen(tails[i]));
        assert_status(accept(fixture, &handle.uid,
                             lh_slice_of(text, LH_HANDLE_TEXT_BYTES + strlen(tails[i]))),
                      LH_MALFORMED);
    }
}

static void test_handle__of_a_bucket_that_cannot_be_is_malformed_whoever_signed_it(void **state)
{
    struct fixture *fixture = *state;
    struct lh_handle handle = handle_of_bytes();
    char text[LH_HANDLE_TEXT_BYTES];
    handle.bucket = LH_STORE_BUCKETS_MAX - 1;
    assert_ok(accept(fixture, &handle.uid, write_cookie(fixture, &handle, text)));
    handle.bucket = LH_STORE_BUCKETS_MAX;
    assert_status(accept(fixture, &handle.uid, write_cookie(fixture, &handle, text)), LH_MALFORMED);
}

static void test_handle__of_one_tenant_is_not_another_s(void **state)
{
    struct fixture *fixture = *state;
    struct lh_handle handle = handle_of_bytes();
    char text[LH_HANDLE_TEXT_BYTES];
    lh_slice cookie = write_cookie(fixture, &handle, text);
    struct lh_tenant_uid other = handle.uid;
    for (unsigned bit = 0; bit < 8 * LH_TENANT_UID_BYTES; bit++) {
        other.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_status(accept(fixture, &other, cookie), LH_BAD_MAC);
        other.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void test_handle__of_another_cell_or_key_is_not_ours(void **state)
{
    struct fixture *fixture = *state;
    struct lh_handle handle = handle_of_bytes();
    struct lh_key secret = {{8}};
    struct lh_key same = {{9}};
    const struct {
        uint8_t key_id;
        const struct lh_key *secret;
    } others[] = {{3, &secret}, {4, &same}};
    for (size_t i = 0; i < 2; i++) {
        struct lh_cell *cell;
        assert_ok(lh_cell_new(fixture->crypto, others[i].key_id, others[i].secret,
                              LH_LOCK_BEST_EFFORT, TENANTS, &cell));
        char text[LH_HANDLE_TEXT_BYTES];
        assert_ok(lh_handle_write(cell, &handle, text));
        assert_status(accept(fixture, &handle.uid, LH_SLICE_OF(text)), LH_BAD_MAC);
        lh_cell_free(cell);
    }
}

/* A MAC that could not be computed is no MAC, whatever lies in its place. */
static void test_handle__without_a_mac_is_neither_written_nor_accepted(void **state)
{
    struct fixture *fixture = *state;
    struct lh_handle handle = handle_of_bytes();
    char text[LH_HANDLE_TEXT_BYTES];
    struct lh_raw_handle raw;
    assert_ok(lh_handle_parse(write_cookie(fixture, &handle, text), &raw));
    memset(raw.bytes + sizeof(raw.bytes) - LH_HANDLE_MAC_BYTES, 0, LH_HANDLE_MAC_BYTES);
    mac_failure = LH_CRYPTO;
    lh_status written = lh_handle_write(fixture->cell, &handle, text);
    lh_status verified = lh_handle_verify(fixture->cell, &handle.uid, &raw, &handle);
    mac_failure = LH_OK;
    assert_status(written, LH_CRYPTO);
    assert_status(verified, LH_CRYPTO);
}

/* --- References ------------------------------------------------------------------------------- */

static void test_ref__names_bucket_and_lease_and_nothing_else(void **state)
{
    (void)state;
    struct lh_handle handle = handle_of_bytes();
    struct lh_session_ref ref;
    lh_session_ref_write(handle.bucket, &handle.lease, &ref);
    assert_slice_text(lh_slice_of(ref.text, ref.len), "2046.ukrkfivcukrkfivcukrkfivcui");
    uint16_t bucket;
    struct lh_lease_id lease;
    assert_ok(lh_session_ref_parse(lh_slice_of(ref.text, ref.len), &bucket, &lease));
    assert_int_equal(bucket, handle.bucket);
    assert_memory_equal(lease.bytes, handle.lease.bytes, sizeof(lease.bytes));
    lh_session_ref_write(0, &handle.lease, &ref);
    assert_slice_text(lh_slice_of(ref.text, ref.len), "0.ukrkfivcukrkfivcukrkfivcui");
}

static void test_ref__other_texts_are_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "0",
        "0.",
        ".ukrkfivcukrkfivcukrkfivcui",
        "00.ukrkfivcukrkfivcukrkfivcui",
        "+0.ukrkfivcukrkfivcukrkfivcui",
        "2048.ukrkfivcukrkfivcukrkfivcui",
        "65536.ukrkfivcukrkfivcukrkfivcui",
        "0.UKRKFIVCUKRKFIVCUKRKFIVCUI",
        "0.ukrkfivcukrkfivcukrkfivcu",
        "0.ukrkfivcukrkfivcukrkfivcuiaa",
        "0.ukrkfivcukrkfivcukrkfivcuj", /* slack bits */
        "0.ukrkfivcukrkfivcukrkfivcu1",
        "0.ukrkfivcukrkfivcukrkfivcui ",
        "0..ukrkfivcukrkfivcukrkfivcui",
        " 0.ukrkfivcukrkfivcukrkfivcui",
    };
    uint16_t bucket;
    struct lh_lease_id lease;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(lh_session_ref_parse(lh_slice_from_text(bad[i]), &bucket, &lease),
                      LH_MALFORMED);
    }
}

/* --- Names ------------------------------------------------------------------------------------ */

static void test_cookie_name__ends_in_eight_digits_of_the_uid(void **state)
{
    (void)state;
    struct lh_tenant_uid uid = {{0x01, 0x23, 0xab, 0xcd, 0xef}};
    char name[LH_COOKIE_SUFFIXED_NAME_BYTES];
    lh_cookie_suffixed_name(&uid, name);
    assert_slice_text(lh_slice_of(name, sizeof(name)), "__Host-lh-0123abcd");
}

static void test_cookie_name__ours_are_told_from_others(void **state)
{
    (void)state;
    static const char *const ours[] = {"__Host-lh", "__Host-lh-", "__Host-lh-0123abcd",
                                       "__Host-lh-x"};
    static const char *const others[] = {"",           "__Host-l",      "__Host-lhx", "__host-lh",
                                         "__Host-LH",  "__Secure-lh",   "lh",         " __Host-lh",
                                         "__Host-lh ", "%5f%5fHost-lh", "__Host_lh"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        assert_true(lh_cookie_is_ours(lh_slice_from_text(ours[i])));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(lh_cookie_is_ours(lh_slice_from_text(others[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handle__is_read_as_it_was_written),
        cmocka_unit_test(test_handle__has_its_fields_in_order_and_the_mac_of_the_cell),
        cmocka_unit_test(test_handle__no_flipped_bit_of_the_value_is_accepted),
        cmocka_unit_test(test_handle__no_other_text_is_accepted),
        cmocka_unit_test(test_handle__no_other_length_is_accepted),
        cmocka_unit_test(test_handle__of_a_bucket_that_cannot_be_is_malformed_whoever_signed_it),
        cmocka_unit_test(test_handle__of_one_tenant_is_not_another_s),
        cmocka_unit_test(test_handle__of_another_cell_or_key_is_not_ours),
        cmocka_unit_test(test_handle__without_a_mac_is_neither_written_nor_accepted),
        cmocka_unit_test(test_ref__names_bucket_and_lease_and_nothing_else),
        cmocka_unit_test(test_ref__other_texts_are_malformed),
        cmocka_unit_test(test_cookie_name__ends_in_eight_digits_of_the_uid),
        cmocka_unit_test(test_cookie_name__ours_are_told_from_others),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
