/*
 * Issuers and signing keys: read into snapshots, and written so that no token can ever mean two
 * tenants. A tenant's own issuer is no row: it follows from the signing keys and the home's id.
 */
#include "registry/registry_env.h"

#include "registry/issuer_codec.h"
#include "registry/row_codec.h"

#include "base/banned.h"

#define HOME_ID_BYTES 16U
/* "urn:leasehold:" ‖ home id in hex ‖ "/": what every own iss of a home begins with. */
#define OWN_PREFIX       "urn:leasehold:"
#define OWN_PREFIX_BYTES (sizeof(OWN_PREFIX) - 1 + 2 * (size_t)HOME_ID_BYTES + 1)
/* The clock that issues and the one that verifies may be two: architecture §5 bounds them so. */
#define OWN_SKEW_S 5U
#define OWN_CLAIM  "tenant_id"

size_t lh_signing_kid_write(const struct lh_tenant_uid *uid,
                            const struct lh_wrapped_signing_key *key,
                            char out_kid[LH_SIGNING_KID_MAX_BYTES])
{
    char text[LH_SIGNING_KID_MAX_BYTES + 1];
    int len = snprintf(text, sizeof(text), "%02x%02x%02x%02x-%u-%02x%02x%02x%02x", uid->bytes[0],
                       uid->bytes[1], uid->bytes[2], uid->bytes[3], key->id, key->x[0], key->x[1],
                       key->x[2], key->x[3]);
    memcpy(out_kid, text, (size_t)len);
    return (size_t)len;
}

/* Errors: REGISTRY_DOWN. */
static lh_status write_own_prefix(const struct lh_registry_view *view, struct lh_buf *out)
{
    lh_slice home;
    lh_status status = lh_registry_get_row(view, LH_TABLE_META, LH_META_HOME, &home);
    LH_ENSURE(lh_is_ok(status) && home.len == HOME_ID_BYTES, LH_REGISTRY_DOWN);
    LH_TRY(lh_buf_add_text(out, OWN_PREFIX));
    for (size_t i = 0; i < home.len; i++) {
        LH_TRY(lh_buf_add_format(out, "%02x", home.ptr[i]));
    }
    return lh_buf_add_u8(out, '/');
}

/* --- Loading: signing keys -------------------------------------------------------------------- */

static lh_status read_signing_key(struct lh_tenant *tenant, const struct lh_registry_walk *walk)
{
    LH_ENSURE(tenant->signing_key_count < LH_SIGNING_KEYS_MAX, LH_MALFORMED);
    struct lh_wrapped_signing_key *key = &tenant->signing_keys[tenant->signing_key_count];
    bool is_first = tenant->signing_key_count == 0;
    LH_TRY(lh_dek_key_read(walk->key, &tenant->uid, &key->id));
    LH_TRY(lh_signing_row_read(walk->row, key));
    LH_ENSURE(key->id > 0 && (is_first || key->from_ms > (key - 1)->from_ms), LH_MALFORMED);
    LH_TRY(lh_arena_dup(&tenant->arena, key->blob, &key->blob));
    tenant->signing_key_count++;
    return lh_ok();
}

static lh_status load_signing_keys(const struct lh_registry_view *view, struct lh_tenant *tenant)
{
    void *memory;
    LH_TRY(lh_arena_take(&tenant->arena,
                         LH_SIGNING_KEYS_MAX * sizeof(struct lh_wrapped_signing_key), &memory));
    tenant->signing_keys = memory;
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(view, LH_TABLE_SIGNING, lh_tenant_uid_view(&tenant->uid), &walk));
    lh_status status = lh_registry_walk_next(&walk);
    while (lh_is_ok(status) && lh_slice_has_prefix(walk.key, lh_tenant_uid_view(&tenant->uid))) {
        LH_TRY(lh_registry_row_status(view, LH_TABLE_SIGNING, read_signing_key(tenant, &walk)));
        status = lh_registry_walk_next(&walk);
    }
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    return lh_ok();
}

static lh_status fill_own_key(struct lh_tenant *tenant, const struct lh_wrapped_signing_key *key,
                              struct lh_verify_key *out_key)
{
    char kid[LH_SIGNING_KID_MAX_BYTES];
    size_t kid_len = lh_signing_kid_write(&tenant->uid, key, kid);
    uint8_t point[2 * LH_SIGNING_COORDINATE_BYTES];
    memcpy(point, key->x, sizeof(key->x));
    memcpy(point + sizeof(key->x), key->y, sizeof(key->y));
    out_key->algorithm = LH_ES256;
    out_key->until_ms = key->until_ms;
    LH_TRY(lh_arena_dup(&tenant->arena, lh_slice_of(kid, kid_len), &out_key->kid));
    return lh_arena_dup(&tenant->arena, LH_SLICE_OF(point), &out_key->material);
}

static lh_status write_own_iss(const struct lh_registry_view *view, struct lh_tenant *tenant,
                               lh_slice *out_iss)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf iss = LH_BUF_EMPTY;
    char uid[LH_TENANT_UID_TEXT_BYTES];
    lh_tenant_uid_write(&tenant->uid, uid);
    LH_TRY(write_own_prefix(view, &iss));
    LH_TRY(lh_buf_add(&iss, LH_SLICE_OF(uid)));
    return lh_arena_dup(&tenant->arena, lh_buf_view(&iss), out_iss);
}

/* The first of the list; nothing where there are no signing keys. */
static lh_status add_own_issuer(const struct lh_registry_view *view, struct lh_tenant *tenant,
                                uint64_t generation)
{
    if (tenant->signing_key_count == 0) {
        return lh_ok();
    }
    struct lh_issuer *own = &tenant->issuers[0];
    void *memory;
    LH_TRY(lh_arena_take(&tenant->arena, tenant->signing_key_count * sizeof(struct lh_verify_key),
                         &memory));
    *own = (struct lh_issuer){.is_own = true,
                              .bind_claim = LH_SLICE_LITERAL(OWN_CLAIM),
                              .skew_s = OWN_SKEW_S,
                              .keys = memory,
                              .key_count = tenant->signing_key_count,
                              .generation = generation};
    LH_TRY(write_own_iss(view, tenant, &own->iss));
    for (size_t i = 0; i < own->key_count; i++) {
        LH_TRY(fill_own_key(tenant, &tenant->signing_keys[i], &own->keys[i]));
    }
    tenant->issuer_count = 1;
    return lh_ok();
}

/* --- Loading: issuers of others --------------------------------------------------------------- */

static lh_status read_issuer(struct lh_tenant *tenant, const struct lh_registry_walk *walk,
                             uint64_t generation)
{
    LH_ENSURE(tenant->issuer_count < LH_ISSUERS_MAX, LH_MALFORMED);
    struct lh_issuer *issuer = &tenant->issuers[tenant->issuer_count];
    lh_slice iss = lh_slice_cut(walk->key, LH_TENANT_UID_BYTES, walk->key.len);
    LH_TRY(lh_issuer_row_read(iss, walk->row, &tenant->arena, issuer));
    issuer->generation = generation;
    tenant->issuer_count++;
    return lh_ok();
}

static lh_status load_others(const struct lh_registry_view *view, struct lh_tenant *tenant,
                             uint64_t generation)
{
    lh_slice uid = lh_tenant_uid_view(&tenant->uid);
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(view, LH_TABLE_ISSUERS, uid, &walk));
    LH_TRY(lh_registry_walk_next(&walk)); /* the head, which was read before */
    lh_status status = lh_registry_walk_next(&walk);
    while (lh_is_ok(status) && lh_slice_has_prefix(walk.key, uid)) {
        LH_TRY(
            lh_registry_row_status(view, LH_TABLE_ISSUERS, read_issuer(tenant, &walk, generation)));
        status = lh_registry_walk_next(&walk);
    }
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    return lh_ok();
}

lh_status lh_registry_load_issuers(const struct lh_registry_view *view, struct lh_tenant *tenant)
{
    lh_slice row;
    lh_status status =
        lh_registry_get_row(view, LH_TABLE_ISSUERS, lh_tenant_uid_view(&tenant->uid), &row);
    if (status.code == LH_ABSENT) {
        return lh_ok(); /* it never had any */
    }
    LH_TRY(status);
    uint64_t generation;
    LH_TRY(lh_registry_row_status(view, LH_TABLE_ISSUERS, lh_issuer_head_read(row, &generation)));
    void *memory;
    LH_TRY(lh_arena_take(&tenant->arena, LH_ISSUERS_MAX * sizeof(struct lh_issuer), &memory));
    tenant->issuers = memory;
    LH_TRY(load_signing_keys(view, tenant));
    LH_TRY(add_own_issuer(view, tenant, generation));
    return load_others(view, tenant, generation);
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Marks the tenant, and says that its rows are of this transaction's generation. */
static lh_status put_head(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    LH_TRY(lh_registry_mark_tenant(txn, uid));
    LH_TRY(lh_issuer_head_write(txn->generation + 1, &row));
    return lh_registry_put_row(txn, LH_TABLE_ISSUERS, lh_tenant_uid_view(uid), lh_buf_view(&row));
}

/* Whether a tenant that has the same iss can be told from the one that shall have it. */
static lh_status compare(const struct lh_registry_view *view, const struct lh_issuer *issuer,
                         const struct lh_tenant_uid *other)
{
    struct lh_issuer_key key;
    struct lh_issuer_binding binding;
    lh_slice row;
    LH_TRY(lh_issuer_key_init(other, issuer->iss, &key));
    lh_status status = lh_registry_get_row(view, LH_TABLE_ISSUERS, lh_issuer_key_view(&key), &row);
    LH_ENSURE(status.code != LH_ABSENT, LH_REGISTRY_DOWN); /* the two tables contradict */
    LH_TRY(status);
    LH_TRY(
        lh_registry_row_status(view, LH_TABLE_ISSUERS, lh_issuer_row_read_binding(row, &binding)));
    LH_ENSURE(lh_issuer_is_told_from(issuer, &binding.issuer), LH_CONFLICT);
    return lh_ok();
}

/* Errors also: CONFLICT, with out_other written. */
static lh_status compare_with_all(const struct lh_registry_view *view,
                                  const struct lh_tenant_uid *uid, const struct lh_issuer *issuer,
                                  struct lh_tenant_uid *out_other)
{
    struct lh_issuer_key prefix;
    LH_TRY(lh_shared_key_init(issuer->iss, NULL, &prefix));
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(view, LH_TABLE_SHARED, lh_issuer_key_view(&prefix), &walk));
    lh_status status = lh_registry_walk_next(&walk);
    while (lh_is_ok(status) && lh_slice_has_prefix(walk.key, lh_issuer_key_view(&prefix))) {
        struct lh_tenant_uid other;
        LH_ENSURE(walk.key.len == prefix.len + sizeof(other.bytes), LH_REGISTRY_DOWN);
        memcpy(other.bytes, walk.key.ptr + prefix.len, sizeof(other.bytes));
        if (!lh_tenant_uid_is_equal(&other, uid)) {
            *out_other = other;
            LH_TRY(compare(view, issuer, &other));
        }
        status = lh_registry_walk_next(&walk);
    }
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    return lh_ok();
}

static bool has_iss_before(const struct lh_issuer *issuers, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (lh_slice_is_equal(issuers[i].iss, issuers[index].iss)) {
            return true;
        }
    }
    return false;
}

static lh_status check_issuers(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                               const struct lh_issuer *issuers, size_t count,
                               struct lh_issuer_conflict *out_conflict)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    LH_CLEANUP(lh_buf_fini) struct lh_buf own = lh_buf_bounded(OWN_PREFIX_BYTES);
    LH_TRY(write_own_prefix(&view, &own));
    for (size_t i = 0; i < count; i++) {
        out_conflict->index = i;
        LH_TRY(lh_issuer_check(&issuers[i]));
        LH_ENSURE(!has_iss_before(issuers, i), LH_DUPLICATE);
        LH_ENSURE(!lh_slice_has_prefix(issuers[i].iss, lh_buf_view(&own)), LH_RESERVED);
        LH_TRY(compare_with_all(&view, uid, &issuers[i], &out_conflict->other));
    }
    return lh_ok();
}

/* The first issuer of a tenant. out_iss: a copy. Errors: ABSENT (none), REGISTRY_DOWN. */
static lh_status find_first(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                            struct lh_buf *out_iss)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    LH_CLEANUP(lh_registry_walk_close) struct lh_registry_walk walk = {.cursor = NULL};
    LH_TRY(lh_registry_walk_open(&view, LH_TABLE_ISSUERS, lh_tenant_uid_view(uid), &walk));
    LH_TRY(lh_registry_walk_next(&walk));
    if (walk.key.len == LH_TENANT_UID_BYTES) {
        LH_TRY(lh_registry_walk_next(&walk)); /* behind the head */
    }
    LH_ENSURE(lh_slice_has_prefix(walk.key, lh_tenant_uid_view(uid)), LH_ABSENT);
    lh_buf_clear(out_iss);
    return lh_buf_add(out_iss, lh_slice_cut(walk.key, LH_TENANT_UID_BYTES, walk.key.len));
}

static lh_status delete_issuers(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf iss = LH_BUF_EMPTY;
    lh_status status = find_first(txn, uid, &iss);
    while (lh_is_ok(status)) {
        struct lh_issuer_key key, shared;
        LH_TRY(lh_issuer_key_init(uid, lh_buf_view(&iss), &key));
        LH_TRY(lh_shared_key_init(lh_buf_view(&iss), uid, &shared));
        LH_TRY(lh_registry_delete_row(txn, LH_TABLE_ISSUERS, lh_issuer_key_view(&key)));
        LH_TRY(lh_registry_delete_row(txn, LH_TABLE_SHARED, lh_issuer_key_view(&shared)));
        status = find_first(txn, uid, &iss);
    }
    return status.code == LH_ABSENT ? lh_ok() : status;
}

static lh_status put_issuer(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                            const struct lh_issuer *issuer)
{
    struct lh_issuer_key key, shared;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = lh_buf_bounded(LH_ISSUER_ROW_MAX_BYTES);
    LH_TRY(lh_issuer_key_init(uid, issuer->iss, &key));
    LH_TRY(lh_shared_key_init(issuer->iss, uid, &shared));
    LH_TRY(lh_issuer_row_write(issuer, &row));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_ISSUERS, lh_issuer_key_view(&key), lh_buf_view(&row)));
    return lh_registry_put_row(txn, LH_TABLE_SHARED, lh_issuer_key_view(&shared), LH_SLICE_EMPTY);
}

lh_status lh_registry_put_issuers(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                                  const struct lh_issuer *issuers, size_t count,
                                  struct lh_issuer_conflict *out_conflict)
{
    struct lh_registry_view view = lh_registry_txn_view(txn);
    uint32_t slot;
    LH_ENSURE(count < LH_ISSUERS_MAX, LH_TOO_LARGE);
    LH_TRY(lh_registry_view_slot(&view, uid, &slot));
    LH_TRY(check_issuers(txn, uid, issuers, count, out_conflict));
    LH_TRY(put_head(txn, uid));
    LH_TRY(delete_issuers(txn, uid));
    for (size_t i = 0; i < count; i++) {
        LH_TRY(put_issuer(txn, uid, &issuers[i]));
    }
    return count > 0 ? lh_registry_space_check(txn) : lh_ok();
}

lh_status lh_registry_put_signing_key(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                                      const struct lh_wrapped_signing_key *key)
{
    LH_ENSURE(key->id > 0, LH_INVALID);
    uint8_t row_key[LH_DEK_KEY_BYTES];
    lh_dek_key_write(uid, key->id, row_key);
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    LH_TRY(lh_signing_row_write(key, &row));
    LH_TRY(put_head(txn, uid));
    LH_TRY(lh_registry_put_row(txn, LH_TABLE_SIGNING, LH_SLICE_OF(row_key), lh_buf_view(&row)));
    return lh_registry_space_check(txn);
}

lh_status lh_registry_drop_signing_key(struct lh_registry_txn *txn, const struct lh_tenant_uid *uid,
                                       uint32_t id)
{
    uint8_t row_key[LH_DEK_KEY_BYTES];
    lh_dek_key_write(uid, id, row_key);
    LH_TRY(put_head(txn, uid));
    return lh_registry_delete_row(txn, LH_TABLE_SIGNING, LH_SLICE_OF(row_key));
}
