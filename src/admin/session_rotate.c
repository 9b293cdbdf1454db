/*
 * A new credential for a live session: a new secret under the same lease, or, where its roles or
 * scopes change, a new lease and the end of the old one in the same step.
 *
 * Order: the counter moves before the store is written and after the registry is; the registry is
 * written last, for a generation that it demands must be there. If it cannot be, nobody is given
 * what was made, and the act says so.
 */
#include "admin/session_access.h"

#include "base/banned.h"

/* One rotation under way. */
struct rotation {
    struct lh_admin *admin;
    const struct lh_admin_rotation *wish;
    struct lh_session_key key;
    struct lh_loaded_session loaded;
    struct lh_tenant *tenant; /* as of the transaction */
    struct lh_registry_txn *txn;
    struct lh_buf principal; /* opened */
    struct lh_buf state;
    struct lh_handle handle; /* what was made */
    struct lh_session_header header;
    struct lh_store_evicted evicted;
};

static void fini_rotation(struct rotation *rotation)
{
    lh_registry_end(&rotation->txn);
    lh_tenant_fini(&rotation->tenant);
    lh_loaded_session_fini(&rotation->loaded);
    lh_buf_fini(&rotation->principal);
    lh_buf_fini(&rotation->state);
    lh_handle_fini(&rotation->handle);
}

/* --- What is there ---------------------------------------------------------------------------- */

/* Loads the session. */
static lh_status find(struct rotation *rotation)
{
    struct lh_admin *admin = rotation->admin;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_find_active(admin, rotation->wish->tenant, &tenant));
    LH_TRY(lh_admin_parse_ref(admin, tenant, rotation->wish->ref, &rotation->key));
    struct lh_op op = lh_admin_op(admin);
    return lh_admin_explain(
        admin, lh_vault_inspect(admin->parts.vault, &op, &rotation->key, &rotation->loaded),
        "rotate the session");
}

/*
 * What was read is judged by what the registry says while nobody else can write to it: a record put
 * back since another's rotation would become the newest otherwise.
 */
static lh_status judge(struct rotation *rotation)
{
    struct lh_admin *admin = rotation->admin;
    const struct lh_session_header *header = &rotation->loaded.header;
    struct lh_session_facts facts;
    LH_TRY(lh_admin_check(admin, lh_admin_read_facts(admin, rotation->tenant, header, &facts),
                          "read what the registry knows of the session"));
    return lh_admin_explain(admin, lh_session_judge(header, &facts), "rotate the session");
}

static lh_status begin(struct rotation *rotation)
{
    struct lh_admin *admin = rotation->admin;
    LH_TRY(lh_admin_begin(admin, &rotation->txn));
    LH_TRY(lh_admin_take_living(admin, rotation->txn, rotation->wish->tenant, &rotation->tenant));
    if (!lh_tenant_uid_is_equal(&rotation->tenant->uid, &rotation->key.uid)) {
        return lh_admin_fail(admin, LH_CONFLICT, "the tenant was renamed meanwhile; try again");
    }
    LH_TRY(judge(rotation));
    return lh_admin_check(admin, lh_registry_mark(rotation->txn, rotation->tenant->slot),
                          "tell the workers");
}

/* --- The same lease --------------------------------------------------------------------------- */

static lh_status rotate_waiting(struct rotation *rotation)
{
    struct lh_admin *admin = rotation->admin;
    struct lh_op op = lh_admin_op(admin);
    for (;;) {
        lh_status status = lh_vault_rotate(admin->parts.vault, &op, rotation->tenant,
                                           &rotation->loaded, &rotation->handle, &rotation->header);
        if (status.code != LH_PENDING) {
            return status;
        }
        LH_TRY(lh_admin_wait(admin, &op));
    }
}

/* --- A new one -------------------------------------------------------------------------------- */

static lh_status open_part(struct rotation *rotation, struct lh_op *op,
                           struct lh_principal *principal)
{
    struct lh_vault *vault = rotation->admin->parts.vault;
    LH_TRY(lh_vault_open(vault, op, rotation->tenant, &rotation->loaded, &rotation->principal,
                         principal));
    lh_buf_clear(&rotation->state);
    return rotation->loaded.header.has_state
               ? lh_vault_open_state(vault, op, rotation->tenant, &rotation->loaded,
                                     &rotation->state)
               : lh_ok();
}

static lh_status open_waiting(struct rotation *rotation, struct lh_principal *principal)
{
    struct lh_op op = lh_admin_op(rotation->admin);
    for (;;) {
        lh_status status = open_part(rotation, &op, principal);
        if (status.code != LH_PENDING) {
            return status;
        }
        LH_TRY(lh_admin_wait(rotation->admin, &op));
    }
}

static lh_status change_rights(struct rotation *rotation)
{
    struct lh_admin *admin = rotation->admin;
    const struct lh_admin_rotation *wish = rotation->wish;
    struct lh_session_spec spec = {.replaces = &rotation->loaded,
                                   .keeps_end = true,
                                   .idle_s = rotation->loaded.header.idle_s,
                                   .user_epoch = rotation->loaded.header.user_epoch};
    LH_TRY(open_waiting(rotation, &spec.principal));
    spec.state = lh_buf_view(&rotation->state);
    if (wish->has_roles) {
        LH_TRY(lh_admin_fill_list(admin, &wish->roles, "roles", &spec.principal.roles));
    }
    if (wish->has_scopes) {
        LH_TRY(lh_admin_fill_list(admin, &wish->scopes, "scopes", &spec.principal.scopes));
    }
    return lh_admin_make_session(admin, rotation->tenant, &spec, &rotation->handle,
                                 &rotation->header, &rotation->evicted);
}

/* --- The act ---------------------------------------------------------------------------------- */

/*
 * The store is synced before the registry demands what lies there: a power loss in between would
 * leave a demand that no record meets, and the session's user signed out.
 */
static lh_status write_registry(struct rotation *rotation, bool is_new_lease)
{
    const struct lh_revocation revocation = {.is_revoked = is_new_lease,
                                             .least_generation =
                                                 is_new_lease ? 0 : rotation->header.generation};
    LH_TRY(lh_store_sync(rotation->admin->parts.store));
    uint64_t keep_until_ms = rotation->loaded.header.absolute_end_ms + LH_TOMBSTONE_MARGIN_MS;
    LH_TRY(lh_registry_put_revocation(rotation->txn, &rotation->key.uid, &rotation->key.lease,
                                      &revocation, keep_until_ms));
    return lh_registry_commit(rotation->txn);
}

/* Errors: as the registry's and the store's, told as what they mean here. */
static lh_status finish(struct rotation *rotation, bool is_new_lease)
{
    struct lh_admin *admin = rotation->admin;
    lh_status written = write_registry(rotation, is_new_lease);
    lh_registry_end(&rotation->txn); /* the counter moves, whatever came of it */
    if (!lh_is_ok(written)) {
        return lh_admin_fail(admin, written.code,
                             "the session has a new credential that nobody was given, for the "
                             "registry or the disk failed (%s); its user must sign in again",
                             lh_status_text(written));
    }
    if (is_new_lease) {
        lh_admin_audit_session(admin, LH_AUDIT_session_revoked, rotation->tenant,
                               rotation->key.bucket, &rotation->key.lease);
        lh_admin_audit_session(admin, LH_AUDIT_session_created, rotation->tenant,
                               rotation->header.bucket, &rotation->header.lease);
    } else {
        lh_admin_audit_session(admin, LH_AUDIT_session_rotated, rotation->tenant,
                               rotation->key.bucket, &rotation->key.lease);
    }
    return lh_admin_announce_evicted(admin, rotation->tenant, &rotation->evicted);
}

lh_status lh_admin_session_rotate(struct lh_admin *admin, const struct lh_admin_rotation *wish,
                                  lh_admin_credential_fn each, void *context)
{
    lh_admin_enter(admin);
    LH_TRY(lh_admin_need_store(admin));
    LH_CLEANUP(fini_rotation)
    struct rotation rotation = {.admin = admin,
                                .wish = wish,
                                .loaded = LH_LOADED_SESSION_EMPTY,
                                .principal = lh_buf_bounded(LH_PRINCIPAL_MAX_BYTES),
                                .state = lh_buf_bounded(LH_STORE_RECORD_MAX_BYTES)};
    bool is_new_lease = wish->has_roles || wish->has_scopes;
    LH_TRY(find(&rotation));
    LH_TRY(begin(&rotation));
    LH_TRY(lh_admin_explain(admin,
                            is_new_lease ? change_rights(&rotation) : rotate_waiting(&rotation),
                            "rotate the session"));
    LH_TRY(finish(&rotation, is_new_lease));
    return lh_admin_hand_out(admin, rotation.tenant, &rotation.handle, &rotation.header, each,
                             context);
}
