/*
 * What the log says about writes that were lost, and how often.
 */
#include "support/test.h"

#include "setup/write_watch.h"
#include "support/fake_host.h"

struct fixture {
    struct fake_host fake;
    struct lh_write_watch watch;
    struct lh_write_queue_counts counts;
};

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.counts.last_failure = {LH_OK}};
    fake_host_init(&f->fake);
}

static void look(struct fixture *f)
{
    lh_write_watch_look(&f->watch, &f->counts, f->fake.boot_ms, &f->fake.host);
}

static void test_write_watch_look__says_nothing_while_nothing_is_lost(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.counts.touches_made = 7;
    look(&f);
    assert_int_equal(f.fake.log_lines, 0);
}

static void test_write_watch_look__says_the_first_loss_at_once_with_count_and_reason(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.counts.touches_failed = 3;
    f.counts.touches_dropped = 4;
    f.counts.urgent_failed = 5;
    f.counts.last_failure = lh_status_of(LH_NO_SPACE);
    look(&f);
    assert_int_equal(f.fake.log_lines, 1);
    assert_non_null(strstr(f.fake.log, "so far 3 were refused by the session store, 4 dropped from "
                                       "a full queue, and 5 marks"));
    assert_non_null(strstr(f.fake.log, lh_status_text(lh_status_of(LH_NO_SPACE))));
}

static void test_write_watch_look__says_further_losses_once_a_minute(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    for (unsigned second = 0; second < 120; second++) {
        f.counts.touches_failed++;
        look(&f);
        fake_host_advance(&f.fake, 1000);
    }
    assert_int_equal(f.fake.log_lines, 2);
    assert_non_null(strstr(f.fake.log, "so far 1 were"));
    assert_non_null(strstr(f.fake.log, "so far 61 were"));
}

static void test_write_watch_look__says_once_that_it_is_over(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    f.counts.touches_dropped = 1;
    look(&f);
    fake_host_advance(&f.fake, LH_WRITE_WATCH_PAUSE_MS);
    look(&f); /* nothing was lost, and nothing written either */
    assert_int_equal(f.fake.log_lines, 1);
    f.counts.touches_made = 1;
    look(&f);
    look(&f);
    assert_int_equal(f.fake.log_lines, 2);
    assert_non_null(strstr(f.fake.log, "written again"));
    f.counts.touches_dropped = 2;
    fake_host_advance(&f.fake, LH_WRITE_WATCH_PAUSE_MS);
    look(&f);
    assert_int_equal(f.fake.log_lines, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_watch_look__says_nothing_while_nothing_is_lost),
        cmocka_unit_test(test_write_watch_look__says_the_first_loss_at_once_with_count_and_reason),
        cmocka_unit_test(test_write_watch_look__says_further_losses_once_a_minute),
        cmocka_unit_test(test_write_watch_look__says_once_that_it_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
