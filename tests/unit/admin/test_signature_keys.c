/*
 * Keys of request signatures as operators give and take them.
 */
#include "acts.h"

#include "codec/base64url.h"
#include "crypto/crypto.h"
#include "keys/shared_secret.h"
#include "setup/home.h"

/* The key of RFC 8032 §7.1, test 1, as "openssl pkey -pubout" writes it. */
#define PUBLIC_KEY                                                                                 \
    "-----BEGIN PUBLIC KEY-----\n"                                                                 \
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"                               \
    "-----END PUBLIC KEY-----\n"

struct made_key {
    int calls;
    char id[LH_SIGNATURE_KEY_ID_MAX_BYTES + 1], secret[64], subject[256], algorithm[32];
    uint64_t until_ms;
};

static void keep_text(char *out, size_t size, lh_slice text)
{
    (void)snprintf(out, size, "%.*s", LH_SLICE_ARG(text));
}

static void keep_made(void *context, const struct lh_admin_signature_key *made)
{
    struct made_key *kept = context;
    kept->calls++;
    keep_text(kept->id, sizeof(kept->id), made->id);
    keep_text(kept->secret, sizeof(kept->secret), made->secret);
    keep_text(kept->subject, sizeof(kept->subject), made->subject);
    keep_text(kept->algorithm, sizeof(kept->algorithm), made->algorithm);
    kept->until_ms = made->until_ms;
}

static lh_status add(struct made_home *made, const struct lh_admin_signature_key_spec *spec,
                     struct made_key *out_key)
{
    *out_key = (struct made_key){.calls = 0};
    return lh_admin_signature_key_add(made->admin, spec, keep_made, out_key);
}

static struct lh_admin_signature_key_spec secret_spec(void)
{
    return (struct lh_admin_signature_key_spec){.tenant = S("acme"), .algorithm = S("hmac-sha256")};
}

static struct lh_admin_signature_key_spec public_spec(const char *id)
{
    return (struct lh_admin_signature_key_spec){
        .tenant = S("acme"), .id = S(id), .algorithm = S("ed25519"), .public_key = S(PUBLIC_KEY)};
}

static struct lh_tenant *load(struct made_home *made, const char *id)
{
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S(id), &tenant));
    return tenant;
}

/* Whether the registry's key opens to the secret that was told. */
static void assert_opens(struct made_home *made, const struct made_key *key, uint32_t dek_id)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    const struct lh_signature_key *stored =
        lh_signature_keys_find(acme->signature_keys, acme->signature_key_count, S(key->id), 1);
    struct lh_home *home = made->home;
    struct lh_datakey datakey;
    struct lh_mac_key *opened = NULL;
    struct lh_digest mac, expected;
    uint8_t secret[64];
    size_t len = 0;
    assert_non_null(stored);
    assert_int_equal(stored->dek_id, dek_id);
    assert_ok(lh_shared_secret_unwrap(home->keys, home->crypto, &acme->uid,
                                      lh_tenant_find_dek(acme, dek_id), &datakey));
    assert_ok(lh_shared_secret_open(home->crypto, &datakey, &acme->uid, stored, &opened));
    lh_shared_secret_forget(&datakey);
    assert_ok(lh_base64_decode(S(key->secret), secret, sizeof(secret), &len));
    assert_int_equal(len, LH_SIGNATURE_SECRET_MIN_BYTES);
    assert_ok(lh_mac(opened, S("base"), &mac));
    assert_ok(lh_hmac_sha256(home->crypto, lh_slice_of(secret, len), S("base"), &expected));
    assert_true(lh_digest_is_equal(&mac, &expected));
    lh_mac_key_free(opened);
}

static void keep_nothing(void *context, const struct lh_admin_key *key)
{
    (void)context;
    (void)key;
}

static void rotate(struct made_home *made, const char *tenant)
{
    assert_ok(lh_admin_key_rotate(made->admin, S(tenant), keep_nothing, NULL));
}

static void test_key_add__a_secret_is_told_once_and_lies_sealed(void **state)
{
    struct made_home *made = *state;
    struct made_key key, other;
    struct lh_admin_signature_key_spec spec = secret_spec();
    assert_ok(add(made, &spec, &key));
    assert_int_equal(key.calls, 1);
    assert_true(strncmp(key.id, "sig-", 4) == 0 && strlen(key.id) == 20);
    assert_string_equal(key.subject, key.id);
    assert_string_equal(key.algorithm, "hmac-sha256");
    assert_true(key.until_ms == 0);
    assert_opens(made, &key, 1);
    spec.subject = S("billing");
    spec.ttl_s = 60;
    assert_ok(add(made, &spec, &other));
    assert_string_not_equal(key.id, other.id);
    assert_string_not_equal(key.secret, other.secret);
    assert_string_equal(other.subject, "billing");
    assert_true(other.until_ms > 60000);
}

static void test_key_add__a_public_key_is_the_services_own(void **state)
{
    struct made_home *made = *state;
    struct made_key key;
    struct lh_admin_signature_key_spec spec = public_spec("partner-1");
    assert_ok(add(made, &spec, &key));
    assert_string_equal(key.id, "partner-1");
    assert_string_equal(key.secret, "");
    assert_status(add(made, &spec, &key), LH_EXISTS);
    assert_int_equal(key.calls, 0);
    spec.tenant = S("globex");
    assert_ok(add(made, &spec, &key));
    spec.id = S("");
    assert_ok(add(made, &spec, &key));
    assert_int_equal(strncmp(key.id, "sig-", 4), 0);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    assert_int_equal(acme->signature_keys[0].material.ptr[0], 0xd7);
    assert_int_equal(acme->signature_keys[0].material.ptr[31], 0x1a);
    assert_int_equal(made_home_logged(made, "audit signature_key_added tenant=acme key=partner-1"),
                     1);
}

static void test_key_add__refuses_what_no_gate_would_take(void **state)
{
    struct made_home *made = *state;
    struct made_key key;
    /* a point of small order, and a key of another algorithm's length */
    static const char *const keys[] = {
        "", "x", "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        "-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
        "-----END PUBLIC KEY-----\n"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct lh_admin_signature_key_spec spec = public_spec("k");
        spec.public_key = S(keys[i]);
        assert_status(add(made, &spec, &key), i == 0 ? LH_INVALID : LH_MALFORMED);
    }
    struct lh_admin_signature_key_spec spec = secret_spec();
    spec.id = S("chosen");
    assert_status(add(made, &spec, &key), LH_INVALID);
    spec = secret_spec();
    spec.public_key = S(PUBLIC_KEY);
    assert_status(add(made, &spec, &key), LH_INVALID);
    spec = secret_spec();
    spec.algorithm = S("none");
    assert_status(add(made, &spec, &key), LH_MALFORMED);
    spec = public_spec("a,b");
    assert_status(add(made, &spec, &key), LH_MALFORMED);
    spec = public_spec("k");
    spec.subject = S("a b");
    assert_status(add(made, &spec, &key), LH_MALFORMED);
    spec = public_spec("k");
    spec.tenant = S("nobody");
    assert_status(add(made, &spec, &key), LH_ABSENT);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    assert_int_equal(acme->signature_key_count, 0);
}

static void test_key_rotate__seals_secrets_again(void **state)
{
    struct made_home *made = *state;
    struct made_key key, second, public;
    struct lh_admin_signature_key_spec spec = secret_spec(), partner = public_spec("partner");
    assert_ok(add(made, &spec, &key));
    assert_ok(add(made, &partner, &public));
    rotate(made, "acme");
    assert_opens(made, &key, 2);
    assert_ok(add(made, &spec, &second));
    assert_opens(made, &second, 2);
    fake_host_advance(&made->fake, UINT64_C(401) * 86400 * 1000);
    rotate(made, "acme"); /* the first data key is gone for good */
    assert_opens(made, &key, 3);
    assert_opens(made, &second, 3);
    made_home_reopen(made);
    assert_opens(made, &key, 3);
}

static void test_key_remove__takes_one_away(void **state)
{
    struct made_home *made = *state;
    struct made_key key;
    struct lh_admin_signature_key_spec spec = public_spec("partner");
    assert_ok(add(made, &spec, &key));
    spec.tenant = S("globex");
    assert_ok(add(made, &spec, &key));
    assert_status(lh_admin_signature_key_remove(made->admin, S("acme"), S("other")), LH_ABSENT);
    assert_why(made, "has no such key");
    assert_ok(lh_admin_signature_key_remove(made->admin, S("acme"), S("partner")));
    assert_status(lh_admin_signature_key_remove(made->admin, S("acme"), S("partner")), LH_ABSENT);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(made, "acme");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = load(made, "globex");
    assert_int_equal(acme->signature_key_count, 0);
    assert_int_equal(globex->signature_key_count, 1);
    assert_int_equal(made_home_logged(made, "audit signature_key_removed tenant=acme key=partner"),
                     1);
}

static void test_key_add__no_tenant_has_too_many(void **state)
{
    struct made_home *made = *state;
    struct made_key key;
    struct lh_admin_signature_key_spec spec = public_spec("");
    for (unsigned i = 0; i < LH_SIGNATURE_KEYS_MAX; i++) {
        assert_ok(add(made, &spec, &key));
    }
    assert_status(add(made, &spec, &key), LH_LIMITED);
    assert_why(made, "remove one first");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_key_add__a_secret_is_told_once_and_lies_sealed),
        WITH_HOME(test_key_add__a_public_key_is_the_services_own),
        WITH_HOME(test_key_add__refuses_what_no_gate_would_take),
        WITH_HOME(test_key_rotate__seals_secrets_again),
        WITH_HOME(test_key_remove__takes_one_away),
        WITH_HOME(test_key_add__no_tenant_has_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
