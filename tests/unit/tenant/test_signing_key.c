/*
 * What a signing key does follows from the time: one signs, and it is the latest that may.
 */
#include "support/test.h"

#include "tenant/signing_key.h"

static const struct lh_wrapped_signing_key keys[] = {
    {.id = 1, .from_ms = 100, .until_ms = 300},
    {.id = 2, .from_ms = 200},
};

static void test_signing_key_state__goes_from_pending_to_over(void **state)
{
    (void)state;
    assert_int_equal(lh_signing_key_state(keys, 2, 0, 99), LH_SIGNING_PENDING);
    assert_int_equal(lh_signing_key_state(keys, 2, 0, 100), LH_SIGNING_ACTIVE);
    assert_int_equal(lh_signing_key_state(keys, 2, 0, 199), LH_SIGNING_ACTIVE);
    assert_int_equal(lh_signing_key_state(keys, 2, 0, 200), LH_SIGNING_VERIFY_ONLY);
    assert_int_equal(lh_signing_key_state(keys, 2, 0, 299), LH_SIGNING_VERIFY_ONLY);
    assert_int_equal(lh_signing_key_state(keys, 2, 0, 300), LH_SIGNING_OVER);
    assert_int_equal(lh_signing_key_state(keys, 2, 1, 199), LH_SIGNING_PENDING);
    assert_int_equal(lh_signing_key_state(keys, 2, 1, UINT64_MAX), LH_SIGNING_ACTIVE);
}

static void test_signing_keys_signer__is_one_at_every_time(void **state)
{
    (void)state;
    assert_null(lh_signing_keys_signer(keys, 2, 99));
    assert_ptr_equal(lh_signing_keys_signer(keys, 2, 100), &keys[0]);
    assert_ptr_equal(lh_signing_keys_signer(keys, 2, 199), &keys[0]);
    assert_ptr_equal(lh_signing_keys_signer(keys, 2, 200), &keys[1]);
    assert_ptr_equal(lh_signing_keys_signer(keys, 2, UINT64_MAX), &keys[1]);
    assert_null(lh_signing_keys_signer(keys, 0, 200));
    assert_null(lh_signing_keys_signer(keys, 1, 300));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signing_key_state__goes_from_pending_to_over),
        cmocka_unit_test(test_signing_keys_signer__is_one_at_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
