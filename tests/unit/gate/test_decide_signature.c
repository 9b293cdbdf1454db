/*
 * Request signatures in whole decisions: who passes as whom, once, and what is refused for what.
 */
#include "failing_calls.h"
#include "signature_fixture.h"

#define ACME_HOST   "acme.example.test"
#define GLOBEX_HOST "globex.example.test"
#define NO_HOST     "api.test"

static void test_signature__passes_as_its_service_without_a_store(void **state)
{
    struct installation *all = *state;
    const struct lh_gate_policy policy = signature_policy();
    static const char *const keys[] = {ACME_SECRET, PARTNER};
    for (size_t i = 0; i < 2; i++) {
        struct sent sent;
        failing_calls_reset();
        sent_init(&sent, NO_HOST);
        sent_sign(&sent, all, &all->acme, &(struct signing){.key_id = keys[i]});
        assert_reason(sent_decide(&sent, all, &policy), OK);
        assert_int_equal(failing_calls.store_loads, 0);
        assert_string_equal(sent_injected(&sent, "X-Tenant-ID"), "acme");
        assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "billing");
        assert_string_equal(sent_injected(&sent, "X-Session-Mode"), "service");
        assert_non_null(strstr(sent_injected(&sent, "X-Session-Scope"), "pay"));
        assert_null(sent_injected(&sent, "X-Session-Ref"));
        assert_non_null(sent_injected(&sent, "X-Tenant-Context"));
        assert_non_null(strstr(sent_text(&sent, sent.decision.cache_key), "!billing,"));
        assert_true(sent.decision.is_signature_cut);
        assert_null(sent.decision.signed_body);
        sent_fini(&sent);
    }
}

static void test_signature__is_of_a_key_of_the_tenant_alone(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = signature_policy();
    assert_reason(sign_once(all, &policy, NO_HOST, &all->globex, &(struct signing){.key_id = NULL}),
                  OK);
    assert_reason(
        sign_once(all, &policy, NO_HOST, &all->globex, &(struct signing){.key_id = ACME_SECRET}),
        SIGNATURE_KEY);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->globex,
                            &(struct signing){.key_id = ACME_SECRET, .tenant = "acme"}),
                  OK);
    /* both have a key of this id, and it is not the same */
    assert_reason(sign_once(all, &policy, NO_HOST, &all->globex,
                            &(struct signing){.key_id = PARTNER, .tenant = "acme"}),
                  SIGNATURE_INVALID);
    assert_reason(
        sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.signer = GLOBEX_SECRET}),
        SIGNATURE_INVALID);
    assert_reason(
        sign_once(all, &policy, GLOBEX_HOST, &all->acme, &(struct signing){.key_id = NULL}),
        TENANT_CONFLICT);
    policy.tenant_from = LH_GATE_TENANT_SUBDOMAIN;
    assert_reason(sign_once(all, &policy, ACME_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  OK);
    assert_reason(
        sign_once(all, &policy, ACME_HOST, &all->acme, &(struct signing){.tenant = "globex"}),
        SIGNATURE_TENANT);
    assert_reason(
        sign_once(all, &policy, ACME_HOST, &all->acme, &(struct signing){.tenant = "acme-old"}),
        OK);
}

static void test_signature__says_and_covers_what_it_must(void **state)
{
    struct installation *all = *state;
    const struct lh_gate_policy policy = signature_policy();
    static const struct {
        struct signing signing;
        enum lh_reason reason;
    } cases[] = {
        {{.life_s = 300}, LH_REASON_OK},
        {{.life_s = 301}, LH_REASON_SIGNATURE_COVERAGE},
        {{.created_s = 30}, LH_REASON_OK},
        {{.created_s = 31}, LH_REASON_SIGNATURE_EARLY},
        {{.created_s = -60}, LH_REASON_SIGNATURE_EXPIRED},
        {{.components = "\"@method\" \"@authority\" \"@path\""}, LH_REASON_SIGNATURE_COVERAGE},
        {{.target = "/a?b"}, LH_REASON_SIGNATURE_COVERAGE},
        {{.body = "x", .components = "\"@method\" \"@authority\" \"@path\" \"x-tenant-id\""},
         LH_REASON_SIGNATURE_COVERAGE},
        {{.more = ";alg=\"ed25519\""}, LH_REASON_SIGNATURE_ALGORITHM},
        {{.more = ";alg=\"hmac-sha256\""}, LH_REASON_OK},
        {{.key_id = "nobody", .signer = ACME_SECRET}, LH_REASON_SIGNATURE_KEY},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum lh_reason reason = sign_once(all, &policy, NO_HOST, &all->acme, &cases[i].signing);
        assert_string_equal(lh_reason_name(reason), lh_reason_name(cases[i].reason));
    }
    static const char *const malformed[] = {"", "sig1=()", "sig1", "sig1=(\"@method\");x=1",
                                            "sig1=(\"@query-param\";name=\"a\")"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        struct sent sent;
        sent_init(&sent, ACME_HOST);
        sent_add(&sent, "Signature-Input", malformed[i]);
        assert_reason(sent_decide(&sent, all, &policy), SIGNATURE_MALFORMED);
        sent_fini(&sent);
    }
}

static void test_signature__is_good_once_in_all_locations_together(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = signature_policy(), other = signature_policy();
    static const lh_slice roles[] = {{(const uint8_t *)"nobody-has-it", 13}};
    other.require_roles = (struct lh_gate_list){roles, 1};
    const struct signing once = {.nonce = "once"};
    struct sent sent;
    sent_init(&sent, NO_HOST);
    sent_sign(&sent, all, &all->acme, &once);
    assert_reason(sent_decide(&sent, all, &other), ROLE);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    memset(&sent.claimed, 0, sizeof(sent.claimed)); /* the same bytes in another request */
    assert_reason(sent_decide(&sent, all, &policy), SIGNATURE_REPLAYED);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &once), SIGNATURE_REPLAYED);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->globex, &once), OK);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme,
                            &(struct signing){.key_id = PARTNER, .nonce = "once"}),
                  OK);
    installation_restart_worker(all);
    memset(&sent.claimed, 0, sizeof(sent.claimed));
    assert_reason(sent_decide(&sent, all, &policy), SIGNATURE_REPLAYED);
    sent.claimed = (struct lh_claimed_nonce){.is_set = true};
    memcpy(sent.claimed.uid, all->globex.bytes, sizeof(sent.claimed.uid));
    assert_reason(sent_decide(&sent, all, &policy), SIGNATURE_REPLAYED);
    sent_fini(&sent);
}

static void test_signature__what_does_not_hold_uses_nothing_up(void **state)
{
    struct installation *all = *state;
    const struct lh_gate_policy policy = signature_policy();
    const struct signing forged = {.nonce = "n", .signer = GLOBEX_SECRET};
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &forged), SIGNATURE_INVALID);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.nonce = "n"}),
                  OK);
}

static void test_signature__stands_alone(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = signature_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    policy.credentials |= LH_GATE_CREDENTIAL_COOKIE | LH_GATE_CREDENTIAL_BEARER;
    policy.mode = LH_GATE_OPTIONAL;
    policy.is_stale_passed = true;
    struct sent sent;
    sent_init(&sent, NO_HOST);
    sent_add_suffixed_cookie(&sent, &alice);
    sent_sign(&sent, all, &all->acme, &(struct signing){.key_id = NULL});
    assert_reason(sent_decide(&sent, all, &policy), CREDENTIAL_CONFLICT);
    assert_string_equal(sent_answered(&sent, "WWW-Authenticate"),
                        "Cookie realm=\"leasehold\", Bearer realm=\"leasehold\", "
                        "Signature realm=\"leasehold\"");
    policy.credentials = LH_GATE_CREDENTIAL_COOKIE; /* what is not listed is not looked at */
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
    assert_false(sent.decision.is_signature_cut);
    sent_fini(&sent);
    policy.mode = LH_GATE_ON;
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  NO_CREDENTIAL);
}

static void test_signature__unknown_is_not_refused(void **state)
{
    struct installation *all = *state;
    const struct lh_gate_policy policy = signature_policy();
    struct lh_nonce_table *nonces = all->nonces;
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme,
                            &(struct signing){.created_s = -31, .life_s = 90}),
                  NONCES_DOWN); /* it could be older than the table */
    all->nonces = NULL;
    installation_restart_worker(all);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  NONCES_DOWN);
    all->nonces = nonces;
    installation_restart_worker(all);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  OK);
    failing_calls_reset();
    failing_calls.read_counter = LH_COUNTERS_DOWN;
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  REGISTRY_DOWN);
    failing_calls_reset();
}

static void test_signature__one_tenant_does_not_fill_the_table(void **state)
{
    struct installation *all = *state;
    const struct lh_gate_policy policy = signature_policy();
    unsigned passed = 0;
    enum lh_reason reason = LH_REASON_OK;
    for (; reason == LH_REASON_OK && passed < 10000; passed++) {
        reason = sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.life_s = 300});
    }
    assert_reason(reason, NONCES_LIMITED);
    assert_int_equal(lh_reason_http_status(reason), 429);
    assert_in_range(passed, 1000, 2000);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->globex, &(struct signing){.key_id = NULL}),
                  OK);
}

static void test_signature__waits_for_a_cold_key_and_believes_nothing_of_before(void **state)
{
    struct installation *all = *state;
    const struct lh_gate_policy policy = signature_policy();
    for (unsigned round = 0; round < 3; round++) {
        installation_restart_worker(all);
        all->host.mode = FAKE_HOST_QUEUES;
        struct sent sent;
        sent_init(&sent, NO_HOST);
        sent_sign(&sent, all, &all->acme, &(struct signing){.key_id = NULL});
        sent_begin(&sent, all, &policy);
        if (round == 1) {
            drop_signature_key(all, &all->acme, PARTNER); /* begins again, and claims once */
        } else if (round == 2) {
            drop_signature_key(all, &all->acme, ACME_SECRET);
        }
        assert_int_equal(fake_host_run(&all->host, LH_LANE_FETCH), 1);
        assert_ok(lh_gate_continue(sent.call));
        assert_string_equal(lh_reason_name(sent.decision.reason),
                            round == 2 ? "signature_key" : "ok");
        sent_fini(&sent);
        all->host.mode = FAKE_HOST_AT_ONCE;
    }
    /* whose id nobody knows causes no fetch */
    installation_restart_worker(all);
    size_t offloaded = all->host.offloaded;
    assert_reason(sign_once(all, &policy, NO_HOST, &all->globex,
                            &(struct signing){.key_id = "sig-guessed", .signer = GLOBEX_SECRET}),
                  SIGNATURE_KEY);
    assert_int_equal(all->host.offloaded, offloaded);
}

static void test_signature__a_long_lived_request_ends_with_its_key(void **state)
{
    struct installation *all = *state;
    const struct lh_gate_policy policy = signature_policy();
    struct sent sent, other;
    sent_init(&sent, NO_HOST);
    sent_sign(&sent, all, &all->acme, &(struct signing){.key_id = NULL});
    assert_reason(sent_decide(&sent, all, &policy), OK);
    sent_init(&other, NO_HOST);
    sent_sign(&other, all, &all->acme, &(struct signing){.key_id = PARTNER});
    assert_reason(sent_decide(&other, all, &policy), OK);
    struct lh_gate_watch watch = sent.decision.watch, others = other.decision.watch;
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    drop_signature_key(all, &all->acme, ACME_SECRET);
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_REVOKED);
    assert_ok(lh_gate_watch_check(all->gate, &others));
    fake_host_advance(&all->host, 1);
    give_signature_keys(all, &all->acme); /* another key of the same id */
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_REVOKED);
    sent_fini(&sent);
    sent_fini(&other);
}

/* A request with a body that was signed; what comes is told piece by piece. */
static enum lh_reason judge_body(struct installation *all, const char *signed_body,
                                 const char *first, const char *second)
{
    const struct lh_gate_policy policy = signature_policy();
    struct lh_gate_body *body = NULL;
    struct sent sent;
    sent_init(&sent, NO_HOST);
    sent_sign(&sent, all, &all->acme, &(struct signing){.method = "POST", .body = signed_body});
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_non_null(sent.decision.signed_body);
    assert_ok(lh_gate_body_begin(all->gate, &policy, &sent.request, &sent.decision, &body));
    lh_gate_body_add(body, lh_slice_from_text(first));
    lh_gate_body_add(body, lh_slice_from_text(second));
    lh_gate_body_end(body);
    lh_gate_body_free(body);
    if (sent.decision.http_status != 0) {
        assert_int_equal(sent.decision.inject_count, 0);
        assert_false(sent.decision.watch.is_set);
        assert_string_equal(sent_answered(&sent, "WWW-Authenticate"),
                            "Signature realm=\"leasehold\"");
    }
    enum lh_reason reason = sent.decision.reason;
    sent_fini(&sent);
    return reason;
}

static void test_signature__a_body_is_the_one_that_was_signed(void **state)
{
    struct installation *all = *state;
    assert_reason(judge_body(all, "hello", "he", "llo"), OK);
    assert_reason(judge_body(all, "hello", "", "hello"), OK);
    assert_reason(judge_body(all, "", "", ""), OK);
    assert_reason(judge_body(all, "hello", "he", "llO"), SIGNATURE_BODY);
    assert_reason(judge_body(all, "hello", "hello", "!"), SIGNATURE_BODY);
    assert_reason(judge_body(all, "hello", "hell", ""), SIGNATURE_BODY);
    assert_reason(judge_body(all, "", "x", ""), SIGNATURE_BODY);
    lh_gate_body_free(NULL);
}

static void test_signature__replays_are_charged_to_who_repeats_them(void **state)
{
    struct installation *all = *state;
    static const struct lh_limits_rates few = {{2, 2}, {2, 2}, {200, 200}, {0, 1}, {0, 1}};
    const struct lh_gate_policy policy = signature_policy();
    const struct signing once = {.nonce = "once"};
    installation_limit(all, &few, (struct lh_rate){.per_s = 3, .burst = 3});
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &once), OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &once), SIGNATURE_REPLAYED);
    }
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &once), RATE_CLIENT);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  OK);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  OK);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  RATE_TENANT);
}

/* Public keys cost much more than MACs: who fails too often is not asked any more. */
static void test_signature__public_keys_are_asked_while_there_is_time(void **state)
{
    struct installation *all = *state;
    struct lh_limits_rates rates = LH_LIMITS_STANDARD_RATES;
    const struct lh_gate_policy policy = signature_policy();
    const struct signing good = {.key_id = PARTNER};
    const struct signing forged = {.key_id = PARTNER, .signer = ACME_SECRET};
    rates.failures = (struct lh_rate){.per_s = 1, .burst = 2};
    installation_limit(all, &rates, (struct lh_rate){.per_s = 0});
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &good), OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &forged), SIGNATURE_INVALID);
    }
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &good), RATE_SIGNATURE);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &(struct signing){.key_id = NULL}),
                  OK);
    fake_host_advance(&all->host, 5000);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &good), OK);
}

static struct lh_secret_cache_counts secrets_of(const struct installation *all)
{
    struct lh_secret_cache_counts counts;
    lh_secret_cache_read_counts(all->secret_cache, &counts);
    return counts;
}

/* A seal is opened once in a second, and no longer answers once anything of the tenant changes. */
static void test_signature__an_open_secret_stops_with_its_key(void **state)
{
    struct installation *all = *state;
    const struct lh_gate_policy policy = signature_policy();
    const struct signing good = {.key_id = NULL};
    for (unsigned i = 0; i < 3; i++) {
        assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &good), OK);
    }
    assert_int_equal(secrets_of(all).misses, 1);
    assert_int_equal(secrets_of(all).hits, 2);
    drop_signature_key(all, &all->acme, PARTNER); /* another key of the tenant's */
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &good), OK);
    assert_int_equal(secrets_of(all).misses, 2);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &good), OK);
    drop_signature_key(all, &all->acme, ACME_SECRET);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &good), SIGNATURE_KEY);
    assert_int_equal(secrets_of(all).hits, 3);
    give_signature_keys(all, &all->acme);
    assert_reason(sign_once(all, &policy, NO_HOST, &all->acme, &good), OK);
    assert_int_equal(secrets_of(all).misses, 3);
    assert_int_equal(secrets_of(all).hits, 3);
}

#define SIGNATURE_TEST(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, signature_setup, signature_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNATURE_TEST(test_signature__passes_as_its_service_without_a_store),
        SIGNATURE_TEST(test_signature__is_of_a_key_of_the_tenant_alone),
        SIGNATURE_TEST(test_signature__says_and_covers_what_it_must),
        SIGNATURE_TEST(test_signature__is_good_once_in_all_locations_together),
        SIGNATURE_TEST(test_signature__what_does_not_hold_uses_nothing_up),
        SIGNATURE_TEST(test_signature__stands_alone),
        SIGNATURE_TEST(test_signature__unknown_is_not_refused),
        SIGNATURE_TEST(test_signature__one_tenant_does_not_fill_the_table),
        SIGNATURE_TEST(test_signature__waits_for_a_cold_key_and_believes_nothing_of_before),
        SIGNATURE_TEST(test_signature__a_long_lived_request_ends_with_its_key),
        SIGNATURE_TEST(test_signature__a_body_is_the_one_that_was_signed),
        SIGNATURE_TEST(test_signature__replays_are_charged_to_who_repeats_them),
        SIGNATURE_TEST(test_signature__public_keys_are_asked_while_there_is_time),
        SIGNATURE_TEST(test_signature__an_open_secret_stops_with_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
