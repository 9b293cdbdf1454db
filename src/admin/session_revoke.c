/*
 * Ending sessions. The registry's commit is the point at which they are dead for good; tombstones
 * in the session store follow, so that a look-up finds the end without asking the registry. If
 * they cannot be written the act says so and the revocation stands.
 */
#include "admin/session_access.h"

#include "base/banned.h"

/* When the end of a session is not known, its revocation is kept as long as any could live. */
static uint64_t longest_end_ms(const struct lh_admin *admin)
{
    return lh_admin_now_ms(admin) + (uint64_t)LH_TIER_ABSOLUTE_MAX_S * 1000U;
}

/* Explains a failure after the commit. */
static lh_status check_tombstone(struct lh_admin *admin, lh_status status)
{
    if (lh_is_ok(status)) {
        return status;
    }
    char reason[LH_ADMIN_WHY_BYTES / 2];
    (void)snprintf(reason, sizeof(reason), "%.200s",
                   admin->why[0] != '\0' ? admin->why : lh_status_text(status));
    return lh_admin_fail(admin, status.code,
                         "revoked in the registry, and dead for every worker; but the session "
                         "store could not be told: %s",
                         reason);
}

/* --- One -------------------------------------------------------------------------------------- */

/* What is revoked. */
struct target {
    struct lh_session_key key;
    uint64_t end_ms;
    bool may_be_sealed; /* that the store does not have it proves nothing */
    bool is_in_store;
};

/*
 * When the session ends anyway. A session that cannot be read is revoked all the same.
 * Errors: ABSENT.
 */
static lh_status find_end(struct lh_admin *admin, struct target *target)
{
    target->end_ms = longest_end_ms(admin);
    target->is_in_store = true;
    if (admin->parts.vault == NULL) {
        return lh_ok();
    }
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    struct lh_op op = lh_admin_op(admin);
    lh_status status = lh_vault_inspect(admin->parts.vault, &op, &target->key, &loaded);
    if (status.code == LH_ABSENT && !target->may_be_sealed) {
        return lh_admin_fail(admin, LH_ABSENT,
                             "there is no such session of this tenant; a sealed one, which lies in "
                             "no store, ends with --sealed");
    }
    target->is_in_store = status.code != LH_ABSENT;
    if (lh_is_ok(status)) {
        target->end_ms = loaded.header.absolute_end_ms;
    }
    return lh_ok();
}

static lh_status put_tombstone(struct lh_admin *admin, const struct lh_session_key *key,
                               uint64_t end_ms)
{
    LH_TRY(lh_admin_need_store(admin));
    struct lh_op op = lh_admin_op(admin);
    return lh_vault_revoke(admin->parts.vault, &op, key, end_ms);
}

static void audit_revoked(struct lh_admin *admin, const struct lh_tenant *tenant,
                          const struct lh_session_key *key)
{
    struct lh_session_ref ref;
    lh_session_ref_write((uint16_t)key->bucket, &key->lease, &ref);
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&tenant->id)},
                                            {"ref", lh_slice_of(ref.text, ref.len)}};
    lh_admin_audit(admin, LH_AUDIT_session_revoked, fields, 2);
}

static lh_status revoke_target(struct lh_admin *admin, lh_slice tenant_id,
                               const struct target *target)
{
    const struct lh_session_key *key = &target->key;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take(admin, txn, tenant_id, &tenant));
    if (!lh_tenant_uid_is_equal(&tenant->uid, &key->uid)) {
        return lh_admin_fail(admin, LH_CONFLICT, "the tenant was renamed meanwhile; try again");
    }
    const struct lh_revocation revocation = {.is_revoked = true};
    LH_TRY(lh_admin_check(admin,
                          lh_registry_put_revocation(txn, &key->uid, &key->lease, &revocation,
                                                     target->end_ms + LH_TOMBSTONE_MARGIN_MS),
                          "write the revocation"));
    LH_TRY(lh_admin_commit(admin, txn));
    audit_revoked(admin, tenant, key); /* now, for it is done even if what follows fails */
    return target->is_in_store ? check_tombstone(admin, put_tombstone(admin, key, target->end_ms))
                               : lh_ok();
}

static lh_status revoke_one(struct lh_admin *admin, lh_slice tenant_id, lh_slice ref,
                            bool may_be_sealed)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_find(admin, tenant_id, &tenant));
    struct target target = {.may_be_sealed = may_be_sealed};
    LH_TRY(lh_admin_parse_ref(admin, tenant, ref, &target.key));
    LH_TRY(find_end(admin, &target));
    return revoke_target(admin, tenant_id, &target);
}

lh_status lh_admin_session_revoke(struct lh_admin *admin, lh_slice tenant_id, lh_slice ref)
{
    return revoke_one(admin, tenant_id, ref, false);
}

lh_status lh_admin_session_revoke_sealed(struct lh_admin *admin, lh_slice tenant_id, lh_slice ref)
{
    return revoke_one(admin, tenant_id, ref, true);
}

/* --- Of a user -------------------------------------------------------------------------------- */

static lh_status end_page(struct lh_admin *admin, const struct lh_tenant *tenant,
                          const struct lh_admin_page *page, void *context)
{
    (void)tenant;
    uint64_t *ended = context;
    for (size_t i = 0; i < page->count; i++) {
        LH_TRY(put_tombstone(admin, &page->keys[i], page->absolute_end_ms[i]));
        *ended += 1;
    }
    return lh_ok();
}

/* The user's tag, not his name: who he is stays inside the seal. */
static void audit_user(struct lh_admin *admin, const struct lh_tenant *tenant,
                       const struct lh_user_tag *tag)
{
    char text[LH_BASE32_TEXT_LEN(LH_USER_TAG_BYTES)];
    lh_base32_write(LH_SLICE_OF(*tag), text);
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&tenant->id)},
                                            {"user", LH_SLICE_OF(text)}};
    lh_admin_audit(admin, LH_AUDIT_user_sessions_revoked, fields, 2);
}

static lh_status raise_user_epoch(struct lh_admin *admin, struct lh_registry_txn *txn,
                                  const struct lh_tenant *tenant, const struct lh_user_tag *tag)
{
    uint64_t now_ms = lh_admin_now_ms(admin);
    uint64_t epoch;
    LH_TRY(lh_admin_check(admin,
                          lh_registry_raise_user_epoch(txn, &tenant->uid, tag, now_ms,
                                                       now_ms + LH_ADMIN_LONGEST_LIFE_MS, &epoch),
                          "raise the user's epoch"));
    return lh_admin_commit(admin, txn);
}

lh_status lh_admin_session_revoke_user(struct lh_admin *admin, lh_slice tenant_id, lh_slice subject,
                                       uint64_t *out_ended)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take(admin, txn, tenant_id, &tenant));
    struct lh_user_tag tag;
    LH_TRY(lh_admin_user_tag(admin, tenant, subject, &tag));
    LH_TRY(raise_user_epoch(admin, txn, tenant, &tag));
    audit_user(admin, tenant, &tag);
    *out_ended = 0;
    return check_tombstone(admin, lh_admin_each_page(admin, tenant, &tag, end_page, out_ended));
}

/* --- Of a tenant ------------------------------------------------------------------------------ */

lh_status lh_admin_session_revoke_all(struct lh_admin *admin, lh_slice tenant_id)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take(admin, txn, tenant_id, &tenant));
    uint64_t epoch;
    LH_TRY(lh_admin_check(
        admin, lh_registry_raise_tenant_epoch(txn, &tenant->uid, lh_admin_now_ms(admin), &epoch),
        "raise the tenant's epoch"));
    LH_TRY(lh_admin_commit(admin, txn));
    lh_registry_end(&txn);
    const struct lh_audit_field field = {"tenant", lh_tenant_id_view(&tenant->id)};
    lh_admin_audit(admin, LH_AUDIT_tenant_sessions_revoked, &field, 1);
    return lh_ok();
}
