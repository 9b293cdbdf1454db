/*
 * Tenants as rows. Written without a tree, read through jansson; what is read is checked as if a
 * stranger had written it.
 */
#include "registry/tenant_codec.h"

#include "codec/json.h"
#include "registry/change_counter.h"

#include "base/banned.h"

#define TENANT_ROW_VERSION 1U

static const char *const state_names[] = {
    [LH_TENANT_ACTIVE] = "active",
    [LH_TENANT_DISABLED] = "disabled",
    [LH_TENANT_REMOVED] = "removed",
};

#define STATE_COUNT (sizeof(state_names) / sizeof(state_names[0]))

/* --- Writing ---------------------------------------------------------------------------------- */

static bool is_bucket_count(uint32_t count)
{
    return count > 0 && count <= LH_BUCKET_COUNT_MAX && (count & (count - 1)) == 0;
}

static lh_status check_fields(const struct lh_tenant *tenant)
{
    LH_ENSURE((unsigned)tenant->state < STATE_COUNT, LH_INVALID);
    LH_ENSURE(tenant->slot > 0 && tenant->slot < LH_COUNTER_SLOTS, LH_INVALID);
    LH_ENSURE(tenant->epoch <= INT64_MAX && tenant->created_ms <= INT64_MAX, LH_INVALID);
    LH_ENSURE(tenant->bucket_counts_len > 0 && tenant->bucket_counts_len <= LH_BUCKET_COUNTS_MAX,
              LH_INVALID);
    for (size_t i = 0; i < tenant->bucket_counts_len; i++) {
        LH_ENSURE(is_bucket_count(tenant->bucket_counts[i]), LH_INVALID);
    }
    return lh_ok();
}

static lh_status add_texts(struct lh_buf *out, const lh_slice *items, size_t count)
{
    LH_TRY(lh_buf_add_u8(out, '['));
    for (size_t i = 0; i < count; i++) {
        LH_TRY(lh_buf_add_text(out, i == 0 ? "" : ","));
        LH_TRY(lh_json_add_string(out, items[i]));
    }
    return lh_buf_add_u8(out, ']');
}

static lh_status add_roles(struct lh_buf *out, const struct lh_tenant *tenant)
{
    LH_TRY(lh_buf_add_u8(out, '['));
    for (size_t i = 0; i < tenant->role_count; i++) {
        const struct lh_role *role = &tenant->roles[i];
        LH_TRY(lh_buf_add_text(out, i == 0 ? "{\"name\":" : ",{\"name\":"));
        LH_TRY(lh_json_add_string(out, role->name));
        LH_TRY(lh_buf_add_text(out, ",\"scopes\":"));
        LH_TRY(add_texts(out, role->scopes, role->scope_count));
        LH_TRY(lh_buf_add_u8(out, '}'));
    }
    return lh_buf_add_u8(out, ']');
}

static lh_status add_buckets(struct lh_buf *out, const struct lh_tenant *tenant)
{
    LH_TRY(lh_buf_add_u8(out, '['));
    for (size_t i = 0; i < tenant->bucket_counts_len; i++) {
        LH_TRY(lh_buf_add_format(out, "%s%u", i == 0 ? "" : ",", tenant->bucket_counts[i]));
    }
    return lh_buf_add_u8(out, ']');
}

static lh_status add_json(struct lh_buf *out, const struct lh_tenant *tenant)
{
    LH_TRY(lh_buf_add_format(out, "{\"state\":\"%s\",\"epoch\":%llu,\"created_ms\":%llu,\"tier\":",
                             state_names[tenant->state], (unsigned long long)tenant->epoch,
                             (unsigned long long)tenant->created_ms));
    LH_TRY(lh_json_add_string(out, lh_tier_name(&tenant->tier)));
    LH_TRY(lh_buf_add_text(out, ",\"buckets\":"));
    LH_TRY(add_buckets(out, tenant));
    LH_TRY(lh_buf_add_text(out, ",\"roles\":"));
    LH_TRY(add_roles(out, tenant));
    LH_TRY(lh_buf_add_text(out, ",\"aliases\":"));
    LH_TRY(add_texts(out, tenant->aliases, tenant->alias_count));
    LH_TRY(lh_buf_add_text(out, ",\"domains\":"));
    LH_TRY(add_texts(out, tenant->domains, tenant->domain_count));
    return lh_buf_add_u8(out, '}');
}

lh_status lh_tenant_row_write(const struct lh_tenant *tenant, struct lh_buf *out)
{
    LH_TRY(check_fields(tenant));
    LH_TRY(lh_buf_add_u8(out, TENANT_ROW_VERSION));
    LH_TRY(lh_buf_add_u32(out, tenant->slot));
    LH_TRY(lh_buf_add_u8(out, tenant->id.len));
    LH_TRY(lh_buf_add(out, lh_tenant_id_view(&tenant->id)));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(tenant->bucket_key.bytes)));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(tenant->index_key.bytes)));
    LH_TRY(add_json(out, tenant));
    LH_ENSURE(out->len <= LH_TENANT_ROW_MAX_BYTES, LH_TOO_LARGE);
    return lh_ok();
}

/* --- Reading ---------------------------------------------------------------------------------- */

static lh_status read_head(struct lh_cursor *cursor, struct lh_tenant_row_head *out_head)
{
    uint8_t version, id_len;
    struct lh_tenant_row_head head;
    lh_slice id;
    LH_TRY(lh_cursor_u8(cursor, &version));
    LH_ENSURE(version != 0, LH_MALFORMED);
    LH_ENSURE(version <= TENANT_ROW_VERSION, LH_FUTURE_FORMAT);
    LH_TRY(lh_cursor_u32(cursor, &head.slot));
    LH_ENSURE(head.slot > 0 && head.slot < LH_COUNTER_SLOTS, LH_MALFORMED);
    LH_TRY(lh_cursor_u8(cursor, &id_len));
    LH_TRY(lh_cursor_view(cursor, id_len, &id));
    LH_TRY(lh_tenant_id_parse(id, &head.id));
    *out_head = head;
    return lh_ok();
}

lh_status lh_tenant_row_read_head(lh_slice row, struct lh_tenant_row_head *out_head)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    return read_head(&cursor, out_head);
}

/* A member that must be there: its absence is a broken row, not an answer. */
static lh_status need(lh_status status)
{
    return status.code == LH_ABSENT ? lh_status_of(LH_MALFORMED) : status;
}

static lh_status get_array(const json_t *object, const char *name, const json_t **out_array)
{
    const json_t *array = json_object_get(object, name);
    LH_ENSURE(json_is_array(array), LH_MALFORMED);
    *out_array = array;
    return lh_ok();
}

static lh_status read_text(struct lh_arena *arena, const json_t *value, lh_slice *out_text)
{
    LH_ENSURE(json_is_string(value), LH_MALFORMED);
    return lh_arena_dup(arena, lh_slice_of(json_string_value(value), json_string_length(value)),
                        out_text);
}

static lh_status read_texts(struct lh_arena *arena, const json_t *object, const char *name,
                            lh_slice **out_items, size_t *out_count)
{
    const json_t *array;
    void *memory;
    LH_TRY(get_array(object, name, &array));
    size_t count = json_array_size(array);
    LH_TRY(lh_arena_take(arena, count * sizeof(lh_slice), &memory));
    lh_slice *items = memory;
    for (size_t i = 0; i < count; i++) {
        LH_TRY(read_text(arena, json_array_get(array, i), &items[i]));
    }
    *out_items = items;
    *out_count = count;
    return lh_ok();
}

static lh_status read_roles(const json_t *object, struct lh_tenant *tenant)
{
    const json_t *array;
    void *memory;
    LH_TRY(get_array(object, "roles", &array));
    size_t count = json_array_size(array);
    LH_TRY(lh_arena_take(&tenant->arena, count * sizeof(struct lh_role), &memory));
    struct lh_role *roles = memory;
    for (size_t i = 0; i < count; i++) {
        const json_t *role = json_array_get(array, i);
        LH_TRY(read_text(&tenant->arena, json_object_get(role, "name"), &roles[i].name));
        LH_TRY(read_texts(&tenant->arena, role, "scopes", &roles[i].scopes, &roles[i].scope_count));
    }
    tenant->roles = roles;
    tenant->role_count = count;
    return lh_ok();
}

static lh_status read_buckets(const json_t *object, struct lh_tenant *tenant)
{
    const json_t *array;
    LH_TRY(get_array(object, "buckets", &array));
    size_t count = json_array_size(array);
    LH_ENSURE(count > 0 && count <= LH_BUCKET_COUNTS_MAX, LH_MALFORMED);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        json_int_t value = json_integer_value(item); /* 0 for what is no number */
        LH_ENSURE(value > 0 && value <= LH_BUCKET_COUNT_MAX && is_bucket_count((uint32_t)value),
                  LH_MALFORMED);
        tenant->bucket_counts[i] = (uint32_t)value;
    }
    tenant->bucket_counts_len = (uint8_t)count;
    return lh_ok();
}

static lh_status read_state(const json_t *object, enum lh_tenant_state *out_state)
{
    lh_slice name;
    LH_TRY(need(lh_json_get_string(object, "state", &name)));
    for (unsigned i = 0; i < STATE_COUNT; i++) {
        if (lh_slice_is_equal(name, lh_slice_from_text(state_names[i]))) {
            *out_state = (enum lh_tenant_state)i;
            return lh_ok();
        }
    }
    return lh_status_of(LH_MALFORMED);
}

static lh_status read_tier_name(const json_t *object, struct lh_tier *out_tier)
{
    lh_slice name;
    LH_TRY(need(lh_json_get_string(object, "tier", &name)));
    LH_ENSURE(name.len > 0 && name.len <= sizeof(out_tier->name), LH_MALFORMED);
    memcpy(out_tier->name, name.ptr, name.len);
    out_tier->name_len = (uint8_t)name.len;
    return lh_ok();
}

static lh_status read_json(const json_t *object, struct lh_tenant *tenant)
{
    LH_TRY(read_state(object, &tenant->state));
    LH_TRY(need(lh_json_get_u64(object, "epoch", INT64_MAX, &tenant->epoch)));
    LH_TRY(need(lh_json_get_u64(object, "created_ms", INT64_MAX, &tenant->created_ms)));
    LH_TRY(read_tier_name(object, &tenant->tier));
    LH_TRY(read_buckets(object, tenant));
    LH_TRY(read_roles(object, tenant));
    LH_TRY(read_texts(&tenant->arena, object, "aliases", &tenant->aliases, &tenant->alias_count));
    return read_texts(&tenant->arena, object, "domains", &tenant->domains, &tenant->domain_count);
}

lh_status lh_tenant_row_read(lh_slice row, struct lh_tenant *tenant)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    struct lh_tenant_row_head head;
    LH_TRY(read_head(&cursor, &head));
    tenant->slot = head.slot;
    tenant->id = head.id;
    LH_TRY(lh_cursor_copy(&cursor, tenant->bucket_key.bytes, sizeof(tenant->bucket_key.bytes)));
    LH_TRY(lh_cursor_copy(&cursor, tenant->index_key.bytes, sizeof(tenant->index_key.bytes)));
    LH_CLEANUP(lh_json_fini) json_t *object = NULL;
    LH_TRY(lh_json_parse(cursor.rest, LH_TENANT_ROW_MAX_BYTES, &object));
    return read_json(object, tenant);
}
