/*
 * Optional locations, and where a person without a session is sent.
 */
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST "acme.example.test"

static struct lh_gate_policy optional_policy(bool is_stale_passed)
{
    struct lh_gate_policy policy = any_policy();
    policy.mode = LH_GATE_OPTIONAL;
    policy.is_stale_passed = is_stale_passed;
    return policy;
}

/* Nothing of a session may be in what goes upstream. */
static void assert_anonymous(struct sent *sent)
{
    assert_int_equal(sent->decision.http_status, 0);
    assert_string_equal(sent_injected(sent, "X-Session-Mode"), "anonymous");
    assert_null(sent_injected(sent, "X-Tenant-Context"));
    assert_null(sent_injected(sent, "X-Session-Ref"));
    assert_null(sent_injected(sent, "X-Session-Subject"));
    assert_null(sent_injected(sent, "X-Session-Scope"));
    assert_null(sent_injected(sent, "X-Session-State"));
    assert_false(sent->decision.watch.is_set);
    assert_int_equal(sent->decision.subject.len, 0);
    assert_slice_text(sent->decision.mode, "anonymous");
}

static void test_optional__without_credential_is_anonymous(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(false);
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    assert_reason(sent_decide(&sent, all, &policy), ANONYMOUS);
    assert_anonymous(&sent);
    assert_string_equal(sent_injected(&sent, "X-Tenant-ID"), "acme");
    assert_string_equal(sent_injected(&sent, "X-Tenant-UID"), "61616161616161616161616161616161");
    assert_non_null(sent_injected(&sent, "X-Request-ID"));
    assert_slice_text(sent.decision.cache_key, "61616161616161616161616161616161:,");
    assert_true(sent.decision.is_private);
    sent_fini(&sent);
}

/* A tenant that only a header names is nobody's word. */
static void test_optional__an_unproved_header_names_no_tenant(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(false);
    struct sent sent;
    sent_init(&sent, "gateway.test");
    sent_add(&sent, "X-Tenant-ID", "acme");
    assert_reason(sent_decide(&sent, all, &policy), ANONYMOUS);
    assert_anonymous(&sent);
    assert_null(sent_injected(&sent, "X-Tenant-ID"));
    assert_null(sent_injected(&sent, "X-Tenant-UID"));
    assert_int_equal(sent.decision.tenant.len, 0);
    assert_int_equal(sent.decision.uid.len, 0);
    sent_fini(&sent);
}

static void test_optional__a_live_session_passes_as_itself(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(false);
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
    sent_fini(&sent);
}

static void test_optional__an_invalid_cookie_is_401(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(false);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(visit_once(all, &policy, ACME_HOST, &bob), BAD_MAC);
    struct visitor alice = sign_in_alice(all, &all->acme);
    revoke_in_registry(all, &alice);
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), SESSION_REVOKED);
}

static void test_optional__an_invalid_cookie_may_pass_and_is_deleted(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(true);
    struct visitor alice = sign_in_alice(all, &all->acme);
    revoke_in_registry(all, &alice);
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, &alice);
    sent_add(&sent, "Cookie", "theme=dark");
    assert_reason(sent_decide(&sent, all, &policy), ANONYMOUS_STALE);
    assert_anonymous(&sent);
    assert_string_equal(sent_answered(&sent, "Set-Cookie"),
                        "__Host-lh=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    assert_slice_text(sent.decision.cookie, "theme=dark");
    assert_non_null(strstr(all->host.log, "reason=session_revoked"));
    assert_non_null(strstr(all->host.log, "passed_as=anonymous"));
    sent_fini(&sent);
}

static void test_optional__each_name_that_came_is_deleted(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(true);
    struct visitor alice = sign_in_alice(all, &all->acme);
    revoke_in_registry(all, &alice);
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_suffixed_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), ANONYMOUS_STALE);
    assert_string_equal(sent_answered(&sent, "Set-Cookie"),
                        "__Host-lh-61616161=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), ANONYMOUS_STALE);
    assert_int_equal(sent.decision.answer_count, 2);
    sent_fini(&sent);
}

static void test_optional__unknown_is_503_and_keeps_the_cookie(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(true);
    struct visitor alice = sign_in_alice(all, &all->acme);
    failing_calls_reset();
    failing_calls.store_load = LH_STORE_DOWN;
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), STORE_DOWN);
    assert_null(sent_answered(&sent, "Set-Cookie"));
    assert_int_equal(sent.decision.inject_count, 0);
    failing_calls_reset();
    sent_fini(&sent);
}

static void test_optional__a_cookie_given_twice_is_400_even_so(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(true);
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, &alice);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), COOKIE_DUPLICATE);
    sent_fini(&sent);
}

static void test_optional__an_unknown_tenant_is_401(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(true);
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_reason(visit_once(all, &policy, "nobody.example.test", NULL), TENANT_UNKNOWN);
    assert_reason(visit_once(all, &policy, "nobody.example.test", &alice), TENANT_UNKNOWN);
    policy.tenant_from = LH_GATE_TENANT_SUBDOMAIN;
    assert_reason(visit_once(all, &policy, "example.test", NULL), TENANT_MISSING);
}

static void test_optional__what_is_required_is_required_of_everybody(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = optional_policy(true);
    struct visitor alice = sign_in_alice(all, &all->acme);
    lh_slice role = LH_SLICE_LITERAL("admin");
    policy.require_roles = (struct lh_gate_list){&role, 1};
    assert_reason(visit_once(all, &policy, ACME_HOST, NULL), NO_CREDENTIAL);
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), OK);
    revoke_in_registry(all, &alice);
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), SESSION_REVOKED);
    assert_null(strstr(all->host.log, "passed_as"));
    lh_slice scope = LH_SLICE_LITERAL("read");
    policy.require_roles = (struct lh_gate_list){NULL, 0};
    policy.require_scopes = (struct lh_gate_list){&scope, 1};
    assert_reason(visit_once(all, &policy, ACME_HOST, NULL), NO_CREDENTIAL);
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), SESSION_REVOKED);
}

/* --- Off -------------------------------------------------------------------------------------- */

static void test_off__passes_with_nothing_of_ours_but_the_trace(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.mode = LH_GATE_OFF;
    policy.preflight = (struct lh_gate_list){NULL, 0};
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add(&sent, "X-Tenant-ID", "globex");
    sent_add(&sent, "X-Session-Ref", "mine");
    assert_reason(sent_decide(&sent, all, &policy), OFF);
    assert_int_equal(sent.decision.inject_count, 2);
    assert_string_equal(sent_injected(&sent, "X-Request-ID"), "request-1");
    assert_non_null(sent_injected(&sent, "traceparent"));
    assert_int_equal(sent.decision.tenant.len, 0);
    sent_fini(&sent);
}

static void test_off__passes_without_a_home(void **state)
{
    (void)state;
    struct lh_gate_policy policy = any_policy();
    policy.mode = LH_GATE_OFF;
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent.request.request_id = LH_SLICE_EMPTY;
    assert_ok(sent_ask(&sent, NULL, &policy));
    assert_reason(sent.decision.reason, OFF);
    assert_int_equal(sent.decision.inject_count, 0);
    sent_fini(&sent);
}

/* --- Sign-in ---------------------------------------------------------------------------------- */

struct navigation {
    const char *method;
    const char *fetch_mode; /* NULL: an old browser */
    const char *accept;     /* NULL: none */
    const char *target;
    bool is_upgrade;
};

/* Where acme's sign-in sends it; NULL: nowhere, a plain 401. */
static void navigate(struct sent *sent, struct installation *all, const char *signin,
                     struct navigation navigation)
{
    struct lh_gate_policy policy = any_policy();
    policy.signin = lh_slice_from_text(signin);
    sent_init(sent, ACME_HOST);
    sent->request.method = lh_slice_from_text(navigation.method);
    sent->request.target = lh_slice_from_text(navigation.target);
    sent->request.is_upgrade = navigation.is_upgrade;
    if (navigation.fetch_mode != NULL) {
        sent_add(sent, "Sec-Fetch-Mode", navigation.fetch_mode);
    }
    if (navigation.accept != NULL) {
        sent_add(sent, "Accept", navigation.accept);
    }
    assert_reason(sent_decide(sent, all, &policy), NO_CREDENTIAL);
}

static void assert_location(struct installation *all, const char *signin, const char *target,
                            const char *expected)
{
    struct sent sent;
    navigate(&sent, all, signin, (struct navigation){"GET", "navigate", NULL, target, false});
    assert_true(sent.decision.is_redirect);
    assert_int_equal(sent.decision.http_status, 401);
    assert_slice_text(sent.decision.location, expected);
    assert_int_equal(sent.decision.body.len, 0);
    assert_null(sent_answered(&sent, "WWW-Authenticate"));
    sent_fini(&sent);
}

static void test_signin__comes_back_to_this_path_and_no_other_place(void **state)
{
    struct installation *all = *state;
    assert_location(all, "/auth", "/cart?a=1&b=%20x#y",
                    "/auth?return_to=%2Fcart%3Fa%3D1%26b%3D%2520x%23y");
    assert_location(all, "/auth?x=1", "/", "/auth?x=1&return_to=%2F");
    assert_location(all, "/auth", "//evil.test/", "/auth");
    assert_location(all, "/auth", "/\\evil.test/", "/auth");
    assert_location(all, "/auth", "http://evil.test/", "/auth");
    assert_location(all, "/auth", "", "/auth");
    assert_location(all, "/auth", "/a\r\nSet-Cookie: x=y",
                    "/auth?return_to=%2Fa%0D%0ASet-Cookie%3A%20x%3Dy");
    char target[2050];
    memset(target, 'a', sizeof(target));
    target[0] = '/';
    target[sizeof(target) - 1] = '\0';
    assert_location(all, "/auth", target, "/auth");
}

static bool is_sent_to_signin(struct installation *all, struct navigation navigation)
{
    struct sent sent;
    navigate(&sent, all, "/auth", navigation);
    bool is_redirect = sent.decision.is_redirect;
    assert_int_equal(sent_answered(&sent, "WWW-Authenticate") == NULL, is_redirect);
    sent_fini(&sent);
    return is_redirect;
}

static void test_signin__is_for_navigations_only(void **state)
{
    struct installation *all = *state;
    const char *html = "text/html,application/xhtml+xml;q=0.9";
    assert_true(is_sent_to_signin(all, (struct navigation){"GET", "navigate", html, "/", false}));
    assert_true(is_sent_to_signin(all, (struct navigation){"GET", NULL, html, "/", false}));
    assert_true(is_sent_to_signin(
        all, (struct navigation){"GET", NULL, "application/json, Text/HTML;q=0.1", "/", false}));
    assert_false(is_sent_to_signin(all, (struct navigation){"GET", "cors", html, "/", false}));
    assert_false(is_sent_to_signin(all, (struct navigation){"GET", "", html, "/", false}));
    assert_false(is_sent_to_signin(all, (struct navigation){"POST", "navigate", html, "/", false}));
    assert_false(is_sent_to_signin(all, (struct navigation){"GET", "navigate", html, "/", true}));
    assert_false(is_sent_to_signin(all, (struct navigation){"GET", NULL, "*/*", "/", false}));
    assert_false(is_sent_to_signin(all, (struct navigation){"GET", NULL, NULL, "/", false}));
    assert_false(
        is_sent_to_signin(all, (struct navigation){"GET", NULL, "text/htmlx", "/", false}));
}

static void test_signin__is_only_for_401(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.signin = LH_SLICE_LITERAL("/auth");
    lh_slice role = LH_SLICE_LITERAL("nobody-has-it");
    policy.require_roles = (struct lh_gate_list){&role, 1};
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add(&sent, "Sec-Fetch-Mode", "navigate");
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), ROLE);
    assert_false(sent.decision.is_redirect);
    sent_fini(&sent);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_optional__without_credential_is_anonymous),
        GATE_TEST(test_optional__an_unproved_header_names_no_tenant),
        GATE_TEST(test_optional__a_live_session_passes_as_itself),
        GATE_TEST(test_optional__an_invalid_cookie_is_401),
        GATE_TEST(test_optional__an_invalid_cookie_may_pass_and_is_deleted),
        GATE_TEST(test_optional__each_name_that_came_is_deleted),
        GATE_TEST(test_optional__unknown_is_503_and_keeps_the_cookie),
        GATE_TEST(test_optional__a_cookie_given_twice_is_400_even_so),
        GATE_TEST(test_optional__an_unknown_tenant_is_401),
        GATE_TEST(test_optional__what_is_required_is_required_of_everybody),
        GATE_TEST(test_off__passes_with_nothing_of_ours_but_the_trace),
        GATE_TEST(test_off__passes_without_a_home),
        GATE_TEST(test_signin__comes_back_to_this_path_and_no_other_place),
        GATE_TEST(test_signin__is_for_navigations_only),
        GATE_TEST(test_signin__is_only_for_401),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
