/*
 * What requests with bearer tokens cost, and that it tells nobody which tenants there are (abuse
 * cases T27, D14).
 */
#include "bearer_fixture.h"
#include "failing_calls.h"

#define ACME "acme.example.test"

/* At one tenant five at once. */
static const struct lh_limits_rates few = {{100, 100}, {5, 5}, {200, 200}, {0, 1}, {0, 1}};
static const struct lh_rate twenty = {.per_s = 10, .burst = 20};

static const uint8_t client[4] = {192, 0, 2, 1};

/* A client's forged token that names a tenant, where only tokens name any. */
static enum lh_reason ask_by_claim(struct installation *all, const char *tenant)
{
    struct lh_gate_policy policy = bearer_policy();
    policy.tenant_from = LH_GATE_TENANT_CLAIM;
    const struct token forged = {.signer = BY_STRANGER, .tenant = tenant};
    struct sent sent;
    sent_init(&sent, ACME);
    sent.request.client = LH_SLICE_OF(client);
    sent_add_token(&sent, all, &all->acme, &forged);
    enum lh_reason reason = sent_decide(&sent, all, &policy);
    sent_fini(&sent);
    return reason;
}

/* Were all that nobody has one budget, who has spent it could ask which names are somebody's. */
static void test_bearer__a_claim_that_nobody_has_counts_like_a_tenants(void **state)
{
    struct installation *all = *state;
    installation_limit(all, &few, twenty);
    for (int i = 0; i < 5; i++) {
        assert_reason(ask_by_claim(all, "nobody-here"), TENANT_UNKNOWN);
    }
    assert_reason(ask_by_claim(all, "nobody-here"), RATE_CLIENT);
    for (int i = 0; i < 5; i++) {
        assert_reason(ask_by_claim(all, "nobody-else"), TENANT_UNKNOWN);
        assert_reason(ask_by_claim(all, "acme"), TOKEN_SIGNATURE);
    }
    assert_reason(ask_by_claim(all, "nobody-else"), RATE_CLIENT);
    assert_reason(ask_by_claim(all, "acme"), RATE_CLIENT);
}

/* A token that was refused is remembered as well where there is no tenant: it is read once. */
static void test_bearer__at_no_tenant_it_takes_as_long(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    char text[TOKEN_BYTES];
    const struct token forged = {.signer = BY_STRANGER};
    make_token(all, &all->acme, &forged, text);
    static const char *const hosts[] = {ACME, "nobody.example.test"};
    for (uint64_t host = 0; host < 2; host++) {
        for (uint64_t i = 0; i < 3; i++) {
            struct sent sent;
            sent_init(&sent, hosts[host]);
            sent_add_bearer(&sent, text);
            enum lh_reason reason = sent_decide(&sent, all, &policy);
            assert_int_equal(reason,
                             host == 0 ? LH_REASON_TOKEN_SIGNATURE : LH_REASON_TENANT_UNKNOWN);
            sent_fini(&sent);
            struct lh_verified_cache_counts counts;
            lh_verified_cache_read_counts(all->verified_cache, &counts);
            assert_int_equal(counts.refusal_hits, 2 * host + i);
        }
    }
}

/* A request that waited for a key, and for whom the tenant changed meanwhile, begins again. */
static void test_bearer__what_begins_again_is_charged_once(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    policy.token_mode = LH_GATE_TOKEN_STATEFUL;
    struct visitor alice = sign_in_alice(all, &all->acme);
    give_token(all, &alice, STANDARD_JTI);
    const struct token token = {.signer = BY_IDP, .sid = ref_of(&alice)};
    installation_restart_worker(all);
    installation_limit(all, &few, (struct lh_rate){.per_s = 1, .burst = 1});
    all->host.mode = FAKE_HOST_QUEUES;
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, &token);
    sent_begin(&sent, all, &policy);
    log_out_subject(all, &all->acme, "bob");
    assert_int_equal(fake_host_run(&all->host, LH_LANE_FETCH), 1);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, OK);
    assert_true(sent.decision.is_charged);
    sent_fini(&sent);
}

#define BEARER_TEST(test) cmocka_unit_test_setup_teardown(test, bearer_setup, bearer_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEARER_TEST(test_bearer__a_claim_that_nobody_has_counts_like_a_tenants),
        BEARER_TEST(test_bearer__at_no_tenant_it_takes_as_long),
        BEARER_TEST(test_bearer__what_begins_again_is_charged_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
