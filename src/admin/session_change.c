/*
 * The frame of a change: what comes before the store is written, and what comes after.
 */
#include "admin/session_change.h"

#include "base/banned.h"

void lh_admin_change_fini(struct lh_admin_session_change *change)
{
    lh_registry_end(&change->txn);
    lh_tenant_fini(&change->tenant);
    lh_loaded_session_fini(&change->loaded);
}

/* Loads the session. */
static lh_status find(struct lh_admin_session_change *change)
{
    struct lh_admin *admin = change->admin;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_find_active(admin, change->tenant_id, &tenant));
    LH_TRY(lh_admin_parse_ref(admin, tenant, change->ref, &change->key));
    struct lh_op op = lh_admin_op(admin);
    lh_status status = lh_vault_inspect(admin->parts.vault, &op, &change->key, &change->loaded);
    return lh_admin_explain(admin, status, change->what);
}

/*
 * What was read is judged by what the registry says while nobody else can write to it: a record put
 * back since another's change would become the newest otherwise.
 */
static lh_status judge(struct lh_admin_session_change *change)
{
    struct lh_admin *admin = change->admin;
    const struct lh_session_header *header = &change->loaded.header;
    struct lh_session_facts facts;
    LH_TRY(lh_admin_check(admin, lh_admin_read_facts(admin, change->tenant, header, &facts),
                          "read what the registry knows of the session"));
    return lh_admin_explain(admin, lh_session_judge(header, &facts), change->what);
}

lh_status lh_admin_change_begin(struct lh_admin_session_change *change)
{
    struct lh_admin *admin = change->admin;
    LH_TRY(find(change));
    LH_TRY(lh_admin_begin(admin, &change->txn));
    LH_TRY(lh_admin_take_living(admin, change->txn, change->tenant_id, &change->tenant));
    if (!lh_tenant_uid_is_equal(&change->tenant->uid, &change->key.uid)) {
        return lh_admin_fail(admin, LH_CONFLICT, "the tenant was renamed meanwhile; try again");
    }
    LH_TRY(judge(change));
    return lh_admin_check(admin, lh_registry_mark(change->txn, change->tenant->slot),
                          "tell the workers");
}

/*
 * The store is synced before the registry demands what lies there: a power loss in between would
 * leave a demand that no record meets, and the session's user signed out.
 */
static lh_status write_demand(struct lh_admin_session_change *change,
                              const struct lh_revocation *demand)
{
    LH_TRY(lh_store_sync(change->admin->parts.store));
    uint64_t keep_until_ms = change->loaded.header.absolute_end_ms + LH_TOMBSTONE_MARGIN_MS;
    LH_TRY(lh_registry_put_revocation(change->txn, &change->key.uid, &change->key.lease, demand,
                                      keep_until_ms));
    return lh_registry_commit(change->txn);
}

lh_status lh_admin_change_commit(struct lh_admin_session_change *change,
                                 const struct lh_revocation *demand)
{
    lh_status status = write_demand(change, demand);
    lh_registry_end(&change->txn);
    return status;
}
