/*
 * Writing tenants, names, wrapped keys and tiers. Every write marks what must be forgotten, so
 * that no caller can leave it out.
 */
#include "registry/registry_env.h"

#include "registry/row_codec.h"
#include "registry/tenant_codec.h"

#include "base/banned.h"

/* --- Tenants ---------------------------------------------------------------------------------- */

lh_status lh_registry_get_tenant(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                                 struct lh_tenant **out_tenant)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    return lh_registry_load_tenant(&view, uid, out_tenant);
}

lh_status lh_registry_find_uid(struct lh_registry_txn *txn, const struct lh_tenant_id *name,
                               struct lh_tenant_uid *out_uid)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    return lh_registry_view_uid(&view, LH_NAME_TENANT, lh_tenant_id_view(name), out_uid);
}

static lh_status take_slot(struct lh_registry_txn *txn, uint32_t *out_slot)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    uint64_t slot;
    LH_TRY(lh_registry_get_number(&view, LH_META_NEXT_SLOT, &slot));
    LH_ENSURE(slot < LH_COUNTER_SLOTS, LH_NO_SPACE);
    LH_TRY(lh_registry_put_number(txn, LH_META_NEXT_SLOT, slot + 1));
    *out_slot = (uint32_t)slot;
    return lh_ok();
}

/* Reads what is stored of the tenant to be put, with the texts of its row left out. */
static lh_status get_stored(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                            struct lh_tenant **out_tenant)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    lh_slice row;
    LH_TRY(lh_registry_get_row(&view, LH_TABLE_TENANTS, lh_tenant_uid_view(uid), &row));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *stored = NULL;
    LH_TRY(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &stored));
    LH_TRY(lh_registry_row_status(&view, LH_TABLE_TENANTS, lh_tenant_row_read(row, stored)));
    *out_tenant = stored;
    stored = NULL;
    return lh_ok();
}

/* A slot is given once and stays; an epoch never falls, whatever the caller's copy says. */
static lh_status settle_slot_and_epoch(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *stored = NULL;
    lh_status status = get_stored(txn, &tenant->uid, &stored);
    if (status.code == LH_ABSENT) {
        LH_ENSURE(tenant->slot == 0, LH_INVALID);
        return take_slot(txn, &tenant->slot);
    }
    LH_TRY(status);
    LH_ENSURE(tenant->slot != 0, LH_EXISTS);
    LH_ENSURE(tenant->slot == stored->slot, LH_INVALID);
    tenant->epoch = tenant->epoch < stored->epoch ? stored->epoch : tenant->epoch;
    return lh_ok();
}

static lh_status write_tenant_row(struct lh_registry_txn *txn, const struct lh_tenant *tenant)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = lh_buf_bounded(LH_TENANT_ROW_MAX_BYTES);
    LH_TRY(lh_tenant_row_write(tenant, &row));
    return lh_registry_put_row(txn, LH_TABLE_TENANTS, lh_tenant_uid_view(&tenant->uid),
                               lh_buf_view(&row));
}

lh_status lh_registry_put_tenant(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    struct lh_tier tier;
    LH_TRY(lh_registry_view_tier(&view, lh_tier_name(&tenant->tier), &tier));
    LH_TRY(settle_slot_and_epoch(txn, tenant));
    LH_TRY(lh_registry_mark(txn, tenant->slot));
    LH_TRY(write_tenant_row(txn, tenant));
    /* Stopping a tenant takes rights away. */
    return tenant->state == LH_TENANT_ACTIVE ? lh_registry_space_check(txn) : lh_ok();
}

/* --- Names ------------------------------------------------------------------------------------ */

static lh_status get_name(struct lh_registry_txn *txn, const struct lh_name_key *key,
                          struct lh_name_row *out_name)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    lh_slice row;
    LH_TRY(lh_registry_get_row(&view, LH_TABLE_NAMES, lh_name_key_view(key), &row));
    return lh_registry_row_status(&view, LH_TABLE_NAMES, lh_name_row_read(row, out_name));
}

/* Names hang on the platform's slot: negative answers know no tenant. */
static lh_status put_name(struct lh_registry_txn *txn, const struct lh_name_key *key,
                          const struct lh_name_row *name)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    LH_TRY(lh_registry_mark(txn, LH_COUNTER_PLATFORM_SLOT));
    LH_TRY(lh_name_row_write(name, &row));
    return lh_registry_put_row(txn, LH_TABLE_NAMES, lh_name_key_view(key), lh_buf_view(&row));
}

/* Whether a name that is known may go to uid. */
static lh_status check_claim(const struct lh_name_row *name, const struct lh_tenant_uid *uid,
                             uint64_t now_ms, bool may_reclaim)
{
    if (lh_tenant_uid_is_equal(&name->uid, uid)) {
        return lh_ok();
    }
    LH_ENSURE(name->is_reserved, LH_EXISTS);
    LH_ENSURE(may_reclaim || name->reserved_until_ms <= now_ms, LH_RESERVED);
    return lh_ok();
}

lh_status lh_registry_claim_name(struct lh_registry_txn *txn, enum lh_name_kind kind, lh_slice name,
                                 const struct lh_tenant_uid *uid, uint64_t now_ms, bool may_reclaim)
{
    struct lh_name_key key;
    struct lh_name_row known;
    LH_TRY(lh_name_key_init(kind, name, &key));
    lh_status status = get_name(txn, &key, &known);
    if (lh_is_ok(status)) {
        status = check_claim(&known, uid, now_ms, may_reclaim);
    }
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    const struct lh_name_row claimed = {.uid = *uid};
    LH_TRY(put_name(txn, &key, &claimed));
    return lh_registry_space_check(txn);
}

lh_status lh_registry_release_name(struct lh_registry_txn *txn, enum lh_name_kind kind,
                                   lh_slice name, uint64_t reserved_until_ms)
{
    struct lh_name_key key;
    struct lh_name_row known;
    LH_ENSURE(lh_is_ok(lh_name_key_init(kind, name, &key)), LH_ABSENT);
    LH_TRY(get_name(txn, &key, &known));
    if (!known.is_reserved || known.reserved_until_ms < reserved_until_ms) {
        known.reserved_until_ms = reserved_until_ms;
    }
    known.is_reserved = true;
    return put_name(txn, &key, &known);
}

/* --- Wrapped keys and tiers ------------------------------------------------------------------- */

lh_status lh_registry_put_dek(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                              const struct lh_wrapped_dek *dek)
{
    LH_ENSURE(dek->id > 0, LH_INVALID);
    uint8_t key[LH_DEK_KEY_BYTES];
    lh_dek_key_write(uid, dek->id, key);
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    LH_TRY(lh_dek_row_write(dek, &row));
    LH_TRY(lh_registry_mark_tenant(txn, uid));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_DEKS, LH_SLICE_OF(key), lh_buf_view(&row)));
    return dek->state == LH_DEK_DESTROYED ? lh_ok() : lh_registry_space_check(txn);
}

lh_status lh_registry_get_tier(struct lh_registry_txn *txn, lh_slice name, struct lh_tier *out_tier)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    return lh_registry_view_tier(&view, name, out_tier);
}

lh_status lh_registry_put_tier(struct lh_registry_txn *txn, const struct lh_tier *tier)
{
    LH_TRY(lh_tier_check(tier));
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    LH_TRY(lh_tier_row_write(tier, &row));
    LH_TRY(lh_registry_mark(txn, LH_COUNTER_PLATFORM_SLOT));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_TIERS, lh_tier_name(tier), lh_buf_view(&row)));
    return lh_registry_space_check(txn);
}
