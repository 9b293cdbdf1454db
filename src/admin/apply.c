/*
 * The act: read policies, compare and write in one transaction, tell what changed. A dry run does
 * the same and ends the transaction without a commit, so that it tells exactly what would happen.
 */
#include "admin/apply.h"

#include "base/banned.h"

static lh_status dup(struct lh_apply *apply, lh_slice text, lh_slice *out_copy)
{
    return lh_arena_dup(&apply->policy->arena, text, out_copy);
}

lh_status lh_apply_note(struct lh_apply *apply, const struct lh_apply_difference *difference)
{
    void *memory;
    LH_TRY(lh_arena_take(&apply->policy->arena, sizeof(struct lh_apply_change), &memory));
    struct lh_apply_change *change = memory;
    *change = (struct lh_apply_change){.view = {.verb = lh_slice_from_text(difference->verb),
                                                .kind = lh_slice_from_text(difference->kind)}};
    LH_TRY(dup(apply, difference->object, &change->view.object));
    LH_TRY(dup(apply, difference->field, &change->view.field));
    LH_TRY(dup(apply, difference->before, &change->view.before));
    LH_TRY(dup(apply, difference->after, &change->view.after));
    if (apply->last_change == NULL) {
        apply->changes = change;
    } else {
        apply->last_change->next = change;
    }
    apply->last_change = change;
    return lh_ok();
}

lh_status lh_apply_touch(struct lh_apply *apply, enum lh_audit_event event, lh_slice name,
                         lh_slice key)
{
    void *memory;
    LH_TRY(lh_arena_take(&apply->policy->arena, sizeof(struct lh_apply_touched), &memory));
    struct lh_apply_touched *touched = memory;
    *touched = (struct lh_apply_touched){.event = event};
    LH_TRY(dup(apply, name, &touched->name));
    LH_TRY(dup(apply, key, &touched->key));
    if (apply->last_touched == NULL) {
        apply->touched = touched;
    } else {
        apply->last_touched->next = touched;
    }
    apply->last_touched = touched;
    return lh_ok();
}

lh_status lh_apply_check(struct lh_apply *apply, const struct lh_policy_place *place,
                         lh_status status)
{
    enum lh_class class = lh_status_class(status);
    if (class != LH_CLASS_DENY) {
        return status; /* an outage has no place in a file */
    }
    char why[LH_ADMIN_WHY_BYTES];
    (void)snprintf(why, sizeof(why), "%s",
                   apply->admin->why[0] != '\0' ? apply->admin->why : lh_status_text(status));
    int name_len = (int)(place->document.len > 128 ? 128 : place->document.len);
    return lh_admin_fail(apply->admin, status.code, "%.*s:%zu:%zu: %.350s", name_len,
                         (const char *)place->document.ptr, place->at.line, place->at.column, why);
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* The reader puts each new entry in front: walk from the back of the list, in order of writing. */
static struct lh_policy_tenant *reverse_tenants(struct lh_policy_tenant *tenants)
{
    struct lh_policy_tenant *reversed = NULL;
    while (tenants != NULL) {
        struct lh_policy_tenant *next = tenants->next;
        tenants->next = reversed;
        reversed = tenants;
        tenants = next;
    }
    return reversed;
}

static struct lh_policy_tier *reverse_tiers(struct lh_policy_tier *tiers)
{
    struct lh_policy_tier *reversed = NULL;
    while (tiers != NULL) {
        struct lh_policy_tier *next = tiers->next;
        tiers->next = reversed;
        reversed = tiers;
        tiers = next;
    }
    return reversed;
}

static lh_status write_all(struct lh_apply *apply)
{
    struct lh_policy *policy = apply->policy;
    for (const struct lh_policy_tier *tier = policy->tiers; tier != NULL; tier = tier->next) {
        LH_TRY(lh_apply_check(apply, &tier->place, lh_apply_tier(apply, tier)));
    }
    for (struct lh_policy_tenant *tenant = policy->tenants; tenant != NULL; tenant = tenant->next) {
        LH_TRY(lh_apply_check(apply, &tenant->place, lh_apply_tenant_drops(apply, tenant)));
    }
    for (const struct lh_policy_tenant *tenant = policy->tenants; tenant != NULL;
         tenant = tenant->next) {
        LH_TRY(lh_apply_check(apply, &tenant->place, lh_apply_tenant(apply, tenant)));
    }
    for (struct lh_policy_tenant *tenant = policy->tenants; tenant != NULL; tenant = tenant->next) {
        LH_TRY(lh_apply_issuers(apply, tenant));
    }
    return lh_ok();
}

static lh_status write_keys(struct lh_apply *apply)
{
    for (size_t i = 0; i < apply->founding_count; i++) {
        LH_TRY(lh_admin_founding_write_keys(&apply->foundings[i], apply->txn));
    }
    return lh_ok();
}

static lh_status write_and_commit(struct lh_apply *apply)
{
    LH_TRY(write_all(apply));
    if (apply->options->is_dry_run || apply->changes == NULL) {
        return lh_ok();
    }
    LH_TRY(write_keys(apply));
    LH_TRY(lh_admin_commit(apply->admin, apply->txn));
    for (size_t i = 0; i < apply->founding_count; i++) {
        apply->foundings[i].is_done = true;
    }
    return lh_ok();
}

static void tell(const struct lh_apply *apply)
{
    for (const struct lh_apply_touched *touched = apply->touched; touched != NULL;
         touched = touched->next) {
        bool is_tier = touched->event == LH_AUDIT_tier_changed;
        const struct lh_audit_field fields[] = {{is_tier ? "tier" : "tenant", touched->name},
                                                {"key", touched->key}};
        lh_admin_audit(apply->admin, touched->event, fields, touched->key.len > 0 ? 2 : 1);
    }
    for (const struct lh_apply_change *change = apply->changes; change != NULL;
         change = change->next) {
        apply->options->on_change(apply->options->context, &change->view);
    }
}

static void apply_fini(struct lh_apply *apply)
{
    lh_registry_end(&apply->txn);
    for (size_t i = 0; i < apply->founding_count; i++) {
        lh_admin_founding_fini(&apply->foundings[i]);
    }
    free(apply->foundings);
}

static lh_status apply_policy(struct lh_admin *admin, struct lh_policy *policy,
                              const struct lh_admin_apply_options *options)
{
    policy->tiers = reverse_tiers(policy->tiers);
    policy->tenants = reverse_tenants(policy->tenants);
    LH_CLEANUP(apply_fini)
    struct lh_apply apply = {.admin = admin, .options = options, .policy = policy};
    apply.foundings = calloc(policy->tenant_count + 1, sizeof(*apply.foundings));
    LH_ENSURE(apply.foundings != NULL, LH_NO_MEMORY);
    LH_TRY(lh_admin_begin(admin, &apply.txn));
    LH_TRY(lh_admin_check(admin, write_and_commit(&apply), "apply the policies"));
    lh_registry_end(&apply.txn);
    tell(&apply);
    return lh_ok();
}

lh_status lh_admin_apply(struct lh_admin *admin, const struct lh_admin_document *documents,
                         size_t count, const struct lh_admin_apply_options *options)
{
    lh_admin_enter(admin);
    admin->is_rehearsal = options->is_dry_run;
    LH_CLEANUP(lh_policy_fini) struct lh_policy policy = {.tenant_count = 0};
    LH_TRY(lh_admin_check(admin, lh_policy_read(admin, documents, count, options, &policy),
                          "read the policies"));
    return apply_policy(admin, &policy, options);
}
