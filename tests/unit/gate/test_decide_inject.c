/*
 * What the upstream is told about a session: each header once, with values that hold.
 */
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST "acme.example.test"

/* Sends alice's request; the session must pass. */
static void pass(struct sent *sent, struct installation *all, const struct lh_gate_policy *policy,
                 const struct visitor *visitor)
{
    sent_init(sent, ACME_HOST);
    sent_add_cookie(sent, visitor);
    assert_reason(sent_decide(sent, all, policy), OK);
}

static void test_inject__claims(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_session_ref ref;
    lh_session_ref_write((uint16_t)alice.key.bucket, &alice.key.lease, &ref);
    for (unsigned round = 0; round < 2; round++) { /* from the store, then from memory */
        struct sent sent;
        pass(&sent, all, &policy, &alice);
        assert_string_equal(sent_injected(&sent, "X-Tenant-ID"), "acme");
        assert_string_equal(sent_injected(&sent, "X-Tenant-UID"),
                            "61616161616161616161616161616161");
        assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
        assert_string_equal(sent_injected(&sent, "X-Session-Scope"), "read write");
        assert_string_equal(sent_injected(&sent, "X-Session-Mode"), "normal");
        assert_string_equal(sent_injected(&sent, "X-Request-ID"), "request-1");
        assert_memory_equal(sent_injected(&sent, "X-Session-Ref"), ref.text, ref.len);
        assert_non_null(sent_injected(&sent, "X-Tenant-Context"));
        assert_non_null(sent_injected(&sent, "traceparent"));
        assert_null(sent_injected(&sent, "X-Session-State"));
        assert_int_equal(sent.decision.inject_count, 9);
        assert_int_equal(sent.decision.answer_count, 0);
        assert_int_equal(sent.decision.body.len, 0);
        assert_int_equal(sent.decision.retry_after_s, 0);
        assert_true(sent.decision.is_private);
        sent_fini(&sent);
    }
}

static void test_inject__variables(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    assert_slice_text(sent.decision.tenant, "acme");
    assert_slice_text(sent.decision.uid, "61616161616161616161616161616161");
    assert_slice_text(sent.decision.subject, "alice");
    assert_slice_text(sent.decision.scope, "read write");
    assert_slice_text(sent.decision.mode, "normal");
    assert_slice_text(sent.decision.cache_key, "61616161616161616161616161616161:alice,");
    sent_fini(&sent);
}

static void test_inject__state_none(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.state = LH_GATE_STATE_NONE;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    assert_non_null(sent_injected(&sent, "X-Tenant-ID"));
    assert_non_null(sent_injected(&sent, "X-Tenant-UID"));
    assert_non_null(sent_injected(&sent, "X-Session-Ref"));
    assert_string_equal(sent_injected(&sent, "X-Session-Mode"), "normal");
    assert_int_equal(sent.decision.inject_count, 6); /* and request id and trace */
    sent_fini(&sent);
}

static void test_inject__state_full(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.state = LH_GATE_STATE_FULL;
    struct visitor alice =
        sign_in(all, &all->acme, &(struct visit){.subject = "alice", .state = "{\"cart\":[1,2]}"});
    struct visitor stateless = sign_in_alice(all, &all->acme);
    for (unsigned round = 0; round < 2; round++) {
        struct sent sent;
        pass(&sent, all, &policy, &alice);
        assert_string_equal(sent_injected(&sent, "X-Session-State"), "eyJjYXJ0IjpbMSwyXX0");
        assert_non_null(sent_injected(&sent, "X-Tenant-Context"));
        sent_fini(&sent);
        pass(&sent, all, &policy, &stateless);
        assert_null(sent_injected(&sent, "X-Session-State"));
        sent_fini(&sent);
    }
}

/* 3072 bytes are 4096 characters; one more does not fit, and is refused, not cut. */
static void test_inject__state_that_does_not_fit_is_403(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.state = LH_GATE_STATE_FULL;
    static const struct {
        size_t len;
        enum lh_reason expected;
    } cases[] = {{3072, LH_REASON_OK}, {3073, LH_REASON_STATE_TOO_LARGE}};
    for (size_t i = 0; i < 2; i++) {
        char *text = malloc(cases[i].len + 1);
        assert_non_null(text);
        memset(text, 'x', cases[i].len);
        text[0] = text[cases[i].len - 1] = '"';
        text[cases[i].len] = '\0';
        struct visitor alice =
            sign_in(all, &all->acme, &(struct visit){.subject = "alice", .state = text});
        assert_string_equal(lh_reason_name(visit_once(all, &policy, ACME_HOST, &alice)),
                            lh_reason_name(cases[i].expected));
        policy.state = LH_GATE_STATE_CLAIMS;
        assert_reason(visit_once(all, &policy, ACME_HOST, &alice), OK);
        policy.state = LH_GATE_STATE_FULL;
        free(text);
    }
}

/* T01, T03: what the client sent is never what goes upstream. */
static void test_inject__nothing_of_the_clients_own_values(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in(all, &all->acme, &(struct visit){.subject = "alice"});
    static const char *const names[] = {"X-Tenant-UID",      "X-Tenant-Context", "X-Session-Ref",
                                        "X_Session_Subject", "X-Session-Scope",  "X-Session-Mode",
                                        "X-Session-State",   "X-User-ID",        "X-Groups",
                                        "X-Request-ID",      "X.Request.ID"};
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        sent_add(&sent, names[i], "of-the-client");
    }
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    for (size_t i = 0; i < sent.decision.inject_count; i++) {
        assert_null(strstr(sent_text(&sent, sent.decision.inject[i].value), "of-the-client"));
    }
    assert_null(sent_injected(&sent, "X-Session-Scope")); /* she has none */
    sent_fini(&sent);
}

static void test_inject__an_anonymous_session_is_called_so(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor nobody = sign_in(all, &all->acme, &(struct visit){.subject = NULL});
    struct sent sent;
    pass(&sent, all, &policy, &nobody);
    assert_string_equal(sent_injected(&sent, "X-Session-Mode"), "anonymous");
    assert_null(sent_injected(&sent, "X-Session-Subject"));
    const char *ref = sent_injected(&sent, "X-Session-Ref");
    assert_non_null(ref);
    const char *key = sent_text(&sent, sent.decision.cache_key);
    assert_memory_equal(key, "61616161616161616161616161616161,", 33);
    assert_memory_equal(key + 33, ref, strlen(ref));
    assert_string_equal(key + 33 + strlen(ref), ",");
    sent_fini(&sent);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_inject__claims),
        GATE_TEST(test_inject__variables),
        GATE_TEST(test_inject__state_none),
        GATE_TEST(test_inject__state_full),
        GATE_TEST(test_inject__state_that_does_not_fit_is_403),
        GATE_TEST(test_inject__nothing_of_the_clients_own_values),
        GATE_TEST(test_inject__an_anonymous_session_is_called_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
