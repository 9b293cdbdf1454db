/*
 * The rate limit: what fits, what does not, when it fits again, and several processes at once.
 */
#include "support/test.h"

#include "base/gcra.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000ULL
#define S  1000000000ULL

static const struct lh_rate ten_per_s = {.per_s = 10, .burst = 5};

static uint64_t accepted(_Atomic uint64_t *until_ns, const struct lh_rate *rate, uint64_t now_ns,
                         unsigned tries)
{
    uint64_t count = 0;
    uint64_t retry_ns;
    for (unsigned i = 0; i < tries; i++) {
        count += lh_is_ok(lh_gcra_charge(until_ns, rate, 1, now_ns, &retry_ns));
    }
    return count;
}

static void test_gcra__a_burst_fits_after_a_rest_and_no_more(void **state)
{
    (void)state;
    _Atomic uint64_t until_ns = 0;
    assert_int_equal(accepted(&until_ns, &ten_per_s, 7 * S, 100), 5);
    assert_int_equal(accepted(&until_ns, &ten_per_s, 7 * S + 99 * MS, 100), 0);
    assert_int_equal(accepted(&until_ns, &ten_per_s, 7 * S + 100 * MS, 100), 1);
    assert_int_equal(accepted(&until_ns, &ten_per_s, 7 * S + 600 * MS, 100), 5);
}

static void test_gcra__what_is_refused_says_when_it_fits(void **state)
{
    (void)state;
    _Atomic uint64_t until_ns = 0;
    uint64_t retry_ns = 0;
    assert_int_equal(accepted(&until_ns, &ten_per_s, S, 5), 5);
    assert_status(lh_gcra_charge(&until_ns, &ten_per_s, 1, S + 30 * MS, &retry_ns), LH_LIMITED);
    assert_int_equal(retry_ns, 70 * MS);
    assert_status(lh_gcra_charge(&until_ns, &ten_per_s, 1, S + 30 * MS + retry_ns - 1, &retry_ns),
                  LH_LIMITED);
    assert_ok(lh_gcra_charge(&until_ns, &ten_per_s, 1, S + 100 * MS, &retry_ns));
    assert_status(lh_gcra_charge(&until_ns, &ten_per_s, 5, S + 100 * MS, &retry_ns), LH_LIMITED);
    assert_int_equal(retry_ns, 500 * MS);
    assert_ok(lh_gcra_charge(&until_ns, &ten_per_s, 5, S + 600 * MS, &retry_ns));
}

static void test_gcra__refused_events_cost_nothing(void **state)
{
    (void)state;
    _Atomic uint64_t until_ns = 0;
    assert_int_equal(accepted(&until_ns, &ten_per_s, S, 1000), 5);
    assert_int_equal(accepted(&until_ns, &ten_per_s, S + 100 * MS, 1), 1);
}

static void test_gcra__over_a_long_time_the_rate_holds_to_the_event(void **state)
{
    (void)state;
    const struct lh_rate rate = {.per_s = 3, .burst = 2}; /* an interval that is no whole number */
    _Atomic uint64_t until_ns = 0;
    uint64_t count = 0;
    for (uint64_t now_ns = S; now_ns < 1001 * S; now_ns += 10 * MS) {
        count += accepted(&until_ns, &rate, now_ns, 1);
    }
    assert_in_range(count, 2998, 3002);
}

static void test_gcra__no_rate_is_no_limit(void **state)
{
    (void)state;
    const struct lh_rate none = {.per_s = 0, .burst = 1};
    _Atomic uint64_t until_ns = 0;
    uint64_t retry_ns;
    assert_int_equal(accepted(&until_ns, &none, S, 1000), 1000);
    assert_ok(lh_gcra_peek(&until_ns, &none, S, &retry_ns));
    lh_gcra_spend(&until_ns, &none, 1000, S);
    assert_int_equal(until_ns, 0);
}

static void test_gcra__a_number_from_nowhere_is_a_spent_budget_and_heals(void **state)
{
    (void)state;
    const uint64_t absurd[] = {UINT64_MAX, INT64_MAX, 1000000 * S};
    for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
        _Atomic uint64_t until_ns = absurd[i];
        assert_int_equal(accepted(&until_ns, &ten_per_s, S, 1), 0);
        assert_int_equal(accepted(&until_ns, &ten_per_s, S + 500 * MS, 100), 5);
    }
}

static void test_gcra__what_is_spent_beyond_the_budget_is_a_debt_of_one_time(void **state)
{
    (void)state;
    _Atomic uint64_t until_ns = 0;
    uint64_t retry_ns;
    lh_gcra_spend(&until_ns, &ten_per_s, 3, S);
    assert_ok(lh_gcra_peek(&until_ns, &ten_per_s, S, &retry_ns));
    lh_gcra_spend(&until_ns, &ten_per_s, 5, S);
    lh_gcra_spend(&until_ns, &ten_per_s, 5, S);
    assert_status(lh_gcra_peek(&until_ns, &ten_per_s, S + 599 * MS, &retry_ns), LH_LIMITED);
    assert_ok(lh_gcra_peek(&until_ns, &ten_per_s, S + 600 * MS, &retry_ns));
}

static void test_gcra__largest_and_smallest_rates_do_not_overflow(void **state)
{
    (void)state;
    const struct lh_rate slow = {.per_s = 1, .burst = LH_RATE_BURST_MAX};
    const struct lh_rate fast = {.per_s = LH_RATE_PER_S_MAX, .burst = 1};
    uint64_t retry_ns;
    assert_true(lh_rate_is_valid(&slow) && lh_rate_is_valid(&fast));
    _Atomic uint64_t until_ns = 0;
    assert_ok(lh_gcra_charge(&until_ns, &slow, LH_RATE_BURST_MAX, S, &retry_ns));
    assert_status(lh_gcra_charge(&until_ns, &slow, 1, S, &retry_ns), LH_LIMITED);
    assert_int_equal(retry_ns, S);
    until_ns = 0;
    assert_int_equal(accepted(&until_ns, &fast, S, 10), 1);
    assert_int_equal(accepted(&until_ns, &fast, S + 1000, 10), 1);
}

static void test_gcra__a_rate_out_of_bounds_is_none(void **state)
{
    (void)state;
    assert_false(lh_rate_is_valid(&(struct lh_rate){.per_s = 1, .burst = 0}));
    assert_false(lh_rate_is_valid(&(struct lh_rate){.per_s = 1, .burst = LH_RATE_BURST_MAX + 1}));
    assert_false(lh_rate_is_valid(&(struct lh_rate){.per_s = LH_RATE_PER_S_MAX + 1, .burst = 1}));
}

#define PROCESSES 4U

static void test_gcra__processes_share_one_budget(void **state)
{
    (void)state;
    const struct lh_rate rate = {.per_s = 1, .burst = 10000};
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    _Atomic uint64_t *shared = page;
    _Atomic uint64_t *total = shared + 8;
    for (unsigned i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            atomic_fetch_add(total, accepted(shared, &rate, S, 5000));
            _exit(0);
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int result;
        assert_true(wait(&result) > 0 && result == 0);
    }
    assert_int_equal(*total, 10000);
    munmap(page, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gcra__a_burst_fits_after_a_rest_and_no_more),
        cmocka_unit_test(test_gcra__what_is_refused_says_when_it_fits),
        cmocka_unit_test(test_gcra__refused_events_cost_nothing),
        cmocka_unit_test(test_gcra__over_a_long_time_the_rate_holds_to_the_event),
        cmocka_unit_test(test_gcra__no_rate_is_no_limit),
        cmocka_unit_test(test_gcra__a_number_from_nowhere_is_a_spent_budget_and_heals),
        cmocka_unit_test(test_gcra__what_is_spent_beyond_the_budget_is_a_debt_of_one_time),
        cmocka_unit_test(test_gcra__largest_and_smallest_rates_do_not_overflow),
        cmocka_unit_test(test_gcra__a_rate_out_of_bounds_is_none),
        cmocka_unit_test(test_gcra__processes_share_one_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
