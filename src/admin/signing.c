/*
 * Making, publishing and retiring the keys that sign a tenant's tokens. A tenant gets its first one
 * when its first token is minted: most tenants never need any.
 *
 * A public half is published before the commit that makes its key: whoever is killed in between
 * leaves one that verifies nothing; in the other order a key would be used that nobody can find.
 */
#include "admin/signing.h"

#include "keys/jwks_file.h"
#include "keys/signing_key_wrap.h"
#include "token/jwk.h"

#include "base/banned.h"

#define JWKS_MODE  0600U
#define MS_PER_S   UINT64_C(1000)
#define EMPTY_JWKS "{\"keys\":[]}\n"
/* Beyond the longest token: skew of whoever verifies, and clocks that differ. */
#define LINGER_MS (60U * MS_PER_S)

static lh_slice state_name(enum lh_signing_state state)
{
    switch (state) {
    case LH_SIGNING_PENDING:
        return LH_SLICE_LITERAL("pending");
    case LH_SIGNING_ACTIVE:
        return LH_SLICE_LITERAL("active");
    case LH_SIGNING_VERIFY_ONLY:
        return LH_SLICE_LITERAL("verify-only");
    case LH_SIGNING_OVER:
    default:
        return LH_SLICE_LITERAL("over");
    }
}

void lh_admin_describe_signing_key(const struct lh_tenant *tenant, size_t index, uint64_t now_ms,
                                   lh_admin_key_fn each, void *context)
{
    const struct lh_wrapped_signing_key *key = &tenant->signing_keys[index];
    char kid[LH_SIGNING_KID_MAX_BYTES];
    size_t kid_len = lh_signing_kid_write(&tenant->uid, key, kid);
    const struct lh_admin_key view = {
        .kind = LH_SLICE_LITERAL("signing"),
        .tenant = lh_tenant_id_view(&tenant->id),
        .id = lh_slice_of(kid, kid_len),
        .state = state_name(
            lh_signing_key_state(tenant->signing_keys, tenant->signing_key_count, index, now_ms)),
        .created_ms = key->created_ms,
        .from_ms = key->from_ms,
        .until_ms = key->until_ms,
    };
    each(context, &view);
}

void lh_admin_audit_signing_key(struct lh_admin *admin, const struct lh_tenant *tenant)
{
    const struct lh_wrapped_signing_key *key = &tenant->signing_keys[tenant->signing_key_count - 1];
    char kid[LH_SIGNING_KID_MAX_BYTES];
    size_t kid_len = lh_signing_kid_write(&tenant->uid, key, kid);
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&tenant->id)},
                                            {"kid", lh_slice_of(kid, kid_len)}};
    lh_admin_audit(admin, LH_AUDIT_signing_key_rotated, fields, 2);
}

/* --- Settling --------------------------------------------------------------------------------- */

static bool is_stale(const struct lh_tenant *tenant, size_t index, uint64_t now_ms)
{
    enum lh_signing_state state =
        lh_signing_key_state(tenant->signing_keys, tenant->signing_key_count, index, now_ms);
    return state == LH_SIGNING_OVER ||
           (state == LH_SIGNING_VERIFY_ONLY && tenant->signing_keys[index].blob.len > 0);
}

bool lh_admin_has_stale_signing_keys(const struct lh_tenant *tenant, uint64_t now_ms)
{
    for (size_t i = 0; i < tenant->signing_key_count; i++) {
        if (is_stale(tenant, i, now_ms)) {
            return true;
        }
    }
    return false;
}

static lh_status settle(struct lh_registry_txn *txn, const struct lh_tenant *tenant,
                        uint64_t now_ms)
{
    for (size_t i = 0; i < tenant->signing_key_count; i++) {
        struct lh_wrapped_signing_key key = tenant->signing_keys[i];
        if (!is_stale(tenant, i, now_ms)) {
            continue;
        }
        if (lh_signing_key_state(tenant->signing_keys, tenant->signing_key_count, i, now_ms) ==
            LH_SIGNING_OVER) {
            LH_TRY(lh_registry_drop_signing_key(txn, &tenant->uid, key.id));
        } else {
            key.blob = LH_SLICE_EMPTY;
            LH_TRY(lh_registry_put_signing_key(txn, &tenant->uid, &key));
        }
    }
    return lh_ok();
}

/* The tenant as the transaction has it by now, in the place of what was read before. */
static lh_status read_again(struct lh_registry_txn *txn, struct lh_tenant **tenant)
{
    struct lh_tenant *again = NULL;
    LH_TRY(lh_registry_get_tenant(txn, &(*tenant)->uid, &again));
    lh_tenant_unref(*tenant);
    *tenant = again;
    return lh_ok();
}

lh_status lh_admin_settle_signing_keys(struct lh_admin *admin, struct lh_registry_txn *txn,
                                       struct lh_tenant **tenant)
{
    LH_TRY(lh_admin_check(admin, settle(txn, *tenant, lh_admin_now_ms(admin)),
                          "retire the tenant's signing keys"));
    return lh_admin_check(admin, read_again(txn, tenant), "read the tenant");
}

/* --- Publishing ------------------------------------------------------------------------------- */

static lh_status publish(struct lh_admin *admin, const struct lh_tenant *tenant)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(LH_JWKS_MAX_BYTES);
    const struct lh_issuer *own = &tenant->issuers[0];
    LH_TRY(lh_jwks_write(own->keys, own->key_count, &text));
    LH_TRY(lh_buf_add_text(&text, "\n"));
    return lh_jwks_publish_tenant(admin->parts.public_path, &tenant->uid, lh_buf_view(&text),
                                  JWKS_MODE);
}

lh_status lh_admin_withdraw_signing_keys(struct lh_admin *admin, const struct lh_tenant *tenant)
{
    if (tenant->signing_key_count == 0) {
        return lh_ok();
    }
    lh_status status = lh_jwks_publish_tenant(admin->parts.public_path, &tenant->uid,
                                              LH_SLICE_LITERAL(EMPTY_JWKS), JWKS_MODE);
    if (!lh_is_ok(status)) {
        return lh_admin_fail(admin, status.code,
                             "the tenant is removed, but its published keys could not be "
                             "withdrawn: %s; remove its jwks.json",
                             lh_status_text(status));
    }
    return lh_ok();
}

/* --- Adding ----------------------------------------------------------------------------------- */

/* When the next key begins to sign. */
static uint64_t first_use(const struct lh_tenant *tenant, uint64_t now_ms)
{
    if (tenant->signing_key_count == 0) {
        return now_ms; /* nobody can have a set that lacks it */
    }
    uint64_t after_last = tenant->signing_keys[tenant->signing_key_count - 1].from_ms + 1;
    uint64_t after_lead = now_ms + LH_SIGNING_KEY_LEAD_MS;
    return after_last > after_lead ? after_last : after_lead;
}

/* The key that signs until now gets its end: when the last token that it can sign is over. */
static lh_status step_down(struct lh_registry_txn *txn, const struct lh_tenant *tenant,
                           uint64_t from_ms)
{
    if (tenant->signing_key_count == 0) {
        return lh_ok();
    }
    struct lh_wrapped_signing_key last = tenant->signing_keys[tenant->signing_key_count - 1];
    last.until_ms = from_ms + last.life_s * MS_PER_S + LINGER_MS;
    return lh_registry_put_signing_key(txn, &tenant->uid, &last);
}

static lh_status put_new(struct lh_admin *admin, struct lh_registry_txn *txn,
                         const struct lh_tenant *tenant)
{
    size_t count = tenant->signing_key_count;
    uint32_t id = count == 0 ? 1 : tenant->signing_keys[count - 1].id + 1;
    uint64_t now_ms = lh_admin_now_ms(admin);
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = lh_buf_bounded(LH_SIGNING_BLOB_MAX_BYTES);
    struct lh_wrapped_signing_key key;
    LH_TRY(
        lh_signing_key_draw(admin->parts.keys, admin->parts.crypto, &tenant->uid, id, &blob, &key));
    key.created_ms = now_ms;
    key.from_ms = first_use(tenant, now_ms);
    key.life_s = tenant->tier.absolute_s;
    LH_TRY(step_down(txn, tenant, key.from_ms));
    return lh_registry_put_signing_key(txn, &tenant->uid, &key);
}

lh_status lh_admin_add_signing_key(struct lh_admin *admin, struct lh_registry_txn *txn,
                                   struct lh_tenant **tenant)
{
    size_t count = (*tenant)->signing_key_count;
    if (count > 0 && (*tenant)->signing_keys[count - 1].from_ms > lh_admin_now_ms(admin)) {
        return lh_admin_fail(admin, LH_LIMITED,
                             "a new signing key of tenant \"%.*s\" waits already; it is used 10 "
                             "minutes after it was published",
                             LH_SLICE_ARG(lh_tenant_id_view(&(*tenant)->id)));
    }
    if (count >= LH_SIGNING_KEYS_MAX) {
        return lh_admin_fail(admin, LH_LIMITED,
                             "tenant \"%.*s\" has %u signing keys of which tokens may still be "
                             "valid; rotate again when the oldest is over",
                             LH_SLICE_ARG(lh_tenant_id_view(&(*tenant)->id)), LH_SIGNING_KEYS_MAX);
    }
    LH_TRY(lh_admin_check(admin, put_new(admin, txn, *tenant), "make the tenant's signing key"));
    LH_TRY(lh_admin_check(admin, read_again(txn, tenant), "read the tenant"));
    return lh_admin_check(admin, publish(admin, *tenant), "publish the tenant's signing keys");
}

lh_status lh_admin_key_rotate_signing(struct lh_admin *admin, lh_slice tenant_id,
                                      lh_admin_key_fn each, void *context)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take_living(admin, txn, tenant_id, &tenant));
    LH_TRY(lh_admin_settle_signing_keys(admin, txn, &tenant));
    LH_TRY(lh_admin_add_signing_key(admin, txn, &tenant));
    LH_TRY(lh_admin_commit(admin, txn));
    lh_registry_end(&txn);
    lh_admin_audit_signing_key(admin, tenant);
    lh_admin_describe_signing_key(tenant, tenant->signing_key_count - 1, lh_admin_now_ms(admin),
                                  each, context);
    return lh_ok();
}
