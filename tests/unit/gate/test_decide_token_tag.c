/*
 * The token of a session: the last one that was given to it is its only one.
 */
#include "bearer_fixture.h"

#include "codec/base64url.h"
#include "crypto/signature.h"

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

static enum lh_reason bear_text(struct installation *all, const struct lh_gate_policy *policy,
                                const char *host, const char *text)
{
    struct sent sent;
    sent_init(&sent, host);
    sent_add_bearer(&sent, text);
    enum lh_reason reason = sent_decide(&sent, all, policy);
    sent_fini(&sent);
    return reason;
}

/* Lets a request with a token of acme's pass, and says what is watched of it while it lasts. */
static struct lh_gate_watch watch_of(struct sent *sent, struct installation *all,
                                     const struct lh_gate_policy *policy, const struct token *token)
{
    sent_init(sent, ACME);
    sent_add_token(sent, all, &all->acme, token);
    assert_reason(sent_decide(sent, all, policy), OK);
    assert_true(sent->decision.watch.is_set);
    return sent->decision.watch;
}

/* The same token with n - s for s: the other signature that holds (SEC 1 §4.1.4). */
static void make_twin(const char *text, char out[TOKEN_BYTES])
{
    static const uint8_t n[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                  0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    const char *encoded = strrchr(text, '.') + 1;
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    size_t len;
    assert_ok(lh_base64url_decode(lh_slice_from_text(encoded), signature, sizeof(signature), &len));
    assert_int_equal(len, sizeof(signature));
    int borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        int difference = n[i] - signature[32 + i] - borrow;
        borrow = difference < 0 ? 1 : 0;
        signature[32 + i] = (uint8_t)(difference & 0xff);
    }
    char again[128] = "";
    lh_base64url_write(LH_SLICE_OF(signature), again);
    (void)snprintf(out, TOKEN_BYTES, "%.*s%s", (int)(encoded - text), text, again);
}

/* Alice with a session whose token is the standard one. */
static struct visitor sign_in_with_token(struct installation *all, const struct lh_tenant_uid *uid)
{
    struct visitor visitor = sign_in_alice(all, uid);
    give_token(all, &visitor, STANDARD_JTI);
    return visitor;
}

/* Of a session's tokens the last one that was given to it passes, whoever holds the others. */
static void test_stateful__the_last_token_of_a_session_is_its_only_one(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor other = sign_in_with_token(all, &all->acme);
    const struct token first = {.signer = BY_OWN, .sid = ref_of(&alice), .jti = "first"};
    const struct token second = {.signer = BY_OWN, .sid = ref_of(&alice), .jti = "second"};
    const struct token idp = {.signer = BY_IDP, .sid = ref_of(&alice), .jti = "third"};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &first), TOKEN_REPLACED);
    give_token(all, &alice, "first");
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &first), OK);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &second), TOKEN_REPLACED);
    give_token(all, &alice, "second");
    for (unsigned i = 0; i < 2; i++) {
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &first), TOKEN_REPLACED);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &second), OK);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &idp), TOKEN_REPLACED);
    }
    const struct token others = {.signer = BY_OWN, .sid = ref_of(&other)};
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &others), OK);
    policy.token_mode = LH_GATE_TOKEN_STATELESS; /* where no session is matched it is good */
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &first), OK);
}

/* J40: what an id is made of matters to nobody, and who else has the same one neither. */
static void test_stateful__j40_an_id_counts_for_its_tenant_and_session_alone(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    static char longest[256];
    memset(longest, ':', 255);
    const char *const ids[] = {"a:b", "{}", "{a}:b", "0", "../..", longest};
    struct visitor acme = sign_in_alice(all, &all->acme);
    struct visitor globex = sign_in_alice(all, &all->globex);
    char acme_ref[64], globex_ref[64];
    (void)snprintf(acme_ref, sizeof(acme_ref), "%s", ref_of(&acme));
    (void)snprintf(globex_ref, sizeof(globex_ref), "%s", ref_of(&globex));
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        const struct token of_acme = {.signer = BY_OWN, .sid = acme_ref, .jti = ids[i]};
        const struct token of_globex = {.signer = BY_OWN, .sid = globex_ref, .jti = ids[i]};
        give_token(all, &acme, ids[i]);
        assert_reason(bear_once(all, &policy, GLOBEX, &all->globex, &of_globex), TOKEN_REPLACED);
        give_token(all, &globex, ids[i]);
        assert_reason(bear_once(all, &policy, GLOBEX, &all->globex, &of_globex), OK);
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &of_acme), OK);
        give_token(all, &acme, "another");
        assert_reason(bear_once(all, &policy, ACME, &all->acme, &of_acme), TOKEN_REPLACED);
        assert_reason(bear_once(all, &policy, GLOBEX, &all->globex, &of_globex), OK);
    }
}

/* J23: who turns s into n - s has the same token, and it ends with the token. */
static void test_stateful__j23_a_twin_is_the_same_token(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    char text[TOKEN_BYTES], twin[TOKEN_BYTES];
    make_token(all, &all->acme, &token, text);
    make_twin(text, twin);
    assert_string_not_equal(text, twin);
    assert_reason(bear_text(all, &policy, ACME, text), OK);
    assert_reason(bear_text(all, &policy, ACME, twin), OK);
    give_token(all, &alice, "next");
    assert_reason(bear_text(all, &policy, ACME, twin), TOKEN_REPLACED);
    assert_reason(bear_text(all, &policy, ACME, text), TOKEN_REPLACED);
}

/* A record that knew an older token, put back: the registry demands a younger one. */
static void test_stateful__a_record_put_back_revives_no_token(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    struct lh_store_row row;
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_store_load(all->store, &op, &alice.key, &bytes, &row));
    give_token(all, &alice, "next");
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &token), TOKEN_REPLACED);
    lh_store_close(all->store);
    struct lh_store_options options = {.host = &all->host.host};
    assert_ok(lh_store_open("memory", &options, &all->store));
    assert_ok(lh_store_create(all->store, &op, &alice.key, &row));
    installation_restart_worker(all);
    assert_reason(bear_once(all, &policy, ACME, &all->acme, &token), INTEGRITY);
}

/* A request that goes on for long ends with its session, its token or the token's turn. */
static void test_stateful__is_watched_as_long_as_session_and_token_last(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = stateful_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    struct visitor other = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_IDP, .sid = ref_of(&alice), .expires_s = 60};
    struct sent first, second;
    struct lh_gate_watch watch = watch_of(&first, all, &policy, &token), late = watch,
                         keyless = watch;
    give_token(all, &other, "another");
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    give_token(all, &alice, "another");
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_REVOKED);
    give_token(all, &alice, STANDARD_JTI);
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    log_out_subject(all, &all->acme, "somebody else");
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    drop_issuers(all, &all->acme);
    assert_status(lh_gate_watch_check(all->gate, &keyless), LH_REVOKED);
    fake_host_advance(&all->host, 65001);
    assert_status(lh_gate_watch_check(all->gate, &late), LH_EXPIRED);
    const struct token own = {.signer = BY_OWN, .sid = ref_of(&other), .jti = "another"};
    watch = watch_of(&second, all, &policy, &own);
    revoke_in_registry(all, &other);
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_REVOKED);
    sent_fini(&first);
    sent_fini(&second);
}

/* Beside a cookie a token must be its session's own, where tokens are matched at all. */
static void test_both__a_token_that_was_replaced_is_refused(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = both_policy();
    struct visitor alice = sign_in_with_token(all, &all->acme);
    const struct token token = {.signer = BY_OWN, .sid = ref_of(&alice)};
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_cookie(&sent, &alice);
    sent_add_token(&sent, all, &all->acme, &token);
    for (unsigned i = 0; i < 2; i++) { /* loaded, and remembered */
        assert_reason(sent_decide(&sent, all, &policy), OK);
    }
    give_token(all, &alice, "next");
    for (unsigned i = 0; i < 2; i++) {
        assert_reason(sent_decide(&sent, all, &policy), TOKEN_REPLACED);
    }
    policy.token_mode = LH_GATE_TOKEN_STATELESS;
    assert_reason(sent_decide(&sent, all, &policy), OK);
    sent_fini(&sent);
}

#define BEARER_TEST(test) cmocka_unit_test_setup_teardown(test, bearer_setup, bearer_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEARER_TEST(test_stateful__the_last_token_of_a_session_is_its_only_one),
        BEARER_TEST(test_stateful__j40_an_id_counts_for_its_tenant_and_session_alone),
        BEARER_TEST(test_stateful__j23_a_twin_is_the_same_token),
        BEARER_TEST(test_stateful__a_record_put_back_revives_no_token),
        BEARER_TEST(test_stateful__is_watched_as_long_as_session_and_token_last),
        BEARER_TEST(test_both__a_token_that_was_replaced_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
