/*
 * Memory that dies all at once.
 */
#include "base/arena.h"

#include "support/failing_alloc.h"
#include "support/test.h"

static void test_arena__gives_zeroed_aligned_pieces_that_do_not_overlap(void **state)
{
    (void)state;
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(1 << 20);
    uint8_t *pieces[500];
    for (size_t i = 0; i < 500; i++) {
        void *piece;
        assert_ok(lh_arena_take(&arena, i, &piece));
        assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
        pieces[i] = piece;
        for (size_t at = 0; at < i; at++) {
            assert_int_equal(pieces[i][at], 0);
            pieces[i][at] = (uint8_t)i;
        }
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t at = 0; at < i; at++) {
            assert_int_equal(pieces[i][at], (uint8_t)i);
        }
    }
}

static void test_arena__the_maximum_holds_for_one_and_for_many(void **state)
{
    (void)state;
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(256);
    void *piece;
    assert_status(lh_arena_take(&arena, 257, &piece), LH_TOO_LARGE);
    assert_status(lh_arena_take(&arena, SIZE_MAX, &piece), LH_TOO_LARGE);
    assert_ok(lh_arena_take(&arena, 200, &piece));
    assert_status(lh_arena_take(&arena, 57, &piece), LH_TOO_LARGE);
    assert_ok(lh_arena_take(&arena, 40, &piece));
}

static void test_arena__small_pieces_cannot_slip_past_the_maximum(void **state)
{
    (void)state;
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(4096);
    size_t pieces = 0;
    void *piece;
    while (lh_is_ok(lh_arena_take(&arena, 1, &piece))) {
        pieces++;
    }
    assert_int_equal(pieces, 4096 / _Alignof(max_align_t));
}

static void test_arena__an_unbounded_arena_refuses_what_would_overflow(void **state)
{
    (void)state;
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(SIZE_MAX);
    void *piece = NULL;
    assert_status(lh_arena_take(&arena, SIZE_MAX, &piece), LH_TOO_LARGE);
    assert_status(lh_arena_take(&arena, SIZE_MAX - 8, &piece), LH_TOO_LARGE);
    assert_null(piece);
}

static void test_arena__a_large_piece_does_not_end_the_open_block(void **state)
{
    (void)state;
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(1 << 20);
    void *first;
    void *large;
    void *second;
    assert_ok(lh_arena_take(&arena, 16, &first));
    assert_ok(lh_arena_take(&arena, 10000, &large));
    failing_alloc_at(0);
    assert_ok(lh_arena_take(&arena, 16, &second));
    assert_int_equal(failing_alloc_count(), 0);
    memset(large, 0xff, 10000);
    assert_int_equal(*(uint8_t *)first, 0);
    assert_int_equal(*(uint8_t *)second, 0);
}

static void test_arena__dup_copies(void **state)
{
    (void)state;
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(64);
    char text[] = "lease";
    lh_slice copy;
    assert_ok(lh_arena_dup(&arena, lh_slice_from_text(text), &copy));
    text[0] = 'X';
    assert_slice_text(copy, "lease");
    assert_ok(lh_arena_dup(&arena, LH_SLICE_EMPTY, &copy));
    assert_int_equal(copy.len, 0);
    char long_text[65] = {0};
    assert_status(lh_arena_dup(&arena, LH_SLICE_OF(long_text), &copy), LH_TOO_LARGE);
}

static void test_arena__a_failed_allocation_leaves_it_usable(void **state)
{
    (void)state;
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(1 << 20);
    void *piece = NULL;
    failing_alloc_at(1);
    assert_status(lh_arena_take(&arena, 16, &piece), LH_NO_MEMORY);
    assert_ok(lh_arena_take(&arena, 16, &piece));
    failing_alloc_at(1);
    assert_status(lh_arena_take(&arena, 10000, &piece), LH_NO_MEMORY);
    failing_alloc_at(1);
    assert_status(lh_arena_take(&arena, 4090, &piece), LH_NO_MEMORY);
    failing_alloc_at(0);
    assert_ok(lh_arena_take(&arena, 10000, &piece));
    assert_ok(lh_arena_take(&arena, 4090, &piece));
}

static void test_arena__fini_accepts_empty_and_may_be_repeated(void **state)
{
    (void)state;
    struct lh_arena arena = lh_arena_bounded(64);
    lh_arena_fini(&arena);
    void *piece;
    assert_ok(lh_arena_take(&arena, 64, &piece));
    lh_arena_fini(&arena);
    assert_ok(lh_arena_take(&arena, 64, &piece));
    lh_arena_fini(&arena);
    lh_arena_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena__gives_zeroed_aligned_pieces_that_do_not_overlap),
        cmocka_unit_test(test_arena__the_maximum_holds_for_one_and_for_many),
        cmocka_unit_test(test_arena__small_pieces_cannot_slip_past_the_maximum),
        cmocka_unit_test(test_arena__an_unbounded_arena_refuses_what_would_overflow),
        cmocka_unit_test(test_arena__a_large_piece_does_not_end_the_open_block),
        cmocka_unit_test(test_arena__dup_copies),
        cmocka_unit_test(test_arena__a_failed_allocation_leaves_it_usable),
        cmocka_unit_test(test_arena__fini_accepts_empty_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
