/*
 * leasehold tenant …
 */
#include "command.h"

#include "base/slice.h"

#include "base/banned.h"

#define TENANT_FIELDS 20U

static size_t describe(const struct lh_admin_tenant *tenant, struct field fields[TENANT_FIELDS])
{
    const struct field all[] = {
        FIELD_OF_TEXT("id", SHOW_BOTH, tenant->id),
        FIELD_OF_TEXT("state", SHOW_BOTH, tenant->state),
        FIELD_OF_TEXT("tier", SHOW_BOTH, tenant->tier),
        FIELD_OF_LIFE("idle", SHOW_RECORD, tenant->idle_s),
        FIELD_OF_LIFE("absolute", SHOW_RECORD, tenant->absolute_s),
        FIELD_OF_NUMBER("requests_per_s", SHOW_RECORD, tenant->requests_per_s),
        FIELD_OF_NUMBER("requests_burst", SHOW_RECORD, tenant->requests_burst),
        FIELD_OF_LIST("domains", SHOW_BOTH, tenant->domains),
        FIELD_OF_LIST("aliases", SHOW_RECORD, tenant->aliases),
        {.name = "rbac",
         .kind = FIELD_ROLES,
         .show = SHOW_RECORD,
         .roles = tenant->roles,
         .role_count = tenant->role_count},
        FIELD_OF_LIST("issuers", SHOW_RECORD, tenant->issuers),
        FIELD_OF_LIST("signature_keys", SHOW_RECORD, tenant->signature_keys),
        FIELD_OF_TEXT("uid", SHOW_BOTH, tenant->uid),
        FIELD_OF_TEXT("cookie", SHOW_RECORD, tenant->cookie),
        FIELD_OF_TIME("created", SHOW_BOTH, tenant->created_ms),
        FIELD_OF_NUMBER("epoch", SHOW_JSON, tenant->epoch),
        FIELD_OF_NUMBER("slot", SHOW_JSON, tenant->slot),
        FIELD_OF_NUMBER("buckets", SHOW_JSON, tenant->buckets),
        FIELD_OF_NUMBER("active_key", SHOW_RECORD, tenant->active_key),
        FIELD_OF_NUMBER("keys", SHOW_RECORD, tenant->key_count),
    };
    memcpy(fields, all, sizeof(all));
    return FIELD_COUNT(all);
}

static void print_one(void *context, const struct lh_admin_tenant *tenant)
{
    struct field fields[TENANT_FIELDS];
    output_item(context, fields, describe(tenant, fields));
}

static void print_row(void *context, const struct lh_admin_tenant *tenant)
{
    struct field fields[TENANT_FIELDS];
    output_list_item(context, fields, describe(tenant, fields));
}

lh_status run_tenant_add(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    const struct lh_admin_tenant_spec spec = {
        .id = operand(arguments, 0),
        .tier = option_value(arguments, OPTION_tier),
        .domains = option_values(arguments, OPTION_domain),
        .aliases = option_values(arguments, OPTION_alias),
        .may_reclaim = has_option(arguments, OPTION_reclaim),
    };
    return lh_admin_tenant_add(run->admin, &spec, print_one, &run->output);
}

lh_status run_tenant_list(struct run *run)
{
    output_list_begin(&run->output, "tenants", "no tenants yet: \"leasehold tenant add ID\"");
    LH_TRY(lh_admin_tenant_list(run->admin, print_row, &run->output));
    output_list_end(&run->output);
    return lh_ok();
}

lh_status run_tenant_show(struct run *run)
{
    return lh_admin_tenant_show(run->admin, operand(&run->arguments, 0), print_one, &run->output);
}

/* Prints what an act has made of the tenant. */
static lh_status show(struct run *run, lh_slice id)
{
    return lh_admin_tenant_show(run->admin, id, print_one, &run->output);
}

lh_status run_tenant_disable(struct run *run)
{
    LH_TRY(lh_admin_tenant_disable(run->admin, operand(&run->arguments, 0)));
    return show(run, operand(&run->arguments, 0));
}

lh_status run_tenant_enable(struct run *run)
{
    LH_TRY(lh_admin_tenant_enable(run->admin, operand(&run->arguments, 0)));
    return show(run, operand(&run->arguments, 0));
}

lh_status run_tenant_rename(struct run *run)
{
    LH_TRY(lh_admin_tenant_rename(run->admin, operand(&run->arguments, 0),
                                  operand(&run->arguments, 1)));
    return show(run, operand(&run->arguments, 1));
}

lh_status run_tenant_remove(struct run *run)
{
    lh_slice id = operand(&run->arguments, 0);
    LH_TRY(lh_admin_tenant_remove(run->admin, id));
    const struct field fields[] = {
        FIELD_OF_TEXT("id", SHOW_RECORD, id),
        FIELD_OF_TEXT("state", SHOW_RECORD, LH_SLICE_LITERAL("removed")),
    };
    output_item(&run->output, fields, FIELD_COUNT(fields));
    return lh_ok();
}
