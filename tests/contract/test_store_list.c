/*
 * The contract of a session store: listing and counting.
 */
#include "contract/store_fixture.h"

struct seen {
    struct lh_session_key keys[64];
    size_t count;
    size_t stop_after;      /* 0 = never */
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
        create_row(store, key_of(1 + i % 2, i % 3, 23 - i), row_of(i % 4, "sealed"));
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
        create_row(store, key_of(1, 0, i), row_of(1, "sealed"));
    }
    struct lh_session_key revoked = key_of(1, 0, 1);
    struct lh_session_key expired = key_of(1, 0, 2);
    assert_ok(lh_store_revoke(store, NULL, &revoked, NOW_MS));
    assert_ok(lh_store_expire(store, NULL, &expired, NOW_MS + HOUR_MS));
    assert_ok(swap_row(store, key_of(1, 0, 3), 1, row_of(2, "sealed")));

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
        create_row(store, key_of(1, 0, i), row_of(1, "sealed"));
    }
    struct lh_user_tag tag = tag_of(1);
    struct seen seen = {.stop_after = 7, .store = store};
    list_all(store, 1, 0, &tag, &seen);
    assert_int_equal(seen.count, 20);
    assert_int_equal(count_rows(store).tombstones, 20);
}

static void test_store_list__passes_more_rows_than_fit_one_page(void **state)
{
    struct lh_store *store = store_of(state);
    for (unsigned i = 0; i < 700; i++) {
        struct lh_session_key key = key_of(1, 0, i);
        if (i >= 30 && i < 670) {
            assert_ok(lh_store_revoke(store, NULL, &key, NOW_MS));
        } else {
            create_row(store, key, row_of(1, "sealed"));
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
    assert_status(lh_store_list(store_of(state), &key.uid, 0, NULL, &page, see, &seen), LH_INVALID);
}

static void test_store_count__counts_records_and_tombstones(void **state)
{
    for (unsigned i = 0; i < 10; i++) {
        create_row(store_of(state), key_of(1 + i % 2, i % 3, i), row_of(1, "sealed"));
    }
    for (unsigned i = 8; i < 11; i++) {
        struct lh_session_key key = key_of(1 + i % 2, i % 3, i);
        assert_ok(lh_store_revoke(store_of(state), NULL, &key, NOW_MS));
    }
    struct lh_store_counts counts = count_rows(store_of(state));
    assert_int_equal(counts.records, 8);
    assert_int_equal(counts.tombstones, 3);
    assert_true(counts.used_bytes > 0);
    assert_true(counts.capacity_bytes == 0 || counts.capacity_bytes > counts.used_bytes);
}

/* What is missing may lie elsewhere: nothing is said to be absent, and what is here is known. */
static void test_store_partial__knows_what_is_here_and_denies_nothing(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_session_key here = key_of(1, 0, 1);
    struct lh_session_key revoked = key_of(1, 0, 2);
    struct lh_session_key missing = key_of(1, 0, 3);
    struct lh_session_key foreign = key_of(2, 0, 1);
    create_row(store, here, row_of(1, "sealed"));
    assert_ok(lh_store_revoke(store, NULL, &revoked, NOW_MS));
    assert_false(lh_store_is_partial(store));

    lh_store_set_partial(store, true);
    assert_true(lh_store_is_partial(store));
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row row;
    assert_status(lh_store_load(store, NULL, &missing, &scratch, &row), LH_STORE_DOWN);
    assert_status(lh_store_load(store, NULL, &foreign, &scratch, &row), LH_STORE_DOWN);
    assert_int_equal(kind_in(store, &here), LH_PLACE_RECORD);
    assert_int_equal(kind_in(store, &revoked), LH_PLACE_TOMBSTONE);
    struct seen seen = {.count = 0};
    struct lh_store_page page = LH_STORE_PAGE_FIRST;
    assert_status(lh_store_list(store, &here.uid, 0, NULL, &page, see, &seen), LH_STORE_DOWN);
    assert_int_equal(seen.count, 0);

    create_row(store, missing, row_of(1, "sealed"));
    assert_int_equal(kind_in(store, &missing), LH_PLACE_RECORD);
    assert_ok(lh_store_revoke(store, NULL, &here, NOW_MS));
    assert_int_equal(kind_in(store, &here), LH_PLACE_TOMBSTONE);

    lh_store_set_partial(store, false);
    assert_int_equal(kind_in(store, &foreign), LH_PLACE_EMPTY);
    list_all(store, 1, 0, NULL, &seen);
    assert_int_equal(seen.count, 1);
}

/* --- Many at once ---------------------------------------------------------------------------- */

static void test_store_create_many__puts_each_where_it_may_be_and_says_which(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_store_new rows[LH_STORE_BATCH_ROWS];
    char records[LH_STORE_BATCH_ROWS][16]; /* no two alike */
    for (unsigned n = 0; n < LH_STORE_BATCH_ROWS; n++) {
        (void)snprintf(records[n], sizeof(records[n]), "brought %u", n);
        rows[n].key = key_of(1 + n % 2, 0, n);
        rows[n].row = row_of(n, records[n]);
    }
    create_row(store, rows[3].key, row_of(9, "here already"));
    assert_ok(lh_store_revoke(store, NULL, &rows[4].key, NOW_MS));
    assert_ok(lh_store_create_many(store, rows, LH_STORE_BATCH_ROWS));
    for (unsigned n = 0; n < LH_STORE_BATCH_ROWS; n++) {
        assert_status(rows[n].result, n == 3 ? LH_EXISTS : n == 4 ? LH_REVOKED : LH_OK);
        if (n != 3 && n != 4) {
            assert_slice_text(load_row(store, &rows[n].key).record, records[n]);
        }
    }
    assert_slice_text(load_row(store, &rows[3].key).record, "here already");
    assert_int_equal(kind_in(store, &rows[4].key), LH_PLACE_TOMBSTONE);
    assert_int_equal(count_rows(store).records, LH_STORE_BATCH_ROWS - 1);
    assert_ok(lh_store_create_many(store, rows, LH_STORE_BATCH_ROWS)); /* again: all are there */
    for (unsigned n = 0; n < LH_STORE_BATCH_ROWS; n++) {
        assert_status(rows[n].result, n == 4 ? LH_REVOKED : LH_EXISTS);
    }
}

static void test_store_create_many__makes_none_if_one_cannot_be(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_store_new rows[2] = {{.key = key_of(1, 0, 1), .row = row_of(1, "fine")},
                                   {.key = key_of(2, 0, 1), .row = row_of(1, "")}};
    assert_status(lh_store_create_many(store, rows, 2), LH_INVALID);
    assert_status(lh_store_create_many(store, rows, 0), LH_INVALID);
    rows[1].row.record = long_record(LH_STORE_RECORD_MAX_BYTES + 1, 1);
    assert_status(lh_store_create_many(store, rows, 2), LH_TOO_LARGE);
    assert_int_equal(kind_in(store, &rows[0].key), LH_PLACE_EMPTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_CASE(test_store_list__walks_one_bucket_of_one_tenant_in_order),
        CONTRACT_CASE(test_store_list__goes_on_where_a_page_was_ended),
        CONTRACT_CASE(test_store_partial__knows_what_is_here_and_denies_nothing),
        CONTRACT_CASE(test_store_create_many__makes_none_if_one_cannot_be),
        CONTRACT_CASE(test_store_create_many__puts_each_where_it_may_be_and_says_which),
        CONTRACT_CASE(test_store_list__finds_the_sessions_of_one_user),
        CONTRACT_CASE(test_store_list__leaves_out_what_has_ended_or_moved),
        CONTRACT_CASE(test_store_list__lets_the_caller_write_meanwhile),
        CONTRACT_CASE(test_store_list__passes_more_rows_than_fit_one_page),
        CONTRACT_CASE(test_store_list__refuses_to_go_on_in_another_bucket),
        CONTRACT_CASE(test_store_count__counts_records_and_tombstones),
    };
    return contract_run(tests, sizeof(tests) / sizeof(tests[0]));
}
