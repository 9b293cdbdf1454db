/*
 * Key files on a disk that fails and under the hands of others: what was there stays, and what
 * changes while it is read is not taken.
 */
#include "support/scratch_dir.h"
#include "support/test.h"

#include "keys/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned syncs_left; /* before one fails; UINT_MAX: none does */
static unsigned changes_left;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
ssize_t __real_read(int fd, void *bytes, size_t len);
ssize_t __wrap_read(int fd, void *bytes, size_t len);

int __wrap_fsync(int fd)
{
    if (syncs_left == 0) {
        errno = EIO;
        return -1;
    }
    syncs_left--;
    return __real_fsync(fd);
}

/* Somebody writes the file, to the same length, while it is read. */
ssize_t __wrap_read(int fd, void *bytes, size_t len)
{
    ssize_t got = __real_read(fd, bytes, len);
    if (changes_left > 0) {
        changes_left--;
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000 + changes_left}};
        assert_int_equal(futimens(fd, times), 0);
    }
    return got;
}

struct fixture {
    struct scratch_dir dir;
    int fd;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    scratch_dir_init(&fixture->dir);
    fixture->fd = open(fixture->dir.path, O_RDONLY | O_DIRECTORY);
    assert_true(fixture->fd >= 0);
    syncs_left = UINT_MAX;
    changes_left = 0;
    assert_ok(
        lh_key_file_write(fixture->fd, "key", LH_SLICE_LITERAL("old"), LH_KEY_FILE_NEW, 0600));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)close(fixture->fd);
    scratch_dir_fini(&fixture->dir);
    free(fixture);
    return 0;
}

static void assert_content(const struct fixture *fixture, const char *name, const char *expected)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = LH_BUF_EMPTY;
    assert_ok(lh_key_file_read(fixture->fd, name, &content));
    assert_slice_text(lh_buf_view(&content), expected);
}

static lh_status replace(const struct fixture *fixture)
{
    return lh_key_file_write(fixture->fd, "key", LH_SLICE_LITERAL("new"), LH_KEY_FILE_REPLACE,
                             0600);
}

static void test_key_file_write__what_does_not_reach_the_disk_takes_no_name(void **state)
{
    struct fixture *fixture = *state;
    syncs_left = 0;
    assert_status(replace(fixture), LH_UNREADABLE);
    assert_content(fixture, "key", "old");
    syncs_left = 1; /* the name's own sync */
    assert_status(replace(fixture), LH_UNREADABLE);
    syncs_left = UINT_MAX;
    assert_ok(replace(fixture));
    assert_content(fixture, "key", "new");
}

static void test_key_file_write__a_leftover_is_taken_away_and_not_written_into(void **state)
{
    struct fixture *fixture = *state;
    char leftover[64];
    (void)snprintf(leftover, sizeof(leftover), ".key.%ld.new", (long)getpid());
    assert_ok(lh_key_file_write(fixture->fd, "another", LH_SLICE_LITERAL("another's, and longer"),
                                LH_KEY_FILE_NEW, 0600));
    assert_int_equal(linkat(fixture->fd, "another", fixture->fd, leftover, 0), 0);
    assert_ok(replace(fixture));
    assert_content(fixture, "key", "new");
    assert_content(fixture, "another", "another's, and longer");
    assert_status(lh_key_file_find(fixture->fd, leftover), LH_ABSENT);
}

static void test_key_file_read__takes_nothing_that_changes_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf content = LH_BUF_EMPTY;
    changes_left = 2;
    assert_status(lh_key_file_read(fixture->fd, "key", &content), LH_UNREADABLE);
    assert_int_equal(content.len, 0);
    changes_left = 1; /* whole at the second try */
    assert_ok(lh_key_file_read(fixture->fd, "key", &content));
    assert_slice_text(lh_buf_view(&content), "old");
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_key_file_write__what_does_not_reach_the_disk_takes_no_name),
        FILE_TEST(test_key_file_write__a_leftover_is_taken_away_and_not_written_into),
        FILE_TEST(test_key_file_read__takes_nothing_that_changes_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
