/*
 * Cookie MACs: bound to secret, key id and tenant, and no different when keys are prepared anew.
 */
#include "support/failing_alloc.h"
#include "support/test.h"

#include "keys/keys.h"

#define TENANTS_MAX 4
#define MESSAGE     LH_SLICE_LITERAL("version, key id, bucket, lease, secret")

static struct lh_tenant_uid uid_of_number(unsigned n)
{
    struct lh_tenant_uid uid = {{0}};
    uid.bytes[0] = (uint8_t)(n >> 8);
    uid.bytes[15] = (uint8_t)n;
    return uid;
}

static struct lh_cell *new_cell(struct lh_crypto *crypto, uint8_t key_id, uint8_t secret_byte)
{
    struct lh_key secret;
    memset(secret.bytes, secret_byte, sizeof(secret.bytes));
    struct lh_cell *cell;
    assert_ok(lh_cell_new(crypto, key_id, &secret, LH_LOCK_BEST_EFFORT, TENANTS_MAX, &cell));
    return cell;
}

static struct lh_digest mac_of(struct lh_cell *cell, unsigned tenant)
{
    struct lh_tenant_uid uid = uid_of_number(tenant);
    struct lh_digest mac;
    assert_ok(lh_cell_mac(cell, &uid, lh_cell_key_id(cell), MESSAGE, &mac));
    return mac;
}

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static void test_cell__mac_is_hmac_under_the_derived_key(void **state)
{
    struct lh_cell *cell = new_cell(*state, 7, 0x55);
    struct lh_digest got = mac_of(cell, 3);

    struct lh_key secret;
    memset(secret.bytes, 0x55, sizeof(secret.bytes));
    LH_CLEANUP(lh_buf_fini) struct lh_buf label = LH_BUF_EMPTY;
    struct lh_tenant_uid uid = uid_of_number(3);
    assert_ok(lh_buf_add_text(&label, "leasehold cookie mac v1"));
    assert_ok(lh_buf_add_u8(&label, 7));
    assert_ok(lh_buf_add(&label, lh_tenant_uid_view(&uid)));
    struct lh_key key;
    assert_ok(lh_hkdf(*state, LH_SLICE_OF(secret.bytes), lh_buf_view(&label), &key));
    struct lh_digest expected;
    assert_ok(lh_hmac_sha256(*state, LH_SLICE_OF(key.bytes), MESSAGE, &expected));
    assert_memory_equal(got.bytes, expected.bytes, sizeof(got.bytes));
    lh_cell_free(cell);
}

static void test_cell__tenant_key_id_and_secret_each_change_the_mac(void **state)
{
    struct lh_cell *cell = new_cell(*state, 1, 0x55);
    struct lh_cell *other_id = new_cell(*state, 2, 0x55);
    struct lh_cell *other_secret = new_cell(*state, 1, 0x56);
    struct lh_digest mac = mac_of(cell, 1);
    struct lh_digest others[] = {mac_of(cell, 2), mac_of(other_id, 1), mac_of(other_secret, 1)};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_memory_not_equal(mac.bytes, others[i].bytes, sizeof(mac.bytes));
    }
    lh_cell_free(cell);
    lh_cell_free(other_id);
    lh_cell_free(other_secret);
}

static void test_cell__another_key_id_is_absent(void **state)
{
    struct lh_cell *cell = new_cell(*state, 1, 0x55);
    struct lh_tenant_uid uid = uid_of_number(1);
    struct lh_digest mac;
    for (unsigned id = 0; id <= UINT8_MAX; id++) {
        assert_status(lh_cell_mac(cell, &uid, (uint8_t)id, MESSAGE, &mac),
                      id == 1 ? LH_OK : LH_ABSENT);
    }
    lh_cell_free(cell);
}

static void test_cell__macs_stay_the_same_when_tenants_push_each_other_out(void **state)
{
    struct lh_cell *cell = new_cell(*state, 1, 0x55);
    struct lh_digest first[3 * TENANTS_MAX];
    for (unsigned n = 0; n < 3 * TENANTS_MAX; n++) {
        first[n] = mac_of(cell, n);
    }
    for (unsigned n = 0; n < 3 * TENANTS_MAX; n++) {
        unsigned tenant = n * 7 % (3 * TENANTS_MAX); /* in another order */
        struct lh_digest again = mac_of(cell, tenant);
        assert_memory_equal(again.bytes, first[tenant].bytes, sizeof(again.bytes));
    }
    lh_cell_free(cell);
}

/* Preparing a key allocates, finding one does not. */
static size_t allocations_of(struct lh_cell *cell, unsigned tenant)
{
    failing_alloc_at(0);
    (void)mac_of(cell, tenant);
    return failing_alloc_count();
}

static void test_cell__the_tenant_used_longest_ago_makes_room(void **state)
{
    struct lh_cell *cell = new_cell(*state, 1, 0x55);
    for (unsigned n = 0; n < TENANTS_MAX; n++) {
        (void)mac_of(cell, n);
    }
    assert_int_equal(allocations_of(cell, 0), 0); /* used again: tenant 1 is the oldest now */
    (void)mac_of(cell, TENANTS_MAX);
    for (unsigned n = 2; n <= TENANTS_MAX; n++) {
        assert_int_equal(allocations_of(cell, n), 0);
    }
    assert_int_equal(allocations_of(cell, 0), 0);
    assert_true(allocations_of(cell, 1) > 0);
    lh_cell_free(cell);
}

static void test_cell__every_failing_allocation_is_told_and_survived(void **state)
{
    struct lh_cell *cell = new_cell(*state, 1, 0x55);
    struct lh_cell *reference = new_cell(*state, 1, 0x55);
    for (size_t nth = 1; nth < 40; nth++) {
        /* As many tenants as are kept, and some that push others out. */
        struct lh_tenant_uid uid = uid_of_number((unsigned)nth);
        struct lh_digest mac;
        failing_alloc_at(1 + nth % 6);
        lh_status status = lh_cell_mac(cell, &uid, 1, MESSAGE, &mac);
        failing_alloc_at(0);
        if (!lh_is_ok(status)) {
            assert_true(status.code == LH_NO_MEMORY || status.code == LH_CRYPTO);
            assert_ok(lh_cell_mac(cell, &uid, 1, MESSAGE, &mac));
        }
        struct lh_digest expected = mac_of(reference, (unsigned)nth);
        assert_memory_equal(mac.bytes, expected.bytes, sizeof(mac.bytes));
    }
    lh_cell_free(cell);
    lh_cell_free(reference);
}

static void test_cell__a_failing_allocation_makes_no_cell(void **state)
{
    struct lh_key secret = {{1}};
    for (size_t nth = 1;; nth++) {
        struct lh_cell *cell = NULL;
        failing_alloc_at(nth);
        lh_status status = lh_cell_new(*state, 1, &secret, LH_LOCK_BEST_EFFORT, TENANTS_MAX, &cell);
        bool has_failed = failing_alloc_count() >= nth;
        failing_alloc_at(0);
        if (!has_failed) {
            assert_ok(status);
            lh_cell_free(cell);
            break;
        }
        assert_status(status, LH_NO_MEMORY);
        assert_null(cell);
    }
    lh_cell_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cell__mac_is_hmac_under_the_derived_key),
        cmocka_unit_test(test_cell__tenant_key_id_and_secret_each_change_the_mac),
        cmocka_unit_test(test_cell__another_key_id_is_absent),
        cmocka_unit_test(test_cell__macs_stay_the_same_when_tenants_push_each_other_out),
        cmocka_unit_test(test_cell__the_tenant_used_longest_ago_makes_room),
        cmocka_unit_test(test_cell__every_failing_allocation_is_told_and_survived),
        cmocka_unit_test(test_cell__a_failing_allocation_makes_no_cell),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
