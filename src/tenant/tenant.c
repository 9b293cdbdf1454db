/*
 * One tenant's snapshot: counted references, and the small look-ups inside it.
 */
#include "tenant/directory.h"

#include "base/bug.h"

#include "base/banned.h"

#define TENANT_MAGIC 0x74656e31U

lh_status lh_tenant_new(size_t max_bytes, struct lh_tenant **out_tenant)
{
    struct lh_tenant *tenant = calloc(1, sizeof(*tenant));
    LH_ENSURE(tenant != NULL, LH_NO_MEMORY);
    tenant->magic = TENANT_MAGIC;
    tenant->references = 1;
    tenant->arena = lh_arena_bounded(max_bytes);
    *out_tenant = tenant;
    return lh_ok();
}

struct lh_tenant *lh_tenant_ref(struct lh_tenant *tenant)
{
    LH_MAGIC_CHECK(tenant, TENANT_MAGIC);
    LH_BUG_IF(tenant->references == UINT32_MAX);
    tenant->references++;
    return tenant;
}

void lh_tenant_unref(struct lh_tenant *tenant)
{
    if (tenant == NULL) {
        return;
    }
    LH_MAGIC_CHECK(tenant, TENANT_MAGIC);
    LH_BUG_IF(tenant->references == 0);
    if (--tenant->references > 0) {
        return;
    }
    lh_arena_fini(&tenant->arena);
    lh_wipe(tenant, sizeof(*tenant));
    free(tenant);
}

void lh_tenant_fini(struct lh_tenant **tenant)
{
    lh_tenant_unref(*tenant);
    *tenant = NULL;
}

const struct lh_wrapped_dek *lh_tenant_find_dek(const struct lh_tenant *tenant, uint32_t dek_id)
{
    /* Ids count up and most sessions are sealed under the newest. */
    for (size_t i = tenant->dek_count; i > 0; i--) {
        if (tenant->deks[i - 1].id == dek_id) {
            return &tenant->deks[i - 1];
        }
    }
    return NULL;
}

const struct lh_role *lh_tenant_find_role(const struct lh_tenant *tenant, lh_slice name)
{
    for (size_t i = 0; i < tenant->role_count; i++) {
        if (lh_slice_is_equal(tenant->roles[i].name, name)) {
            return &tenant->roles[i];
        }
    }
    return NULL;
}

static bool has_slice(const lh_slice *items, size_t count, lh_slice wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (lh_slice_is_equal(items[i], wanted)) {
            return true;
        }
    }
    return false;
}

bool lh_tenant_has_name(const struct lh_tenant *tenant, lh_slice name)
{
    return lh_slice_is_equal(lh_tenant_id_view(&tenant->id), name) ||
           has_slice(tenant->aliases, tenant->alias_count, name);
}

bool lh_tenant_has_domain(const struct lh_tenant *tenant, lh_slice domain)
{
    return has_slice(tenant->domains, tenant->domain_count, domain);
}

uint32_t lh_tenant_bucket(const struct lh_tenant *tenant, lh_slice seed, uint32_t bucket_count)
{
    LH_BUG_IF(bucket_count == 0 || (bucket_count & (bucket_count - 1)) != 0);
    return (uint32_t)(lh_siphash(&tenant->bucket_key, seed) & (bucket_count - 1));
}
