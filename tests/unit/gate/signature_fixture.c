/*
 * Keys for the fixture's tenants, and requests that are signed under them.
 */
#include "signature_fixture.h"

#include "codec/base64url.h"
#include "keys/shared_secret.h"
#include "token/http_signature.h"
#include "token/nonce_table.h"

#include <openssl/evp.h>

#define NONCES_BYTES LH_NONCE_TABLE_LEAST_BYTES

static void *nonce_memory;
static EVP_PKEY *partner_keys[2];

static size_t index_of(const struct lh_tenant_uid *uid)
{
    return uid->bytes[0] == 'a' ? 0 : 1;
}

static const char *secret_id(size_t index)
{
    return index == 0 ? ACME_SECRET : GLOBEX_SECRET;
}

/* --- Keys ------------------------------------------------------------------------------------- */

static const uint8_t secrets[2][LH_SIGNATURE_SECRET_MIN_BYTES] = {
    "a secret of acme's billing......", "a secret of globex' billing....."};

static void fill_key(const struct installation *all, struct lh_signature_key *key)
{
    static const lh_slice roles[] = {{(const uint8_t *)"admin", 5}};
    static const lh_slice scopes[] = {{(const uint8_t *)"pay", 3}};
    key->created_ms = lh_clock_now_ms(&all->host.clock);
    key->subject = LH_SLICE_LITERAL("billing");
    key->roles = (lh_slice *)(uintptr_t)roles;
    key->role_count = 1;
    key->scopes = (lh_slice *)(uintptr_t)scopes;
    key->scope_count = 1;
}

static void put_secret(struct installation *all, struct lh_registry_txn *txn,
                       const struct lh_tenant *tenant)
{
    struct lh_datakey datakey;
    struct lh_buf sealed = LH_BUF_EMPTY;
    const size_t index = index_of(&tenant->uid);
    struct lh_signature_key key = {.key_id = lh_slice_from_text(secret_id(index)),
                                   .algorithm = LH_HTTP_HMAC_SHA256,
                                   .dek_id = tenant->active_dek};
    fill_key(all, &key);
    assert_ok(lh_shared_secret_unwrap(all->keys, all->crypto, &tenant->uid,
                                      lh_tenant_find_dek(tenant, tenant->active_dek), &datakey));
    assert_ok(lh_shared_secret_seal(all->crypto, &datakey, &tenant->uid, key.key_id,
                                    LH_SLICE_OF(secrets[index]), &sealed));
    key.material = lh_buf_view(&sealed);
    assert_ok(lh_registry_put_signature_key(txn, &tenant->uid, &key));
    lh_buf_fini(&sealed);
    lh_shared_secret_forget(&datakey);
}

static void put_partner(struct installation *all, struct lh_registry_txn *txn,
                        const struct lh_tenant *tenant)
{
    uint8_t point[LH_SIGNATURE_PUBLIC_BYTES];
    size_t len = sizeof(point);
    assert_int_equal(EVP_PKEY_get_raw_public_key(partner_keys[index_of(&tenant->uid)], point, &len),
                     1);
    struct lh_signature_key key = {.key_id = LH_SLICE_LITERAL(PARTNER),
                                   .algorithm = LH_HTTP_ED25519,
                                   .material = LH_SLICE_OF(point)};
    fill_key(all, &key);
    assert_ok(lh_registry_put_signature_key(txn, &tenant->uid, &key));
}

void give_signature_keys(struct installation *all, const struct lh_tenant_uid *uid)
{
    struct lh_registry_txn *txn;
    struct lh_tenant *tenant;
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_get_tenant(txn, uid, &tenant));
    put_secret(all, txn, tenant);
    put_partner(all, txn, tenant);
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    lh_tenant_unref(tenant);
}

void drop_signature_key(struct installation *all, const struct lh_tenant_uid *uid, const char *id)
{
    struct lh_registry_txn *txn;
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_drop_signature_key(txn, uid, lh_slice_from_text(id)));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
}

/* --- Life ------------------------------------------------------------------------------------- */

void renew_nonces(struct installation *all, size_t len)
{
    const struct lh_siphash_key key = {"hash key of test"};
    lh_nonce_table_close(all->nonces);
    free(nonce_memory);
    nonce_memory = aligned_alloc(64, len);
    assert_non_null(nonce_memory);
    memset(nonce_memory, 0, len);
    assert_ok(lh_nonce_table_open(nonce_memory, len, lh_clock_now_ms(&all->host.clock), &key,
                                  &all->nonces));
    fake_host_advance(&all->host, 60000);
    installation_restart_worker(all);
}

int signature_setup(void **state)
{
    assert_int_equal(installation_setup(state), 0);
    struct installation *all = *state;
    for (size_t i = 0; i < 2; i++) {
        partner_keys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        assert_non_null(partner_keys[i]);
    }
    give_signature_keys(all, &all->acme);
    give_signature_keys(all, &all->globex);
    renew_nonces(all, NONCES_BYTES);
    return 0;
}

int signature_teardown(void **state)
{
    struct installation *all = *state;
    struct lh_nonce_table *nonces = all->nonces;
    int result = installation_teardown(state);
    lh_nonce_table_close(nonces);
    free(nonce_memory);
    nonce_memory = NULL;
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY_free(partner_keys[i]);
    }
    return result;
}

struct lh_gate_policy signature_policy(void)
{
    struct lh_gate_policy policy = any_policy();
    policy.credentials = LH_GATE_CREDENTIAL_SIGNATURE;
    return policy;
}

/* --- Signing ---------------------------------------------------------------------------------- */

static const char * or (const char *text, const char *standard)
{
    return text != NULL ? text : standard;
}

static void add_digest(struct sent *sent, struct installation *all, const char *body)
{
    struct lh_digest digest;
    char text[LH_BASE64_TEXT_LEN(LH_SHA256_BYTES) + 1] = "";
    char value[96];
    assert_ok(lh_sha256(all->crypto, lh_slice_from_text(body), &digest));
    lh_base64_write(LH_SLICE_OF(digest.bytes), text);
    (void)snprintf(value, sizeof(value), "sha-256=:%s:", text);
    sent_add_plain(sent, "Content-Digest", value);
    sent->request.has_body = body[0] != '\0';
}

static void write_input(const struct installation *all, const struct signing *signing,
                        const char *key_id, char *input, size_t size)
{
    static unsigned count;
    char nonce[32];
    const long now_s = (long)(lh_clock_now_ms(&all->host.clock) / 1000);
    const char *standard = signing->body == NULL
                               ? "\"@method\" \"@authority\" \"@path\" \"x-tenant-id\""
                               : "\"@method\" \"@authority\" \"@path\" \"x-tenant-id\" "
                                 "\"content-digest\"";
    (void)snprintf(nonce, sizeof(nonce), "nonce-%u", count++);
    long created_s = now_s + signing->created_s;
    (void)snprintf(input, size, "sig1=(%s);created=%ld;expires=%ld;nonce=\"%s\";keyid=\"%s\"%s",
                   or (signing->components, standard), created_s,
                   created_s + (signing->life_s != 0 ? signing->life_s : 60),
                   or (signing->nonce, nonce), key_id, or (signing->more, ""));
}

static size_t sign_as_partner(EVP_PKEY *key, lh_slice base, uint8_t out[64])
{
    size_t len = 64;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_non_null(context);
    assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, out, &len, base.ptr, base.len), 1);
    EVP_MD_CTX_free(context);
    return len;
}

static size_t sign_base(struct installation *all, size_t index, const char *signer, lh_slice base,
                        uint8_t out[64])
{
    struct lh_digest mac;
    if (strcmp(signer, PARTNER) == 0) {
        return sign_as_partner(partner_keys[index], base, out);
    }
    const uint8_t *secret = secrets[strcmp(signer, ACME_SECRET) == 0 ? 0 : 1];
    assert_ok(lh_hmac_sha256(all->crypto, lh_slice_of(secret, LH_SIGNATURE_SECRET_MIN_BYTES), base,
                             &mac));
    memcpy(out, mac.bytes, sizeof(mac.bytes));
    return sizeof(mac.bytes);
}

/* The base is the library's own: that it is the standard's is shown elsewhere. */
static void write_base(struct sent *sent, struct lh_buf *base)
{
    struct lh_signed_request request = {.method = sent->request.method,
                                        .scheme = LH_SLICE_LITERAL("https"),
                                        .authority = sent->request.authority,
                                        .target = sent->request.target,
                                        .has_body = sent->request.has_body,
                                        .next_value = sent->request.next_value,
                                        .headers = sent};
    struct lh_raw_http_signature raw;
    assert_ok(lh_http_signature_read(&request, LH_SLICE_EMPTY, &raw));
    assert_ok(lh_http_signature_base(&request, &raw, base));
}

void sent_sign(struct sent *sent, struct installation *all, const struct lh_tenant_uid *uid,
               const struct signing *signing)
{
    const size_t index = index_of(uid);
    const char *key_id = or (signing->key_id, secret_id(index));
    char input[1024], signature[128], text[LH_BASE64_TEXT_LEN(64) + 1] = "";
    sent->request.method = lh_slice_from_text(or (signing->method, "GET"));
    sent->request.target = lh_slice_from_text(or (signing->target, "/"));
    sent_add(sent, "X-Tenant-ID", or (signing->tenant, index == 0 ? "acme" : "globex"));
    if (signing->body != NULL) {
        add_digest(sent, all, signing->body);
    }
    write_input(all, signing, key_id, input, sizeof(input));
    sent_add(sent, "Signature-Input", input);
    sent_add(sent, "Signature", "sig1=:AAAA:");
    struct lh_buf base = LH_BUF_EMPTY;
    uint8_t bytes[64];
    write_base(sent, &base);
    size_t len = sign_base(all, index, or (signing->signer, key_id), lh_buf_view(&base), bytes);
    lh_buf_fini(&base);
    lh_base64_write(lh_slice_of(bytes, len), text);
    (void)snprintf(signature, sizeof(signature), "sig1=:%.*s:", (int)LH_BASE64_TEXT_LEN(len), text);
    sent->request.header_count--;
    sent->all_count--;
    sent_add(sent, "Signature", signature);
}

enum lh_reason sign_once(struct installation *all, const struct lh_gate_policy *policy,
                         const char *host, const struct lh_tenant_uid *uid,
                         const struct signing *signing)
{
    struct sent sent;
    sent_init(&sent, host);
    sent_sign(&sent, all, uid, signing);
    enum lh_reason reason = sent_decide(&sent, all, policy);
    if (sent.decision.http_status != 0) {
        assert_int_equal(sent.decision.inject_count, 0);
        assert_null(sent.decision.signed_body);
    }
    sent_fini(&sent);
    return reason;
}
