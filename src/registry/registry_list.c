/*
 * Lists for operators. What is listed is collected in one view and handed out after it is
 * closed, so that the callback may use the registry too.
 */
#include "registry/registry_env.h"

#include "registry/row_codec.h"
#include "registry/tenant_codec.h"

#include "base/banned.h"

/* A tenant with what orders the list. */
struct listed_tenant {
    struct lh_tenant_id id;
    struct lh_tenant_uid uid;
};

static lh_status read_listed(const struct lh_registry_walk *walk, struct listed_tenant *out_listed)
{
    struct lh_tenant_row_head head;
    LH_ENSURE(walk->key.len == LH_TENANT_UID_BYTES, LH_MALFORMED);
    LH_TRY(lh_tenant_row_read_head(walk->row, &head));
    out_listed->id = head.id;
    memcpy(out_listed->uid.bytes, walk->key.ptr, sizeof(out_listed->uid.bytes));
    return lh_ok();
}

static lh_status collect_tenants(struct lh_registry *registry, struct lh_buf *out_listed)
{
    LH_CLEANUP(lh_registry_view_close) struct lh_registry_view view = {.is_owned = false};
    LH_TRY(lh_registry_view_open(registry, &view));
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(&view, LH_TABLE_TENANTS, LH_SLICE_EMPTY, &walk));
    lh_status status = lh_registry_walk_next(&walk);
    while (lh_is_ok(status)) {
        struct listed_tenant listed;
        LH_TRY(lh_registry_row_status(&view, LH_TABLE_TENANTS, read_listed(&walk, &listed)));
        LH_TRY(lh_buf_add(out_listed, LH_SLICE_OF(listed)));
        status = lh_registry_walk_next(&walk);
    }
    return status.code == LH_ABSENT ? lh_ok() : status;
}

static int order_bytes(lh_slice a, lh_slice b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (a.ptr[i] != b.ptr[i]) {
            return a.ptr[i] < b.ptr[i] ? -1 : 1;
        }
    }
    return (a.len > b.len) - (a.len < b.len);
}

/* By id; a removed tenant may share it with its successor, so the uid decides then. */
static int order_listed(const void *a, const void *b)
{
    const struct listed_tenant *left = a;
    const struct listed_tenant *right = b;
    int order = order_bytes(lh_tenant_id_view(&left->id), lh_tenant_id_view(&right->id));
    return order != 0
               ? order
               : order_bytes(lh_tenant_uid_view(&left->uid), lh_tenant_uid_view(&right->uid));
}

lh_status lh_registry_each_tenant(struct lh_registry *registry,
                                  bool (*each)(void *context, const struct lh_tenant *tenant),
                                  void *context)
{
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf buf = lh_buf_bounded(LH_COUNTER_SLOTS * sizeof(struct listed_tenant));
    LH_TRY(collect_tenants(registry, &buf));
    struct listed_tenant *listed = (struct listed_tenant *)(void *)buf.ptr; /* from malloc */
    size_t count = buf.len / sizeof(*listed);
    if (count > 1) {
        qsort(listed, count, sizeof(*listed), order_listed);
    }
    bool goes_on = true;
    for (size_t i = 0; i < count && goes_on; i++) {
        LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
        LH_TRY(registry->source.load_by_uid(registry->source.self, &listed[i].uid, &tenant));
        goes_on = each(context, tenant);
    }
    return lh_ok();
}

static lh_status collect_tiers(struct lh_registry *registry, struct lh_buf *out_tiers)
{
    LH_CLEANUP(lh_registry_view_close) struct lh_registry_view view = {.is_owned = false};
    LH_TRY(lh_registry_view_open(registry, &view));
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(&view, LH_TABLE_TIERS, LH_SLICE_EMPTY, &walk));
    lh_status status = lh_registry_walk_next(&walk);
    while (lh_is_ok(status)) {
        struct lh_tier tier;
        LH_TRY(lh_registry_row_status(&view, LH_TABLE_TIERS,
                                      lh_tier_row_read(walk.key, walk.row, &tier)));
        LH_TRY(lh_buf_add(out_tiers, LH_SLICE_OF(tier)));
        status = lh_registry_walk_next(&walk);
    }
    return status.code == LH_ABSENT ? lh_ok() : status;
}

lh_status lh_registry_each_tier(struct lh_registry *registry,
                                bool (*each)(void *context, const struct lh_tier *tier),
                                void *context)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf buf = LH_BUF_EMPTY;
    LH_TRY(collect_tiers(registry, &buf));
    const struct lh_tier *tiers = (const struct lh_tier *)(const void *)buf.ptr; /* from malloc */
    size_t count = buf.len / sizeof(*tiers);
    for (size_t i = 0; i < count && each(context, &tiers[i]); i++) {
    }
    return lh_ok();
}
