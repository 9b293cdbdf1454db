/*
 * Limits: whose budget a request is charged to, that nobody spends another's, and what shared
 * memory survives.
 */
#include "support/test.h"

#include "gate/limits.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS      1000000ULL
#define S       1000000000ULL
#define NOW     (1000 * S)
#define TENANTS 1000U
#define ACME    7U
#define GLOBEX  8U

struct fixture {
    void *memory;
    struct lh_crypto *crypto;
    struct lh_limits *limits;
};

static void attach(struct fixture *f)
{
    const struct lh_limits_rates rates = LH_LIMITS_STANDARD_RATES;
    assert_ok(lh_limits_new(f->memory, LH_LIMITS_LEAST_BYTES, &rates, &f->limits));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->memory = mmap(NULL, LH_LIMITS_LEAST_BYTES, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f->memory, MAP_FAILED);
    assert_ok(lh_crypto_new(&f->crypto));
    assert_ok(lh_limits_format(f->memory, LH_LIMITS_LEAST_BYTES, TENANTS, f->crypto));
    attach(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lh_limits_free(f->limits);
    lh_crypto_free(f->crypto);
    munmap(f->memory, LH_LIMITS_LEAST_BYTES);
    free(f);
    return 0;
}

static struct lh_client ipv4(uint32_t number)
{
    uint8_t bytes[4];
    memcpy(bytes, &number, sizeof(bytes));
    return lh_client_of(LH_SLICE_OF(bytes));
}

static unsigned unproved(struct fixture *f, uint32_t slot, const struct lh_client *client,
                         unsigned tries)
{
    unsigned passed = 0;
    uint64_t retry_ns = 0;
    for (unsigned i = 0; i < tries; i++) {
        passed += lh_is_ok(lh_limits_charge_unproved(f->limits, slot, client, NOW, &retry_ns));
    }
    return passed;
}

/* --- Clients ---------------------------------------------------------------------------------- */

static bool are_same(lh_slice a, lh_slice b)
{
    struct lh_client x = lh_client_of(a);
    struct lh_client y = lh_client_of(b);
    return lh_slice_is_equal(LH_SLICE_OF(x), LH_SLICE_OF(y));
}

#define V6(tail) LH_SLICE_LITERAL("\x20\x01\x0d\xb8\x00\x01\x00\x02" tail)

static void test_limits__a_client_is_an_ipv4_address_or_an_ipv6_network(void **state)
{
    (void)state;
    assert_true(are_same(V6("\0\0\0\0\0\0\0\1"), V6("\xff\0\0\0\0\0\0\2")));
    assert_false(are_same(V6("\0\0\0\0\0\0\0\1"),
                          LH_SLICE_LITERAL("\x20\x01\x0d\xb8\0\1\0\3\0\0\0\0\0\0\0\1")));
    assert_false(are_same(LH_SLICE_LITERAL("\x7f\0\0\1"), LH_SLICE_LITERAL("\x7f\0\0\2")));
}

static void test_limits__a_mapped_address_is_the_ipv4_one(void **state)
{
    (void)state;
    assert_true(are_same(LH_SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1"),
                         LH_SLICE_LITERAL("\x7f\0\0\1")));
    assert_false(are_same(LH_SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1"),
                          LH_SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\2")));
}

static void test_limits__what_has_no_address_is_one_client_and_nobodys_else(void **state)
{
    (void)state;
    assert_true(are_same(LH_SLICE_EMPTY, LH_SLICE_LITERAL("unix:")));
    assert_false(are_same(LH_SLICE_EMPTY, LH_SLICE_LITERAL("\0\0\0\0")));
}

/* --- Requests --------------------------------------------------------------------------------- */

static void test_limits__a_tenant_spends_his_own_budget_alone(void **state)
{
    struct fixture *f = *state;
    const struct lh_rate rate = {.per_s = 10, .burst = 20};
    uint64_t retry_ns = 0;
    for (unsigned i = 0; i < 20; i++) {
        assert_ok(lh_limits_charge_tenant(f->limits, ACME, &rate, NOW, &retry_ns));
    }
    assert_status(lh_limits_charge_tenant(f->limits, ACME, &rate, NOW, &retry_ns), LH_LIMITED);
    assert_int_equal(retry_ns, 100 * MS);
    assert_ok(lh_limits_charge_tenant(f->limits, GLOBEX, &rate, NOW, &retry_ns));
    assert_ok(lh_limits_charge_tenant(f->limits, ACME, &rate, NOW + 100 * MS, &retry_ns));
}

static void test_limits__a_slot_that_no_tenant_has_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct lh_rate rate = {.per_s = 10, .burst = 20};
    uint64_t retry_ns;
    assert_ok(lh_limits_charge_tenant(f->limits, TENANTS - 1, &rate, NOW, &retry_ns));
    assert_status(lh_limits_charge_tenant(f->limits, TENANTS, &rate, NOW, &retry_ns), LH_INVALID);
}

static void test_limits__unproved_requests_cost_the_client_and_not_the_tenant(void **state)
{
    struct fixture *f = *state;
    const struct lh_rate rate = {.per_s = 1, .burst = 1};
    struct lh_client one = ipv4(1);
    struct lh_client other = ipv4(2);
    uint64_t retry_ns;
    assert_int_equal(unproved(f, ACME, &one, 1000), 250);
    assert_int_equal(unproved(f, ACME, &other, 1000), 250);
    assert_ok(lh_limits_charge_tenant(f->limits, ACME, &rate, NOW, &retry_ns));
}

static void test_limits__one_tenants_flood_leaves_a_client_the_half_for_others(void **state)
{
    struct fixture *f = *state;
    struct lh_client one = ipv4(1);
    assert_int_equal(unproved(f, ACME, &one, 250), 250);
    assert_int_equal(unproved(f, ACME, &one, 50), 0);
    assert_int_equal(unproved(f, GLOBEX, &one, 1000), 250);
    assert_int_equal(unproved(f, 0, &one, 1000), 0);
    assert_int_equal(unproved(f, 0, &(struct lh_client){{1, 9, 9, 9, 9}}, 1000), 500);
}

/* D07: far more clients than there is room for, and who has spent his budget is not forgotten. */
static void test_limits__a_flood_of_clients_forgets_the_rested_ones_first(void **state)
{
    struct fixture *f = *state;
    struct lh_client spent = ipv4(1);
    uint64_t retry_ns;
    assert_int_equal(unproved(f, 0, &spent, 600), 500);
    for (uint32_t i = 2; i < 1000000; i++) {
        struct lh_client client = ipv4(i);
        assert_ok(lh_limits_charge_unproved(f->limits, 0, &client, NOW, &retry_ns));
    }
    assert_int_equal(unproved(f, 0, &spent, 600), 0);
}

/* Marks of who has proved himself last for minutes; they take no place of budgets. */
static void test_limits__a_flood_of_proved_clients_forgets_no_budget(void **state)
{
    struct fixture *f = *state;
    struct lh_client spent = ipv4(1);
    assert_int_equal(unproved(f, ACME, &spent, 300), 250);
    for (uint32_t i = 2; i < 1000000; i++) {
        struct lh_client client = ipv4(i);
        lh_limits_note_proved(f->limits, GLOBEX, &client, NOW);
    }
    assert_int_equal(unproved(f, ACME, &spent, 300), 0);
    assert_int_equal(unproved(f, GLOBEX, &spent, 1000), 250);
}

/* --- Signatures ------------------------------------------------------------------------------- */

/* Checks that are paid until the budget is spent; returns how many there were. */
static unsigned verify(struct fixture *f, uint32_t slot, const struct lh_client *client,
                       uint64_t spent_ns, uint64_t now_ns, bool has_held)
{
    unsigned count = 0;
    uint64_t retry_ns;
    while (count < 100000 &&
           lh_is_ok(lh_limits_may_verify(f->limits, slot, client, now_ns, &retry_ns))) {
        lh_limits_charge_verify(f->limits, slot, client, now_ns, spent_ns, has_held);
        count++;
    }
    return count;
}

static void test_limits__failed_checks_are_counted_against_the_client(void **state)
{
    struct fixture *f = *state;
    struct lh_client forger = ipv4(1);
    struct lh_client other = ipv4(2);
    assert_int_equal(verify(f, ACME, &forger, 0, NOW, false), 200);
    assert_int_equal(verify(f, GLOBEX, &forger, 0, NOW, false), 0);
    assert_in_range(verify(f, ACME, &other, 0, NOW, true), 201, 10000);
}

static void test_limits__unknown_clients_of_one_tenant_leave_time_for_the_others(void **state)
{
    struct fixture *f = *state;
    unsigned flood = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct lh_client client = ipv4(100 + i);
        flood += verify(f, ACME, &client, 99000, NOW, true);
    }
    assert_int_equal(flood, 100); /* 10 ms */
    struct lh_client client = ipv4(1);
    assert_in_range(verify(f, GLOBEX, &client, 99000, NOW, true), 40, 60); /* a half of them */
}

/* More tenants than a worker tells apart, one after the other: none of them begins anew. */
static void test_limits__who_goes_from_tenant_to_tenant_has_one_budget(void **state)
{
    struct fixture *f = *state;
    unsigned count = 0;
    for (uint32_t i = 0; i < 3 * TENANTS; i++) {
        struct lh_client client = ipv4(i);
        uint32_t slot = 1 + i % (TENANTS - 1);
        count += verify(f, slot, &client, 99000, NOW, true);
    }
    assert_in_range(count, 100, 1000);
}

static void test_limits__who_has_proved_himself_is_not_behind_the_others(void **state)
{
    struct fixture *f = *state;
    struct lh_client known = ipv4(1);
    lh_limits_note_proved(f->limits, ACME, &known, NOW);
    for (uint32_t i = 0; i < 1000; i++) {
        struct lh_client client = ipv4(100 + i);
        (void)verify(f, ACME, &client, 99000, NOW, true);
    }
    assert_int_equal(verify(f, ACME, &known, 99000, NOW, true), 500); /* 50 ms */
    assert_int_equal(verify(f, ACME, &known, 99000, NOW + 599 * S, true), 500);
}

static void test_limits__having_proved_oneself_is_forgotten_and_holds_at_one_tenant(void **state)
{
    struct fixture *f = *state;
    struct lh_client known = ipv4(1);
    struct lh_client flood = ipv4(2);
    lh_limits_note_proved(f->limits, ACME, &known, NOW);
    assert_int_equal(verify(f, ACME, &flood, 99000, NOW + 600 * S, true), 100);
    assert_int_equal(verify(f, ACME, &known, 99000, NOW + 600 * S, true), 0);
    assert_in_range(verify(f, GLOBEX, &known, 99000, NOW, true), 1, 100);
    assert_int_equal(verify(f, GLOBEX, &known, 99000, NOW, true), 0);
}

static void test_limits__the_time_for_signatures_comes_back(void **state)
{
    struct fixture *f = *state;
    struct lh_client client = ipv4(1);
    assert_int_equal(verify(f, ACME, &client, 99000, NOW, true), 100);
    unsigned count = 0;
    for (uint64_t ms = 1; ms <= 10000; ms++) {
        count += verify(f, ACME, &client, 99000, NOW + ms * MS, true);
    }
    assert_in_range(count, 4900, 5100); /* 5 % of ten seconds */
}

/* A worker's first check may take longer than all that are allowed at once. */
static void test_limits__one_check_does_not_spend_the_time_of_all(void **state)
{
    struct fixture *f = *state;
    struct lh_client client = ipv4(1);
    lh_limits_charge_verify(f->limits, ACME, &client, NOW, 3 * S, true);
    assert_int_equal(verify(f, ACME, &client, 99000, NOW, true), 90); /* 9 of the 10 ms */
}

static void attach_with_time(struct fixture *f, uint32_t us_per_s)
{
    struct lh_limits_rates rates = LH_LIMITS_STANDARD_RATES;
    rates.signatures.per_s = us_per_s;
    lh_limits_free(f->limits);
    assert_ok(lh_limits_new(f->memory, LH_LIMITS_LEAST_BYTES, &rates, &f->limits));
}

static void test_limits__the_time_for_signatures_is_what_was_set(void **state)
{
    struct fixture *f = *state;
    struct lh_client client = ipv4(1);
    attach_with_time(f, 500000);
    assert_int_equal(verify(f, ACME, &client, 99000, NOW, true), 100);
    assert_in_range(verify(f, ACME, &client, 99000, NOW + 10 * MS, true), 49, 51);
    attach_with_time(f, 0);
    assert_int_equal(verify(f, ACME, &client, 99000, NOW, true), 100000);
    assert_int_equal(verify(f, GLOBEX, &client, 0, NOW, false), 200); /* failures count still */
    struct lh_client other = ipv4(2);
    lh_limits_note_proved(f->limits, ACME, &other, NOW);
    assert_int_equal(verify(f, ACME, &other, 99000, NOW, true), 500); /* limited still */
    other = ipv4(3);
    attach_with_time(f, 1);
    assert_int_equal(verify(f, ACME, &other, 99000, NOW, true), 100);
    assert_in_range(verify(f, GLOBEX, &other, 99000, NOW, true), 0, 50); /* a half of 1 is no 0 */
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void test_limits__a_reload_keeps_what_was_charged(void **state)
{
    struct fixture *f = *state;
    struct lh_client client = ipv4(1);
    assert_int_equal(unproved(f, ACME, &client, 1000), 250);
    lh_limits_free(f->limits);
    assert_ok(lh_limits_format(f->memory, LH_LIMITS_LEAST_BYTES, TENANTS, f->crypto));
    attach(f);
    assert_int_equal(unproved(f, ACME, &client, 1000), 0);
}

static void test_limits__memory_for_something_else_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct lh_limits_rates rates = LH_LIMITS_STANDARD_RATES;
    struct lh_limits *unused;
    size_t len = LH_LIMITS_LEAST_BYTES;
    assert_status(lh_limits_format(f->memory, len, TENANTS + 1, f->crypto), LH_INVALID);
    assert_status(lh_limits_format(f->memory, len - 1, TENANTS, f->crypto), LH_INVALID);
    assert_status(lh_limits_new(f->memory, len - 1, &rates, &unused), LH_INVALID);
    memset(f->memory, 0, 64);
    assert_status(lh_limits_new(f->memory, len, &rates, &unused), LH_INVALID);
    assert_status(lh_limits_format(f->memory, len, (uint32_t)(len / 8), f->crypto), LH_INVALID);
}

static void test_limits__rates_out_of_bounds_are_refused(void **state)
{
    struct fixture *f = *state;
    struct lh_limits *unused;
    struct lh_limits_rates rates = LH_LIMITS_STANDARD_RATES;
    rates.failures.burst = 0;
    assert_status(lh_limits_new(f->memory, LH_LIMITS_LEAST_BYTES, &rates, &unused), LH_INVALID);
}

#define PROCESSES 4U

static void test_limits__workers_share_the_budgets_of_tenants_and_clients(void **state)
{
    struct fixture *f = *state;
    const struct lh_rate rate = {.per_s = 1, .burst = 1000};
    _Atomic unsigned *passed =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal((void *)(uintptr_t)passed, MAP_FAILED);
    for (unsigned i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct lh_client client = ipv4(1);
            uint64_t retry_ns;
            for (unsigned n = 0; n < 900; n++) {
                passed[0] +=
                    lh_is_ok(lh_limits_charge_tenant(f->limits, ACME, &rate, NOW, &retry_ns));
            }
            passed[1] += unproved(f, ACME, &client, 200);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        int result;
        assert_true(wait(&result) > 0 && result == 0);
    }
    assert_int_equal(passed[0], 1000);
    assert_int_equal(passed[1], 250);
}

#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits__a_client_is_an_ipv4_address_or_an_ipv6_network),
        cmocka_unit_test(test_limits__a_mapped_address_is_the_ipv4_one),
        cmocka_unit_test(test_limits__what_has_no_address_is_one_client_and_nobodys_else),
        IN_FIXTURE(test_limits__a_tenant_spends_his_own_budget_alone),
        IN_FIXTURE(test_limits__a_slot_that_no_tenant_has_is_refused),
        IN_FIXTURE(test_limits__unproved_requests_cost_the_client_and_not_the_tenant),
        IN_FIXTURE(test_limits__one_tenants_flood_leaves_a_client_the_half_for_others),
        IN_FIXTURE(test_limits__a_flood_of_clients_forgets_the_rested_ones_first),
        IN_FIXTURE(test_limits__a_flood_of_proved_clients_forgets_no_budget),
        IN_FIXTURE(test_limits__who_goes_from_tenant_to_tenant_has_one_budget),
        IN_FIXTURE(test_limits__failed_checks_are_counted_against_the_client),
        IN_FIXTURE(test_limits__unknown_clients_of_one_tenant_leave_time_for_the_others),
        IN_FIXTURE(test_limits__one_check_does_not_spend_the_time_of_all),
        IN_FIXTURE(test_limits__who_has_proved_himself_is_not_behind_the_others),
        IN_FIXTURE(test_limits__having_proved_oneself_is_forgotten_and_holds_at_one_tenant),
        IN_FIXTURE(test_limits__the_time_for_signatures_comes_back),
        IN_FIXTURE(test_limits__the_time_for_signatures_is_what_was_set),
        IN_FIXTURE(test_limits__a_reload_keeps_what_was_charged),
        IN_FIXTURE(test_limits__memory_for_something_else_is_refused),
        IN_FIXTURE(test_limits__rates_out_of_bounds_are_refused),
        IN_FIXTURE(test_limits__workers_share_the_budgets_of_tenants_and_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
