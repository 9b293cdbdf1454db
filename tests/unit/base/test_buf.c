/*
 * The owned, bounded buffer.
 */
#include "base/buf.h"

#include "support/failing_alloc.h"
#include "support/test.h"

static void test_buf__appends_in_order_and_big_endian(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_u8(&buf, 1));
    assert_ok(lh_buf_add_u16(&buf, 0x0203));
    assert_ok(lh_buf_add_u32(&buf, 0x04050607));
    assert_ok(lh_buf_add_u64(&buf, UINT64_C(0x08090a0b0c0d0e0f)));
    assert_ok(lh_buf_add(&buf, LH_SLICE_LITERAL("a\0b")));
    static const uint8_t expected[] = {1,  2,  3,  4,  5,  6,  7,   8, 9,
                                       10, 11, 12, 13, 14, 15, 'a', 0, 'b'};
    assert_true(lh_slice_is_equal(lh_buf_view(&buf), LH_SLICE_OF(expected)));
}

static void test_buf__the_maximum_is_reached_and_not_passed(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = lh_buf_bounded(4);
    assert_ok(lh_buf_add_text(&buf, "abc"));
    assert_status(lh_buf_add_text(&buf, "de"), LH_TOO_LARGE);
    assert_slice_text(lh_buf_view(&buf), "abc");
    assert_ok(lh_buf_add_text(&buf, "d"));
    assert_status(lh_buf_add_u8(&buf, 0), LH_TOO_LARGE);
    assert_status(lh_buf_reserve(&buf, SIZE_MAX), LH_TOO_LARGE);
    assert_slice_text(lh_buf_view(&buf), "abcd");
}

static void test_buf__a_full_buffer_can_be_formatted_and_terminated(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = lh_buf_bounded(4);
    assert_ok(lh_buf_add_format(&buf, "%s%d", "abc", 4));
    assert_slice_text(lh_buf_view(&buf), "abc4");
    assert_ok(lh_buf_terminate(&buf));
    assert_string_equal((const char *)buf.ptr, "abc4");
    assert_int_equal(buf.len, 4);
    assert_status(lh_buf_add_format(&buf, "%s", "x"), LH_TOO_LARGE);
}

static void test_buf__nobody_may_hold_more_than_the_hard_maximum(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf careless = lh_buf_bounded(SIZE_MAX);
    assert_status(lh_buf_reserve(&careless, LH_BUF_MAX_BYTES + 1), LH_TOO_LARGE);
    assert_ok(lh_buf_reserve(&careless, LH_BUF_MAX_BYTES));
    LH_CLEANUP(lh_buf_fini) struct lh_buf silent = LH_BUF_EMPTY;
    assert_status(lh_buf_reserve(&silent, LH_BUF_MAX_BYTES + 1), LH_TOO_LARGE);
}

static void test_buf__growing_keeps_the_content(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = LH_BUF_EMPTY;
    for (uint32_t i = 0; i < 10000; i++) {
        assert_ok(lh_buf_add_u32(&buf, i));
    }
    struct lh_cursor cursor = lh_cursor_over(lh_buf_view(&buf));
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t value;
        assert_ok(lh_cursor_u32(&cursor, &value));
        assert_int_equal(value, i);
    }
    assert_ok(lh_cursor_finish(&cursor));
}

static void test_buf__empty_additions_are_allowed(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = LH_BUF_EMPTY;
    uint8_t *room = NULL;
    assert_ok(lh_buf_add(&buf, LH_SLICE_EMPTY));
    assert_ok(lh_buf_add_text(&buf, ""));
    assert_ok(lh_buf_add_room(&buf, 0, &room));
    assert_non_null(room);
    assert_ok(lh_buf_terminate(&buf));
    assert_string_equal((const char *)buf.ptr, "");
    assert_int_equal(buf.len, 0);
}

static void test_buf__fini_leaves_an_empty_buffer_with_its_maximum(void **state)
{
    (void)state;
    struct lh_buf buf = lh_buf_bounded(8);
    assert_ok(lh_buf_add_text(&buf, "gone"));
    lh_buf_fini(&buf);
    assert_null(buf.ptr);
    assert_int_equal(buf.len, 0);
    assert_status(lh_buf_add_text(&buf, "too long for 8"), LH_TOO_LARGE);
    lh_buf_fini(&buf);
    lh_buf_fini(NULL);
}

static void test_buf__clear_keeps_the_memory(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_text(&buf, "once"));
    uint8_t *memory = buf.ptr;
    lh_buf_clear(&buf);
    assert_ok(lh_buf_add_text(&buf, "more"));
    assert_ptr_equal(buf.ptr, memory);
    assert_slice_text(lh_buf_view(&buf), "more");
}

static void test_buf__a_failed_allocation_leaves_the_content(void **state)
{
    (void)state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = LH_BUF_EMPTY;
    failing_alloc_at(1);
    assert_status(lh_buf_add_text(&buf, "abc"), LH_NO_MEMORY);
    assert_ok(lh_buf_add_text(&buf, "abc"));
    failing_alloc_at(1);
    assert_status(lh_buf_reserve(&buf, 100000), LH_NO_MEMORY);
    failing_alloc_at(0);
    assert_slice_text(lh_buf_view(&buf), "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf__appends_in_order_and_big_endian),
        cmocka_unit_test(test_buf__the_maximum_is_reached_and_not_passed),
        cmocka_unit_test(test_buf__a_full_buffer_can_be_formatted_and_terminated),
        cmocka_unit_test(test_buf__nobody_may_hold_more_than_the_hard_maximum),
        cmocka_unit_test(test_buf__growing_keeps_the_content),
        cmocka_unit_test(test_buf__empty_additions_are_allowed),
        cmocka_unit_test(test_buf__fini_leaves_an_empty_buffer_with_its_maximum),
        cmocka_unit_test(test_buf__clear_keeps_the_memory),
        cmocka_unit_test(test_buf__a_failed_allocation_leaves_the_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
