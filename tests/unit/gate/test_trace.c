/*
 * X-Request-ID and the trace: what goes on, and what is begun anew.
 */
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST "acme.example.test"

#define PARENT    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static const char *traceparent_for(struct sent *sent, struct installation *all, const char *parent,
                                   const char *trace_state)
{
    struct lh_gate_policy policy = any_policy();
    policy.mode = LH_GATE_OFF;
    sent_init(sent, ACME_HOST);
    if (parent != NULL) {
        sent_add(sent, "traceparent", parent);
    }
    if (trace_state != NULL) {
        sent_add(sent, "tracestate", trace_state);
    }
    assert_reason(sent_decide(sent, all, &policy), OFF);
    return sent_injected(sent, "traceparent");
}

static void test_trace__a_good_one_goes_on(void **state)
{
    struct installation *all = *state;
    struct sent sent;
    assert_string_equal(traceparent_for(&sent, all, PARENT, "vendor=1,other=2"), PARENT);
    assert_string_equal(sent_injected(&sent, "tracestate"), "vendor=1,other=2");
    sent_fini(&sent);
}

static void test_trace__any_other_is_begun_anew(void **state)
{
    struct installation *all = *state;
    static const char *const bad[] = {
        NULL,
        "",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-00",
        "00-00000000000000000000000000000000-b7ad6b7169203331-00",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-000",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sent sent;
        const char *begun = traceparent_for(&sent, all, bad[i], "vendor=1");
        assert_int_equal(strlen(begun), 55);
        assert_memory_equal(begun, "00-", 3);
        assert_string_equal(begun + 52, "-01");
        assert_null(strstr(begun, "0af7651916cd43dd8448eb211c80319c"));
        assert_null(sent_injected(&sent, "tracestate")); /* of a trace that has ended */
        sent_fini(&sent);
    }
}

static void test_trace__is_named_by_the_request_where_it_can_be(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.mode = LH_GATE_OFF;
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent.request.request_id = LH_SLICE_LITERAL("4bf92f3577b34da6a3ce929d0e0e4736");
    assert_reason(sent_decide(&sent, all, &policy), OFF);
    assert_memory_equal(sent_injected(&sent, "traceparent"), "00-4bf92f3577b34da6a3ce929d0e0e4736-",
                        36);
    sent.request.request_id = LH_SLICE_EMPTY;
    assert_reason(sent_decide(&sent, all, &policy), OFF);
    const char *made = sent_injected(&sent, "X-Request-ID");
    assert_int_equal(strlen(made), 32);
    assert_memory_equal(sent_injected(&sent, "traceparent") + 3, made, 32);
    sent_fini(&sent);
}

static void test_trace__a_state_that_is_no_text_is_dropped(void **state)
{
    struct installation *all = *state;
    struct sent sent;
    assert_string_equal(traceparent_for(&sent, all, PARENT, "vendor=1\x01"), PARENT);
    assert_null(sent_injected(&sent, "tracestate"));
    sent_fini(&sent);
    char longer[600];
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_string_equal(traceparent_for(&sent, all, PARENT, longer), PARENT);
    assert_null(sent_injected(&sent, "tracestate"));
    sent_fini(&sent);
}

static void test_trace__without_randomness_is_503(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.mode = LH_GATE_OFF;
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    failing_calls_reset();
    failing_calls.randomness = LH_CRYPTO;
    assert_reason(sent_decide(&sent, all, &policy), INTERNAL);
    failing_calls_reset();
    sent_fini(&sent);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_trace__a_good_one_goes_on),
        GATE_TEST(test_trace__any_other_is_begun_anew),
        GATE_TEST(test_trace__is_named_by_the_request_where_it_can_be),
        GATE_TEST(test_trace__a_state_that_is_no_text_is_dropped),
        GATE_TEST(test_trace__without_randomness_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
