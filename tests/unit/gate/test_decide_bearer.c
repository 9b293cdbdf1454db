/*
 * Bearer tokens that speak for themselves: how they are sent, whose they are, what ends them.
 */
#include "bearer_fixture.h"
#include "failing_calls.h"

#define ACME   "acme.example.test"
#define GLOBEX "globex.example.test"

static const struct token good = {.signer = BY_IDP};
static const struct token own = {.signer = BY_OWN};

/* --- How it is sent --------------------------------------------------------------------------- */

static enum lh_reason reason_of_value(struct installation *all, const char *format)
{
    struct lh_gate_policy policy = bearer_policy();
    static char text[TOKEN_BYTES], value[2 * TOKEN_BYTES];
    size_t len = 0;
    make_token(all, &all->acme, &good, text);
    for (; *format != '\0'; format++) {
        if (*format == '@') {
            len += (size_t)snprintf(value + len, sizeof(value) - len, "%s", text);
        } else {
            value[len++] = *format;
        }
    }
    value[len] = '\0';
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add(&sent, "Authorization", value);
    enum lh_reason reason = sent_decide(&sent, all, &policy);
    sent_fini(&sent);
    return reason;
}

/* J42 */
static void test_bearer__is_read_in_one_spelling_of_the_header(void **state)
{
    struct installation *all = *state;
    assert_reason(reason_of_value(all, "Bearer @"), OK);
    assert_reason(reason_of_value(all, "bEARER @"), OK);
    assert_reason(reason_of_value(all, "Bearer  @"), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer\t@"), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer @ "), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer @ x"), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer \"@\""), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer @="), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer"), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer "), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer ="), TOKEN_MALFORMED);
    assert_reason(reason_of_value(all, "Bearer @,Bearer @"), AUTHORIZATION_DUPLICATE);
    assert_reason(reason_of_value(all, "Bearer @, Basic eDp5"), AUTHORIZATION_DUPLICATE);
    /* A service may find it where it is not the first. */
    assert_reason(reason_of_value(all, "Basic eDp5, Bearer @"), AUTHORIZATION_DUPLICATE);
    assert_reason(reason_of_value(all, "Digest a=b,c=d, \t bearer @"), AUTHORIZATION_DUPLICATE);
    assert_reason(reason_of_value(all, ",,Bearer"), AUTHORIZATION_DUPLICATE);
    assert_reason(reason_of_value(all, "Digest a=b, bearers=c,Bearer-2 @, "), NO_CREDENTIAL);
}

/* J42 */
static void test_bearer__two_fields_are_400(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, &good);
    sent_add_token(&sent, all, &all->acme, &good);
    assert_reason(sent_decide(&sent, all, &policy), AUTHORIZATION_DUPLICATE);
    assert_int_equal(sent.decision.http_status, 400);
    sent_fini(&sent);
}

/* J43 and what is no bearer: another kind is neither read nor removed, and proves nothing. */
static void test_bearer__other_schemes_are_no_credential(void **state)
{
    struct installation *all = *state;
    static const char *const others[] = {"Basic eDp5", "Bearerx @", "Bearer-2 @", "@", "", "Beare"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_reason(reason_of_value(all, others[i]), NO_CREDENTIAL);
    }
    struct lh_gate_policy policy = bearer_policy();
    assert_reason(bear_once(all, &policy, ACME, NULL, NULL), NO_CREDENTIAL);
}

/* J42, J43 */
static void test_bearer__is_not_looked_for_in_the_query(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    static char text[TOKEN_BYTES], target[TOKEN_BYTES + 32];
    make_token(all, &all->acme, &good, text);
    (void)snprintf(target, sizeof(target), "/?access_token=%s", text);
    struct sent sent;
    sent_init(&sent, ACME);
    sent.request.target = lh_slice_from_text(target);
    assert_reason(sent_decide(&sent, all, &policy), NO_CREDENTIAL);
    sent_fini(&sent);
}

static void test_bearer__is_left_alone_where_it_is_not_listed(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, &good);
    sent_add_bearer(&sent, "another");
    assert_reason(sent_decide(&sent, all, &policy), NO_CREDENTIAL);
    assert_string_equal(sent_answered(&sent, "WWW-Authenticate"), "Cookie realm=\"leasehold\"");
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_false(sent.decision.is_authorization_cut);
    sent_fini(&sent);
}

static void test_bearer__is_cut_when_it_is_accepted(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, &good);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_true(sent.decision.is_authorization_cut);
    policy.passes_authorization = true;
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_false(sent.decision.is_authorization_cut);
    sent_fini(&sent);
}

/* J47 */
static void test_bearer__too_long_a_one_is_not_decoded(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    static char text[8194];
    memset(text, 'A', 8193);
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_bearer(&sent, text);
    assert_reason(sent_decide(&sent, all, &policy), TOKEN_TOO_LARGE);
    sent_fini(&sent);
}

/* --- Whose it is ------------------------------------------------------------------------------ */

static void test_bearer__proves_its_own_tenant_alone(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    const struct token forged = {.signer = BY_STRANGER};
    const struct token borrowed = {.tenant = "globex"};
    for (unsigned i = 0; i < 2; i++) { /* from the caches too */
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &good), OK);
        assert_reason(bear_once(all, &policy, GLOBEX, &all->globex, &good), OK);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &own), OK);
        assert_reason(bear_once(all, &policy, GLOBEX, &all->globex, &own), OK);
        assert_reason(bear_once(all, &policy, GLOBEX, &all->acme, &good), TOKEN_ISSUER);
        assert_reason(bear_once(all, &policy, ACME, &all->globex, &good), TOKEN_ISSUER);
        assert_reason(bear_once(all, &policy, GLOBEX, &all->acme, &own), TOKEN_ISSUER);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &forged), TOKEN_SIGNATURE);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &borrowed), TOKEN_TENANT);
    }
    assert_reason(bear_once(all, &policy, "nobody.example.test", &all->acme, &good),
                  TENANT_UNKNOWN);
}

static void disable(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->state = LH_TENANT_DISABLED;
}

static void test_bearer__of_a_disabled_tenant_is_refused(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    char text[TOKEN_BYTES];
    make_token(all, &all->acme, &good, text);
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_bearer(&sent, text);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    change_tenant(all, &all->acme, disable);
    assert_reason(sent_decide(&sent, all, &policy), TENANT_DISABLED);
    sent_fini(&sent);
    assert_reason(bear_once(all, &policy, GLOBEX, &all->globex, &good), OK);
}

static struct lh_gate_policy claim_policy(void)
{
    struct lh_gate_policy policy = bearer_policy();
    policy.tenant_from = LH_GATE_TENANT_CLAIM;
    return policy;
}

static void test_claim__names_the_tenant(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = claim_policy();
    struct sent sent;
    sent_init(&sent, "gateway.test");
    sent_add_token(&sent, all, &all->acme, &good);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_string_equal(sent_injected(&sent, "X-Tenant-ID"), "acme");
    sent_fini(&sent);
    const struct token alias = {.tenant = "acme-old"};
    const struct token uid = {.tenant = "61616161616161616161616161616161"};
    const struct token stolen = {.tenant = "globex"};
    const struct token unknown = {.tenant = "nobody"};
    const struct token malformed = {.tenant = "no tenant"};
    const struct token unnamed = {.tenant = ""};
    const struct token number = {.tenant = "", .extra = ",\"tenant_id\":7"};
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &alias), OK);
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &uid), OK);
    assert_reason(bear_once(all, &policy, "x.test", &all->globex, &good), OK);
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &stolen), TOKEN_ISSUER);
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &unknown), TENANT_UNKNOWN);
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &malformed), TENANT_UNKNOWN);
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &unnamed), TOKEN_TENANT);
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &number), TOKEN_TENANT);
    assert_reason(bear_once(all, &policy, "x.test", NULL, NULL), NO_CREDENTIAL);
}

static void test_claim__must_agree_with_all_other_sources(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    policy.tenant_from |= LH_GATE_TENANT_CLAIM;
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &good), OK);
    assert_reason(bear_once(all, &policy, "unregistered.test", &all->acme, &good), OK);
    assert_reason(bear_once(all, &policy, ACME, &all->globex, &good), TOKEN_ISSUER);
    const struct token both = {.tenant = "globex"};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &both), TOKEN_TENANT);
    assert_reason(bear_once(all, &policy, "nobody.example.test", &all->acme, &good),
                  TENANT_UNKNOWN);
}

static void test_claim__of_nobody_is_anonymous_where_that_may_be(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = claim_policy();
    policy.mode = LH_GATE_OPTIONAL;
    policy.is_stale_passed = true;
    assert_reason(bear_once(all, &policy, "x.test", NULL, NULL), ANONYMOUS);
    const struct token forged = {.signer = BY_STRANGER};
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &forged), TOKEN_SIGNATURE);
}

/* J44 */
static void test_bearer__asks_nothing_before_its_signature_holds(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = claim_policy();
    log_out_subject(all, &all->acme, "someone"); /* so that user epochs are looked up at all */
    struct visitor alice = sign_in_alice(all, &all->acme);
    const struct token forged = {.signer = BY_STRANGER, .sid = ref_of(&alice)};
    policy.token_mode = LH_GATE_TOKEN_STATEFUL;
    failing_calls_reset();
    failing_calls.read_user_epoch = LH_REGISTRY_DOWN;
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &forged), TOKEN_SIGNATURE);
    assert_int_equal(failing_calls.store_loads, 0);
    assert_int_equal(failing_calls.revocations_read, 0);
    assert_int_equal(failing_calls.cell_macs, 0);
    assert_reason(bear_once(all, &policy, "x.test", &all->acme, &own), REGISTRY_DOWN);
    failing_calls_reset();
}

/* --- What it is good for ---------------------------------------------------------------------- */

static void test_bearer__audience_and_type_are_judged_for_each_request(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    static const lh_slice names[] = {{(const uint8_t *)"orders", 6}};
    const struct token orders = {.aud = "orders"};
    const struct token id_token = {.typ = "logout+jwt"};
    const struct token context = {.signer = BY_OWN, .typ = "lh-context+jwt"};
    const struct token service = {.signer = BY_OWN, .typ = "lh-service+jwt"};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &orders), TOKEN_AUDIENCE);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &good), OK);
    policy.audiences = (struct lh_gate_list){names, 1};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &orders), OK);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &good), TOKEN_AUDIENCE);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &id_token), TOKEN_TYPE);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &context), TOKEN_TYPE);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &service), TOKEN_SERVICE);
    assert_int_equal(lh_reason_http_status(LH_REASON_TOKEN_SERVICE), 403);
}

static void test_bearer__times_are_judged_from_the_cache_too(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    const struct token old = {.issued_s = -600, .expires_s = -60};
    const struct token early = {.issued_s = 60};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &old), TOKEN_EXPIRED);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &early), TOKEN_EARLY);
    char text[TOKEN_BYTES];
    make_token(all, &all->acme, &good, text);
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_bearer(&sent, text);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    fake_host_advance(&all->host, 604 * 1000);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    fake_host_advance(&all->host, 2 * 1000);
    assert_reason(sent_decide(&sent, all, &policy), TOKEN_EXPIRED);
    sent_fini(&sent);
}

/* What ends one text that has just passed and is remembered. */
static void assert_ended(void **state, enum token_signer signer,
                         void (*end)(struct installation *all), const char *reason)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    const struct token token = {.signer = signer};
    struct sent sent, other;
    sent_init(&sent, ACME);
    sent_init(&other, GLOBEX);
    sent_add_token(&sent, all, &all->acme, &token);
    sent_add_token(&other, all, &all->globex, &token);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_reason(sent_decide(&other, all, &policy), OK);
    fake_host_advance(&all->host, 20 * 1000);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    end(all);
    assert_string_equal(lh_reason_name(sent_decide(&sent, all, &policy)), reason);
    assert_reason(sent_decide(&other, all, &policy), OK);
    sent_fini(&sent);
    sent_fini(&other);
}

static void end_tenant(struct installation *all)
{
    log_out_tenant(all, &all->acme);
}

static void end_user(struct installation *all)
{
    log_out_subject(all, &all->acme, "alice");
}

static void end_another_user(struct installation *all)
{
    log_out_subject(all, &all->acme, "bob");
}

static void end_issuer(struct installation *all)
{
    drop_issuers(all, &all->acme);
}

/* J46, as the four below. */
static void test_bearer__ends_at_once_by_a_logout_of_its_user(void **state)
{
    assert_ended(state, BY_OWN, end_another_user, "ok");
    assert_ended(state, BY_IDP, end_user, "token_revoked");
}

static void test_bearer__an_own_one_ends_by_a_logout_of_its_user(void **state)
{
    assert_ended(state, BY_OWN, end_user, "token_revoked");
}

static void test_bearer__ends_at_once_with_its_key(void **state)
{
    assert_ended(state, BY_IDP, end_issuer, "token_issuer");
}

static void test_bearer__ends_at_once_by_a_logout_of_the_tenant(void **state)
{
    assert_ended(state, BY_IDP, end_tenant, "token_revoked");
}

static void test_bearer__an_own_one_ends_by_a_logout_of_the_tenant(void **state)
{
    assert_ended(state, BY_OWN, end_tenant, "token_revoked");
}

/* --- What the upstream is told ---------------------------------------------------------------- */

static void test_bearer__tells_who_it_is_and_names_no_session(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    const struct token token = {.extra = ",\"scope\":\"read\",\"roles\":[\"admin\"]"};
    static const lh_slice scopes[] = {{(const uint8_t *)"write", 5}};
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, &token);
    policy.require_scopes = (struct lh_gate_list){scopes, 1}; /* what the role gives */
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
    assert_string_equal(sent_injected(&sent, "X-Session-Scope"), "read write");
    assert_string_equal(sent_injected(&sent, "X-Session-Mode"), "normal");
    assert_null(sent_injected(&sent, "X-Session-Ref"));
    assert_non_null(sent_injected(&sent, "X-Tenant-Context"));
    assert_slice_text(sent.decision.cache_key,
                      "61616161616161616161616161616161;21:https://idp.acme.test:alice,");
    sent_fini(&sent);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &good), SCOPE);
    assert_int_equal(failing_calls.store_loads, 0);
}

static void test_bearer__answers_one_401_whatever_the_cause(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    const struct token bad[] = {{.signer = BY_STRANGER}, {.aud = "x"}, {.issued_s = 60}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sent sent;
        sent_init(&sent, ACME);
        sent_add_token(&sent, all, &all->acme, &bad[i]);
        (void)sent_decide(&sent, all, &policy);
        assert_int_equal(sent.decision.http_status, 401);
        assert_int_equal(sent.decision.answer_count, 1);
        assert_string_equal(sent_answered(&sent, "WWW-Authenticate"), "Bearer realm=\"leasehold\"");
        sent_fini(&sent);
    }
}

static void test_bearer__no_line_of_the_log_has_it(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    const struct token forged = {.signer = BY_STRANGER};
    char text[TOKEN_BYTES];
    make_token(all, &all->acme, &forged, text);
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_bearer(&sent, text);
    assert_reason(sent_decide(&sent, all, &policy), TOKEN_SIGNATURE);
    assert_non_null(strstr(all->host.log, "token_signature"));
    text[24] = '\0';
    assert_null(strstr(all->host.log, text));
    sent_fini(&sent);
}

static void test_bearer__is_watched_as_long_as_it_lasts(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = bearer_policy();
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_token(&sent, all, &all->acme, &good);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    struct lh_gate_watch watch = sent.decision.watch, ending = watch, last = watch;
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    fake_host_advance(&all->host, 20 * 1000);
    log_out_subject(all, &all->acme, "bob");
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    log_out_subject(all, &all->acme, "alice");
    assert_status(lh_gate_watch_check(all->gate, &ending), LH_REVOKED);
    drop_issuers(all, &all->acme);
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_REVOKED);
    fake_host_advance(&all->host, 600 * 1000);
    assert_status(lh_gate_watch_check(all->gate, &last), LH_EXPIRED);
    assert_int_equal(failing_calls.store_loads, 0);
    sent_fini(&sent);
}

#define BEARER_TEST(test) cmocka_unit_test_setup_teardown(test, bearer_setup, bearer_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEARER_TEST(test_bearer__is_read_in_one_spelling_of_the_header),
        BEARER_TEST(test_bearer__two_fields_are_400),
        BEARER_TEST(test_bearer__other_schemes_are_no_credential),
        BEARER_TEST(test_bearer__is_not_looked_for_in_the_query),
        BEARER_TEST(test_bearer__is_left_alone_where_it_is_not_listed),
        BEARER_TEST(test_bearer__is_cut_when_it_is_accepted),
        BEARER_TEST(test_bearer__too_long_a_one_is_not_decoded),
        BEARER_TEST(test_bearer__proves_its_own_tenant_alone),
        BEARER_TEST(test_bearer__of_a_disabled_tenant_is_refused),
        BEARER_TEST(test_claim__names_the_tenant),
        BEARER_TEST(test_claim__must_agree_with_all_other_sources),
        BEARER_TEST(test_claim__of_nobody_is_anonymous_where_that_may_be),
        BEARER_TEST(test_bearer__asks_nothing_before_its_signature_holds),
        BEARER_TEST(test_bearer__audience_and_type_are_judged_for_each_request),
        BEARER_TEST(test_bearer__times_are_judged_from_the_cache_too),
        BEARER_TEST(test_bearer__ends_at_once_by_a_logout_of_its_user),
        BEARER_TEST(test_bearer__an_own_one_ends_by_a_logout_of_its_user),
        BEARER_TEST(test_bearer__ends_at_once_with_its_key),
        BEARER_TEST(test_bearer__an_own_one_ends_by_a_logout_of_the_tenant),
        BEARER_TEST(test_bearer__ends_at_once_by_a_logout_of_the_tenant),
        BEARER_TEST(test_bearer__tells_who_it_is_and_names_no_session),
        BEARER_TEST(test_bearer__answers_one_401_whatever_the_cause),
        BEARER_TEST(test_bearer__no_line_of_the_log_has_it),
        BEARER_TEST(test_bearer__is_watched_as_long_as_it_lasts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
