/*
 * What forged tokens cost: time for signatures is asked for before it is spent, and who floods a
 * tenant with inventions takes neither the time of those who have proved something, nor that of
 * another tenant (abuse cases D06, D07).
 */
#include "bearer_fixture.h"
#include "failing_calls.h"

#define ACME_HOST   "acme.example.test"
#define GLOBEX_HOST "globex.example.test"
/* A worker has 10 ms at once for unknown clients: a hundred such. */
#define SIGNATURE_NS UINT64_C(99000)
#define AT_ONCE      100U

/* Nobody is limited by what is not about signatures. */
static const struct lh_limits_rates rates = {.unproved = {0, 1},
                                             .unproved_at_tenant = {0, 1},
                                             .failures = {20, 20},
                                             .signatures = {50000, 10000},
                                             .signatures_proved = {50000, 10000}};

static int set_up(void **state)
{
    assert_int_equal(bearer_setup(state), 0);
    installation_limit(*state, &rates, (struct lh_rate){0, 0});
    failing_calls_reset();
    failing_calls.signature_ns = SIGNATURE_NS;
    return 0;
}

static int tear_down(void **state)
{
    failing_calls_reset();
    return bearer_teardown(state);
}

/* The nth client. */
struct address {
    uint8_t bytes[4];
};

static struct address client(uint32_t n)
{
    return (struct address){{10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

/* The answer to a client with a text as token, or none (NULL). */
static enum lh_reason ask(struct installation *all, const char *host, struct address from,
                          const char *text)
{
    struct lh_gate_policy policy = bearer_policy();
    struct sent sent;
    sent_init(&sent, host);
    sent.request.client = LH_SLICE_OF(from.bytes);
    if (text != NULL) {
        sent_add_bearer(&sent, text);
    }
    enum lh_reason reason = sent_decide(&sent, all, &policy);
    if (lh_reason_http_status(reason) == 429) {
        assert_true(sent.decision.retry_after_s >= 1);
        assert_int_equal(sent.decision.answer_count, 0);
    }
    sent_fini(&sent);
    return reason;
}

/* A token that says so and that no cache knows: every one has a jti of its own. */
static enum lh_reason ask_anew(struct installation *all, const char *host, struct address from,
                               enum token_signer signer)
{
    static unsigned number;
    char jti[32], text[TOKEN_BYTES];
    (void)snprintf(jti, sizeof(jti), "n-%u", number++);
    const struct token token = {.signer = signer, .jti = jti};
    make_token(all, strcmp(host, ACME_HOST) == 0 ? &all->acme : &all->globex, &token, text);
    return ask(all, host, from, text);
}

/* Forged tokens of many clients; how many were verified before one was refused unverified. */
static unsigned flood(struct installation *all, const char *host)
{
    for (unsigned n = 0; n < 2 * AT_ONCE; n++) {
        enum lh_reason reason = ask_anew(all, host, client(1000 + n / 4), BY_STRANGER);
        if (reason == LH_REASON_RATE_SIGNATURE) {
            return n;
        }
        assert_reason(reason, TOKEN_SIGNATURE);
    }
    return 2 * AT_ONCE;
}

static void test_signatures__are_not_computed_when_their_time_is_spent(void **state)
{
    struct installation *all = *state;
    assert_int_equal(flood(all, GLOBEX_HOST), AT_ONCE);
    assert_int_equal(failing_calls.signatures, AT_ONCE);
    for (unsigned n = 0; n < 50; n++) {
        assert_reason(ask_anew(all, GLOBEX_HOST, client(n), BY_STRANGER), RATE_SIGNATURE);
        assert_reason(ask_anew(all, GLOBEX_HOST, client(n), BY_IDP), RATE_SIGNATURE);
    }
    assert_int_equal(failing_calls.signatures, AT_ONCE);
    assert_int_equal(failing_calls.bad_signatures, AT_ONCE);
    assert_non_null(
        strstr(all->host.log, "audit limited reason=rate_signature step=verify_bearer"));
    fake_host_advance(&all->host, 1000);
    assert_int_equal(flood(all, GLOBEX_HOST), AT_ONCE);
}

/* The answer of a moment is no verdict on the token: it is good as soon as there is time. */
static void test_signatures__a_token_that_had_to_wait_is_verified_later(void **state)
{
    struct installation *all = *state;
    const struct token token = {.signer = BY_IDP, .jti = "patient"};
    char text[TOKEN_BYTES];
    make_token(all, &all->globex, &token, text);
    (void)flood(all, GLOBEX_HOST);
    assert_reason(ask(all, GLOBEX_HOST, client(1), text), RATE_SIGNATURE);
    fake_host_advance(&all->host, 10);
    assert_reason(ask(all, GLOBEX_HOST, client(1), text), OK);
}

static void test_signatures__a_flood_takes_no_time_from_who_has_proved_something(void **state)
{
    struct installation *all = *state;
    assert_reason(ask_anew(all, GLOBEX_HOST, client(1), BY_IDP), OK);
    (void)flood(all, GLOBEX_HOST);
    for (unsigned n = 0; n < AT_ONCE - 1; n++) {
        assert_reason(ask_anew(all, GLOBEX_HOST, client(1), BY_IDP), OK);
    }
    assert_reason(ask_anew(all, GLOBEX_HOST, client(2), BY_IDP), RATE_SIGNATURE);
    fake_host_advance(&all->host, 601 * 1000);
    (void)flood(all, GLOBEX_HOST);
    assert_reason(ask_anew(all, GLOBEX_HOST, client(1), BY_IDP), RATE_SIGNATURE); /* long ago */
}

static void test_signatures__a_flood_takes_no_time_from_another_tenant(void **state)
{
    struct installation *all = *state;
    (void)flood(all, GLOBEX_HOST);
    for (unsigned n = 0; n < AT_ONCE / 2 - 1; n++) {
        assert_reason(ask_anew(all, ACME_HOST, client(n), BY_IDP), OK);
    }
    assert_reason(ask_anew(all, GLOBEX_HOST, client(1), BY_IDP), RATE_SIGNATURE);
}

/* A tenant whose own users forge tokens, from ever so many addresses, spends its own time. */
static void
test_signatures__who_has_proved_something_at_one_tenant_spends_that_tenants_time(void **state)
{
    struct installation *all = *state;
    const struct token shared = {.signer = BY_IDP, .jti = "shared"};
    char text[TOKEN_BYTES];
    make_token(all, &all->globex, &shared, text);
    assert_reason(ask_anew(all, ACME_HOST, client(1), BY_IDP), OK);
    for (unsigned n = 0; n < 100; n++) {
        assert_reason(ask(all, GLOBEX_HOST, client(1000 + n), text), OK);
    }
    fake_host_advance(&all->host, 1000);
    unsigned verified = 0;
    for (unsigned n = 0; n < 2 * AT_ONCE; n++) {
        enum lh_reason reason = ask_anew(all, GLOBEX_HOST, client(1000 + n % 100), BY_STRANGER);
        verified += reason == LH_REASON_TOKEN_SIGNATURE ? 1 : 0;
    }
    assert_int_equal(verified, AT_ONCE);
    for (unsigned n = 0; n < AT_ONCE / 2 - 1; n++) {
        assert_reason(ask_anew(all, ACME_HOST, client(1), BY_IDP), OK);
    }
}

static void test_signatures__who_fails_too_often_waits_wherever_he_tries(void **state)
{
    struct installation *all = *state;
    failing_calls.signature_ns = 1;
    for (unsigned n = 0; n < 20; n++) {
        assert_reason(ask_anew(all, GLOBEX_HOST, client(1), BY_STRANGER), TOKEN_SIGNATURE);
    }
    assert_reason(ask_anew(all, GLOBEX_HOST, client(1), BY_STRANGER), RATE_SIGNATURE);
    assert_reason(ask_anew(all, ACME_HOST, client(1), BY_STRANGER), RATE_SIGNATURE);
    assert_reason(ask_anew(all, GLOBEX_HOST, client(2), BY_STRANGER), TOKEN_SIGNATURE);
    const struct token expired = {.signer = BY_IDP, .issued_s = -900, .expires_s = -600};
    char text[TOKEN_BYTES];
    make_token(all, &all->globex, &expired, text);
    for (unsigned n = 0; n < 30; n++) { /* whose signature holds has not failed */
        lh_verified_cache_clear(all->verified_cache);
        assert_reason(ask(all, GLOBEX_HOST, client(3), text), TOKEN_EXPIRED);
    }
}

/* What costs no signature asks no budget and is answered as ever. */
static void test_signatures__what_costs_none_is_not_refused_for_them(void **state)
{
    struct installation *all = *state;
    const struct token known = {.signer = BY_IDP, .jti = "known"};
    const struct token nobodys = {.signer = BY_IDP, .extra = ",\"iss\":\"x\""};
    char text[TOKEN_BYTES], odd[TOKEN_BYTES], forged[TOKEN_BYTES];
    make_token(all, &all->globex, &known, text);
    make_token(all, &all->globex, &nobodys, odd);
    make_token(all, &all->globex, &(struct token){.signer = BY_STRANGER, .jti = "f"}, forged);
    assert_reason(ask(all, GLOBEX_HOST, client(1), text), OK);
    assert_reason(ask(all, GLOBEX_HOST, client(1), forged), TOKEN_SIGNATURE);
    (void)flood(all, GLOBEX_HOST);
    assert_reason(ask(all, GLOBEX_HOST, client(2), text), OK);                /* remembered */
    assert_reason(ask(all, GLOBEX_HOST, client(2), forged), TOKEN_SIGNATURE); /* likewise */
    assert_reason(ask(all, GLOBEX_HOST, client(2), odd), TOKEN_MALFORMED);
    assert_reason(ask(all, GLOBEX_HOST, client(2), "a.b.c"), TOKEN_MALFORMED);
    assert_reason(ask(all, GLOBEX_HOST, client(2), NULL), NO_CREDENTIAL);
    fake_host_advance(&all->host, 1500);
    (void)flood(all, GLOBEX_HOST);
    (void)flood(all, ACME_HOST);
    unsigned signatures = failing_calls.signatures;
    assert_reason(ask(all, GLOBEX_HOST, client(3), text), OK); /* its signature has held */
    assert_reason(ask(all, ACME_HOST, client(4), text), TOKEN_ISSUER);
    assert_reason(ask_anew(all, ACME_HOST, client(4), BY_STRANGER), RATE_SIGNATURE);
    assert_int_equal(failing_calls.signatures, signatures);
}

static void test_signatures__a_cookie_proves_as_well_as_a_token(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->globex);
    policy.credentials = LH_GATE_CREDENTIAL_COOKIE | LH_GATE_CREDENTIAL_BEARER;
    const struct address from = client(1);
    struct sent sent;
    sent_init(&sent, GLOBEX_HOST);
    sent.request.client = LH_SLICE_OF(from.bytes);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    sent_fini(&sent);
    (void)flood(all, GLOBEX_HOST);
    assert_reason(ask_anew(all, GLOBEX_HOST, from, BY_IDP), OK);
}

static void test_signatures__without_shared_memory_nobody_is_limited(void **state)
{
    struct installation *all = *state;
    struct lh_gate_parts parts = installation_parts(all);
    parts.limits = NULL;
    struct lh_gate *gate;
    assert_ok(lh_gate_new(&parts, &gate));
    struct lh_gate *limited = all->gate;
    all->gate = gate;
    assert_int_equal(flood(all, GLOBEX_HOST), 2 * AT_ONCE);
    assert_int_equal(failing_calls.signatures, 0); /* nobody is charged */
    all->gate = limited;
    lh_gate_free(gate);
}

#define SIGNATURES_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNATURES_TEST(test_signatures__are_not_computed_when_their_time_is_spent),
        SIGNATURES_TEST(test_signatures__a_token_that_had_to_wait_is_verified_later),
        SIGNATURES_TEST(test_signatures__a_flood_takes_no_time_from_who_has_proved_something),
        SIGNATURES_TEST(test_signatures__a_flood_takes_no_time_from_another_tenant),
        SIGNATURES_TEST(
            test_signatures__who_has_proved_something_at_one_tenant_spends_that_tenants_time),
        SIGNATURES_TEST(test_signatures__who_fails_too_often_waits_wherever_he_tries),
        SIGNATURES_TEST(test_signatures__what_costs_none_is_not_refused_for_them),
        SIGNATURES_TEST(test_signatures__a_cookie_proves_as_well_as_a_token),
        SIGNATURES_TEST(test_signatures__without_shared_memory_nobody_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
