/*
 * Wiping, comparing, and the pool of locked slots.
 */
#include "base/secret.h"

#include "support/child.h"
#include "support/failing_alloc.h"
#include "support/test.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the kernel was told about the pool's memory, and which advice it shall refuse. */
#define NO_ADVICE (-1)

static struct {
    void *memory;
    size_t len;
    bool is_kept_from_dumps;
    bool is_kept_from_children;
} advised;
static int refused_advice = NO_ADVICE;

int __real_madvise(void *memory, size_t len, int advice);
int __wrap_madvise(void *memory, size_t len, int advice);

int __wrap_madvise(void *memory, size_t len, int advice)
{
    if (advice == refused_advice) {
        errno = EINVAL;
        return -1;
    }
    advised.memory = memory;
    advised.len = len;
    advised.is_kept_from_dumps |= advice == MADV_DONTDUMP;
    advised.is_kept_from_children |= advice == MADV_WIPEONFORK;
    return __real_madvise(memory, len, advice);
}

static bool is_lock_refused;

int __real_mlock(const void *memory, size_t len);
int __wrap_mlock(const void *memory, size_t len);

/* Wrapped and not limited by rlimit, for a sanitizer's mlock always succeeds. */
int __wrap_mlock(const void *memory, size_t len)
{
    return is_lock_refused ? -1 : __real_mlock(memory, len);
}

static void drop_pool(struct lh_secret_pool **pool)
{
    lh_secret_pool_free(*pool);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static void test_secret__wipe_overwrites_exactly_what_is_asked(void **state)
{
    (void)state;
    uint8_t bytes[8];
    memset(bytes, 0xaa, sizeof(bytes));
    lh_wipe(bytes + 2, 4);
    static const uint8_t expected[8] = {0xaa, 0xaa, 0, 0, 0, 0, 0xaa, 0xaa};
    assert_memory_equal(bytes, expected, sizeof(expected));
    lh_wipe(NULL, 0);
}

static void test_secret__a_finished_key_is_zero(void **state)
{
    (void)state;
    struct lh_key key;
    memset(&key, 0xaa, sizeof(key));
    lh_key_fini(&key);
    assert_true(is_zero(key.bytes, sizeof(key.bytes)));
    lh_key_fini(NULL);
}

static void test_secret__comparison_sees_every_bit(void **state)
{
    (void)state;
    uint8_t a[33] = {0};
    uint8_t b[33] = {0};
    assert_true(lh_secret_is_equal(a, b, sizeof(a)));
    for (size_t bit = 0; bit < sizeof(a) * 8; bit++) {
        b[bit / 8] = (uint8_t)(1U << (bit % 8));
        assert_false(lh_secret_is_equal(a, b, sizeof(a)));
        assert_false(lh_secret_slice_is_equal(LH_SLICE_OF(a), LH_SLICE_OF(b)));
        b[bit / 8] = 0;
    }
    assert_true(lh_secret_slice_is_equal(LH_SLICE_OF(a), LH_SLICE_OF(b)));
    assert_false(lh_secret_slice_is_equal(LH_SLICE_OF(a), lh_slice_of(b, sizeof(b) - 1)));
    assert_true(lh_secret_slice_is_equal(LH_SLICE_EMPTY, LH_SLICE_EMPTY));
}

static void test_pool__gives_each_slot_once_and_zeroed(void **state)
{
    (void)state;
    LH_CLEANUP(drop_pool) struct lh_secret_pool *pool = NULL;
    assert_ok(lh_secret_pool_new(33, 3, LH_LOCK_BEST_EFFORT, &pool));
    void *slots[3];
    for (size_t i = 0; i < 3; i++) {
        assert_ok(lh_secret_pool_take(pool, &slots[i]));
        assert_true(is_zero(slots[i], 33));
        assert_int_equal((uintptr_t)slots[i] % 16, 0);
        memset(slots[i], (int)i + 1, 33);
    }
    void *none = NULL;
    assert_status(lh_secret_pool_take(pool, &none), LH_NO_MEMORY);
    assert_null(none);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(*(uint8_t *)slots[i], i + 1);
        assert_int_equal(((uint8_t *)slots[i])[32], i + 1);
    }
}

static void test_pool__a_slot_given_back_is_wiped_at_once(void **state)
{
    (void)state;
    LH_CLEANUP(drop_pool) struct lh_secret_pool *pool = NULL;
    assert_ok(lh_secret_pool_new(32, 2, LH_LOCK_BEST_EFFORT, &pool));
    void *kept;
    void *given;
    assert_ok(lh_secret_pool_take(pool, &kept));
    assert_ok(lh_secret_pool_take(pool, &given));
    memset(kept, 0x55, 32);
    memset(given, 0xaa, 32);
    lh_secret_pool_give(pool, given);
    assert_true(is_zero(given, 32));
    assert_int_equal(*(uint8_t *)kept, 0x55);
    void *again;
    assert_ok(lh_secret_pool_take(pool, &again));
    assert_ptr_equal(again, given);
    lh_secret_pool_give(pool, NULL);
}

static void test_pool__is_locked_and_kept_out_of_dumps(void **state)
{
    (void)state;
    LH_CLEANUP(drop_pool) struct lh_secret_pool *pool = NULL;
    memset(&advised, 0, sizeof(advised));
    assert_ok(lh_secret_pool_new(32, 200, LH_LOCK_REQUIRED, &pool));
    assert_true(lh_secret_pool_is_locked(pool));
    void *first = advised.memory;
    assert_true(advised.is_kept_from_dumps && advised.is_kept_from_children);
    for (size_t i = 0; i < 200; i++) {
        void *slot;
        assert_ok(lh_secret_pool_take(pool, &slot));
        assert_in_range((uintptr_t)slot - (uintptr_t)first, 0, advised.len - 32);
    }
}

static void test_pool__the_policy_decides_when_dumps_cannot_be_avoided(void **state)
{
    (void)state;
    static const int each[] = {MADV_DONTDUMP, MADV_WIPEONFORK};
    for (size_t i = 0; i < 2; i++) {
        struct lh_secret_pool *pool = NULL;
        refused_advice = each[i];
        lh_status required = lh_secret_pool_new(32, 4, LH_LOCK_REQUIRED, &pool);
        assert_status(required, LH_NO_MEMORY);
        assert_null(pool);
        assert_ok(lh_secret_pool_new(32, 4, LH_LOCK_BEST_EFFORT, &pool));
        refused_advice = NO_ADVICE;
        lh_secret_pool_free(pool);
    }
}

static void expect_zero_in_child(void *context)
{
    if (!is_zero(context, 32)) {
        _exit(1);
    }
}

static void test_pool__a_forked_child_sees_nothing(void **state)
{
    (void)state;
    LH_CLEANUP(drop_pool) struct lh_secret_pool *pool = NULL;
    assert_ok(lh_secret_pool_new(32, 1, LH_LOCK_REQUIRED, &pool));
    void *slot;
    assert_ok(lh_secret_pool_take(pool, &slot));
    memset(slot, 0xaa, 32);
    int status = child_run(expect_zero_in_child, slot);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(*(uint8_t *)slot, 0xaa);
}

static void test_pool__the_policy_decides_when_locking_is_refused(void **state)
{
    (void)state;
    struct lh_secret_pool *pool = NULL;
    is_lock_refused = true;
    assert_status(lh_secret_pool_new(32, 4, LH_LOCK_REQUIRED, &pool), LH_NO_MEMORY);
    assert_null(pool);
    assert_ok(lh_secret_pool_new(32, 4, LH_LOCK_BEST_EFFORT, &pool));
    is_lock_refused = false;
    assert_false(lh_secret_pool_is_locked(pool));
    lh_secret_pool_free(pool);
}

static void test_pool__refuses_nonsense_sizes(void **state)
{
    (void)state;
    struct lh_secret_pool *pool = NULL;
    const size_t gib = (size_t)1 << 30;
    assert_status(lh_secret_pool_new(0, 1, LH_LOCK_BEST_EFFORT, &pool), LH_INVALID);
    assert_status(lh_secret_pool_new(1, 0, LH_LOCK_BEST_EFFORT, &pool), LH_INVALID);
    assert_status(lh_secret_pool_new(1, gib, LH_LOCK_BEST_EFFORT, &pool), LH_INVALID);
    assert_status(lh_secret_pool_new(gib + 1, 1, LH_LOCK_BEST_EFFORT, &pool), LH_INVALID);
    assert_status(lh_secret_pool_new(SIZE_MAX, 1, LH_LOCK_BEST_EFFORT, &pool), LH_INVALID);
    assert_status(lh_secret_pool_new(32, SIZE_MAX, LH_LOCK_BEST_EFFORT, &pool), LH_INVALID);
    assert_status(lh_secret_pool_new(gib, 2, LH_LOCK_BEST_EFFORT, &pool), LH_INVALID);
    assert_status(lh_secret_pool_new(17, gib / 16, LH_LOCK_BEST_EFFORT, &pool), LH_INVALID);
    assert_null(pool);
}

static void test_pool__survives_each_failed_allocation(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 3; nth++) {
        struct lh_secret_pool *pool = NULL;
        failing_alloc_at(nth);
        assert_status(lh_secret_pool_new(32, 4, LH_LOCK_BEST_EFFORT, &pool), LH_NO_MEMORY);
        failing_alloc_at(0);
        assert_null(pool);
    }
    lh_secret_pool_free(NULL);
}

struct misuse {
    struct lh_secret_pool *pool;
    uint8_t *slot;
};

static void give_twice(void *context)
{
    struct misuse *misuse = context;
    lh_secret_pool_give(misuse->pool, misuse->slot);
    lh_secret_pool_give(misuse->pool, misuse->slot);
}

static void give_a_foreign_slot(void *context)
{
    struct misuse *misuse = context;
    static uint8_t elsewhere[64];
    lh_secret_pool_give(misuse->pool, elsewhere);
}

static void give_the_middle_of_a_slot(void *context)
{
    struct misuse *misuse = context;
    lh_secret_pool_give(misuse->pool, misuse->slot + 8);
}

static void take_from_something_else(void *context)
{
    (void)context;
    static uint64_t not_a_pool[32];
    void *slot;
    (void)lh_secret_pool_take((void *)not_a_pool, &slot).code;
}

static void test_pool__misuse_is_a_bug(void **state)
{
    (void)state;
    LH_CLEANUP(drop_pool) struct lh_secret_pool *pool = NULL;
    assert_ok(lh_secret_pool_new(32, 2, LH_LOCK_BEST_EFFORT, &pool));
    void *slot;
    assert_ok(lh_secret_pool_take(pool, &slot));
    struct misuse misuse = {pool, slot};
    assert_aborts(give_twice, &misuse);
    assert_aborts(give_a_foreign_slot, &misuse);
    assert_aborts(give_the_middle_of_a_slot, &misuse);
    assert_aborts(take_from_something_else, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret__wipe_overwrites_exactly_what_is_asked),
        cmocka_unit_test(test_secret__a_finished_key_is_zero),
        cmocka_unit_test(test_secret__comparison_sees_every_bit),
        cmocka_unit_test(test_pool__gives_each_slot_once_and_zeroed),
        cmocka_unit_test(test_pool__a_slot_given_back_is_wiped_at_once),
        cmocka_unit_test(test_pool__is_locked_and_kept_out_of_dumps),
        cmocka_unit_test(test_pool__the_policy_decides_when_dumps_cannot_be_avoided),
        cmocka_unit_test(test_pool__a_forked_child_sees_nothing),
        cmocka_unit_test(test_pool__the_policy_decides_when_locking_is_refused),
        cmocka_unit_test(test_pool__refuses_nonsense_sizes),
        cmocka_unit_test(test_pool__survives_each_failed_allocation),
        cmocka_unit_test(test_pool__misuse_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
