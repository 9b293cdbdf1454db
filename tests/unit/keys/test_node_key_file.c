/*
 * The files of a node's keys: changes that a worker must see, and files that are not ours.
 */
#include "node_key_fixture.h"

#include "keys/key_file.h"

#include <time.h>

/* --- Changes ---------------------------------------------------------------------------------- */

/* Sets the directory's time stamp into the past, as if nothing had changed for long. */
static void let_stamp_settle(const struct fixture *fixture)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1600000000}};
    assert_int_equal(utimensat(AT_FDCWD, fixture->node, times, 0), 0);
}

static void test_node_key_file__a_change_is_seen_by_refresh(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid first = create(fixture, NOW);
    let_stamp_settle(fixture);
    struct lh_node_keys *keys = open_keys(fixture);
    bool has_changed;
    assert_ok(lh_node_keys_refresh(keys, &has_changed));
    assert_false(has_changed);
    struct lh_node_kid second = create(fixture, NOW);
    assert_ok(lh_node_keys_refresh(keys, &has_changed));
    assert_true(has_changed);
    assert_signer(keys, NOW, &first);
    assert_signer(keys, NOW + LEAD, &second);
    assert_ok(lh_node_keys_refresh(keys, &has_changed));
    assert_false(has_changed);
    lh_node_keys_close(keys);
}

static void test_node_key_file__changes_within_one_tick_are_all_seen(void **state)
{
    struct fixture *fixture = *state;
    (void)create(fixture, NOW);
    struct lh_node_keys *keys = open_keys(fixture);
    bool has_changed;
    for (size_t i = 2; i <= LH_NODE_KEYS_MAX; i++) {
        (void)create(fixture, NOW);
        /* As if the file system's clock had not moved. */
        struct timespec now;
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = now.tv_sec}};
        assert_int_equal(utimensat(AT_FDCWD, fixture->node, times, 0), 0);
        assert_ok(lh_node_keys_refresh(keys, &has_changed));
        assert_true(has_changed);
        assert_int_equal(lh_node_keys_count(keys), i);
    }
    lh_node_keys_close(keys);
}

static void test_node_key_file__the_old_set_serves_while_the_directory_is_broken(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    let_stamp_settle(fixture);
    struct lh_node_keys *keys = open_keys(fixture);
    char aside[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "aside", aside);
    bool has_changed;

    assert_int_equal(rename(fixture->node, aside), 0);
    assert_status(lh_node_keys_refresh(keys, &has_changed), LH_UNREADABLE);
    assert_false(has_changed);
    assert_signer(keys, NOW, &kid);
    assert_int_equal(mkdir(fixture->node, 0700), 0);
    assert_status(lh_node_keys_refresh(keys, &has_changed), LH_KEY_DOWN);
    assert_signer(keys, NOW, &kid);
    assert_int_equal(rmdir(fixture->node), 0);
    assert_int_equal(rename(aside, fixture->node), 0);
    assert_ok(lh_node_keys_refresh(keys, &has_changed));
    assert_false(has_changed);
    lh_node_keys_close(keys);
}

/* --- Files that are not ours ------------------------------------------------------------------ */

static void open_refuses(struct fixture *fixture, enum lh_code expected)
{
    struct lh_node_keys *keys = NULL;
    assert_status(lh_node_keys_open(fixture->crypto, fixture->node, &keys), expected);
    assert_null(keys);
}

static void test_node_key_file__an_empty_or_missing_directory_is_no_set(void **state)
{
    struct fixture *fixture = *state;
    open_refuses(fixture, LH_KEY_DOWN);
    assert_int_equal(rmdir(fixture->node), 0);
    open_refuses(fixture, LH_UNREADABLE);
    struct lh_node_kid kid;
    assert_status(try_create(fixture, NODE, NOW, &kid), LH_UNREADABLE);
}

static void test_node_key_file__files_open_to_others_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    char path[SCRATCH_PATH_BYTES];
    kid_path(fixture, &kid, path);
    assert_int_equal(chmod(path, 0640), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(fixture->node, 0755), 0);
    open_refuses(fixture, LH_UNSAFE_FILE);
}

static void test_node_key_file__a_key_under_another_name_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    char path[SCRATCH_PATH_BYTES];
    char other[SCRATCH_PATH_BYTES];
    kid_path(fixture, &kid, path);
    kid.text[kid.len - 1] ^= 1;
    kid_path(fixture, &kid, other);
    assert_int_equal(rename(path, other), 0);
    open_refuses(fixture, LH_TAMPERED);
}

static void test_node_key_file__no_altered_or_shortened_file_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    char path[SCRATCH_PATH_BYTES];
    kid_path(fixture, &kid, path);
    uint8_t content[512];
    int fd = open(path, O_RDWR);
    ssize_t len = read(fd, content, sizeof(content));
    assert_true(len > 0);
    for (ssize_t i = 0; i < len; i++) {
        uint8_t flipped = content[i] ^ 0x20;
        assert_int_equal(pwrite(fd, &flipped, 1, i), 1);
        open_refuses(fixture, i == 4 ? LH_FUTURE_FORMAT : LH_TAMPERED); /* 4: the version */
        assert_int_equal(pwrite(fd, &content[i], 1, i), 1);
    }
    for (ssize_t keep = len - 1; keep >= 0; keep--) {
        assert_int_equal(ftruncate(fd, keep), 0);
        open_refuses(fixture, LH_TAMPERED);
    }
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    open_refuses(fixture, LH_TAMPERED);
    assert_int_equal(close(fd), 0);
}

/* Writes a key file that is whole and names its key so. */
static void write_key_named(struct fixture *fixture, const char *kid, const char *file_name)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = LH_BUF_EMPTY;
    struct lh_key scalar = {{0, 1, 2, 3}};
    struct lh_digest digest;
    char path[SCRATCH_PATH_BYTES];
    assert_ok(lh_key_file_add_head(&content, 0x6c686e6bU));
    assert_ok(lh_buf_add_u8(&content, (uint8_t)strlen(kid)));
    assert_ok(lh_buf_add_text(&content, kid));
    assert_ok(lh_buf_add_u64(&content, NOW));
    assert_ok(lh_buf_add_u64(&content, NOW));
    assert_ok(lh_buf_add(&content, LH_SLICE_OF(scalar.bytes)));
    assert_ok(lh_sha256(fixture->crypto, lh_buf_view(&content), &digest));
    assert_ok(lh_buf_add(&content, LH_SLICE_OF(digest.bytes)));
    int len = snprintf(path, sizeof(path), "%s/%s.key", fixture->node, file_name);
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.ptr, content.len), content.len);
    assert_int_equal(close(fd), 0);
}

static void test_node_key_file__a_kid_that_is_none_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char longest[] = "a-name-of-two-and-thirty-letters-0123456789abcdef";
    static const char *const bad[] = {"Gw-1", "gw_1", "gw 1", "gw\"1",
                                      "a-name-of-two-and-thirty-letters-0123456789abcdef0"};
    write_key_named(fixture, longest, longest);
    lh_node_keys_close(open_keys(fixture));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_key_named(fixture, bad[i], bad[i]);
        open_refuses(fixture, LH_TAMPERED);
        char path[SCRATCH_PATH_BYTES];
        int len = snprintf(path, sizeof(path), "%s/%s.key", fixture->node, bad[i]);
        assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
        assert_int_equal(unlink(path), 0);
    }
}

static void test_node_key_file__more_keys_than_a_set_holds_are_refused(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < LH_NODE_KEYS_MAX; i++) {
        const char name[] = {'g', 'w', (char)('0' + i), '\0'};
        write_key_named(fixture, name, name);
    }
    lh_node_keys_close(open_keys(fixture));
    write_key_named(fixture, "one-more", "one-more");
    open_refuses(fixture, LH_LIMITED);
}

static void test_node_key_file__other_files_and_leftovers_are_not_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct lh_node_kid kid = create(fixture, NOW);
    static const char *const names[] = {"README", ".gw-1-00.key.77.new", ".hidden.key", "x.keys"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[SCRATCH_PATH_BYTES];
        int len = snprintf(path, sizeof(path), "%s/%s", fixture->node, names[i]);
        assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
    }
    struct lh_node_keys *keys = open_keys(fixture);
    assert_int_equal(lh_node_keys_count(keys), 1);
    assert_signer(keys, NOW, &kid);
    lh_node_keys_close(keys);
    lh_node_keys_close(NULL);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_node_key_file__a_change_is_seen_by_refresh),
        FILE_TEST(test_node_key_file__changes_within_one_tick_are_all_seen),
        FILE_TEST(test_node_key_file__the_old_set_serves_while_the_directory_is_broken),
        FILE_TEST(test_node_key_file__an_empty_or_missing_directory_is_no_set),
        FILE_TEST(test_node_key_file__files_open_to_others_are_refused),
        FILE_TEST(test_node_key_file__a_key_under_another_name_is_refused),
        FILE_TEST(test_node_key_file__no_altered_or_shortened_file_is_read),
        FILE_TEST(test_node_key_file__a_kid_that_is_none_is_refused),
        FILE_TEST(test_node_key_file__more_keys_than_a_set_holds_are_refused),
        FILE_TEST(test_node_key_file__other_files_and_leftovers_are_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
