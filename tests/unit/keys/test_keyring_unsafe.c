/*
 * Files of a keyring in a state that is not ours (abuse case E10): modes, owners, symlinks, other
 * kinds of file, damage, a change while they are read, a full disk.
 */
#include "keyring_fixture.h"

#include "support/child.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* --- E10: files in a state that is not ours --------------------------------------------------- */

static void open_refuses(struct keyring_fixture *fixture, enum lh_code expected)
{
    keyring_fixture_close(fixture);
    assert_status(keyring_fixture_open(fixture, false), expected);
    assert_status(keyring_fixture_open(fixture, true), expected);
}

static void test_keyring_unsafe__any_access_of_others_to_the_kek_is_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    static const mode_t modes[] = {0644, 0604, 0640, 0620, 0610, 0601, 0602, 0660};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        open_refuses(fixture, LH_UNSAFE_FILE);
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_ok(keyring_fixture_open(fixture, false));
}

static void test_keyring_unsafe__directories_open_to_others_are_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "tenants", path);
    assert_int_equal(chmod(path, 0755), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(chmod(fixture->path, 0711), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
}

static void test_keyring_unsafe__a_kek_of_another_owner_is_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    if (geteuid() != 0) {
        skip(); /* only root can give files away */
    }
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(chown(path, 1, 1), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chown(fixture->path, 1, 1), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
}

static void test_keyring_unsafe__symlinks_are_not_followed(void **state)
{
    static const char *const names[] = {"kek", "tenants"};
    struct keyring_fixture *fixture = *state;
    char aside[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "aside", aside);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[SCRATCH_PATH_BYTES];
        keyring_path(fixture, names[i], path);
        assert_int_equal(rename(path, aside), 0);
        assert_int_equal(symlink(aside, path), 0);
        open_refuses(fixture, LH_UNSAFE_FILE);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rename(aside, path), 0);
    }
    assert_int_equal(rename(fixture->path, aside), 0);
    assert_int_equal(symlink(aside, fixture->path), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
}

static void test_keyring_unsafe__a_dangling_symlink_is_not_written_through(void **state)
{
    struct keyring_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    char target[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    scratch_dir_path(&fixture->dir, "stolen", target);
    assert_int_equal(symlink(target, path), 0);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_EXISTS);
    assert_int_equal(access(target, F_OK), -1);
}

static void test_keyring_unsafe__directory_and_fifo_in_place_of_the_kek_are_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    open_refuses(fixture, LH_UNSAFE_FILE);
}

static void test_keyring_unsafe__a_kek_of_any_other_length_is_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    uint8_t content[KEK_FILE_BYTES + 2];
    assert_int_equal(read_file(path, content, sizeof(content)), KEK_FILE_BYTES);
    for (size_t len = 0; len <= KEK_FILE_BYTES + 1; len++) {
        write_file(path, content, len);
        keyring_fixture_close(fixture);
        assert_status(keyring_fixture_open(fixture, false),
                      len == KEK_FILE_BYTES ? LH_OK : LH_KEY_DOWN);
    }
}

static void test_keyring_unsafe__no_altered_byte_of_the_kek_passes(void **state)
{
    struct keyring_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    uint8_t content[KEK_FILE_BYTES];
    assert_int_equal(read_file(path, content, sizeof(content)), KEK_FILE_BYTES);
    keyring_fixture_close(fixture);
    for (size_t i = 0; i < sizeof(content); i++) {
        content[i] ^= 0x40;
        write_file(path, content, sizeof(content));
        /* Byte 4 is the version. */
        assert_status(keyring_fixture_open(fixture, true), i == 4 ? LH_FUTURE_FORMAT : LH_KEY_DOWN);
        content[i] ^= 0x40;
    }
    write_file(path, content, sizeof(content));
    assert_ok(keyring_fixture_open(fixture, false));
}

static void test_keyring_unsafe__a_huge_file_is_not_read(void **state)
{
    struct keyring_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    open_refuses(fixture, LH_KEY_DOWN);
}

static void test_keyring_unsafe__no_altered_or_shortened_tenant_file_passes(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    uint8_t content[512];
    size_t whole = read_file(path, content, sizeof(content));
    struct lh_key key;
    for (size_t i = 0; i < whole; i++) {
        content[i] ^= 0x40;
        write_file(path, content, whole);
        /* Bytes 4 and 5 are the versions of the file and of the blob in it. */
        assert_status(unwrap(fixture, 1, 1, &blob, &key),
                      i == 4 || i == 5 ? LH_FUTURE_FORMAT : LH_KEY_DOWN);
        content[i] ^= 0x40;
        write_file(path, content, i);
        assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_KEY_DOWN);
    }
    write_file(path, content, whole);
    assert_ok(unwrap(fixture, 1, 1, &blob, &key));
}

/* --- E10: replaced while it is read ----------------------------------------------------------- */

#define REPLACEMENTS 400

struct replacer {
    char path[SCRATCH_PATH_BYTES];
    char spare[SCRATCH_PATH_BYTES];
    uint8_t content[2][KEK_FILE_BYTES];
    bool is_in_place; /* written over, instead of renamed over */
    atomic_bool is_done;
};

static void *replace_again_and_again(void *context)
{
    struct replacer *replacer = context;
    for (int i = 0; i < REPLACEMENTS; i++) {
        const uint8_t *content = replacer->content[i % 2];
        if (replacer->is_in_place) {
            write_file(replacer->path, content, KEK_FILE_BYTES);
        } else {
            write_file(replacer->spare, content, KEK_FILE_BYTES);
            assert_int_equal(rename(replacer->spare, replacer->path), 0);
        }
    }
    atomic_store(&replacer->is_done, true);
    return NULL;
}

/* Two keks, the present one first, and a cell secret wrapped by each. */
static void make_two_keks(struct keyring_fixture *fixture, struct replacer *replacer,
                          struct lh_buf cells[2])
{
    struct lh_wrap_scope scope = {.purpose = LH_WRAP_CELL, .key_id = 1};
    keyring_path(fixture, "kek", replacer->path);
    scratch_dir_path(&fixture->dir, "spare", replacer->spare);
    for (int i = 0; i < 2; i++) {
        assert_ok(lh_keys_generate(fixture->keys, fixture->crypto, &scope, &cells[i]));
        assert_int_equal(read_file(replacer->path, replacer->content[i], KEK_FILE_BYTES),
                         KEK_FILE_BYTES);
        keyring_fixture_close(fixture);
        assert_int_equal(unlink(replacer->path), 0);
        assert_ok(keyring_fixture_open(fixture, true));
    }
    write_file(replacer->path, replacer->content[0], KEK_FILE_BYTES);
}

/* Reads while the kek is replaced: every answer is that of a whole kek, or "unknown". */
static void read_while_replaced(struct keyring_fixture *fixture, bool is_in_place)
{
    static struct replacer replacer;
    memset(&replacer, 0, sizeof(replacer));
    replacer.is_in_place = is_in_place;
    struct lh_buf cells[2] = {LH_BUF_EMPTY, LH_BUF_EMPTY};
    make_two_keks(fixture, &replacer, cells);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, replace_again_and_again, &replacer), 0);
    struct lh_wrap_scope scope = {.purpose = LH_WRAP_CELL, .key_id = 1};
    while (!atomic_load(&replacer.is_done)) {
        struct lh_key key;
        lh_status status =
            lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, lh_buf_view(&cells[0]), &key);
        bool is_allowed = status.code == LH_OK || status.code == LH_TAMPERED ||
                          (is_in_place && status.code == LH_KEY_DOWN);
        if (!is_allowed) {
            fail_msg("got %s", lh_status_name(status));
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* The last one written is the second kek. */
    struct lh_key key;
    assert_ok(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, lh_buf_view(&cells[1]), &key));
    lh_buf_fini(&cells[0]);
    lh_buf_fini(&cells[1]);
}

static void test_keyring_unsafe__a_kek_renamed_over_while_read_is_one_or_the_other(void **state)
{
    read_while_replaced(*state, false);
}

static void test_keyring_unsafe__a_kek_written_over_while_read_is_whole_or_unknown(void **state)
{
    read_while_replaced(*state, true);
}

/* --- No space --------------------------------------------------------------------------------- */

static void create_without_room(void *context)
{
    struct keyring_fixture *fixture = context;
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_FSIZE, &none) != 0) {
        _exit(2);
    }
    struct lh_tenant_uid uid = uid_of_byte(1);
    lh_status made = lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid);
    _exit(made.code == LH_NO_SPACE ? 0 : 1);
}

static void test_keyring_unsafe__a_full_disk_leaves_no_half_tenant(void **state)
{
    struct keyring_fixture *fixture = *state;
    int status = child_run(create_without_room, fixture);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
}

#define UNSAFE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNSAFE_TEST(test_keyring_unsafe__any_access_of_others_to_the_kek_is_refused),
        UNSAFE_TEST(test_keyring_unsafe__directories_open_to_others_are_refused),
        UNSAFE_TEST(test_keyring_unsafe__a_kek_of_another_owner_is_refused),
        UNSAFE_TEST(test_keyring_unsafe__symlinks_are_not_followed),
        UNSAFE_TEST(test_keyring_unsafe__a_dangling_symlink_is_not_written_through),
        UNSAFE_TEST(test_keyring_unsafe__directory_and_fifo_in_place_of_the_kek_are_refused),
        UNSAFE_TEST(test_keyring_unsafe__a_kek_of_any_other_length_is_refused),
        UNSAFE_TEST(test_keyring_unsafe__no_altered_byte_of_the_kek_passes),
        UNSAFE_TEST(test_keyring_unsafe__a_huge_file_is_not_read),
        UNSAFE_TEST(test_keyring_unsafe__no_altered_or_shortened_tenant_file_passes),
        UNSAFE_TEST(test_keyring_unsafe__a_kek_renamed_over_while_read_is_one_or_the_other),
        UNSAFE_TEST(test_keyring_unsafe__a_kek_written_over_while_read_is_whole_or_unknown),
        UNSAFE_TEST(test_keyring_unsafe__a_full_disk_leaves_no_half_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
