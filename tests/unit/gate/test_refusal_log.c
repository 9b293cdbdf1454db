/*
 * The lines that tell an operator why requests are refused.
 */
#include "gate/refusal_log.h"

#include "support/test.h"

#define LINES_MAX 64U

struct listener {
    struct lh_host host;
    enum lh_log_level levels[LINES_MAX];
    char lines[LINES_MAX][512];
    size_t count;
};

static void listen(void *self, enum lh_log_level level, lh_slice line)
{
    struct listener *listener = self;
    assert_true(listener->count < LINES_MAX);
    listener->levels[listener->count] = level;
    (void)snprintf(listener->lines[listener->count], sizeof(listener->lines[0]), "%.*s",
                   LH_SLICE_ARG(line));
    listener->count++;
}

static void init_listener(struct listener *listener)
{
    memset(listener, 0, sizeof(*listener));
    listener->host = (struct lh_host){.self = listener, .log = listen};
}

static struct lh_refusal refusal_of(enum lh_reason reason)
{
    return (struct lh_refusal){.reason = reason,
                               .step = "load_session",
                               .tenant = LH_SLICE_LITERAL("acme"),
                               .session = LH_SLICE_LITERAL("sixteen byte id."),
                               .request_id = LH_SLICE_LITERAL("r-1")};
}

static void write_one(struct lh_refusal_log *log, struct listener *listener, enum lh_reason reason,
                      uint64_t now_ms)
{
    struct lh_refusal refusal = refusal_of(reason);
    lh_refusal_log_write(log, &listener->host, &refusal, now_ms);
}

static void test_refusal_log__says_why_where_and_whose(void **state)
{
    (void)state;
    struct listener listener;
    init_listener(&listener);
    struct lh_refusal_log log = {.fingerprint_key = {"key of the hash."}};
    write_one(&log, &listener, LH_REASON_STORE_DOWN, 1000);
    assert_int_equal(listener.levels[0], LH_LOG_ERROR);
    assert_non_null(strstr(listener.lines[0], "session store unavailable"));
    assert_non_null(strstr(listener.lines[0], "reason=store_down step=load_session"));
    assert_non_null(strstr(listener.lines[0], "tenant=\"acme\""));
    assert_non_null(strstr(listener.lines[0], "request=r-1"));
    assert_null(strstr(listener.lines[0], "sixteen"));
}

static void test_refusal_log__the_fingerprint_depends_on_key_and_session(void **state)
{
    (void)state;
    struct listener listener;
    init_listener(&listener);
    struct lh_refusal_log log = {.fingerprint_key = {"key of the hash."}};
    struct lh_refusal_log other = {.fingerprint_key = {"another key ...."}};
    struct lh_refusal refusal = refusal_of(LH_REASON_BAD_SECRET);
    lh_refusal_log_write(&log, &listener.host, &refusal, 1000);
    lh_refusal_log_write(&log, &listener.host, &refusal, 1000);
    lh_refusal_log_write(&other, &listener.host, &refusal, 1000);
    refusal.session = LH_SLICE_LITERAL("sixteen byte ID.");
    lh_refusal_log_write(&log, &listener.host, &refusal, 1000);
    assert_string_equal(listener.lines[0], listener.lines[1]);
    assert_string_not_equal(listener.lines[0], listener.lines[2]);
    assert_string_not_equal(listener.lines[0], listener.lines[3]);
    const char *fingerprint = strstr(listener.lines[0], "session=");
    assert_non_null(fingerprint);
    assert_int_equal(strspn(fingerprint + 8, "0123456789abcdef"), 16);
}

static void test_refusal_log__events_have_their_final_names(void **state)
{
    (void)state;
    static const struct {
        enum lh_reason reason;
        const char *begin;
    } events[] = {
        {LH_REASON_LEAK, "leasehold: audit cross_tenant_leak_detected reason=leak "},
        {LH_REASON_INTEGRITY, "leasehold: audit integrity reason=integrity "},
        {LH_REASON_BAD_MAC, "leasehold: audit tenant_mismatch reason=bad_mac "},
        {LH_REASON_TENANT_CONFLICT, "leasehold: audit tenant_conflict reason=tenant_conflict "},
    };
    struct listener listener;
    init_listener(&listener);
    struct lh_refusal_log log = {.window_ms = 0};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        write_one(&log, &listener, events[i].reason, 1000);
        assert_memory_equal(listener.lines[i], events[i].begin, strlen(events[i].begin));
        assert_int_equal(listener.levels[i], LH_LOG_ERROR);
    }
}

static void test_refusal_log__ordinary_life_is_not_shouted(void **state)
{
    (void)state;
    struct listener listener;
    init_listener(&listener);
    struct lh_refusal_log log = {.window_ms = 0};
    write_one(&log, &listener, LH_REASON_NO_CREDENTIAL, 1000);
    write_one(&log, &listener, LH_REASON_SESSION_EXPIRED, 1000);
    write_one(&log, &listener, LH_REASON_BAD_SECRET, 1000);
    assert_int_equal(listener.levels[0], LH_LOG_INFO);
    assert_int_equal(listener.levels[1], LH_LOG_INFO);
    assert_int_equal(listener.levels[2], LH_LOG_WARN);
    struct lh_refusal refusal = refusal_of(LH_REASON_SESSION_EXPIRED);
    refusal.is_passed = true;
    lh_refusal_log_write(&log, &listener.host, &refusal, 1000);
    assert_int_equal(listener.levels[3], LH_LOG_WARN);
    assert_non_null(strstr(listener.lines[3], "passed_as=anonymous"));
}

/* D12: a flood fills no disk; what was not written is counted. */
static void test_refusal_log__a_flood_is_counted(void **state)
{
    (void)state;
    struct listener listener;
    init_listener(&listener);
    struct lh_refusal_log log = {.window_ms = 0};
    for (unsigned i = 0; i < 1000; i++) {
        write_one(&log, &listener, LH_REASON_BAD_MAC, 5000 + i % 1000);
    }
    assert_int_equal(listener.count, LH_REFUSAL_LINES_PER_S);
    write_one(&log, &listener, LH_REASON_LEAK, 5999); /* never dropped */
    assert_int_equal(listener.count, LH_REFUSAL_LINES_PER_S + 1);
    write_one(&log, &listener, LH_REASON_BAD_MAC, 6000);
    assert_int_equal(listener.count, LH_REFUSAL_LINES_PER_S + 3);
    assert_string_equal(listener.lines[LH_REFUSAL_LINES_PER_S + 1],
                        "leasehold: 980 more refusals were not logged");
}

static void test_refusal_log__a_clock_that_goes_back_does_not_silence_it(void **state)
{
    (void)state;
    struct listener listener;
    init_listener(&listener);
    struct lh_refusal_log log = {.window_ms = 0};
    for (unsigned i = 0; i < 2 * LH_REFUSAL_LINES_PER_S; i++) {
        write_one(&log, &listener, LH_REASON_BAD_MAC, 90000);
    }
    write_one(&log, &listener, LH_REASON_BAD_MAC, 1000);
    assert_int_equal(listener.count, LH_REFUSAL_LINES_PER_S + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusal_log__says_why_where_and_whose),
        cmocka_unit_test(test_refusal_log__the_fingerprint_depends_on_key_and_session),
        cmocka_unit_test(test_refusal_log__events_have_their_final_names),
        cmocka_unit_test(test_refusal_log__ordinary_life_is_not_shouted),
        cmocka_unit_test(test_refusal_log__a_flood_is_counted),
        cmocka_unit_test(test_refusal_log__a_clock_that_goes_back_does_not_silence_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
