/*
 * Issuers in policies: their keys by import alone, each mistake at its place, and never two
 * tenants that a token could not tell apart.
 */
#include "applying.h"

#include "setup/home.h"

/* The key of RFC 7515 A.3. */
#define X  "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y  "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""
#define ED                                                                                         \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define KEY    "{" EC ",\"kid\":\"k1\",\"key_ops\":[\"verify\"]}"
#define TWO    "{\"keys\":[" KEY ",{" ED ",\"kid\":\"k2\"}]}"
#define ONE    "{\"keys\":[" KEY "]}"
#define IDP    "      https://idp.example:\n"
#define ACME   "tenants:\n  acme:\n    issuers:\n"
#define GLOBEX "  globex:\n    issuers:\n"

static struct lh_tenant *load(struct made_home *made, const char *id)
{
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S(id), &tenant));
    return tenant;
}

static void apply_ok(struct made_home *made, const char *text, const char *told)
{
    struct applied applied;
    lh_status status = apply_text(made, text, false, false, &applied);
    if (!lh_is_ok(status)) {
        fail_msg("%s: %s%s", lh_status_name(status), lh_admin_why(made->admin), applied.told);
    }
    assert_string_equal(applied.told, told);
}

static void mistaken(struct made_home *made, const char *text, const char *told)
{
    struct applied applied;
    assert_status(apply_text(made, text, false, false, &applied), LH_MALFORMED);
    if (strstr(applied.told, told) == NULL) {
        fail_msg("got \"%s\", expected something with \"%s\"", applied.told, told);
    }
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    assert_int_equal(acme->issuer_count, 0);
}

static void test_apply__issuers_are_what_was_written(void **state)
{
    struct made_home *made = *state;
    apply_ok(made,
             ACME IDP "        jwks: " TWO "\n        shared: true\n        audiences: [api, web]\n"
                      "        claim: org\n        value: o-1\n        skew: 10s\n"
                      "        typ: at+jwt\n",
             "add tenant acme/issuer https://idp.example >2 keys, shared\n");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    assert_int_equal(acme->issuer_count, 1);
    const struct lh_issuer *issuer = &acme->issuers[0];
    assert_slice_text(issuer->iss, "https://idp.example");
    assert_true(issuer->is_shared && issuer->skew_s == 10);
    assert_slice_text(issuer->bind_claim, "org");
    assert_slice_text(issuer->bind_value, "o-1");
    assert_int_equal(issuer->audience_count, 2);
    assert_slice_text(issuer->keys[0].kid, "k1");
    assert_int_equal(issuer->keys[0].algorithm, LH_ES256);
    assert_int_equal(issuer->keys[1].algorithm, LH_EDDSA);
    assert_int_equal(made_home_logged(made, "audit tenant_changed tenant=acme"), 1);
}

static void test_apply__the_same_issuers_again_change_nothing(void **state)
{
    struct made_home *made = *state;
    apply_ok(made, ACME IDP "        jwks: " TWO "\n",
             "add tenant acme/issuer https://idp.example >2 keys\n");
    apply_ok(made, ACME IDP "        jwks: '" TWO "'\n", "");
    apply_ok(made, ACME IDP "        jwks: " ONE "\n",
             "change tenant acme/issuer https://idp.example 2 keys>1 key\n");
    apply_ok(made, "tenants: {acme: {tier: premium}}", "");
    apply_ok(made, "tenants: {acme: {issuers: {}}}",
             "drop tenant acme/issuer https://idp.example 1 key>\n");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    assert_int_equal(acme->issuer_count, 0);
}

static void test_apply__a_dry_run_tells_of_issuers_and_writes_none(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    assert_ok(apply_text(made, ACME IDP "        jwks: " ONE "\n", true, false, &applied));
    assert_string_equal(applied.told, "add tenant acme/issuer https://idp.example >1 key\n");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    assert_int_equal(acme->issuer_count, 0);
}

static void test_apply__a_new_tenant_may_have_issuers(void **state)
{
    struct made_home *made = *state;
    apply_ok(made, "tenants:\n  initech:\n    issuers:\n" IDP "        jwks: " ONE "\n",
             "add tenant initech/ >\n"
             "add tenant initech/issuer https://idp.example >1 key\n");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *initech = load(made, "initech");
    assert_int_equal(initech->issuer_count, 1);
}

static void test_apply__an_issuer_may_go_from_tenant_to_tenant(void **state)
{
    struct made_home *made = *state;
    apply_ok(made, ACME IDP "        jwks: " ONE "\n",
             "add tenant acme/issuer https://idp.example >1 key\n");
    apply_ok(made, "tenants:\n" GLOBEX IDP "        jwks: " ONE "\n  acme: {issuers: {}}\n",
             "add tenant globex/issuer https://idp.example >1 key\n"
             "drop tenant acme/issuer https://idp.example 1 key>\n");
}

static void test_apply__two_tenants_of_one_token_are_refused_at_their_place(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    const char *text = ACME IDP "        jwks: " ONE "\n" GLOBEX IDP "        jwks: " ONE "\n";
    assert_status(apply_text(made, text, false, false, &applied), LH_FORBIDDEN);
    assert_why(made, "f:8:7: issuer \"https://idp.example\" is tenant \"acme\"'s too");
    assert_int_equal(applied.changes, 0);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    assert_int_equal(acme->issuer_count, 0);
    apply_ok(made,
             ACME IDP "        {jwks: " ONE
                      ", shared: true, bound_by: audience, audiences: [a]}\n" GLOBEX IDP
                      "        {jwks: " ONE ", shared: true, bound_by: audience, audiences: [b]}\n",
             "add tenant acme/issuer https://idp.example >1 key, shared\n"
             "add tenant globex/issuer https://idp.example >1 key, shared\n");
}

static void test_apply__mistakes_of_issuers_have_a_place(void **state)
{
    struct made_home *made = *state;
    mistaken(made, ACME IDP "        {}\n", "f:4:7: an issuer has keys");
    mistaken(made, ACME IDP "        jwks: {keys: []}\n", "f:5:15: ");
    mistaken(made, ACME IDP "        jwks: {}\n", "f:5:15: a JWK set is a map");
    mistaken(made, ACME IDP "        jwks: nonsense\n", "f:5:15: ");
    mistaken(made,
             ACME IDP "        jwks:\n          keys:\n            - " KEY "\n            - {" EC
                      ",\"d\":\"" X "\"}\n",
             "f:8:15: key 2: ");
    mistaken(made, ACME IDP "        jwks_file: idp.json\n", "f:5:20: idp.json cannot be read");
    mistaken(made, ACME IDP "        jwks: " ONE "\n        jwks_file: x\n", "f:6:20: keys are in");
    mistaken(made, ACME IDP "        jwks: " ONE "\n        skew: 31s\n", "f:6:15: skew is a time");
    mistaken(made, ACME IDP "        jwks: " ONE "\n        shared: yes\n", "f:6:17: shared is");
    mistaken(made, ACME IDP "        jwks: " ONE "\n        algorithm: HS256\n",
             "f:6:20: algorithm is");
    mistaken(made, ACME IDP "        jwks: " ONE "\n        bound_by: audience\n",
             "f:4:7: bound_by audience needs");
    mistaken(made, ACME IDP "        jwks: " ONE "\n        audiences: [a, a]\n", "f:4:7: a name");
    mistaken(made, ACME IDP "        jwks: " ONE "\n        audience: [a]\n",
             "f:6:9: unknown key \"audience\"; did you mean \"audiences\"?");
    mistaken(made, ACME "      - x\n", "f:4:7: \"issuers\", each under its iss, is a map");
}

struct named {
    int calls;
    char paths[256];
};

static void keep_path(void *context, lh_slice path)
{
    struct named *named = context;
    size_t len = strlen(named->paths);
    named->calls++;
    (void)snprintf(named->paths + len, sizeof(named->paths) - len, "%.*s;", LH_SLICE_ARG(path));
}

static void test_policy_files__begin_where_the_document_lies(void **state)
{
    struct made_home *made = *state;
    (void)made;
    struct named named = {.calls = 0};
    struct lh_admin_document document = {
        S("policies/acme.yaml"),
        S(ACME "      a: {jwks_file: idp.json}\n      b: {jwks_file: /etc/idp.json}\n")};
    assert_ok(lh_admin_policy_files(&document, keep_path, &named));
    assert_string_equal(named.paths, "policies/idp.json;/etc/idp.json;");
    document.text = S("a: [");
    assert_ok(lh_admin_policy_files(&document, keep_path, &named));
    document.text = S("tenants: {acme: {issuers: [x]}, globex: x}\n--- x\n--- {tenants: []}\n");
    assert_ok(lh_admin_policy_files(&document, keep_path, &named));
    assert_int_equal(named.calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_apply__issuers_are_what_was_written),
        WITH_HOME(test_apply__the_same_issuers_again_change_nothing),
        WITH_HOME(test_apply__a_dry_run_tells_of_issuers_and_writes_none),
        WITH_HOME(test_apply__a_new_tenant_may_have_issuers),
        WITH_HOME(test_apply__an_issuer_may_go_from_tenant_to_tenant),
        WITH_HOME(test_apply__two_tenants_of_one_token_are_refused_at_their_place),
        WITH_HOME(test_apply__mistakes_of_issuers_have_a_place),
        WITH_HOME(test_policy_files__begin_where_the_document_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
