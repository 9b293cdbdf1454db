/*
 * Keys of request signatures: read into snapshots, and written under the tenant's change counter,
 * so that one that is removed stops on every worker at once.
 */
#include "registry/registry_env.h"

#include "registry/signature_codec.h"

#include "base/banned.h"

/* --- Loading ---------------------------------------------------------------------------------- */

/* Memory for all of them is taken with the first: most tenants have none. */
static lh_status make_room(struct lh_tenant *tenant)
{
    void *memory;
    if (tenant->signature_keys != NULL) {
        return lh_ok();
    }
    LH_TRY(lh_arena_take(&tenant->arena, LH_SIGNATURE_KEYS_MAX * sizeof(struct lh_signature_key),
                         &memory));
    tenant->signature_keys = memory;
    return lh_ok();
}

static lh_status read_key(struct lh_tenant *tenant, const struct lh_registry_walk *walk)
{
    LH_TRY(make_room(tenant));
    LH_ENSURE(tenant->signature_key_count < LH_SIGNATURE_KEYS_MAX, LH_MALFORMED);
    lh_slice key_id = lh_slice_cut(walk->key, LH_TENANT_UID_BYTES, walk->key.len);
    LH_TRY(lh_signature_row_read(key_id, walk->row, &tenant->arena,
                                 &tenant->signature_keys[tenant->signature_key_count]));
    tenant->signature_key_count++;
    return lh_ok();
}

lh_status lh_registry_load_signature_keys(const struct lh_registry_view *view,
                                          struct lh_tenant *tenant)
{
    if (view->registry->tables[LH_TABLE_SIGNATURES] == LH_TABLE_NOT_THERE) {
        return lh_ok();
    }
    lh_slice uid = lh_tenant_uid_view(&tenant->uid);
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(view, LH_TABLE_SIGNATURES, uid, &walk));
    lh_status status = lh_registry_walk_next(&walk);
    while (lh_is_ok(status) && lh_slice_has_prefix(walk.key, uid)) {
        LH_TRY(lh_registry_row_status(view, LH_TABLE_SIGNATURES, read_key(tenant, &walk)));
        status = lh_registry_walk_next(&walk);
    }
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    return lh_ok();
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Whether one more key of the tenant would be one too many; one that is replaced is none more. */
static lh_status check_count(const struct lh_registry_view *view, const struct lh_tenant_uid *uid,
                             const struct lh_signature_row_key *key)
{
    size_t count = 0;
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(view, LH_TABLE_SIGNATURES, lh_tenant_uid_view(uid), &walk));
    lh_status status = lh_registry_walk_next(&walk);
    while (lh_is_ok(status) && lh_slice_has_prefix(walk.key, lh_tenant_uid_view(uid))) {
        bool is_replaced = lh_slice_is_equal(walk.key, lh_signature_row_key_view(key));
        count += is_replaced ? 0U : 1U;
        status = lh_registry_walk_next(&walk);
    }
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    LH_ENSURE(count < LH_SIGNATURE_KEYS_MAX, LH_LIMITED);
    return lh_ok();
}

lh_status lh_registry_put_signature_key(struct lh_registry_txn *txn,
                                        const struct lh_tenant_uid *uid,
                                        const struct lh_signature_key *key)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    struct lh_signature_row_key row_key;
    uint32_t slot;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = lh_buf_bounded(LH_SIGNATURE_ROW_MAX_BYTES);
    LH_TRY(lh_registry_view_slot(&view, uid, &slot));
    LH_TRY(lh_signature_row_key_init(uid, key->key_id, &row_key));
    LH_TRY(lh_signature_row_write(key, &row));
    LH_TRY(check_count(&view, uid, &row_key));
    LH_TRY(lh_registry_mark(txn, slot));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_SIGNATURES, lh_signature_row_key_view(&row_key),
                               lh_buf_view(&row)));
    return lh_registry_space_check(txn);
}

lh_status lh_registry_drop_signature_key(struct lh_registry_txn *txn,
                                         const struct lh_tenant_uid *uid, lh_slice key_id)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    struct lh_signature_row_key key;
    lh_slice row;
    LH_ENSURE(lh_is_ok(lh_signature_row_key_init(uid, key_id, &key)), LH_ABSENT);
    LH_TRY(lh_registry_get_row(&view, LH_TABLE_SIGNATURES, lh_signature_row_key_view(&key), &row));
    LH_TRY(lh_registry_mark_tenant(txn, uid));
    return lh_registry_delete_row(txn, LH_TABLE_SIGNATURES, lh_signature_row_key_view(&key));
}
