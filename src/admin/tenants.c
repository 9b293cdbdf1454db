/*
 * Acts on tenants. Each is one registry transaction; the change counters make every worker see it
 * at once.
 */
#include "admin/signing.h"

#include "base/banned.h"

#define DEFAULT_TIER "standard"

static void audit_tenant(struct lh_admin *admin, enum lh_audit_event event,
                         const struct lh_tenant *tenant)
{
    char uid[LH_TENANT_UID_TEXT_BYTES];
    lh_tenant_uid_write(&tenant->uid, uid);
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&tenant->id)},
                                            {"uid", LH_SLICE_OF(uid)}};
    lh_admin_audit(admin, event, fields, 2);
}

/* --- Add -------------------------------------------------------------------------------------- */

static lh_status add_names(struct lh_admin *admin, struct lh_registry_txn *txn,
                           struct lh_tenant *tenant, const struct lh_admin_tenant_spec *spec)
{
    for (size_t i = 0; i < spec->aliases.count; i++) {
        const struct lh_admin_claim claim = {LH_NAME_TENANT, spec->aliases.items[i],
                                             spec->may_reclaim};
        LH_TRY(lh_admin_add_name(admin, txn, tenant, &claim));
    }
    for (size_t i = 0; i < spec->domains.count; i++) {
        const struct lh_admin_claim claim = {LH_NAME_DOMAIN, spec->domains.items[i],
                                             spec->may_reclaim};
        LH_TRY(lh_admin_add_name(admin, txn, tenant, &claim));
    }
    return lh_admin_check(admin, lh_registry_put_tenant(txn, tenant), "write the tenant");
}

static lh_status write_founding(struct lh_admin_founding *founding,
                                const struct lh_admin_tenant_spec *spec)
{
    struct lh_admin *admin = founding->admin;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_founding_write(founding, txn, spec->may_reclaim));
    LH_TRY(add_names(admin, txn, founding->tenant, spec));
    LH_TRY(lh_admin_founding_write_keys(founding, txn));
    LH_TRY(lh_admin_commit(admin, txn));
    founding->is_done = true;
    return lh_ok();
}

lh_status lh_admin_tenant_add(struct lh_admin *admin, const struct lh_admin_tenant_spec *spec,
                              lh_admin_tenant_fn each, void *context)
{
    lh_admin_enter(admin);
    lh_slice tier = spec->tier.len > 0 ? spec->tier : LH_SLICE_LITERAL(DEFAULT_TIER);
    LH_CLEANUP(lh_admin_founding_fini) struct lh_admin_founding founding = {.admin = admin};
    LH_TRY(lh_admin_founding_begin(admin, spec->id, tier, &founding));
    LH_TRY(write_founding(&founding, spec));
    audit_tenant(admin, LH_AUDIT_tenant_created, founding.tenant);
    return lh_admin_tenant_show(admin, lh_tenant_id_view(&founding.tenant->id), each, context);
}

/* --- List and show ---------------------------------------------------------------------------- */

struct listing {
    lh_admin_tenant_fn each;
    void *context;
    lh_status status;
};

static bool list_one(void *context, const struct lh_tenant *tenant)
{
    struct listing *listing = context;
    listing->status = lh_admin_describe_tenant(tenant, listing->each, listing->context);
    return lh_is_ok(listing->status);
}

lh_status lh_admin_tenant_list(struct lh_admin *admin, lh_admin_tenant_fn each, void *context)
{
    lh_admin_enter(admin);
    struct listing listing = {.each = each, .context = context};
    LH_TRY(lh_admin_check(admin, lh_registry_each_tenant(admin->parts.registry, list_one, &listing),
                          "read the tenants"));
    return listing.status;
}

/* The removed tenant that had an id; several may have had it, one after the other. */
struct removed_search {
    struct lh_tenant_id id;
    bool is_found;
    struct lh_tenant_uid uid; /* of the one made last */
    uint64_t created_ms;
};

static bool look_at_removed(void *context, const struct lh_tenant *tenant)
{
    struct removed_search *search = context;
    if (tenant->state == LH_TENANT_REMOVED && lh_tenant_id_is_equal(&tenant->id, &search->id) &&
        tenant->created_ms >= search->created_ms) {
        search->is_found = true;
        search->uid = tenant->uid;
        search->created_ms = tenant->created_ms;
    }
    return true;
}

/* A removed tenant has no name any more, but operators still ask by the one that it had. */
static lh_status find_removed(struct lh_admin *admin, lh_slice id, struct lh_tenant **out_tenant)
{
    struct removed_search search = {.is_found = false};
    LH_TRY(lh_tenant_id_parse(id, &search.id));
    LH_TRY(lh_registry_each_tenant(admin->parts.registry, look_at_removed, &search));
    LH_ENSURE(search.is_found, LH_ABSENT);
    const struct lh_directory_source *source = lh_registry_source(admin->parts.registry);
    return source->load_by_uid(source->self, &search.uid, out_tenant);
}

lh_status lh_admin_tenant_show(struct lh_admin *admin, lh_slice id, lh_admin_tenant_fn each,
                               void *context)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    lh_status status = lh_admin_find(admin, id, &tenant);
    if (status.code == LH_ABSENT) {
        status = find_removed(admin, id, &tenant);
        if (status.code != LH_ABSENT) {
            admin->why[0] = '\0'; /* it is there, or nobody knows */
        }
    }
    LH_TRY(lh_admin_check(admin, status, "read the tenant"));
    return lh_admin_describe_tenant(tenant, each, context);
}

/* --- Disable and enable ----------------------------------------------------------------------- */

static lh_status set_state(struct lh_admin *admin, lh_slice id, enum lh_tenant_state state,
                           enum lh_audit_event event)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take_living(admin, txn, id, &tenant));
    if (tenant->state == state) {
        return lh_ok();
    }
    tenant->state = state;
    LH_TRY(lh_admin_check(admin, lh_registry_put_tenant(txn, tenant), "write the tenant"));
    LH_TRY(lh_admin_commit(admin, txn));
    lh_registry_end(&txn);
    audit_tenant(admin, event, tenant);
    return lh_ok();
}

lh_status lh_admin_tenant_disable(struct lh_admin *admin, lh_slice id)
{
    return set_state(admin, id, LH_TENANT_DISABLED, LH_AUDIT_tenant_disabled);
}

lh_status lh_admin_tenant_enable(struct lh_admin *admin, lh_slice id)
{
    return set_state(admin, id, LH_TENANT_ACTIVE, LH_AUDIT_tenant_enabled);
}

/* --- Rename ----------------------------------------------------------------------------------- */

/* An alias that becomes the id leaves the list of aliases; its claim stays what it is. */
static void forget_alias(struct lh_tenant *tenant, lh_slice name)
{
    size_t kept = 0;
    for (size_t i = 0; i < tenant->alias_count; i++) {
        if (!lh_slice_is_equal(tenant->aliases[i], name)) {
            tenant->aliases[kept++] = tenant->aliases[i];
        }
    }
    tenant->alias_count = kept;
}

static lh_status write_rename(struct lh_admin *admin, struct lh_registry_txn *txn,
                              struct lh_tenant *tenant, const struct lh_tenant_id *new_id)
{
    const struct lh_admin_claim claim = {LH_NAME_TENANT, lh_tenant_id_view(new_id), false};
    LH_TRY(lh_admin_claim_name(admin, txn, &claim, &tenant->uid));
    LH_TRY(lh_admin_release_name(admin, txn, LH_NAME_TENANT, lh_tenant_id_view(&tenant->id)));
    forget_alias(tenant, lh_tenant_id_view(new_id));
    tenant->id = *new_id;
    LH_TRY(lh_admin_check(admin, lh_registry_put_tenant(txn, tenant), "write the tenant"));
    return lh_admin_commit(admin, txn);
}

lh_status lh_admin_tenant_rename(struct lh_admin *admin, lh_slice id, lh_slice new_id)
{
    lh_admin_enter(admin);
    struct lh_tenant_id parsed;
    LH_TRY(lh_admin_parse_id(admin, new_id, &parsed));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take_living(admin, txn, id, &tenant));
    struct lh_tenant_id old = tenant->id;
    if (lh_tenant_id_is_equal(&old, &parsed)) {
        return lh_ok();
    }
    LH_TRY(write_rename(admin, txn, tenant, &parsed));
    lh_registry_end(&txn);
    char uid[LH_TENANT_UID_TEXT_BYTES];
    lh_tenant_uid_write(&tenant->uid, uid);
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&parsed)},
                                            {"was", lh_tenant_id_view(&old)},
                                            {"uid", LH_SLICE_OF(uid)}};
    lh_admin_audit(admin, LH_AUDIT_tenant_renamed, fields, 3);
    return lh_ok();
}

/* --- Remove ----------------------------------------------------------------------------------- */

static lh_status release_all(struct lh_admin *admin, struct lh_registry_txn *txn,
                             struct lh_tenant *tenant)
{
    LH_TRY(lh_admin_release_name(admin, txn, LH_NAME_TENANT, lh_tenant_id_view(&tenant->id)));
    while (tenant->alias_count > 0) {
        LH_TRY(lh_admin_drop_name(admin, txn, tenant, LH_NAME_TENANT,
                                  tenant->aliases[tenant->alias_count - 1]));
    }
    while (tenant->domain_count > 0) {
        LH_TRY(lh_admin_drop_name(admin, txn, tenant, LH_NAME_DOMAIN,
                                  tenant->domains[tenant->domain_count - 1]));
    }
    return lh_ok();
}

/* So that another tenant may have them. Its signing keys stay, and nobody is told of them. */
static lh_status release_issuers(struct lh_admin *admin, struct lh_registry_txn *txn,
                                 const struct lh_tenant *tenant)
{
    struct lh_issuer_conflict none;
    if (tenant->issuer_count == 0) {
        return lh_ok();
    }
    return lh_admin_check(admin, lh_registry_put_issuers(txn, &tenant->uid, NULL, 0, &none),
                          "release the tenant's issuers");
}

lh_status lh_admin_tenant_remove(struct lh_admin *admin, lh_slice id)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    LH_TRY(lh_admin_begin(admin, &txn));
    LH_TRY(lh_admin_take_living(admin, txn, id, &tenant));
    LH_TRY(release_all(admin, txn, tenant));
    tenant->state = LH_TENANT_REMOVED;
    LH_TRY(lh_admin_check(admin, lh_registry_put_tenant(txn, tenant), "write the tenant"));
    uint64_t epoch;
    LH_TRY(lh_admin_check(
        admin, lh_registry_raise_tenant_epoch(txn, &tenant->uid, lh_admin_now_ms(admin), &epoch),
        "end the tenant's sessions"));
    LH_TRY(release_issuers(admin, txn, tenant));
    LH_TRY(lh_admin_commit(admin, txn));
    lh_registry_end(&txn);
    audit_tenant(admin, LH_AUDIT_tenant_removed, tenant);
    return lh_admin_withdraw_signing_keys(admin, tenant);
}
