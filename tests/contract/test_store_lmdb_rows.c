/*
 * The LMDB store over rows that it has not written so: short, nonsense, moved, of a newer
 * version. And what it writes into its indexes, and when.
 */
#include "contract/lmdb_raw.h"
#include "support/reader_slots.h"

#include "store/drivers/lmdb_rows.h"
#include "store/wire.h"

#define HEAD_BYTES    68U
#define LENGTH_OFFSET 7U /* the last byte of the record's length */
#define ROW_MAX       2000U
#define SESSION_KEY   (1 + LH_SESSION_KEY_BYTES)
#define LONGEST_ROW   (HEAD_BYTES + LH_SESSION_KEY_BYTES + LH_STORE_RECORD_MAX_BYTES)

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_open(fixture, "lmdb", 0, 0);
    for (unsigned n = 1; n <= 3; n++) {
        create_row(fixture->store, key_of(1, 0, n), row_of(1, "sealed"));
    }
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

/* --- Rows behind the driver's back ----------------------------------------------------------- */

struct edit {
    struct lh_session_key key;
    struct lh_session_key from; /* copy this one's row first */
    size_t offset;              /* of one byte to set; SIZE_MAX: none */
    uint8_t byte;
    size_t length; /* of the row; 0 = as it was */
};

static void write_key(const struct lh_session_key *key, uint8_t out[SESSION_KEY])
{
    out[0] = 's';
    lh_store_key_session(key, out + 1);
}

static void apply_edit(MDB_txn *txn, MDB_dbi tree, void *context)
{
    const struct edit *edit = context;
    static uint8_t row[LONGEST_ROW + 2];
    uint8_t from[SESSION_KEY];
    uint8_t key[SESSION_KEY];
    write_key(&edit->from, from);
    write_key(&edit->key, key);
    memset(row, 0x77, sizeof(row));
    size_t length = raw_get(txn, tree, LH_SLICE_OF(from), row, ROW_MAX);
    assert_true(length > HEAD_BYTES);
    if (edit->offset != SIZE_MAX) {
        row[edit->offset] = edit->byte;
    }
    raw_put(txn, tree, LH_SLICE_OF(key),
            lh_slice_of(row, edit->length == 0 ? length : edit->length));
}

static lh_status load(struct lh_store *store, unsigned n)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_session_key key = key_of(1, 0, n);
    struct lh_store_row row;
    return lh_store_load(store, NULL, &key, &scratch, &row);
}

static bool count_listed(void *context, const struct lh_session_key *key,
                         const struct lh_store_row *row)
{
    (void)key;
    assert_slice_text(row->record, "sealed");
    (*(size_t *)context)++;
    return true;
}

/* Lists the bucket; returns the rows passed on. */
static size_t list(struct lh_store *store, bool by_user, size_t *out_misplaced)
{
    struct lh_session_key first = key_of(1, 0, 0);
    struct lh_user_tag tag = tag_of(1);
    struct lh_store_page page = LH_STORE_PAGE_FIRST;
    size_t listed = 0;
    *out_misplaced = 0;
    while (!page.is_last) {
        assert_ok(lh_store_list(store, &first.uid, 0, by_user ? &tag : NULL, &page, count_listed,
                                &listed));
        *out_misplaced += page.misplaced;
    }
    return listed;
}

static void damage(struct fixture *fixture, size_t offset, uint8_t byte, size_t length)
{
    struct edit edit = {key_of(1, 0, 2), key_of(1, 0, 1), offset, byte, length};
    raw_change(fixture, apply_edit, &edit);
}

/* Whatever lies in place 2 must behave as no row at all, and harm no other. */
static void expect_tampered(struct fixture *fixture)
{
    struct lh_session_key key = key_of(1, 0, 2);
    struct lh_store_row row = row_of(1, "new");
    assert_status(load(fixture->store, 2), LH_TAMPERED);
    assert_status(lh_store_create(fixture->store, NULL, &key, &row), LH_TAMPERED);
    assert_status(swap_row(fixture->store, key, 1, row), LH_TAMPERED);
    assert_ok(lh_store_quarantine(fixture->store, NULL, &key));
    size_t misplaced;
    assert_int_equal(list(fixture->store, false, &misplaced), 2);
    assert_int_equal(misplaced, 1);
    assert_int_equal(list(fixture->store, true, &misplaced), 2);
    assert_int_equal(misplaced, 1);
    assert_ok(load(fixture->store, 1));
    assert_ok(load(fixture->store, 3));
}

static void test_lmdb_row__of_any_length_below_its_head_is_refused(void **state)
{
    struct fixture *fixture = *state;
    for (size_t length = 1; length <= HEAD_BYTES; length++) {
        damage(fixture, SIZE_MAX, 0, length);
        expect_tampered(fixture);
    }
}

static void test_lmdb_row__longer_than_any_that_we_write_is_refused(void **state)
{
    struct fixture *fixture = *state;
    damage(fixture, SIZE_MAX, 0, LONGEST_ROW + 1);
    expect_tampered(fixture);
}

static void test_lmdb_row__is_as_long_as_its_longest_record_at_most(void **state)
{
    (void)state;
    static uint8_t row[LONGEST_ROW + 1] = {2, 1}; /* format and kind */
    struct lh_lmdb_row found;
    for (size_t len = LONGEST_ROW; len <= sizeof(row); len++) {
        (void)lh_wire_put_u32(row + 4, (uint32_t)(len - HEAD_BYTES));
        assert_status(lh_lmdb_row_read(lh_slice_of(row, len), &found),
                      len == LONGEST_ROW ? LH_OK : LH_TAMPERED);
    }
}

static void test_lmdb_row__of_another_length_than_it_says_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const size_t lengths[] = {HEAD_BYTES + 1, HEAD_BYTES + 41, HEAD_BYTES + 43, ROW_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        damage(fixture, SIZE_MAX, 0, lengths[i]);
        expect_tampered(fixture);
    }
    damage(fixture, LENGTH_OFFSET, 41, 0);
    expect_tampered(fixture);
}

static void test_lmdb_row__with_a_nonsense_head_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        size_t offset;
        uint8_t byte;
    } cases[] = {{0, 0}, {1, 0}, {1, 2}, {1, 3}, {1, 255}, {2, 8}, {2, 0x82}, {3, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        damage(fixture, cases[i].offset, cases[i].byte, 0);
        expect_tampered(fixture);
    }
}

static void test_lmdb_row__too_short_for_its_echo_is_refused(void **state)
{
    struct fixture *fixture = *state;
    for (uint8_t length = 1; length <= LH_SESSION_KEY_BYTES; length = (uint8_t)(length + 5)) {
        damage(fixture, LENGTH_OFFSET, length, HEAD_BYTES + length);
        assert_status(load(fixture->store, 2), LH_TAMPERED);
    }
}

static void test_lmdb_row__copied_to_another_place_is_foreign(void **state)
{
    struct fixture *fixture = *state;
    damage(fixture, SIZE_MAX, 0, 0);
    assert_status(load(fixture->store, 2), LH_FOREIGN);
    assert_ok(load(fixture->store, 1));
    size_t misplaced;
    assert_int_equal(list(fixture->store, false, &misplaced), 2);
    assert_int_equal(misplaced, 1);

    struct edit to_other_tenant = {key_of(2, 0, 1), key_of(1, 0, 1), SIZE_MAX, 0, 0};
    raw_change(fixture, apply_edit, &to_other_tenant);
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row row;
    assert_status(lh_store_load(fixture->store, NULL, &to_other_tenant.key, &scratch, &row),
                  LH_FOREIGN);
}

static void test_lmdb_row__that_is_none_can_be_revoked_and_is_swept(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_key key = key_of(1, 0, 2);
    damage(fixture, SIZE_MAX, 0, 5);
    assert_ok(lh_store_revoke(fixture->store, NULL, &key, NOW_MS + 8 * HOUR_MS));
    assert_int_equal(kind_in(fixture->store, &key), LH_PLACE_TOMBSTONE);
    (void)sweep_all(fixture->store, NOW_MS + 8 * HOUR_MS);
    assert_int_equal(kind_in(fixture->store, &key), LH_PLACE_TOMBSTONE);

    struct lh_session_key other = key_of(1, 0, 5);
    create_row(fixture->store, other, row_of(1, "sealed"));
    struct edit edit = {other, other, SIZE_MAX, 0, 3};
    raw_change(fixture, apply_edit, &edit);
    assert_status(load(fixture->store, 5), LH_TAMPERED);
    (void)sweep_all(fixture->store, NOW_MS + HOUR_MS);
    assert_int_equal(kind_in(fixture->store, &other), LH_PLACE_EMPTY);
}

static void test_lmdb_row__that_is_none_does_not_stop_a_batch(void **state)
{
    struct fixture *fixture = *state;
    damage(fixture, SIZE_MAX, 0, 5);
    struct lh_store_touch touches[3];
    for (unsigned n = 1; n <= 3; n++) {
        touches[n - 1] = (struct lh_store_touch){key_of(1, 0, n), NOW_MS + 1000};
    }
    assert_ok(lh_store_touch(fixture->store, touches, 3));
    assert_int_equal(load_row(fixture->store, &touches[0].key).last_touch_ms, NOW_MS + 1000);
    assert_int_equal(load_row(fixture->store, &touches[2].key).last_touch_ms, NOW_MS + 1000);
}

static void test_lmdb_row__of_a_newer_version_is_unknown_and_never_removed(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_key key = key_of(1, 0, 2);
    damage(fixture, 0, 3, 0);
    assert_status(load(fixture->store, 2), LH_FUTURE_FORMAT);
    assert_int_equal(sweep_all(fixture->store, NOW_MS + HOUR_MS), 3);
    assert_status(load(fixture->store, 2), LH_FUTURE_FORMAT);
    (void)sweep_all(fixture->store, NOW_MS + 100 * HOUR_MS);
    assert_status(load(fixture->store, 2), LH_FUTURE_FORMAT);
    assert_int_equal(count_rows(fixture->store).records, 1);
    assert_ok(lh_store_revoke(fixture->store, NULL, &key, NOW_MS));
    assert_int_equal(kind_in(fixture->store, &key), LH_PLACE_TOMBSTONE);
}

/* --- Indexes --------------------------------------------------------------------------------- */

struct tally {
    size_t ends;
    size_t sessions;
    size_t users;
};

static void count_kinds(MDB_txn *txn, MDB_dbi tree, void *context)
{
    struct tally *tally = context;
    *tally = (struct tally){raw_count(txn, tree, 'e'), raw_count(txn, tree, 's'),
                            raw_count(txn, tree, 'u')};
}

static void expect_tally(struct fixture *fixture, size_t ends, size_t sessions, size_t users)
{
    struct tally tally;
    raw_change(fixture, count_kinds, &tally);
    assert_int_equal(tally.ends, ends);
    assert_int_equal(tally.sessions, sessions);
    assert_int_equal(tally.users, users);
}

struct first_end {
    uint64_t end_ms;
};

static void find_first_end(MDB_txn *txn, MDB_dbi tree, void *context)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    struct lh_session_key session;
    assert_int_equal(mdb_cursor_open(txn, tree, &cursor), 0);
    assert_int_equal(mdb_cursor_get(cursor, &key, &value, MDB_FIRST), 0);
    lh_slice bytes = lh_slice_of(key.mv_data, key.mv_size);
    assert_ok(lh_store_key_parse_expiry(lh_slice_cut(bytes, 1, bytes.len),
                                        &((struct first_end *)context)->end_ms, &session));
    mdb_cursor_close(cursor);
}

static void test_lmdb_index__a_touch_writes_nothing_into_it(void **state)
{
    struct fixture *fixture = *state;
    struct first_end before;
    struct first_end after;
    raw_change(fixture, find_first_end, &before);
    for (unsigned i = 1; i <= 100; i++) {
        for (unsigned n = 1; n <= 3; n++) {
            touch_row(fixture->store, key_of(1, 0, n), NOW_MS + i * 10000);
        }
    }
    raw_change(fixture, find_first_end, &after);
    assert_int_equal(before.end_ms, NOW_MS + 1800 * 1000);
    assert_int_equal(after.end_ms, before.end_ms);
    expect_tally(fixture, 3, 3, 3);
}

static void test_lmdb_index__a_sweep_files_the_living_anew_once(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned n = 1; n <= 3; n++) {
        touch_row(fixture->store, key_of(1, 0, n), NOW_MS + 1000 * 1000);
    }
    assert_int_equal(sweep_all(fixture->store, NOW_MS + 1800 * 1000), 3);
    assert_int_equal(sweep_all(fixture->store, NOW_MS + 1800 * 1000), 0);
    struct first_end found;
    raw_change(fixture, find_first_end, &found);
    assert_int_equal(found.end_ms, NOW_MS + 2800 * 1000);
    expect_tally(fixture, 3, 3, 3);
    assert_int_equal(sweep_all(fixture->store, NOW_MS + 2800 * 1000), 3);
    expect_tally(fixture, 0, 0, 0);
}

static void test_lmdb_index__holds_one_entry_for_each_row_whatever_happens(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_store_row row = row_of(2, "changed");
    row.absolute_end_ms = NOW_MS + 1000;
    assert_ok(swap_row(fixture->store, key, 1, row)); /* earlier end, other user */
    expect_tally(fixture, 3, 3, 3);
    row.absolute_end_ms = NOW_MS + HOUR_MS;
    row.has_user = false;
    assert_ok(swap_row(fixture->store, key, 2, row));
    expect_tally(fixture, 3, 3, 2);
    assert_ok(lh_store_revoke(fixture->store, NULL, &key, NOW_MS));
    assert_ok(lh_store_revoke(fixture->store, NULL, &key, NOW_MS + 20 * HOUR_MS));
    expect_tally(fixture, 3, 3, 2);
    struct lh_session_key second = key_of(1, 0, 2);
    assert_ok(lh_store_expire(fixture->store, NULL, &second, NOW_MS + HOUR_MS));
    expect_tally(fixture, 3, 3, 1);
    (void)sweep_all(fixture->store, NOW_MS + 30 * HOUR_MS);
    expect_tally(fixture, 0, 0, 0);
}

static void add_stray_entries(MDB_txn *txn, MDB_dbi tree, void *context)
{
    (void)context;
    struct lh_session_key absent = key_of(1, 0, 77);
    struct lh_session_key present = key_of(1, 0, 1);
    struct lh_user_tag tag = tag_of(1);
    uint8_t end[1 + LH_EXPIRY_INDEX_KEY_BYTES] = {'e'};
    uint8_t user[1 + LH_USER_INDEX_KEY_BYTES] = {'u'};
    lh_store_key_expiry(NOW_MS, &absent, end + 1);
    raw_put(txn, tree, LH_SLICE_OF(end), LH_SLICE_EMPTY);
    lh_store_key_expiry(NOW_MS + 1, &present, end + 1); /* not where its row says */
    raw_put(txn, tree, LH_SLICE_OF(end), LH_SLICE_EMPTY);
    lh_store_key_user(&absent, &tag, user + 1);
    raw_put(txn, tree, LH_SLICE_OF(user), LH_SLICE_EMPTY);
    raw_put(txn, tree, LH_SLICE_LITERAL("e\0\0"), LH_SLICE_EMPTY);
    raw_put(txn, tree, LH_SLICE_LITERAL("sshort"), LH_SLICE_LITERAL("?"));
}

static void test_lmdb_index__stray_entries_mean_nothing_and_go(void **state)
{
    struct fixture *fixture = *state;
    /* Filed anew because of a stray entry, this one would lie in the index twice. */
    touch_row(fixture->store, key_of(1, 0, 1), NOW_MS + 500);
    raw_change(fixture, add_stray_entries, NULL);
    size_t misplaced;
    assert_int_equal(list(fixture->store, true, &misplaced), 3);
    assert_int_equal(sweep_all(fixture->store, NOW_MS + 1000), 3);
    assert_int_equal(list(fixture->store, false, &misplaced), 3);
    expect_tally(fixture, 3, 4, 4);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

static void test_lmdb_read__a_slot_that_another_took_away_is_taken_anew(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_key key = key_of(1, 0, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(kind_in(fixture->store, &key), LH_PLACE_RECORD);
        assert_true(reader_slots_take_away(fixture->path) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_lmdb_row__of_any_length_below_its_head_is_refused),
        CASE(test_lmdb_row__longer_than_any_that_we_write_is_refused),
        cmocka_unit_test(test_lmdb_row__is_as_long_as_its_longest_record_at_most),
        CASE(test_lmdb_row__of_another_length_than_it_says_is_refused),
        CASE(test_lmdb_row__with_a_nonsense_head_is_refused),
        CASE(test_lmdb_row__too_short_for_its_echo_is_refused),
        CASE(test_lmdb_row__copied_to_another_place_is_foreign),
        CASE(test_lmdb_row__that_is_none_can_be_revoked_and_is_swept),
        CASE(test_lmdb_row__that_is_none_does_not_stop_a_batch),
        CASE(test_lmdb_row__of_a_newer_version_is_unknown_and_never_removed),
        CASE(test_lmdb_read__a_slot_that_another_took_away_is_taken_anew),
        CASE(test_lmdb_index__a_touch_writes_nothing_into_it),
        CASE(test_lmdb_index__a_sweep_files_the_living_anew_once),
        CASE(test_lmdb_index__holds_one_entry_for_each_row_whatever_happens),
        CASE(test_lmdb_index__stray_entries_mean_nothing_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
