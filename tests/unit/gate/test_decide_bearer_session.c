/*
 * Bearer tokens that belong to a session, and tokens beside a cookie.
 */
#include "bearer_fixture.h"
#include "failing_calls.h"

#include "codec/base64url.h"

#define ACME   "acme.example.test"
#define GLOBEX "globex.example.test"

static struct lh_gate_policy stateful_policy(void)
{
    struct lh_gate_policy policy = bearer_policy();
    policy.token_mode = LH_GATE_TOKEN_STATEFUL;
    return policy;
}

static struct lh_gate_policy both_policy(void)
{
    struct lh_gate_policy policy = stateful_policy();
    policy.credentials = LH_GATE_CREDENTIAL_COOKIE | LH_GATE_CREDENTIAL_BEARER;
    return policy;
}

/* Alice with a session whose token is the standard one. */
static struct visitor sign_in_with_token(struct installation *all, const struct lh_tenant_uid *uid)
{
    struct visitor visitor = sign_in_alice(all, uid);
    give_token(all, &visitor, STANDARD_JTI);
    return visitor;
}

static void test_stateful__needs_a_live_session_of_the_same_subject(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    const struct token foreign = {.signer = BY_IDP, .sid = ref_of(&alice)};
    const struct token bob = {.sid = ref_of(&alice), .sub = "bob"};
    const struct token none = {.signer = BY_OWN};
    const struct token odd = {.sid = "whatever"};
    const struct token absent = {.sid = "0.aaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (unsigned i = 0; i < 2; i++) {
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &token), OK);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &foreign), OK);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &bob), TOKEN_SESSION);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &none), TOKEN_SESSION);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &odd), TOKEN_SESSION);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &absent), SESSION_ABSENT);
    }
    /* The other tenant has no session of that reference. */
    assert_reason(bear_once(all, &policy, GLOBEX, &all->globex, &token), SESSION_ABSENT);
}

static void test_stateful__an_anonymous_session_is_nobodys(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor nobody = sign_in(all, &all->acme, &(struct visit){.subject = NULL});
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&nobody)};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &token), TOKEN_SESSION);
}

static void test_stateful__ends_with_its_session(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    struct visitor other = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &token), OK);
    revoke_in_registry(all, &alice);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &token), SESSION_REVOKED);
    const struct token second = {.signer = BY_OWN, .sid = ref_of(&other)};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &second), OK);
    revoke_in_store(all, &other);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &second), SESSION_REVOKED);
}

/* An own token ends by its user's logout even if its session is a later one. */
static void test_stateful__own_tokens_end_by_their_epochs(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    log_out_subject(all, &all->acme, "alice");
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &token), TOKEN_REVOKED);
}

/* The session lives; what may be done is what the token says. */
static void test_stateful__grants_what_the_token_says(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token narrow = {
        .signer = BY_OWN, .sid = ref_of(&alice), .extra = ",\"scope\":\"look\""};
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, &narrow);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_string_equal(sent_injected(&sent, "X-Session-Scope"), "look");
    assert_string_equal(sent_injected(&sent, "X-Session-Ref"), ref_of(&alice));
    assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
    sent_fini(&sent);
}

static void test_stateful__no_page_of_another_origin_can_send_it(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = both_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    struct sent sent;
    sent_init(&sent, ACME);
    sent.request.method = LH_SLICE_LITERAL("POST");
    sent_add_token(&sent, all, &all->acme, &token);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), ORIGIN);
    sent_fini(&sent);
}

static enum lh_reason both(struct installation *all, const struct visitor *visitor,
                           const struct token *token)
{
    struct lh_gate_policy policy = both_policy();
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_cookie(&sent, visitor);
    sent_add_token(&sent, all, &all->acme, token);
    enum lh_reason reason = sent_decide(&sent, all, &policy);
    if (reason == LH_REASON_OK) {
        assert_true(sent.decision.is_authorization_cut);
        assert_string_equal(sent_injected(&sent, "X-Session-Scope"), "read write");
    } else {
        assert_string_equal(sent_answered(&sent, "WWW-Authenticate"),
                            "Cookie realm=\"leasehold\", Bearer realm=\"leasehold\"");
    }
    sent_fini(&sent);
    return reason;
}

static void test_both__must_be_of_one_session(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_with_token(all, &all->acme);
    struct visitor again = sign_in_with_token(all, &all->acme);
    struct visitor globex = sign_in_with_token(all, &all->globex);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    const struct token bob = {.signer = BY_OWN, .sid = ref_of(&alice), .sub = "bob"};
    const struct token none = {.signer = BY_OWN};
    const struct token forged = {.signer = BY_STRANGER, .sid = ref_of(&alice)};
    for (unsigned i = 0; i < 2; i++) {
        assert_reason(both(all, &alice, &token), OK);
        assert_reason(both(all, &again, &token), CREDENTIAL_CONFLICT);
        assert_reason(both(all, &globex, &token), BAD_MAC);
        assert_reason(both(all, &alice, &none), CREDENTIAL_CONFLICT);
        assert_reason(both(all, &alice, &forged), TOKEN_SIGNATURE);
        assert_reason(both(all, &alice, &bob), TOKEN_SESSION);
    }
}

/* A stale cookie may be overlooked; a token beside it may not. */
static void test_both__a_token_is_never_overlooked(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = both_policy();
    policy.mode = LH_GATE_OPTIONAL;
    policy.is_stale_passed = true;
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    revoke_in_registry(all, &alice);
    assert_reason(visit_once(all, &policy, ACME, &alice), ANONYMOUS_STALE);
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_cookie(&sent, &alice);
    sent_add_token(&sent, all, &all->acme, &token);
    assert_reason(sent_decide(&sent, all, &policy), SESSION_REVOKED);
    sent_fini(&sent);
}

/* The token's texts outlive the cache's entry while a key is fetched. */
static void test_stateful__waits_for_a_cold_key(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    installation_restart_worker(all);
    all->host.mode = FAKE_HOST_QUEUES;
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, &token);
    sent_begin(&sent, all, &policy);
    lh_verified_cache_clear(all->verified_cache);
    assert_int_equal(fake_host_run(&all->host, LH_LANE_FETCH), 1);
    assert_int_equal(sent.wakes, 1);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, OK);
    assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
    sent_fini(&sent);
}

/* The claims of the X-Tenant-Context that a token's request gets; text. */
static void read_context(struct installation *all, const struct token *token, char out[4096])
{
    struct lh_gate_policy policy = stateful_policy();
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, token);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    lh_slice jws = lh_slice_from_text(sent_injected(&sent, "X-Tenant-Context"));
    lh_slice rest = lh_slice_cut(jws, lh_slice_find(jws, '.') + 1, jws.len);
    size_t len;
    assert_ok(lh_base64url_decode(lh_slice_cut(rest, 0, lh_slice_find(rest, '.')), (uint8_t *)out,
                                  4095, &len));
    out[len] = '\0';
    sent_fini(&sent);
}

static void test_stateful__a_context_does_not_outlive_the_token(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token longer = {.signer = BY_OWN, .sid = ref_of(&alice)};
    const struct token shorter = {.signer = BY_OWN, .sid = ref_of(&alice), .expires_s = 25};
    char claims[4096];
    char expected[32];
    read_context(all, &longer, claims);
    (void)snprintf(expected, sizeof(expected), "\"exp\":%llu}",
                   (unsigned long long)(lh_clock_now_ms(&all->host.clock) / 1000 + 25));
    read_context(all, &shorter, claims);
    assert_non_null(strstr(claims, expected));
}

static struct lh_gate_watch begin_watch(struct installation *all, const struct token *token)
{
    struct lh_gate_policy policy = stateful_policy();
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, token);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    struct lh_gate_watch watch = sent.decision.watch;
    sent_fini(&sent);
    return watch;
}

/* A stream that began with a token has no right to go on when the token has none. */
static void test_stateful__is_watched_as_long_as_token_and_session_last(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_with_token(all, &all->acme);
    struct visitor other = sign_in_with_token(all, &all->acme);
    const struct token own = {.signer = BY_OWN, .sid = ref_of(&alice), .expires_s = 60};
    struct lh_gate_watch of_own = begin_watch(all, &own), late = of_own;
    const struct token foreign = {.signer = BY_IDP, .sid = ref_of(&alice)};
    struct lh_gate_watch of_foreign = begin_watch(all, &foreign), keyless = of_foreign;
    const struct token second = {.signer = BY_IDP, .sid = ref_of(&other)};
    struct lh_gate_watch of_other = begin_watch(all, &second);
    assert_ok(lh_gate_watch_check(all->gate, &of_own));
    revoke_in_registry(all, &alice);
    assert_status(lh_gate_watch_check(all->gate, &of_own), LH_REVOKED);
    assert_status(lh_gate_watch_check(all->gate, &of_foreign), LH_REVOKED);
    assert_ok(lh_gate_watch_check(all->gate, &of_other));
    drop_issuers(all, &all->acme);
    assert_status(lh_gate_watch_check(all->gate, &of_other), LH_REVOKED);
    assert_status(lh_gate_watch_check(all->gate, &keyless), LH_REVOKED);
    fake_host_advance(&all->host, 66 * 1000);
    assert_status(lh_gate_watch_check(all->gate, &late), LH_EXPIRED);
}

#define BEARER_TEST(test) cmocka_unit_test_setup_teardown(test, bearer_setup, bearer_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEARER_TEST(test_stateful__needs_a_live_session_of_the_same_subject),
        BEARER_TEST(test_stateful__an_anonymous_session_is_nobodys),
        BEARER_TEST(test_stateful__ends_with_its_session),
        BEARER_TEST(test_stateful__own_tokens_end_by_their_epochs),
        BEARER_TEST(test_stateful__grants_what_the_token_says),
        BEARER_TEST(test_stateful__no_page_of_another_origin_can_send_it),
        BEARER_TEST(test_both__must_be_of_one_session),
        BEARER_TEST(test_both__a_token_is_never_overlooked),
        BEARER_TEST(test_stateful__waits_for_a_cold_key),
        BEARER_TEST(test_stateful__a_context_does_not_outlive_the_token),
        BEARER_TEST(test_stateful__is_watched_as_long_as_token_and_session_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
