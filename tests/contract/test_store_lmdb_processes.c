/*
 * The LMDB store between processes: writing at once, growing, dying, standing still.
 */
#include "contract/lmdb_raw.h"
#include "contract/peer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SMALL_MAP_BYTES     ((uint64_t)16 * 1024 * 1024) /* begins with a quarter */
#define SMALL_RESERVE_BYTES ((uint64_t)64 * 1024)

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_open(fixture, "lmdb", SMALL_MAP_BYTES, SMALL_RESERVE_BYTES);
    create_row(fixture->store, key_of(1, 0, 0), row_of(1, "sealed"));
    fixture->options.may_create = false;
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

/* In a peer: its own store over the same files; the inherited one is only let go. */
static struct lh_store *open_own(struct fixture *fixture)
{
    struct lh_store *store;
    lh_store_close(fixture->store);
    return lh_is_ok(lh_store_open("lmdb", &fixture->options, &store)) ? store : NULL;
}

static lh_status try_load(struct lh_store *store, struct lh_session_key key,
                          enum lh_place_kind *out_kind)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row row;
    LH_TRY(lh_store_load(store, NULL, &key, &scratch, &row));
    *out_kind = row.kind;
    return lh_ok();
}

/* --- Writing at once ------------------------------------------------------------------------- */

#define WRITERS       4U
#define WRITES        150U
#define SHARED_ROUNDS 100U

/* One swap that counts: tried again while others are faster. */
static bool swap_once(struct lh_store *store)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_session_key key = key_of(1, 0, 0);
    for (unsigned tries = 0; tries < 10000; tries++) {
        struct lh_store_row present;
        struct lh_store_row next = row_of(1, "sealed");
        if (!lh_is_ok(lh_store_load(store, NULL, &key, &scratch, &present))) {
            return false;
        }
        next.generation = present.generation + 1;
        lh_status status = lh_store_swap(store, NULL, &key, present.generation, &next);
        if (status.code != LH_CONFLICT) {
            return lh_is_ok(status);
        }
    }
    return false;
}

static bool write_much(struct peer *peer, void *context)
{
    struct lh_store *store = open_own(context);
    unsigned id = (unsigned)getpid();
    bool is_well = store != NULL;
    peer_report(peer);
    peer_pause(peer);
    for (unsigned i = 0; is_well && i < WRITES; i++) {
        struct lh_session_key key = key_of(2, id % 2000, i);
        struct lh_store_row row = row_of(2, "own");
        struct lh_store_touch touch = {key, NOW_MS + 1};
        is_well = lh_is_ok(lh_store_create(store, NULL, &key, &row)) &&
                  lh_is_ok(lh_store_touch(store, &touch, 1)) &&
                  (i % 3 != 0 || lh_is_ok(lh_store_revoke(store, NULL, &key, NOW_MS))) &&
                  (i >= SHARED_ROUNDS || swap_once(store));
    }
    lh_store_close(store);
    return is_well;
}

/* Runs a part in WRITERS processes that begin together, to their ends. */
static void run_writers(bool (*part)(struct peer *peer, void *context), struct fixture *fixture)
{
    struct peer peers[WRITERS];
    for (size_t i = 0; i < WRITERS; i++) {
        peer_start(&peers[i], part, fixture);
        peer_wait(&peers[i]);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        peer_resume(&peers[i]);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        peer_finish(&peers[i]);
    }
}

static void test_lmdb_processes__write_at_once_without_losing_a_change(void **state)
{
    struct fixture *fixture = *state;
    run_writers(write_much, fixture);
    struct lh_session_key shared = key_of(1, 0, 0);
    assert_int_equal(load_row(fixture->store, &shared).generation, 1 + WRITERS * SHARED_ROUNDS);
    struct lh_store_counts counts = count_rows(fixture->store);
    assert_int_equal(counts.tombstones, WRITERS * WRITES / 3);
    assert_int_equal(counts.records, 1 + WRITERS * WRITES - WRITERS * WRITES / 3);
}

/* --- Growing --------------------------------------------------------------------------------- */

#define GROWN_ROWS 900U /* of two overflow pages: more than the first map holds */

static void create_many(struct lh_store *store, unsigned from, unsigned to)
{
    struct lh_store_row row = row_of(3, "");
    row.record = long_record(6000, 3);
    for (unsigned n = from; n < to; n++) {
        create_row(store, key_of(1, 1, n), row);
    }
}

static bool live_through_growth(struct peer *peer, void *context)
{
    struct lh_store *store = open_own(context);
    enum lh_place_kind kind = LH_PLACE_EMPTY;
    bool is_well = store != NULL && lh_is_ok(try_load(store, key_of(1, 0, 0), &kind));
    peer_report(peer);
    peer_pause(peer);
    for (unsigned n = 0; is_well && n < GROWN_ROWS; n++) {
        is_well = lh_is_ok(try_load(store, key_of(1, 1, n), &kind)) && kind == LH_PLACE_RECORD;
    }
    struct lh_session_key key = key_of(1, 2, 0);
    struct lh_store_row row = row_of(1, "after");
    is_well = is_well && lh_is_ok(lh_store_create(store, NULL, &key, &row));
    peer_report(peer);
    peer_pause(peer);
    return is_well;
}

/* The same, but what it does first in the grown store is a write. */
static bool write_after_growth(struct peer *peer, void *context)
{
    struct lh_store *store = open_own(context);
    bool is_well = store != NULL;
    peer_report(peer);
    peer_pause(peer);
    struct lh_session_key key = key_of(1, 2, 1);
    struct lh_store_row row = row_of(1, "after");
    is_well = is_well && lh_is_ok(lh_store_create(store, NULL, &key, &row));
    peer_report(peer);
    return is_well;
}

static void test_lmdb_processes__see_a_map_that_another_has_grown(void **state)
{
    struct fixture *fixture = *state;
    struct peer reader;
    struct peer writer;
    peer_start(&reader, live_through_growth, fixture);
    peer_start(&writer, write_after_growth, fixture);
    peer_wait(&reader);
    peer_wait(&writer);
    create_many(fixture->store, 0, GROWN_ROWS);
    char path[RAW_PATH_BYTES];
    raw_path(fixture, "data.mdb", path);
    assert_true((uint64_t)raw_length(path) > SMALL_MAP_BYTES / 4);
    peer_resume(&reader);
    peer_resume(&writer);
    peer_wait(&reader);
    peer_wait(&writer);
    peer_finish(&writer);
    struct lh_session_key after = key_of(1, 2, 0);
    assert_slice_text(load_row(fixture->store, &after).record, "after");
    peer_resume(&reader);
    peer_finish(&reader);
}

#define GROWTH_ROWS      300U
#define LONG_GROWTH_ROWS 25000U
#define KEPT_ROWS        250U /* what came before is swept */

/* Creates ever new rows; the long run also removes old ones, so that pages are used again. */
static bool grow_together(struct peer *peer, void *context)
{
    struct lh_store *store = open_own(context);
    unsigned id = (unsigned)getpid();
    bool is_well = store != NULL;
    peer_report(peer);
    peer_pause(peer);
    unsigned rows = is_long_run() ? LONG_GROWTH_ROWS : GROWTH_ROWS;
    for (unsigned i = 0; is_well && i < rows; i++) {
        struct lh_session_key key = key_of(2, id % 2000, i);
        struct lh_store_row row = row_of(2, "");
        row.record = long_record(6000, i);
        row.idle_s = 0;
        row.absolute_end_ms = NOW_MS + (is_long_run() ? i : HOUR_MS);
        size_t handled;
        is_well = lh_is_ok(lh_store_create(store, NULL, &key, &row)) &&
                  (i % 50 != 0 || lh_is_ok(lh_store_maintain(store))) &&
                  (i < KEPT_ROWS || i % 10 != 0 || !is_long_run() ||
                   lh_is_ok(lh_store_sweep(store, NOW_MS + i - KEPT_ROWS, 100, &handled)));
    }
    return is_well;
}

static void test_lmdb_processes__grow_the_map_together(void **state)
{
    struct fixture *fixture = *state;
    run_writers(grow_together, fixture);
    if (is_long_run()) {
        (void)sweep_all(fixture->store, NOW_MS + LONG_GROWTH_ROWS);
    }
    uint64_t left = is_long_run() ? 0 : WRITERS * GROWTH_ROWS;
    assert_int_equal(count_rows(fixture->store).records, 1 + left);
}

/* --- Standing still and dying in the middle of a write --------------------------------------- */

static bool sit_in_a_write(struct peer *peer, void *context)
{
    struct fixture *fixture = context;
    lh_store_close(fixture->store);
    MDB_env *env = raw_open(fixture->path);
    (void)mdb_env_set_mapsize(env, SMALL_MAP_BYTES);
    MDB_txn *txn;
    MDB_dbi tree;
    bool is_well = mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, 0, &tree) == 0;
    uint8_t key[1 + LH_SESSION_KEY_BYTES] = {'s'};
    struct lh_session_key session = key_of(1, 0, 0);
    lh_store_key_session(&session, key + 1);
    MDB_val at = {sizeof(key), key};
    is_well = is_well && mdb_del(txn, tree, &at, NULL) == 0;
    peer_report(peer);
    peer_pause(peer);
    return is_well;
}

struct waiting_write {
    struct lh_store *store;
    lh_status status;
    atomic_bool is_done;
};

static void *touch_in_thread(void *context)
{
    struct waiting_write *write = context;
    struct lh_store_touch touch = {key_of(1, 0, 0), NOW_MS + 1000};
    write->status = lh_store_touch(write->store, &touch, 1);
    atomic_store(&write->is_done, true);
    return NULL;
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void wait_a_little(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static void test_lmdb_processes__one_that_stands_in_a_write_stops_no_reader(void **state)
{
    struct fixture *fixture = *state;
    struct peer peer;
    peer_start(&peer, sit_in_a_write, fixture);
    peer_wait(&peer);
    struct waiting_write write = {.store = fixture->store};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, touch_in_thread, &write), 0);
    wait_a_little();
    double started = seconds();
    struct lh_session_key key = key_of(1, 0, 0);
    for (unsigned i = 0; i < 10000; i++) {
        assert_slice_text(load_row(fixture->store, &key).record, "sealed");
    }
    assert_true(seconds() - started < 10.0); /* a reader that waits would wait for ever */
    assert_false(atomic_load(&write.is_done));

    peer_kill(&peer);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(write.status);
    struct lh_store_row row = load_row(fixture->store, &key);
    assert_slice_text(row.record, "sealed"); /* what the dead one had begun is undone */
    assert_int_equal(row.last_touch_ms, NOW_MS + 1000);
}

/* Grows the store to its ceiling and leaves. */
static bool grow_and_leave(struct peer *peer, void *context)
{
    struct lh_store *store = open_own(context);
    bool is_well = store != NULL;
    for (unsigned n = 0; is_well && n < GROWN_ROWS; n++) {
        struct lh_session_key key = key_of(1, 1, n);
        struct lh_store_row row = row_of(3, "");
        row.record = long_record(6000, 3);
        is_well = lh_is_ok(lh_store_create(store, NULL, &key, &row));
    }
    lh_store_close(store);
    peer_report(peer);
    return is_well;
}

static void
test_lmdb_processes__a_grown_map_beside_a_stuck_write_is_unknown_for_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct peer grower;
    struct peer peer;
    peer_start(&grower, grow_and_leave, fixture);
    peer_wait(&grower);
    peer_finish(&grower);
    peer_start(&peer, sit_in_a_write, fixture);
    peer_wait(&peer);
    struct waiting_write write = {.store = fixture->store};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, touch_in_thread, &write), 0);
    wait_a_little();
    enum lh_place_kind kind = LH_PLACE_EMPTY;
    assert_status(try_load(fixture->store, key_of(1, 0, 0), &kind), LH_STORE_DOWN);

    peer_kill(&peer);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(write.status);
    assert_ok(try_load(fixture->store, key_of(1, 1, GROWN_ROWS - 1), &kind));
    assert_int_equal(kind, LH_PLACE_RECORD);
}

/* --- Readers --------------------------------------------------------------------------------- */

static bool sit_in_a_read(struct peer *peer, void *context)
{
    struct fixture *fixture = context;
    lh_store_close(fixture->store);
    MDB_env *env = raw_open(fixture->path);
    MDB_txn *txn;
    bool is_well = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0;
    peer_report(peer);
    peer_pause(peer);
    return is_well;
}

static void touch_often(struct lh_store *store, uint64_t from_ms, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        touch_row(store, key_of(1, 0, 0), from_ms + i);
    }
}

static void test_lmdb_maintain__frees_what_a_dead_reader_held(void **state)
{
    struct fixture *fixture = *state;
    char path[RAW_PATH_BYTES];
    raw_path(fixture, "data.mdb", path);
    touch_often(fixture->store, NOW_MS + 1, 50);
    long before = raw_length(path);
    struct peer peer;
    peer_start(&peer, sit_in_a_read, fixture);
    peer_wait(&peer);
    peer_kill(&peer);
    touch_often(fixture->store, NOW_MS + 1000, 100);
    long held = raw_length(path);
    assert_true(held >= before + 100 * 4096);

    assert_ok(lh_store_maintain(fixture->store));
    touch_often(fixture->store, NOW_MS + 2000, 500);
    assert_true(raw_length(path) <= held + 20 * 4096);
}

#define SLOTS 1022

static bool take_every_slot(struct peer *peer, void *context)
{
    struct fixture *fixture = context;
    lh_store_close(fixture->store);
    MDB_env *env = raw_open(fixture->path);
    unsigned taken = 0;
    MDB_txn *txn;
    while (taken <= SLOTS && mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0) {
        taken++;
    }
    peer_report(peer);
    peer_pause(peer);
    return taken == SLOTS - 2; /* the test's own store has two */
}

static bool open_if_possible(struct peer *peer, void *context)
{
    struct fixture *fixture = context;
    struct lh_store *store;
    lh_store_close(fixture->store);
    bool is_refused = lh_store_open("lmdb", &fixture->options, &store).code == LH_STORE_DOWN;
    peer_report(peer);
    peer_pause(peer);
    bool is_opened = lh_is_ok(lh_store_open("lmdb", &fixture->options, &store));
    enum lh_place_kind kind = LH_PLACE_EMPTY;
    return is_refused && is_opened && lh_is_ok(try_load(store, key_of(1, 0, 0), &kind)) &&
           kind == LH_PLACE_RECORD;
}

static void test_lmdb_open__needs_a_slot_and_takes_those_of_the_dead(void **state)
{
    struct fixture *fixture = *state;
    struct peer hog;
    struct peer late;
    peer_start(&hog, take_every_slot, fixture);
    peer_wait(&hog);
    peer_start(&late, open_if_possible, fixture);
    peer_wait(&late);
    struct lh_session_key key = key_of(1, 0, 0);
    assert_slice_text(load_row(fixture->store, &key).record, "sealed");
    touch_row(fixture->store, key, NOW_MS + 1);
    peer_kill(&hog);
    peer_resume(&late);
    peer_finish(&late);
}

/* --- Files taken away beneath two of them ---------------------------------------------------- */

static bool notice_later(struct peer *peer, void *context)
{
    struct lh_store *store = open_own(context);
    bool is_well = store != NULL;
    peer_report(peer);
    peer_pause(peer);
    is_well = is_well && lh_is_ok(lh_store_maintain(store));
    peer_report(peer);
    peer_pause(peer);
    enum lh_place_kind kind = LH_PLACE_EMPTY;
    return is_well && lh_is_ok(try_load(store, key_of(1, 0, 0), &kind)) &&
           kind == LH_PLACE_TOMBSTONE;
}

static void test_lmdb_maintain__never_splits_processes_over_two_lock_files(void **state)
{
    struct fixture *fixture = *state;
    struct peer peer;
    peer_start(&peer, notice_later, fixture);
    peer_wait(&peer);
    char path[RAW_PATH_BYTES];
    raw_path(fixture, "lock.mdb", path);
    assert_int_equal(unlink(path), 0);

    assert_status(lh_store_maintain(fixture->store), LH_STORE_DOWN); /* the peer has the old one */
    assert_int_equal(access(path, F_OK), -1);
    peer_resume(&peer);
    peer_wait(&peer); /* it is alone now and makes a new one */
    assert_ok(lh_store_maintain(fixture->store));
    struct lh_session_key key = key_of(1, 0, 0);
    assert_ok(lh_store_revoke(fixture->store, NULL, &key, NOW_MS));
    peer_resume(&peer);
    peer_finish(&peer);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_lmdb_processes__write_at_once_without_losing_a_change),
        CASE(test_lmdb_processes__see_a_map_that_another_has_grown),
        CASE(test_lmdb_processes__grow_the_map_together),
        CASE(test_lmdb_processes__one_that_stands_in_a_write_stops_no_reader),
        CASE(test_lmdb_processes__a_grown_map_beside_a_stuck_write_is_unknown_for_a_while),
        CASE(test_lmdb_maintain__frees_what_a_dead_reader_held),
        CASE(test_lmdb_open__needs_a_slot_and_takes_those_of_the_dead),
        CASE(test_lmdb_maintain__never_splits_processes_over_two_lock_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
