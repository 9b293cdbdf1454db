/*
 * Keys: injective, sorted as they must be, and read back only as what they are.
 */
#include "support/test.h"

#include "store/store_key.h"

static struct lh_session_key key_with(uint8_t uid, uint32_t bucket, uint8_t lease)
{
    struct lh_session_key key = {.bucket = bucket};
    memset(key.uid.bytes, uid, sizeof(key.uid.bytes));
    memset(key.lease.bytes, lease, sizeof(key.lease.bytes));
    return key;
}

/* Every single-byte difference that two keys can have, at every position of every field. */
static struct lh_session_key flip(struct lh_session_key key, size_t position)
{
    if (position < LH_TENANT_UID_BYTES) {
        key.uid.bytes[position] ^= 1;
    } else if (position < LH_TENANT_UID_BYTES + LH_LEASE_ID_BYTES) {
        key.lease.bytes[position - LH_TENANT_UID_BYTES] ^= 1;
    } else {
        key.bucket ^= 1U << (position - LH_TENANT_UID_BYTES - LH_LEASE_ID_BYTES);
    }
    return key;
}

#define FLIPS (LH_TENANT_UID_BYTES + LH_LEASE_ID_BYTES + 11)

static void test_store_key_session__different_places_have_different_keys(void **state)
{
    (void)state;
    struct lh_session_key key = key_with(0x11, 5, 0x22);
    for (size_t i = 0; i < FLIPS; i++) {
        for (size_t j = 0; j < FLIPS; j++) {
            struct lh_session_key a = flip(key, i);
            struct lh_session_key b = flip(key, j);
            uint8_t bytes_a[LH_SESSION_KEY_BYTES];
            uint8_t bytes_b[LH_SESSION_KEY_BYTES];
            lh_store_key_session(&a, bytes_a);
            lh_store_key_session(&b, bytes_b);
            assert_int_equal(memcmp(bytes_a, bytes_b, sizeof(bytes_a)) == 0, i == j);
            assert_int_equal(lh_session_key_is_equal(&a, &b), i == j);
        }
    }
}

static void test_store_key_session__reads_back_what_was_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < FLIPS; i++) {
        struct lh_session_key key = flip(key_with(0x31, 700, 0x42), i);
        uint8_t bytes[LH_SESSION_KEY_BYTES];
        lh_store_key_session(&key, bytes);
        struct lh_session_key read;
        assert_ok(lh_store_key_parse_session(LH_SLICE_OF(bytes), &read));
        assert_true(lh_session_key_is_equal(&key, &read));
    }
}

static void test_store_key_session__refuses_other_lengths_and_buckets(void **state)
{
    (void)state;
    uint8_t bytes[LH_SESSION_KEY_BYTES + 1] = {0};
    struct lh_session_key read;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        lh_status status = lh_store_key_parse_session(lh_slice_of(bytes, len), &read);
        assert_status(status, len == LH_SESSION_KEY_BYTES ? LH_OK : LH_MALFORMED);
    }
    bytes[LH_TENANT_UID_BYTES + 2] = LH_STORE_BUCKETS_MAX >> 8;
    assert_status(lh_store_key_parse_session(lh_slice_of(bytes, LH_SESSION_KEY_BYTES), &read),
                  LH_MALFORMED);
}

static void test_store_key_compare__orders_as_the_written_keys_sort(void **state)
{
    (void)state;
    struct lh_session_key keys[] = {key_with(1, 0, 9),   key_with(1, 1, 3), key_with(1, 255, 3),
                                    key_with(1, 256, 1), key_with(2, 0, 0), key_with(2, 0, 200)};
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 6; j++) {
            uint8_t a[LH_SESSION_KEY_BYTES];
            uint8_t b[LH_SESSION_KEY_BYTES];
            lh_store_key_session(&keys[i], a);
            lh_store_key_session(&keys[j], b);
            int order = lh_session_key_compare(&keys[i], &keys[j]);
            assert_int_equal(order < 0, memcmp(a, b, sizeof(a)) < 0);
            assert_int_equal(order > 0, memcmp(a, b, sizeof(a)) > 0);
        }
    }
}

static void test_store_key_user__keeps_user_and_session_apart(void **state)
{
    (void)state;
    struct lh_user_tag tag;
    memset(tag.bytes, 0x55, sizeof(tag.bytes));
    struct lh_session_key key = key_with(1, 2, 3);
    uint8_t bytes[LH_USER_INDEX_KEY_BYTES];
    lh_store_key_user(&key, &tag, bytes);
    struct lh_session_key read;
    struct lh_user_tag read_tag;
    assert_ok(lh_store_key_parse_user(LH_SLICE_OF(bytes), &read, &read_tag));
    assert_true(lh_session_key_is_equal(&key, &read));
    assert_memory_equal(read_tag.bytes, tag.bytes, sizeof(tag.bytes));
    assert_status(lh_store_key_parse_user(lh_slice_of(bytes, sizeof(bytes) - 1), &read, &read_tag),
                  LH_MALFORMED);

    uint8_t swapped[LH_USER_INDEX_KEY_BYTES];
    struct lh_session_key other = key;
    memcpy(other.lease.bytes, tag.bytes, sizeof(tag.bytes));
    memcpy(tag.bytes, key.lease.bytes, sizeof(tag.bytes));
    lh_store_key_user(&other, &tag, swapped);
    assert_memory_not_equal(bytes, swapped, sizeof(bytes));
}

static void test_store_key_expiry__sorts_by_time(void **state)
{
    (void)state;
    static const uint64_t ends[] = {0, 1, 255, 256, 65536, 1ULL << 40, UINT64_MAX};
    uint8_t last[LH_EXPIRY_INDEX_KEY_BYTES];
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct lh_session_key key = key_with((uint8_t)(200 - i), 0, (uint8_t)(200 - i));
        uint8_t bytes[LH_EXPIRY_INDEX_KEY_BYTES];
        lh_store_key_expiry(ends[i], &key, bytes);
        assert_true(i == 0 || memcmp(last, bytes, sizeof(bytes)) < 0);
        memcpy(last, bytes, sizeof(last));

        uint64_t end_ms;
        struct lh_session_key read;
        assert_ok(lh_store_key_parse_expiry(LH_SLICE_OF(bytes), &end_ms, &read));
        assert_true(end_ms == ends[i]);
        assert_true(lh_session_key_is_equal(&key, &read));
    }
    struct lh_session_key read;
    uint64_t end_ms;
    assert_status(lh_store_key_parse_expiry(lh_slice_of(last, sizeof(last) - 1), &end_ms, &read),
                  LH_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_key_session__different_places_have_different_keys),
        cmocka_unit_test(test_store_key_session__reads_back_what_was_written),
        cmocka_unit_test(test_store_key_session__refuses_other_lengths_and_buckets),
        cmocka_unit_test(test_store_key_compare__orders_as_the_written_keys_sort),
        cmocka_unit_test(test_store_key_user__keeps_user_and_session_apart),
        cmocka_unit_test(test_store_key_expiry__sorts_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
