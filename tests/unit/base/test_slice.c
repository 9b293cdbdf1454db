/*
 * Slices and the cursor.
 */
#include "support/test.h"

static void test_slice__equal_bytes_are_equal(void **state)
{
    (void)state;
    assert_true(lh_slice_is_equal(LH_SLICE_LITERAL("abc"), lh_slice_from_text("abc")));
    assert_true(lh_slice_is_equal(LH_SLICE_EMPTY, LH_SLICE_LITERAL("")));
    assert_false(lh_slice_is_equal(LH_SLICE_LITERAL("abc"), LH_SLICE_LITERAL("abd")));
    assert_false(lh_slice_is_equal(LH_SLICE_LITERAL("abc"), LH_SLICE_LITERAL("ab")));
    assert_false(lh_slice_is_equal(LH_SLICE_LITERAL("abc"), LH_SLICE_LITERAL("ABC")));
}

static void test_slice__nul_is_a_byte_like_any_other(void **state)
{
    (void)state;
    assert_int_equal(LH_SLICE_LITERAL("a\0b").len, 3);
    assert_false(lh_slice_is_equal(LH_SLICE_LITERAL("a\0b"), LH_SLICE_LITERAL("a\0c")));
    assert_false(lh_slice_is_equal(LH_SLICE_LITERAL("a\0b"), LH_SLICE_LITERAL("a")));
}

static void test_slice__nocase_folds_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(lh_slice_is_equal_nocase(LH_SLICE_LITERAL("aZ-9"), LH_SLICE_LITERAL("Az-9")));
    /* The neighbours of the letters, and bytes that differ in the same bit as letters do. */
    assert_false(lh_slice_is_equal_nocase(LH_SLICE_LITERAL("@"), LH_SLICE_LITERAL("`")));
    assert_false(lh_slice_is_equal_nocase(LH_SLICE_LITERAL("["), LH_SLICE_LITERAL("{")));
    assert_false(lh_slice_is_equal_nocase(LH_SLICE_LITERAL("\xc4"), LH_SLICE_LITERAL("\xe4")));
    assert_false(lh_slice_is_equal_nocase(LH_SLICE_LITERAL("a"), LH_SLICE_LITERAL("ab")));
}

static void test_slice__prefix_and_suffix(void **state)
{
    (void)state;
    lh_slice name = LH_SLICE_LITERAL("acme.Example.com");
    assert_true(lh_slice_has_prefix(name, LH_SLICE_LITERAL("acme.")));
    assert_true(lh_slice_has_prefix(name, LH_SLICE_EMPTY));
    assert_false(lh_slice_has_prefix(name, LH_SLICE_LITERAL("Acme.")));
    assert_false(lh_slice_has_prefix(LH_SLICE_LITERAL("ac"), LH_SLICE_LITERAL("acme")));
    assert_true(lh_slice_has_suffix_nocase(name, LH_SLICE_LITERAL(".example.COM")));
    assert_true(lh_slice_has_suffix_nocase(name, LH_SLICE_EMPTY));
    assert_false(lh_slice_has_suffix_nocase(name, LH_SLICE_LITERAL(".org")));
    assert_false(lh_slice_has_suffix_nocase(LH_SLICE_LITERAL("com"), LH_SLICE_LITERAL(".com")));
}

static void test_slice__find_answers_len_when_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(lh_slice_find(LH_SLICE_LITERAL("a.b.c"), '.'), 1);
    assert_int_equal(lh_slice_find(LH_SLICE_LITERAL("abc"), '.'), 3);
    assert_int_equal(lh_slice_find(LH_SLICE_EMPTY, '.'), 0);
}

static void test_slice__cut_is_clipped(void **state)
{
    (void)state;
    lh_slice s = LH_SLICE_LITERAL("leasehold");
    assert_slice_text(lh_slice_cut(s, 0, 5), "lease");
    assert_slice_text(lh_slice_cut(s, 5, 100), "hold");
    assert_slice_text(lh_slice_cut(s, 5, SIZE_MAX), "hold");
    assert_int_equal(lh_slice_cut(s, 9, 1).len, 0);
    assert_int_equal(lh_slice_cut(s, SIZE_MAX, SIZE_MAX).len, 0);
    assert_int_equal(lh_slice_cut(LH_SLICE_EMPTY, 0, 1).len, 0);
}

static void test_slice__trim_takes_space_and_tab_only(void **state)
{
    (void)state;
    assert_slice_text(lh_slice_trim(LH_SLICE_LITERAL(" \t a b\t ")), "a b");
    assert_slice_text(lh_slice_trim(LH_SLICE_LITERAL("\na\v")), "\na\v");
    assert_slice_text(lh_slice_trim(LH_SLICE_LITERAL("\xc2\xa0"
                                                     "a")),
                      "\xc2\xa0"
                      "a");
    assert_int_equal(lh_slice_trim(LH_SLICE_LITERAL(" \t ")).len, 0);
    assert_int_equal(lh_slice_trim(LH_SLICE_EMPTY).len, 0);
}

static void test_slice__parse_u64_reads_canonical_decimals(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_ok(lh_slice_parse_u64(LH_SLICE_LITERAL("0"), 10, &value));
    assert_int_equal(value, 0);
    assert_ok(lh_slice_parse_u64(LH_SLICE_LITERAL("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_ok(lh_slice_parse_u64(LH_SLICE_LITERAL("10"), 10, &value));
    assert_int_equal(value, 10);
}

static void test_slice__parse_u64_refuses_everything_else(void **state)
{
    (void)state;
    static const char *const malformed[] = {"",   "00", "01", "+1",  "-1", " 1",
                                            "1 ", "1a", "/",  "0x1", "1.", "1\n"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        uint64_t value = 7;
        assert_status(lh_slice_parse_u64(lh_slice_from_text(malformed[i]), UINT64_MAX, &value),
                      LH_MALFORMED);
        assert_int_equal(value, 7);
    }
}

static void test_slice__parse_u64_refuses_overflow(void **state)
{
    (void)state;
    static const char *const large[] = {"11", "18446744073709551616", "18446744073709551620",
                                        "99999999999999999999", "100000000000000000000000000"};
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        uint64_t value = 7;
        uint64_t max = i == 0 ? 10 : UINT64_MAX;
        assert_status(lh_slice_parse_u64(lh_slice_from_text(large[i]), max, &value), LH_TOO_LARGE);
        assert_int_equal(value, 7);
    }
}

static void test_slice__print_length_is_never_negative(void **state)
{
    (void)state;
    assert_int_equal(lh_slice_print_len(LH_SLICE_LITERAL("abc")), 3);
    assert_int_equal(lh_slice_print_len(lh_slice_of("", (size_t)INT_MAX)), INT_MAX);
    assert_int_equal(lh_slice_print_len(lh_slice_of("", (size_t)INT_MAX + 1)), INT_MAX);
    assert_int_equal(lh_slice_print_len(lh_slice_of("", SIZE_MAX)), INT_MAX);
}

static void test_cursor__reads_big_endian_front_to_back(void **state)
{
    (void)state;
    static const uint8_t wire[] = {1, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1,
                                   2, 3,    4,    5,    6,    7,    8,    'x',  'y',  'z'};
    struct lh_cursor cursor = lh_cursor_over(LH_SLICE_OF(wire));
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    assert_ok(lh_cursor_u8(&cursor, &u8));
    assert_int_equal(u8, 1);
    assert_ok(lh_cursor_u16(&cursor, &u16));
    assert_int_equal(u16, 0x1234);
    assert_ok(lh_cursor_u32(&cursor, &u32));
    assert_int_equal(u32, 0x56789abc);
    assert_ok(lh_cursor_u16(&cursor, &u16));
    assert_int_equal(u16, 0xdef0);
    assert_ok(lh_cursor_u64(&cursor, &u64));
    assert_true(u64 == UINT64_C(0x0102030405060708));
    assert_status(lh_cursor_finish(&cursor), LH_MALFORMED);
    lh_slice view;
    assert_ok(lh_cursor_view(&cursor, 2, &view));
    assert_slice_text(view, "xy");
    char copy[1];
    assert_ok(lh_cursor_copy(&cursor, copy, sizeof(copy)));
    assert_int_equal(copy[0], 'z');
    assert_ok(lh_cursor_finish(&cursor));
}

static void test_cursor__a_read_past_the_end_takes_nothing(void **state)
{
    (void)state;
    static const uint8_t wire[] = {1, 2, 3};
    struct lh_cursor cursor = lh_cursor_over(LH_SLICE_OF(wire));
    uint32_t u32 = 7;
    uint64_t u64 = 7;
    lh_slice view = LH_SLICE_EMPTY;
    uint8_t copy[4] = {9, 9, 9, 9};
    assert_status(lh_cursor_u32(&cursor, &u32), LH_MALFORMED);
    assert_status(lh_cursor_u64(&cursor, &u64), LH_MALFORMED);
    assert_status(lh_cursor_view(&cursor, 4, &view), LH_MALFORMED);
    assert_status(lh_cursor_view(&cursor, SIZE_MAX, &view), LH_MALFORMED);
    assert_status(lh_cursor_copy(&cursor, copy, sizeof(copy)), LH_MALFORMED);
    assert_int_equal(u32, 7);
    assert_int_equal(u64, 7);
    assert_null(view.ptr);
    assert_int_equal(copy[0], 9);
    assert_int_equal(cursor.rest.len, 3);
}

static void test_cursor__an_empty_source_gives_only_empty_views(void **state)
{
    (void)state;
    struct lh_cursor cursor = lh_cursor_over(LH_SLICE_EMPTY);
    lh_slice view;
    uint8_t u8;
    uint16_t u16;
    assert_ok(lh_cursor_view(&cursor, 0, &view));
    assert_int_equal(view.len, 0);
    assert_ok(lh_cursor_copy(&cursor, NULL, 0));
    assert_status(lh_cursor_u8(&cursor, &u8), LH_MALFORMED);
    assert_status(lh_cursor_u16(&cursor, &u16), LH_MALFORMED);
    assert_ok(lh_cursor_finish(&cursor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice__equal_bytes_are_equal),
        cmocka_unit_test(test_slice__nul_is_a_byte_like_any_other),
        cmocka_unit_test(test_slice__nocase_folds_ascii_letters_only),
        cmocka_unit_test(test_slice__prefix_and_suffix),
        cmocka_unit_test(test_slice__find_answers_len_when_there_is_none),
        cmocka_unit_test(test_slice__cut_is_clipped),
        cmocka_unit_test(test_slice__trim_takes_space_and_tab_only),
        cmocka_unit_test(test_slice__parse_u64_reads_canonical_decimals),
        cmocka_unit_test(test_slice__parse_u64_refuses_everything_else),
        cmocka_unit_test(test_slice__parse_u64_refuses_overflow),
        cmocka_unit_test(test_slice__print_length_is_never_negative),
        cmocka_unit_test(test_cursor__reads_big_endian_front_to_back),
        cmocka_unit_test(test_cursor__a_read_past_the_end_takes_nothing),
        cmocka_unit_test(test_cursor__an_empty_source_gives_only_empty_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
