/*
 * Each allocation of a decision failing in turn, the heap's and the request's: no crash, no leak
 * (the sanitizer build looks), nobody let in who would not be, and the next request is as before.
 */
#include "bearer_fixture.h"
#include "failing_calls.h"
#include "gate_fixture.h"
#include "sealed_visitor.h"
#include "signature_fixture.h"
#include "support/failing_alloc.h"

/* More than any decision takes. */
#define ALLOCATIONS_MAX 200U

struct scene {
    const char *host;
    const char *tenant_header; /* NULL: none */
    const struct visitor *visitor;
    bool has_both_names;           /* his cookie comes under its name with the suffix as well */
    const char *sealed;            /* value of a cookie that holds its session; NULL: none */
    const char *token;             /* NULL: none */
    const struct signing *signing; /* NULL: none */
    struct installation *all;      /* with signing */
    struct lh_gate_policy policy;
    enum lh_reason expected;           /* when nothing fails */
    size_t expected_answers;           /* headers of the answer then; 0: not looked at */
    const struct lh_tenant_uid *spent; /* whose rate is used up before each request; NULL: none */
};

#define ACME_HOST "acme.example.test"
static const struct lh_rate slow = {.per_s = 1, .burst = 1};

static void prepare(struct sent *sent, const struct scene *scene)
{
    sent_init(sent, scene->host);
    sent_add(sent, "Cookie", "theme=dark");
    sent_add(sent, "Accept", "text/html");
    if (scene->tenant_header != NULL) {
        sent_add(sent, "X-Tenant-ID", scene->tenant_header);
    }
    if (scene->visitor != NULL) {
        sent_add_cookie(sent, scene->visitor);
    }
    if (scene->has_both_names) {
        sent_add_suffixed_cookie(sent, scene->visitor);
    }
    if (scene->sealed != NULL) {
        sent_add_value(sent, LH_COOKIE_NAME, scene->sealed);
    }
    if (scene->token != NULL) {
        sent_add_bearer(sent, scene->token);
    }
    if (scene->signing != NULL) {
        sent_sign(sent, scene->all, &scene->all->acme, scene->signing);
    }
}

/* Uses up the rate of the scene's tenant, and of the client, and the client's signatures. */
static void spend(struct installation *all, const struct scene *scene)
{
    const uint64_t now_ns = all->host.boot_ms * 1000000U;
    const struct lh_client client = lh_client_of(LH_SLICE_EMPTY);
    struct lh_tenant *tenant;
    uint64_t retry_ns;
    assert_ok(lh_directory_find_uid(all->directory, scene->spent, lh_clock_now_ms(&all->host.clock),
                                    &tenant));
    while (lh_is_ok(lh_limits_charge_tenant(all->limits, tenant->slot, &slow, now_ns, &retry_ns))) {
    }
    while (lh_is_ok(
        lh_limits_charge_unproved(all->limits, tenant->slot, &client, now_ns, &retry_ns))) {
    }
    while (lh_is_ok(lh_limits_may_verify(all->limits, tenant->slot, &client, now_ns, &retry_ns))) {
        lh_limits_charge_verify(all->limits, tenant->slot, &client, now_ns, 1000, false);
    }
    lh_tenant_unref(tenant);
}

/* Nothing in memory that a decision could be spared by. */
static void forget(struct installation *all, const struct scene *scene)
{
    if (scene->visitor != NULL) {
        lh_session_cache_drop(all->session_cache, &scene->visitor->key.uid,
                              &scene->visitor->key.lease);
    }
    lh_verified_cache_clear(all->verified_cache);
    fake_host_advance(&all->host, 2000); /* snapshots are older than they may be */
    if (scene->spent != NULL) {
        spend(all, scene);
    }
}

static void assert_as_expected_or_refused(const struct sent *sent, const struct scene *scene)
{
    const struct lh_decision *decision = &sent->decision;
    if (decision->reason == scene->expected) {
        if (scene->expected_answers > 0) {
            assert_int_equal(decision->answer_count, scene->expected_answers);
        }
        return;
    }
    assert_in_range(decision->http_status, 400, 599);
    assert_int_equal(decision->inject_count, 0);
    assert_false(decision->watch.is_set);
    assert_false(decision->has_cookie);
}

static void assert_unharmed(struct installation *all, const struct scene *scene)
{
    struct sent sent;
    forget(all, scene);
    prepare(&sent, scene);
    enum lh_reason reason = sent_decide(&sent, all, &scene->policy);
    assert_string_equal(lh_reason_name(reason), lh_reason_name(scene->expected));
    sent_fini(&sent);
}

/* returns: whether the heap was asked so often that one request failed. */
static bool fail_heap_at(struct installation *all, const struct scene *scene, size_t nth)
{
    struct sent sent;
    forget(all, scene);
    prepare(&sent, scene);
    failing_alloc_at(nth);
    lh_status status = sent_ask(&sent, all->gate, &scene->policy);
    bool has_failed = failing_alloc_count() >= nth;
    failing_alloc_at(0);
    assert_ok(status);
    assert_as_expected_or_refused(&sent, scene);
    sent_fini(&sent);
    assert_unharmed(all, scene);
    return has_failed;
}

static bool fail_request_at(struct installation *all, const struct scene *scene, size_t nth)
{
    struct sent sent;
    forget(all, scene);
    prepare(&sent, scene);
    sent.failing_take = nth;
    assert_ok(sent_ask(&sent, all->gate, &scene->policy));
    bool has_failed = sent.takes >= nth;
    assert_as_expected_or_refused(&sent, scene);
    sent_fini(&sent);
    assert_unharmed(all, scene);
    return has_failed;
}

static void torture(struct installation *all, const struct scene *scene)
{
    assert_unharmed(all, scene);
    size_t heap = 1, request = 1;
    while (fail_heap_at(all, scene, heap)) {
        heap++;
        assert_true(heap < ALLOCATIONS_MAX);
    }
    while (fail_request_at(all, scene, request)) {
        request++;
        assert_true(request < ALLOCATIONS_MAX);
    }
    assert_true(request > 1);
}

static void test_torture__a_live_session(void **state)
{
    struct installation *all = *state;
    struct visitor alice =
        sign_in(all, &all->acme,
                &(struct visit){.subject = "alice", .roles = "admin", .state = "{\"a\":1}"});
    struct scene scene = {.host = "acme.example.test",
                          .tenant_header = "acme",
                          .visitor = &alice,
                          .policy = any_policy(),
                          .expected = LH_REASON_OK};
    torture(all, &scene);
    scene.policy.state = LH_GATE_STATE_FULL;
    torture(all, &scene);
    scene.policy.state = LH_GATE_STATE_NONE;
    scene.host = "shop.acme.test";
    torture(all, &scene);
}

static void test_torture__a_revoked_one(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    revoke_in_registry(all, &alice);
    struct scene scene = {.host = "acme.example.test",
                          .visitor = &alice,
                          .policy = any_policy(),
                          .expected = LH_REASON_SESSION_REVOKED};
    scene.policy.signin = LH_SLICE_LITERAL("/auth");
    torture(all, &scene);
    scene.policy.mode = LH_GATE_OPTIONAL;
    scene.policy.is_stale_passed = true;
    scene.expected = LH_REASON_ANONYMOUS_STALE;
    scene.has_both_names = true;
    scene.expected_answers = 2; /* each name's cookie is deleted, or nobody passes */
    torture(all, &scene);
}

static void test_torture__a_cookie_that_holds_its_session(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor carol = seal_in(all, &all->acme, &(struct visit){.subject = "carol"});
    revoke_in_registry(all, &carol.who);
    struct scene scene = {.host = ACME_HOST,
                          .tenant_header = "acme",
                          .sealed = alice.cookie,
                          .policy = sealed_policy(),
                          .expected = LH_REASON_OK};
    torture(all, &scene);
    scene.policy.state = LH_GATE_STATE_NONE;
    torture(all, &scene);
    scene.sealed = carol.cookie;
    scene.expected = LH_REASON_SESSION_REVOKED;
    torture(all, &scene);
    scene.tenant_header = NULL;
    scene.host = "globex.example.test";
    scene.expected = LH_REASON_BAD_MAC;
    torture(all, &scene);
}

static void test_torture__nobody(void **state)
{
    struct installation *all = *state;
    struct scene scene = {
        .host = "acme.example.test", .policy = any_policy(), .expected = LH_REASON_ANONYMOUS};
    scene.policy.mode = LH_GATE_OPTIONAL;
    torture(all, &scene);
    scene.policy.mode = LH_GATE_OFF;
    scene.expected = LH_REASON_OFF;
    torture(all, &scene);
}

static void test_torture__a_token_with_and_without_a_session(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    give_token(all, &alice, STANDARD_JTI);
    const struct token token = {.signer = BY_OWN,
                                .sid = ref_of(&alice),
                                .expires_s = 24L * 3600,
                                .extra = ",\"scope\":\"a\""};
    const struct token forged = {.signer = BY_STRANGER, .expires_s = 24L * 3600};
    char text[TOKEN_BYTES], forged_text[TOKEN_BYTES];
    make_token(all, &all->acme, &token, text);
    make_token(all, &all->acme, &forged, forged_text);
    struct scene scene = {
        .host = "x.test", .token = text, .policy = bearer_policy(), .expected = LH_REASON_OK};
    scene.policy.tenant_from = LH_GATE_TENANT_CLAIM;
    torture(all, &scene);
    scene.policy.token_mode = LH_GATE_TOKEN_STATEFUL;
    torture(all, &scene);
    scene.token = forged_text;
    scene.expected = LH_REASON_TOKEN_SIGNATURE;
    torture(all, &scene);
}

static void test_torture__a_signed_request(void **state)
{
    struct installation *all = *state;
    const struct signing secret = {.body = "body"};
    const struct signing partner = {.key_id = PARTNER};
    const struct signing forged = {.signer = GLOBEX_SECRET};
    struct scene scene = {.host = ACME_HOST,
                          .signing = &secret,
                          .all = all,
                          .policy = signature_policy(),
                          .expected = LH_REASON_OK};
    torture(all, &scene);
    scene.signing = &partner;
    torture(all, &scene);
    scene.signing = &forged;
    scene.expected = LH_REASON_SIGNATURE_INVALID;
    torture(all, &scene);
}

static const struct lh_limits_rates little = {
    {1, 1}, {1, 1}, {1, 1}, {50000, 10000}, {50000, 10000}};

static void test_torture__who_is_over_his_rate(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    installation_limit(all, &little, slow);
    struct scene scene = {.host = ACME_HOST,
                          .visitor = &alice,
                          .policy = any_policy(),
                          .expected = LH_REASON_RATE_TENANT,
                          .spent = &all->acme};
    torture(all, &scene);
    scene.visitor = NULL;
    scene.policy.mode = LH_GATE_ON;
    scene.expected = LH_REASON_RATE_CLIENT;
    torture(all, &scene);
}

static void test_torture__a_token_that_there_is_no_time_for(void **state)
{
    struct installation *all = *state;
    const struct token token = {.signer = BY_OWN, .expires_s = 24L * 3600};
    char text[TOKEN_BYTES];
    make_token(all, &all->acme, &token, text);
    installation_limit(all, &little, (struct lh_rate){0, 0});
    struct scene scene = {.host = ACME_HOST,
                          .token = text,
                          .policy = bearer_policy(),
                          .expected = LH_REASON_RATE_SIGNATURE,
                          .spent = &all->acme};
    torture(all, &scene);
}

static void test_torture__a_gate_that_cannot_be_made(void **state)
{
    struct installation *all = *state;
    struct lh_gate_parts parts = installation_parts(all);
    struct lh_gate *gate = NULL;
    failing_alloc_at(1);
    lh_status status = lh_gate_new(&parts, &gate);
    failing_alloc_at(0);
    assert_int_equal(status.code, LH_NO_MEMORY);
    assert_null(gate);
    failing_calls_reset();
    failing_calls.randomness = LH_CRYPTO;
    assert_status(lh_gate_new(&parts, &gate), LH_CRYPTO);
    failing_calls_reset();
    assert_null(gate);
    lh_gate_free(NULL);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_torture__a_live_session),
        GATE_TEST(test_torture__a_revoked_one),
        GATE_TEST(test_torture__a_cookie_that_holds_its_session),
        GATE_TEST(test_torture__nobody),
        cmocka_unit_test_setup_teardown(test_torture__a_token_with_and_without_a_session,
                                        bearer_setup, bearer_teardown),
        cmocka_unit_test_setup_teardown(test_torture__a_signed_request, signature_setup,
                                        signature_teardown),
        GATE_TEST(test_torture__who_is_over_his_rate),
        cmocka_unit_test_setup_teardown(test_torture__a_token_that_there_is_no_time_for,
                                        bearer_setup, bearer_teardown),
        GATE_TEST(test_torture__a_gate_that_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
