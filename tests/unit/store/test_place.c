/*
 * The rules of a place at their edges; what they make of whole operations is in tests/contract.
 */
#include "support/test.h"

#include "store/place.h"

static const struct lh_store_row record = {.kind = LH_PLACE_RECORD,
                                           .generation = 4,
                                           .absolute_end_ms = 10000,
                                           .last_touch_ms = 1000,
                                           .idle_s = 3};

static void test_place_end__is_the_earlier_of_idle_and_absolute(void **state)
{
    (void)state;
    struct lh_store_row row = record;
    assert_int_equal(lh_place_end_ms(&row), 4000);
    row.last_touch_ms = 9000;
    assert_int_equal(lh_place_end_ms(&row), 10000);
    row.idle_s = 0;
    assert_int_equal(lh_place_end_ms(&row), 10000);
}

static void test_place_end__does_not_wrap_around(void **state)
{
    (void)state;
    struct lh_store_row row = record;
    row.last_touch_ms = UINT64_MAX - 5;
    assert_int_equal(lh_place_end_ms(&row), 10000);
    row.kind = LH_PLACE_TOMBSTONE;
    row.absolute_end_ms = UINT64_MAX - 5;
    assert_true(lh_place_end_ms(&row) == UINT64_MAX);
}

static void test_place_is_over__from_the_end_on(void **state)
{
    (void)state;
    struct lh_store_row row = record;
    assert_false(lh_place_is_over(&row, 3999));
    assert_true(lh_place_is_over(&row, 4000));
    row.kind = LH_PLACE_TOMBSTONE;
    assert_false(lh_place_is_over(&row, 10000 + LH_TOMBSTONE_MARGIN_MS - 1));
    assert_true(lh_place_is_over(&row, 10000 + LH_TOMBSTONE_MARGIN_MS));
    row.kind = LH_PLACE_EMPTY;
    assert_false(lh_place_is_over(&row, UINT64_MAX));
}

static void test_place_judge_swap__says_revoked_before_anything_else(void **state)
{
    (void)state;
    struct lh_store_row row = record;
    row.is_quarantined = true;
    assert_status(lh_place_judge_swap(&row, 9), LH_QUARANTINED);
    row.kind = LH_PLACE_TOMBSTONE;
    assert_status(lh_place_judge_swap(&row, 4), LH_REVOKED);
}

static void test_place_revoke__takes_the_later_end_of_row_and_caller(void **state)
{
    (void)state;
    struct lh_store_row tombstone;
    assert_true(lh_place_revoke(&record, 500, &tombstone));
    assert_int_equal(tombstone.absolute_end_ms, 10000);
    assert_int_equal(tombstone.kind, LH_PLACE_TOMBSTONE);
    assert_false(tombstone.has_user);
    assert_true(lh_place_revoke(&record, 20000, &tombstone));
    assert_int_equal(tombstone.absolute_end_ms, 20000);

    struct lh_store_row again;
    assert_false(lh_place_revoke(&tombstone, 20000, &again));
    assert_true(lh_place_revoke(&tombstone, 20001, &again));
    struct lh_store_row empty = {.kind = LH_PLACE_EMPTY, .absolute_end_ms = 999999};
    assert_true(lh_place_revoke(&empty, 7, &again));
    assert_int_equal(again.absolute_end_ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place_end__is_the_earlier_of_idle_and_absolute),
        cmocka_unit_test(test_place_end__does_not_wrap_around),
        cmocka_unit_test(test_place_is_over__from_the_end_on),
        cmocka_unit_test(test_place_judge_swap__says_revoked_before_anything_else),
        cmocka_unit_test(test_place_revoke__takes_the_later_end_of_row_and_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
