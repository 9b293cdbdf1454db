/*
 * What a reason answers: one body per status, one set of headers per 401.
 */
#include <leasehold/gate.h>

#include "support/test.h"

static struct lh_decision refused(enum lh_reason reason)
{
    struct lh_decision decision;
    lh_decision_init(&decision);
    lh_decision_refuse(&decision, reason);
    return decision;
}

static void test_decision__starts_as_a_refusal(void **state)
{
    (void)state;
    struct lh_decision decision;
    memset(&decision, 0xa5, sizeof(decision));
    lh_decision_init(&decision);
    assert_int_equal(decision.reason, LH_REASON_UNDECIDED);
    assert_int_equal(decision.http_status, 503);
    assert_int_equal(decision.inject_count, 0);
    assert_int_equal(decision.answer_count, 0);
    assert_false(decision.has_cookie);
    assert_false(decision.watch.is_set);
    assert_int_equal(decision.uid.len, 0);
}

static void test_reason__names_are_lower_case_and_texts_are_there(void **state)
{
    (void)state;
    assert_string_equal(lh_reason_name(LH_REASON_BAD_MAC), "bad_mac");
    assert_string_equal(lh_reason_name(LH_REASON_OK), "ok");
#define CHECK_ROW(name, lower, status, text)                                                       \
    assert_true(lh_slice_is_equal_nocase(lh_slice_from_text(#name), lh_slice_from_text(#lower)));  \
    assert_string_equal(lh_reason_name(LH_REASON_##name), #lower);                                 \
    assert_string_equal(lh_reason_text(LH_REASON_##name), text);                                   \
    assert_int_equal(lh_reason_http_status(LH_REASON_##name), status);
    LH_REASON_TABLE(CHECK_ROW)
#undef CHECK_ROW
}

/* Causes of one status must look the same from outside (abuse cases T27, D16). */
static void test_refuse__one_answer_for_each_status(void **state)
{
    (void)state;
    static const enum lh_reason first_of[600] = {[400] = LH_REASON_TENANT_MISSING,
                                                 [401] = LH_REASON_TENANT_UNKNOWN,
                                                 [403] = LH_REASON_ROLE,
                                                 [429] = LH_REASON_RATE_TENANT,
                                                 [503] = LH_REASON_STORE_DOWN};
    for (int i = 0; i < LH_REASON_COUNT; i++) {
        unsigned http_status = lh_reason_http_status((enum lh_reason)i);
        if (http_status < 400) {
            continue;
        }
        struct lh_decision got = refused((enum lh_reason)i);
        assert_true(http_status < 600 && first_of[http_status] != 0);
        struct lh_decision expected = refused(first_of[http_status]);
        assert_int_equal(got.http_status, http_status);
        assert_true(got.body.len > 0);
        assert_true(lh_slice_is_equal(got.body, expected.body));
        assert_int_equal(got.retry_after_s, expected.retry_after_s);
        assert_int_equal(got.answer_count, expected.answer_count);
        assert_true(got.is_private);
    }
}

static void test_refuse__only_what_passes_by_asks_to_retry(void **state)
{
    (void)state;
    assert_int_equal(refused(LH_REASON_RATE_TENANT).retry_after_s, 1);
    assert_true(refused(LH_REASON_KEY_DOWN).retry_after_s > 0);
    assert_int_equal(refused(LH_REASON_BAD_MAC).retry_after_s, 0);
    assert_int_equal(refused(LH_REASON_SCOPE).retry_after_s, 0);
}

static void test_refuse__a_challenge_with_each_401_and_with_no_other(void **state)
{
    (void)state;
    struct lh_decision decision = refused(LH_REASON_SESSION_REVOKED);
    assert_int_equal(decision.answer_count, 1);
    assert_slice_text(decision.answer[0].name, "WWW-Authenticate");
    assert_slice_text(decision.answer[0].value, "Cookie realm=\"leasehold\"");
    assert_int_equal(refused(LH_REASON_ORIGIN).answer_count, 0);
    assert_int_equal(refused(LH_REASON_TENANT_CONFLICT).answer_count, 0);
}

static void test_refuse__takes_back_what_a_pass_had_prepared(void **state)
{
    (void)state;
    struct lh_decision decision;
    lh_decision_init(&decision);
    decision.inject[decision.inject_count++] =
        (struct lh_header){LH_SLICE_LITERAL("X-Tenant-ID"), LH_SLICE_LITERAL("acme")};
    decision.answer[decision.answer_count++] =
        (struct lh_header){LH_SLICE_LITERAL("Set-Cookie"), LH_SLICE_LITERAL("__Host-lh=")};
    decision.has_cookie = true;
    decision.watch.is_set = true;
    lh_decision_refuse(&decision, LH_REASON_BUDGET);
    assert_int_equal(decision.inject_count, 0);
    assert_int_equal(decision.answer_count, 0);
    assert_false(decision.has_cookie);
    assert_false(decision.watch.is_set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decision__starts_as_a_refusal),
        cmocka_unit_test(test_reason__names_are_lower_case_and_texts_are_there),
        cmocka_unit_test(test_refuse__one_answer_for_each_status),
        cmocka_unit_test(test_refuse__only_what_passes_by_asks_to_retry),
        cmocka_unit_test(test_refuse__a_challenge_with_each_401_and_with_no_other),
        cmocka_unit_test(test_refuse__takes_back_what_a_pass_had_prepared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
