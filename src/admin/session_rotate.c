/*
 * A new credential for a live session: a new secret under the same lease, or, where its roles or
 * scopes change, a new lease and the end of the old one in the same step. If the registry cannot be
 * written at the end, nobody is given what was made, and the act says so.
 */
#include "admin/session_change.h"

#include "base/banned.h"

/* One rotation under way. */
struct rotation {
    struct lh_admin *admin;
    const struct lh_admin_rotation *wish;
    struct lh_admin_session_change change;
    struct lh_buf principal; /* opened */
    struct lh_buf state;
    struct lh_handle handle; /* what was made */
    struct lh_session_header header;
    struct lh_store_evicted evicted;
};

static void fini_rotation(struct rotation *rotation)
{
    lh_admin_change_fini(&rotation->change);
    lh_buf_fini(&rotation->principal);
    lh_buf_fini(&rotation->state);
    lh_handle_fini(&rotation->handle);
}

/* --- The same lease --------------------------------------------------------------------------- */

static lh_status rotate_waiting(struct rotation *rotation)
{
    struct lh_admin *admin = rotation->admin;
    struct lh_op op = lh_admin_op(admin);
    for (;;) {
        lh_status status =
            lh_vault_rotate(admin->parts.vault, &op, rotation->change.tenant,
                            &rotation->change.loaded, &rotation->handle, &rotation->header);
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
    LH_TRY(lh_vault_open(vault, op, rotation->change.tenant, &rotation->change.loaded,
                         &rotation->principal, principal));
    lh_buf_clear(&rotation->state);
    return rotation->change.loaded.header.has_state
               ? lh_vault_open_state(vault, op, rotation->change.tenant, &rotation->change.loaded,
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
    struct lh_session_spec spec = {.replaces = &rotation->change.loaded,
                                   .keeps_end = true,
                                   .idle_s = rotation->change.loaded.header.idle_s,
                                   .user_epoch = rotation->change.loaded.header.user_epoch};
    LH_TRY(open_waiting(rotation, &spec.principal));
    spec.state = lh_buf_view(&rotation->state);
    if (wish->has_roles) {
        LH_TRY(lh_admin_fill_list(admin, &wish->roles, "roles", &spec.principal.roles));
    }
    if (wish->has_scopes) {
        LH_TRY(lh_admin_fill_list(admin, &wish->scopes, "scopes", &spec.principal.scopes));
    }
    return lh_admin_make_session(admin, rotation->change.tenant, &spec, &rotation->handle,
                                 &rotation->header, &rotation->evicted);
}

/* --- The act ---------------------------------------------------------------------------------- */

/* Errors: as the registry's and the store's, told as what they mean here. */
static lh_status finish(struct rotation *rotation, bool is_new_lease)
{
    struct lh_admin *admin = rotation->admin;
    const struct lh_revocation demand = {.is_revoked = is_new_lease,
                                         .least_generation =
                                             is_new_lease ? 0 : rotation->header.generation};
    lh_status written = lh_admin_change_commit(&rotation->change, &demand);
    if (!lh_is_ok(written)) {
        return lh_admin_fail(admin, written.code,
                             "the session has a new credential that nobody was given, for the "
                             "registry or the disk failed (%s); its user must sign in again",
                             lh_status_text(written));
    }
    if (is_new_lease) {
        lh_admin_audit_session(admin, LH_AUDIT_session_revoked, rotation->change.tenant,
                               rotation->change.key.bucket, &rotation->change.key.lease);
        lh_admin_audit_session(admin, LH_AUDIT_session_created, rotation->change.tenant,
                               rotation->header.bucket, &rotation->header.lease);
    } else {
        lh_admin_audit_session(admin, LH_AUDIT_session_rotated, rotation->change.tenant,
                               rotation->change.key.bucket, &rotation->change.key.lease);
    }
    return lh_admin_announce_evicted(admin, rotation->change.tenant, &rotation->evicted);
}

lh_status lh_admin_session_rotate(struct lh_admin *admin, const struct lh_admin_rotation *wish,
                                  lh_admin_credential_fn each, void *context)
{
    lh_admin_enter(admin);
    LH_TRY(lh_admin_need_store(admin));
    LH_CLEANUP(fini_rotation)
    struct rotation rotation = {.admin = admin,
                                .wish = wish,
                                .change = {.admin = admin,
                                           .tenant_id = wish->tenant,
                                           .ref = wish->ref,
                                           .what = "rotate the session"},
                                .principal = lh_buf_bounded(LH_PRINCIPAL_MAX_BYTES),
                                .state = lh_buf_bounded(LH_STORE_RECORD_MAX_BYTES)};
    bool is_new_lease = wish->has_roles || wish->has_scopes;
    LH_TRY(lh_admin_change_begin(&rotation.change));
    LH_TRY(lh_admin_explain(admin,
                            is_new_lease ? change_rights(&rotation) : rotate_waiting(&rotation),
                            "rotate the session"));
    LH_TRY(finish(&rotation, is_new_lease));
    return lh_admin_hand_out(admin, rotation.change.tenant, &rotation.handle, &rotation.header,
                             each, context);
}
