/*
 * The contract of a session store: touching, expiring, setting aside and sweeping.
 */
#include "contract/store_fixture.h"

/* --- Touch ----------------------------------------------------------------------------------- */

static void test_store_touch__moves_forward_only(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
    touch_row(store_of(state), key, NOW_MS + 2000);
    touch_row(store_of(state), key, NOW_MS + 1000);
    struct lh_store_row row = load_row(store_of(state), &key);
    assert_int_equal(row.last_touch_ms, NOW_MS + 2000);
    assert_int_equal(row.generation, 1);
    assert_slice_text(row.record, "sealed");
}

static void test_store_touch__does_nothing_where_no_record_lies(void **state)
{
    struct lh_session_key empty = key_of(1, 0, 1);
    struct lh_session_key revoked = key_of(1, 0, 2);
    assert_ok(lh_store_revoke(store_of(state), NULL, &revoked, NOW_MS));
    touch_row(store_of(state), empty, NOW_MS + 1000);
    touch_row(store_of(state), revoked, NOW_MS + 1000);
    assert_int_equal(kind_in(store_of(state), &empty), LH_PLACE_EMPTY);
    assert_int_equal(load_row(store_of(state), &revoked).last_touch_ms, 0);
}

static void test_store_touch__does_not_revive_what_was_over(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
    touch_row(store_of(state), key, NOW_MS + 1800 * 1000);
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS);
    touch_row(store_of(state), key, NOW_MS + 1800 * 1000 - 1);
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS + 1800 * 1000 - 1);
}

static void test_store_touch__leaves_what_is_set_aside(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    touch_row(store_of(state), key, NOW_MS + 1000);
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS);
}

static void test_store_touch__makes_a_whole_batch(void **state)
{
    static struct lh_store_touch touches[LH_STORE_BATCH_ROWS + 1];
    for (unsigned i = 0; i < LH_STORE_BATCH_ROWS; i++) {
        struct lh_store_row row = row_of(1, "");
        row.record = long_record(i % 5 == 0 ? 5000 : 400, i);
        touches[i] = (struct lh_store_touch){key_of(1 + i % 2, 0, i), NOW_MS + 1000 + i};
        create_row(store_of(state), touches[i].key, row);
    }
    assert_ok(lh_store_touch(store_of(state), touches, LH_STORE_BATCH_ROWS));
    for (unsigned i = 0; i < LH_STORE_BATCH_ROWS; i++) {
        struct lh_store_row row = load_row(store_of(state), &touches[i].key);
        assert_int_equal(row.last_touch_ms, NOW_MS + 1000 + i);
        assert_true(lh_slice_is_equal(row.record, long_record(i % 5 == 0 ? 5000 : 400, i)));
    }
    assert_status(lh_store_touch(store_of(state), touches, LH_STORE_BATCH_ROWS + 1), LH_INVALID);
    assert_ok(lh_store_touch(store_of(state), touches, 0));
}

/* --- Expire ---------------------------------------------------------------------------------- */

static void test_store_expire__ends_what_is_over(void **state)
{
    struct lh_session_key idle = key_of(1, 0, 1);
    struct lh_session_key absolute = key_of(1, 0, 2);
    struct lh_store_row row = row_of(1, "sealed");
    create_row(store_of(state), idle, row);
    row.idle_s = 0;
    create_row(store_of(state), absolute, row);

    assert_ok(lh_store_expire(store_of(state), NULL, &idle, NOW_MS + 1800 * 1000));
    assert_ok(lh_store_expire(store_of(state), NULL, &absolute, NOW_MS + 8 * HOUR_MS));
    assert_int_equal(kind_in(store_of(state), &idle), LH_PLACE_TOMBSTONE);
    assert_int_equal(kind_in(store_of(state), &absolute), LH_PLACE_TOMBSTONE);
}

static void test_store_expire__judges_again(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_expire(store_of(state), NULL, &key, NOW_MS + 1800 * 1000 - 1));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_RECORD);

    touch_row(store_of(state), key, NOW_MS + 1000);
    assert_ok(lh_store_expire(store_of(state), NULL, &key, NOW_MS + 1800 * 1000));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_RECORD);
    assert_ok(lh_store_expire(store_of(state), NULL, &key, NOW_MS + 1801 * 1000));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_TOMBSTONE);
}

static void test_store_expire__never_ends_by_idleness_without_an_idle_end(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_store_row row = row_of(1, "sealed");
    row.idle_s = 0;
    create_row(store_of(state), key, row);
    assert_ok(lh_store_expire(store_of(state), NULL, &key, NOW_MS + 8 * HOUR_MS - 1));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_RECORD);
}

static void test_store_expire__accepts_an_empty_place(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_ok(lh_store_expire(store_of(state), NULL, &key, NOW_MS));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_EMPTY);
}

/* --- Quarantine ------------------------------------------------------------------------------ */

static void test_store_quarantine__marks_and_changes_nothing_else(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    struct lh_store_row row = load_row(store_of(state), &key);
    assert_int_equal(row.kind, LH_PLACE_RECORD);
    assert_true(row.is_quarantined);
    assert_int_equal(row.generation, 1);
    assert_int_equal(row.last_touch_ms, NOW_MS);
    assert_slice_text(row.record, "sealed");
}

static void test_store_quarantine__accepts_places_without_record(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_EMPTY);
}

/* --- Sweep ----------------------------------------------------------------------------------- */

static void test_store_sweep__removes_what_is_over_and_nothing_else(void **state)
{
    struct lh_session_key idle = key_of(1, 0, 1);
    struct lh_session_key alive = key_of(1, 0, 2);
    struct lh_session_key other = key_of(2, 0, 1);
    struct lh_store_row row = row_of(1, "sealed");
    create_row(store_of(state), idle, row);
    row.idle_s = 3600;
    create_row(store_of(state), alive, row);
    create_row(store_of(state), other, row);

    assert_int_equal(sweep_all(store_of(state), NOW_MS + 1800 * 1000 - 1), 0);
    assert_int_equal(sweep_all(store_of(state), NOW_MS + 1800 * 1000), 1);
    assert_int_equal(kind_in(store_of(state), &idle), LH_PLACE_EMPTY);
    assert_int_equal(kind_in(store_of(state), &alive), LH_PLACE_RECORD);
    assert_int_equal(kind_in(store_of(state), &other), LH_PLACE_RECORD);
    assert_int_equal(count_rows(store_of(state)).records, 2);
}

static void test_store_sweep__finds_a_touched_session_again_at_its_new_end(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
    for (unsigned i = 1; i <= 4; i++) {
        touch_row(store_of(state), key, NOW_MS + i * 1000 * 1000);
        (void)sweep_all(store_of(state), NOW_MS + i * 1000 * 1000 + 900 * 1000);
        assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_RECORD);
    }
    (void)sweep_all(store_of(state), NOW_MS + 4000 * 1000 + 1800 * 1000 - 1);
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_RECORD);
    (void)sweep_all(store_of(state), NOW_MS + 4000 * 1000 + 1800 * 1000);
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_EMPTY);
}

static void test_store_sweep__keeps_a_tombstone_past_the_end_and_the_margin(void **state)
{
    struct lh_session_key revoked = key_of(1, 0, 1);
    struct lh_session_key never_there = key_of(1, 0, 2);
    uint64_t end_ms = NOW_MS + 8 * HOUR_MS;
    create_row(store_of(state), revoked, row_of(1, "sealed"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &revoked, 0));
    assert_ok(lh_store_revoke(store_of(state), NULL, &never_there, end_ms));

    (void)sweep_all(store_of(state), end_ms + LH_TOMBSTONE_MARGIN_MS - 1);
    assert_int_equal(kind_in(store_of(state), &revoked), LH_PLACE_TOMBSTONE);
    assert_int_equal(kind_in(store_of(state), &never_there), LH_PLACE_TOMBSTONE);
    (void)sweep_all(store_of(state), end_ms + LH_TOMBSTONE_MARGIN_MS);
    assert_int_equal(kind_in(store_of(state), &revoked), LH_PLACE_EMPTY);
    assert_int_equal(kind_in(store_of(state), &never_there), LH_PLACE_EMPTY);
}

static void test_store_sweep__goes_on_from_call_to_call(void **state)
{
    for (unsigned i = 0; i < 40; i++) {
        create_row(store_of(state), key_of(1, i % 4, i), row_of(i, "sealed"));
    }
    size_t total = 0;
    for (unsigned calls = 0; calls < 100; calls++) {
        size_t handled = 0;
        assert_ok(lh_store_sweep(store_of(state), NOW_MS + HOUR_MS, 3, &handled));
        assert_true(handled <= 3);
        total += handled;
    }
    assert_int_equal(total, 40);
    assert_int_equal(count_rows(store_of(state)).records, 0);
    size_t handled;
    assert_status(lh_store_sweep(store_of(state), NOW_MS, 0, &handled), LH_INVALID);
    assert_status(lh_store_sweep(store_of(state), NOW_MS, LH_STORE_BATCH_ROWS + 1, &handled),
                  LH_INVALID);
}

static void test_store_sweep__frees_the_place_for_good(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "first"));
    (void)sweep_all(store_of(state), NOW_MS + HOUR_MS);
    struct lh_store_row row = row_of(2, "second");
    row.last_touch_ms = NOW_MS + HOUR_MS;
    create_row(store_of(state), key, row);
    assert_int_equal(sweep_all(store_of(state), NOW_MS + HOUR_MS), 0);
    assert_slice_text(load_row(store_of(state), &key).record, "second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_CASE(test_store_touch__moves_forward_only),
        CONTRACT_CASE(test_store_touch__does_nothing_where_no_record_lies),
        CONTRACT_CASE(test_store_touch__does_not_revive_what_was_over),
        CONTRACT_CASE(test_store_touch__leaves_what_is_set_aside),
        CONTRACT_CASE(test_store_touch__makes_a_whole_batch),
        CONTRACT_CASE(test_store_expire__ends_what_is_over),
        CONTRACT_CASE(test_store_expire__judges_again),
        CONTRACT_CASE(test_store_expire__never_ends_by_idleness_without_an_idle_end),
        CONTRACT_CASE(test_store_expire__accepts_an_empty_place),
        CONTRACT_CASE(test_store_quarantine__marks_and_changes_nothing_else),
        CONTRACT_CASE(test_store_quarantine__accepts_places_without_record),
        CONTRACT_CASE(test_store_sweep__removes_what_is_over_and_nothing_else),
        CONTRACT_CASE(test_store_sweep__finds_a_touched_session_again_at_its_new_end),
        CONTRACT_CASE(test_store_sweep__keeps_a_tombstone_past_the_end_and_the_margin),
        CONTRACT_CASE(test_store_sweep__goes_on_from_call_to_call),
        CONTRACT_CASE(test_store_sweep__frees_the_place_for_good),
    };
    return contract_run(tests, sizeof(tests) / sizeof(tests[0]));
}
