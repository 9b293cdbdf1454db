/*
 * The contract of a session store, run over every row of drivers/drivers.h.
 */
#include "contract/store_fixture.h"

#include "store/drivers/drivers.h"

static const char *driver_name; /* of the run that is going on */

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_open(fixture, driver_name, 0, 0);
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static struct lh_store *store_of(void **state)
{
    return ((struct fixture *)*state)->store;
}

static void create(struct lh_store *store, struct lh_session_key key, struct lh_store_row row)
{
    assert_ok(lh_store_create(store, NULL, &key, &row));
}

static void touch(struct lh_store *store, struct lh_session_key key, uint64_t touch_ms)
{
    struct lh_store_touch one = {key, touch_ms};
    assert_ok(lh_store_touch(store, &one, 1));
}

/* Sweeps until nothing is due; returns how many rows were handled. */
static size_t sweep_all(struct lh_store *store, uint64_t now_ms)
{
    size_t total = 0;
    for (;;) {
        size_t handled = 0;
        assert_ok(lh_store_sweep(store, now_ms, LH_STORE_BATCH_ROWS, &handled));
        if (handled == 0) {
            return total;
        }
        total += handled;
    }
}

static struct lh_store_counts count(struct lh_store *store)
{
    struct lh_store_counts counts;
    assert_ok(lh_store_count(store, &counts));
    return counts;
}

/* --- Load and create ------------------------------------------------------------------------- */

static void test_store_load__an_empty_place_is_no_error(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_EMPTY);
}

static void test_store_load__gives_back_what_was_created(void **state)
{
    struct lh_session_key key = key_of(1, 3, 1);
    struct lh_store_row row = row_of(7, "sealed");
    row.generation = 5;
    create(store_of(state), key, row);

    struct lh_store_row loaded = load_row(store_of(state), &key);
    assert_int_equal(loaded.kind, LH_PLACE_RECORD);
    assert_false(loaded.is_quarantined);
    assert_int_equal(loaded.generation, 5);
    assert_int_equal(loaded.absolute_end_ms, row.absolute_end_ms);
    assert_int_equal(loaded.last_touch_ms, NOW_MS);
    assert_int_equal(loaded.idle_s, 1800);
    assert_true(loaded.has_user);
    assert_memory_equal(loaded.user_tag.bytes, row.user_tag.bytes, LH_USER_TAG_BYTES);
    assert_slice_text(loaded.record, "sealed");
}

static void test_store_load__tells_neighbouring_places_apart(void **state)
{
    create(store_of(state), key_of(1, 3, 1), row_of(7, "mine"));
    struct lh_session_key others[] = {key_of(2, 3, 1), key_of(1, 4, 1), key_of(1, 3, 2)};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(kind_in(store_of(state), &others[i]), LH_PLACE_EMPTY);
    }
}

static void test_store_load__keeps_an_anonymous_session_without_user(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_store_row row = row_of(7, "sealed");
    row.has_user = false;
    row.idle_s = 0;
    create(store_of(state), key, row);
    struct lh_store_row loaded = load_row(store_of(state), &key);
    assert_false(loaded.has_user);
    assert_int_equal(loaded.idle_s, 0);
}

static void test_store_create__refuses_a_second_record(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "first"));
    struct lh_store_row second = row_of(2, "second");
    assert_status(lh_store_create(store_of(state), NULL, &key, &second), LH_EXISTS);
    assert_slice_text(load_row(store_of(state), &key).record, "first");
}

static void test_store_create__refuses_a_revoked_place(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS + HOUR_MS));
    struct lh_store_row row = row_of(1, "late");
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_REVOKED);
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_TOMBSTONE);
}

static void test_store_create__takes_records_of_every_size_up_to_the_limit(void **state)
{
    static const size_t sizes[] = {1, 500, 1900, 1999, 2048, 4096, 20000, LH_STORE_RECORD_MAX_BYTES};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct lh_session_key key = key_of(1, 0, i);
        struct lh_store_row row = row_of(1, "");
        row.record = long_record(sizes[i], i);
        create(store_of(state), key, row);
    }
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct lh_session_key key = key_of(1, 0, i);
        assert_true(lh_slice_is_equal(load_row(store_of(state), &key).record,
                                      long_record(sizes[i], i)));
    }
}

static void test_store_create__refuses_rows_that_cannot_be(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_store_row row = row_of(1, "sealed");
    row.record = long_record(LH_STORE_RECORD_MAX_BYTES + 1, 0);
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_TOO_LARGE);
    row = row_of(1, "");
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_INVALID);
    row = row_of(1, "sealed");
    row.generation = 0;
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_INVALID);
    row = row_of(1, "sealed");
    row.kind = LH_PLACE_TOMBSTONE;
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_INVALID);
    row = row_of(1, "sealed");
    key.bucket = LH_STORE_BUCKETS_MAX;
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_INVALID);
}

/* --- Swap ------------------------------------------------------------------------------------ */

static lh_status swap(struct lh_store *store, struct lh_session_key key, uint64_t expected,
                      struct lh_store_row row)
{
    row.generation = expected + 1;
    return lh_store_swap(store, NULL, &key, expected, &row);
}

static void test_store_swap__replaces_the_expected_generation(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "one"));
    assert_ok(swap(store_of(state), key, 1, row_of(1, "two, and longer than one")));
    struct lh_store_row loaded = load_row(store_of(state), &key);
    assert_int_equal(loaded.generation, 2);
    assert_slice_text(loaded.record, "two, and longer than one");
}

static void test_store_swap__refuses_any_other_generation(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "one"));
    assert_ok(swap(store_of(state), key, 1, row_of(1, "two")));
    assert_status(swap(store_of(state), key, 1, row_of(1, "old")), LH_CONFLICT);
    assert_status(swap(store_of(state), key, 3, row_of(1, "new")), LH_CONFLICT);
    assert_slice_text(load_row(store_of(state), &key).record, "two");
}

static void test_store_swap__refuses_a_generation_that_does_not_follow(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "one"));
    struct lh_store_row row = row_of(1, "two");
    row.generation = 3;
    assert_status(lh_store_swap(store_of(state), NULL, &key, 1, &row), LH_INVALID);
}

static void test_store_swap__does_not_create_or_revive(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_status(swap(store_of(state), key, 1, row_of(1, "two")), LH_ABSENT);
    create(store_of(state), key, row_of(1, "one"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    assert_status(swap(store_of(state), key, 1, row_of(1, "two")), LH_REVOKED);
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_TOMBSTONE);
}

static void test_store_swap__refuses_a_record_that_is_set_aside(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "one"));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    assert_status(swap(store_of(state), key, 1, row_of(1, "two")), LH_QUARANTINED);
}

static void test_store_swap__keeps_the_later_touch(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "one"));
    touch(store_of(state), key, NOW_MS + 5000);
    assert_ok(swap(store_of(state), key, 1, row_of(1, "two")));
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS + 5000);

    struct lh_store_row later = row_of(1, "three");
    later.last_touch_ms = NOW_MS + 9000;
    assert_ok(swap(store_of(state), key, 2, later));
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS + 9000);
}

static void test_store_swap__to_an_earlier_end_is_swept_at_that_end(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "one"));
    struct lh_store_row shorter = row_of(1, "two");
    shorter.absolute_end_ms = NOW_MS + 1000;
    assert_ok(swap(store_of(state), key, 1, shorter));
    (void)sweep_all(store_of(state), NOW_MS + 1000);
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_EMPTY);
}

/* --- Revoke ---------------------------------------------------------------------------------- */

static void test_store_revoke__leaves_a_tombstone_without_record(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    struct lh_store_row row = load_row(store_of(state), &key);
    assert_int_equal(row.kind, LH_PLACE_TOMBSTONE);
    assert_int_equal(row.record.len, 0);
    assert_int_equal(row.absolute_end_ms, NOW_MS + 8 * HOUR_MS);
}

static void test_store_revoke__is_idempotent_and_keeps_the_later_end(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS + 2000));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS + 1000));
    assert_int_equal(load_row(store_of(state), &key).absolute_end_ms, NOW_MS + 2000);
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS + 3000));
    assert_int_equal(load_row(store_of(state), &key).absolute_end_ms, NOW_MS + 3000);
    assert_int_equal(count(store_of(state)).tombstones, 1);
}

static void test_store_revoke__touches_only_its_own_place(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_session_key other = key_of(2, 0, 1);
    create(store_of(state), key, row_of(1, "mine"));
    create(store_of(state), other, row_of(1, "theirs"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    assert_slice_text(load_row(store_of(state), &other).record, "theirs");
}

static void test_store_revoke__ends_a_record_that_is_set_aside(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_TOMBSTONE);
}

static void test_store_revoke__is_undone_by_no_other_write(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));

    struct lh_store_row row = row_of(1, "again");
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_REVOKED);
    assert_status(swap(store_of(state), key, 1, row), LH_REVOKED);
    touch(store_of(state), key, NOW_MS + 1000);
    assert_ok(lh_store_expire(store_of(state), NULL, &key, NOW_MS + 9 * HOUR_MS));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    (void)sweep_all(store_of(state), NOW_MS + 8 * HOUR_MS);
    struct lh_store_row left = load_row(store_of(state), &key);
    assert_int_equal(left.kind, LH_PLACE_TOMBSTONE);
    assert_false(left.is_quarantined);
}

/* --- Touch ----------------------------------------------------------------------------------- */

static void test_store_touch__moves_forward_only(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "sealed"));
    touch(store_of(state), key, NOW_MS + 2000);
    touch(store_of(state), key, NOW_MS + 1000);
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
    touch(store_of(state), empty, NOW_MS + 1000);
    touch(store_of(state), revoked, NOW_MS + 1000);
    assert_int_equal(kind_in(store_of(state), &empty), LH_PLACE_EMPTY);
    assert_int_equal(load_row(store_of(state), &revoked).last_touch_ms, 0);
}

static void test_store_touch__does_not_revive_what_was_over(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "sealed"));
    touch(store_of(state), key, NOW_MS + 1800 * 1000);
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS);
    touch(store_of(state), key, NOW_MS + 1800 * 1000 - 1);
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS + 1800 * 1000 - 1);
}

static void test_store_touch__leaves_what_is_set_aside(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    touch(store_of(state), key, NOW_MS + 1000);
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS);
}

static void test_store_touch__makes_a_whole_batch(void **state)
{
    static struct lh_store_touch touches[LH_STORE_BATCH_ROWS + 1];
    for (unsigned i = 0; i < LH_STORE_BATCH_ROWS; i++) {
        struct lh_store_row row = row_of(1, "");
        row.record = long_record(i % 5 == 0 ? 5000 : 400, i);
        touches[i] = (struct lh_store_touch){key_of(1 + i % 2, 0, i), NOW_MS + 1000 + i};
        create(store_of(state), touches[i].key, row);
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
    create(store_of(state), idle, row);
    row.idle_s = 0;
    create(store_of(state), absolute, row);

    assert_ok(lh_store_expire(store_of(state), NULL, &idle, NOW_MS + 1800 * 1000));
    assert_ok(lh_store_expire(store_of(state), NULL, &absolute, NOW_MS + 8 * HOUR_MS));
    assert_int_equal(kind_in(store_of(state), &idle), LH_PLACE_TOMBSTONE);
    assert_int_equal(kind_in(store_of(state), &absolute), LH_PLACE_TOMBSTONE);
}

static void test_store_expire__judges_again(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_expire(store_of(state), NULL, &key, NOW_MS + 1800 * 1000 - 1));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_RECORD);

    touch(store_of(state), key, NOW_MS + 1000);
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
    create(store_of(state), key, row);
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
    create(store_of(state), key, row_of(1, "sealed"));
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
    create(store_of(state), idle, row);
    row.idle_s = 3600;
    create(store_of(state), alive, row);
    create(store_of(state), other, row);

    assert_int_equal(sweep_all(store_of(state), NOW_MS + 1800 * 1000 - 1), 0);
    assert_int_equal(sweep_all(store_of(state), NOW_MS + 1800 * 1000), 1);
    assert_int_equal(kind_in(store_of(state), &idle), LH_PLACE_EMPTY);
    assert_int_equal(kind_in(store_of(state), &alive), LH_PLACE_RECORD);
    assert_int_equal(kind_in(store_of(state), &other), LH_PLACE_RECORD);
    assert_int_equal(count(store_of(state)).records, 2);
}

static void test_store_sweep__finds_a_touched_session_again_at_its_new_end(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "sealed"));
    for (unsigned i = 1; i <= 4; i++) {
        touch(store_of(state), key, NOW_MS + i * 1000 * 1000);
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
    create(store_of(state), revoked, row_of(1, "sealed"));
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
        create(store_of(state), key_of(1, i % 4, i), row_of(i, "sealed"));
    }
    size_t total = 0;
    for (unsigned calls = 0; calls < 100; calls++) {
        size_t handled = 0;
        assert_ok(lh_store_sweep(store_of(state), NOW_MS + HOUR_MS, 3, &handled));
        assert_true(handled <= 3);
        total += handled;
    }
    assert_int_equal(total, 40);
    assert_int_equal(count(store_of(state)).records, 0);
    size_t handled;
    assert_status(lh_store_sweep(store_of(state), NOW_MS, 0, &handled), LH_INVALID);
    assert_status(lh_store_sweep(store_of(state), NOW_MS, LH_STORE_BATCH_ROWS + 1, &handled),
                  LH_INVALID);
}

static void test_store_sweep__frees_the_place_for_good(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create(store_of(state), key, row_of(1, "first"));
    (void)sweep_all(store_of(state), NOW_MS + HOUR_MS);
    struct lh_store_row row = row_of(2, "second");
    row.last_touch_ms = NOW_MS + HOUR_MS;
    create(store_of(state), key, row);
    assert_int_equal(sweep_all(store_of(state), NOW_MS + HOUR_MS), 0);
    assert_slice_text(load_row(store_of(state), &key).record, "second");
}

/* --- List ------------------------------------------------------------------------------------ */

struct seen {
    struct lh_session_key keys[64];
    size_t count;
    size_t stop_after; /* 0 = never */
    struct lh_store *store; /* revoke what is seen, if set */
};

static bool see(void *context, const struct lh_session_key *key, const struct lh_store_row *row)
{
    struct seen *seen = context;
    assert_int_equal(row->kind, LH_PLACE_RECORD);
    assert_slice_text(row->record, "sealed");
    assert_true(seen->count < 64);
    seen->keys[seen->count++] = *key;
    if (seen->store != NULL) {
        assert_ok(lh_store_revoke(seen->store, NULL, key, NOW_MS));
    }
    return seen->stop_after == 0 || seen->count % seen->stop_after != 0;
}

static void list_all(struct lh_store *store, unsigned tenant, uint32_t bucket,
                     const struct lh_user_tag *tag, struct seen *seen)
{
    struct lh_session_key key = key_of(tenant, bucket, 0);
    struct lh_store_page page = LH_STORE_PAGE_FIRST;
    for (unsigned pages = 0; !page.is_last; pages++) {
        assert_true(pages < 1000);
        assert_ok(lh_store_list(store, &key.uid, bucket, tag, &page, see, seen));
        assert_int_equal(page.misplaced, 0);
    }
}

static void fill_for_listing(struct lh_store *store)
{
    for (unsigned i = 0; i < 24; i++) {
        create(store, key_of(1 + i % 2, i % 3, 23 - i), row_of(i % 4, "sealed"));
    }
}

static void test_store_list__walks_one_bucket_of_one_tenant_in_order(void **state)
{
    fill_for_listing(store_of(state));
    struct seen seen = {.count = 0};
    list_all(store_of(state), 1, 2, NULL, &seen);
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; i < seen.count; i++) {
        struct lh_session_key first = key_of(1, 2, 0);
        assert_memory_equal(seen.keys[i].uid.bytes, first.uid.bytes, LH_TENANT_UID_BYTES);
        assert_int_equal(seen.keys[i].bucket, 2);
        assert_true(i == 0 || lh_session_key_compare(&seen.keys[i - 1], &seen.keys[i]) < 0);
    }
}

static void test_store_list__goes_on_where_a_page_was_ended(void **state)
{
    fill_for_listing(store_of(state));
    for (size_t stop_after = 1; stop_after < 5; stop_after++) {
        struct seen seen = {.stop_after = stop_after};
        list_all(store_of(state), 2, 1, NULL, &seen);
        assert_int_equal(seen.count, 4);
        for (size_t i = 1; i < seen.count; i++) {
            assert_true(lh_session_key_compare(&seen.keys[i - 1], &seen.keys[i]) < 0);
        }
    }
}

static void test_store_list__finds_the_sessions_of_one_user(void **state)
{
    fill_for_listing(store_of(state));
    struct lh_user_tag tag = tag_of(2);
    struct seen seen = {.stop_after = 1};
    list_all(store_of(state), 1, 0, &tag, &seen);
    assert_int_equal(seen.count, 2);
    struct lh_user_tag nobody = tag_of(9);
    seen.count = 0;
    list_all(store_of(state), 1, 0, &nobody, &seen);
    assert_int_equal(seen.count, 0);
}

static void test_store_list__leaves_out_what_has_ended_or_moved(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_user_tag tag = tag_of(1);
    for (unsigned i = 0; i < 5; i++) {
        create(store, key_of(1, 0, i), row_of(1, "sealed"));
    }
    struct lh_session_key revoked = key_of(1, 0, 1);
    struct lh_session_key expired = key_of(1, 0, 2);
    assert_ok(lh_store_revoke(store, NULL, &revoked, NOW_MS));
    assert_ok(lh_store_expire(store, NULL, &expired, NOW_MS + HOUR_MS));
    assert_ok(swap(store, key_of(1, 0, 3), 1, row_of(2, "sealed")));

    struct seen seen = {.count = 0};
    list_all(store, 1, 0, &tag, &seen);
    assert_int_equal(seen.count, 2);
    seen.count = 0;
    list_all(store, 1, 0, NULL, &seen);
    assert_int_equal(seen.count, 3);
    tag = tag_of(2);
    seen.count = 0;
    list_all(store, 1, 0, &tag, &seen);
    assert_int_equal(seen.count, 1);
}

static void test_store_list__lets_the_caller_write_meanwhile(void **state)
{
    struct lh_store *store = store_of(state);
    for (unsigned i = 0; i < 20; i++) {
        create(store, key_of(1, 0, i), row_of(1, "sealed"));
    }
    struct lh_user_tag tag = tag_of(1);
    struct seen seen = {.stop_after = 7, .store = store};
    list_all(store, 1, 0, &tag, &seen);
    assert_int_equal(seen.count, 20);
    assert_int_equal(count(store).tombstones, 20);
}

static void test_store_list__passes_more_rows_than_fit_one_page(void **state)
{
    struct lh_store *store = store_of(state);
    for (unsigned i = 0; i < 700; i++) {
        struct lh_session_key key = key_of(1, 0, i);
        if (i >= 30 && i < 670) {
            assert_ok(lh_store_revoke(store, NULL, &key, NOW_MS));
        } else {
            create(store, key, row_of(1, "sealed"));
        }
    }
    struct seen seen = {.count = 0};
    list_all(store, 1, 0, NULL, &seen);
    assert_int_equal(seen.count, 60);
}

static void test_store_list__refuses_to_go_on_in_another_bucket(void **state)
{
    struct lh_session_key key = key_of(1, 0, 0);
    struct lh_store_page page = {.after = key_of(2, 0, 0)};
    struct seen seen = {.count = 0};
    assert_status(lh_store_list(store_of(state), &key.uid, 0, NULL, &page, see, &seen),
                  LH_INVALID);
}

/* --- Count, space, traits -------------------------------------------------------------------- */

static void test_store_count__counts_records_and_tombstones(void **state)
{
    for (unsigned i = 0; i < 10; i++) {
        create(store_of(state), key_of(1 + i % 2, i % 3, i), row_of(1, "sealed"));
    }
    for (unsigned i = 8; i < 11; i++) {
        struct lh_session_key key = key_of(1 + i % 2, i % 3, i);
        assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    }
    struct lh_store_counts counts = count(store_of(state));
    assert_int_equal(counts.records, 8);
    assert_int_equal(counts.tombstones, 3);
    assert_true(counts.used_bytes > 0);
    assert_true(counts.capacity_bytes == 0 || counts.capacity_bytes > counts.used_bytes);
}

static void test_store_space__a_full_store_still_reads_and_revokes(void **state)
{
    (void)state;
    struct fixture small;
    fixture_open(&small, driver_name, (uint64_t)2 * 1024 * 1024, (uint64_t)512 * 1024);
    struct lh_store_row row = row_of(1, "");
    row.record = long_record(900, 1);
    unsigned made = 0;
    lh_status status = lh_status_of(LH_OK);
    while (made < 100000 && lh_is_ok(status)) {
        struct lh_session_key key = key_of(1, 0, made);
        status = lh_store_create(small.store, NULL, &key, &row);
        made += lh_is_ok(status) ? 1 : 0;
    }
    assert_status(status, LH_NO_SPACE);
    assert_true(made > 100);

    for (unsigned i = 0; i < made; i++) {
        struct lh_session_key key = key_of(1, 0, i);
        assert_int_equal(kind_in(small.store, &key), LH_PLACE_RECORD);
        assert_ok(lh_store_revoke(small.store, NULL, &key, NOW_MS));
        assert_int_equal(kind_in(small.store, &key), LH_PLACE_TOMBSTONE);
    }
    struct lh_session_key fresh = key_of(2, 0, 0);
    assert_ok(lh_store_create(small.store, NULL, &fresh, &row));
    fixture_close(&small);
}

static void test_store_space__revocations_of_unknown_sessions_use_the_reserve(void **state)
{
    (void)state;
    struct fixture small;
    fixture_open(&small, driver_name, (uint64_t)2 * 1024 * 1024, (uint64_t)512 * 1024);
    struct lh_store_row row = row_of(1, "");
    row.record = long_record(900, 1);
    lh_status status = lh_status_of(LH_OK);
    for (unsigned i = 0; lh_is_ok(status); i++) {
        struct lh_session_key key = key_of(1, 0, i);
        status = lh_store_create(small.store, NULL, &key, &row);
    }
    assert_status(status, LH_NO_SPACE);
    for (unsigned i = 0; i < 300; i++) {
        struct lh_session_key key = key_of(2, 0, i);
        assert_ok(lh_store_revoke(small.store, NULL, &key, NOW_MS));
    }
    fixture_close(&small);
}

static void test_store_space__what_is_swept_can_be_used_again(void **state)
{
    (void)state;
    struct fixture small;
    fixture_open(&small, driver_name, (uint64_t)2 * 1024 * 1024, (uint64_t)256 * 1024);
    struct lh_store_row row = row_of(1, "");
    row.record = long_record(700, 1);
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < 500; i++) {
            struct lh_session_key key = key_of(1, 0, round * 1000 + i);
            assert_ok(lh_store_create(small.store, NULL, &key, &row));
        }
        assert_int_equal(sweep_all(small.store, NOW_MS + HOUR_MS), 500);
    }
    fixture_close(&small);
}

static void test_store_open__a_read_only_store_refuses_every_write(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_store_row row = row_of(1, "sealed");
    struct lh_store_touch one = {key, NOW_MS};
    size_t handled;
    fixture->options.is_read_only = true;
    fixture_reopen(fixture);
    assert_int_equal(kind_in(fixture->store, &key), LH_PLACE_EMPTY);
    assert_status(lh_store_create(fixture->store, NULL, &key, &row), LH_INVALID);
    assert_status(swap(fixture->store, key, 1, row), LH_INVALID);
    assert_status(lh_store_revoke(fixture->store, NULL, &key, NOW_MS), LH_INVALID);
    assert_status(lh_store_expire(fixture->store, NULL, &key, NOW_MS), LH_INVALID);
    assert_status(lh_store_quarantine(fixture->store, NULL, &key), LH_INVALID);
    assert_status(lh_store_touch(fixture->store, &one, 1), LH_INVALID);
    assert_status(lh_store_sweep(fixture->store, NOW_MS, 1, &handled), LH_INVALID);
    assert_ok(lh_store_sync(fixture->store));
    assert_ok(lh_store_maintain(fixture->store));
}

static void test_store_open__a_durable_store_survives_reopening(void **state)
{
    struct fixture *fixture = *state;
    if ((lh_store_traits(fixture->store) & LH_STORE_DURABLE) == 0) {
        skip();
    }
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_session_key revoked = key_of(1, 0, 2);
    create(fixture->store, key, row_of(1, "sealed"));
    assert_ok(lh_store_revoke(fixture->store, NULL, &revoked, NOW_MS));
    assert_ok(lh_store_sync(fixture->store));
    fixture->options.may_create = false;
    fixture_reopen(fixture);
    assert_slice_text(load_row(fixture->store, &key).record, "sealed");
    assert_int_equal(kind_in(fixture->store, &revoked), LH_PLACE_TOMBSTONE);
}

static void test_store_open__refuses_an_unknown_driver(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store *store;
    assert_status(lh_store_open("nothing", &fixture->options, &store), LH_INVALID);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

static int run_suite(const char *name)
{
    driver_name = name;
    const struct CMUnitTest tests[] = {
        CASE(test_store_load__an_empty_place_is_no_error),
        CASE(test_store_load__gives_back_what_was_created),
        CASE(test_store_load__tells_neighbouring_places_apart),
        CASE(test_store_load__keeps_an_anonymous_session_without_user),
        CASE(test_store_create__refuses_a_second_record),
        CASE(test_store_create__refuses_a_revoked_place),
        CASE(test_store_create__takes_records_of_every_size_up_to_the_limit),
        CASE(test_store_create__refuses_rows_that_cannot_be),
        CASE(test_store_swap__replaces_the_expected_generation),
        CASE(test_store_swap__refuses_any_other_generation),
        CASE(test_store_swap__refuses_a_generation_that_does_not_follow),
        CASE(test_store_swap__does_not_create_or_revive),
        CASE(test_store_swap__refuses_a_record_that_is_set_aside),
        CASE(test_store_swap__keeps_the_later_touch),
        CASE(test_store_swap__to_an_earlier_end_is_swept_at_that_end),
        CASE(test_store_revoke__leaves_a_tombstone_without_record),
        CASE(test_store_revoke__is_idempotent_and_keeps_the_later_end),
        CASE(test_store_revoke__touches_only_its_own_place),
        CASE(test_store_revoke__ends_a_record_that_is_set_aside),
        CASE(test_store_revoke__is_undone_by_no_other_write),
        CASE(test_store_touch__moves_forward_only),
        CASE(test_store_touch__does_nothing_where_no_record_lies),
        CASE(test_store_touch__does_not_revive_what_was_over),
        CASE(test_store_touch__leaves_what_is_set_aside),
        CASE(test_store_touch__makes_a_whole_batch),
        CASE(test_store_expire__ends_what_is_over),
        CASE(test_store_expire__judges_again),
        CASE(test_store_expire__never_ends_by_idleness_without_an_idle_end),
        CASE(test_store_expire__accepts_an_empty_place),
        CASE(test_store_quarantine__marks_and_changes_nothing_else),
        CASE(test_store_quarantine__accepts_places_without_record),
        CASE(test_store_sweep__removes_what_is_over_and_nothing_else),
        CASE(test_store_sweep__finds_a_touched_session_again_at_its_new_end),
        CASE(test_store_sweep__keeps_a_tombstone_past_the_end_and_the_margin),
        CASE(test_store_sweep__goes_on_from_call_to_call),
        CASE(test_store_sweep__frees_the_place_for_good),
        CASE(test_store_list__walks_one_bucket_of_one_tenant_in_order),
        CASE(test_store_list__goes_on_where_a_page_was_ended),
        CASE(test_store_list__finds_the_sessions_of_one_user),
        CASE(test_store_list__leaves_out_what_has_ended_or_moved),
        CASE(test_store_list__lets_the_caller_write_meanwhile),
        CASE(test_store_list__passes_more_rows_than_fit_one_page),
        CASE(test_store_list__refuses_to_go_on_in_another_bucket),
        CASE(test_store_count__counts_records_and_tombstones),
        CASE(test_store_space__a_full_store_still_reads_and_revokes),
        CASE(test_store_space__revocations_of_unknown_sessions_use_the_reserve),
        CASE(test_store_space__what_is_swept_can_be_used_again),
        CASE(test_store_open__a_read_only_store_refuses_every_write),
        CASE(test_store_open__a_durable_store_survives_reopening),
        CASE(test_store_open__refuses_an_unknown_driver),
    };
    return _cmocka_run_group_tests(name, tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}

int main(void)
{
    int failed = 0;
#define RUN_SUITE(name) failed += run_suite(#name);
    LH_STORE_DRIVERS(RUN_SUITE)
#undef RUN_SUITE
    return failed == 0 ? 0 : 1;
}
