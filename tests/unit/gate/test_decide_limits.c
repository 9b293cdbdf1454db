/*
 * Rates in whole decisions: who is charged for what, and that nobody pays for another (abuse cases
 * D07, D08, D14).
 */
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST   "acme.example.test"
#define GLOBEX_HOST "globex.example.test"

/* Ten at once, and at one tenant half of it; tenants: twenty at once. */
static const struct lh_limits_rates few = {{10, 10}, {5, 5}, {200, 200}, {0, 1}, {0, 1}};
static const struct lh_rate twenty = {.per_s = 10, .burst = 20};

static const uint8_t first_client[4] = {192, 0, 2, 1};
static const uint8_t other_client[4] = {192, 0, 2, 2};

static void limit(struct installation *all)
{
    installation_limit(all, &few, twenty);
}

/* A request of a client with a cookie, or none. */
static void ask(struct sent *sent, struct installation *all, const struct lh_gate_policy *policy,
                const char *host, const uint8_t client[4], const char *cookie)
{
    char header[LH_HANDLE_TEXT_BYTES + 32];
    sent_init(sent, host);
    sent->request.client = lh_slice_of(client, sizeof(first_client));
    if (cookie != NULL) {
        (void)snprintf(header, sizeof(header), "__Host-lh=%s", cookie);
        sent_add(sent, "Cookie", header);
    }
    assert_ok(sent_ask(sent, all->gate, policy));
}

static enum lh_reason reason_of(struct installation *all, const char *host, const uint8_t client[4],
                                const char *cookie)
{
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    ask(&sent, all, &policy, host, client, cookie);
    enum lh_reason reason = sent.decision.reason;
    sent_fini(&sent);
    return reason;
}

/* How many such requests come until one of them is answered with 429. */
static unsigned count_until_limited(struct installation *all, const char *host,
                                    const uint8_t client[4], const char *cookie)
{
    for (unsigned count = 0; count < 1000; count++) {
        enum lh_reason reason = reason_of(all, host, client, cookie);
        if (lh_reason_http_status(reason) == 429) {
            return count;
        }
    }
    return 1000;
}

static void test_limits__a_tenant_at_his_rate_is_429_and_another_passes(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    limit(all);
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, alice.cookie), 20);
    assert_reason(reason_of(all, ACME_HOST, other_client, alice.cookie), RATE_TENANT);
    assert_reason(reason_of(all, GLOBEX_HOST, first_client, bob.cookie), OK);
    fake_host_advance(&all->host, 1000);
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, alice.cookie), 10);
}

static void test_limits__the_answer_says_when_and_nothing_else(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    limit(all);
    (void)count_until_limited(all, ACME_HOST, first_client, alice.cookie);
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    ask(&sent, all, &policy, ACME_HOST, first_client, alice.cookie);
    assert_int_equal(sent.decision.http_status, 429);
    assert_int_equal(sent.decision.retry_after_s, 1);
    assert_int_equal(sent.decision.inject_count, 0);
    assert_int_equal(sent.decision.answer_count, 0);
    assert_true(sent.decision.is_private);
    assert_false(sent.decision.watch.is_set);
    assert_string_equal(sent_text(&sent, sent.decision.body),
                        "{\"type\":\"urn:leasehold:problem:too-many-requests\",\"title\":"
                        "\"Too many requests\",\"status\":429}\n");
    sent_fini(&sent);
    assert_non_null(strstr(all->host.log, "audit limited reason=rate_tenant step=charge_tenant"));
}

static void test_limits__what_proves_nothing_spends_no_tenants_rate(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    struct visitor carol = sign_in_alice(all, &all->acme);
    revoke_in_registry(all, &carol);
    limit(all);
    for (int i = 0; i < 100; i++) {
        (void)reason_of(all, ACME_HOST, other_client, bob.cookie); /* another tenant's */
        (void)reason_of(all, ACME_HOST, other_client, NULL);
        assert_reason(reason_of(all, ACME_HOST, other_client, carol.cookie), SESSION_REVOKED);
    }
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, alice.cookie), 20);
}

static void test_limits__a_client_without_proof_is_limited_alone(void **state)
{
    struct installation *all = *state;
    limit(all);
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, "x"), 5);
    assert_reason(reason_of(all, ACME_HOST, first_client, NULL), RATE_CLIENT);
    assert_reason(reason_of(all, ACME_HOST, other_client, "x"), COOKIE_MALFORMED);
    assert_int_equal(count_until_limited(all, GLOBEX_HOST, first_client, "x"), 5);
    assert_reason(reason_of(all, "initech.example.test", first_client, NULL), RATE_CLIENT);
    fake_host_advance(&all->host, 200);
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, "x"), 1);
}

static void test_limits__a_client_without_proof_may_still_prove_himself(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in(all, &all->acme, &(struct visit){.subject = "a", .idle_s = 60});
    limit(all);
    (void)count_until_limited(all, ACME_HOST, first_client, "x");
    (void)count_until_limited(all, GLOBEX_HOST, first_client, "x");
    for (int i = 0; i < 15; i++) {
        assert_reason(reason_of(all, ACME_HOST, first_client, alice.cookie), OK);
    }
    fake_host_advance(&all->host, 61 * 1000);
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, "x"), 5);
    assert_reason(reason_of(all, ACME_HOST, first_client, alice.cookie), SESSION_EXPIRED);
    /* a tombstone lies there now, and no secret holds against it */
    assert_reason(reason_of(all, ACME_HOST, first_client, alice.cookie), RATE_CLIENT);
}

/* D14: limits may not tell which tenants there are. */
static void test_limits__a_name_that_nobody_has_counts_like_a_tenants(void **state)
{
    struct installation *all = *state;
    limit(all);
    assert_int_equal(count_until_limited(all, "nobody.example.test", first_client, "x"), 5);
    assert_int_equal(count_until_limited(all, "none.example.test", first_client, "x"), 5);
    assert_int_equal(count_until_limited(all, "shop.nobody.test", other_client, NULL), 5);
    assert_int_equal(count_until_limited(all, "NOBODY.example.test", other_client, NULL), 5);
    static const uint8_t third_client[4] = {192, 0, 2, 3};
    assert_int_equal(count_until_limited(all, "nobody.example.test", third_client, "x"), 5);
    installation_restart_worker(all); /* another worker has the same budgets */
    assert_reason(reason_of(all, "nobody.example.test", third_client, "x"), RATE_CLIENT);
    assert_reason(reason_of(all, "none.example.test", third_client, "x"), TENANT_UNKNOWN);
}

/* D08: neither spelling nor the lower half of an address is another client or tenant. */
static void test_limits__spellings_share_a_budget(void **state)
{
    struct installation *all = *state;
    limit(all);
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, NULL), 5);
    assert_reason(reason_of(all, "ACME.Example.test", first_client, NULL), RATE_CLIENT);
    assert_reason(reason_of(all, "acme.example.test:443", first_client, NULL), RATE_CLIENT);
    assert_reason(reason_of(all, "acme-old.example.test", first_client, NULL), RATE_CLIENT);
    assert_reason(reason_of(all, "shop.acme.test", first_client, NULL), RATE_CLIENT);
    struct lh_gate_policy policy = any_policy();
    unsigned refused = 0;
    for (uint8_t i = 0; i < 50; i++) {
        uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = i};
        struct sent sent;
        sent_init(&sent, GLOBEX_HOST);
        sent.request.client = LH_SLICE_OF(address);
        refused += sent_decide(&sent, all, &policy) == LH_REASON_RATE_CLIENT;
        sent_fini(&sent);
    }
    assert_int_equal(refused, 45);
}

static void test_limits__malformed_requests_are_a_clients_too(void **state)
{
    struct installation *all = *state;
    limit(all);
    assert_reason(reason_of(all, "gateway.test", first_client, NULL), TENANT_UNKNOWN);
    assert_int_equal(count_until_limited(all, "-.example.test", first_client, NULL), 9);
}

static void test_limits__a_request_is_charged_once(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    limit(all);
    struct lh_gate_policy policy = any_policy();
    for (int i = 0; i < 60; i++) {
        struct sent sent;
        sent_init(&sent, ACME_HOST);
        sent.request.is_charged = true;
        sent_add_cookie(&sent, &alice);
        assert_reason(sent_decide(&sent, all, &policy), OK);
        assert_false(sent.decision.is_charged);
        sent_fini(&sent);
        sent_init(&sent, ACME_HOST);
        sent.request.is_charged = true;
        assert_reason(sent_decide(&sent, all, &policy), NO_CREDENTIAL);
        sent_fini(&sent);
    }
    struct sent sent;
    ask(&sent, all, &policy, ACME_HOST, first_client, alice.cookie);
    assert_true(sent.decision.is_charged);
    sent_fini(&sent);
}

static void test_limits__who_may_not_is_charged_all_the_same(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    limit(all);
    static const lh_slice roles[] = {{(const uint8_t *)"auditor", 7}};
    struct lh_gate_policy policy = any_policy();
    policy.require_roles = (struct lh_gate_list){roles, 1};
    for (int i = 0; i < 20; i++) {
        struct sent sent;
        ask(&sent, all, &policy, ACME_HOST, first_client, alice.cookie);
        assert_reason(sent.decision.reason, ROLE);
        sent_fini(&sent);
    }
    assert_reason(reason_of(all, ACME_HOST, first_client, alice.cookie), RATE_TENANT);
}

/* Whoever tried nothing has not failed: what optional and off let pass is nobody's charge. */
static void test_limits__strangers_pass_where_they_may(void **state)
{
    struct installation *all = *state;
    limit(all);
    struct lh_gate_policy policy = any_policy();
    static const enum lh_gate_mode modes[] = {LH_GATE_OPTIONAL, LH_GATE_OFF};
    for (int i = 0; i < 60; i++) {
        struct sent sent;
        policy.mode = modes[i % 2];
        ask(&sent, all, &policy, ACME_HOST, first_client, NULL);
        assert_int_equal(sent.decision.http_status, 0);
        assert_false(sent.decision.is_charged);
        sent_fini(&sent);
    }
    policy.mode = LH_GATE_OFF;
    for (int i = 0; i < 60; i++) {
        struct sent sent;
        sent_init(&sent, ACME_HOST);
        sent.request.has_too_many_headers = true;
        assert_reason(sent_decide(&sent, all, &policy), HEADERS_MALFORMED);
        sent_fini(&sent);
    }
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, NULL), 5);
}

static void test_limits__a_stale_cookie_passes_as_anonymous_within_the_rate(void **state)
{
    struct installation *all = *state;
    limit(all);
    struct lh_gate_policy policy = any_policy();
    policy.mode = LH_GATE_OPTIONAL;
    policy.is_stale_passed = true;
    for (int i = 0; i < 5; i++) {
        struct sent sent;
        ask(&sent, all, &policy, ACME_HOST, first_client, "x");
        assert_reason(sent.decision.reason, ANONYMOUS_STALE);
        sent_fini(&sent);
    }
    struct sent sent;
    ask(&sent, all, &policy, ACME_HOST, first_client, "x");
    assert_reason(sent.decision.reason, RATE_CLIENT);
    sent_fini(&sent);
}

static void test_limits__without_a_rate_nobody_is_limited(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    static const struct lh_limits_rates none = {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}};
    installation_limit(all, &none, (struct lh_rate){0, 0});
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, alice.cookie), 1000);
    assert_int_equal(count_until_limited(all, ACME_HOST, first_client, "x"), 1000);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_limits__a_tenant_at_his_rate_is_429_and_another_passes),
        GATE_TEST(test_limits__the_answer_says_when_and_nothing_else),
        GATE_TEST(test_limits__what_proves_nothing_spends_no_tenants_rate),
        GATE_TEST(test_limits__a_client_without_proof_is_limited_alone),
        GATE_TEST(test_limits__a_client_without_proof_may_still_prove_himself),
        GATE_TEST(test_limits__a_name_that_nobody_has_counts_like_a_tenants),
        GATE_TEST(test_limits__spellings_share_a_budget),
        GATE_TEST(test_limits__malformed_requests_are_a_clients_too),
        GATE_TEST(test_limits__a_request_is_charged_once),
        GATE_TEST(test_limits__who_may_not_is_charged_all_the_same),
        GATE_TEST(test_limits__strangers_pass_where_they_may),
        GATE_TEST(test_limits__a_stale_cookie_passes_as_anonymous_within_the_rate),
        GATE_TEST(test_limits__without_a_rate_nobody_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
