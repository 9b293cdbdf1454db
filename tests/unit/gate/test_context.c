/*
 * X-Tenant-Context: what an application verifies for itself, and when a text may be handed out
 * again.
 */
#include "support/public_half.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST "acme.example.test"

/* Sends alice's request; the session must pass. */
static void pass(struct sent *sent, struct installation *all, const struct lh_gate_policy *policy,
                 const struct visitor *visitor)
{
    sent_init(sent, ACME_HOST);
    sent_add_cookie(sent, visitor);
    assert_reason(sent_decide(sent, all, policy), OK);
}

struct context {
    json_t *header;
    json_t *claims;
};

static json_t *decode_part(lh_slice text)
{
    uint8_t bytes[8192];
    size_t len;
    json_t *value;
    assert_ok(lh_base64url_decode(text, bytes, sizeof(bytes), &len));
    assert_ok(lh_json_parse(lh_slice_of(bytes, len), sizeof(bytes), &value));
    return value;
}

/* Splits and verifies; fails the test if the signature does not hold. */
static struct context open_context(struct installation *all, const char *text)
{
    lh_slice rest = lh_slice_from_text(text);
    size_t first = lh_slice_find(rest, '.');
    lh_slice behind = lh_slice_cut(rest, first + 1, rest.len);
    size_t second = first + 1 + lh_slice_find(behind, '.');
    struct context context = {decode_part(lh_slice_cut(rest, 0, first)),
                              decode_part(lh_slice_cut(rest, first + 1, second - first - 1))};
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    size_t len;
    assert_ok(lh_base64url_decode(lh_slice_cut(rest, second + 1, rest.len), signature,
                                  sizeof(signature), &len));
    const struct lh_node_key *key;
    lh_slice kid;
    assert_ok(lh_json_get_string(context.header, "kid", &kid));
    assert_ok(lh_node_keys_find(all->node_keys, kid, lh_clock_now_ms(&all->host.clock), &key));
    assert_ok(verify_by_half(all->crypto, key->pair, lh_slice_cut(rest, 0, second),
                             lh_slice_of(signature, len)));
    return context;
}

static void close_context(struct context *context)
{
    lh_json_fini(&context->header);
    lh_json_fini(&context->claims);
}

static void assert_claim(const struct context *context, const char *name, const char *expected)
{
    lh_slice text;
    assert_ok(lh_json_get_string(context->claims, name, &text));
    assert_slice_text(text, expected);
}

static uint64_t claim_number(const struct context *context, const char *name)
{
    uint64_t value;
    assert_ok(lh_json_get_u64(context->claims, name, UINT64_MAX >> 1, &value));
    return value;
}

static void test_context__says_who_and_verifies(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    struct context context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
    lh_slice text;
    assert_ok(lh_json_get_string(context.header, "typ", &text));
    assert_slice_text(text, "lh-context+jwt");
    assert_ok(lh_json_get_string(context.header, "alg", &text));
    assert_slice_text(text, "ES256");
    assert_claim(&context, "iss", "leasehold");
    assert_claim(&context, "tenant", "acme");
    assert_claim(&context, "uid", "61616161616161616161616161616161");
    assert_claim(&context, "sub", "alice");
    assert_claim(&context, "scope", "read write");
    assert_claim(&context, "mode", "normal");
    assert_claim(&context, "aud", "leasehold");
    assert_claim(&context, "ref", sent_injected(&sent, "X-Session-Ref"));
    uint64_t now_s = lh_clock_now_ms(&all->host.clock) / 1000;
    assert_int_equal(claim_number(&context, "iat"), now_s);
    assert_int_equal(claim_number(&context, "exp"), now_s + 60);
    close_context(&context);
    sent_fini(&sent);
}

static void test_context__audiences(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    static const lh_slice names[] = {{(const uint8_t *)"orders", 6}, {(const uint8_t *)"a\"b", 3}};
    policy.audiences = (struct lh_gate_list){names, 1};
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    struct context context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
    assert_claim(&context, "aud", "orders");
    close_context(&context);
    sent_fini(&sent);

    policy.audiences.count = 2;
    pass(&sent, all, &policy, &alice);
    context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
    const json_t *list = json_object_get(context.claims, "aud");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 0)), "orders");
    assert_string_equal(json_string_value(json_array_get(list, 1)), "a\"b");
    close_context(&context);
    sent_fini(&sent);
}

static void test_context__is_kept_until_20_s_before_it_ends(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    failing_calls_reset();
    uint64_t began_ms = lh_clock_now_ms(&all->host.clock);
    while (lh_clock_now_ms(&all->host.clock) < began_ms + 40000) {
        assert_reason(visit_once(all, &policy, ACME_HOST, &alice), OK);
        assert_int_equal(failing_calls.contexts_signed, 1);
        fake_host_advance(&all->host, 700);
    }
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), OK);
    assert_int_equal(failing_calls.contexts_signed, 2);
}

/* The second request finds no session remembered, and the context of the first. */
static void test_context__outlives_the_remembered_session(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    failing_calls_reset();
    struct sent first, second;
    pass(&first, all, &policy, &alice);
    lh_session_cache_clear(all->session_cache);
    fake_host_advance(&all->host, 30000);
    pass(&second, all, &policy, &alice);
    assert_int_equal(failing_calls.store_loads, 2);
    assert_int_equal(failing_calls.contexts_signed, 1);
    assert_string_equal(sent_injected(&first, "X-Tenant-Context"),
                        sent_injected(&second, "X-Tenant-Context"));
    sent_fini(&first);
    sent_fini(&second);
}

/* It saves a signature and decides nothing. */
static void test_context__that_is_kept_admits_nobody(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    sent_fini(&sent);
    revoke_in_registry(all, &alice);
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), SESSION_REVOKED);
    assert_int_equal(sent.decision.inject_count, 0);
    sent_fini(&sent);
}

static void test_context__of_another_session_of_the_same_user_is_not_handed_out(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor again = sign_in_alice(all, &all->acme);
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    sent_fini(&sent);
    pass(&sent, all, &policy, &again);
    struct context context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
    assert_claim(&context, "ref", sent_injected(&sent, "X-Session-Ref"));
    close_context(&context);
    sent_fini(&sent);
}

static void take_other_name(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("zenith"), &tenant->id));
    assert_ok(lh_registry_claim_name(txn, LH_NAME_TENANT, lh_tenant_id_view(&tenant->id),
                                     &tenant->uid, 0, false));
}

static void test_context__under_the_name_of_before_is_not_handed_out(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    sent_fini(&sent);
    change_tenant(all, &all->acme, take_other_name);
    sent_init(&sent, "zenith.example.test");
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    struct context context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
    assert_claim(&context, "tenant", "zenith");
    close_context(&context);
    sent_fini(&sent);
}

static void assert_signed_by(struct installation *all, const struct visitor *visitor,
                             const struct lh_node_kid *kid)
{
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    lh_slice text;
    pass(&sent, all, &policy, visitor);
    struct context context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
    assert_ok(lh_json_get_string(context.header, "kid", &text));
    assert_true(lh_slice_is_equal(text, lh_node_kid_view(kid)));
    close_context(&context);
    sent_fini(&sent);
}

static void test_context__of_the_key_of_before_is_not_handed_out(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    const struct lh_node_kid old = lh_node_keys_at(all->node_keys, 0)->kid;
    struct lh_node_kid next;
    bool has_changed;
    rotate_node_key(all, &next);
    assert_ok(lh_node_keys_refresh(all->node_keys, &has_changed));
    assert_true(has_changed);
    fake_host_advance(&all->host, LH_NODE_KEY_LEAD_MS - 2000);
    assert_signed_by(all, &alice, &old);
    fake_host_advance(&all->host, 4000);
    assert_signed_by(all, &alice, &next);
}

/* Each audience has its own text; neither is handed out for the other. */
static void test_context__is_kept_for_its_audience_alone(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    static const lh_slice names[] = {{(const uint8_t *)"orders", 6}, {(const uint8_t *)"mail", 4}};
    failing_calls_reset();
    for (unsigned round = 0; round < 6; round++) {
        policy.audiences = (struct lh_gate_list){&names[round % 2], 1};
        struct sent sent;
        pass(&sent, all, &policy, &alice);
        struct context context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
        assert_claim(&context, "aud", round % 2 == 0 ? "orders" : "mail");
        close_context(&context);
        sent_fini(&sent);
    }
    assert_int_equal(failing_calls.contexts_signed, 2);
}

static void take_scope(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->roles[0].scope_count = 1;
}

static void test_context__with_scopes_of_before_is_not_handed_out(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor carol =
        sign_in(all, &all->acme, &(struct visit){.subject = "carol", .roles = "admin"});
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    sent_fini(&sent);
    pass(&sent, all, &policy, &carol);
    sent_fini(&sent);
    change_tenant(all, &all->acme, take_scope);
    pass(&sent, all, &policy, &carol);
    struct context context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
    assert_claim(&context, "scope", "write");
    close_context(&context);
    sent_fini(&sent);
}

static void test_context__never_outlives_its_session(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice =
        sign_in(all, &all->acme, &(struct visit){.subject = "alice", .absolute_s = 90});
    fake_host_advance(&all->host, 80000);
    struct sent sent;
    pass(&sent, all, &policy, &alice);
    struct context context = open_context(all, sent_injected(&sent, "X-Tenant-Context"));
    assert_int_equal(claim_number(&context, "exp"), alice.absolute_end_ms / 1000);
    close_context(&context);
    sent_fini(&sent);
}

static void test_context__without_a_node_key_is_503(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    failing_calls_reset();
    failing_calls.node_signer = LH_KEY_DOWN;
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), KEY_DOWN);
    policy.state = LH_GATE_STATE_NONE; /* needs none */
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), OK);
    failing_calls_reset();
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_context__says_who_and_verifies),
        GATE_TEST(test_context__audiences),
        GATE_TEST(test_context__is_kept_until_20_s_before_it_ends),
        GATE_TEST(test_context__outlives_the_remembered_session),
        GATE_TEST(test_context__that_is_kept_admits_nobody),
        GATE_TEST(test_context__of_another_session_of_the_same_user_is_not_handed_out),
        GATE_TEST(test_context__under_the_name_of_before_is_not_handed_out),
        GATE_TEST(test_context__of_the_key_of_before_is_not_handed_out),
        GATE_TEST(test_context__is_kept_for_its_audience_alone),
        GATE_TEST(test_context__with_scopes_of_before_is_not_handed_out),
        GATE_TEST(test_context__never_outlives_its_session),
        GATE_TEST(test_context__without_a_node_key_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
