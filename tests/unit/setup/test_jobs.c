/*
 * Periodic jobs: when they run, and who has them.
 */
#include "support/test.h"

#include "setup/jobs.h"
#include "support/fake_host.h"
#include "support/scratch_dir.h"

#define SYNC_MS     500
#define SWEEP_MS    10000
#define MAINTAIN_MS 1000

struct fixture {
    struct scratch_dir dir;
    struct fake_host fake;
    struct lh_store *store;
    struct lh_jobs jobs;
};

static const uint64_t intervals[LH_JOB_COUNT] = {
    [LH_JOB_SYNC] = SYNC_MS, [LH_JOB_SWEEP] = SWEEP_MS, [LH_JOB_MAINTAIN] = MAINTAIN_MS};

static void open_jobs(struct fixture *f, struct lh_jobs *jobs)
{
    assert_ok(lh_jobs_open(jobs, f->store, &f->fake.host, &f->fake.clock, f->dir.path, intervals));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    scratch_dir_init(&f->dir);
    fake_host_init(&f->fake);
    const struct lh_store_options options = {.host = &f->fake.host};
    assert_ok(lh_store_open("memory", &options, &f->store));
    open_jobs(f, &f->jobs);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    lh_jobs_close(&f->jobs);
    lh_store_close(f->store);
    scratch_dir_fini(&f->dir);
    free(f);
    return 0;
}

static size_t tick_and_run(struct fixture *f)
{
    lh_jobs_tick(&f->jobs);
    return fake_host_run(&f->fake, LH_LANE_WRITE);
}

static void test_jobs_tick__all_run_at_first_and_then_by_their_intervals(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(tick_and_run(f), 3);
    assert_int_equal(tick_and_run(f), 0);
    fake_host_advance(&f->fake, SYNC_MS);
    assert_int_equal(tick_and_run(f), 1);
    fake_host_advance(&f->fake, SYNC_MS);
    assert_int_equal(tick_and_run(f), 2);
    fake_host_advance(&f->fake, SWEEP_MS);
    assert_int_equal(tick_and_run(f), 3);
}

static void test_jobs_tick__a_tick_a_little_early_is_in_time(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(tick_and_run(f), 3);
    fake_host_advance(&f->fake, SYNC_MS - 10);
    assert_int_equal(tick_and_run(f), 1);
}

static void test_jobs_tick__a_running_job_is_not_set_going_twice(void **state)
{
    struct fixture *f = *state;
    lh_jobs_tick(&f->jobs);
    assert_true(lh_jobs_is_busy(&f->jobs));
    fake_host_advance(&f->fake, SWEEP_MS);
    lh_jobs_tick(&f->jobs);
    assert_int_equal(fake_host_run(&f->fake, LH_LANE_WRITE), 3);
    assert_false(lh_jobs_is_busy(&f->jobs));
}

static void test_jobs_tick__a_full_lane_is_tried_again_at_the_next_tick(void **state)
{
    struct fixture *f = *state;
    f->fake.mode = FAKE_HOST_REFUSES;
    lh_jobs_tick(&f->jobs);
    assert_false(lh_jobs_is_busy(&f->jobs));
    f->fake.mode = FAKE_HOST_QUEUES;
    assert_int_equal(tick_and_run(f), 3);
}

static void test_jobs_tick__hosts_that_run_at_once_leave_nothing_running(void **state)
{
    struct fixture *f = *state;
    f->fake.mode = FAKE_HOST_AT_ONCE;
    lh_jobs_tick(&f->jobs);
    assert_int_equal(f->fake.offloaded, 3);
    assert_false(lh_jobs_is_busy(&f->jobs));
}

static void test_jobs_tick__one_process_has_a_job_until_it_is_gone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(tick_and_run(f), 3);
    struct lh_jobs other;
    open_jobs(f, &other);
    lh_jobs_tick(&other);
    assert_int_equal(fake_host_run(&f->fake, LH_LANE_WRITE), 1); /* maintenance is everybody's */
    lh_jobs_close(&f->jobs);
    fake_host_advance(&f->fake, SWEEP_MS);
    lh_jobs_tick(&other);
    assert_int_equal(fake_host_run(&f->fake, LH_LANE_WRITE), 3);
    lh_jobs_close(&other);
}

/* A session of an hour that ended long ago, in a place of its own. */
static void put_ended(struct fixture *f, uint32_t number)
{
    struct lh_session_key key = {.uid = {{1}}, .bucket = 0};
    memcpy(key.lease.bytes, &number, sizeof(number));
    const struct lh_store_row row = {.kind = LH_PLACE_RECORD,
                                     .generation = 1,
                                     .absolute_end_ms = 1000,
                                     .last_touch_ms = 1,
                                     .idle_s = 1,
                                     .record = LH_SLICE_LITERAL("sealed")};
    struct lh_op op = lh_op_idle(UINT64_MAX, NULL);
    assert_ok(lh_store_create(f->store, &op, &key, &row));
}

static void test_jobs_sweep__goes_on_at_once_while_something_is_left(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 2 * LH_STORE_BATCH_ROWS; i++) {
        put_ended(f, i);
    }
    struct lh_store_counts counts;
    for (size_t i = 0; i < 8; i++) {
        (void)tick_and_run(f);
        fake_host_advance(&f->fake, 1);
    }
    assert_ok(lh_store_count(f->store, &counts));
    assert_int_equal(counts.records, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_jobs_tick__all_run_at_first_and_then_by_their_intervals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_jobs_tick__a_tick_a_little_early_is_in_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_jobs_tick__a_running_job_is_not_set_going_twice,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_jobs_tick__a_full_lane_is_tried_again_at_the_next_tick,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_jobs_tick__hosts_that_run_at_once_leave_nothing_running, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_jobs_tick__one_process_has_a_job_until_it_is_gone,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_jobs_sweep__goes_on_at_once_while_something_is_left,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
