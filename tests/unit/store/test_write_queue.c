/*
 * The write queue over a memory store and a host whose lanes run when the test says so.
 */
#include "support/fake_host.h"
#include "support/test.h"

#include "store/write_queue.h"

#define NOW_MS      FAKE_HOST_NOW_MS
#define TOUCHES_MAX 300U

struct fixture {
    struct fake_host fake;
    struct lh_store *store;
    struct lh_write_queue *queue;
};

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fake_host_init(&fixture->fake);
    struct lh_store_options options = {.host = &fixture->fake.host};
    assert_ok(lh_store_open("memory", &options, &fixture->store));
    assert_ok(
        lh_write_queue_new(fixture->store, &fixture->fake.host, TOUCHES_MAX, &fixture->queue));
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    lh_write_queue_free(fixture->queue);
    (void)fake_host_run(&fixture->fake, LH_LANE_WRITE); /* ends what was under way */
    lh_store_close(fixture->store);
    free(fixture);
    return 0;
}

static struct lh_session_key key_of(unsigned n)
{
    struct lh_session_key key = {.bucket = 0};
    key.uid.bytes[0] = (uint8_t)(1 + n % 2);
    key.lease.bytes[0] = (uint8_t)(n >> 8);
    key.lease.bytes[1] = (uint8_t)n;
    return key;
}

static void create(struct fixture *fixture, unsigned n)
{
    struct lh_session_key key = key_of(n);
    struct lh_store_row row = {.kind = LH_PLACE_RECORD,
                               .generation = 1,
                               .absolute_end_ms = NOW_MS + 10000000,
                               .last_touch_ms = NOW_MS,
                               .idle_s = 600,
                               .record = LH_SLICE_LITERAL("sealed")};
    assert_ok(lh_store_create(fixture->store, NULL, &key, &row));
}

static struct lh_store_row load(struct fixture *fixture, unsigned n)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_session_key key = key_of(n);
    struct lh_store_row row;
    assert_ok(lh_store_load(fixture->store, NULL, &key, &scratch, &row));
    row.record = LH_SLICE_EMPTY;
    return row;
}

static lh_status touch(struct fixture *fixture, unsigned n, uint64_t touch_ms)
{
    struct lh_session_key key = key_of(n);
    return lh_write_queue_touch(fixture->queue, &key, touch_ms);
}

static lh_status expire(struct fixture *fixture, unsigned n, uint64_t now_ms)
{
    struct lh_session_key key = key_of(n);
    return lh_write_queue_expire(fixture->queue, &key, now_ms);
}

static lh_status quarantine(struct fixture *fixture, unsigned n)
{
    struct lh_session_key key = key_of(n);
    return lh_write_queue_quarantine(fixture->queue, &key);
}

static struct lh_write_queue_counts counts_of(const struct fixture *fixture)
{
    struct lh_write_queue_counts counts;
    lh_write_queue_read_counts(fixture->queue, &counts);
    return counts;
}

/* Runs the one task that is under way, and its done. */
static void run_one(struct fixture *fixture)
{
    struct lh_task *task = fake_host_run_one(&fixture->fake, LH_LANE_WRITE);
    assert_non_null(task);
    task->done(task);
}

static void test_write_queue__writes_on_the_lane_and_not_before(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    create(fixture, 2);
    create(fixture, 3);
    assert_ok(touch(fixture, 1, NOW_MS + 1000));
    assert_ok(expire(fixture, 2, NOW_MS + 600000));
    assert_ok(quarantine(fixture, 3));
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS);
    (void)fake_host_run(&fixture->fake, LH_LANE_WRITE);

    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS + 1000);
    assert_int_equal(load(fixture, 2).kind, LH_PLACE_TOMBSTONE);
    assert_true(load(fixture, 3).is_quarantined);
    assert_int_equal(counts_of(fixture).touches_made, 1);
    assert_int_equal(counts_of(fixture).urgent_made, 2);
}

static void test_write_queue__has_one_batch_under_way_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned n = 0; n < 50; n++) {
        create(fixture, n);
        assert_ok(touch(fixture, n, NOW_MS + 1000));
        assert_int_equal(fixture->fake.offloaded, 1);
    }
    run_one(fixture);
    assert_int_equal(fixture->fake.offloaded, 2);
    run_one(fixture);
    assert_int_equal(fixture->fake.offloaded, 2);
    assert_int_equal(counts_of(fixture).touches_made, 50);
    for (unsigned n = 0; n < 50; n++) {
        assert_int_equal(load(fixture, n).last_touch_ms, NOW_MS + 1000);
    }
}

static void test_write_queue__makes_the_latest_of_several_touches(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    create(fixture, 2);
    assert_ok(touch(fixture, 1, NOW_MS + 1)); /* under way at once */
    assert_ok(touch(fixture, 2, NOW_MS + 10));
    assert_ok(touch(fixture, 2, NOW_MS + 30));
    assert_ok(touch(fixture, 2, NOW_MS + 20));
    (void)fake_host_run(&fixture->fake, LH_LANE_WRITE);
    assert_int_equal(load(fixture, 2).last_touch_ms, NOW_MS + 30);
    assert_int_equal(counts_of(fixture).touches_made, 2);
}

static void test_write_queue__a_touch_during_its_own_batch_is_made_too(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    assert_ok(touch(fixture, 1, NOW_MS + 1000));
    assert_ok(touch(fixture, 1, NOW_MS + 2000));
    run_one(fixture);
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS + 1000);
    run_one(fixture);
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS + 2000);
}

static void test_write_queue__a_full_queue_drops_touches_and_counts(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned n = 0; n < TOUCHES_MAX + 1; n++) { /* one is under way */
        assert_ok(touch(fixture, n, NOW_MS + 1000));
    }
    assert_status(touch(fixture, TOUCHES_MAX + 1, NOW_MS), LH_QUEUE_FULL);
    assert_status(touch(fixture, TOUCHES_MAX + 2, NOW_MS), LH_QUEUE_FULL);
    assert_ok(touch(fixture, TOUCHES_MAX, NOW_MS + 2000)); /* waits already */
    assert_int_equal(counts_of(fixture).touches_dropped, 2);

    assert_int_equal(fake_host_run(&fixture->fake, LH_LANE_WRITE), 3); /* 1 + 256 + 44 */
    assert_int_equal(counts_of(fixture).touches_made, TOUCHES_MAX + 1);
    assert_ok(touch(fixture, TOUCHES_MAX + 1, NOW_MS));
}

static void test_write_queue__urgent_writes_have_room_of_their_own(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned n = 0; n < TOUCHES_MAX + 1; n++) {
        assert_ok(touch(fixture, n, NOW_MS + 1000));
    }
    for (unsigned n = 0; n < 256; n++) {
        create(fixture, n);
        assert_ok(expire(fixture, n, NOW_MS + 600000));
    }
    assert_status(expire(fixture, 256, NOW_MS), LH_QUEUE_FULL);
    assert_status(quarantine(fixture, 256), LH_QUEUE_FULL);
    (void)fake_host_run(&fixture->fake, LH_LANE_WRITE);
    assert_int_equal(counts_of(fixture).urgent_made, 256);
    assert_int_equal(counts_of(fixture).urgent_failed, 2);
    for (unsigned n = 1; n < 256; n++) {
        assert_int_equal(load(fixture, n).kind, LH_PLACE_TOMBSTONE);
    }
}

static void test_write_queue__urgent_writes_go_ahead_of_touches(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    create(fixture, 2);
    assert_ok(touch(fixture, 9, NOW_MS)); /* under way */
    assert_ok(touch(fixture, 1, NOW_MS + 1000));
    assert_ok(expire(fixture, 2, NOW_MS + 600000));
    run_one(fixture);
    struct lh_task *task = fixture->fake.queued[LH_LANE_WRITE];
    assert_non_null(task);
    assert_true(task->is_urgent);
    run_one(fixture);
    assert_int_equal(load(fixture, 2).kind, LH_PLACE_TOMBSTONE);
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS);
    assert_false(fixture->fake.queued[LH_LANE_WRITE]->is_urgent);
    run_one(fixture);
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS + 1000);
}

static void test_write_queue__the_same_urgent_write_waits_once(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    assert_ok(touch(fixture, 9, NOW_MS));
    for (unsigned i = 0; i < 1000; i++) {
        assert_ok(expire(fixture, 1, NOW_MS + 600000));
        assert_ok(quarantine(fixture, 1));
    }
    (void)fake_host_run(&fixture->fake, LH_LANE_WRITE);
    assert_int_equal(counts_of(fixture).urgent_made, 2);
    assert_int_equal(load(fixture, 1).kind, LH_PLACE_TOMBSTONE);
}

static void test_write_queue__of_two_expiries_the_later_moment_decides(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned n = 1; n <= 2; n++) {
        create(fixture, n);
    }
    assert_ok(touch(fixture, 9, NOW_MS)); /* under way */
    assert_ok(expire(fixture, 1, NOW_MS));
    assert_ok(expire(fixture, 1, NOW_MS + 600000));
    assert_ok(expire(fixture, 2, NOW_MS + 600000));
    assert_ok(expire(fixture, 2, NOW_MS));
    (void)fake_host_run(&fixture->fake, LH_LANE_WRITE);
    assert_int_equal(load(fixture, 1).kind, LH_PLACE_TOMBSTONE);
    assert_int_equal(load(fixture, 2).kind, LH_PLACE_TOMBSTONE);
    assert_int_equal(counts_of(fixture).urgent_made, 2);
}

static void test_write_queue__ends_a_grace_ahead_of_touches(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    struct lh_session_key key = key_of(1);
    assert_ok(touch(fixture, 9, NOW_MS)); /* under way */
    assert_ok(touch(fixture, 1, NOW_MS + 1));
    assert_ok(lh_write_queue_end_grace(fixture->queue, &key, 1));
    assert_ok(lh_write_queue_end_grace(fixture->queue, &key, 1));
    run_one(fixture);
    assert_false(load(fixture, 1).is_grace_over);
    run_one(fixture);
    assert_true(load(fixture, 1).is_grace_over);
    assert_int_equal(counts_of(fixture).urgent_made, 1);
    (void)fake_host_run(&fixture->fake, LH_LANE_WRITE);
}

static void test_write_queue__counts_what_the_store_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct lh_store_options options = {.host = &fixture->fake.host, .is_read_only = true};
    struct lh_store *refusing;
    assert_ok(lh_store_open("memory", &options, &refusing));
    lh_write_queue_free(fixture->queue);
    assert_ok(lh_write_queue_new(refusing, &fixture->fake.host, TOUCHES_MAX, &fixture->queue));
    assert_ok(touch(fixture, 1, NOW_MS));
    assert_ok(touch(fixture, 2, NOW_MS));
    assert_ok(expire(fixture, 3, NOW_MS));
    (void)fake_host_run(&fixture->fake, LH_LANE_WRITE);
    assert_int_equal(counts_of(fixture).touches_made, 0);
    assert_int_equal(counts_of(fixture).touches_failed, 2);
    assert_int_equal(counts_of(fixture).urgent_made, 0);
    assert_int_equal(counts_of(fixture).urgent_failed, 1);
    assert_status(counts_of(fixture).last_failure, LH_INVALID);
    lh_write_queue_free(fixture->queue);
    fixture->queue = NULL;
    lh_store_close(refusing);
}

static void test_write_queue__a_refused_batch_is_offered_again(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    create(fixture, 2);
    fixture->fake.mode = FAKE_HOST_REFUSES;
    assert_ok(touch(fixture, 1, NOW_MS + 1000));
    assert_ok(expire(fixture, 2, NOW_MS + 600000));
    assert_int_equal(fixture->fake.offloaded, 0);

    fixture->fake.mode = FAKE_HOST_QUEUES;
    assert_ok(touch(fixture, 1, NOW_MS + 2000));
    assert_int_equal(fixture->fake.offloaded, 1);
    assert_true(fixture->fake.queued[LH_LANE_WRITE]->is_urgent);
    run_one(fixture); /* the touch takes the urgent write along */
    assert_int_equal(load(fixture, 2).kind, LH_PLACE_TOMBSTONE);
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS + 1000);
    run_one(fixture);
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS + 2000);
    assert_int_equal(counts_of(fixture).touches_made, 2);
    assert_int_equal(counts_of(fixture).urgent_made, 1);
}

static void test_write_queue__serves_a_host_that_runs_tasks_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->fake.mode = FAKE_HOST_REFUSES;
    for (unsigned n = 0; n < TOUCHES_MAX; n++) {
        create(fixture, n);
        assert_ok(touch(fixture, n, NOW_MS + 1000));
    }
    fixture->fake.mode = FAKE_HOST_AT_ONCE;
    assert_ok(expire(fixture, 0, NOW_MS + 9000000));
    assert_int_equal(counts_of(fixture).touches_made, TOUCHES_MAX);
    assert_int_equal(load(fixture, 0).kind, LH_PLACE_TOMBSTONE);
    assert_int_equal(load(fixture, TOUCHES_MAX - 1).last_touch_ms, NOW_MS + 1000);
}

static void test_write_queue_free__leaves_a_batch_that_is_under_way_to_its_end(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    assert_ok(touch(fixture, 1, NOW_MS + 1000));
    lh_write_queue_free(fixture->queue);
    fixture->queue = NULL;
    run_one(fixture); /* frees it: the leak checker would tell */
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS + 1000);
    assert_int_equal(fake_host_run(&fixture->fake, LH_LANE_WRITE), 0);
}

static void test_write_queue_free__drops_what_waits(void **state)
{
    struct fixture *fixture = *state;
    create(fixture, 1);
    fixture->fake.mode = FAKE_HOST_REFUSES;
    assert_ok(touch(fixture, 1, NOW_MS + 1000));
    lh_write_queue_free(fixture->queue);
    fixture->queue = NULL;
    lh_write_queue_free(NULL);
    assert_int_equal(load(fixture, 1).last_touch_ms, NOW_MS);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_write_queue__writes_on_the_lane_and_not_before),
        CASE(test_write_queue__has_one_batch_under_way_at_a_time),
        CASE(test_write_queue__makes_the_latest_of_several_touches),
        CASE(test_write_queue__a_touch_during_its_own_batch_is_made_too),
        CASE(test_write_queue__a_full_queue_drops_touches_and_counts),
        CASE(test_write_queue__urgent_writes_have_room_of_their_own),
        CASE(test_write_queue__urgent_writes_go_ahead_of_touches),
        CASE(test_write_queue__the_same_urgent_write_waits_once),
        CASE(test_write_queue__of_two_expiries_the_later_moment_decides),
        CASE(test_write_queue__ends_a_grace_ahead_of_touches),
        CASE(test_write_queue__counts_what_the_store_refuses),
        CASE(test_write_queue__a_refused_batch_is_offered_again),
        CASE(test_write_queue__serves_a_host_that_runs_tasks_at_once),
        CASE(test_write_queue_free__leaves_a_batch_that_is_under_way_to_its_end),
        CASE(test_write_queue_free__drops_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
