/*
 * The contract of a session store between threads: one that reads, as the loop does, beside ones
 * that write.
 */
#include "contract/store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define ROUNDS 40U

/* What the threads of one round share. No assertion outside the test's own thread. */
struct round {
    struct lh_store *store;
    struct lh_session_key key;
    atomic_bool is_started;
    atomic_bool is_over;
    atomic_uint faults;
    atomic_uint seen_live;
};

static void expect(struct round *round, bool holds)
{
    if (!holds) {
        atomic_fetch_add(&round->faults, 1);
    }
}

/* Once revoked, never live again, in any order of what is going on. */
static void *watch(void *context)
{
    struct round *round = context;
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    bool was_revoked = false;
    while (!atomic_load(&round->is_over)) {
        struct lh_store_row row;
        lh_status status = lh_store_load(round->store, NULL, &round->key, &scratch, &row);
        expect(round, lh_is_ok(status) && row.kind != LH_PLACE_EMPTY);
        expect(round, !was_revoked || row.kind == LH_PLACE_TOMBSTONE);
        was_revoked = row.kind == LH_PLACE_TOMBSTONE;
        atomic_fetch_add(&round->seen_live, was_revoked ? 0 : 1);
        atomic_store(&round->is_started, true);
    }
    return NULL;
}

static void *change(void *context)
{
    struct round *round = context;
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    for (unsigned i = 0; !atomic_load(&round->is_over); i++) {
        struct lh_store_row next = row_of(1, "changed");
        struct lh_store_touch touch = {round->key, NOW_MS + i};
        lh_status created = lh_store_create(round->store, NULL, &round->key, &next);
        expect(round, created.code == LH_EXISTS || created.code == LH_REVOKED);
        expect(round, lh_is_ok(lh_store_touch(round->store, &touch, 1)));

        struct lh_store_row present;
        expect(round, lh_is_ok(lh_store_load(round->store, NULL, &round->key, &scratch, &present)));
        next.generation = present.generation + 1;
        lh_status swapped = present.generation == 0 ? lh_status_of(LH_REVOKED)
                                                    : lh_store_swap(round->store, NULL, &round->key,
                                                                    present.generation, &next);
        expect(round, lh_is_ok(swapped) || swapped.code == LH_REVOKED);
        expect(round, lh_is_ok(lh_store_expire(round->store, NULL, &round->key, NOW_MS)));
    }
    return NULL;
}

static void *sweep(void *context)
{
    struct round *round = context;
    while (!atomic_load(&round->is_over)) {
        size_t handled;
        expect(round, lh_is_ok(lh_store_sweep(round->store, NOW_MS, 16, &handled)));
        expect(round, lh_is_ok(lh_store_maintain(round->store)));
        expect(round, lh_is_ok(lh_store_sync(round->store)));
    }
    return NULL;
}

static void test_store_threads__a_revocation_wins_in_every_interleaving(void **state)
{
    static void *(*const roles[])(void *context) = {watch, change, sweep};
    unsigned seen_live = 0;
    for (unsigned n = 0; n < ROUNDS; n++) {
        struct round round = {.store = store_of(state), .key = key_of(1, 0, n)};
        create_row(round.store, round.key, row_of(1, "sealed"));
        pthread_t threads[3];
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, roles[i], &round), 0);
        }
        while (!atomic_load(&round.is_started)) {
        }
        lh_status revoked = lh_store_revoke(round.store, NULL, &round.key, NOW_MS);
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        atomic_store(&round.is_over, true);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        assert_ok(revoked);
        assert_int_equal(atomic_load(&round.faults), 0);
        assert_int_equal(kind_in(round.store, &round.key), LH_PLACE_TOMBSTONE);
        seen_live += atomic_load(&round.seen_live);
    }
    assert_true(seen_live > 0);
}

/* Reads one place over and over while the store grows beneath it. */
static void *read_on(void *context)
{
    struct round *round = context;
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    while (!atomic_load(&round->is_over)) {
        struct lh_store_row row;
        lh_status status = lh_store_load(round->store, NULL, &round->key, &scratch, &row);
        expect(round, lh_is_ok(status) && row.kind == LH_PLACE_RECORD &&
                          lh_slice_is_equal(row.record, LH_SLICE_LITERAL("sealed")));
    }
    return NULL;
}

/*
 * A reader that the scheduler has put aside in the middle of a look keeps old pages from being
 * used again, and a small store may be full until he goes on: that is right, and is waited for.
 */
static lh_status create_patiently(struct lh_store *store, unsigned n)
{
    struct lh_session_key key = key_of(2, 0, n);
    struct lh_store_row row = row_of(1, "");
    row.record = long_record(3000, 1);
    lh_status status = lh_store_create(store, NULL, &key, &row);
    for (unsigned tries = 0; status.code == LH_NO_SPACE && tries < 1000; tries++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        status = lh_store_create(store, NULL, &key, &row);
    }
    return status;
}

static void test_store_threads__reading_goes_on_while_the_store_grows(void **state)
{
    (void)state;
    struct fixture small;
    fixture_open(&small, contract_driver(), (uint64_t)32 * 1024 * 1024, (uint64_t)64 * 1024);
    struct round round = {.store = small.store, .key = key_of(1, 0, 0)};
    create_row(small.store, round.key, row_of(1, "sealed"));
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_on, &round), 0);
    lh_status status = lh_status_of(LH_OK);
    for (unsigned n = 1; n < 4500 && lh_is_ok(status); n++) {
        status = create_patiently(small.store, n);
    }
    atomic_store(&round.is_over, true);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_ok(status);
    assert_int_equal(atomic_load(&round.faults), 0);
    fixture_close(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_CASE(test_store_threads__a_revocation_wins_in_every_interleaving),
        CONTRACT_CASE(test_store_threads__reading_goes_on_while_the_store_grows),
    };
    return contract_run(tests, sizeof(tests) / sizeof(tests[0]));
}
