/*
 * The LMDB store at its limits: a map that grows, a map that is full while an old reader holds
 * pages, a disk that is full. What must write fails with NO_SPACE; reading and revoking go on.
 */
#include "contract/lmdb_raw.h"
#include "contract/peer.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEBIBYTE ((uint64_t)1024 * 1024)

static struct lh_store_row padded_row(size_t len)
{
    struct lh_store_row row = row_of(1, "");
    row.record = long_record(len, 1);
    return row;
}

/* Creates until the store refuses; returns how many it took. */
static unsigned create_until_full(struct lh_store *store, unsigned from, size_t len)
{
    for (unsigned n = from;; n++) {
        struct lh_session_key key = key_of(1, 0, n);
        struct lh_store_row row = padded_row(len);
        lh_status status = lh_store_create(store, NULL, &key, &row);
        if (!lh_is_ok(status)) {
            assert_status(status, LH_NO_SPACE);
            return n - from;
        }
    }
}

static void test_lmdb_map__grows_to_its_ceiling_and_no_further(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 8 * MEBIBYTE, MEBIBYTE / 2);
    char path[RAW_PATH_BYTES];
    raw_path(&fixture, "data.mdb", path);
    unsigned made = create_until_full(fixture.store, 0, 900);
    uint64_t length = (uint64_t)raw_length(path);
    assert_true(length > 6 * MEBIBYTE && length <= 8 * MEBIBYTE);
    assert_true(made > 4000);
    struct lh_store_counts counts = count_rows(fixture.store);
    assert_int_equal(counts.capacity_bytes, 8 * MEBIBYTE);
    assert_true(counts.used_bytes > 6 * MEBIBYTE && counts.used_bytes <= 8 * MEBIBYTE);

    fixture_reopen(&fixture); /* the size is in the file */
    assert_int_equal(count_rows(fixture.store).records, made);
    assert_true(create_until_full(fixture.store, made, 900) < 20);
    fixture_close(&fixture);
}

static void test_lmdb_map__a_larger_ceiling_makes_room_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 2 * MEBIBYTE, MEBIBYTE / 4);
    unsigned made = create_until_full(fixture.store, 0, 900);
    fixture.options.map_bytes = 8 * MEBIBYTE;
    fixture_reopen(&fixture);
    assert_true(create_until_full(fixture.store, made, 900) > 2 * made);
    fixture_close(&fixture);
}

static void test_lmdb_map__a_smaller_ceiling_still_opens_and_revokes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 8 * MEBIBYTE, MEBIBYTE / 2);
    unsigned made = create_until_full(fixture.store, 0, 900);
    fixture.options.map_bytes = 2 * MEBIBYTE;
    fixture_reopen(&fixture);
    assert_int_equal(create_until_full(fixture.store, made, 900), 0);
    struct lh_store_touch touch = {key_of(1, 0, 1), NOW_MS + 1};
    assert_status(lh_store_touch(fixture.store, &touch, 1), LH_NO_SPACE);
    for (unsigned n = 0; n < made; n += 100) {
        struct lh_session_key key = key_of(1, 0, n);
        assert_int_equal(kind_in(fixture.store, &key), LH_PLACE_RECORD);
        assert_ok(lh_store_revoke(fixture.store, NULL, &key, NOW_MS));
    }
    fixture_close(&fixture);
}

/* The map is larger than the limit, the content is not. */
static void test_lmdb_map__a_smaller_ceiling_ends_growth_and_keeps_touches(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 32 * MEBIBYTE, MEBIBYTE / 4); /* begins with 8 MiB */
    create_row(fixture.store, key_of(1, 0, 0), padded_row(900));
    char path[RAW_PATH_BYTES];
    raw_path(&fixture, "data.mdb", path);
    fixture.options.map_bytes = 2 * MEBIBYTE;
    fixture_reopen(&fixture);
    unsigned made = create_until_full(fixture.store, 1, 900);
    assert_true(made > 500);
    assert_true((uint64_t)raw_length(path) <= 2 * MEBIBYTE);
    struct lh_store_touch touch = {key_of(1, 0, 0), NOW_MS + 1};
    assert_ok(lh_store_touch(fixture.store, &touch, 1));
    fixture.options.map_bytes = 32 * MEBIBYTE;
    fixture_reopen(&fixture);
    assert_int_equal(count_rows(fixture.store).records, made + 1);
    assert_true(create_until_full(fixture.store, made + 1, 72 * 1024) > 300);
    fixture_close(&fixture);
}

static void test_lmdb_create_many__fills_the_store_to_where_single_ones_do(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 4 * MEBIBYTE, MEBIBYTE / 2);
    lh_status status = lh_ok();
    for (unsigned n = 0; lh_is_ok(status); n += LH_STORE_BATCH_ROWS) {
        struct lh_store_new rows[LH_STORE_BATCH_ROWS];
        for (unsigned i = 0; i < LH_STORE_BATCH_ROWS; i++) {
            rows[i] = (struct lh_store_new){.key = key_of(1, 0, n + i), .row = padded_row(900)};
        }
        status = lh_store_create_many(fixture.store, rows, LH_STORE_BATCH_ROWS);
    }
    assert_status(status, LH_NO_SPACE);
    uint64_t brought = count_rows(fixture.store).records;
    struct fixture single;
    fixture_open(&single, "lmdb", 4 * MEBIBYTE, MEBIBYTE / 2);
    unsigned made = create_until_full(single.store, 0, 900);
    fixture_close(&single);
    assert_true(made > 1900 && brought * 50 >= (uint64_t)made * 49);
    assert_true(create_until_full(fixture.store, 1000000, 900) < 20);
    fixture_close(&fixture);
}

static void test_lmdb_maintain__grows_before_anybody_must_wait(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 16 * MEBIBYTE, MEBIBYTE / 4); /* begins with 4 MiB */
    char path[RAW_PATH_BYTES];
    raw_path(&fixture, "data.mdb", path);
    for (unsigned n = 0; (uint64_t)raw_length(path) < 7 * MEBIBYTE / 2; n++) {
        create_row(fixture.store, key_of(1, 0, n), padded_row(900));
    }
    assert_ok(lh_store_maintain(fixture.store));
    lh_store_close(fixture.store);
    MDB_env *env = raw_open(fixture.path);
    MDB_envinfo envinfo;
    assert_int_equal(mdb_env_info(env, &envinfo), 0);
    assert_int_equal(envinfo.me_mapsize, 8 * MEBIBYTE);
    mdb_env_close(env);
    fixture.store = NULL;
    fixture_close(&fixture);
}

/* --- Pages that an old reader holds ---------------------------------------------------------- */

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

static void test_lmdb_reserve__holds_while_an_old_reader_keeps_every_freed_page(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 4 * MEBIBYTE, MEBIBYTE);
    create_row(fixture.store, key_of(2, 0, 0), padded_row(10));
    struct peer peer;
    peer_start(&peer, sit_in_a_read, &fixture);
    peer_wait(&peer);
    unsigned made = create_until_full(fixture.store, 0, 900);
    assert_true(made > 50);
    struct lh_store_touch touch = {key_of(1, 0, 0), NOW_MS + 1};
    struct lh_store_row changed = padded_row(900);
    assert_status(lh_store_touch(fixture.store, &touch, 1), LH_NO_SPACE);
    assert_status(swap_row(fixture.store, touch.key, 1, changed), LH_NO_SPACE);

    for (unsigned n = 0; n < 20; n++) { /* a mebibyte, and no page of it comes back */
        struct lh_session_key key = key_of(1, 0, n);
        assert_ok(lh_store_revoke(fixture.store, NULL, &key, NOW_MS));
        assert_int_equal(kind_in(fixture.store, &key), LH_PLACE_TOMBSTONE);
    }
    peer_kill(&peer);
    assert_ok(lh_store_maintain(fixture.store));
    for (unsigned n = 20; n < made; n++) {
        struct lh_session_key key = key_of(1, 0, n);
        assert_ok(lh_store_revoke(fixture.store, NULL, &key, NOW_MS));
    }
    create_row(fixture.store, key_of(2, 0, 1), padded_row(900));
    fixture_close(&fixture);
}

/* --- A full disk ----------------------------------------------------------------------------- */

#define CANNOT_MOUNT 77

/* In a child: a small file system of its own over the fixture's directory. */
static void mount_small(const char *path)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mkdir(path, 0700) != 0 || mount("small", path, "tmpfs", 0, "size=6m,mode=0700") != 0) {
        _exit(CANNOT_MOUNT);
    }
}

static bool is_kind(struct lh_store *store, unsigned n, enum lh_place_kind kind)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_session_key key = key_of(1, 0, n);
    struct lh_store_row row;
    return lh_is_ok(lh_store_load(store, NULL, &key, &scratch, &row)) && row.kind == kind;
}

/* Fills whatever the store has left of the disk. */
static void fill_disk(const char *path)
{
    char other[RAW_PATH_BYTES];
    (void)snprintf(other, sizeof(other), "%s/other", path);
    FILE *file = fopen(other, "wb");
    static const uint8_t block[4096] = {1};
    while (file != NULL && fwrite(block, sizeof(block), 1, file) == 1 && fflush(file) == 0) {
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static bool live_on_a_full_disk(struct peer *peer, void *context)
{
    (void)peer;
    struct lh_store_options options = *(const struct lh_store_options *)context;
    mount_small(options.path);
    options.reserve_bytes = MEBIBYTE;
    struct lh_store *store;
    if (!lh_is_ok(lh_store_open("lmdb", &options, &store))) {
        return false;
    }
    struct lh_store_row row = padded_row(900);
    unsigned made = 0;
    lh_status status = lh_status_of(LH_OK);
    while (made < 100000 && lh_is_ok(status)) {
        struct lh_session_key key = key_of(1, 0, made);
        status = lh_store_create(store, NULL, &key, &row);
        made += lh_is_ok(status) ? 1 : 0;
    }
    bool is_well = status.code == LH_NO_SPACE && made > 1000;
    fill_disk(options.path);
    for (unsigned n = 0; is_well && n < made; n++) {
        struct lh_session_key key = key_of(1, 0, n);
        is_well = is_kind(store, n, LH_PLACE_RECORD) &&
                  lh_is_ok(lh_store_revoke(store, NULL, &key, NOW_MS)) &&
                  is_kind(store, n, LH_PLACE_TOMBSTONE);
    }
    struct lh_session_key fresh = key_of(2, 0, 0);
    is_well = is_well && lh_is_ok(lh_store_create(store, NULL, &fresh, &row));
    lh_store_close(store);
    return is_well;
}

static void test_lmdb_reserve__holds_on_a_full_disk(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "lmdb", 0, 0);
    lh_store_close(fixture.store);
    fixture.store = NULL;
    char path[RAW_PATH_BYTES];
    raw_path(&fixture, "small", path);
    struct lh_store_options options = fixture.options;
    options.path = path;
    struct peer peer;
    peer_start(&peer, live_on_a_full_disk, &options);
    int status = peer_end(&peer);
    (void)rmdir(path);
    fixture_close(&fixture);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_MOUNT) {
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lmdb_map__grows_to_its_ceiling_and_no_further),
        cmocka_unit_test(test_lmdb_map__a_larger_ceiling_makes_room_again),
        cmocka_unit_test(test_lmdb_map__a_smaller_ceiling_still_opens_and_revokes),
        cmocka_unit_test(test_lmdb_map__a_smaller_ceiling_ends_growth_and_keeps_touches),
        cmocka_unit_test(test_lmdb_create_many__fills_the_store_to_where_single_ones_do),
        cmocka_unit_test(test_lmdb_maintain__grows_before_anybody_must_wait),
        cmocka_unit_test(test_lmdb_reserve__holds_while_an_old_reader_keeps_every_freed_page),
        cmocka_unit_test(test_lmdb_reserve__holds_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
