/*
 * Making a tenant's uid, keys and record. Its KEK is a file and cannot be part of the registry's
 * transaction: it is made just before the commit and removed if that fails. A process killed
 * between the two leaves a key file of a uid that nobody has: harmless, for uids are random and
 * never reused.
 */
#include "admin/admin.h"

#include "crypto/crypto.h"
#include "keys/keys.h"

#include "base/banned.h"

#define FIRST_DEK_ID    1U
#define INITIAL_BUCKETS 1U

/* Random uid, bucket key and index key: they never change, for places and tags come from them. */
static lh_status draw_identity(struct lh_crypto *crypto, struct lh_tenant *tenant)
{
    LH_TRY(lh_random(crypto, tenant->uid.bytes, sizeof(tenant->uid.bytes)));
    LH_TRY(lh_random(crypto, tenant->bucket_key.bytes, sizeof(tenant->bucket_key.bytes)));
    return lh_random(crypto, tenant->index_key.bytes, sizeof(tenant->index_key.bytes));
}

static lh_status fill_tenant(struct lh_admin *admin, lh_slice tier, struct lh_tenant *tenant)
{
    uint64_t now_ms = lh_admin_now_ms(admin);
    tenant->state = LH_TENANT_ACTIVE;
    tenant->epoch = now_ms;
    tenant->created_ms = now_ms;
    tenant->bucket_counts[0] = INITIAL_BUCKETS;
    tenant->bucket_counts_len = 1;
    tenant->active_dek = FIRST_DEK_ID;
    if (tier.len == 0 || tier.len > LH_TIER_NAME_MAX_BYTES) {
        return lh_admin_fail(admin, LH_ABSENT, "that is no tier");
    }
    memcpy(tenant->tier.name, tier.ptr, tier.len);
    tenant->tier.name_len = (uint8_t)tier.len;
    return draw_identity(admin->parts.crypto, tenant);
}

lh_status lh_admin_founding_begin(struct lh_admin *admin, lh_slice id, lh_slice tier,
                                  struct lh_admin_founding *out_founding)
{
    struct lh_tenant_id parsed;
    LH_TRY(lh_admin_parse_id(admin, id, &parsed));
    LH_CLEANUP(lh_admin_founding_fini) struct lh_admin_founding founding = {.admin = admin};
    LH_TRY(lh_tenant_new(LH_ADMIN_TENANT_BYTES, &founding.tenant));
    founding.tenant->id = parsed;
    LH_TRY(lh_admin_check(admin, fill_tenant(admin, tier, founding.tenant), "make the tenant"));
    *out_founding = founding;
    founding = (struct lh_admin_founding){.admin = admin};
    return lh_ok();
}

void lh_admin_founding_fini(struct lh_admin_founding *founding)
{
    if (founding->has_keys && !founding->is_done) {
        lh_status status =
            lh_keys_destroy_tenant(founding->admin->parts.keys, &founding->tenant->uid);
        (void)status; /* what cannot be removed is harmless, see above */
    }
    lh_tenant_unref(founding->tenant);
    founding->tenant = NULL;
}

static lh_status write_first_dek(struct lh_admin *admin, struct lh_registry_txn *txn,
                                 const struct lh_tenant *tenant)
{
    const struct lh_wrap_scope scope = {
        .purpose = LH_WRAP_DEK, .uid = tenant->uid, .key_id = FIRST_DEK_ID};
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = lh_buf_bounded(LH_WRAPPED_MAX_BYTES);
    LH_TRY(lh_keys_generate(admin->parts.keys, admin->parts.crypto, &scope, &blob));
    const struct lh_wrapped_dek dek = {.id = FIRST_DEK_ID,
                                       .state = LH_DEK_ACTIVE,
                                       .created_ms = tenant->created_ms,
                                       .blob = lh_buf_view(&blob)};
    return lh_registry_put_dek(txn, &tenant->uid, &dek);
}

static lh_status check_tier(struct lh_admin *admin, struct lh_registry_txn *txn,
                            struct lh_tenant *tenant)
{
    lh_status status = lh_registry_get_tier(txn, lh_tier_name(&tenant->tier), &tenant->tier);
    if (status.code == LH_ABSENT) {
        return lh_admin_fail_tier(admin, lh_tier_name(&tenant->tier));
    }
    return lh_admin_check(admin, status, "read the tier");
}

lh_status lh_admin_founding_write(struct lh_admin_founding *founding, struct lh_registry_txn *txn,
                                  bool may_reclaim)
{
    struct lh_admin *admin = founding->admin;
    struct lh_tenant *tenant = founding->tenant;
    LH_TRY(check_tier(admin, txn, tenant));
    const struct lh_admin_claim claim = {LH_NAME_TENANT, lh_tenant_id_view(&tenant->id),
                                         may_reclaim};
    LH_TRY(lh_admin_claim_name(admin, txn, &claim, &tenant->uid));
    return lh_admin_check(admin, lh_registry_put_tenant(txn, tenant), "write the tenant");
}

lh_status lh_admin_founding_write_keys(struct lh_admin_founding *founding,
                                       struct lh_registry_txn *txn)
{
    struct lh_admin *admin = founding->admin;
    LH_TRY(lh_admin_check(
        admin,
        lh_keys_create_tenant(admin->parts.keys, admin->parts.crypto, &founding->tenant->uid),
        "make the tenant's key"));
    founding->has_keys = true;
    return lh_admin_check(admin, write_first_dek(admin, txn, founding->tenant),
                          "write the tenant's key");
}
