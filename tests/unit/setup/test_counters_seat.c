/*
 * Seats at the change counters: all who map them have mapped the same file.
 */
#include "support/test.h"

#include "setup/counters_seat.h"
#include "support/scratch_dir.h"

#include <sys/stat.h>
#include <unistd.h>

static const uint8_t id[LH_COUNTER_ID_BYTES] = {7};

struct fixture {
    struct scratch_dir dir;
    struct lh_home_layout layout;
    struct lh_counters *own;
    struct lh_counters *copy; /* another file with the same identity */
};

static struct lh_counters *make_counters(struct fixture *f, const char *path)
{
    struct lh_counters *counters = NULL;
    (void)f;
    assert_ok(lh_counters_create(path, id, 0600));
    assert_ok(lh_counters_open(path, id, true, &counters));
    return counters;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_dir_init(&f->dir);
    assert_ok(lh_home_layout_init(f->dir.path, &f->layout));
    assert_int_equal(mkdir(f->layout.run, 0700), 0);
    f->own = make_counters(f, f->layout.changes);
    char path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&f->dir, "copy", path);
    f->copy = make_counters(f, path);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    lh_counters_close(f->own);
    lh_counters_close(f->copy);
    scratch_dir_fini(&f->dir);
    free(f);
    return 0;
}

static void test_seat_take__many_have_the_same_file(void **state)
{
    struct fixture *f = *state;
    assert_ok(lh_seat_found(&f->layout));
    struct lh_seat seats[3] = {{0}};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(lh_seat_take(&f->layout, f->own, &seats[i]));
    }
    for (size_t i = 0; i < 3; i++) {
        lh_seat_leave(&seats[i]);
        assert_false(seats[i].is_taken);
    }
}

static void test_seat_take__another_file_waits_until_the_last_has_left(void **state)
{
    struct fixture *f = *state;
    struct lh_seat first = {0};
    struct lh_seat second = {0};
    struct lh_seat other = {0};
    assert_ok(lh_seat_take(&f->layout, f->own, &first));
    assert_ok(lh_seat_take(&f->layout, f->own, &second));
    lh_seat_leave(&first);
    assert_status(lh_seat_take(&f->layout, f->copy, &other), LH_COUNTERS_DOWN);
    assert_false(other.is_taken);
    lh_seat_leave(&other);
    lh_seat_leave(&second);
    assert_ok(lh_seat_take(&f->layout, f->copy, &other));
    assert_status(lh_seat_take(&f->layout, f->own, &first), LH_COUNTERS_DOWN);
    lh_seat_leave(&other);
    assert_ok(lh_seat_take(&f->layout, f->own, &first));
    lh_seat_leave(&first);
}

static void test_seat_take__a_line_that_is_none_is_written_anew(void **state)
{
    struct fixture *f = *state;
    struct lh_seat seat = {0};
    FILE *file = fopen(f->layout.seats, "w");
    assert_non_null(file);
    assert_true(fputs("nonsense", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_ok(lh_seat_take(&f->layout, f->own, &seat));
    struct lh_seat next = {0};
    assert_ok(lh_seat_take(&f->layout, f->own, &next));
    lh_seat_leave(&next);
    lh_seat_leave(&seat);
}

static void test_seat_take__needs_the_run_directory(void **state)
{
    struct fixture *f = *state;
    struct lh_seat seat = {0};
    (void)snprintf(f->layout.seats, sizeof(f->layout.seats), "%s/nowhere/lock", f->dir.path);
    assert_status(lh_seat_take(&f->layout, f->own, &seat), LH_UNREADABLE);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_seat_take__many_have_the_same_file),
        CASE(test_seat_take__another_file_waits_until_the_last_has_left),
        CASE(test_seat_take__a_line_that_is_none_is_written_anew),
        CASE(test_seat_take__needs_the_run_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
