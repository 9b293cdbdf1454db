/*
 * The LMDB store and what it finds on the disk: who may reach it, what it is, and whether it is
 * whole. Opening either works or fails with a status; it never crashes.
 */
#include "contract/lmdb_raw.h"
#include "support/child.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static long faked_type; /* of every file system, if not 0 */

/* The linker's names of the real call and of ours, as large files make them. */
int __real_statfs64(const char *path, struct statfs *out_status);
int __wrap_statfs64(const char *path, struct statfs *out_status);

int __wrap_statfs64(const char *path, struct statfs *out_status)
{
    int result = __real_statfs64(path, out_status);
    if (faked_type != 0) {
        out_status->f_type = faked_type;
    }
    return result;
}

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_open(fixture, "lmdb", 0, 0);
    create_row(fixture->store, key_of(1, 0, 1), row_of(1, "sealed"));
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

static void close_store(struct fixture *fixture)
{
    lh_store_close(fixture->store);
    fixture->store = NULL;
}

static lh_status open_store(struct fixture *fixture)
{
    return lh_store_open("lmdb", &fixture->options, &fixture->store);
}

static void expect_refused(struct fixture *fixture, enum lh_code code)
{
    fixture->store = NULL;
    assert_status(open_store(fixture), code);
    assert_null(fixture->store);
}

static void expect_intact(struct fixture *fixture)
{
    struct lh_session_key key = key_of(1, 0, 1);
    assert_ok(open_store(fixture));
    assert_slice_text(load_row(fixture->store, &key).record, "sealed");
    close_store(fixture);
}

/* --- Who may reach it ------------------------------------------------------------------------ */

static void test_lmdb_open__makes_files_for_its_owner_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    mode_t before = umask(0);
    fixture_open(&fixture, "lmdb", 0, 0);
    (void)umask(before);
    static const char *const names[] = {"data.mdb", "lock.mdb", "open.lock", "."};
    for (size_t i = 0; i < 4; i++) {
        char path[RAW_PATH_BYTES];
        struct stat status;
        raw_path(&fixture, names[i], path);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, i < 3 ? 0600 : 0700);
    }
    fixture_close(&fixture);
}

static void test_lmdb_open__refuses_what_others_may_reach(void **state)
{
    struct fixture *fixture = *state;
    close_store(fixture);
    static const char *const names[] = {"data.mdb", "lock.mdb", "open.lock", "."};
    static const mode_t modes[] = {0040, 0004, 0020, 0002, 0001, 0010};
    for (size_t i = 0; i < 4; i++) {
        char path[RAW_PATH_BYTES];
        raw_path(fixture, names[i], path);
        for (size_t j = 0; j < sizeof(modes) / sizeof(modes[0]); j++) {
            assert_int_equal(chmod(path, 0700 | modes[j]), 0);
            expect_refused(fixture, LH_UNSAFE_FILE);
        }
        assert_int_equal(chmod(path, i < 3 ? 0600 : 0700), 0);
    }
    expect_intact(fixture);
}

static void test_lmdb_open__refuses_what_belongs_to_another(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() != 0) {
        skip();
    }
    close_store(fixture);
    static const char *const names[] = {"data.mdb", "lock.mdb", "open.lock", "."};
    for (size_t i = 0; i < 4; i++) {
        char path[RAW_PATH_BYTES];
        raw_path(fixture, names[i], path);
        assert_int_equal(chown(path, 65534, 65534), 0);
        expect_refused(fixture, LH_UNSAFE_FILE);
        assert_int_equal(chown(path, 0, 0), 0);
    }
    expect_intact(fixture);
}

static void test_lmdb_open__refuses_links_in_place_of_files(void **state)
{
    struct fixture *fixture = *state;
    close_store(fixture);
    static const char *const names[] = {"data.mdb", "lock.mdb", "open.lock"};
    static const enum lh_code codes[] = {LH_UNSAFE_FILE, LH_UNSAFE_FILE, LH_STORE_DOWN};
    for (size_t i = 0; i < 3; i++) {
        char path[RAW_PATH_BYTES];
        char moved[RAW_PATH_BYTES];
        raw_path(fixture, names[i], path);
        raw_path(fixture, "moved", moved);
        assert_int_equal(rename(path, moved), 0);
        assert_int_equal(symlink(moved, path), 0);
        expect_refused(fixture, codes[i]);
        assert_int_equal(rename(moved, path), 0);
    }
    expect_intact(fixture);
}

static void test_lmdb_open__refuses_file_systems_of_the_network(void **state)
{
    struct fixture *fixture = *state;
    close_store(fixture);
    static const long types[] = {0x6969, 0xFF534D42, 0xFE534D42, 0x01021997, 0x00C36400};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        faked_type = types[i];
        expect_refused(fixture, LH_UNSAFE_FILE);
    }
    faked_type = 0;
    expect_intact(fixture);
}

/* --- What it is ------------------------------------------------------------------------------ */

static void test_lmdb_open__makes_nothing_unless_it_may(void **state)
{
    struct fixture *fixture = *state;
    char path[RAW_PATH_BYTES];
    close_store(fixture);
    raw_path(fixture, "data.mdb", path);
    assert_int_equal(truncate(path, 0), 0);
    expect_refused(fixture, LH_STORE_DOWN);
    assert_int_equal(unlink(path), 0);
    expect_refused(fixture, LH_STORE_DOWN);
    fixture->options.may_create = true;
    fixture->options.is_read_only = true;
    expect_refused(fixture, LH_STORE_DOWN);
    assert_int_equal(access(path, F_OK), -1);

    struct lh_store_options elsewhere = fixture->options;
    char missing[RAW_PATH_BYTES];
    raw_path(fixture, "missing", missing);
    elsewhere.path = missing;
    struct lh_store *store;
    assert_status(lh_store_open("lmdb", &elsewhere, &store), LH_STORE_DOWN);
    assert_int_equal(access(missing, F_OK), -1);
}

static void put_anything(MDB_txn *txn, MDB_dbi tree, void *context)
{
    (void)context;
    raw_put(txn, tree, LH_SLICE_LITERAL("tenant/acme"), LH_SLICE_LITERAL("{}"));
}

static void test_lmdb_open__refuses_somebody_elses_environment(void **state)
{
    struct fixture *fixture = *state;
    close_store(fixture);
    char path[RAW_PATH_BYTES];
    raw_path(fixture, "data.mdb", path);
    assert_int_equal(unlink(path), 0);
    MDB_env *env = raw_open(fixture->path);
    MDB_txn *txn;
    MDB_dbi tree;
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &tree), 0);
    put_anything(txn, tree, NULL);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    fixture->options.may_create = true;
    expect_refused(fixture, LH_STORE_DOWN);
}

static void set_format(MDB_txn *txn, MDB_dbi tree, void *context)
{
    raw_put(txn, tree, LH_SLICE_LITERAL("f"), *(const lh_slice *)context);
}

static void test_lmdb_open__refuses_formats_that_it_does_not_know(void **state)
{
    struct fixture *fixture = *state;
    struct {
        lh_slice value;
        enum lh_code code;
    } cases[] = {{LH_SLICE_LITERAL("\0\0\0\2"), LH_FUTURE_FORMAT},
                 {LH_SLICE_LITERAL("\0\0\0\0"), LH_STORE_DOWN},
                 {LH_SLICE_LITERAL("\0\0\0\1x"), LH_STORE_DOWN},
                 {LH_SLICE_LITERAL("\0"), LH_STORE_DOWN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        close_store(fixture);
        MDB_env *env = raw_open(fixture->path);
        MDB_txn *txn;
        MDB_dbi tree;
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, NULL, 0, &tree), 0);
        set_format(txn, tree, &cases[i].value);
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
        expect_refused(fixture, cases[i].code);
    }
}

/* --- Whether it is whole --------------------------------------------------------------------- */

static void test_lmdb_open__refuses_damaged_heads(void **state)
{
    struct fixture *fixture = *state;
    close_store(fixture);
    char path[RAW_PATH_BYTES];
    raw_path(fixture, "data.mdb", path);
    static const struct {
        long offset;
        const char *bytes;
        size_t len;
    } cases[] = {
        {10, "\0\0", 2},                              /* no head page */
        {16, "\xde\xc0\xef\xbf", 4},                  /* mark */
        {20, "\2\0\0\0", 4},                          /* another version */
        {40, "\0\0\0\0", 4},                          /* pages of no bytes */
        {40, "\7\0\0\0", 4},                          /* of seven */
        {40, "\0\0\0\1", 4},                          /* of 16 MiB */
        {80, "\xff\xff\xff\xff\xff\xff\xff\x0f", 8},  /* root far behind the end */
        {128, "\xff\xff\xff\xff\xff\xff\xff\x0f", 8}, /* the other root */
        {136, "\xff\xff\xff\xff\xff\xff\xff\xff", 8}, /* last page */
        {136, "\0\0\x40\0\0\0\0\0", 8},               /* the same, just behind the map */
        {4096 + 16, "????", 4},                       /* second head */
        {4096 + 40, "\0\x20\0\0", 4},                 /* two sizes of pages */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t whole[8];
        int fd = open(path, O_RDONLY);
        assert_int_equal(pread(fd, whole, sizeof(whole), cases[i].offset), sizeof(whole));
        (void)close(fd);
        raw_overwrite(path, cases[i].offset, lh_slice_of(cases[i].bytes, cases[i].len));
        expect_refused(fixture, LH_STORE_DOWN);
        fixture->options.may_create = true; /* and never begins anew over it */
        expect_refused(fixture, LH_STORE_DOWN);
        fixture->options.may_create = false;
        raw_overwrite(path, cases[i].offset, lh_slice_of(whole, sizeof(whole)));
    }
    expect_intact(fixture);
}

static void test_lmdb_open__refuses_what_is_no_environment(void **state)
{
    struct fixture *fixture = *state;
    close_store(fixture);
    char path[RAW_PATH_BYTES];
    raw_path(fixture, "data.mdb", path);
    static const long lengths[] = {1, 151, 152, 4096, 4096 + 151};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(truncate(path, lengths[i]), 0);
        expect_refused(fixture, LH_STORE_DOWN);
    }
}

/* Loads and lists everything there is; a wrong row is a wrong exit code. */
static void use_store(void *context)
{
    struct fixture *fixture = context;
    if (!lh_is_ok(open_store(fixture))) {
        _exit(1);
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    unsigned whole = 0;
    for (unsigned n = 0; n < 400; n++) {
        struct lh_session_key key = key_of(1, 0, n);
        struct lh_store_row row;
        lh_status status = lh_store_load(fixture->store, NULL, &key, &scratch, &row);
        if (lh_is_ok(status) && row.kind == LH_PLACE_RECORD) {
            bool is_right = n == 1 ? lh_slice_is_equal(row.record, LH_SLICE_LITERAL("sealed"))
                                   : lh_slice_is_equal(row.record, long_record(700, n));
            if (!is_right) {
                _exit(2);
            }
            whole++;
        }
        struct lh_store_touch touch = {key, NOW_MS + 1000};
        lh_status ignored = lh_store_touch(fixture->store, &touch, 1);
        (void)ignored;
    }
    _exit(whole == 400 ? 0 : 3);
}

static void fill(struct fixture *fixture)
{
    for (unsigned n = 0; n < 400; n++) {
        if (n != 1) {
            struct lh_store_row row = row_of(n % 3, "");
            row.record = long_record(700, n);
            create_row(fixture->store, key_of(1, 0, n), row);
        }
    }
}

static void test_lmdb_open__a_file_cut_short_is_an_error_and_no_signal(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture);
    close_store(fixture);
    char path[RAW_PATH_BYTES];
    raw_path(fixture, "data.mdb", path);
    int status = child_run(use_store, fixture);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    unsigned lossy = 0;
    for (long length = raw_length(path) - 4096; length >= 2 * 4096; length -= 5 * 4096) {
        assert_int_equal(truncate(path, length), 0);
        status = child_run(use_store, fixture);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 2);
        lossy += WEXITSTATUS(status) == 3 ? 1 : 0;
    }
    assert_true(lossy > 0);
}

/* --- One process, one environment ------------------------------------------------------------ */

static void test_lmdb_open__refuses_a_second_time_in_one_process(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store *first = fixture->store;
    expect_refused(fixture, LH_INVALID);
    fixture->store = first;
    struct lh_session_key key = key_of(1, 0, 1);
    assert_slice_text(load_row(fixture->store, &key).record, "sealed");
    fixture_reopen(fixture);
}

static void use_inherited(void *context)
{
    struct fixture *fixture = context;
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_store_row row;
    lh_status loaded = lh_store_load(fixture->store, NULL, &key, &scratch, &row);
    lh_status revoked = lh_store_revoke(fixture->store, NULL, &key, NOW_MS);
    lh_status maintained = lh_store_maintain(fixture->store);
    lh_store_close(fixture->store);
    bool is_refused = loaded.code == LH_STORE_DOWN && revoked.code == LH_STORE_DOWN &&
                      maintained.code == LH_STORE_DOWN;
    struct lh_store *own;
    bool has_own = lh_is_ok(lh_store_open("lmdb", &fixture->options, &own)) &&
                   lh_is_ok(lh_store_load(own, NULL, &key, &scratch, &row)) &&
                   row.kind == LH_PLACE_RECORD;
    _exit(is_refused && has_own ? 0 : 1);
}

static void test_lmdb_fork__a_child_cannot_use_its_parents_store(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_key key = key_of(1, 0, 1);
    for (unsigned i = 0; i < 3; i++) {
        int status = child_run(use_inherited, fixture);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_slice_text(load_row(fixture->store, &key).record, "sealed");
        touch_row(fixture->store, key, NOW_MS + 1 + i);
    }
}

/* --- Files that are replaced while they are in use ------------------------------------------- */

static void open_beside(void *context)
{
    struct fixture *fixture = context;
    _exit(open_store(fixture).code == LH_STORE_DOWN ? 0 : 1);
}

static void test_lmdb_open__refuses_to_join_when_the_lock_file_was_removed(void **state)
{
    struct fixture *fixture = *state;
    char path[RAW_PATH_BYTES];
    raw_path(fixture, "lock.mdb", path);
    assert_int_equal(unlink(path), 0);
    int status = child_run(open_beside, fixture);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(close(open(path, O_WRONLY | O_CREAT, 0600)), 0); /* nor with another one */
    status = child_run(open_beside, fixture);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(unlink(path), 0);
    assert_ok(lh_store_maintain(fixture->store)); /* the one that is left makes it again */
    struct lh_session_key key = key_of(1, 0, 1);
    assert_slice_text(load_row(fixture->store, &key).record, "sealed");
    status = child_run(open_beside, fixture);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void test_lmdb_maintain__moves_to_a_file_that_took_the_place(void **state)
{
    struct fixture *fixture = *state;
    struct fixture other;
    fixture_open(&other, "lmdb", 0, 0);
    create_row(other.store, key_of(2, 0, 2), row_of(1, "fresh"));
    close_store(&other);
    char from[RAW_PATH_BYTES];
    char to[RAW_PATH_BYTES];
    raw_path(&other, "data.mdb", from);
    raw_path(fixture, "data.mdb", to);
    assert_int_equal(rename(from, to), 0);

    assert_ok(lh_store_maintain(fixture->store));
    struct lh_session_key gone = key_of(1, 0, 1);
    struct lh_session_key fresh = key_of(2, 0, 2);
    assert_int_equal(kind_in(fixture->store, &gone), LH_PLACE_EMPTY);
    assert_slice_text(load_row(fixture->store, &fresh).record, "fresh");
    touch_row(fixture->store, fresh, NOW_MS + 1);
    fixture_close(&other);
}

static void test_lmdb_maintain__a_missing_file_is_unknown_until_it_is_back(void **state)
{
    struct fixture *fixture = *state;
    char path[RAW_PATH_BYTES];
    char moved[RAW_PATH_BYTES];
    raw_path(fixture, "data.mdb", path);
    raw_path(fixture, "moved", moved);
    assert_int_equal(rename(path, moved), 0);
    assert_status(lh_store_maintain(fixture->store), LH_STORE_DOWN);
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_session_key key = key_of(1, 0, 1);
    struct lh_store_row row;
    assert_status(lh_store_load(fixture->store, NULL, &key, &scratch, &row), LH_STORE_DOWN);
    assert_status(lh_store_revoke(fixture->store, NULL, &key, NOW_MS), LH_STORE_DOWN);
    assert_status(lh_store_sync(fixture->store), LH_STORE_DOWN);
    assert_int_equal(access(path, F_OK), -1);

    assert_int_equal(rename(moved, path), 0);
    assert_ok(lh_store_maintain(fixture->store));
    assert_slice_text(load_row(fixture->store, &key).record, "sealed");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_lmdb_open__makes_files_for_its_owner_alone),
        CASE(test_lmdb_open__refuses_what_others_may_reach),
        CASE(test_lmdb_open__refuses_what_belongs_to_another),
        CASE(test_lmdb_open__refuses_links_in_place_of_files),
        CASE(test_lmdb_open__refuses_file_systems_of_the_network),
        CASE(test_lmdb_open__makes_nothing_unless_it_may),
        CASE(test_lmdb_open__refuses_somebody_elses_environment),
        CASE(test_lmdb_open__refuses_formats_that_it_does_not_know),
        CASE(test_lmdb_open__refuses_damaged_heads),
        CASE(test_lmdb_open__refuses_what_is_no_environment),
        CASE(test_lmdb_open__a_file_cut_short_is_an_error_and_no_signal),
        CASE(test_lmdb_open__refuses_a_second_time_in_one_process),
        CASE(test_lmdb_fork__a_child_cannot_use_its_parents_store),
        CASE(test_lmdb_open__refuses_to_join_when_the_lock_file_was_removed),
        CASE(test_lmdb_maintain__moves_to_a_file_that_took_the_place),
        CASE(test_lmdb_maintain__a_missing_file_is_unknown_until_it_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
