/*
 * The change counters: one file, many processes.
 */
#include "support/test.h"

#include "support/scratch_dir.h"

#include "registry/change_counter.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t our_id[LH_COUNTER_ID_BYTES] = {1, 2, 3};
static const uint8_t other_id[LH_COUNTER_ID_BYTES] = {1, 2, 4};

struct fixture {
    struct scratch_dir dir;
    char path[SCRATCH_PATH_BYTES];
    struct lh_counters *counters; /* writable */
};

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    scratch_dir_init(&fixture->dir);
    scratch_dir_path(&fixture->dir, "changes", fixture->path);
    assert_ok(lh_counters_create(fixture->path, our_id, 0640));
    assert_ok(lh_counters_open(fixture->path, our_id, true, &fixture->counters));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_counters_close(fixture->counters);
    scratch_dir_fini(&fixture->dir);
    test_free(fixture);
    return 0;
}

static uint64_t read_slot(const struct lh_counters *counters, uint32_t slot)
{
    uint64_t value = UINT64_MAX;
    assert_ok(lh_counters_read(counters, slot, &value));
    return value;
}

static void test_counters_create__makes_a_whole_file_of_the_given_mode(void **state)
{
    struct fixture *fixture = *state;
    struct stat file;
    assert_int_equal(stat(fixture->path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0640);
    assert_int_equal(file.st_nlink, 1);
    /* No holes: a raise needs no new block of the disk. */
    assert_true((uint64_t)file.st_blocks * 512U >= (uint64_t)file.st_size);
    assert_int_equal(read_slot(fixture->counters, 0), 0);
    assert_int_equal(read_slot(fixture->counters, LH_COUNTER_SLOTS - 1), 0);
}

static void test_counters_create__never_replaces_a_file(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(lh_counters_raise(fixture->counters, 9));
    assert_status(lh_counters_create(fixture->path, other_id, 0600), LH_EXISTS);
    assert_ok(lh_counters_check_file(fixture->counters));
    assert_int_equal(read_slot(fixture->counters, 9), 1);
    char missing[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "missing/changes", missing);
    assert_status(lh_counters_create(missing, our_id, 0600), LH_UNREADABLE);
}

static void test_counters_raise__moves_one_slot(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(lh_counters_raise(fixture->counters, 5));
    assert_ok(lh_counters_raise(fixture->counters, 5));
    assert_ok(lh_counters_raise(fixture->counters, LH_COUNTER_SLOTS - 1));
    assert_int_equal(read_slot(fixture->counters, 4), 0);
    assert_int_equal(read_slot(fixture->counters, 5), 2);
    assert_int_equal(read_slot(fixture->counters, 6), 0);
    assert_int_equal(read_slot(fixture->counters, LH_COUNTER_SLOTS - 1), 1);
}

static void test_counters__know_no_slot_beyond_the_last(void **state)
{
    struct fixture *fixture = *state;
    uint64_t value;
    assert_status(lh_counters_read(fixture->counters, LH_COUNTER_SLOTS, &value), LH_COUNTERS_DOWN);
    assert_status(lh_counters_raise(fixture->counters, UINT32_MAX), LH_COUNTERS_DOWN);
}

static void test_counters_open__a_reader_sees_raises_and_cannot_make_them(void **state)
{
    struct fixture *fixture = *state;
    struct lh_counters *reader;
    assert_ok(lh_counters_open(fixture->path, our_id, false, &reader));
    assert_int_equal(read_slot(reader, 7), 0);
    assert_ok(lh_counters_raise(fixture->counters, 7));
    assert_int_equal(read_slot(reader, 7), 1);
    assert_status(lh_counters_raise(reader, 7), LH_COUNTERS_DOWN);
    assert_int_equal(read_slot(reader, 7), 1);
    lh_counters_close(reader);
    lh_counters_close(NULL);
}

static void test_counters_open__refuses_what_is_not_the_homes_file(void **state)
{
    struct fixture *fixture = *state;
    struct lh_counters *counters = NULL;
    assert_status(lh_counters_open(fixture->path, other_id, false, &counters), LH_COUNTERS_DOWN);
    char path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "missing", path);
    assert_status(lh_counters_open(path, our_id, true, &counters), LH_COUNTERS_DOWN);
    assert_int_equal(access(path, F_OK), -1); /* and makes none */
    assert_int_equal(symlink(fixture->path, path), 0);
    assert_status(lh_counters_open(path, our_id, false, &counters), LH_COUNTERS_DOWN);
    assert_status(lh_counters_open(fixture->dir.path, our_id, false, &counters), LH_COUNTERS_DOWN);
    assert_null(counters);
}

static void test_counters_open__refuses_another_size_or_format(void **state)
{
    struct fixture *fixture = *state;
    struct lh_counters *counters = NULL;
    struct stat file;
    assert_int_equal(stat(fixture->path, &file), 0);
    lh_counters_close(fixture->counters);
    fixture->counters = NULL;
    for (long offset = 8; offset <= 12; offset += 4) { /* the format, and the number of slots */
        uint32_t right;
        int fd = open(fixture->path, O_RDWR);
        assert_int_equal(pread(fd, &right, sizeof(right), offset), sizeof(right));
        uint32_t other = right + 1;
        assert_int_equal(pwrite(fd, &other, sizeof(other), offset), sizeof(other));
        assert_status(lh_counters_open(fixture->path, our_id, false, &counters), LH_COUNTERS_DOWN);
        assert_int_equal(pwrite(fd, &right, sizeof(right), offset), sizeof(right));
        assert_int_equal(close(fd), 0);
    }
    assert_int_equal(truncate(fixture->path, file.st_size + 1), 0);
    assert_status(lh_counters_open(fixture->path, our_id, false, &counters), LH_COUNTERS_DOWN);
    assert_int_equal(truncate(fixture->path, 0), 0);
    assert_status(lh_counters_open(fixture->path, our_id, false, &counters), LH_COUNTERS_DOWN);
    assert_int_equal(truncate(fixture->path, file.st_size), 0); /* all zero */
    assert_status(lh_counters_open(fixture->path, our_id, false, &counters), LH_COUNTERS_DOWN);
}

static void test_counters_check_file__notices_a_missing_or_replaced_file(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(lh_counters_check_file(fixture->counters));
    char aside[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "aside", aside);
    assert_int_equal(rename(fixture->path, aside), 0);
    assert_int_equal(read_slot(fixture->counters, 0), 0); /* nobody has looked yet */
    assert_status(lh_counters_check_file(fixture->counters), LH_COUNTERS_DOWN);
    uint64_t value;
    assert_status(lh_counters_read(fixture->counters, 0, &value), LH_COUNTERS_DOWN);
    assert_ok(lh_counters_raise(fixture->counters, 0));
    assert_ok(lh_counters_create(fixture->path, our_id, 0640)); /* same id, another file */
    assert_status(lh_counters_check_file(fixture->counters), LH_COUNTERS_DOWN);
    assert_int_equal(rename(aside, fixture->path), 0);
    assert_ok(lh_counters_check_file(fixture->counters));
    assert_int_equal(read_slot(fixture->counters, 0), 1);
}

static void test_counters_check_file__notices_another_id_in_the_file(void **state)
{
    struct fixture *fixture = *state;
    int fd = open(fixture->path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, other_id, sizeof(other_id), 16), sizeof(other_id));
    close(fd);
    assert_status(lh_counters_check_file(fixture->counters), LH_COUNTERS_DOWN);
}

#define RAISES 20000U

static void raise_often(void *context)
{
    struct fixture *fixture = context;
    struct lh_counters *counters;
    assert_ok(lh_counters_open(fixture->path, our_id, true, &counters));
    for (unsigned i = 0; i < RAISES; i++) {
        assert_ok(lh_counters_raise(counters, 3));
    }
    lh_counters_close(counters);
}

static void test_counters_raise__loses_nothing_between_processes(void **state)
{
    struct fixture *fixture = *state;
    pid_t other = fork();
    assert_true(other >= 0);
    if (other == 0) {
        raise_often(fixture);
        _exit(0);
    }
    raise_often(fixture);
    int status;
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    assert_int_equal(read_slot(fixture->counters, 3), 2 * RAISES);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(test_counters_create__makes_a_whole_file_of_the_given_mode),
        WITH_FILE(test_counters_create__never_replaces_a_file),
        WITH_FILE(test_counters_raise__moves_one_slot),
        WITH_FILE(test_counters__know_no_slot_beyond_the_last),
        WITH_FILE(test_counters_open__a_reader_sees_raises_and_cannot_make_them),
        WITH_FILE(test_counters_open__refuses_what_is_not_the_homes_file),
        WITH_FILE(test_counters_open__refuses_another_size_or_format),
        WITH_FILE(test_counters_check_file__notices_a_missing_or_replaced_file),
        WITH_FILE(test_counters_check_file__notices_another_id_in_the_file),
        WITH_FILE(test_counters_raise__loses_nothing_between_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
