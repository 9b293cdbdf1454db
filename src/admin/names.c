/*
 * Names of tenants: reading them as an operator types them, claiming, releasing, and keeping a
 * tenant's own lists of them in step with the registry's tables.
 */
#include "admin/admin.h"

#include "codec/suggest.h"

#include "base/banned.h"

/* Most tiers among which the meant one is looked for; who has more reads his own list. */
#define TIERS_COMPARED_MAX 32U

struct tier_names {
    struct lh_tier tiers[TIERS_COMPARED_MAX];
    lh_slice names[TIERS_COMPARED_MAX];
    size_t count;
};

static bool keep_name(void *context, const struct lh_tier *tier)
{
    struct tier_names *kept = context;
    kept->tiers[kept->count] = *tier;
    kept->names[kept->count] = lh_tier_name(&kept->tiers[kept->count]);
    kept->count++;
    return kept->count < TIERS_COMPARED_MAX;
}

lh_status lh_admin_fail_tier(struct lh_admin *admin, lh_slice name)
{
    struct tier_names known = {.count = 0};
    int len = (int)(name.len > LH_TIER_NAME_MAX_BYTES ? LH_TIER_NAME_MAX_BYTES : name.len);
    lh_status status = lh_registry_each_tier(admin->parts.registry, keep_name, &known);
    size_t near = lh_is_ok(status) ? lh_suggest(name, known.names, known.count) : known.count;
    if (near < known.count) {
        return lh_admin_fail(admin, LH_ABSENT, "there is no tier \"%.*s\"; did you mean \"%.*s\"?",
                             len, (const char *)name.ptr, LH_SLICE_ARG(known.names[near]));
    }
    return lh_admin_fail(admin, LH_ABSENT, "there is no tier \"%.*s\"", len,
                         (const char *)name.ptr);
}

lh_status lh_admin_parse_id(struct lh_admin *admin, lh_slice text, struct lh_tenant_id *out_id)
{
    lh_status status = lh_tenant_id_parse_new(text, out_id);
    if (status.code == LH_RESERVED) {
        struct lh_tenant_id word;
        LH_TRY(lh_tenant_id_parse(text, &word));
        return lh_admin_fail(admin, LH_RESERVED, "no tenant may be called \"%.*s\": %s",
                             LH_SLICE_ARG(lh_tenant_id_view(&word)),
                             lh_tenant_id_reserved_reason(&word));
    }
    if (!lh_is_ok(status)) {
        return lh_admin_fail(admin, LH_MALFORMED,
                             "a tenant's name has 4 to 36 characters of a-z, 0-9 and \"-\", no "
                             "\"-\" at either end, and does not begin with \"xn--\"");
    }
    return lh_ok();
}

lh_status lh_admin_parse_domain(struct lh_admin *admin, lh_slice text, struct lh_hostname *out_name)
{
    lh_status status = lh_hostname_parse(text, out_name);
    bool is_whole = lh_is_ok(status) && lh_slice_is_equal_nocase(lh_hostname_view(out_name), text);
    bool has_dot =
        is_whole && lh_slice_find(lh_hostname_view(out_name), '.') < (size_t)out_name->len;
    if (!has_dot) {
        return lh_admin_fail(admin, LH_MALFORMED,
                             "a domain is a full host name like app.example.com: letters, digits, "
                             "\"-\" and dots, without port and without a dot at its end");
    }
    return lh_ok();
}

static void audit_reclaim(struct lh_admin *admin, const struct lh_admin_claim *claim,
                          const struct lh_tenant_uid *uid)
{
    char uid_text[LH_TENANT_UID_TEXT_BYTES];
    lh_tenant_uid_write(uid, uid_text);
    const struct lh_audit_field fields[] = {{"name", claim->name}, {"uid", LH_SLICE_OF(uid_text)}};
    lh_admin_audit(admin, LH_AUDIT_name_reclaimed, fields, 2);
}

lh_status lh_admin_claim_name(struct lh_admin *admin, struct lh_registry_txn *txn,
                              const struct lh_admin_claim *claim, const struct lh_tenant_uid *uid)
{
    uint64_t now_ms = lh_admin_now_ms(admin);
    lh_status status = lh_registry_claim_name(txn, claim->kind, claim->name, uid, now_ms, false);
    if (status.code == LH_RESERVED && claim->may_reclaim) {
        status = lh_registry_claim_name(txn, claim->kind, claim->name, uid, now_ms, true);
        if (lh_is_ok(status)) {
            audit_reclaim(admin, claim, uid);
        }
    }
    if (status.code == LH_EXISTS) {
        return lh_admin_fail(admin, LH_EXISTS, "\"%.*s\" is in use by another tenant",
                             LH_SLICE_ARG(claim->name));
    }
    if (status.code == LH_RESERVED) {
        return lh_admin_fail(admin, LH_RESERVED,
                             "\"%.*s\" belonged to another tenant and is reserved until its last "
                             "credentials are dead; --reclaim takes it all the same",
                             LH_SLICE_ARG(claim->name));
    }
    return lh_admin_check(admin, status, "claim the name");
}

lh_status lh_admin_release_name(struct lh_admin *admin, struct lh_registry_txn *txn,
                                enum lh_name_kind kind, lh_slice name)
{
    uint64_t until_ms = lh_admin_now_ms(admin) + LH_ADMIN_RESERVED_MS;
    return lh_admin_check(admin, lh_registry_release_name(txn, kind, name, until_ms),
                          "release the name");
}

/* --- A tenant's lists ------------------------------------------------------------------------- */

struct name_list {
    lh_slice **items;
    size_t *count;
};

static struct name_list list_of(struct lh_tenant *tenant, enum lh_name_kind kind)
{
    if (kind == LH_NAME_DOMAIN) {
        return (struct name_list){&tenant->domains, &tenant->domain_count};
    }
    return (struct name_list){&tenant->aliases, &tenant->alias_count};
}

static size_t find_in_list(const struct name_list *list, lh_slice name)
{
    size_t at = 0;
    while (at < *list->count && !lh_slice_is_equal((*list->items)[at], name)) {
        at++;
    }
    return at;
}

/* Lists live in the tenant's arena: a longer one is a new one. */
static lh_status append(struct lh_tenant *tenant, const struct name_list *list, lh_slice name)
{
    void *memory;
    LH_TRY(lh_arena_take(&tenant->arena, (*list->count + 1) * sizeof(lh_slice), &memory));
    lh_slice *items = memory;
    for (size_t i = 0; i < *list->count; i++) {
        items[i] = (*list->items)[i];
    }
    LH_TRY(lh_arena_dup(&tenant->arena, name, &items[*list->count]));
    *list->items = items;
    *list->count += 1;
    return lh_ok();
}

lh_status lh_admin_add_name(struct lh_admin *admin, struct lh_registry_txn *txn,
                            struct lh_tenant *tenant, const struct lh_admin_claim *claim)
{
    struct lh_tenant_id id;
    struct lh_hostname domain;
    struct lh_admin_claim exact = *claim;
    if (claim->kind == LH_NAME_DOMAIN) {
        LH_TRY(lh_admin_parse_domain(admin, claim->name, &domain));
        exact.name = lh_hostname_view(&domain);
    } else {
        LH_TRY(lh_admin_parse_id(admin, claim->name, &id));
        exact.name = lh_tenant_id_view(&id);
        if (lh_tenant_id_is_equal(&id, &tenant->id)) {
            return lh_admin_fail(admin, LH_EXISTS, "\"%.*s\" is the tenant's id already",
                                 LH_SLICE_ARG(exact.name));
        }
    }
    struct name_list list = list_of(tenant, claim->kind);
    if (find_in_list(&list, exact.name) < *list.count) {
        return lh_ok();
    }
    LH_TRY(lh_admin_claim_name(admin, txn, &exact, &tenant->uid));
    return lh_admin_check(admin, append(tenant, &list, exact.name), "keep the name");
}

lh_status lh_admin_drop_name(struct lh_admin *admin, struct lh_registry_txn *txn,
                             struct lh_tenant *tenant, enum lh_name_kind kind, lh_slice name)
{
    struct name_list list = list_of(tenant, kind);
    size_t at = find_in_list(&list, name);
    if (at == *list.count) {
        return lh_ok();
    }
    LH_TRY(lh_admin_release_name(admin, txn, kind, (*list.items)[at]));
    *list.count -= 1;
    for (size_t i = at; i < *list.count; i++) {
        (*list.items)[i] = (*list.items)[i + 1];
    }
    return lh_ok();
}
