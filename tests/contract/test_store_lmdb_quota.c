/*
 * Counts and the index of use of the LMDB store over rows that it has not written so: of the format
 * before, in buckets that nobody has counted, and over entries that no row remembers.
 */
#include "contract/lmdb_raw.h"

#include "store/drivers/lmdb_rows.h"

#define BARE_BYTES  60U
#define HEAD_BYTES  68U
#define OLD_ROWS    300U
#define ROW_MAX     2000U
#define SESSION_KEY (1 + LH_SESSION_KEY_BYTES)

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_open(fixture, "lmdb", 0, 0);
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static const struct lh_store_quota five = {.bucket_max = 5, .anonymous_max = 5};

static void make(struct fixture *fixture, unsigned n)
{
    struct lh_store_row row = row_of(1, "sealed");
    row.last_touch_ms = NOW_MS + n;
    create_row(fixture->store, key_of(1, 0, n), row);
}

/* Creates session n under a quota; returns how many went. */
static size_t admit(struct fixture *fixture, unsigned n, struct lh_store_quota quota,
                    struct lh_store_evicted *evicted)
{
    struct lh_session_key key = key_of(1, 0, n);
    struct lh_store_row row = row_of(1, "sealed");
    row.last_touch_ms = NOW_MS + n;
    const struct lh_store_creation creation = {.key = &key, .row = &row, .quota = &quota};
    assert_ok(lh_store_admit(fixture->store, NULL, &creation, evicted));
    return evicted->count;
}

static unsigned count_live(struct fixture *fixture)
{
    return (unsigned)count_rows(fixture->store).records;
}

/* --- Rows of the format before ---------------------------------------------------------------- */

/* Deletes all keys of a kind. */
static void delete_kind(MDB_txn *txn, MDB_dbi tree, uint8_t kind)
{
    MDB_cursor *cursor;
    MDB_val key = {.mv_size = 1, .mv_data = &kind};
    MDB_val value;
    assert_int_equal(mdb_cursor_open(txn, tree, &cursor), 0);
    int result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (result == 0 && *(const uint8_t *)key.mv_data == kind) {
        assert_int_equal(mdb_cursor_del(cursor, 0), 0);
        result = mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT);
    }
    mdb_cursor_close(cursor);
}

/* Puts a row as version 0.1 wrote it. */
static void make_old(MDB_txn *txn, MDB_dbi tree, unsigned n)
{
    uint8_t key[SESSION_KEY] = {'s'};
    uint8_t row[ROW_MAX];
    struct lh_session_key session = key_of(1, 0, n);
    lh_store_key_session(&session, key + 1);
    size_t length = raw_get(txn, tree, LH_SLICE_OF(key), row, sizeof(row));
    assert_true(length > HEAD_BYTES && row[0] == 2);
    row[0] = 1;
    memmove(row + BARE_BYTES, row + HEAD_BYTES, length - HEAD_BYTES);
    raw_put(txn, tree, LH_SLICE_OF(key), lh_slice_of(row, length - (HEAD_BYTES - BARE_BYTES)));
}

static void make_all_old(MDB_txn *txn, MDB_dbi tree, void *context)
{
    unsigned count = *(const unsigned *)context;
    delete_kind(txn, tree, 'l');
    delete_kind(txn, tree, 'q');
    for (unsigned n = 1; n <= count; n++) {
        make_old(txn, tree, n);
    }
}

static void open_old(struct fixture *fixture, unsigned count)
{
    for (unsigned n = 1; n <= count; n++) {
        make(fixture, n);
    }
    raw_change(fixture, make_all_old, &count);
}

static void test_lmdb_row__of_the_format_before_is_read_and_changed(void **state)
{
    struct fixture *fixture = *state;
    open_old(fixture, 4);
    struct lh_session_key first = key_of(1, 0, 1);
    struct lh_session_key second = key_of(1, 0, 2);
    struct lh_session_key third = key_of(1, 0, 3);
    assert_slice_text(load_row(fixture->store, &first).record, "sealed");
    assert_int_equal(load_row(fixture->store, &first).last_touch_ms, NOW_MS + 1);
    touch_row(fixture->store, first, NOW_MS + 5000);
    assert_int_equal(load_row(fixture->store, &first).last_touch_ms, NOW_MS + 5000);
    assert_slice_text(load_row(fixture->store, &first).record, "sealed");
    assert_ok(lh_store_quarantine(fixture->store, NULL, &second));
    assert_true(load_row(fixture->store, &second).is_quarantined);
    assert_ok(lh_store_revoke(fixture->store, NULL, &third, NOW_MS));
    assert_int_equal(kind_in(fixture->store, &third), LH_PLACE_TOMBSTONE);
    assert_ok(swap_row(fixture->store, key_of(1, 0, 4), 1, row_of(1, "next")));
    (void)sweep_all(fixture->store, NOW_MS + 9 * HOUR_MS);
    assert_int_equal(count_live(fixture), 0);
}

static void
test_lmdb_quota__rows_of_the_format_before_count_from_the_first_creation_on(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store_evicted evicted;
    open_old(fixture, 5);
    touch_row(fixture->store, key_of(1, 0, 1), NOW_MS + 3600);
    struct lh_session_key revoked = key_of(1, 0, 3);
    assert_ok(lh_store_revoke(fixture->store, NULL, &revoked, NOW_MS));
    assert_int_equal(admit(fixture, 11, five, &evicted), 0);
    assert_int_equal(admit(fixture, 12, five, &evicted), 1);
    struct lh_session_key oldest = key_of(1, 0, 2);
    assert_true(lh_session_key_is_equal(&evicted.keys[0], &oldest));
    assert_int_equal(count_live(fixture), 5);
}

/* A long bucket is counted over several creations, and nobody counts twice meanwhile. */
static void test_lmdb_quota__a_long_bucket_is_counted_step_by_step(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store_evicted evicted;
    const struct lh_store_quota quota = {.bucket_max = OLD_ROWS};
    open_old(fixture, OLD_ROWS);
    assert_int_equal(admit(fixture, OLD_ROWS + 1, quota, &evicted), 0);
    for (unsigned n = 1; n <= OLD_ROWS; n += 10) { /* before and behind where the walk is */
        struct lh_session_key key = key_of(1, 0, n);
        assert_ok(lh_store_revoke(fixture->store, NULL, &key, NOW_MS));
    }
    unsigned live = OLD_ROWS + 1 - OLD_ROWS / 10;
    unsigned next = OLD_ROWS + 2;
    while (admit(fixture, next, quota, &evicted) == 0) {
        live++;
        next++;
        assert_true(live <= OLD_ROWS);
    }
    assert_int_equal(live, OLD_ROWS);
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(admit(fixture, next + i, quota, &evicted), 1);
    }
    assert_int_equal(count_live(fixture), OLD_ROWS);
}

/* --- Entries ---------------------------------------------------------------------------------- */

struct tally {
    size_t uses;
    size_t sessions;
};

static void count_kinds(MDB_txn *txn, MDB_dbi tree, void *context)
{
    struct tally *tally = context;
    *tally = (struct tally){raw_count(txn, tree, 'l'), raw_count(txn, tree, 's')};
}

static void expect_uses(struct fixture *fixture, size_t uses)
{
    struct tally tally;
    raw_change(fixture, count_kinds, &tally);
    assert_int_equal(tally.uses, uses);
}

/* However many must go: other writers wait for the transaction. */
static void test_lmdb_quota__one_creation_takes_one_step(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store_evicted evicted;
    struct tally tally;
    const struct lh_store_quota one = {.bucket_max = 1};
    open_old(fixture, OLD_ROWS);
    assert_in_range(admit(fixture, OLD_ROWS + 1, one, &evicted), 1, LH_STORE_EVICTIONS_MAX);
    raw_change(fixture, count_kinds, &tally);
    assert_in_range(tally.uses, 1, 128 + 1); /* what one step files, and the new one */
}

static void test_lmdb_use__holds_one_entry_for_each_session_that_counts(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store_evicted evicted;
    for (unsigned n = 1; n <= 5; n++) {
        (void)admit(fixture, n, five, &evicted);
        touch_row(fixture->store, key_of(1, 0, n), NOW_MS + 100 * n);
    }
    expect_uses(fixture, 5);
    assert_int_equal(admit(fixture, 6, five, &evicted), 1);
    expect_uses(fixture, 5);
    struct lh_session_key second = key_of(1, 0, 2);
    struct lh_session_key third = key_of(1, 0, 3);
    struct lh_session_key fourth = key_of(1, 0, 4);
    assert_ok(lh_store_quarantine(fixture->store, NULL, &second));
    expect_uses(fixture, 4);
    assert_ok(lh_store_revoke(fixture->store, NULL, &third, NOW_MS));
    expect_uses(fixture, 3);
    assert_ok(lh_store_expire(fixture->store, NULL, &fourth, NOW_MS + 9 * HOUR_MS));
    expect_uses(fixture, 2);
    struct lh_store_row anonymous = row_of(1, "next");
    anonymous.has_user = false;
    assert_ok(swap_row(fixture->store, key_of(1, 0, 5), 1, anonymous));
    expect_uses(fixture, 2);
    (void)sweep_all(fixture->store, NOW_MS + 30 * HOUR_MS);
    expect_uses(fixture, 0);
}

static void add_stray_uses(MDB_txn *txn, MDB_dbi tree, void *context)
{
    (void)context;
    struct lh_session_key absent = key_of(1, 0, 77);
    struct lh_session_key present = key_of(1, 0, 5);
    uint8_t use[1 + LH_USE_INDEX_KEY_BYTES] = {'l'};
    lh_store_key_use(&absent, true, 1, use + 1);
    raw_put(txn, tree, LH_SLICE_OF(use), LH_SLICE_EMPTY);
    raw_put(txn, tree, lh_slice_of(use, sizeof(use) - 1), LH_SLICE_EMPTY); /* no entry at all */
    lh_store_key_use(&present, true, 2, use + 1); /* not where its row says */
    raw_put(txn, tree, LH_SLICE_OF(use), LH_SLICE_EMPTY);
    lh_store_key_use(&present, false, 2, use + 1); /* not its class */
    raw_put(txn, tree, LH_SLICE_OF(use), LH_SLICE_EMPTY);
}

static void test_lmdb_use__stray_entries_evict_nobody_and_go(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store_evicted evicted;
    for (unsigned n = 1; n <= 5; n++) {
        (void)admit(fixture, n, five, &evicted);
    }
    raw_change(fixture, add_stray_uses, NULL);
    for (unsigned n = 6; n <= 10; n++) {
        struct lh_session_key oldest = key_of(1, 0, n - 5);
        assert_int_equal(admit(fixture, n, five, &evicted), 1);
        assert_true(lh_session_key_is_equal(&evicted.keys[0], &oldest));
    }
    assert_int_equal(count_live(fixture), 5);
    expect_uses(fixture, 5);
}

static void damage_count(MDB_txn *txn, MDB_dbi tree, void *context)
{
    (void)context;
    uint8_t key[1 + LH_BUCKET_KEY_BYTES] = {'q'};
    struct lh_session_key first = key_of(1, 0, 0);
    lh_store_key_bucket(&first, key + 1);
    raw_put(txn, tree, LH_SLICE_OF(key), LH_SLICE_LITERAL("\xff\x07"));
}

static void test_lmdb_use__a_count_that_is_none_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store_evicted evicted;
    for (unsigned n = 1; n <= 5; n++) {
        (void)admit(fixture, n, five, &evicted);
    }
    raw_change(fixture, damage_count, NULL);
    for (unsigned n = 6; n <= 10; n++) {
        assert_int_equal(admit(fixture, n, five, &evicted), 1);
    }
    assert_int_equal(count_live(fixture), 5);
}

/* All in front of the one that was not used were used since they were filed. */
static void test_lmdb_use__who_was_used_since_is_filed_anew(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store_evicted evicted;
    const struct lh_store_quota quota = {.bucket_max = 20};
    for (unsigned n = 1; n <= 20; n++) {
        (void)admit(fixture, n, quota, &evicted);
        if (n < 20) {
            touch_row(fixture->store, key_of(1, 0, n), NOW_MS + 1000 - n);
        }
    }
    struct lh_session_key unused = key_of(1, 0, 20);
    struct lh_session_key next = key_of(1, 0, 21);
    assert_int_equal(admit(fixture, 21, quota, &evicted), 1);
    assert_true(lh_session_key_is_equal(&evicted.keys[0], &unused));
    assert_int_equal(admit(fixture, 22, quota, &evicted), 1);
    assert_true(lh_session_key_is_equal(&evicted.keys[0], &next));
    expect_uses(fixture, 20);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_lmdb_row__of_the_format_before_is_read_and_changed),
        CASE(test_lmdb_quota__rows_of_the_format_before_count_from_the_first_creation_on),
        CASE(test_lmdb_quota__a_long_bucket_is_counted_step_by_step),
        CASE(test_lmdb_quota__one_creation_takes_one_step),
        CASE(test_lmdb_use__holds_one_entry_for_each_session_that_counts),
        CASE(test_lmdb_use__stray_entries_evict_nobody_and_go),
        CASE(test_lmdb_use__a_count_that_is_none_is_made_anew),
        CASE(test_lmdb_use__who_was_used_since_is_filed_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
