/*
 * Reading: snapshots for directories, revocations and epochs for the gate, lists for operators.
 */
#include "registry/registry_env.h"

#include "base/bug.h"
#include "registry/row_codec.h"
#include "registry/tenant_codec.h"

#include "base/banned.h"

/* A name that moves between two looks is looked up again; it will not move thrice. */
#define LOAD_TRIES 3U

/* --- Parts of a view -------------------------------------------------------------------------- */

static lh_status get_tenant_row(const struct lh_registry_view *view,
                                const struct lh_tenant_uid *uid, lh_slice *out_row)
{
    return lh_registry_get_row(view, LH_TABLE_TENANTS, lh_tenant_uid_view(uid), out_row);
}

lh_status lh_registry_view_slot(const struct lh_registry_view *view,
                                const struct lh_tenant_uid *uid, uint32_t *out_slot)
{
    lh_slice row;
    struct lh_tenant_row_head head;
    LH_TRY(get_tenant_row(view, uid, &row));
    LH_TRY(lh_registry_row_status(view, LH_TABLE_TENANTS, lh_tenant_row_read_head(row, &head)));
    *out_slot = head.slot;
    return lh_ok();
}

lh_status lh_registry_view_uid(const struct lh_registry_view *view, enum lh_name_kind kind,
                               lh_slice name, struct lh_tenant_uid *out_uid)
{
    struct lh_name_key key;
    LH_ENSURE(lh_is_ok(lh_name_key_init(kind, name, &key)), LH_ABSENT);
    lh_slice row;
    struct lh_name_row found;
    LH_TRY(lh_registry_get_row(view, LH_TABLE_NAMES, lh_name_key_view(&key), &row));
    LH_TRY(lh_registry_row_status(view, LH_TABLE_NAMES, lh_name_row_read(row, &found)));
    LH_ENSURE(!found.is_reserved, LH_ABSENT);
    *out_uid = found.uid;
    return lh_ok();
}

lh_status lh_registry_view_tier(const struct lh_registry_view *view, lh_slice name,
                                struct lh_tier *out_tier)
{
    LH_ENSURE(name.len > 0 && name.len <= LH_TIER_NAME_MAX_BYTES, LH_ABSENT);
    lh_slice row;
    LH_TRY(lh_registry_get_row(view, LH_TABLE_TIERS, name, &row));
    return lh_registry_row_status(view, LH_TABLE_TIERS, lh_tier_row_read(name, row, out_tier));
}

/* Whether the table holds anything under the uid. */
static lh_status has_rows_of(const struct lh_registry_view *view, enum lh_registry_table table,
                             const struct lh_tenant_uid *uid, bool *out_has)
{
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(view, table, lh_tenant_uid_view(uid), &walk));
    lh_status status = lh_registry_walk_next(&walk);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    *out_has = lh_is_ok(status) && lh_slice_has_prefix(walk.key, lh_tenant_uid_view(uid));
    return lh_ok();
}

/* --- Wrapped keys ----------------------------------------------------------------------------- */

static lh_status count_deks(const struct lh_registry_view *view, const struct lh_tenant_uid *uid,
                            size_t *out_count)
{
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(view, LH_TABLE_DEKS, lh_tenant_uid_view(uid), &walk));
    size_t count = 0;
    lh_status status = lh_registry_walk_next(&walk);
    while (lh_is_ok(status) && lh_slice_has_prefix(walk.key, lh_tenant_uid_view(uid))) {
        count++;
        status = lh_registry_walk_next(&walk);
    }
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    *out_count = count;
    return lh_ok();
}

static lh_status read_dek(struct lh_registry_walk *walk, struct lh_tenant *tenant,
                          struct lh_wrapped_dek *out_dek)
{
    LH_TRY(lh_registry_walk_next(walk));
    LH_TRY(lh_dek_key_read(walk->key, &tenant->uid, &out_dek->id));
    LH_TRY(lh_dek_row_read(walk->row, out_dek));
    return lh_arena_dup(&tenant->arena, out_dek->blob, &out_dek->blob);
}

/* The active key is the newest that is active: a rotation cannot leave the tenant with two. */
static lh_status load_deks(const struct lh_registry_view *view, struct lh_tenant *tenant)
{
    size_t count;
    LH_TRY(count_deks(view, &tenant->uid, &count));
    void *memory;
    LH_TRY(lh_arena_take(&tenant->arena, count * sizeof(struct lh_wrapped_dek), &memory));
    tenant->deks = memory;
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(view, LH_TABLE_DEKS, lh_tenant_uid_view(&tenant->uid), &walk));
    for (size_t i = 0; i < count; i++) {
        struct lh_wrapped_dek *dek = &tenant->deks[i];
        LH_TRY(lh_registry_row_status(view, LH_TABLE_DEKS, read_dek(&walk, tenant, dek)));
        tenant->dek_count = i + 1;
        if (dek->state == LH_DEK_ACTIVE) {
            tenant->active_dek = dek->id;
        }
    }
    return lh_ok();
}

/* --- A whole tenant --------------------------------------------------------------------------- */

/* A tenant without its tier is a broken registry, not an unknown tenant. */
static lh_status load_tier(const struct lh_registry_view *view, struct lh_tenant *tenant)
{
    struct lh_tier tier;
    lh_status status = lh_registry_view_tier(view, lh_tier_name(&tenant->tier), &tier);
    LH_ENSURE(status.code != LH_ABSENT, LH_REGISTRY_DOWN);
    LH_TRY(status);
    tenant->tier = tier;
    return lh_ok();
}

static lh_status fill_tenant(const struct lh_registry_view *view, lh_slice row,
                             struct lh_tenant *tenant)
{
    LH_TRY(lh_registry_row_status(view, LH_TABLE_TENANTS, lh_tenant_row_read(row, tenant)));
    LH_TRY(load_tier(view, tenant));
    LH_TRY(load_deks(view, tenant));
    LH_TRY(lh_registry_load_issuers(view, tenant));
    LH_TRY(lh_registry_load_signature_keys(view, tenant));
    LH_TRY(lh_registry_get_number(view, LH_META_PLATFORM_EPOCH, &tenant->platform_epoch));
    LH_TRY(has_rows_of(view, LH_TABLE_REVOCATIONS, &tenant->uid, &tenant->has_revocations));
    return has_rows_of(view, LH_TABLE_USER_EPOCHS, &tenant->uid, &tenant->has_user_epochs);
}

lh_status lh_registry_load_tenant(const struct lh_registry_view *view,
                                  const struct lh_tenant_uid *uid, struct lh_tenant **out_tenant)
{
    lh_slice row;
    LH_TRY(get_tenant_row(view, uid, &row));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_tenant_new(LH_TENANT_ARENA_MAX_BYTES, &tenant));
    tenant->uid = *uid;
    LH_TRY(fill_tenant(view, row, tenant));
    *out_tenant = tenant;
    tenant = NULL;
    return lh_ok();
}

/* --- The source of a directory ---------------------------------------------------------------- */

/* By what a tenant is asked for: a name of a kind, or the uid. */
struct tenant_query {
    enum lh_name_kind kind;
    lh_slice name;
    const struct lh_tenant_uid *uid; /* not NULL: by uid */
};

static lh_status resolve(const struct lh_registry_view *view, const struct tenant_query *query,
                         struct lh_tenant_uid *out_uid)
{
    if (query->uid != NULL) {
        *out_uid = *query->uid;
        return lh_ok();
    }
    return lh_registry_view_uid(view, query->kind, query->name, out_uid);
}

/* A name that leads to no tenant is a broken registry. */
static lh_status after_name(const struct tenant_query *query, lh_status status)
{
    bool is_broken = status.code == LH_ABSENT && query->uid == NULL;
    return is_broken ? lh_status_of(LH_REGISTRY_DOWN) : status;
}

static lh_status find_slot(struct lh_registry *registry, const struct tenant_query *query,
                           uint32_t *out_slot)
{
    LH_CLEANUP(lh_registry_view_close) struct lh_registry_view view = {.is_owned = false};
    struct lh_tenant_uid uid;
    LH_TRY(lh_registry_view_open(registry, &view));
    LH_TRY(resolve(&view, query, &uid));
    return after_name(query, lh_registry_view_slot(&view, &uid, out_slot));
}

static lh_status load_in_one_view(struct lh_registry *registry, const struct tenant_query *query,
                                  struct lh_tenant **out_tenant)
{
    LH_CLEANUP(lh_registry_view_close) struct lh_registry_view view = {.is_owned = false};
    struct lh_tenant_uid uid;
    LH_TRY(lh_registry_view_open(registry, &view));
    LH_TRY(resolve(&view, query, &uid));
    return after_name(query, lh_registry_load_tenant(&view, &uid, out_tenant));
}

/*
 * One try: the slot, then the counters, and only then the view whose content is kept.
 * Errors also: CONFLICT (the name has moved in between).
 */
static lh_status try_load(struct lh_registry *registry, const struct tenant_query *query,
                          struct lh_tenant **out_tenant)
{
    uint32_t slot;
    uint64_t counter, platform_counter;
    LH_TRY(lh_registry_env_complete(registry));
    LH_TRY(find_slot(registry, query, &slot));
    LH_TRY(lh_counters_read(registry->counters, LH_COUNTER_PLATFORM_SLOT, &platform_counter));
    LH_TRY(lh_counters_read(registry->counters, slot, &counter));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(load_in_one_view(registry, query, &tenant));
    LH_ENSURE(tenant->slot == slot, LH_CONFLICT);
    tenant->counter = counter;
    tenant->platform_counter = platform_counter;
    *out_tenant = tenant;
    tenant = NULL;
    return lh_ok();
}

static struct lh_registry *registry_of(void *self)
{
    struct lh_registry *registry = self;
    LH_MAGIC_CHECK(registry, LH_REGISTRY_MAGIC);
    return registry;
}

static lh_status load(void *self, const struct tenant_query *query, struct lh_tenant **out_tenant)
{
    struct lh_registry *registry = registry_of(self);
    for (unsigned i = 0; i < LOAD_TRIES; i++) {
        lh_status status = try_load(registry, query, out_tenant);
        LH_ENSURE(status.code == LH_CONFLICT, status.code);
    }
    return lh_status_of(LH_REGISTRY_DOWN);
}

static lh_status read_counter(void *self, uint32_t slot, uint64_t *out_value)
{
    return lh_counters_read(registry_of(self)->counters, slot, out_value);
}

static lh_status load_by_name(void *self, lh_slice name, struct lh_tenant **out_tenant)
{
    const struct tenant_query query = {.kind = LH_NAME_TENANT, .name = name};
    return load(self, &query, out_tenant);
}

static lh_status load_by_domain(void *self, lh_slice domain, struct lh_tenant **out_tenant)
{
    const struct tenant_query query = {.kind = LH_NAME_DOMAIN, .name = domain};
    return load(self, &query, out_tenant);
}

static lh_status load_by_uid(void *self, const struct lh_tenant_uid *uid,
                             struct lh_tenant **out_tenant)
{
    const struct tenant_query query = {.uid = uid};
    return load(self, &query, out_tenant);
}

void lh_registry_fill_source(struct lh_registry *registry)
{
    registry->source = (struct lh_directory_source){registry, read_counter, load_by_name,
                                                    load_by_domain, load_by_uid};
}

/* --- Revocations and user epochs -------------------------------------------------------------- */

lh_status lh_registry_read_revocation(struct lh_registry *registry, const struct lh_tenant_uid *uid,
                                      const struct lh_lease_id *lease,
                                      struct lh_revocation *out_revocation)
{
    uint8_t key[LH_SUBJECT_KEY_BYTES];
    lh_subject_key_write(uid, lease->bytes, key);
    LH_CLEANUP(lh_registry_view_close) struct lh_registry_view view = {.is_owned = false};
    LH_TRY(lh_registry_view_open(registry, &view));
    lh_slice row;
    struct lh_revocation_row found = {.keep_until_ms = 0};
    lh_status status = lh_registry_get_row(&view, LH_TABLE_REVOCATIONS, LH_SLICE_OF(key), &row);
    if (status.code != LH_ABSENT) {
        LH_TRY(status);
        LH_TRY(lh_registry_row_status(&view, LH_TABLE_REVOCATIONS,
                                      lh_revocation_row_read(row, &found)));
    }
    *out_revocation = found.revocation;
    return lh_ok();
}

lh_status lh_registry_read_user_epoch(struct lh_registry *registry, const struct lh_tenant_uid *uid,
                                      const struct lh_user_tag *tag, uint64_t *out_epoch)
{
    uint8_t key[LH_SUBJECT_KEY_BYTES];
    lh_subject_key_write(uid, tag->bytes, key);
    LH_CLEANUP(lh_registry_view_close) struct lh_registry_view view = {.is_owned = false};
    LH_TRY(lh_registry_view_open(registry, &view));
    lh_slice row;
    struct lh_user_epoch_row found = {.epoch = 0};
    lh_status status = lh_registry_get_row(&view, LH_TABLE_USER_EPOCHS, LH_SLICE_OF(key), &row);
    if (status.code != LH_ABSENT) {
        LH_TRY(status);
        LH_TRY(lh_registry_row_status(&view, LH_TABLE_USER_EPOCHS,
                                      lh_user_epoch_row_read(row, &found)));
    }
    *out_epoch = found.epoch;
    return lh_ok();
}
