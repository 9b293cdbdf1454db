/*
 * The LMDB store when writers die: a process that creates, touches, swaps, revokes and sweeps is
 * killed (SIGKILL) at some moment, over and over. What it had been told is done must be there;
 * what was revoked must never live; and those that go on must not be held up.
 */
#include "contract/lmdb_raw.h"
#include "contract/peer.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILLS       60U /* 1000 in a long run */
#define KILLS_MAX   1000U
#define ROUND_ROWS  4000U
#define REVOKE_STEP 3U

/* Where the peer keeps account of what was acknowledged; survives it. */
struct account {
    volatile unsigned created[KILLS_MAX]; /* rows 0 … created - 1 of the round */
    volatile unsigned revoked[KILLS_MAX]; /* every REVOKE_STEP-th row below that */
};

struct crash {
    struct fixture *fixture;
    struct account *account;
    unsigned round;
};

static struct lh_session_key row_key(unsigned round, unsigned n)
{
    return key_of(1 + n % 2, round, n);
}

static bool change_one(struct lh_store *store, struct account *account, unsigned round, unsigned n)
{
    struct lh_session_key key = row_key(round, n);
    struct lh_store_row row = row_of(n % 5, "");
    row.record = long_record(n % 10 == 0 ? 9000 : 500, n);
    if (!lh_is_ok(lh_store_create(store, NULL, &key, &row))) {
        return false;
    }
    account->created[round] = n + 1;
    struct lh_store_touch touch = {key, NOW_MS + 1000};
    row.generation = 2;
    size_t handled;
    if (!lh_is_ok(lh_store_touch(store, &touch, 1)) ||
        !lh_is_ok(lh_store_swap(store, NULL, &key, 1, &row)) ||
        !lh_is_ok(lh_store_sweep(store, NOW_MS, 16, &handled))) {
        return false;
    }
    if (n % REVOKE_STEP == 0) {
        if (!lh_is_ok(lh_store_revoke(store, NULL, &key, NOW_MS))) {
            return false;
        }
        account->revoked[round] = n + 1;
    }
    return true;
}

static bool work_until_killed(struct peer *peer, void *context)
{
    struct crash *crash = context;
    struct lh_store *store;
    lh_store_close(crash->fixture->store);
    if (!lh_is_ok(lh_store_open("lmdb", &crash->fixture->options, &store))) {
        return false;
    }
    peer_report(peer);
    for (unsigned n = 0; n < ROUND_ROWS; n++) {
        if (!change_one(store, crash->account, crash->round, n)) {
            return false;
        }
    }
    peer_pause(peer);
    return false;
}

static void check_round(const struct crash *crash, unsigned round)
{
    struct lh_store *store = crash->fixture->store;
    for (unsigned n = 0; n < crash->account->created[round]; n++) {
        struct lh_session_key key = row_key(round, n);
        struct lh_store_row row = load_row(store, &key);
        bool is_revoked = n % REVOKE_STEP == 0 && n < crash->account->revoked[round];
        if (is_revoked) {
            assert_int_equal(row.kind, LH_PLACE_TOMBSTONE);
        } else if (row.kind != LH_PLACE_TOMBSTONE || n + 1 != crash->account->created[round]) {
            assert_int_equal(row.kind, LH_PLACE_RECORD);
            assert_true(lh_slice_is_equal(row.record, long_record(n % 10 == 0 ? 9000 : 500, n)));
        }
    }
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void kill_once(struct crash *crash, unsigned round)
{
    struct peer peer;
    crash->round = round;
    peer_start(&peer, work_until_killed, crash);
    peer_wait(&peer);
    struct timespec delay = {.tv_nsec = (long)(round * 7919 % 12000) * 1000};
    (void)nanosleep(&delay, NULL);
    peer_kill(&peer);

    double started = seconds();
    struct lh_session_key key = key_of(2, 2000, round);
    create_row(crash->fixture->store, key, row_of(1, "survivor"));
    assert_ok(lh_store_revoke(crash->fixture->store, NULL, &key, NOW_MS));
    assert_true(seconds() - started < 5.0);
    assert_ok(lh_store_maintain(crash->fixture->store));
    check_round(crash, round);
}

static void test_lmdb_crash__killed_writers_lose_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 0, 0);
    struct crash crash = {.fixture = &fixture};
    crash.account = mmap(NULL, sizeof(*crash.account), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(crash.account != MAP_FAILED);
    unsigned kills = is_long_run() ? KILLS_MAX : KILLS;
    unsigned created = 0;
    for (unsigned round = 0; round < kills; round++) {
        kill_once(&crash, round);
        created += crash.account->created[round];
    }
    assert_true(created > kills);

    fixture_reopen(&fixture);
    for (unsigned round = 0; round < kills; round++) {
        check_round(&crash, round);
    }
    struct lh_store_counts counts = count_rows(fixture.store);
    uint64_t rows = counts.records + counts.tombstones;
    assert_true(rows >= created + kills && rows <= created + 2 * kills);
    (void)sweep_all(fixture.store, NOW_MS + 20 * HOUR_MS);
    counts = count_rows(fixture.store);
    assert_int_equal(counts.records + counts.tombstones, 0);
    (void)munmap(crash.account, sizeof(*crash.account));
    fixture_close(&fixture);
}

/* --- Bits that flip on the disk -------------------------------------------------------------- */

#define DAMAGES 150U
#define ROWS    300U

/* Exit 2: a row was handed out that nobody has written. */
static bool use_damaged(struct peer *peer, void *context)
{
    (void)peer;
    struct fixture *fixture = context;
    struct lh_store *store;
    (void)alarm(20);
    (void)close(STDERR_FILENO); /* the C library may complain as it ends */
    if (!lh_is_ok(lh_store_open("lmdb", &fixture->options, &store))) {
        return true;
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    for (unsigned n = 0; n < ROWS; n++) {
        struct lh_session_key key = key_of(1, 0, n);
        struct lh_store_row row;
        lh_status status = lh_store_load(store, NULL, &key, &scratch, &row);
        if (lh_is_ok(status) && row.kind == LH_PLACE_RECORD && row.record.len != 300 + n) {
            _exit(2);
        }
        lh_status ignored = lh_store_revoke(store, NULL, &key, NOW_MS);
        (void)ignored;
    }
    lh_store_close(store);
    return true;
}

struct copy {
    uint8_t *bytes;
    size_t len;
};

static struct copy read_whole(const char *path)
{
    struct copy copy = {.len = (size_t)raw_length(path)};
    copy.bytes = malloc(copy.len);
    assert_non_null(copy.bytes);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(copy.bytes, 1, copy.len, file), copy.len);
    (void)fclose(file);
    return copy;
}

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random = *random * 6364136223846793005U + 1442695040888963407U;
    return (*random >> 33) % below;
}

/*
 * LMDB does not check its pages: an inner page that was damaged may end the process that reads
 * it. What must not happen is that a wrong row is taken for a right one, or an endless loop.
 */
static void test_lmdb_crash__a_damaged_page_never_yields_a_row_of_another_length(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 0, 0);
    for (unsigned n = 0; n < ROWS; n++) {
        struct lh_store_row row = row_of(1, "");
        row.record = long_record(300 + n, n);
        create_row(fixture.store, key_of(1, 0, n), row);
    }
    lh_store_close(fixture.store);
    fixture.store = NULL;
    char path[RAW_PATH_BYTES];
    raw_path(&fixture, "data.mdb", path);
    struct copy whole = read_whole(path);
    uint64_t random = 42;
    unsigned killed = 0;
    for (unsigned i = 0; i < DAMAGES; i++) {
        size_t offset = draw(&random, whole.len - 8);
        uint8_t noise[4];
        for (size_t j = 0; j < sizeof(noise); j++) {
            noise[j] = (uint8_t)draw(&random, 256);
        }
        raw_overwrite(path, (long)offset, lh_slice_of(noise, 1 + i % sizeof(noise)));
        struct peer peer;
        peer_start(&peer, use_damaged, &fixture);
        int status = peer_end(&peer);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 2);
        assert_false(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
        killed += status != 0 ? 1 : 0; /* a sanitizer exits instead */
        raw_overwrite(path, 0, lh_slice_of(whole.bytes, whole.len));
    }
    print_message("%u of %u damages ended the process that met them\n", killed, DAMAGES);
    free(whole.bytes);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lmdb_crash__killed_writers_lose_nothing_that_was_acknowledged),
        cmocka_unit_test(test_lmdb_crash__a_damaged_page_never_yields_a_row_of_another_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
