/*
 * Making a token for a subject that the operator names. What goes out is the one credential that
 * was asked for; nothing of it is kept or logged.
 */
#include "admin/session_access.h"
#include "admin/signing.h"
#include "admin/token_session.h"
#include "codec/base64url.h"
#include "crypto/crypto.h"
#include "keys/signing_key_wrap.h"
#include "token/token_write.h"

#include "base/banned.h"

#define DEFAULT_TTL_S    3600U
#define SERVICE_AUDIENCE "leasehold-api"
#define SERVICE_SCOPE    "sessions:*"
#define JTI_BYTES        16U
#define MS_PER_S         UINT64_C(1000)

/* A token in the making. */
struct minting {
    struct lh_admin *admin;
    const struct lh_admin_token_spec *spec;
    struct lh_tenant *tenant;
    uint32_t ttl_s;
    struct lh_token_claims claims;
    struct lh_buf jti;
    struct lh_buf token;
    lh_slice kid; /* in the tenant's snapshot */
};

static void minting_fini(struct minting *minting)
{
    lh_tenant_unref(minting->tenant);
    lh_buf_fini(&minting->jti);
    lh_buf_fini(&minting->token);
}

static void drop_pair(struct lh_signing_key **pair)
{
    lh_signing_key_free(*pair);
}

/* --- What it says ----------------------------------------------------------------------------- */

static void add_default(struct lh_text_list *list, lh_slice text)
{
    list->items[0] = text;
    list->count = 1;
}

static lh_status fill_texts(struct minting *minting)
{
    const struct lh_admin_token_spec *spec = minting->spec;
    struct lh_token_claims *claims = &minting->claims;
    LH_TRY(lh_admin_fill_list(minting->admin, &spec->roles, "roles", &claims->roles));
    LH_TRY(lh_admin_fill_list(minting->admin, &spec->scopes, "scopes", &claims->scopes));
    LH_TRY(lh_admin_fill_list(minting->admin, &spec->groups, "groups", &claims->groups));
    LH_TRY(lh_admin_fill_list(minting->admin, &spec->audiences, "audiences", &claims->audiences));
    if (claims->audiences.count == 0) {
        add_default(&claims->audiences, spec->is_service ? LH_SLICE_LITERAL(SERVICE_AUDIENCE)
                                                         : LH_SLICE_LITERAL(LH_STANDARD_AUDIENCE));
    }
    if (spec->is_service) {
        if (claims->scopes.count > 0 || spec->ref.len > 0) {
            return lh_admin_fail(minting->admin, LH_INVALID,
                                 "a service token has the scope " SERVICE_SCOPE
                                 " alone, and belongs to no session");
        }
        add_default(&claims->scopes, LH_SLICE_LITERAL(SERVICE_SCOPE));
    }
    claims->kind = spec->is_service ? LH_TOKEN_SERVICE : LH_TOKEN_ACCESS;
    claims->sub = spec->subject;
    claims->sid = spec->ref;
    return lh_ok();
}

/* Read before the token exists: a logout from here on ends it. */
static lh_status fill_epochs(struct minting *minting)
{
    struct lh_admin *admin = minting->admin;
    struct lh_user_tag tag;
    struct lh_token_epochs *epochs = &minting->claims.epochs;
    LH_TRY(lh_admin_user_tag(admin, minting->tenant, minting->spec->subject, &tag));
    epochs->platform = minting->tenant->platform_epoch;
    epochs->tenant = minting->tenant->epoch;
    return lh_admin_check(admin,
                          lh_registry_read_user_epoch(admin->parts.registry, &minting->tenant->uid,
                                                      &tag, &epochs->user),
                          "read the user's epoch");
}

static lh_status decide_ttl(struct minting *minting)
{
    const struct lh_tier *tier = &minting->tenant->tier;
    uint32_t wanted_s = minting->spec->ttl_s;
    uint32_t most_s = tier->absolute_s;
    if (wanted_s > most_s) {
        return lh_admin_fail(minting->admin, LH_LIMITED,
                             "a token of tier \"%.*s\" lives %u s at most, not %u s",
                             LH_SLICE_ARG(lh_tier_name(tier)), most_s, wanted_s);
    }
    if (minting->spec->ref.len > 0) {
        LH_TRY(lh_admin_check_token_session(minting->admin, minting->spec, &most_s));
    }
    if (wanted_s > most_s) {
        return lh_admin_fail(minting->admin, LH_LIMITED,
                             "the session ends in %u s; the token may not live longer", most_s);
    }
    uint32_t standard_s = most_s < DEFAULT_TTL_S ? most_s : DEFAULT_TTL_S;
    minting->ttl_s = wanted_s == 0 ? standard_s : wanted_s;
    return lh_ok();
}

/* --- The key ---------------------------------------------------------------------------------- */

static const struct lh_wrapped_signing_key *signer_of(const struct minting *minting)
{
    const struct lh_tenant *tenant = minting->tenant;
    return lh_signing_keys_signer(tenant->signing_keys, tenant->signing_key_count,
                                  lh_admin_now_ms(minting->admin));
}

/* A tier that has grown since the key was made lets tokens live longer than its row says. */
static lh_status lengthen_life(struct minting *minting, struct lh_registry_txn *txn)
{
    const struct lh_wrapped_signing_key *signer = signer_of(minting);
    if (signer == NULL || signer->life_s >= minting->ttl_s) {
        return lh_ok();
    }
    struct lh_wrapped_signing_key key = *signer;
    if (key.until_ms != 0) {
        key.until_ms += (uint64_t)(minting->ttl_s - key.life_s) * MS_PER_S;
    }
    key.life_s = minting->ttl_s;
    return lh_registry_put_signing_key(txn, &minting->tenant->uid, &key);
}

static lh_status write_key(struct minting *minting)
{
    struct lh_admin *admin = minting->admin;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take_living(admin, txn, lh_tenant_id_view(&minting->tenant->id), &tenant));
    if (!lh_tenant_uid_is_equal(&tenant->uid, &minting->tenant->uid)) {
        return lh_admin_fail(admin, LH_CONFLICT, "the tenant was replaced meanwhile");
    }
    LH_TRY(lh_admin_settle_signing_keys(admin, txn, &tenant));
    bool is_first = tenant->signing_key_count == 0;
    if (is_first) {
        LH_TRY(lh_admin_add_signing_key(admin, txn, &tenant));
    }
    lh_tenant_unref(minting->tenant);
    minting->tenant = lh_tenant_ref(tenant);
    LH_TRY(lh_admin_check(admin, lengthen_life(minting, txn), "write the tenant's signing key"));
    LH_TRY(lh_admin_commit(admin, txn));
    lh_registry_end(&txn);
    if (is_first) {
        lh_admin_audit_signing_key(admin, tenant);
    }
    return lh_ok();
}

static lh_status need_key(struct minting *minting)
{
    const struct lh_wrapped_signing_key *signer = signer_of(minting);
    if (signer == NULL || signer->life_s < minting->ttl_s ||
        lh_admin_has_stale_signing_keys(minting->tenant, lh_admin_now_ms(minting->admin))) {
        LH_TRY(write_key(minting));
    }
    if (signer_of(minting) == NULL) {
        return lh_admin_fail(minting->admin, LH_KEY_DOWN,
                             "no signing key of the tenant is in use yet: is the clock right?");
    }
    return lh_ok();
}

/* --- Signing ---------------------------------------------------------------------------------- */

static lh_status draw_jti(struct minting *minting)
{
    uint8_t bytes[JTI_BYTES];
    LH_TRY(lh_random(minting->admin->parts.crypto, bytes, sizeof(bytes)));
    LH_TRY(lh_base64url_add(&minting->jti, LH_SLICE_OF(bytes)));
    minting->claims.jti = lh_buf_view(&minting->jti);
    return lh_ok();
}

static lh_status sign(struct minting *minting)
{
    const struct lh_admin_parts *parts = &minting->admin->parts;
    const struct lh_wrapped_signing_key *signer = signer_of(minting);
    const struct lh_issuer *own = &minting->tenant->issuers[0];
    struct lh_token_claims *claims = &minting->claims;
    LH_CLEANUP(drop_pair) struct lh_signing_key *pair = NULL;
    LH_TRY(draw_jti(minting));
    claims->iss = own->iss;
    claims->tenant = lh_tenant_id_view(&minting->tenant->id);
    claims->issued_s = lh_admin_now_ms(minting->admin) / MS_PER_S;
    claims->expires_s = claims->issued_s + minting->ttl_s;
    minting->kid = own->keys[signer - minting->tenant->signing_keys].kid;
    LH_TRY(lh_signing_key_open(parts->keys, parts->crypto, &minting->tenant->uid, signer, &pair));
    return lh_token_write(pair, minting->kid, claims, &minting->token);
}

/* Names the token, not its subject. */
static void audit_minted(const struct minting *minting, lh_slice type)
{
    const struct lh_admin_token_spec *spec = minting->spec;
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&minting->tenant->id)},
                                            {"kid", minting->kid},
                                            {"jti", minting->claims.jti},
                                            {"type", type},
                                            {"ref", spec->ref}};
    lh_admin_audit(minting->admin, LH_AUDIT_token_minted, fields, spec->ref.len > 0 ? 5 : 4);
}

static void hand_out(const struct minting *minting, lh_admin_token_fn each, void *context)
{
    const struct lh_token_claims *claims = &minting->claims;
    lh_slice type = minting->spec->is_service ? LH_SLICE_LITERAL(LH_TYP_SERVICE)
                                              : LH_SLICE_LITERAL(LH_TYP_ACCESS);
    audit_minted(minting, type);
    const struct lh_admin_token made = {
        .token = lh_buf_view(&minting->token),
        .iss = claims->iss,
        .kid = minting->kid,
        .jti = claims->jti,
        .type = type,
        .audiences = {claims->audiences.items, claims->audiences.count},
        .expires_ms = claims->expires_s * MS_PER_S,
    };
    each(context, &made);
}

lh_status lh_admin_token_mint(struct lh_admin *admin, const struct lh_admin_token_spec *spec,
                              lh_admin_token_fn each, void *context)
{
    lh_admin_enter(admin);
    LH_CLEANUP(minting_fini)
    struct minting minting = {
        .admin = admin, .spec = spec, .token = lh_buf_bounded(LH_JWS_MAX_BYTES)};
    LH_TRY(lh_admin_find(admin, spec->tenant, &minting.tenant));
    if (minting.tenant->state != LH_TENANT_ACTIVE) {
        return lh_admin_fail(admin, LH_DISABLED, "tenant \"%.*s\" is not active",
                             LH_SLICE_ARG(lh_tenant_id_view(&minting.tenant->id)));
    }
    LH_TRY(fill_texts(&minting));
    LH_TRY(fill_epochs(&minting));
    LH_TRY(decide_ttl(&minting));
    LH_TRY(need_key(&minting));
    LH_TRY(lh_admin_check(admin, sign(&minting), "sign the token"));
    if (spec->ref.len > 0) {
        LH_TRY(lh_admin_give_token(admin, spec, minting.claims.jti));
    }
    hand_out(&minting, each, context);
    return lh_ok();
}
