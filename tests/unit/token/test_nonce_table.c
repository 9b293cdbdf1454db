/*
 * Used signatures: one claim of a nonce at most succeeds, in whatever process, whatever the clock
 * does; nothing is evicted; what cannot be known is refused; and tenants do not fill each other's
 * table.
 */
#include "support/test.h"

#include "token/nonce_table.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIRTH_S     UINT64_C(1700000000)
#define NOW_S       (BIRTH_S + 1000)
#define CHILDREN    2
#define ROOMY_BYTES ((size_t)512 * 1024)
#define NONCES      6000
#define SPINS       20000 /* before the others get the processor */
#define FIRST       2000  /* numbers below it are not those of children */

static const struct lh_siphash_key fresh_key = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};

/* What the children of a test share beside the table. */
struct meeting {
    _Atomic unsigned arrived;
    _Atomic unsigned claimed[NONCES]; /* how often each was */
};

struct fixture {
    void *memory; /* as a host lends it: zeroed, and shared with children */
    struct lh_nonce_table *table;
    struct meeting *shared;
};

static void *map_shared(size_t len)
{
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->memory = map_shared(LH_NONCE_TABLE_LEAST_BYTES);
    fixture->shared = map_shared(sizeof(*fixture->shared));
    assert_ok(lh_nonce_table_open(fixture->memory, LH_NONCE_TABLE_LEAST_BYTES, BIRTH_S * 1000,
                                  &fresh_key, &fixture->table));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_nonce_table_close(fixture->table);
    munmap(fixture->memory, LH_NONCE_TABLE_LEAST_BYTES);
    munmap(fixture->shared, sizeof(*fixture->shared));
    free(fixture);
    return 0;
}

/* A nonce that is used at now_s and lives for life_s from then on. */
static lh_status claim_text(struct lh_nonce_table *table, uint8_t tenant, const char *key_id,
                            const char *text, uint64_t now_s, uint64_t life_s)
{
    struct lh_nonce nonce = {.uid = {{tenant}},
                             .slot = tenant,
                             .key_id = lh_slice_from_text(key_id),
                             .nonce = lh_slice_from_text(text),
                             .created_s = now_s,
                             .expires_s = now_s + life_s};
    return lh_nonce_table_claim(table, &nonce, now_s * 1000 + 999);
}

/* A numbered one, used at now_s, that ends at end_s. */
static lh_status claim_number(struct lh_nonce_table *table, uint8_t tenant, unsigned number,
                              uint64_t now_s, uint64_t end_s)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%u", number);
    struct lh_nonce nonce = {.uid = {{tenant}},
                             .slot = tenant,
                             .key_id = LH_SLICE_LITERAL("k"),
                             .nonce = lh_slice_from_text(text),
                             .created_s = end_s - 100,
                             .expires_s = end_s};
    return lh_nonce_table_claim(table, &nonce, now_s * 1000);
}

/* --- Once ------------------------------------------------------------------------------------- */

static void test_nonce_table__a_nonce_is_claimed_once_until_it_expires(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(claim_text(fixture->table, 1, "k", "n", NOW_S, 60));
    struct lh_nonce again = {.uid = {{1}},
                             .key_id = LH_SLICE_LITERAL("k"),
                             .nonce = LH_SLICE_LITERAL("n"),
                             .created_s = NOW_S,
                             .expires_s = NOW_S + 60};
    for (uint64_t now_s = NOW_S; now_s < again.expires_s; now_s++) {
        assert_status(lh_nonce_table_claim(fixture->table, &again, now_s * 1000), LH_REPLAYED);
    }
    assert_status(lh_nonce_table_claim(fixture->table, &again, again.expires_s * 1000), LH_INVALID);
    /* Other times make no other nonce of it. */
    again.created_s += 10;
    again.expires_s += 10;
    assert_status(lh_nonce_table_claim(fixture->table, &again, (NOW_S + 59) * 1000), LH_REPLAYED);
    assert_ok(lh_nonce_table_claim(fixture->table, &again, (NOW_S + 60) * 1000));
}

static void test_nonce_table__tenants_and_keys_have_nonces_of_their_own(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(claim_text(fixture->table, 1, "k", "n", NOW_S, 60));
    assert_ok(claim_text(fixture->table, 2, "k", "n", NOW_S, 60));
    assert_ok(claim_text(fixture->table, 1, "l", "n", NOW_S, 60));
    assert_ok(claim_text(fixture->table, 1, "kn", "x", NOW_S, 60));
    assert_ok(claim_text(fixture->table, 1, "k", "nx", NOW_S, 60));
    assert_status(claim_text(fixture->table, 2, "k", "n", NOW_S, 60), LH_REPLAYED);
}

static void test_nonce_table__all_who_open_it_share_it(void **state)
{
    struct fixture *fixture = *state;
    static const struct lh_siphash_key other_key = {{99}};
    struct lh_nonce_table *other;
    assert_ok(lh_nonce_table_open(fixture->memory, LH_NONCE_TABLE_LEAST_BYTES, (NOW_S + 500) * 1000,
                                  &other_key, &other));
    assert_ok(claim_text(fixture->table, 1, "k", "n", NOW_S, 60));
    assert_status(claim_text(other, 1, "k", "n", NOW_S, 60), LH_REPLAYED);
    assert_ok(claim_text(other, 1, "k", "m", NOW_S, 60));
    lh_nonce_table_close(other);
    assert_status(claim_text(fixture->table, 1, "k", "m", NOW_S, 60), LH_REPLAYED);
}

static void test_nonce_table__other_memory_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lh_nonce_table *table = NULL;
    assert_status(lh_nonce_table_open(fixture->memory, LH_NONCE_TABLE_LEAST_BYTES - 1, NOW_S * 1000,
                                      &fresh_key, &table),
                  LH_INVALID);
    assert_status(lh_nonce_table_open((char *)fixture->memory + 8, LH_NONCE_TABLE_LEAST_BYTES,
                                      NOW_S * 1000, &fresh_key, &table),
                  LH_INVALID);
    void *larger = map_shared(2 * LH_NONCE_TABLE_LEAST_BYTES);
    assert_ok(
        lh_nonce_table_open(larger, LH_NONCE_TABLE_LEAST_BYTES, NOW_S * 1000, &fresh_key, &table));
    lh_nonce_table_close(table);
    table = NULL;
    assert_status(lh_nonce_table_open(larger, 2 * LH_NONCE_TABLE_LEAST_BYTES, NOW_S * 1000,
                                      &fresh_key, &table),
                  LH_INVALID);
    memset(larger, 7, 64);
    assert_status(
        lh_nonce_table_open(larger, LH_NONCE_TABLE_LEAST_BYTES, NOW_S * 1000, &fresh_key, &table),
        LH_INVALID);
    assert_null(table);
    munmap(larger, 2 * LH_NONCE_TABLE_LEAST_BYTES);
}

static void test_nonce_table__names_have_bounds(void **state)
{
    struct fixture *fixture = *state;
    char name[LH_NONCE_NAME_MAX_BYTES + 2];
    memset(name, 'x', sizeof(name));
    name[LH_NONCE_NAME_MAX_BYTES] = 0;
    assert_ok(claim_text(fixture->table, 1, name, name, NOW_S, 60));
    assert_status(claim_text(fixture->table, 1, name, name, NOW_S, 60), LH_REPLAYED);
    name[LH_NONCE_NAME_MAX_BYTES] = 'x';
    name[LH_NONCE_NAME_MAX_BYTES + 1] = 0;
    assert_status(claim_text(fixture->table, 1, name, "n", NOW_S, 60), LH_INVALID);
    assert_status(claim_text(fixture->table, 1, "k", name, NOW_S, 60), LH_INVALID);
    assert_status(claim_text(fixture->table, 1, "k", "", NOW_S, 60), LH_INVALID);
    assert_status(claim_text(fixture->table, 1, "", "n", NOW_S, 60), LH_INVALID);
}

/* --- What cannot be known --------------------------------------------------------------------- */

static void test_nonce_table__what_could_have_been_used_before_its_birth_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t created_s = BIRTH_S - 300; created_s <= BIRTH_S + 30; created_s++) {
        assert_status(claim_text(fixture->table, 1, "k", "n", created_s, 300), LH_NONCES_DOWN);
    }
    assert_ok(claim_text(fixture->table, 1, "k", "n", BIRTH_S + 31, 300));
}

static void test_nonce_table__a_retired_table_knows_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_ok(claim_text(fixture->table, 1, "k", "n", NOW_S, 60));
    lh_nonce_table_retire(fixture->memory);
    assert_status(claim_text(fixture->table, 1, "k", "m", NOW_S, 60), LH_NONCES_DOWN);
    assert_status(claim_text(fixture->table, 1, "k", "n", NOW_S, 60), LH_REPLAYED);
}

/* Fills the table to the last place that any of so many nonces finds, all of one end. */
static unsigned fill(struct fixture *fixture, unsigned first, unsigned count, uint64_t now_s,
                     uint64_t end_s)
{
    unsigned claimed = 0;
    for (unsigned i = 0; i < count; i++) {
        uint8_t tenant = (uint8_t)(i % 16 + 1);
        claimed += lh_is_ok(claim_number(fixture->table, tenant, first + i, now_s, end_s));
    }
    return claimed;
}

static void test_nonce_table__a_clock_that_is_set_back_lets_none_through_twice(void **state)
{
    struct fixture *fixture = *state;
    const unsigned count = 3000;
    assert_int_equal(fill(fixture, 0, count, NOW_S, NOW_S + 60), count);
    /* An hour later others lie in their places. */
    assert_int_equal(fill(fixture, count, 6000, NOW_S + 3600, NOW_S + 3660), 6000);
    /* Then it is as early as before. */
    for (unsigned i = 0; i < count; i++) {
        uint8_t tenant = (uint8_t)(i % 16 + 1);
        lh_status status = claim_number(fixture->table, tenant, i, NOW_S, NOW_S + 60);
        assert_true(status.code == LH_NONCES_DOWN || status.code == LH_REPLAYED);
    }
    assert_status(claim_text(fixture->table, 200, "k", "new", NOW_S, 60), LH_NONCES_DOWN);
    assert_ok(claim_text(fixture->table, 200, "k", "new", NOW_S + 3661, 60));
}

/* --- Full ------------------------------------------------------------------------------------- */

static void test_nonce_table__a_full_one_refuses_and_forgets_nothing(void **state)
{
    struct fixture *fixture = *state;
    bool is_claimed[20000] = {false};
    unsigned full = 0;
    for (unsigned i = 0; i < 20000; i++) {
        lh_status status = claim_number(fixture->table, (uint8_t)(i % 200), i, NOW_S, NOW_S + 100);
        is_claimed[i] = lh_is_ok(status);
        full += status.code == LH_NO_SPACE;
        assert_true(lh_is_ok(status) || status.code == LH_NO_SPACE);
    }
    assert_true(full > 9000);
    for (unsigned i = 0; i < 20000; i++) {
        if (is_claimed[i]) {
            assert_status(
                claim_number(fixture->table, (uint8_t)(i % 200), i, NOW_S + 99, NOW_S + 100),
                LH_REPLAYED);
        }
    }
    assert_ok(claim_text(fixture->table, 1, "k", "later", NOW_S + 100, 60));
}

static void test_nonce_table__most_of_its_places_can_be_used(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 6000; i++) {
        assert_ok(claim_number(fixture->table, (uint8_t)(i % 200), i, NOW_S, NOW_S + 100));
    }
}

static void test_nonce_table__a_tenant_has_its_share_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    unsigned claimed = 0;
    lh_status status = lh_ok();
    for (unsigned i = 0; i < 10176 && lh_is_ok(status); i++) {
        status = claim_number(fixture->table, 1, i, NOW_S, NOW_S + 100);
        claimed += lh_is_ok(status);
    }
    assert_int_equal(status.code, LH_LIMITED);
    assert_in_range(claimed, 10176 / 8 - 2, 10176 / 8);
    assert_ok(claim_number(fixture->table, 2, 1, NOW_S, NOW_S + 100));
    /* A replay is told as one whatever is left of the share, and costs nothing. */
    assert_status(claim_number(fixture->table, 1, 0, NOW_S, NOW_S + 100), LH_REPLAYED);
    /* It comes back as time goes on. */
    assert_status(claim_number(fixture->table, 1, 20000, NOW_S, NOW_S + 100), LH_LIMITED);
    assert_ok(claim_number(fixture->table, 1, 20000, NOW_S + 1, NOW_S + 101));
}

/* What some have used up is no other's loss, among as many tenants as have a share of their own. */
static void test_nonce_table__a_tenant_without_a_share_left_leaves_the_others_theirs(void **state)
{
    (void)state;
    void *memory = map_shared(ROOMY_BYTES);
    struct lh_nonce_table *table;
    assert_ok(lh_nonce_table_open(memory, ROOMY_BYTES, BIRTH_S * 1000, &fresh_key, &table));
    for (uint8_t spent = 1; spent <= 4; spent++) {
        unsigned number = 0;
        while (lh_is_ok(claim_number(table, spent, number, NOW_S, NOW_S + 100))) {
            number++;
        }
        assert_true(number > 1000);
    }
    struct lh_nonce nonce = {.key_id = LH_SLICE_LITERAL("k"),
                             .nonce = LH_SLICE_LITERAL("n"),
                             .created_s = NOW_S,
                             .expires_s = NOW_S + 100};
    for (uint32_t slot = 5; slot <= 4096; slot++) {
        nonce.slot = slot;
        memcpy(nonce.uid.bytes, &slot, sizeof(slot));
        assert_ok(lh_nonce_table_claim(table, &nonce, NOW_S * 1000));
    }
    lh_nonce_table_close(table);
    munmap(memory, ROOMY_BYTES);
}

static void test_nonce_table__a_clock_that_is_set_back_leaves_no_tenant_in_debt(void **state)
{
    struct fixture *fixture = *state;
    unsigned number = 0;
    while (lh_is_ok(claim_number(fixture->table, 1, number, NOW_S + 5000, NOW_S + 5100))) {
        number++;
    }
    assert_true(number > 1000);
    assert_ok(claim_number(fixture->table, 1, number, NOW_S, NOW_S + 100));
}

/* --- Several processes ------------------------------------------------------------------------ */

/* Waits until all children are here. A child that never comes is found by the test's time-out. */
static void meet(struct fixture *fixture, unsigned times)
{
    atomic_fetch_add(&fixture->shared->arrived, 1);
    for (unsigned spins = 1; atomic_load(&fixture->shared->arrived) < CHILDREN * times; spins++) {
        if (spins % SPINS == 0) {
            (void)sched_yield();
        }
    }
}

/* Claims all nonces at the same moments as the others, by a clock of its own. */
_Noreturn static void claim_all(struct fixture *fixture, uint64_t now_s)
{
    struct lh_nonce_table *table;
    static const struct lh_siphash_key own_key = {{77}};
    if (!lh_is_ok(lh_nonce_table_open(fixture->memory, LH_NONCE_TABLE_LEAST_BYTES, now_s * 1000,
                                      &own_key, &table))) {
        _exit(1);
    }
    for (unsigned i = 0; i < NONCES; i++) {
        meet(fixture, i + 1);
        if (lh_is_ok(claim_number(table, (uint8_t)(i % 16), FIRST + i, now_s, NOW_S + 90))) {
            atomic_fetch_add(&fixture->shared->claimed[i], 1);
        }
    }
    _exit(0);
}

static void run_children(struct fixture *fixture, const uint64_t clocks_s[CHILDREN])
{
    pid_t children[CHILDREN];
    for (unsigned i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            claim_all(fixture, clocks_s[i]);
        }
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void test_nonce_table__of_several_processes_one_claims_each_nonce(void **state)
{
    struct fixture *fixture = *state;
    run_children(fixture, (const uint64_t[CHILDREN]){NOW_S, NOW_S});
    for (unsigned i = 0; i < NONCES; i++) {
        assert_int_equal(atomic_load(&fixture->shared->claimed[i]), 1);
    }
}

/* Places that have ended by one clock and not by the other: the two take different ones. */
static void test_nonce_table__of_two_clocks_one_at_most_claims_each_nonce(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fill(fixture, 0, FIRST, NOW_S, NOW_S + 50), FIRST);
    run_children(fixture, (const uint64_t[CHILDREN]){NOW_S + 49, NOW_S + 50});
    unsigned claimed = 0;
    for (unsigned i = 0; i < NONCES; i++) {
        assert_in_range(atomic_load(&fixture->shared->claimed[i]), 0, 1);
        claimed += atomic_load(&fixture->shared->claimed[i]);
    }
    assert_true(claimed > NONCES / 2);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TABLE(test_nonce_table__a_nonce_is_claimed_once_until_it_expires),
        WITH_TABLE(test_nonce_table__tenants_and_keys_have_nonces_of_their_own),
        WITH_TABLE(test_nonce_table__all_who_open_it_share_it),
        WITH_TABLE(test_nonce_table__other_memory_is_refused),
        WITH_TABLE(test_nonce_table__names_have_bounds),
        WITH_TABLE(test_nonce_table__what_could_have_been_used_before_its_birth_is_unknown),
        WITH_TABLE(test_nonce_table__a_retired_table_knows_nothing),
        WITH_TABLE(test_nonce_table__a_clock_that_is_set_back_lets_none_through_twice),
        WITH_TABLE(test_nonce_table__a_full_one_refuses_and_forgets_nothing),
        WITH_TABLE(test_nonce_table__most_of_its_places_can_be_used),
        WITH_TABLE(test_nonce_table__a_tenant_has_its_share_and_no_more),
        cmocka_unit_test(test_nonce_table__a_tenant_without_a_share_left_leaves_the_others_theirs),
        WITH_TABLE(test_nonce_table__a_clock_that_is_set_back_leaves_no_tenant_in_debt),
        WITH_TABLE(test_nonce_table__of_several_processes_one_claims_each_nonce),
        WITH_TABLE(test_nonce_table__of_two_clocks_one_at_most_claims_each_nonce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
