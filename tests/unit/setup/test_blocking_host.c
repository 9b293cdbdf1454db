/*
 * The host of programs that may block.
 */
#include "support/test.h"

#include "setup/blocking_host.h"
#include "support/fake_host.h"

struct step {
    struct lh_task task;
    struct lh_blocking_host *blocking;
    struct step *follower; /* offloaded from done */
    char *trace;
    char name;
};

static void put(struct step *step, char what)
{
    size_t len = strlen(step->trace);
    step->trace[len] = what;
    step->trace[len + 1] = step->name;
    step->trace[len + 2] = '\0';
}

static void run_step(struct lh_task *task)
{
    put((struct step *)task, 'r');
}

static void done_step(struct lh_task *task)
{
    struct step *step = (struct step *)task;
    put(step, 'd');
    if (step->follower != NULL) {
        struct lh_host *host = &step->blocking->host;
        assert_ok(host->offload(host->self, LH_LANE_FETCH, &step->follower->task));
    }
}

static struct step make_step(struct lh_blocking_host *blocking, char *trace, char name)
{
    return (struct step){{.run = run_step, .done = done_step}, blocking, NULL, trace, name};
}

static void test_blocking_host__nothing_runs_inside_offload(void **state)
{
    (void)state;
    struct fake_host fake;
    struct lh_blocking_host blocking;
    char trace[64] = "";
    fake_host_init(&fake);
    lh_blocking_host_init(&blocking, &fake.host);
    struct step a = make_step(&blocking, trace, 'a');
    struct step b = make_step(&blocking, trace, 'b');
    assert_ok(blocking.host.offload(blocking.host.self, LH_LANE_WRITE, &a.task));
    assert_ok(blocking.host.offload(blocking.host.self, LH_LANE_FETCH, &b.task));
    assert_string_equal(trace, "");
    lh_blocking_host_run(&blocking);
    assert_string_equal(trace, "radarbdb");
    lh_blocking_host_run(&blocking);
    assert_string_equal(trace, "radarbdb");
}

static void test_blocking_host__what_a_task_adds_is_run_too(void **state)
{
    (void)state;
    struct fake_host fake;
    struct lh_blocking_host blocking;
    char trace[64] = "";
    fake_host_init(&fake);
    lh_blocking_host_init(&blocking, &fake.host);
    struct step b = make_step(&blocking, trace, 'b');
    struct step a = make_step(&blocking, trace, 'a');
    a.follower = &b;
    assert_ok(blocking.host.offload(blocking.host.self, LH_LANE_WRITE, &a.task));
    lh_blocking_host_run(&blocking);
    assert_string_equal(trace, "radarbdb");
}

static void test_blocking_host__log_and_clocks_are_the_other_hosts(void **state)
{
    (void)state;
    struct fake_host fake;
    struct lh_blocking_host blocking;
    fake_host_init(&fake);
    lh_blocking_host_init(&blocking, &fake.host);
    blocking.host.log(blocking.host.self, LH_LOG_WARN, LH_SLICE_LITERAL("a line"));
    assert_string_equal(fake.log, "a line\n");
    fake_host_advance(&fake, 5000);
    assert_int_equal(blocking.host.boot_ms(blocking.host.self), fake.boot_ms);
    assert_int_equal(blocking.host.wall_ms(blocking.host.self), fake.wall_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocking_host__nothing_runs_inside_offload),
        cmocka_unit_test(test_blocking_host__what_a_task_adds_is_run_too),
        cmocka_unit_test(test_blocking_host__log_and_clocks_are_the_other_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
