/*
 * Memory that the processes of a host share, before any of them has a home.
 */
#include <leasehold/setup.h>

#include "gate/limits.h"
#include "registry/change_counter.h"
#include "support/test.h"

static uint8_t *fresh(void)
{
    uint8_t *memory = aligned_alloc(64, LH_SHARED_LEAST_BYTES);
    assert_non_null(memory);
    memset(memory, 0, LH_SHARED_LEAST_BYTES);
    return memory;
}

static void test_shared__what_is_ready_stays_as_it_is(void **state)
{
    (void)state;
    uint8_t *memory = fresh();
    const struct lh_rate rate = {.per_s = 1, .burst = 1};
    const struct lh_limits_rates rates = LH_LIMITS_STANDARD_RATES;
    uint64_t retry_ns;
    struct lh_limits *limits;
    assert_ok(lh_shared_prepare(memory, LH_SHARED_LEAST_BYTES));
    assert_ok(lh_limits_new(memory, LH_SHARED_LEAST_BYTES, &rates, &limits));
    assert_ok(lh_limits_charge_tenant(limits, LH_COUNTER_SLOTS - 1, &rate, 1, &retry_ns));
    lh_limits_free(limits);
    assert_ok(lh_shared_prepare(memory, LH_SHARED_LEAST_BYTES));
    assert_ok(lh_limits_new(memory, LH_SHARED_LEAST_BYTES, &rates, &limits));
    assert_status(lh_limits_charge_tenant(limits, LH_COUNTER_SLOTS - 1, &rate, 1, &retry_ns),
                  LH_LIMITED);
    lh_limits_free(limits);
    free(memory);
}

static void test_shared__too_little_is_refused_and_not_written(void **state)
{
    (void)state;
    uint8_t *memory = fresh();
    assert_status(lh_shared_prepare(memory, LH_SHARED_LEAST_BYTES - 1), LH_INVALID);
    assert_status(lh_shared_prepare(memory, 0), LH_INVALID);
    for (size_t i = 0; i < 4096; i++) {
        assert_int_equal(memory[i], 0);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared__what_is_ready_stays_as_it_is),
        cmocka_unit_test(test_shared__too_little_is_refused_and_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
