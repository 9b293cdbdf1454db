/*
 * The contract of a session store: what load, create, swap and revoke make of a place.
 */
#include "contract/store_fixture.h"

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
    create_row(store_of(state), key, row);

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
    create_row(store_of(state), key_of(1, 3, 1), row_of(7, "mine"));
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
    create_row(store_of(state), key, row);
    struct lh_store_row loaded = load_row(store_of(state), &key);
    assert_false(loaded.has_user);
    assert_int_equal(loaded.idle_s, 0);
}

static void test_store_create__refuses_a_second_record(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "first"));
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
    static const size_t sizes[] = {1,    500,  1900,  1999,
                                   2048, 4096, 20000, LH_STORE_RECORD_MAX_BYTES};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct lh_session_key key = key_of(1, 0, i);
        struct lh_store_row row = row_of(1, "");
        row.record = long_record(sizes[i], i);
        create_row(store_of(state), key, row);
    }
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct lh_session_key key = key_of(1, 0, i);
        assert_true(
            lh_slice_is_equal(load_row(store_of(state), &key).record, long_record(sizes[i], i)));
    }
}

static bool count_one(void *context, const struct lh_session_key *key,
                      const struct lh_store_row *row)
{
    (void)key;
    (void)row;
    ++*(unsigned *)context;
    return true;
}

static void test_store_set_partial__makes_what_is_not_found_unknown(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_session_key there = key_of(1, 0, 1);
    struct lh_session_key missing = key_of(1, 0, 2);
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row row;
    unsigned listed = 0;
    create_row(store, there, row_of(1, "sealed"));
    assert_false(lh_store_is_partial(store));
    lh_store_set_partial(store, true);
    assert_true(lh_store_is_partial(store));
    assert_int_equal(kind_in(store, &there), LH_PLACE_RECORD);
    assert_status(lh_store_load(store, NULL, &missing, &scratch, &row), LH_STORE_DOWN);
    row = row_of(1, "next");
    row.generation = 2;
    assert_status(lh_store_swap(store, NULL, &missing, 1, &row), LH_STORE_DOWN);
    struct lh_store_page page = LH_STORE_PAGE_FIRST;
    assert_status(lh_store_list(store, &there.uid, 0, NULL, &page, count_one, &listed),
                  LH_STORE_DOWN);
    assert_int_equal(listed, 0);
    lh_store_set_partial(store, false);
    assert_int_equal(kind_in(store, &missing), LH_PLACE_EMPTY);
    assert_status(lh_store_swap(store, NULL, &missing, 1, &row), LH_ABSENT);
    assert_ok(lh_store_list(store, &there.uid, 0, NULL, &page, count_one, &listed));
    assert_int_equal(listed, 1);
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
    row.absolute_end_ms = 0;
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_INVALID);
    row = row_of(1, "sealed");
    row.kind = LH_PLACE_TOMBSTONE;
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_INVALID);
    row = row_of(1, "sealed");
    key.bucket = LH_STORE_BUCKETS_MAX;
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_INVALID);
}

/* --- Swap ------------------------------------------------------------------------------------ */

static void test_store_swap__replaces_the_expected_generation(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "one"));
    assert_ok(swap_row(store_of(state), key, 1, row_of(1, "two, and longer than one")));
    struct lh_store_row loaded = load_row(store_of(state), &key);
    assert_int_equal(loaded.generation, 2);
    assert_slice_text(loaded.record, "two, and longer than one");
}

static void test_store_swap__refuses_any_other_generation(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "one"));
    assert_ok(swap_row(store_of(state), key, 1, row_of(1, "two")));
    assert_status(swap_row(store_of(state), key, 1, row_of(1, "old")), LH_CONFLICT);
    assert_status(swap_row(store_of(state), key, 3, row_of(1, "new")), LH_CONFLICT);
    assert_slice_text(load_row(store_of(state), &key).record, "two");
}

static void test_store_swap__refuses_a_generation_that_does_not_follow(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "one"));
    struct lh_store_row row = row_of(1, "two");
    row.generation = 3;
    assert_status(lh_store_swap(store_of(state), NULL, &key, 1, &row), LH_INVALID);
}

static void test_store_swap__does_not_create_or_revive(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_status(swap_row(store_of(state), key, 1, row_of(1, "two")), LH_ABSENT);
    create_row(store_of(state), key, row_of(1, "one"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    assert_status(swap_row(store_of(state), key, 1, row_of(1, "two")), LH_REVOKED);
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_TOMBSTONE);
}

static void test_store_swap__refuses_a_record_that_is_set_aside(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "one"));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    assert_status(swap_row(store_of(state), key, 1, row_of(1, "two")), LH_QUARANTINED);
}

static void test_store_swap__keeps_the_later_touch(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "one"));
    touch_row(store_of(state), key, NOW_MS + 5000);
    assert_ok(swap_row(store_of(state), key, 1, row_of(1, "two")));
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS + 5000);

    struct lh_store_row later = row_of(1, "three");
    later.last_touch_ms = NOW_MS + 9000;
    assert_ok(swap_row(store_of(state), key, 2, later));
    assert_int_equal(load_row(store_of(state), &key).last_touch_ms, NOW_MS + 9000);
}

static void test_store_swap__to_an_earlier_end_is_swept_at_that_end(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "one"));
    struct lh_store_row shorter = row_of(1, "two");
    shorter.absolute_end_ms = NOW_MS + 1000;
    assert_ok(swap_row(store_of(state), key, 1, shorter));
    (void)sweep_all(store_of(state), NOW_MS + 1000);
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_EMPTY);
}

static void test_store_end_grace__marks_a_record_of_that_generation_until_it_changes(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_session_key other = key_of(2, 0, 1);
    create_row(store, key, row_of(1, "one"));
    create_row(store, other, row_of(1, "theirs"));
    assert_ok(lh_store_end_grace(store, NULL, &key, 2));
    assert_false(load_row(store, &key).is_grace_over);
    assert_ok(lh_store_end_grace(store, NULL, &key, 1));
    assert_ok(lh_store_end_grace(store, NULL, &key, 1));
    assert_true(load_row(store, &key).is_grace_over);
    assert_false(load_row(store, &other).is_grace_over);
    touch_row(store, key, NOW_MS + 1000);
    assert_true(load_row(store, &key).is_grace_over);
    assert_slice_text(load_row(store, &key).record, "one");
    assert_ok(swap_row(store, key, 1, row_of(1, "two")));
    assert_false(load_row(store, &key).is_grace_over);
}

/* The previous secret is the same: what it is worth does not change. */
static void test_store_end_grace__goes_on_where_a_swap_says_so(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_store_row row = row_of(1, "two");
    row.keeps_grace = true;
    create_row(store, key, row_of(1, "one"));
    assert_ok(swap_row(store, key, 1, row));
    assert_false(load_row(store, &key).is_grace_over);
    assert_ok(lh_store_end_grace(store, NULL, &key, 2));
    assert_ok(swap_row(store, key, 2, row));
    assert_true(load_row(store, &key).is_grace_over);
    assert_false(load_row(store, &key).keeps_grace);
    row.keeps_grace = false;
    assert_ok(swap_row(store, key, 3, row));
    assert_false(load_row(store, &key).is_grace_over);
}

static void test_store_end_grace__brings_nothing_back(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_ok(lh_store_end_grace(store_of(state), NULL, &key, 1));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_EMPTY);
    create_row(store_of(state), key, row_of(1, "one"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    assert_ok(lh_store_end_grace(store_of(state), NULL, &key, 1));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_TOMBSTONE);
}

/* --- Revoke ---------------------------------------------------------------------------------- */

static void test_store_revoke__leaves_a_tombstone_without_record(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
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
    assert_int_equal(count_rows(store_of(state)).tombstones, 1);
}

static void test_store_revoke__touches_only_its_own_place(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_session_key other = key_of(2, 0, 1);
    create_row(store_of(state), key, row_of(1, "mine"));
    create_row(store_of(state), other, row_of(1, "theirs"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    assert_slice_text(load_row(store_of(state), &other).record, "theirs");
}

static void test_store_revoke__ends_a_record_that_is_set_aside(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    assert_int_equal(kind_in(store_of(state), &key), LH_PLACE_TOMBSTONE);
}

static void test_store_revoke__is_undone_by_no_other_write(void **state)
{
    struct lh_session_key key = key_of(1, 0, 1);
    create_row(store_of(state), key, row_of(1, "sealed"));
    assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));

    struct lh_store_row row = row_of(1, "again");
    assert_status(lh_store_create(store_of(state), NULL, &key, &row), LH_REVOKED);
    assert_status(swap_row(store_of(state), key, 1, row), LH_REVOKED);
    touch_row(store_of(state), key, NOW_MS + 1000);
    assert_ok(lh_store_expire(store_of(state), NULL, &key, NOW_MS + 9 * HOUR_MS));
    assert_ok(lh_store_quarantine(store_of(state), NULL, &key));
    (void)sweep_all(store_of(state), NOW_MS + 8 * HOUR_MS);
    struct lh_store_row left = load_row(store_of(state), &key);
    assert_int_equal(left.kind, LH_PLACE_TOMBSTONE);
    assert_false(left.is_quarantined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_CASE(test_store_load__an_empty_place_is_no_error),
        CONTRACT_CASE(test_store_load__gives_back_what_was_created),
        CONTRACT_CASE(test_store_load__tells_neighbouring_places_apart),
        CONTRACT_CASE(test_store_load__keeps_an_anonymous_session_without_user),
        CONTRACT_CASE(test_store_create__refuses_a_second_record),
        CONTRACT_CASE(test_store_create__refuses_a_revoked_place),
        CONTRACT_CASE(test_store_create__takes_records_of_every_size_up_to_the_limit),
        CONTRACT_CASE(test_store_set_partial__makes_what_is_not_found_unknown),
        CONTRACT_CASE(test_store_create__refuses_rows_that_cannot_be),
        CONTRACT_CASE(test_store_swap__replaces_the_expected_generation),
        CONTRACT_CASE(test_store_swap__refuses_any_other_generation),
        CONTRACT_CASE(test_store_swap__refuses_a_generation_that_does_not_follow),
        CONTRACT_CASE(test_store_swap__does_not_create_or_revive),
        CONTRACT_CASE(test_store_swap__refuses_a_record_that_is_set_aside),
        CONTRACT_CASE(test_store_swap__keeps_the_later_touch),
        CONTRACT_CASE(test_store_swap__to_an_earlier_end_is_swept_at_that_end),
        CONTRACT_CASE(test_store_end_grace__marks_a_record_of_that_generation_until_it_changes),
        CONTRACT_CASE(test_store_end_grace__goes_on_where_a_swap_says_so),
        CONTRACT_CASE(test_store_end_grace__brings_nothing_back),
        CONTRACT_CASE(test_store_revoke__leaves_a_tombstone_without_record),
        CONTRACT_CASE(test_store_revoke__is_idempotent_and_keeps_the_later_end),
        CONTRACT_CASE(test_store_revoke__touches_only_its_own_place),
        CONTRACT_CASE(test_store_revoke__ends_a_record_that_is_set_aside),
        CONTRACT_CASE(test_store_revoke__is_undone_by_no_other_write),
    };
    return contract_run(tests, sizeof(tests) / sizeof(tests[0]));
}
