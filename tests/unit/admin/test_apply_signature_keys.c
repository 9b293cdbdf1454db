/*
 * Signature keys in policies: the public ones are those of the file, secrets are nobody's business
 * there, and each mistake has its place.
 */
#include "applying.h"

#include "setup/home.h"

/* The keys of RFC 9421 B.1.4 and RFC 8037 A.2. */
#define ONE         "{kty: OKP, crv: Ed25519, x: JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs}"
#define TWO         "{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}"
#define KEYS        "tenants:\n  acme:\n    signature_keys:\n"

#define PARTNER_ONE "add tenant acme/signature key partner >JrQLj5P_... as partner\n"

static struct lh_tenant *load(struct made_home *made, const char *id)
{
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S(id), &tenant));
    return tenant;
}

/* Ids, algorithms and subjects of a tenant's keys, in order of id. */
static void assert_keys(struct made_home *made, const char *id, const char *expected)
{
    char text[1024] = "";
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = load(made, id);
    for (size_t i = 0; i < tenant->signature_key_count; i++) {
        const struct lh_signature_key *key = &tenant->signature_keys[i];
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof(text) - len, "%.*s %s %.*s;", LH_SLICE_ARG(key->key_id),
                       lh_http_signature_algorithm_name(key->algorithm),
                       LH_SLICE_ARG(key->subject));
    }
    assert_string_equal(text, expected);
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
    assert_keys(made, "acme", "");
}

static void keep_id(void *context, const struct lh_admin_signature_key *made)
{
    (void)snprintf(context, 64, "%.*s", LH_SLICE_ARG(made->id));
}

/* As "key add" does it. public_key: PEM; empty: a secret is made. id: what it is called. */
static void add_key(struct made_home *made, const char *public_key, const char *wanted_id,
                    uint32_t ttl_s, char id[64])
{
    const struct lh_admin_signature_key_spec spec = {
        .tenant = S("acme"),
        .id = S(wanted_id),
        .algorithm = public_key[0] == '\0' ? S("hmac-sha256") : S("ed25519"),
        .public_key = S(public_key),
        .ttl_s = ttl_s};
    assert_ok(lh_admin_signature_key_add(made->admin, &spec, keep_id, id));
}

#define PEM_ONE                                                                                    \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n"                               \
    "-----END PUBLIC KEY-----\n"

static void test_apply__signature_keys_are_what_was_written(void **state)
{
    struct made_home *made = *state;
    apply_ok(made,
             KEYS "      partner:\n        jwk: " ONE "\n        subject: billing\n"
                  "        roles: [admin, member]\n        scopes: [pay]\n"
                  "      'p:2': {jwk: '{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"p:2\",\"x\":"
                  "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}'}\n",
             "add tenant acme/signature key partner >"
             "JrQLj5P_... as billing, roles admin member, scopes pay\n"
             "add tenant acme/signature key p:2 >11qYAYKx... as p:2\n");
    assert_keys(made, "acme", "p:2 ed25519 p:2;partner ed25519 billing;");
    assert_keys(made, "globex", "");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    const struct lh_signature_key *key = &acme->signature_keys[1];
    assert_true(key->role_count == 2 && key->scope_count == 1 && key->until_ms == 0);
    assert_slice_text(key->roles[1], "member");
    assert_slice_text(key->scopes[0], "pay");
    assert_int_equal(key->created_ms, lh_clock_now_ms(&made->home->clock));
    assert_int_equal(key->material.ptr[0], 0x26);
    assert_int_equal(made_home_logged(made, "audit signature_key_added tenant=acme key=partner"),
                     1);
    assert_int_equal(made_home_logged(made, "audit signature_key_added tenant=acme key=p:2"), 1);
}

static void test_apply__the_same_signature_keys_again_change_nothing(void **state)
{
    struct made_home *made = *state;
    apply_ok(made, KEYS "      partner: {jwk: " ONE ", roles: [a, b]}\n",
             "add tenant acme/signature key partner >JrQLj5P_... as partner, roles a b\n");
    apply_ok(made, KEYS "      partner: {jwk: " ONE ", roles: [b, a]}\n", "");
    apply_ok(made, "tenants: {acme: {tier: premium}}", "");
    assert_int_equal(made_home_logged(made, "audit signature_key_added"), 1);
    apply_ok(made, KEYS "      partner: {jwk: " TWO ", roles: [a, b]}\n",
             "change tenant acme/signature key partner JrQLj5P_... as partner, roles a b>"
             "11qYAYKx... as partner, roles a b\n");
    apply_ok(made, KEYS "      partner: {jwk: " TWO ", roles: [a, c]}\n",
             "change tenant acme/signature key partner 11qYAYKx... as partner, roles a b>"
             "11qYAYKx... as partner, roles a c\n");
    apply_ok(made, KEYS "      partner: {jwk: " TWO ", roles: [a, c], scopes: [s]}\n",
             "change tenant acme/signature key partner 11qYAYKx... as partner, roles a c>"
             "11qYAYKx... as partner, roles a c, scopes s\n");
    apply_ok(made, KEYS "      partner: {jwk: " TWO "}\n",
             "change tenant acme/signature key partner "
             "11qYAYKx... as partner, roles a c, scopes s>11qYAYKx... as partner\n");
    apply_ok(made, KEYS "      partner: {jwk: " TWO ", subject: p}\n",
             "change tenant acme/signature key partner "
             "11qYAYKx... as partner>11qYAYKx... as p\n");
    assert_int_equal(made_home_logged(made, "audit signature_key_removed"), 5);
    assert_int_equal(made_home_logged(made, "audit tenant_changed"), 0);
    apply_ok(made, "tenants: {acme: {signature_keys: {}}}",
             "drop tenant acme/signature key partner 11qYAYKx... as p>\n");
    assert_keys(made, "acme", "");
}

static void test_apply__secrets_are_not_a_files_business(void **state)
{
    struct made_home *made = *state;
    char secret[64], text[256], expected[256];
    add_key(made, "", "", 0, secret);
    apply_ok(made, KEYS "      partner: {jwk: " ONE "}\n", PARTNER_ONE);
    (void)snprintf(expected, sizeof(expected), "partner ed25519 partner;%s hmac-sha256 %s;", secret,
                   secret);
    assert_keys(made, "acme", expected);
    apply_ok(made, "tenants: {acme: {signature_keys: {}}}",
             "drop tenant acme/signature key partner JrQLj5P_... as partner>\n");
    (void)snprintf(expected, sizeof(expected), "%s hmac-sha256 %s;", secret, secret);
    assert_keys(made, "acme", expected);
    struct applied applied;
    (void)snprintf(text, sizeof(text), KEYS "      %s: {jwk: " ONE "}\n", secret);
    assert_status(apply_text(made, text, false, false, &applied), LH_EXISTS);
    assert_why(made, "f:4:7: the tenant has a secret of that id");
    assert_int_equal(applied.changes, 0);
    assert_keys(made, "acme", expected);
}

/* What the file lists is so, whoever made it; and what it does not list is gone. */
static void test_apply__public_keys_made_by_hand_are_the_files_too(void **state)
{
    struct made_home *made = *state;
    char id[64];
    add_key(made, PEM_ONE, "partner", 60, id);
    add_key(made, PEM_ONE, "forgotten", 0, id);
    apply_ok(made, KEYS "      partner: {jwk: " ONE "}\n",
             "drop tenant acme/signature key forgotten JrQLj5P_... as forgotten>\n"
             "change tenant acme/signature key partner JrQLj5P_... as partner, with an end>"
             "JrQLj5P_... as partner\n");
    assert_keys(made, "acme", "partner ed25519 partner;");
}

static void test_apply__a_dry_run_tells_of_signature_keys_and_writes_none(void **state)
{
    struct made_home *made = *state;
    struct applied applied;
    assert_ok(apply_text(made, KEYS "      partner: {jwk: " ONE "}\n", true, false, &applied));
    assert_string_equal(applied.told, PARTNER_ONE);
    assert_keys(made, "acme", "");
    assert_int_equal(made_home_logged(made, "audit"), 0);
}

static void test_apply__a_new_tenant_may_have_signature_keys(void **state)
{
    struct made_home *made = *state;
    apply_ok(made, "tenants:\n  initech:\n    signature_keys:\n      partner: {jwk: " ONE "}\n",
             "add tenant initech/ >\n"
             "add tenant initech/signature key partner >JrQLj5P_... as partner\n");
    assert_keys(made, "initech", "partner ed25519 partner;");
}

/* Those that go make room first; secrets count. */
static void test_apply__a_tenant_has_so_many_signature_keys(void **state)
{
    struct made_home *made = *state;
    char text[8192] = KEYS, id[64];
    for (unsigned i = 0; i < LH_SIGNATURE_KEYS_MAX; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof(text) - len, "      k-%u: {jwk: " ONE "}\n", i);
    }
    struct applied applied;
    assert_ok(apply_text(made, text, false, false, &applied));
    assert_int_equal(applied.changes, LH_SIGNATURE_KEYS_MAX);
    for (char *k = strstr(text, "k-"); k != NULL; k = strstr(k, "k-")) {
        k[0] = 'j';
    }
    assert_ok(apply_text(made, text, false, false, &applied));
    assert_int_equal(applied.changes, (size_t)2 * LH_SIGNATURE_KEYS_MAX);
    assert_ok(apply_text(made, "tenants: {acme: {signature_keys: {}}}", false, false, &applied));
    add_key(made, "", "", 0, id);
    assert_status(apply_text(made, text, false, false, &applied), LH_LIMITED);
    assert_why(made, "f:35:7: a tenant has at most 32 keys");
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "      l: {jwk: " ONE "}\n");
    assert_status(apply_text(made, text, false, false, &applied), LH_MALFORMED);
    assert_non_null(strstr(applied.told, "f:4:7: more than 32 signature keys"));
}

static void test_apply__mistakes_of_signature_keys_have_a_place(void **state)
{
    struct made_home *made = *state;
    mistaken(made, KEYS "      p: {}\n", "f:4:7: a signature key has its public half");
    mistaken(made, KEYS "      p: x\n", "f:4:10: a signature key is a map");
    mistaken(made, KEYS "      - x\n", "f:4:7: \"signature_keys\", each under its id, is a map");
    mistaken(made, KEYS "      'a b': {jwk: " ONE "}\n", "f:4:7: a key's id is");
    mistaken(made, KEYS "      'a,b': {jwk: " ONE "}\n", "f:4:7: a key's id is");
    mistaken(made, KEYS "      p: {jwk: nonsense}\n", "f:4:16: no JSON");
    mistaken(made, KEYS "      p: {jwk: [x]}\n", "f:4:16: a key is a map");
    mistaken(made, KEYS "      p: {jwk: {kty: oct, k: c2VjcmV0}}\n",
             "f:4:16: the key has a private member");
    mistaken(made, KEYS "      p: {jwk: {kty: oct}}\n", "f:4:16: ");
    mistaken(made,
             KEYS "      p: {jwk: {kty: EC, crv: P-256, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHv"
                  "RVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}}\n",
             "f:4:16: a signature key is an Ed25519 key");
    mistaken(made, KEYS "      p: {jwk: {kty: OKP, crv: Ed25519, x: AAAA}}\n", "f:4:16: ");
    mistaken(made,
             KEYS "      p: {jwk: {kty: OKP, crv: Ed25519, kid: q, x: "
                  "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}}\n",
             "f:4:16: the key's kid is another than its name here");
    mistaken(made, KEYS "      p: {jwk: " ONE ", subject: a b}\n", "subject is 1 to 255");
    mistaken(made, KEYS "      p: {jwk: " ONE ", roles: [a, a]}\n",
             "a role is in the list already");
    mistaken(made, KEYS "      p: {jwk: " ONE ", roles: ['a b']}\n", "a role is 1 to 255");
    mistaken(made, KEYS "      p: {jwk: " ONE ", scopes: ['a,b']}\n", "a scope is 1 to 255");
    mistaken(made, KEYS "      p: {jwk: " ONE ", scope: [a]}\n",
             "unknown key \"scope\"; did you mean \"scopes\"?");
    mistaken(made, KEYS "      p: {jwk: " ONE ", secret: hunter2}\n", "unknown key \"secret\"");
    mistaken(made,
             KEYS "      p: {jwk: " ONE ", roles: [a1, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3, "
                  "b4, b5, b6, b7, b8, b9, c1, c2, c3, c4, c5, c6, c7, c8, c9, d1, d2, d3, d4, d5, "
                  "d6]}\n",
             "more than 32 entries");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_apply__signature_keys_are_what_was_written),
        WITH_HOME(test_apply__the_same_signature_keys_again_change_nothing),
        WITH_HOME(test_apply__secrets_are_not_a_files_business),
        WITH_HOME(test_apply__public_keys_made_by_hand_are_the_files_too),
        WITH_HOME(test_apply__a_dry_run_tells_of_signature_keys_and_writes_none),
        WITH_HOME(test_apply__a_new_tenant_may_have_signature_keys),
        WITH_HOME(test_apply__a_tenant_has_so_many_signature_keys),
        WITH_HOME(test_apply__mistakes_of_signature_keys_have_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
