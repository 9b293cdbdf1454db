/*
 * Memory that may have held secrets goes back to the heap without them.
 */
#include "support/freed.h"
#include "support/test.h"

#include "base/arena.h"
#include "base/buf.h"

static const char secret[] = "a secret that nobody may find";

static int watch(void **state)
{
    (void)state;
    freed_watch(secret, sizeof(secret));
    return 0;
}

static void test_freed__a_secret_that_is_not_wiped_is_found(void **state)
{
    (void)state;
    char *plain = malloc(sizeof(secret));
    assert_non_null(plain);
    memcpy(plain, secret, sizeof(secret));
    assert_string_equal(plain, secret); /* or the compiler would leave the copy out */
    free(plain);
    assert_int_equal(freed_traces(), 1);
}

static void test_freed__a_finished_buffer_holds_nothing(void **state)
{
    (void)state;
    struct lh_buf buf = LH_BUF_EMPTY;
    assert_ok(lh_buf_add(&buf, LH_SLICE_OF(secret)));
    lh_buf_clear(&buf); /* the memory is wiped, not what is written */
    lh_buf_fini(&buf);
    assert_int_equal(freed_blocks(), 1);
    assert_int_equal(freed_traces(), 0);
}

static void test_freed__a_growing_buffer_leaves_nothing_behind(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = LH_BUF_EMPTY;
    assert_ok(lh_buf_add(&buf, LH_SLICE_OF(secret)));
    assert_ok(lh_buf_reserve(&buf, 100000));
    assert_int_equal(freed_blocks(), 1);
    assert_int_equal(freed_traces(), 0);
    assert_memory_equal(buf.ptr, secret, sizeof(secret));
}

static void test_freed__a_wiped_buffer_keeps_memory_and_nothing_in_it(void **state)
{
    (void)state;
    struct lh_buf buf = LH_BUF_EMPTY;
    assert_ok(lh_buf_add(&buf, LH_SLICE_OF(secret)));
    const uint8_t *kept = buf.ptr;
    lh_buf_wipe(&buf, buf.cap);
    assert_ptr_equal(buf.ptr, kept);
    assert_int_equal(buf.len, 0);
    assert_null(memmem(buf.ptr, buf.cap, secret, sizeof(secret)));
    assert_int_equal(freed_blocks(), 0);

    assert_ok(lh_buf_add(&buf, LH_SLICE_OF(secret)));
    lh_buf_wipe(&buf, buf.cap - 1); /* larger than what may be kept */
    assert_null(buf.ptr);
    assert_int_equal(freed_blocks(), 1);
    assert_int_equal(freed_traces(), 0);
    lh_buf_wipe(&buf, 0);
}

static void test_freed__a_finished_arena_holds_nothing_in_any_block(void **state)
{
    (void)state;
    struct lh_arena arena = lh_arena_bounded(100000);
    lh_slice copy;
    void *large;
    assert_ok(lh_arena_dup(&arena, LH_SLICE_OF(secret), &copy));
    assert_ok(lh_arena_take(&arena, 50000, &large)); /* a block of its own */
    memcpy((uint8_t *)large + 50000 - sizeof(secret), secret, sizeof(secret));
    lh_arena_fini(&arena);
    assert_int_equal(freed_blocks(), 2);
    assert_int_equal(freed_traces(), 0);
}

#define FREED_TEST(name) cmocka_unit_test_setup(name, watch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FREED_TEST(test_freed__a_secret_that_is_not_wiped_is_found),
        FREED_TEST(test_freed__a_finished_buffer_holds_nothing),
        FREED_TEST(test_freed__a_growing_buffer_leaves_nothing_behind),
        FREED_TEST(test_freed__a_wiped_buffer_keeps_memory_and_nothing_in_it),
        FREED_TEST(test_freed__a_finished_arena_holds_nothing_in_any_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
