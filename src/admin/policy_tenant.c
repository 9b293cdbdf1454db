/*
 * Tenants in policy files: id → tier, state, aliases, domains, rbac (role → scopes), issuers and
 * signature keys.
 */
#include "admin/policy_read.h"

#include "base/banned.h"

/* Roles of a tenant at most: a snapshot lies in every worker's memory. */
#define ROLES_MAX 256U

/* --- Names ------------------------------------------------------------------------------------ */

/* The acts' own parsers explain through the handle; that line becomes the mistake's. */
static lh_status complain_as_admin(struct lh_policy_reader *reader, const struct lh_yaml_node *node)
{
    lh_policy_complain(reader, node->at, "%s", reader->admin->why);
    reader->admin->why[0] = '\0';
    return lh_ok();
}

static lh_status read_alias(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            struct lh_buf *out_text)
{
    struct lh_tenant_id id;
    if (!lh_is_ok(lh_admin_parse_id(reader->admin, node->text, &id))) {
        return complain_as_admin(reader, node);
    }
    return lh_buf_add(out_text, lh_tenant_id_view(&id));
}

static lh_status read_domain(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                             struct lh_buf *out_text)
{
    struct lh_hostname name;
    if (!lh_is_ok(lh_admin_parse_domain(reader->admin, node->text, &name))) {
        return complain_as_admin(reader, node);
    }
    return lh_buf_add(out_text, lh_hostname_view(&name));
}

/* --- Keys of a tenant ------------------------------------------------------------------------- */

static lh_status read_tier(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           void *object)
{
    struct lh_policy_tenant *tenant = object;
    if (lh_policy_is_text(reader, node, "tier")) {
        tenant->tier = node->text;
    }
    return lh_ok();
}

static lh_status read_state(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            void *object)
{
    struct lh_policy_tenant *tenant = object;
    bool is_active = lh_slice_is_equal(node->text, LH_SLICE_LITERAL("active"));
    bool is_disabled = lh_slice_is_equal(node->text, LH_SLICE_LITERAL("disabled"));
    if (node->kind != LH_YAML_SCALAR || !(is_active || is_disabled)) {
        lh_policy_complain(reader, node->at, "state is \"active\" or \"disabled\"");
        return lh_ok();
    }
    tenant->has_state = true;
    tenant->state = is_active ? LH_TENANT_ACTIVE : LH_TENANT_DISABLED;
    return lh_ok();
}

static lh_status read_aliases(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                              void *object)
{
    struct lh_policy_tenant *tenant = object;
    tenant->has_aliases = true;
    return lh_policy_read_list(reader, node, "an alias", read_alias, &tenant->aliases);
}

static lh_status read_domains(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                              void *object)
{
    struct lh_policy_tenant *tenant = object;
    tenant->has_domains = true;
    return lh_policy_read_list(reader, node, "a domain", read_domain, &tenant->domains);
}

static lh_status read_role(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           struct lh_role *role)
{
    if (!lh_principal_is_token(node->key)) {
        lh_policy_complain(reader, node->key_at,
                           "a role is 1 to 255 printable ASCII characters without space, comma, "
                           "quote or backslash");
    }
    struct lh_admin_texts scopes = {NULL, 0};
    LH_TRY(lh_policy_read_list(reader, node, "a scope", lh_policy_read_scope, &scopes));
    void *memory;
    LH_TRY(lh_arena_take(&reader->policy->arena, (scopes.count + 1) * sizeof(lh_slice), &memory));
    role->name = node->key;
    role->scopes = memory;
    role->scope_count = scopes.count;
    for (size_t i = 0; i < scopes.count; i++) {
        role->scopes[i] = scopes.items[i];
    }
    return lh_ok();
}

static lh_status read_rbac(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           void *object)
{
    struct lh_policy_tenant *tenant = object;
    if (!lh_policy_is_map(reader, node, "\"rbac\", role by role with its scopes,")) {
        return lh_ok();
    }
    if (node->count > ROLES_MAX) {
        lh_policy_complain(reader, node->at, "more than %u roles", ROLES_MAX);
        return lh_ok();
    }
    void *memory;
    LH_TRY(
        lh_arena_take(&reader->policy->arena, (node->count + 1) * sizeof(struct lh_role), &memory));
    tenant->has_roles = true;
    tenant->roles = memory;
    for (const struct lh_yaml_node *child = node->first; child != NULL; child = child->next) {
        LH_TRY(read_role(reader, child, &tenant->roles[tenant->role_count]));
        tenant->role_count++;
    }
    return lh_ok();
}

static const struct lh_policy_key tenant_keys[] = {
    {"tier", read_tier},
    {"state", read_state},
    {"aliases", read_aliases},
    {"domains", read_domains},
    {"rbac", read_rbac},
    {"issuers", lh_policy_read_issuers},
    {"signature_keys", lh_policy_read_signature_keys},
};

/* --- Tenants ---------------------------------------------------------------------------------- */

static bool read_id(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                    struct lh_tenant_id *out_id)
{
    if (lh_is_ok(lh_admin_parse_id(reader->admin, node->key, out_id))) {
        return true;
    }
    lh_policy_complain(reader, node->key_at, "%s", reader->admin->why);
    reader->admin->why[0] = '\0';
    return false;
}

/* Makes the entry of a tenant, unless one of its id was written before. */
static lh_status take_tenant(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                             struct lh_policy_tenant **out_tenant)
{
    struct lh_policy *policy = reader->policy;
    struct lh_tenant_id id;
    *out_tenant = NULL;
    if (!read_id(reader, node, &id)) {
        return lh_ok();
    }
    const struct lh_policy_tenant *before =
        lh_map_find(&policy->tenants_by_id, lh_tenant_id_view(&id));
    if (before != NULL) {
        lh_policy_complain(reader, node->key_at, "tenant \"%.*s\" is written already in %.*s:%zu",
                           LH_SLICE_ARG(lh_tenant_id_view(&id)),
                           LH_SLICE_ARG(before->place.document), before->place.at.line);
        return lh_ok();
    }
    void *memory;
    LH_TRY(lh_arena_take(&policy->arena, sizeof(struct lh_policy_tenant), &memory));
    struct lh_policy_tenant *tenant = memory;
    *tenant = (struct lh_policy_tenant){
        .next = policy->tenants, .place = {reader->document, node->key_at}, .id = id};
    policy->tenants = tenant;
    policy->tenant_count++;
    *out_tenant = tenant;
    return lh_map_put(&policy->tenants_by_id, lh_tenant_id_view(&tenant->id), tenant);
}

lh_status lh_policy_read_tenants(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                                 void *policy)
{
    (void)policy;
    if (!lh_policy_is_map(reader, node, "\"tenants\"")) {
        return lh_ok();
    }
    for (const struct lh_yaml_node *child = node->first; child != NULL; child = child->next) {
        struct lh_policy_tenant *tenant;
        LH_TRY(take_tenant(reader, child, &tenant));
        if (tenant == NULL || !lh_policy_is_map(reader, child, "a tenant")) {
            continue;
        }
        LH_TRY(lh_policy_read_map(reader, child, tenant_keys,
                                  sizeof(tenant_keys) / sizeof(tenant_keys[0]), tenant));
    }
    return lh_ok();
}
