/*
 * Which tenant a request is taken to speak of (abuse groups T and H, as far as they are decided
 * here), and what it is told when there is none.
 */
#include "failing_calls.h"
#include "gate_fixture.h"

/* What a host and X-Tenant-ID headers come to for alice of acme. */
static enum lh_reason reason_for(struct installation *all, const char *host,
                                 const char *const *headers, size_t header_count,
                                 const struct visitor *visitor)
{
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    sent_init(&sent, host);
    for (size_t i = 0; i < header_count; i++) {
        sent_add(&sent, "X-Tenant-ID", headers[i]);
    }
    sent_add_cookie(&sent, visitor);
    sent_add_suffixed_cookie(&sent, visitor);
    enum lh_reason reason = sent_decide(&sent, all, &policy);
    sent_fini(&sent);
    return reason;
}

#define assert_answer(all, host, header, visitor, expected)                                        \
    do {                                                                                           \
        const char *header_ = header;                                                              \
        assert_reason(reason_for(all, host, &header_, header_ == NULL ? 0 : 1, visitor),           \
                      expected);                                                                   \
    } while (0)

static void test_decide__each_source_names_the_tenant(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_answer(all, "acme.example.test", NULL, &alice, OK);
    assert_answer(all, "ACME.Example.TEST", NULL, &alice, OK);
    assert_answer(all, "acme.example.test.", NULL, &alice, OK);
    assert_answer(all, "acme.example.test:8443", NULL, &alice, OK);
    assert_answer(all, "shop.acme.test", NULL, &alice, OK);
    assert_answer(all, "gateway.test", "acme", &alice, OK);
    assert_answer(all, "gateway.test", "ACME", &alice, OK);
    assert_answer(all, "gateway.test", "acme-old", &alice, OK);
    assert_answer(all, "acme-old.example.test", NULL, &alice, OK);
}

static void test_decide__sources_must_agree(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_answer(all, "acme.example.test", "acme", &alice, OK);
    assert_answer(all, "acme.example.test", "acme-old", &alice, OK);
    assert_answer(all, "shop.acme.test", "acme", &alice, OK);
    assert_answer(all, "acme.example.test", "globex", &alice, TENANT_CONFLICT);
    assert_answer(all, "globex.example.test", "acme", &alice, TENANT_CONFLICT);
    assert_answer(all, "globex.test", "acme", &alice, TENANT_CONFLICT);
    assert_answer(all, "acme.example.test", "nobody", &alice, TENANT_CONFLICT);
    assert_answer(all, "nobody.example.test", "acme", &alice, TENANT_CONFLICT);
    assert_answer(all, "nobody.example.test", "noone", &alice, TENANT_CONFLICT);
    assert_answer(all, "nobody.example.test", "nobody", &alice, TENANT_UNKNOWN);
}

/* One host is two sources: a label below a base, and somebody's domain. */
static void test_decide__a_label_and_a_domain_of_two_tenants_are_a_conflict(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_gate_policy policy = any_policy();
    lh_slice base = LH_SLICE_LITERAL("acme.test");
    policy.base_domains = (struct lh_gate_list){&base, 1};
    assert_reason(visit_once(all, &policy, "shop.acme.test", &alice), TENANT_CONFLICT);
    policy.tenant_from = LH_GATE_TENANT_HOST;
    assert_reason(visit_once(all, &policy, "shop.acme.test", &alice), OK);
    base = LH_SLICE_LITERAL("test");
    policy.tenant_from = LH_GATE_TENANT_HOST | LH_GATE_TENANT_SUBDOMAIN;
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(visit_once(all, &policy, "globex.test", &bob), OK);
}

static void test_decide__malformed_tenants_are_400(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    static const char *const bad[] = {
        "acme,globex", "acme, acme", ",acme", "a%63me", "ac me", "acme\xc2\x85", "acm\xc3\xa9",
        "..",          "*",          "abc",   "",       "acme/", "_system",      "acme\t"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enum lh_reason reason = reason_for(all, "gateway.test", &bad[i], 1, &alice);
        assert_int_equal(lh_reason_http_status(reason), 400);
    }
    assert_answer(all, "gateway.test", "a%63me", &alice, TENANT_MALFORMED);
    assert_answer(all, "gateway.test", "acme,acme", &alice, TENANT_DUPLICATE);
    assert_answer(all, "acme.example.test@globex.test", NULL, &alice, TENANT_MALFORMED);
    assert_answer(all, "x.acme.example.test", NULL, &alice, TENANT_MALFORMED);
    assert_answer(all, "127.0.0.1", NULL, &alice, TENANT_MISSING);
}

static void test_decide__a_tenant_named_twice_is_400(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    static const char *const same[] = {"acme", "acme"};
    static const char *const other[] = {"globex", "acme"};
    assert_reason(reason_for(all, "gateway.test", same, 2, &alice), TENANT_DUPLICATE);
    assert_reason(reason_for(all, "acme.example.test", other, 2, &alice), TENANT_DUPLICATE);
}

/* T05: an upstream could fold "X_Tenant_ID" into ours, so it is one more X-Tenant-ID. */
static void test_decide__a_tenant_named_in_two_spellings_is_400(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    sent_init(&sent, "gateway.test");
    sent_add(&sent, "X-Tenant-ID", "acme");
    sent_add(&sent, "x_tenant.id", "acme");
    assert_reason(sent_decide(&sent, all, &policy), TENANT_DUPLICATE);
    sent_fini(&sent);
}

/* T07: the one spelling is the only one that names a tenant. */
static void test_decide__another_spelling_names_no_tenant(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_gate_policy policy = any_policy();
    static const char *const names[] = {"X_Tenant_ID", "X.Tenant.ID", "x-tenant_id"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sent sent;
        sent_init(&sent, "gateway.test");
        sent_add(&sent, names[i], "acme");
        sent_add_cookie(&sent, &alice);
        assert_reason(sent_decide(&sent, all, &policy), TENANT_MALFORMED);
        sent_fini(&sent);
    }
    /* Where no header names a tenant, nor does this one. */
    policy.tenant_from = LH_GATE_TENANT_SUBDOMAIN;
    struct sent sent;
    sent_init(&sent, "acme.example.test");
    sent_add(&sent, names[0], "globex");
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    sent_fini(&sent);
}

static void test_decide__no_source_is_400(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.tenant_from = LH_GATE_TENANT_HEADER;
    assert_reason(visit_once(all, &policy, "acme.example.test", NULL), TENANT_MISSING);
    policy.tenant_from = LH_GATE_TENANT_SUBDOMAIN;
    assert_reason(visit_once(all, &policy, "example.test", NULL), TENANT_MISSING);
    assert_reason(visit_once(all, &policy, "evilexample.test", NULL), TENANT_MISSING);
}

static void test_decide__a_source_that_is_not_allowed_is_not_looked_at(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_gate_policy policy = any_policy();
    policy.tenant_from = LH_GATE_TENANT_SUBDOMAIN;
    struct sent sent;
    sent_init(&sent, "acme.example.test");
    sent_add(&sent, "X-Tenant-ID", "globex");
    sent_add(&sent, "X-Tenant-ID", "%%%");
    sent_add_cookie(&sent, &alice);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_string_equal(sent_injected(&sent, "X-Tenant-ID"), "acme");
    sent_fini(&sent);
}

static void disable(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->state = LH_TENANT_DISABLED;
}

static void enable(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->state = LH_TENANT_ACTIVE;
}

static void test_decide__a_disabled_tenant_is_401_at_once(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(visit_once(all, &policy, "acme.example.test", &alice), OK);
    change_tenant(all, &all->acme, disable);
    assert_reason(visit_once(all, &policy, "acme.example.test", &alice), TENANT_DISABLED);
    assert_reason(visit_once(all, &policy, "acme.example.test", NULL), TENANT_DISABLED);
    assert_reason(visit_once(all, &policy, "globex.example.test", &bob), OK);
    change_tenant(all, &all->acme, enable);
    assert_reason(visit_once(all, &policy, "acme.example.test", &alice), OK);
}

/* T27, D14: unknown, disabled and merely not signed in look alike, and cost alike. */
static void test_decide__unknown_disabled_and_foreign_look_alike(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor bob = sign_in_alice(all, &all->globex);
    static const char *const hosts[] = {"nobody.example.test", "acme.example.test",
                                        "unheard.of.test"};
    struct lh_decision first = {.http_status = 0};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct sent sent;
        sent_init(&sent, hosts[i]);
        sent_add_cookie(&sent, &bob);
        failing_calls_reset();
        assert_ok(sent_ask(&sent, all->gate, &policy));
        assert_int_equal(failing_calls.cell_macs, 1);
        assert_int_equal(failing_calls.store_loads, 0);
        assert_int_equal(sent.decision.http_status, 401);
        assert_int_equal(sent.decision.inject_count, 0);
        if (i == 0) {
            first = sent.decision;
        }
        assert_ptr_equal(sent.decision.body.ptr, first.body.ptr);
        assert_int_equal(sent.decision.answer_count, first.answer_count);
        sent_fini(&sent);
    }
}

static void test_decide__the_second_tenant_sees_nothing_of_the_first(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(visit_once(all, &policy, "acme.example.test", &alice), OK);
    assert_reason(visit_once(all, &policy, "globex.example.test", &alice), BAD_MAC);
    assert_reason(visit_once(all, &policy, "acme.example.test", &bob), BAD_MAC);
    assert_non_null(strstr(all->host.log, "leasehold: audit tenant_mismatch"));
    assert_reason(visit_once(all, &policy, "globex.example.test", &bob), OK);
}

static void test_decide__registry_down_is_503(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_reason(visit_once(all, &policy, "acme.example.test", &alice), OK);
    failing_calls_reset();
    failing_calls.read_counter = LH_COUNTERS_DOWN;
    assert_reason(visit_once(all, &policy, "acme.example.test", &alice), REGISTRY_DOWN);
    assert_reason(visit_once(all, &policy, "shop.acme.test", &alice), REGISTRY_DOWN);
    failing_calls_reset();
    assert_reason(visit_once(all, &policy, "acme.example.test", &alice), OK);
}

static void test_decide__a_home_that_is_down_is_503(void **state)
{
    (void)state;
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    sent_init(&sent, "acme.example.test");
    assert_ok(sent_ask(&sent, NULL, &policy));
    assert_reason(sent.decision.reason, HOME_DOWN);
    assert_int_equal(sent.decision.http_status, 503);
    policy.mode = LH_GATE_OPTIONAL;
    assert_ok(sent_ask(&sent, NULL, &policy));
    assert_reason(sent.decision.reason, HOME_DOWN);
    sent_fini(&sent);
}

static void test_decide__too_many_headers_are_400(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    sent_init(&sent, "acme.example.test");
    sent.request.has_too_many_headers = true;
    assert_reason(sent_decide(&sent, all, &policy), HEADERS_MALFORMED);
    assert_int_equal(sent.decision.http_status, 400);
    sent_fini(&sent);
}

static void test_decide__no_memory_is_503(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    sent_init(&sent, "acme.example.test");
    sent.is_out_of_memory = true;
    assert_reason(sent_decide(&sent, all, &policy), INTERNAL);
    assert_int_equal(sent.decision.http_status, 503);
    sent_fini(&sent);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_decide__each_source_names_the_tenant),
        GATE_TEST(test_decide__sources_must_agree),
        GATE_TEST(test_decide__a_label_and_a_domain_of_two_tenants_are_a_conflict),
        GATE_TEST(test_decide__malformed_tenants_are_400),
        GATE_TEST(test_decide__a_tenant_named_twice_is_400),
        GATE_TEST(test_decide__a_tenant_named_in_two_spellings_is_400),
        GATE_TEST(test_decide__another_spelling_names_no_tenant),
        GATE_TEST(test_decide__no_source_is_400),
        GATE_TEST(test_decide__a_source_that_is_not_allowed_is_not_looked_at),
        GATE_TEST(test_decide__a_disabled_tenant_is_401_at_once),
        GATE_TEST(test_decide__unknown_disabled_and_foreign_look_alike),
        GATE_TEST(test_decide__the_second_tenant_sees_nothing_of_the_first),
        GATE_TEST(test_decide__registry_down_is_503),
        GATE_TEST(test_decide__a_home_that_is_down_is_503),
        GATE_TEST(test_decide__too_many_headers_are_400),
        GATE_TEST(test_decide__no_memory_is_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
