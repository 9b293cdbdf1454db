/*
 * Issuers for the fixture's tenants, and tokens of theirs.
 */
#include "bearer_fixture.h"

#include "codec/base64url.h"
#include "crypto/signature.h"
#include "token/token.h"

/* Keys of acme and globex, and one that nobody knows. */
static struct lh_signing_key *own_keys[2];
static struct lh_signing_key *idp_keys[2];
static struct lh_signing_key *strangers_key;

static size_t index_of(const struct installation *all, const struct lh_tenant_uid *uid)
{
    return lh_tenant_uid_is_equal(uid, &all->acme) ? 0 : 1;
}

static const char *idp_of(size_t index)
{
    return index == 0 ? "https://idp.acme.test" : "https://idp.globex.test";
}

static void put_idp(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid, size_t index)
{
    uint8_t material[64];
    assert_ok(lh_signing_key_public(idp_keys[index], material, material + 32));
    struct lh_verify_key key = {
        .kid = LH_SLICE_LITERAL("idp-1"), .algorithm = LH_ES256, .material = LH_SLICE_OF(material)};
    struct lh_issuer issuer = {.iss = lh_slice_from_text(idp_of(index)),
                               .bind_claim = LH_SLICE_LITERAL("tenant_id"),
                               .skew_s = 5,
                               .keys = &key,
                               .key_count = 1};
    struct lh_issuer_conflict conflict;
    assert_ok(lh_registry_put_issuers(txn, uid, &issuer, 1, &conflict));
}

static void put_own(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid, size_t index)
{
    struct lh_wrapped_signing_key key = {
        .id = 1, .created_ms = 1, .from_ms = 1, .life_s = 3600, .blob = LH_SLICE_LITERAL("sealed")};
    assert_ok(lh_signing_key_public(own_keys[index], key.x, key.y));
    assert_ok(lh_registry_put_signing_key(txn, uid, &key));
}

static void put_issuers(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    size_t index = tenant->uid.bytes[0] == 'a' ? 0 : 1;
    put_idp(txn, &tenant->uid, index);
    put_own(txn, &tenant->uid, index);
}

int bearer_setup(void **state)
{
    assert_int_equal(installation_setup(state), 0);
    struct installation *all = *state;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(lh_signing_key_generate(all->crypto, &own_keys[i]));
        assert_ok(lh_signing_key_generate(all->crypto, &idp_keys[i]));
    }
    assert_ok(lh_signing_key_generate(all->crypto, &strangers_key));
    change_tenant(all, &all->acme, put_issuers);
    change_tenant(all, &all->globex, put_issuers);
    return 0;
}

int bearer_teardown(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        lh_signing_key_free(own_keys[i]);
        lh_signing_key_free(idp_keys[i]);
    }
    lh_signing_key_free(strangers_key);
    return installation_teardown(state);
}

static void drop(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    struct lh_issuer_conflict conflict;
    assert_ok(lh_registry_put_issuers(txn, &tenant->uid, NULL, 0, &conflict));
}

void drop_issuers(struct installation *all, const struct lh_tenant_uid *uid)
{
    change_tenant(all, uid, drop);
}

/* --- Logging out ------------------------------------------------------------------------------ */

static struct lh_tenant *snapshot_of(struct installation *all, const struct lh_tenant_uid *uid)
{
    struct lh_tenant *tenant;
    assert_ok(
        lh_directory_find_uid(all->directory, uid, lh_clock_now_ms(&all->host.clock), &tenant));
    return tenant;
}

void log_out_tenant(struct installation *all, const struct lh_tenant_uid *uid)
{
    struct lh_registry_txn *txn;
    struct lh_tenant *tenant = snapshot_of(all, uid);
    uint64_t epoch;
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_mark(txn, tenant->slot));
    assert_ok(lh_registry_raise_tenant_epoch(txn, uid, lh_clock_now_ms(&all->host.clock), &epoch));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    lh_tenant_unref(tenant);
}

void log_out_subject(struct installation *all, const struct lh_tenant_uid *uid, const char *sub)
{
    struct visitor visitor = {.key = {.uid = *uid}, .absolute_end_ms = UINT64_MAX >> 2};
    struct lh_tenant *tenant = snapshot_of(all, uid);
    assert_ok(lh_user_tag_of(all->crypto, tenant, lh_slice_from_text(sub), &visitor.user_tag));
    lh_tenant_unref(tenant);
    log_out_user(all, &visitor);
}

/* --- Sessions with a token -------------------------------------------------------------------- */

void give_token(struct installation *all, const struct visitor *visitor, const char *jti)
{
    struct lh_tenant *tenant = snapshot_of(all, &visitor->key.uid);
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    struct lh_session_header header;
    struct lh_token_tag tag;
    struct lh_registry_txn *txn;
    assert_ok(lh_token_tag_of(all->crypto, lh_slice_from_text(jti), &tag));
    assert_ok(lh_vault_inspect(all->vault, &op, &visitor->key, &loaded));
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_mark(txn, tenant->slot));
    assert_ok(lh_vault_set_token(all->vault, &op, tenant, &loaded, &tag, &header));
    const struct lh_revocation demand = {.least_generation = header.generation};
    assert_ok(lh_registry_put_revocation(txn, &visitor->key.uid, &visitor->key.lease, &demand,
                                         visitor->absolute_end_ms));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    lh_loaded_session_fini(&loaded);
    lh_tenant_unref(tenant);
}

/* --- Tokens ----------------------------------------------------------------------------------- */

struct lh_gate_policy bearer_policy(void)
{
    struct lh_gate_policy policy = any_policy();
    policy.credentials = LH_GATE_CREDENTIAL_BEARER;
    policy.token_mode = LH_GATE_TOKEN_STATELESS;
    return policy;
}

const char *ref_of(const struct visitor *visitor)
{
    static char text[LH_SESSION_REF_MAX_BYTES + 1];
    struct lh_session_ref ref;
    lh_session_ref_write((uint16_t)visitor->key.bucket, &visitor->key.lease, &ref);
    memcpy(text, ref.text, ref.len);
    text[ref.len] = '\0';
    return text;
}

static const char * or (const char *text, const char *standard)
{
    return text != NULL ? text : standard;
}

static void add_member(struct lh_buf *json, const char *name, const char *text)
{
    if (text[0] != '\0') {
        assert_ok(lh_buf_add_format(json, "%s\"%s\":\"%s\"", json->len > 1 ? "," : "", name, text));
    }
}

static void write_iss(struct installation *all, const struct lh_tenant_uid *uid,
                      const struct token *token, struct lh_buf *json)
{
    struct lh_tenant *tenant = snapshot_of(all, uid);
    char text[256];
    (void)snprintf(text, sizeof(text), "%s", idp_of(index_of(all, uid)));
    if (token->signer == BY_OWN) {
        lh_slice iss = tenant->issuers[0].iss;
        assert_true(tenant->issuers[0].is_own);
        (void)snprintf(text, sizeof(text), "%.*s", LH_SLICE_ARG(iss));
        assert_ok(lh_buf_add_format(json, "\"lh_epochs\":[%llu,%llu,0]",
                                    (unsigned long long)tenant->platform_epoch,
                                    (unsigned long long)tenant->epoch));
    }
    add_member(json, "iss", text);
    lh_tenant_unref(tenant);
}

static void write_claims(struct installation *all, const struct lh_tenant_uid *uid,
                         const struct token *token, struct lh_buf *json)
{
    long long now_s = (long long)(lh_clock_now_ms(&all->host.clock) / 1000);
    assert_ok(lh_buf_add_text(json, "{"));
    write_iss(all, uid, token, json);
    add_member(json, "tenant_id", or (token->tenant, index_of(all, uid) == 0 ? "acme" : "globex"));
    add_member(json, "sub", or (token->sub, "alice"));
    add_member(json, "sid", or (token->sid, ""));
    add_member(json, "aud", or (token->aud, "leasehold"));
    add_member(json, "jti", or (token->jti, STANDARD_JTI));
    assert_ok(lh_buf_add_format(json, ",\"iat\":%lld,\"exp\":%lld%s}", now_s + token->issued_s,
                                now_s + (token->expires_s != 0 ? token->expires_s : 600),
                                or (token->extra, "")));
}

static void write_header(struct installation *all, const struct lh_tenant_uid *uid,
                         const struct token *token, struct lh_buf *json)
{
    struct lh_tenant *tenant = snapshot_of(all, uid);
    bool is_own = token->signer == BY_OWN;
    lh_slice kid = is_own ? tenant->issuers[0].keys[0].kid : LH_SLICE_LITERAL("idp-1");
    assert_int_equal(tenant->issuers[0].is_own, true);
    assert_ok(lh_buf_add_format(json, "{\"alg\":\"ES256\",\"typ\":\"%s\",\"kid\":\"%.*s\"}",
                                or (token->typ, "at+jwt"), LH_SLICE_ARG(kid)));
    lh_tenant_unref(tenant);
}

void make_token(struct installation *all, const struct lh_tenant_uid *uid,
                const struct token *token, char out[TOKEN_BYTES])
{
    struct lh_buf header = LH_BUF_EMPTY, claims = LH_BUF_EMPTY, jws = LH_BUF_EMPTY;
    struct lh_signing_key *const keys[] = {[BY_IDP] = idp_keys[index_of(all, uid)],
                                           [BY_OWN] = own_keys[index_of(all, uid)],
                                           [BY_STRANGER] = strangers_key};
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    write_header(all, uid, token, &header);
    write_claims(all, uid, token, &claims);
    assert_ok(lh_base64url_add(&jws, lh_buf_view(&header)));
    assert_ok(lh_buf_add_text(&jws, "."));
    assert_ok(lh_base64url_add(&jws, lh_buf_view(&claims)));
    assert_ok(lh_es256_sign(keys[token->signer], lh_buf_view(&jws), signature));
    assert_ok(lh_buf_add_text(&jws, "."));
    assert_ok(lh_base64url_add(&jws, LH_SLICE_OF(signature)));
    assert_true(jws.len < TOKEN_BYTES);
    memcpy(out, jws.ptr, jws.len);
    out[jws.len] = '\0';
    lh_buf_fini(&header);
    lh_buf_fini(&claims);
    lh_buf_fini(&jws);
}

void sent_add_bearer(struct sent *sent, const char *text)
{
    static char value[TOKEN_BYTES + 16];
    (void)snprintf(value, sizeof(value), "Bearer %s", text);
    sent_add(sent, "Authorization", value);
}

void sent_add_token(struct sent *sent, struct installation *all, const struct lh_tenant_uid *uid,
                    const struct token *token)
{
    static char text[TOKEN_BYTES];
    make_token(all, uid, token, text);
    sent_add_bearer(sent, text);
}

enum lh_reason bear_once(struct installation *all, const struct lh_gate_policy *policy,
                         const char *host, const struct lh_tenant_uid *uid,
                         const struct token *token)
{
    struct sent sent;
    sent_init(&sent, host);
    if (token != NULL) {
        sent_add_token(&sent, all, uid, token);
    }
    enum lh_reason reason = sent_decide(&sent, all, policy);
    if (sent.decision.http_status != 0) {
        assert_int_equal(sent.decision.inject_count, 0);
    }
    sent_fini(&sent);
    return reason;
}
