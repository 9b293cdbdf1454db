/*
 * Audit lines: one line each, no value can pretend to be another field.
 */
#include "support/test.h"

#include "audit/audit_event.h"

static char last_line[4096];
static enum lh_log_level last_level;
static int lines;

static void keep_line(void *self, enum lh_log_level level, lh_slice line)
{
    (void)self;
    assert_true(line.len < sizeof(last_line));
    memcpy(last_line, line.ptr, line.len);
    last_line[line.len] = '\0';
    last_level = level;
    lines++;
}

static const struct lh_host host = {.log = keep_line};

static void test_audit_write__names_event_and_fields(void **state)
{
    (void)state;
    const struct lh_audit_field fields[] = {{"tenant", LH_SLICE_LITERAL("acme")},
                                            {"actor", LH_SLICE_LITERAL("cli:root")}};
    lh_audit_write(&host, LH_AUDIT_tenant_created, fields, 2);
    assert_string_equal(last_line, "leasehold: audit tenant_created tenant=acme actor=cli:root");
    assert_int_equal(last_level, LH_LOG_ERROR);
}

static void test_audit_write__value_cannot_add_a_field_or_a_line(void **state)
{
    (void)state;
    lines = 0;
    const struct lh_audit_field field = {"sub", LH_SLICE_LITERAL("a b=c\n\"d\\")};
    lh_audit_write(&host, LH_AUDIT_session_created, &field, 1);
    assert_string_equal(last_line,
                        "leasehold: audit session_created sub=a\\x20b\\x3dc\\x0a\\x22d\\x5c");
    assert_int_equal(lines, 1);
}

static void test_audit_write__huge_value_is_cut_not_overrun(void **state)
{
    (void)state;
    static uint8_t huge[8192];
    memset(huge, 'x', sizeof(huge));
    const struct lh_audit_field field = {"sub", LH_SLICE_OF(huge)};
    lh_audit_write(&host, LH_AUDIT_integrity, &field, 1);
    assert_true(strlen(last_line) < 1024);
}

static void test_audit_event__class_tells_acts_from_decisions(void **state)
{
    (void)state;
    assert_int_equal(lh_audit_event_class(LH_AUDIT_session_revoked), LH_AUDIT_ACT);
    assert_int_equal(lh_audit_event_class(LH_AUDIT_tenant_mismatch), LH_AUDIT_DECISION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit_write__names_event_and_fields),
        cmocka_unit_test(test_audit_write__value_cannot_add_a_field_or_a_line),
        cmocka_unit_test(test_audit_write__huge_value_is_cut_not_overrun),
        cmocka_unit_test(test_audit_event__class_tells_acts_from_decisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
