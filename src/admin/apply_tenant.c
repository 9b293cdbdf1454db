/*
 * One tenant: what is, what is wanted, and the difference.
 */
#include "admin/apply.h"

#include "base/banned.h"

#define DEFAULT_TIER "standard"

/* A tenant in the making: what is known while its differences are written. */
struct subject {
    struct lh_apply *apply;
    const struct lh_policy_tenant *wanted;
    struct lh_tenant *tenant; /* as it will be put */
    bool is_new;
    bool has_changed;
};

static lh_status note(struct subject *subject, const char *verb, const char *field, lh_slice before,
                      lh_slice after)
{
    subject->has_changed = true;
    const struct lh_apply_difference difference = {
        .verb = verb,
        .kind = "tenant",
        .object = lh_tenant_id_view(&subject->wanted->id),
        .field = lh_slice_from_text(field),
        .before = before,
        .after = after,
    };
    return lh_apply_note(subject->apply, &difference);
}

/* --- Finding it ------------------------------------------------------------------------------- */

/* out_tenant: NULL if there is none of that id. */
static lh_status find(struct lh_apply *apply, const struct lh_policy_tenant *wanted,
                      struct lh_tenant **out_tenant)
{
    struct lh_admin *admin = apply->admin;
    struct lh_tenant_uid uid;
    *out_tenant = NULL;
    lh_status status = lh_registry_find_uid(apply->txn, &wanted->id, &uid);
    if (status.code == LH_ABSENT) {
        return lh_ok();
    }
    LH_TRY(lh_admin_check(admin, status, "find the tenant"));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_check(admin, lh_registry_get_tenant(apply->txn, &uid, &tenant),
                          "read the tenant"));
    if (!lh_tenant_id_is_equal(&tenant->id, &wanted->id)) {
        return lh_admin_fail(admin, LH_EXISTS, "\"%.*s\" is an alias of tenant \"%.*s\"",
                             LH_SLICE_ARG(lh_tenant_id_view(&wanted->id)),
                             LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)));
    }
    *out_tenant = tenant;
    tenant = NULL;
    return lh_ok();
}

/* --- Names ------------------------------------------------------------------------------------ */

static bool is_listed(lh_slice name, const lh_slice *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lh_slice_is_equal(name, items[i])) {
            return true;
        }
    }
    return false;
}

/* Walks backwards: dropping shortens the list behind the walker. */
static lh_status drop_names(struct subject *subject, enum lh_name_kind kind,
                            const struct lh_admin_texts *wanted)
{
    struct lh_tenant *tenant = subject->tenant;
    bool is_domain = kind == LH_NAME_DOMAIN;
    for (size_t i = is_domain ? tenant->domain_count : tenant->alias_count; i > 0; i--) {
        lh_slice name = is_domain ? tenant->domains[i - 1] : tenant->aliases[i - 1];
        if (is_listed(name, wanted->items, wanted->count)) {
            continue;
        }
        LH_TRY(note(subject, "drop", is_domain ? "domain" : "alias", name, LH_SLICE_EMPTY));
        LH_TRY(lh_admin_drop_name(subject->apply->admin, subject->apply->txn, tenant, kind, name));
    }
    return lh_ok();
}

static lh_status add_names(struct subject *subject, enum lh_name_kind kind,
                           const struct lh_admin_texts *wanted)
{
    struct lh_tenant *tenant = subject->tenant;
    bool is_domain = kind == LH_NAME_DOMAIN;
    for (size_t i = 0; i < wanted->count; i++) {
        lh_slice name = wanted->items[i];
        if (is_listed(name, is_domain ? tenant->domains : tenant->aliases,
                      is_domain ? tenant->domain_count : tenant->alias_count)) {
            continue;
        }
        LH_TRY(note(subject, "add", is_domain ? "domain" : "alias", LH_SLICE_EMPTY, name));
        const struct lh_admin_claim claim = {kind, name, subject->apply->options->may_reclaim};
        LH_TRY(lh_admin_add_name(subject->apply->admin, subject->apply->txn, tenant, &claim));
    }
    return lh_ok();
}

lh_status lh_apply_tenant_drops(struct lh_apply *apply, struct lh_policy_tenant *wanted)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(find(apply, wanted, &tenant));
    if (tenant == NULL) {
        return lh_ok();
    }
    struct subject subject = {.apply = apply, .wanted = wanted, .tenant = tenant};
    if (wanted->has_aliases) {
        LH_TRY(drop_names(&subject, LH_NAME_TENANT, &wanted->aliases));
    }
    if (wanted->has_domains) {
        LH_TRY(drop_names(&subject, LH_NAME_DOMAIN, &wanted->domains));
    }
    LH_TRY(lh_apply_issuer_drops(apply, wanted, tenant));
    wanted->has_dropped = wanted->are_issuers_changed; /* told to the audit log, at least */
    if (!subject.has_changed) {
        return lh_ok();
    }
    wanted->has_dropped = true;
    return lh_admin_check(apply->admin, lh_registry_put_tenant(apply->txn, tenant),
                          "write the tenant");
}

/* --- Tier and state --------------------------------------------------------------------------- */

static lh_status set_tier(struct subject *subject)
{
    lh_slice name = subject->wanted->tier;
    struct lh_tenant *tenant = subject->tenant;
    if (name.len == 0 ||
        (!subject->is_new && lh_slice_is_equal(name, lh_tier_name(&tenant->tier)))) {
        return lh_ok();
    }
    struct lh_tier tier;
    struct lh_admin *admin = subject->apply->admin;
    lh_status status = lh_registry_get_tier(subject->apply->txn, name, &tier);
    if (status.code == LH_ABSENT) {
        return lh_admin_fail_tier(admin, name);
    }
    LH_TRY(lh_admin_check(admin, status, "read the tier"));
    LH_TRY(note(subject, subject->is_new ? "add" : "change", "tier",
                subject->is_new ? LH_SLICE_EMPTY : lh_tier_name(&tenant->tier), name));
    tenant->tier = tier;
    return lh_ok();
}

static lh_slice state_name(enum lh_tenant_state state)
{
    return state == LH_TENANT_ACTIVE ? LH_SLICE_LITERAL("active") : LH_SLICE_LITERAL("disabled");
}

static lh_status set_state(struct subject *subject)
{
    enum lh_tenant_state state = subject->wanted->state;
    struct lh_tenant *tenant = subject->tenant;
    if (!subject->wanted->has_state || tenant->state == state) {
        return lh_ok();
    }
    LH_TRY(note(subject, "change", "state", state_name(tenant->state), state_name(state)));
    tenant->state = state;
    return lh_apply_touch(subject->apply,
                          state == LH_TENANT_ACTIVE ? LH_AUDIT_tenant_enabled
                                                    : LH_AUDIT_tenant_disabled,
                          lh_tenant_id_view(&tenant->id), LH_SLICE_EMPTY);
}

/* --- Roles ------------------------------------------------------------------------------------ */

static const struct lh_role *find_role(const struct lh_role *roles, size_t count, lh_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (lh_slice_is_equal(roles[i].name, name)) {
            return &roles[i];
        }
    }
    return NULL;
}

static lh_status write_scopes(const struct lh_role *role, struct lh_buf *out)
{
    for (size_t i = 0; role != NULL && i < role->scope_count; i++) {
        LH_TRY(lh_buf_add_text(out, i == 0 ? "" : " "));
        LH_TRY(lh_buf_add(out, role->scopes[i]));
    }
    return lh_ok();
}

static bool has_same_scopes(const struct lh_role *a, const struct lh_role *b)
{
    if (a->scope_count != b->scope_count) {
        return false;
    }
    for (size_t i = 0; i < a->scope_count; i++) {
        if (!is_listed(a->scopes[i], b->scopes, b->scope_count)) {
            return false;
        }
    }
    return true;
}

static lh_status note_role(struct subject *subject, const struct lh_role *before,
                           const struct lh_role *after)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf field = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf old_scopes = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf new_scopes = LH_BUF_EMPTY;
    LH_TRY(lh_buf_add_text(&field, "role "));
    LH_TRY(lh_buf_add(&field, after != NULL ? after->name : before->name));
    LH_TRY(lh_buf_terminate(&field));
    LH_TRY(write_scopes(before, &old_scopes));
    LH_TRY(write_scopes(after, &new_scopes));
    const char *verb = before == NULL ? "add" : after == NULL ? "drop" : "change";
    return note(subject, verb, (const char *)field.ptr, lh_buf_view(&old_scopes),
                lh_buf_view(&new_scopes));
}

/* The roles of a policy live as long as the transaction: the tenant may point at them. */
static lh_status set_roles(struct subject *subject)
{
    const struct lh_policy_tenant *wanted = subject->wanted;
    struct lh_tenant *tenant = subject->tenant;
    if (!wanted->has_roles) {
        return lh_ok();
    }
    for (size_t i = 0; i < tenant->role_count; i++) {
        const struct lh_role *before = &tenant->roles[i];
        const struct lh_role *after = find_role(wanted->roles, wanted->role_count, before->name);
        if (after == NULL || !has_same_scopes(before, after)) {
            LH_TRY(note_role(subject, before, after));
        }
    }
    for (size_t i = 0; i < wanted->role_count; i++) {
        if (find_role(tenant->roles, tenant->role_count, wanted->roles[i].name) == NULL) {
            LH_TRY(note_role(subject, NULL, &wanted->roles[i]));
        }
    }
    tenant->roles = wanted->roles;
    tenant->role_count = wanted->role_count;
    return lh_ok();
}

/* --- All of it -------------------------------------------------------------------------------- */

static lh_status write_tenant(struct subject *subject)
{
    const struct lh_policy_tenant *wanted = subject->wanted;
    LH_TRY(set_tier(subject));
    LH_TRY(set_state(subject));
    if (wanted->has_aliases) {
        LH_TRY(add_names(subject, LH_NAME_TENANT, &wanted->aliases));
    }
    if (wanted->has_domains) {
        LH_TRY(add_names(subject, LH_NAME_DOMAIN, &wanted->domains));
    }
    LH_TRY(set_roles(subject));
    if (!subject->has_changed) {
        return lh_ok();
    }
    return lh_admin_check(subject->apply->admin,
                          lh_registry_put_tenant(subject->apply->txn, subject->tenant),
                          "write the tenant");
}

static lh_status write_differences(struct subject *subject)
{
    LH_TRY(write_tenant(subject));
    return lh_apply_signature_keys(subject->apply, subject->wanted, subject->tenant);
}

static lh_status found(struct lh_apply *apply, const struct lh_policy_tenant *wanted)
{
    struct lh_admin_founding *founding = &apply->foundings[apply->founding_count];
    lh_slice tier = wanted->tier.len > 0 ? wanted->tier : LH_SLICE_LITERAL(DEFAULT_TIER);
    lh_slice id = lh_tenant_id_view(&wanted->id);
    LH_TRY(lh_admin_founding_begin(apply->admin, id, tier, founding));
    apply->founding_count++;
    LH_TRY(lh_admin_founding_write(founding, apply->txn, apply->options->may_reclaim));
    struct subject subject = {
        .apply = apply, .wanted = wanted, .tenant = founding->tenant, .is_new = true};
    LH_TRY(note(&subject, "add", "", LH_SLICE_EMPTY, LH_SLICE_EMPTY));
    LH_TRY(lh_apply_touch(apply, LH_AUDIT_tenant_created, id, LH_SLICE_EMPTY));
    return write_differences(&subject);
}

lh_status lh_apply_tenant(struct lh_apply *apply, const struct lh_policy_tenant *wanted)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(find(apply, wanted, &tenant));
    if (tenant == NULL) {
        return found(apply, wanted);
    }
    struct subject subject = {.apply = apply, .wanted = wanted, .tenant = tenant};
    LH_TRY(write_differences(&subject));
    return subject.has_changed || wanted->has_dropped
               ? lh_apply_touch(apply, LH_AUDIT_tenant_changed, lh_tenant_id_view(&wanted->id),
                                LH_SLICE_EMPTY)
               : lh_ok();
}
