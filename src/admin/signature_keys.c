/*
 * Keys under which a tenant's services sign their requests. A public key is the service's own; a
 * secret is made here, told once, and lies sealed under the tenant's data key from then on.
 */
#include "admin/signature_keys.h"

#include "admin/session_access.h"
#include "codec/base64url.h"
#include "codec/pem.h"
#include "crypto/crypto.h"
#include "keys/shared_secret.h"

#include "base/banned.h"

#define MS_PER_S UINT64_C(1000)
/* "sig-" and 80 random bits in base32. */
#define MADE_ID_PREFIX       "sig-"
#define MADE_ID_PREFIX_BYTES (sizeof(MADE_ID_PREFIX) - 1)
#define RANDOM_BYTES         LH_SIGNATURE_KEY_ID_RANDOM_BYTES
#define MADE_ID_BYTES        (MADE_ID_PREFIX_BYTES + LH_BASE32_TEXT_LEN(RANDOM_BYTES))
#define SECRET_BYTES         LH_SIGNATURE_SECRET_MIN_BYTES
/* SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 §4): always these bytes, then the key. */
#define SPKI_PREFIX_BYTES 12U
#define SPKI_BYTES        (SPKI_PREFIX_BYTES + LH_SIGNATURE_PUBLIC_BYTES)

/* A key in the making. */
struct making {
    struct lh_admin *admin;
    const struct lh_admin_signature_key_spec *spec;
    struct lh_signature_key key;
    struct lh_text_list roles;
    struct lh_text_list scopes;
    char made_id[MADE_ID_BYTES];
    uint8_t public_key[LH_SIGNATURE_PUBLIC_BYTES];
    struct lh_buf sealed;
    char secret[LH_BASE64_TEXT_LEN(SECRET_BYTES)]; /* as it is told */
};

static void making_fini(struct making *making)
{
    lh_buf_fini(&making->sealed);
    lh_wipe(making->secret, sizeof(making->secret));
}

/* --- What was asked for ----------------------------------------------------------------------- */

static lh_status read_algorithm(struct making *making)
{
    lh_status status =
        lh_http_signature_algorithm_parse(making->spec->algorithm, &making->key.algorithm);
    return lh_is_ok(status) ? status
                            : lh_admin_fail(making->admin, LH_MALFORMED,
                                            "the algorithm is ed25519 or hmac-sha256");
}

static lh_status make_id(struct making *making)
{
    uint8_t bytes[RANDOM_BYTES];
    LH_TRY(lh_random(making->admin->parts.crypto, bytes, sizeof(bytes)));
    memcpy(making->made_id, MADE_ID_PREFIX, MADE_ID_PREFIX_BYTES);
    lh_base32_write(LH_SLICE_OF(bytes), making->made_id + MADE_ID_PREFIX_BYTES);
    making->key.key_id = LH_SLICE_OF(making->made_id);
    return lh_ok();
}

/* Whoever knows the id of a secret may cause a key fetch: it is not for the caller to choose. */
static lh_status choose_id(struct making *making)
{
    lh_slice id = making->spec->id;
    if (id.len == 0) {
        return lh_admin_check(making->admin, make_id(making), "make the key's id");
    }
    if (making->key.algorithm == LH_HTTP_HMAC_SHA256) {
        return lh_admin_fail(making->admin, LH_INVALID,
                             "the id of an hmac-sha256 key is made, and random: leave it out");
    }
    if (!lh_signature_key_id_is_valid(id) || !lh_text_is_token(id)) {
        return lh_admin_fail(making->admin, LH_MALFORMED,
                             "a key's id is 1 to %u printable characters without space, comma, "
                             "quote and backslash",
                             LH_SIGNATURE_KEY_ID_MAX_BYTES);
    }
    making->key.key_id = id;
    return lh_ok();
}

static lh_status fill_principal(struct making *making)
{
    const struct lh_admin_signature_key_spec *spec = making->spec;
    LH_TRY(lh_admin_fill_list(making->admin, &spec->roles, "roles", &making->roles));
    LH_TRY(lh_admin_fill_list(making->admin, &spec->scopes, "scopes", &making->scopes));
    making->key.roles = making->roles.items;
    making->key.role_count = making->roles.count;
    making->key.scopes = making->scopes.items;
    making->key.scope_count = making->scopes.count;
    making->key.subject = spec->subject.len > 0 ? spec->subject : making->key.key_id;
    if (!lh_text_is_token(making->key.subject)) {
        return lh_admin_fail(making->admin, LH_MALFORMED,
                             "a subject is 1 to %u printable characters without space, comma, "
                             "quote and backslash",
                             LH_TEXT_MAX_BYTES);
    }
    making->key.created_ms = lh_admin_now_ms(making->admin);
    making->key.until_ms = spec->ttl_s == 0 ? 0 : making->key.created_ms + spec->ttl_s * MS_PER_S;
    return lh_ok();
}

/* --- Public keys ------------------------------------------------------------------------------ */

static lh_status fail_public_key(struct making *making)
{
    return lh_admin_fail(making->admin, LH_MALFORMED,
                         "that is no Ed25519 public key in PEM; \"openssl pkey -in KEY -pubout\" "
                         "writes one");
}

static lh_status read_public_key(struct making *making)
{
    static const uint8_t prefix[SPKI_PREFIX_BYTES] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t spki[SPKI_BYTES];
    size_t len = 0;
    lh_status status =
        lh_pem_decode(making->spec->public_key, "PUBLIC KEY", spki, sizeof(spki), &len);
    LH_ENSURE(status.code != LH_NO_MEMORY, LH_NO_MEMORY);
    if (!lh_is_ok(status) || len != sizeof(spki) ||
        !lh_slice_is_equal(lh_slice_of(spki, sizeof(prefix)), LH_SLICE_OF(prefix))) {
        return fail_public_key(making);
    }
    memcpy(making->public_key, spki + sizeof(prefix), sizeof(making->public_key));
    making->key.material = LH_SLICE_OF(making->public_key);
    return lh_ok();
}

/* A point that the gate would not take is refused here, where it can still be mended. */
static lh_status check_public_key(struct making *making)
{
    struct lh_public_key *key = NULL;
    lh_status status = lh_public_key_new(making->admin->parts.crypto, LH_EDDSA,
                                         LH_SLICE_OF(making->public_key), &key);
    lh_public_key_free(key);
    bool is_refused = status.code == LH_MALFORMED || status.code == LH_FORBIDDEN;
    return is_refused ? fail_public_key(making)
                      : lh_admin_check(making->admin, status, "check the public key");
}

/* --- Secrets ---------------------------------------------------------------------------------- */

static lh_status unwrap_active(struct lh_admin *admin, const struct lh_tenant *tenant,
                               struct lh_datakey *out_key)
{
    const struct lh_wrapped_dek *dek = lh_tenant_find_dek(tenant, tenant->active_dek);
    LH_ENSURE(dek != NULL, LH_KEY_DOWN);
    return lh_shared_secret_unwrap(admin->parts.keys, admin->parts.crypto, &tenant->uid, dek,
                                   out_key);
}

static lh_status seal_new(struct making *making, const struct lh_tenant *tenant,
                          const uint8_t secret[SECRET_BYTES])
{
    struct lh_admin *admin = making->admin;
    LH_CLEANUP(lh_shared_secret_forget) struct lh_datakey datakey = {.dek_id = 0};
    LH_TRY(unwrap_active(admin, tenant, &datakey));
    LH_TRY(lh_shared_secret_seal(admin->parts.crypto, &datakey, &tenant->uid, making->key.key_id,
                                 lh_slice_of(secret, SECRET_BYTES), &making->sealed));
    making->key.dek_id = datakey.dek_id;
    making->key.material = lh_buf_view(&making->sealed);
    return lh_ok();
}

static lh_status make_secret(struct making *making, const struct lh_tenant *tenant)
{
    uint8_t secret[SECRET_BYTES];
    lh_status status = lh_random(making->admin->parts.crypto, secret, sizeof(secret));
    if (lh_is_ok(status)) {
        status = seal_new(making, tenant, secret);
        lh_base64_write(LH_SLICE_OF(secret), making->secret);
    }
    lh_wipe(secret, sizeof(secret));
    return lh_admin_check(making->admin, status, "seal the new secret");
}

static lh_status reseal(struct lh_admin *admin, const struct lh_tenant *tenant,
                        const struct lh_datakey *to, struct lh_signature_key *key,
                        struct lh_buf *sealed)
{
    const struct lh_wrapped_dek *dek = lh_tenant_find_dek(tenant, key->dek_id);
    LH_CLEANUP(lh_shared_secret_forget) struct lh_datakey from = {.dek_id = 0};
    LH_ENSURE(dek != NULL, LH_TAMPERED);
    LH_TRY(
        lh_shared_secret_unwrap(admin->parts.keys, admin->parts.crypto, &tenant->uid, dek, &from));
    LH_TRY(lh_shared_secret_reseal(admin->parts.crypto, &from, to, &tenant->uid, key, sealed));
    key->dek_id = to->dek_id;
    key->material = lh_buf_view(sealed);
    return lh_ok();
}

static lh_status move_secret(struct lh_admin *admin, struct lh_registry_txn *txn,
                             const struct lh_tenant *tenant, const struct lh_datakey *to,
                             size_t index)
{
    struct lh_signature_key key = tenant->signature_keys[index];
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf sealed = lh_buf_bounded(LH_SHARED_SECRET_SEALED_MAX_BYTES);
    lh_status status = reseal(admin, tenant, to, &key, &sealed);
    if (status.code == LH_TAMPERED || status.code == LH_ABSENT) {
        return lh_admin_fail(admin, LH_TAMPERED,
                             "the secret of key \"%.*s\" is not authentic: remove that key first",
                             LH_SLICE_ARG(key.key_id));
    }
    LH_TRY(status);
    return lh_registry_put_signature_key(txn, &tenant->uid, &key);
}

static bool has_secret(const struct lh_signature_key *key)
{
    return key->algorithm == LH_HTTP_HMAC_SHA256;
}

lh_status lh_admin_reseal_secrets(struct lh_admin *admin, struct lh_registry_txn *txn,
                                  const struct lh_tenant *tenant, const struct lh_wrapped_dek *dek)
{
    LH_CLEANUP(lh_shared_secret_forget) struct lh_datakey to = {.dek_id = 0};
    for (size_t i = 0; i < tenant->signature_key_count; i++) {
        if (!has_secret(&tenant->signature_keys[i])) {
            continue;
        }
        if (to.dek_id == 0) {
            LH_TRY(lh_shared_secret_unwrap(admin->parts.keys, admin->parts.crypto, &tenant->uid,
                                           dek, &to));
        }
        LH_TRY(move_secret(admin, txn, tenant, &to, i));
    }
    return lh_ok();
}

/* --- Adding ----------------------------------------------------------------------------------- */

static lh_status read_spec(struct making *making)
{
    LH_TRY(read_algorithm(making));
    LH_TRY(choose_id(making));
    LH_TRY(fill_principal(making));
    bool is_public = making->key.algorithm == LH_HTTP_ED25519;
    if (is_public != (making->spec->public_key.len > 0)) {
        return lh_admin_fail(making->admin, LH_INVALID,
                             is_public ? "an ed25519 key is the service's own: give its public half"
                                       : "an hmac-sha256 key has no public half");
    }
    if (is_public) {
        LH_TRY(read_public_key(making));
        LH_TRY(check_public_key(making));
    }
    return lh_ok();
}

static bool has_id(const struct lh_tenant *tenant, lh_slice id)
{
    for (size_t i = 0; i < tenant->signature_key_count; i++) {
        if (lh_slice_is_equal(tenant->signature_keys[i].key_id, id)) {
            return true;
        }
    }
    return false;
}

static lh_status put(struct making *making, struct lh_registry_txn *txn,
                     const struct lh_tenant *tenant)
{
    struct lh_admin *admin = making->admin;
    lh_status status = lh_registry_put_signature_key(txn, &tenant->uid, &making->key);
    if (status.code == LH_LIMITED) {
        return lh_admin_fail(admin, LH_LIMITED,
                             "tenant \"%.*s\" has %u keys of request signatures; remove one first",
                             LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)), LH_SIGNATURE_KEYS_MAX);
    }
    LH_TRY(lh_admin_check(admin, status, "write the key"));
    return lh_admin_commit(admin, txn);
}

static lh_status add(struct making *making, struct lh_registry_txn *txn,
                     const struct lh_tenant *tenant)
{
    if (has_id(tenant, making->key.key_id)) {
        return lh_admin_fail(making->admin, LH_EXISTS,
                             "tenant \"%.*s\" has a key \"%.*s\" already; remove it first, or "
                             "choose another id",
                             LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)),
                             LH_SLICE_ARG(making->key.key_id));
    }
    if (has_secret(&making->key)) {
        LH_TRY(make_secret(making, tenant));
    }
    return put(making, txn, tenant);
}

static void audit(struct lh_admin *admin, enum lh_audit_event event, const struct lh_tenant *tenant,
                  lh_slice key_id)
{
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&tenant->id)},
                                            {"key", key_id}};
    lh_admin_audit(admin, event, fields, 2);
}

static void tell(const struct making *making, lh_admin_signature_key_fn each, void *context)
{
    const struct lh_signature_key *key = &making->key;
    const struct lh_admin_signature_key view = {
        .id = key->key_id,
        .algorithm = lh_slice_from_text(lh_http_signature_algorithm_name(key->algorithm)),
        .secret = has_secret(key) ? LH_SLICE_OF(making->secret) : LH_SLICE_EMPTY,
        .subject = key->subject,
        .roles = {key->roles, key->role_count},
        .scopes = {key->scopes, key->scope_count},
        .until_ms = key->until_ms,
    };
    each(context, &view);
}

lh_status lh_admin_signature_key_add(struct lh_admin *admin,
                                     const struct lh_admin_signature_key_spec *spec,
                                     lh_admin_signature_key_fn each, void *context)
{
    lh_admin_enter(admin);
    LH_CLEANUP(making_fini)
    struct making making = {
        .admin = admin, .spec = spec, .sealed = lh_buf_bounded(LH_SHARED_SECRET_SEALED_MAX_BYTES)};
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(read_spec(&making));
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take_living(admin, txn, spec->tenant, &tenant));
    LH_TRY(add(&making, txn, tenant));
    lh_registry_end(&txn);
    audit(admin, LH_AUDIT_signature_key_added, tenant, making.key.key_id);
    tell(&making, each, context);
    return lh_ok();
}

/* --- Listing and removing --------------------------------------------------------------------- */

void lh_admin_describe_signature_key(const struct lh_tenant *tenant, size_t index, uint64_t now_ms,
                                     lh_admin_key_fn each, void *context)
{
    const struct lh_signature_key *key = &tenant->signature_keys[index];
    bool is_over = key->until_ms != 0 && key->until_ms <= now_ms;
    const struct lh_admin_key view = {
        .kind = LH_SLICE_LITERAL("signature"),
        .tenant = lh_tenant_id_view(&tenant->id),
        .id = key->key_id,
        .state = is_over ? LH_SLICE_LITERAL("over") : LH_SLICE_LITERAL("active"),
        .created_ms = key->created_ms,
        .until_ms = key->until_ms,
    };
    each(context, &view);
}

lh_status lh_admin_signature_key_remove(struct lh_admin *admin, lh_slice tenant_id, lh_slice id)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take(admin, txn, tenant_id, &tenant));
    lh_status status = lh_registry_drop_signature_key(txn, &tenant->uid, id);
    if (status.code == LH_ABSENT) {
        return lh_admin_fail(admin, LH_ABSENT,
                             "tenant \"%.*s\" has no such key; \"leasehold key list\" shows all",
                             LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)));
    }
    LH_TRY(lh_admin_check(admin, status, "remove the key"));
    LH_TRY(lh_admin_commit(admin, txn));
    lh_registry_end(&txn);
    audit(admin, LH_AUDIT_signature_key_removed, tenant, id);
    return lh_ok();
}
