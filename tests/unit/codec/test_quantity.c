/*
 * Sizes, times and counts.
 */
#include "support/test.h"

#include "codec/quantity.h"

static void reads(enum lh_quantity_kind kind, const char *text, uint64_t expected)
{
    uint64_t value = 0;
    assert_ok(lh_quantity_parse(kind, lh_slice_from_text(text), &value));
    assert_int_equal(value, expected);
}

static void refuses(enum lh_quantity_kind kind, const char *text)
{
    uint64_t value = 77;
    lh_status status = lh_quantity_parse(kind, lh_slice_from_text(text), &value);
    assert_true(status.code == LH_MALFORMED || status.code == LH_TOO_LARGE);
    assert_int_equal(value, 77);
}

static void writes(enum lh_quantity_kind kind, uint64_t value, const char *expected)
{
    struct lh_buf text = LH_BUF_EMPTY;
    assert_ok(lh_quantity_write(kind, value, &text));
    assert_slice_text(lh_buf_view(&text), expected);
    lh_buf_fini(&text);
}

static void test_quantity_parse__units_multiply(void **state)
{
    (void)state;
    reads(LH_QUANTITY_SIZE, "0", 0);
    reads(LH_QUANTITY_SIZE, "7", 7);
    reads(LH_QUANTITY_SIZE, "7k", 7168);
    reads(LH_QUANTITY_SIZE, "1t", UINT64_C(1) << 40);
    reads(LH_QUANTITY_TIME, "90s", 90000);
    reads(LH_QUANTITY_TIME, "5ms", 5);
    reads(LH_QUANTITY_TIME, "400d", UINT64_C(400) * 86400000);
    reads(LH_QUANTITY_COUNT, "18446744073709551615", UINT64_MAX);
}

static void test_quantity_parse__a_time_without_unit_is_refused(void **state)
{
    (void)state;
    refuses(LH_QUANTITY_TIME, "90");
    refuses(LH_QUANTITY_TIME, "0");
}

static void test_quantity_parse__anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "k",    "-1",  "+1", "1.5k", " 1", "1 ", "1 k",
                                        "1kb", "0x10", "1e3", "01", "1K",   "1M", "١"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuses(LH_QUANTITY_SIZE, texts[i]);
        refuses(LH_QUANTITY_COUNT, texts[i]);
        refuses(LH_QUANTITY_TIME, texts[i]);
    }
    refuses(LH_QUANTITY_COUNT, "1k");
    refuses(LH_QUANTITY_SIZE, "1s");
}

static void test_quantity_parse__nothing_overflows(void **state)
{
    (void)state;
    refuses(LH_QUANTITY_COUNT, "18446744073709551616");
    refuses(LH_QUANTITY_SIZE, "16777216t");
    refuses(LH_QUANTITY_TIME, "213503982335d");
}

static void test_quantity_write__largest_unit_that_divides(void **state)
{
    (void)state;
    writes(LH_QUANTITY_SIZE, 0, "0");
    writes(LH_QUANTITY_SIZE, 1024, "1k");
    writes(LH_QUANTITY_SIZE, 1025, "1025");
    writes(LH_QUANTITY_TIME, 5400000, "90m");
    writes(LH_QUANTITY_TIME, 0, "0ms");
    writes(LH_QUANTITY_COUNT, 1024, "1024");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantity_parse__units_multiply),
        cmocka_unit_test(test_quantity_parse__a_time_without_unit_is_refused),
        cmocka_unit_test(test_quantity_parse__anything_else_is_refused),
        cmocka_unit_test(test_quantity_parse__nothing_overflows),
        cmocka_unit_test(test_quantity_write__largest_unit_that_divides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
