/*
 * The contract of a session store: what a full, a read-only and a reopened store do.
 */
#include "contract/store_fixture.h"

static void test_store_space__a_full_store_still_reads_and_revokes(void **state)
{
    (void)state;
    struct fixture small;
    fixture_open(&small, contract_driver(), (uint64_t)2 * 1024 * 1024, (uint64_t)512 * 1024);
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

    struct lh_session_key last = key_of(1, 0, made - 1);
    assert_ok(lh_store_expire(small.store, NULL, &last, row.absolute_end_ms));
    assert_int_equal(kind_in(small.store, &last), LH_PLACE_TOMBSTONE);
    for (unsigned i = 0; i + 1 < made; i++) {
        struct lh_session_key key = key_of(1, 0, i);
        assert_int_equal(kind_in(small.store, &key), LH_PLACE_RECORD);
        if (i % 2 == 0) {
            assert_ok(lh_store_revoke(small.store, NULL, &key, NOW_MS));
        } else {
            assert_ok(lh_store_expire(small.store, NULL, &key, row.absolute_end_ms));
        }
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
    fixture_open(&small, contract_driver(), (uint64_t)2 * 1024 * 1024, (uint64_t)512 * 1024);
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
    /* And so does whatever else takes a session out of use. */
    struct lh_session_key over = key_of(1, 0, 0);
    struct lh_session_key doubtful = key_of(1, 0, 1);
    assert_ok(lh_store_expire(small.store, NULL, &over, row.absolute_end_ms));
    assert_int_equal(kind_in(small.store, &over), LH_PLACE_TOMBSTONE);
    assert_ok(lh_store_quarantine(small.store, NULL, &doubtful));
    assert_true(load_row(small.store, &doubtful).is_quarantined);
    fixture_close(&small);
}

static void test_store_space__what_is_swept_can_be_used_again(void **state)
{
    (void)state;
    struct fixture small;
    fixture_open(&small, contract_driver(), (uint64_t)2 * 1024 * 1024, (uint64_t)256 * 1024);
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
    assert_status(swap_row(fixture->store, key, 1, row), LH_INVALID);
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
    create_row(fixture->store, key, row_of(1, "sealed"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_CASE(test_store_space__a_full_store_still_reads_and_revokes),
        CONTRACT_CASE(test_store_space__revocations_of_unknown_sessions_use_the_reserve),
        CONTRACT_CASE(test_store_space__what_is_swept_can_be_used_again),
        CONTRACT_CASE(test_store_open__a_read_only_store_refuses_every_write),
        CONTRACT_CASE(test_store_open__a_durable_store_survives_reopening),
        CONTRACT_CASE(test_store_open__refuses_an_unknown_driver),
    };
    return contract_run(tests, sizeof(tests) / sizeof(tests[0]));
}
