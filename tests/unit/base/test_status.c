/*
 * The status table: names, classes, texts, and the macros that pass a status on.
 */
#include "support/test.h"

static void test_status__every_code_has_its_own_name_and_a_text(void **state)
{
    (void)state;
    for (int a = 0; a < LH_STATUS_COUNT; a++) {
        const char *name = lh_status_name(lh_status_of((enum lh_code)a));
        assert_string_not_equal(name, "UNKNOWN_STATUS");
        assert_true(strlen(lh_status_text(lh_status_of((enum lh_code)a))) > 0);
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(name, lh_status_name(lh_status_of((enum lh_code)b)));
        }
    }
}

static void test_status__only_ok_is_of_the_class_ok(void **state)
{
    (void)state;
    for (int code = 0; code < LH_STATUS_COUNT; code++) {
        lh_status status = lh_status_of((enum lh_code)code);
        assert_int_equal(lh_is_ok(status), code == LH_OK);
        assert_int_equal(lh_status_class(status) == LH_CLASS_OK, code == LH_OK);
    }
}

static void test_status__classes_of_what_decides_about_requests(void **state)
{
    (void)state;
    static const struct {
        enum lh_code code;
        enum lh_class class;
    } rows[] = {
        {LH_PENDING, LH_CLASS_PENDING},
        {LH_ABSENT, LH_CLASS_DENY},
        {LH_REVOKED, LH_CLASS_DENY},
        {LH_EXPIRED, LH_CLASS_DENY},
        {LH_WRONG_TENANT, LH_CLASS_DENY},
        {LH_TAMPERED, LH_CLASS_TAMPERED},
        {LH_FOREIGN, LH_CLASS_TAMPERED},
        {LH_STORE_DOWN, LH_CLASS_UNAVAILABLE},
        {LH_KEY_DOWN, LH_CLASS_UNAVAILABLE},
        {LH_COUNTERS_DOWN, LH_CLASS_UNAVAILABLE},
        {LH_CLOCK_DOWN, LH_CLASS_UNAVAILABLE},
        {LH_TIMEOUT, LH_CLASS_UNAVAILABLE},
        {LH_NO_MEMORY, LH_CLASS_RESOURCE},
        {LH_QUEUE_FULL, LH_CLASS_RESOURCE},
        {LH_FUTURE_FORMAT, LH_CLASS_UNAVAILABLE},
        {LH_INVALID, LH_CLASS_MISUSE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(lh_status_class(lh_status_of(rows[i].code)), rows[i].class);
    }
}

static void test_status__a_code_outside_the_table_is_misuse(void **state)
{
    (void)state;
    static const int outside[] = {LH_STATUS_COUNT, -1, 100000};
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        lh_status status = {(enum lh_code)outside[i]};
        assert_int_equal(lh_status_class(status), LH_CLASS_MISUSE);
        assert_string_equal(lh_status_name(status), "UNKNOWN_STATUS");
        assert_string_equal(lh_status_text(status), "unknown status");
    }
}

static lh_status pass(enum lh_code code, int *steps)
{
    LH_TRY(lh_status_of(code));
    (*steps)++;
    return lh_ok();
}

static lh_status guard(bool condition)
{
    LH_ENSURE(condition, LH_FORBIDDEN);
    return lh_ok();
}

static void test_status__try_passes_everything_but_ok(void **state)
{
    (void)state;
    int steps = 0;
    assert_ok(pass(LH_OK, &steps));
    assert_int_equal(steps, 1);
    assert_status(pass(LH_PENDING, &steps), LH_PENDING);
    assert_status(pass(LH_TAMPERED, &steps), LH_TAMPERED);
    assert_int_equal(steps, 1);
    assert_ok(guard(true));
    assert_status(guard(false), LH_FORBIDDEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status__every_code_has_its_own_name_and_a_text),
        cmocka_unit_test(test_status__only_ok_is_of_the_class_ok),
        cmocka_unit_test(test_status__classes_of_what_decides_about_requests),
        cmocka_unit_test(test_status__a_code_outside_the_table_is_misuse),
        cmocka_unit_test(test_status__try_passes_everything_but_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
