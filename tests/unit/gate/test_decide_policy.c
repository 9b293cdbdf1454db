/*
 * What a location may ask of a session (roles, scopes), and which pages may use a browser's
 * cookie (origin, preflight).
 */
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST "acme.example.test"

static enum lh_reason with_required(struct installation *all, const struct visitor *visitor,
                                    const char *roles, const char *scopes)
{
    struct lh_gate_policy policy = any_policy();
    lh_slice role_items[4], scope_items[4];
    struct lh_gate_list *lists[] = {&policy.require_roles, &policy.require_scopes};
    lh_slice *items[] = {role_items, scope_items};
    lh_slice texts[] = {lh_slice_from_text(roles), lh_slice_from_text(scopes)};
    for (size_t i = 0; i < 2; i++) {
        lists[i]->items = items[i];
        while (texts[i].len > 0) {
            size_t end = lh_slice_find(texts[i], ' ');
            items[i][lists[i]->count++] = lh_slice_cut(texts[i], 0, end);
            texts[i] = lh_slice_cut(texts[i], end + 1, texts[i].len);
        }
    }
    return visit_once(all, &policy, ACME_HOST, visitor);
}

static void test_policy__any_required_role_is_enough(void **state)
{
    struct installation *all = *state;
    struct visitor alice =
        sign_in(all, &all->acme, &(struct visit){.subject = "alice", .roles = "editor viewer"});
    assert_reason(with_required(all, &alice, "editor", ""), OK);
    assert_reason(with_required(all, &alice, "admin viewer", ""), OK);
    assert_reason(with_required(all, &alice, "admin", ""), ROLE);
    assert_reason(with_required(all, &alice, "Editor", ""), ROLE);
    assert_reason(with_required(all, &alice, "edito", ""), ROLE);
}

/* For access logs: who it was that may not. */
static void test_policy__a_refusal_says_whose_session_it_was(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    lh_slice role = LH_SLICE_LITERAL("owner");
    policy.require_roles = (struct lh_gate_list){&role, 1};
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), ROLE);
    assert_slice_text(sent.decision.subject, "alice");
    assert_slice_text(sent.decision.tenant, "acme");
    assert_true(sent.decision.session_ref.len > 0);
    assert_int_equal(sent.decision.inject_count, 0);
    sent_fini(&sent);
}

static void test_policy__each_required_scope_is_needed(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in(
        all, &all->acme, &(struct visit){.subject = "alice", .roles = "admin", .scopes = "print"});
    assert_reason(with_required(all, &alice, "", "print"), OK);
    assert_reason(with_required(all, &alice, "", "print write read"), OK);
    assert_reason(with_required(all, &alice, "", "print delete"), SCOPE);
    assert_reason(with_required(all, &alice, "", "writ"), SCOPE);
    assert_reason(with_required(all, &alice, "admin", "read"), OK);
    assert_reason(with_required(all, &alice, "owner", "read"), ROLE);
}

static void test_policy__a_role_that_the_tenant_does_not_know_gives_nothing(void **state)
{
    struct installation *all = *state;
    struct visitor alice =
        sign_in(all, &all->acme, &(struct visit){.subject = "alice", .roles = "root"});
    assert_reason(with_required(all, &alice, "root", ""), OK);
    assert_reason(with_required(all, &alice, "", "read"), SCOPE);
}

static void take_roles(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->role_count = 0;
}

static void test_policy__a_changed_map_of_roles_counts_at_once(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_gate_policy policy = any_policy();
    assert_reason(with_required(all, &alice, "", "write"), OK);
    change_tenant(all, &all->acme, take_roles);
    assert_reason(with_required(all, &alice, "", "write"), SCOPE);
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_string_equal(sent_injected(&sent, "X-Session-Scope"), "read");
    sent_fini(&sent);
}

static void give_many_scopes(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    enum { SCOPES = 600 };
    void *memory;
    assert_ok(lh_arena_take(&tenant->arena, SCOPES * sizeof(lh_slice), &memory));
    tenant->roles[0].scopes = memory;
    tenant->roles[0].scope_count = SCOPES;
    for (unsigned i = 0; i < SCOPES; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "scope-%04u", i);
        assert_ok(
            lh_arena_dup(&tenant->arena, lh_slice_from_text(text), &tenant->roles[0].scopes[i]));
    }
}

static void test_policy__scopes_that_do_not_fit_are_refused_not_cut(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor carol = sign_in(all, &all->acme, &(struct visit){.subject = "carol"});
    change_tenant(all, &all->acme, give_many_scopes);
    assert_reason(with_required(all, &alice, "", ""), SCOPES_TOO_LARGE);
    assert_reason(with_required(all, &carol, "", ""), OK);
}

/* --- Origin ----------------------------------------------------------------------------------- */

struct page {
    const char *method;
    const char *fetch_site; /* NULL: an old browser */
    const char *origin;     /* NULL: none */
    const char *authority;  /* NULL: acme's host */
    bool is_plain;          /* not TLS */
    bool is_upgrade;
};

static enum lh_reason from_page(struct installation *all, const struct lh_gate_policy *policy,
                                const struct visitor *visitor, struct page page)
{
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent.request.method = lh_slice_from_text(page.method);
    sent.request.is_tls = !page.is_plain;
    sent.request.is_upgrade = page.is_upgrade;
    if (page.authority != NULL) {
        sent.request.authority = lh_slice_from_text(page.authority);
    }
    if (page.fetch_site != NULL) {
        sent_add(&sent, "Sec-Fetch-Site", page.fetch_site);
    }
    if (page.origin != NULL) {
        sent_add(&sent, "Origin", page.origin);
    }
    sent_add_cookie(&sent, visitor);
    enum lh_reason reason = sent_decide(&sent, all, policy);
    sent_fini(&sent);
    return reason;
}

#define assert_page(expected, ...)                                                                 \
    assert_reason(from_page(all, &policy, &alice, (struct page){.method = __VA_ARGS__}), expected)

static void test_origin__safe_methods_are_not_asked(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_page(OK, "GET", "cross-site", "https://evil.test");
    assert_page(OK, "HEAD", NULL, NULL);
    assert_page(OK, "OPTIONS", "cross-site", NULL);
    assert_page(ORIGIN, "get", NULL, NULL); /* methods have case */
}

static void test_origin__what_the_browser_says_counts_first(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_page(OK, "POST", "same-origin", NULL);
    assert_page(OK, "DELETE", "none", NULL);
    assert_page(ORIGIN, "POST", "same-site", "https://" ACME_HOST);
    assert_page(ORIGIN, "POST", "cross-site", "https://" ACME_HOST);
    assert_page(ORIGIN, "POST", "", "https://" ACME_HOST);
    assert_page(ORIGIN, "POST", "Same-Origin, none", NULL);
    assert_page(ORIGIN, "PUT", NULL, NULL);
}

static void test_origin__old_browsers_are_known_by_their_origin(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_page(OK, "POST", NULL, "https://" ACME_HOST);
    assert_page(OK, "POST", NULL, "https://ACME.example.TEST");
    assert_page(OK, "POST", NULL, "https://" ACME_HOST ":443");
    assert_page(OK, "POST", NULL, "https://" ACME_HOST ":8443", ACME_HOST ":8443");
    assert_page(OK, "POST", NULL, "https://" ACME_HOST, ACME_HOST ":443");
    assert_page(ORIGIN, "POST", NULL, "https://" ACME_HOST ":8443");
    assert_page(ORIGIN, "POST", NULL, "https://" ACME_HOST, ACME_HOST ":8443");
    assert_page(ORIGIN, "POST", NULL, "http://" ACME_HOST);
    assert_page(ORIGIN, "POST", NULL, "https://globex.example.test");
    assert_page(ORIGIN, "POST", NULL, "https://" ACME_HOST ".evil.test");
    assert_page(ORIGIN, "POST", NULL, "https://evil.test/" ACME_HOST);
    assert_page(ORIGIN, "POST", NULL, "https://evil@" ACME_HOST);
    assert_page(ORIGIN, "POST", NULL, "null");
    assert_page(ORIGIN, "POST", NULL, "");
    assert_page(ORIGIN, "POST", NULL, ACME_HOST);
    assert_page(ORIGIN, "POST", NULL, "https://");
    assert_page(ORIGIN, "POST", NULL, "https://" ACME_HOST ":");
    assert_page(ORIGIN, "POST", NULL, "https://" ACME_HOST ":0");
    assert_page(ORIGIN, "POST", NULL, "https://[::1]");
    assert_page(OK, "POST", NULL, "https://[::1]:444", "[::1]:444");
}

static void test_origin__behind_a_tls_terminator_either_scheme_is_ours(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_page(OK, "POST", NULL, "https://" ACME_HOST, NULL, true);
    assert_page(OK, "POST", NULL, "http://" ACME_HOST, NULL, true);
    assert_page(ORIGIN, "POST", NULL, "http://" ACME_HOST ":8080", NULL, true);
    assert_page(OK, "POST", NULL, "http://" ACME_HOST ":8080", ACME_HOST ":8080", true);
}

static void test_origin__upgrades_are_asked_whatever_their_method(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_page(ORIGIN, "GET", NULL, "https://evil.test", NULL, false, true);
    assert_page(ORIGIN, "GET", NULL, NULL, NULL, false, true);
    assert_page(OK, "GET", NULL, "https://" ACME_HOST, NULL, false, true);
}

static void test_origin__listed_ones_may_beside_the_own(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    lh_slice listed = LH_SLICE_LITERAL("https://app.partner.test");
    policy.origins = (struct lh_gate_list){&listed, 1};
    assert_page(ORIGIN, "POST", "cross-site", "https://app.partner.test");
    policy.origin = LH_GATE_ORIGIN_LIST;
    assert_page(OK, "POST", "cross-site", "https://app.partner.test");
    assert_page(OK, "POST", NULL, "https://app.partner.test");
    assert_page(OK, "POST", "same-origin", "https://" ACME_HOST);
    assert_page(ORIGIN, "POST", "cross-site", "https://app.partner.test.evil.test");
    policy.origin = LH_GATE_ORIGIN_OFF;
    assert_page(OK, "POST", "cross-site", "https://evil.test");
}

static void test_origin__said_twice_is_not_believed(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    static const char *const names[] = {"Sec-Fetch-Site", "Origin"};
    static const char *const values[] = {"same-origin", "https://" ACME_HOST};
    for (size_t i = 0; i < 4; i++) {
        struct sent sent;
        sent_init(&sent, ACME_HOST);
        sent.request.method = LH_SLICE_LITERAL("POST");
        sent_add(&sent, names[i % 2], values[i % 2]);
        sent_add(&sent, names[i % 2], values[i % 2]);
        if (i >= 2) { /* nor does the other one, said once, make up for it */
            sent_add(&sent, names[(i + 1) % 2], values[(i + 1) % 2]);
        }
        sent_add_cookie(&sent, &alice);
        assert_reason(sent_decide(&sent, all, &policy), ORIGIN);
        sent_fini(&sent);
    }
}

/* Without a session a bad origin is no reason: 401 comes before 403. */
static void test_origin__is_judged_behind_the_session(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->globex);
    assert_page(BAD_MAC, "POST", "cross-site", "https://evil.test");
}

/* --- Preflights ------------------------------------------------------------------------------- */

static const lh_slice app_origin = {(const uint8_t *)"https://app.partner.test", 24};

static void ask_preflight(struct sent *sent, struct installation *all, const char *method,
                          const char *origin, const char *wanted)
{
    struct lh_gate_policy policy = any_policy();
    policy.preflight = (struct lh_gate_list){&app_origin, 1};
    sent_init(sent, ACME_HOST);
    sent->request.method = lh_slice_from_text(method);
    sent_add(sent, "Origin", origin);
    sent_add(sent, "Access-Control-Request-Method", wanted);
    sent_add(sent, "Access-Control-Request-Headers", "content-type,x-trace");
    (void)sent_decide(sent, all, &policy);
}

static void test_preflight__of_a_listed_origin_is_answered_here(void **state)
{
    struct installation *all = *state;
    struct sent sent;
    ask_preflight(&sent, all, "OPTIONS", "https://app.partner.test", "PUT");
    assert_reason(sent.decision.reason, PREFLIGHT);
    assert_int_equal(sent.decision.http_status, 204);
    assert_int_equal(sent.decision.body.len, 0);
    assert_int_equal(sent.decision.inject_count, 0);
    assert_string_equal(sent_answered(&sent, "Access-Control-Allow-Origin"),
                        "https://app.partner.test");
    assert_string_equal(sent_answered(&sent, "Access-Control-Allow-Credentials"), "true");
    assert_string_equal(sent_answered(&sent, "Access-Control-Allow-Methods"), "PUT");
    assert_string_equal(sent_answered(&sent, "Access-Control-Allow-Headers"),
                        "content-type,x-trace");
    assert_string_equal(sent_answered(&sent, "Access-Control-Max-Age"), "600");
    assert_non_null(strstr(sent_answered(&sent, "Vary"), "Origin"));
    sent_fini(&sent);
}

/* D20: no other origin is ever repeated. */
static void test_preflight__of_any_other_origin_is_a_request_like_any_other(void **state)
{
    struct installation *all = *state;
    static const char *const origins[] = {"https://evil.test", "null",
                                          "https://app.partner.test.evil.test",
                                          "http://app.partner.test", "*"};
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        struct sent sent;
        ask_preflight(&sent, all, "OPTIONS", origins[i], "PUT");
        assert_reason(sent.decision.reason, NO_CREDENTIAL);
        assert_null(sent_answered(&sent, "Access-Control-Allow-Origin"));
        sent_fini(&sent);
    }
}

static void test_preflight__where_nothing_is_decided_is_nobody_s_matter(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.preflight = (struct lh_gate_list){&app_origin, 1};
    policy.mode = LH_GATE_OFF;
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent.request.method = LH_SLICE_LITERAL("OPTIONS");
    sent_add(&sent, "Origin", "https://app.partner.test");
    sent_add(&sent, "Access-Control-Request-Method", "PUT");
    assert_reason(sent_decide(&sent, all, &policy), OFF);
    sent_fini(&sent);
}

static void test_preflight__must_look_like_one(void **state)
{
    struct installation *all = *state;
    struct sent sent;
    ask_preflight(&sent, all, "GET", "https://app.partner.test", "PUT");
    assert_reason(sent.decision.reason, NO_CREDENTIAL);
    sent_fini(&sent);
    ask_preflight(&sent, all, "OPTIONS", "https://app.partner.test", "P\r\nUT");
    assert_reason(sent.decision.reason, NO_CREDENTIAL);
    sent_fini(&sent);
    ask_preflight(&sent, all, "OPTIONS", "https://app.partner.test", "");
    assert_reason(sent.decision.reason, NO_CREDENTIAL);
    sent_fini(&sent);
}

static void test_preflight__needs_no_home_and_no_tenant(void **state)
{
    (void)state;
    struct lh_gate_policy policy = any_policy();
    policy.preflight = (struct lh_gate_list){&app_origin, 1};
    struct sent sent;
    sent_init(&sent, "no tenant here");
    sent.request.method = LH_SLICE_LITERAL("OPTIONS");
    sent_add(&sent, "Origin", "https://app.partner.test");
    sent_add(&sent, "Access-Control-Request-Method", "PUT");
    sent_add(&sent, "Access-Control-Request-Headers", "x\r\ny");
    assert_ok(sent_ask(&sent, NULL, &policy));
    assert_reason(sent.decision.reason, PREFLIGHT);
    assert_null(sent_answered(&sent, "Access-Control-Allow-Headers"));
    sent_fini(&sent);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_policy__any_required_role_is_enough),
        GATE_TEST(test_policy__a_refusal_says_whose_session_it_was),
        GATE_TEST(test_policy__each_required_scope_is_needed),
        GATE_TEST(test_policy__a_role_that_the_tenant_does_not_know_gives_nothing),
        GATE_TEST(test_policy__a_changed_map_of_roles_counts_at_once),
        GATE_TEST(test_policy__scopes_that_do_not_fit_are_refused_not_cut),
        GATE_TEST(test_origin__safe_methods_are_not_asked),
        GATE_TEST(test_origin__what_the_browser_says_counts_first),
        GATE_TEST(test_origin__old_browsers_are_known_by_their_origin),
        GATE_TEST(test_origin__behind_a_tls_terminator_either_scheme_is_ours),
        GATE_TEST(test_origin__upgrades_are_asked_whatever_their_method),
        GATE_TEST(test_origin__listed_ones_may_beside_the_own),
        GATE_TEST(test_origin__said_twice_is_not_believed),
        GATE_TEST(test_origin__is_judged_behind_the_session),
        GATE_TEST(test_preflight__of_a_listed_origin_is_answered_here),
        GATE_TEST(test_preflight__of_any_other_origin_is_a_request_like_any_other),
        GATE_TEST(test_preflight__where_nothing_is_decided_is_nobody_s_matter),
        GATE_TEST(test_preflight__must_look_like_one),
        GATE_TEST(test_preflight__needs_no_home_and_no_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
