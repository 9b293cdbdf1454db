/*
 * The keyring in files: what it makes, what it refuses to read (abuse case E10), and that a
 * damaged or missing keyring makes keys unknown and never destroyed.
 */
#include "keyring_fixture.h"

#include "support/child.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys/wrap.h"

/* What is in a kek file: magic ‖ version ‖ key ‖ commitment. */
#define KEK_FILE_BYTES 69

static int set_up(void **state)
{
    struct keyring_fixture *fixture = malloc(sizeof(*fixture));
    keyring_fixture_init(fixture);
    assert_ok(keyring_fixture_open(fixture, true));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    keyring_fixture_fini(*state);
    free(*state);
    return 0;
}

static unsigned mode_of(const char *path)
{
    struct stat found;
    assert_int_equal(lstat(path, &found), 0);
    return found.st_mode & 07777;
}

static size_t read_file(const char *path, uint8_t *out_bytes, size_t size)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t len = read(fd, out_bytes, size);
    assert_true(len >= 0);
    assert_int_equal(close(fd), 0);
    return (size_t)len;
}

static void write_file(const char *path, const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(close(fd), 0);
}

/* Makes tenant n and a wrapped data key of it. */
static void make_tenant(struct keyring_fixture *fixture, uint8_t n, struct lh_buf *out_blob)
{
    struct lh_tenant_uid uid = uid_of_byte(n);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    struct lh_wrap_scope scope = dek_scope(n, 1);
    assert_ok(lh_keys_generate(fixture->keys, fixture->crypto, &scope, out_blob));
}

static lh_status unwrap(struct keyring_fixture *fixture, uint8_t n, uint32_t dek_id,
                        const struct lh_buf *blob, struct lh_key *out_key)
{
    struct lh_wrap_scope scope = dek_scope(n, dek_id);
    return lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, lh_buf_view(blob), out_key);
}

/* --- What is made ------------------------------------------------------------------------------- */

static void test_keyring__files_and_directories_are_closed_to_others(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    assert_int_equal(mode_of(fixture->path), 0700);
    keyring_path(fixture, "tenants", path);
    assert_int_equal(mode_of(path), 0700);
    keyring_path(fixture, "kek", path);
    assert_int_equal(mode_of(path), 0600);
    tenant_path(fixture, 1, ".tkek", path);
    assert_int_equal(mode_of(path), 0600);
}

static void test_keyring__a_wrapped_key_opens_again_and_two_are_different(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf first = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf second = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &first);
    struct lh_wrap_scope scope = dek_scope(1, 2);
    assert_ok(lh_keys_generate(fixture->keys, fixture->crypto, &scope, &second));
    struct lh_key a;
    struct lh_key again;
    struct lh_key b;
    assert_ok(unwrap(fixture, 1, 1, &first, &a));
    assert_ok(unwrap(fixture, 1, 1, &first, &again));
    assert_ok(unwrap(fixture, 1, 2, &second, &b));
    assert_memory_equal(a.bytes, again.bytes, sizeof(a.bytes));
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
}

static void test_keyring__keys_survive_closing_and_opening(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    struct lh_key before;
    assert_ok(unwrap(fixture, 1, 1, &blob, &before));
    keyring_fixture_close(fixture);
    assert_ok(keyring_fixture_open(fixture, true));
    struct lh_key after;
    assert_ok(unwrap(fixture, 1, 1, &blob, &after));
    assert_memory_equal(before.bytes, after.bytes, sizeof(before.bytes));
}

static void test_keyring__a_tenant_is_made_once(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_EXISTS);
}

static void test_keyring__no_temporary_file_is_left(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_EXISTS);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid));
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".destroyed", path);
    assert_int_equal(unlink(path), 0);
    keyring_path(fixture, "tenants", path);
    assert_int_equal(rmdir(path), 0); /* only an empty directory can be removed */
}

/* --- What a blob is bound to -------------------------------------------------------------------- */

static void test_keyring__a_blob_of_one_tenant_does_not_open_as_another_s(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf of_a = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf of_b = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &of_a);
    make_tenant(fixture, 2, &of_b);
    struct lh_key key;
    assert_status(unwrap(fixture, 2, 1, &of_a, &key), LH_TAMPERED);
    assert_status(unwrap(fixture, 1, 1, &of_b, &key), LH_TAMPERED);
    assert_ok(unwrap(fixture, 1, 1, &of_a, &key));
}

static void test_keyring__a_blob_does_not_open_under_another_key_id(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    struct lh_key key;
    assert_status(unwrap(fixture, 1, 2, &blob, &key), LH_TAMPERED);
    assert_status(unwrap(fixture, 1, UINT32_MAX, &blob, &key), LH_TAMPERED);
}

static void test_keyring__a_cell_secret_is_no_data_key_and_the_reverse(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf dek = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf cell = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &dek);
    struct lh_wrap_scope scope = {.purpose = LH_WRAP_CELL, .key_id = 1};
    assert_ok(lh_keys_generate(fixture->keys, fixture->crypto, &scope, &cell));
    struct lh_key key;
    assert_ok(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, lh_buf_view(&cell), &key));
    assert_status(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, lh_buf_view(&dek), &key),
                  LH_TAMPERED);
    assert_status(unwrap(fixture, 1, 1, &cell, &key), LH_TAMPERED);
}

static void test_keyring__scopes_that_cannot_be_are_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    struct lh_wrap_scope bad[] = {
        dek_scope(0, 1),                                  /* nobody's data key */
        dek_scope(1, 0),                                  /* no id */
        {.purpose = LH_WRAP_CELL, .uid = uid_of_byte(1)}, /* a tenant's cell */
        {.purpose = (enum lh_wrap_purpose)LH_WRAP_TENANT_KEK, .uid = uid_of_byte(1)},
        {.purpose = (enum lh_wrap_purpose)3, .uid = uid_of_byte(1), .key_id = 1},
    };
    struct lh_key key;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(lh_keys_generate(fixture->keys, fixture->crypto, &bad[i], &blob), LH_INVALID);
        assert_status(
            lh_keys_unwrap(fixture->keys, fixture->crypto, &bad[i], LH_SLICE_LITERAL("x"), &key),
            LH_INVALID);
    }
}

static void test_keyring__no_altered_byte_of_a_blob_opens(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    assert_int_equal(blob.len, LH_WRAP_BYTES);
    struct lh_key key;
    for (size_t i = 0; i < blob.len; i++) {
        blob.ptr[i] ^= 0x80;
        assert_status(unwrap(fixture, 1, 1, &blob, &key), i == 0 ? LH_FUTURE_FORMAT : LH_TAMPERED);
        blob.ptr[i] ^= 0x80;
    }
    blob.ptr[0] = 0;
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_TAMPERED);
}

static void test_keyring__no_blob_of_another_length_opens(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    struct lh_key key;
    size_t whole = blob.len;
    for (blob.len = 0; blob.len < whole; blob.len++) {
        assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_TAMPERED);
    }
    assert_ok(lh_buf_add_u8(&blob, 0));
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_TAMPERED);
    while (blob.len <= LH_WRAPPED_MAX_BYTES) {
        assert_ok(lh_buf_add_u8(&blob, 0));
    }
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_TAMPERED);
}

static void test_keyring__tenant_files_do_not_change_places(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf of_a = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf of_b = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &of_a);
    make_tenant(fixture, 2, &of_b);
    char a[SCRATCH_PATH_BYTES];
    char b[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", a);
    tenant_path(fixture, 2, ".tkek", b);
    assert_int_equal(rename(a, b), 0);
    struct lh_key key;
    assert_status(unwrap(fixture, 2, 1, &of_b, &key), LH_KEY_DOWN);
    assert_status(unwrap(fixture, 2, 1, &of_a, &key), LH_KEY_DOWN);
}

/* --- Destroying --------------------------------------------------------------------------------- */

static void test_keyring__a_destroyed_tenant_is_absent_for_good(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid));
    struct lh_key key;
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_ABSENT);
    struct lh_wrap_scope scope = dek_scope(1, 2);
    assert_status(lh_keys_generate(fixture->keys, fixture->crypto, &scope, &blob), LH_ABSENT);
    assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_EXISTS);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid));
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_keyring__destroying_overwrites_the_file_before_it_goes(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    int fd = open(path, O_RDONLY); /* holds the removed file's content */
    assert_true(fd >= 0);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid));
    uint8_t left[512];
    ssize_t len = read(fd, left, sizeof(left));
    assert_true(len > 0);
    for (ssize_t i = 0; i < len; i++) {
        assert_int_equal(left[i], 0);
    }
    assert_int_equal(close(fd), 0);
}

static void test_keyring__a_crash_between_marker_and_removal_still_destroys(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char marker[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".destroyed", marker);
    write_file(marker, NULL, 0);
    struct lh_key key;
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_ABSENT);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_destroy_tenant(fixture->keys, &uid)); /* finishes it */
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    assert_int_equal(access(path, F_OK), -1);
}

/* --- Missing: unknown, never destroyed ---------------------------------------------------------- */

static void test_keyring__a_lost_tenant_file_is_unknown(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    tenant_path(fixture, 1, ".tkek", path);
    assert_int_equal(unlink(path), 0);
    struct lh_key key;
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_KEY_DOWN);
    assert_status(unwrap(fixture, 9, 1, &blob, &key), LH_KEY_DOWN); /* never was one */
}

static void test_keyring__a_lost_kek_directory_or_ring_is_unknown_and_comes_back(void **state)
{
    static const char *const names[] = {"kek", "tenants", ""};
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char aside[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "aside", aside);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[SCRATCH_PATH_BYTES];
        keyring_path(fixture, names[i], path);
        if (names[i][0] == '\0') {
            path[strlen(path) - 1] = '\0';
        }
        assert_int_equal(rename(path, aside), 0);
        struct lh_key key;
        assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_KEY_DOWN);
        struct lh_tenant_uid uid = uid_of_byte(7);
        if (strcmp(names[i], "kek") != 0) {
            assert_status(lh_keys_destroy_tenant(fixture->keys, &uid), LH_KEY_DOWN);
        }
        assert_status(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid), LH_KEY_DOWN);
        assert_int_equal(rename(aside, path), 0);
        assert_ok(unwrap(fixture, 1, 1, &blob, &key));
    }
}

static void test_keyring__a_lasting_fault_is_one_log_line_that_names_the_file(void **state)
{
    struct keyring_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    make_tenant(fixture, 1, &blob);
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(chmod(path, 0644), 0);
    struct lh_key key;
    for (int i = 0; i < 3; i++) {
        assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_UNSAFE_FILE);
    }
    assert_int_equal(fixture->fake.log_lines, 1);
    assert_non_null(strstr(fixture->fake.log, "/kek\""));
    assert_int_equal(chmod(path, 0600), 0);
    assert_ok(unwrap(fixture, 1, 1, &blob, &key));
    assert_int_equal(chmod(path, 0640), 0);
    assert_status(unwrap(fixture, 1, 1, &blob, &key), LH_UNSAFE_FILE);
    assert_int_equal(fixture->fake.log_lines, 2);
}

/* --- Opening ------------------------------------------------------------------------------------ */

static void test_keyring__opening_makes_nothing_unless_it_may(void **state)
{
    (void)state;
    struct keyring_fixture fixture;
    keyring_fixture_init(&fixture);
    assert_status(keyring_fixture_open(&fixture, false), LH_KEY_DOWN);
    assert_int_equal(access(fixture.path, F_OK), -1);
    keyring_fixture_fini(&fixture);
}

static void test_keyring__a_lost_kek_beside_tenants_is_not_made_anew(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    keyring_fixture_close(fixture);
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(unlink(path), 0);
    assert_status(keyring_fixture_open(fixture, true), LH_KEY_DOWN);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_keyring__an_unknown_driver_is_refused(void **state)
{
    struct keyring_fixture *fixture = *state;
    struct lh_key_options options = {.path = fixture->path};
    struct lh_keys *keys;
    assert_status(lh_keys_open("keyring", &options, fixture->crypto, &keys), LH_INVALID);
    assert_status(lh_keys_open("", &options, fixture->crypto, &keys), LH_INVALID);
    options.path = NULL;
    assert_status(lh_keys_open("keyring_file", &options, fixture->crypto, &keys), LH_INVALID);
}

/* --- E10: files in a state that is not ours ----------------------------------------------------- */

static void open_refuses(struct keyring_fixture *fixture, enum lh_code expected)
{
    keyring_fixture_close(fixture);
    assert_status(keyring_fixture_open(fixture, false), expected);
    assert_status(keyring_fixture_open(fixture, true), expected);
}

static void test_keyring__any_access_of_others_to_the_kek_is_refused(void **state)
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

static void test_keyring__directories_open_to_others_are_refused(void **state)
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

static void test_keyring__a_kek_of_another_owner_is_refused(void **state)
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

static void test_keyring__symlinks_are_not_followed(void **state)
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

static void test_keyring__a_dangling_symlink_is_not_written_through(void **state)
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

static void test_keyring__directory_and_fifo_in_place_of_the_kek_are_refused(void **state)
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

static void test_keyring__a_kek_of_any_other_length_is_refused(void **state)
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

static void test_keyring__no_altered_byte_of_the_kek_passes(void **state)
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

static void test_keyring__a_huge_file_is_not_read(void **state)
{
    struct keyring_fixture *fixture = *state;
    char path[SCRATCH_PATH_BYTES];
    keyring_path(fixture, "kek", path);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    open_refuses(fixture, LH_KEY_DOWN);
}

static void test_keyring__no_altered_or_shortened_tenant_file_passes(void **state)
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

/* --- E10: replaced while it is read ------------------------------------------------------------- */

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

static void test_keyring__a_kek_renamed_over_while_read_is_one_or_the_other(void **state)
{
    read_while_replaced(*state, false);
}

static void test_keyring__a_kek_written_over_while_read_is_whole_or_unknown(void **state)
{
    read_while_replaced(*state, true);
}

/* --- No space ----------------------------------------------------------------------------------- */

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

static void test_keyring__a_full_disk_leaves_no_half_tenant(void **state)
{
    struct keyring_fixture *fixture = *state;
    int status = child_run(create_without_room, fixture);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct lh_tenant_uid uid = uid_of_byte(1);
    assert_ok(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
}

#define KEYRING_TEST(name) cmocka_unit_test_setup_teardown(test_keyring__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYRING_TEST(files_and_directories_are_closed_to_others),
        KEYRING_TEST(a_wrapped_key_opens_again_and_two_are_different),
        KEYRING_TEST(keys_survive_closing_and_opening),
        KEYRING_TEST(a_tenant_is_made_once),
        KEYRING_TEST(no_temporary_file_is_left),
        KEYRING_TEST(a_blob_of_one_tenant_does_not_open_as_another_s),
        KEYRING_TEST(a_blob_does_not_open_under_another_key_id),
        KEYRING_TEST(a_cell_secret_is_no_data_key_and_the_reverse),
        KEYRING_TEST(scopes_that_cannot_be_are_refused),
        KEYRING_TEST(no_altered_byte_of_a_blob_opens),
        KEYRING_TEST(no_blob_of_another_length_opens),
        KEYRING_TEST(tenant_files_do_not_change_places),
        KEYRING_TEST(a_destroyed_tenant_is_absent_for_good),
        KEYRING_TEST(destroying_overwrites_the_file_before_it_goes),
        KEYRING_TEST(a_crash_between_marker_and_removal_still_destroys),
        KEYRING_TEST(a_lost_tenant_file_is_unknown),
        KEYRING_TEST(a_lost_kek_directory_or_ring_is_unknown_and_comes_back),
        KEYRING_TEST(a_lasting_fault_is_one_log_line_that_names_the_file),
        cmocka_unit_test(test_keyring__opening_makes_nothing_unless_it_may),
        KEYRING_TEST(a_lost_kek_beside_tenants_is_not_made_anew),
        KEYRING_TEST(an_unknown_driver_is_refused),
        KEYRING_TEST(any_access_of_others_to_the_kek_is_refused),
        KEYRING_TEST(directories_open_to_others_are_refused),
        KEYRING_TEST(a_kek_of_another_owner_is_refused),
        KEYRING_TEST(symlinks_are_not_followed),
        KEYRING_TEST(a_dangling_symlink_is_not_written_through),
        KEYRING_TEST(directory_and_fifo_in_place_of_the_kek_are_refused),
        KEYRING_TEST(a_kek_of_any_other_length_is_refused),
        KEYRING_TEST(no_altered_byte_of_the_kek_passes),
        KEYRING_TEST(a_huge_file_is_not_read),
        KEYRING_TEST(no_altered_or_shortened_tenant_file_passes),
        KEYRING_TEST(a_kek_renamed_over_while_read_is_one_or_the_other),
        KEYRING_TEST(a_kek_written_over_while_read_is_whole_or_unknown),
        KEYRING_TEST(a_full_disk_leaves_no_half_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
