/*
 * Rows and keys as bytes. All are read through the cursor and must be read to their end, so that
 * a row of another kind or a cut one never passes.
 */
#include "registry/row_codec.h"

#include "base/banned.h"

/* First byte of every row here. */
#define ROW_VERSION     1U

#define NAME_KEY_TENANT 't'
#define NAME_KEY_DOMAIN 'd'

static lh_status read_version(struct lh_cursor *cursor)
{
    uint8_t version;
    LH_TRY(lh_cursor_u8(cursor, &version));
    LH_ENSURE(version != 0, LH_MALFORMED);
    LH_ENSURE(version <= ROW_VERSION, LH_FUTURE_FORMAT);
    return lh_ok();
}

/* A byte that is 0 or 1 and nothing else. */
static lh_status read_flag(struct lh_cursor *cursor, bool *out_flag)
{
    uint8_t byte;
    LH_TRY(lh_cursor_u8(cursor, &byte));
    LH_ENSURE(byte <= 1, LH_MALFORMED);
    *out_flag = byte == 1;
    return lh_ok();
}

/* --- Names ------------------------------------------------------------------------------------ */

lh_status lh_name_row_write(const struct lh_name_row *name, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, ROW_VERSION));
    LH_TRY(lh_buf_add_u8(out, name->is_reserved ? 1 : 0));
    LH_TRY(lh_buf_add(out, lh_tenant_uid_view(&name->uid)));
    return lh_buf_add_u64(out, name->reserved_until_ms);
}

lh_status lh_name_row_read(lh_slice row, struct lh_name_row *out_name)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    struct lh_name_row name;
    LH_TRY(read_version(&cursor));
    LH_TRY(read_flag(&cursor, &name.is_reserved));
    LH_TRY(lh_cursor_copy(&cursor, name.uid.bytes, sizeof(name.uid.bytes)));
    LH_TRY(lh_cursor_u64(&cursor, &name.reserved_until_ms));
    LH_TRY(lh_cursor_finish(&cursor));
    *out_name = name;
    return lh_ok();
}

lh_status lh_name_key_init(enum lh_name_kind kind, lh_slice name, struct lh_name_key *out_key)
{
    LH_ENSURE(name.len > 0 && name.len <= LH_NAME_MAX_BYTES, LH_INVALID);
    out_key->bytes[0] = kind == LH_NAME_TENANT ? NAME_KEY_TENANT : NAME_KEY_DOMAIN;
    memcpy(out_key->bytes + 1, name.ptr, name.len);
    out_key->len = 1 + name.len;
    return lh_ok();
}

/* --- Wrapped keys ----------------------------------------------------------------------------- */

lh_status lh_dek_row_write(const struct lh_wrapped_dek *dek, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, ROW_VERSION));
    LH_TRY(lh_buf_add_u8(out, (uint8_t)dek->state));
    LH_TRY(lh_buf_add_u64(out, dek->created_ms));
    LH_TRY(lh_buf_add_u64(out, dek->retire_ms));
    return lh_buf_add(out, dek->blob);
}

lh_status lh_dek_row_read(lh_slice row, struct lh_wrapped_dek *out_dek)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    uint8_t state;
    uint64_t created_ms, retire_ms;
    LH_TRY(read_version(&cursor));
    LH_TRY(lh_cursor_u8(&cursor, &state));
    LH_ENSURE(state <= LH_DEK_DESTROYED, LH_MALFORMED);
    LH_TRY(lh_cursor_u64(&cursor, &created_ms));
    LH_TRY(lh_cursor_u64(&cursor, &retire_ms));
    out_dek->state = (enum lh_dek_state)state;
    out_dek->created_ms = created_ms;
    out_dek->retire_ms = retire_ms;
    out_dek->blob = cursor.rest;
    return lh_ok();
}

static void store_u32(uint32_t value, uint8_t out_bytes[4])
{
    for (unsigned i = 0; i < 4; i++) {
        out_bytes[i] = (uint8_t)(value >> (8U * (3U - i)));
    }
}

void lh_dek_key_write(const struct lh_tenant_uid *uid, uint32_t id,
                      uint8_t out_key[LH_DEK_KEY_BYTES])
{
    memcpy(out_key, uid->bytes, sizeof(uid->bytes));
    store_u32(id, out_key + sizeof(uid->bytes));
}

lh_status lh_dek_key_read(lh_slice key, const struct lh_tenant_uid *uid, uint32_t *out_id)
{
    struct lh_cursor cursor = lh_cursor_over(key);
    struct lh_tenant_uid owner;
    uint32_t id;
    LH_TRY(lh_cursor_copy(&cursor, owner.bytes, sizeof(owner.bytes)));
    LH_ENSURE(lh_tenant_uid_is_equal(&owner, uid), LH_ABSENT);
    LH_TRY(lh_cursor_u32(&cursor, &id));
    LH_TRY(lh_cursor_finish(&cursor));
    *out_id = id;
    return lh_ok();
}

/* --- Revocations and user epochs -------------------------------------------------------------- */

lh_status lh_revocation_row_write(const struct lh_revocation_row *revocation, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, ROW_VERSION));
    LH_TRY(lh_buf_add_u8(out, revocation->revocation.is_revoked ? 1 : 0));
    LH_TRY(lh_buf_add_u64(out, revocation->revocation.least_generation));
    return lh_buf_add_u64(out, revocation->keep_until_ms);
}

lh_status lh_revocation_row_read(lh_slice row, struct lh_revocation_row *out_revocation)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    struct lh_revocation_row revocation;
    LH_TRY(read_version(&cursor));
    LH_TRY(read_flag(&cursor, &revocation.revocation.is_revoked));
    LH_TRY(lh_cursor_u64(&cursor, &revocation.revocation.least_generation));
    LH_TRY(lh_cursor_u64(&cursor, &revocation.keep_until_ms));
    LH_TRY(lh_cursor_finish(&cursor));
    *out_revocation = revocation;
    return lh_ok();
}

lh_status lh_user_epoch_row_write(const struct lh_user_epoch_row *epoch, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, ROW_VERSION));
    LH_TRY(lh_buf_add_u64(out, epoch->epoch));
    return lh_buf_add_u64(out, epoch->keep_until_ms);
}

lh_status lh_user_epoch_row_read(lh_slice row, struct lh_user_epoch_row *out_epoch)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    struct lh_user_epoch_row epoch;
    LH_TRY(read_version(&cursor));
    LH_TRY(lh_cursor_u64(&cursor, &epoch.epoch));
    LH_TRY(lh_cursor_u64(&cursor, &epoch.keep_until_ms));
    LH_TRY(lh_cursor_finish(&cursor));
    *out_epoch = epoch;
    return lh_ok();
}

void lh_subject_key_write(const struct lh_tenant_uid *uid, const uint8_t subject[16],
                          uint8_t out_key[LH_SUBJECT_KEY_BYTES])
{
    memcpy(out_key, uid->bytes, sizeof(uid->bytes));
    memcpy(out_key + sizeof(uid->bytes), subject, 16);
}

void lh_end_key_write(const struct lh_end_key *end, uint8_t out_key[LH_END_KEY_BYTES])
{
    store_u32((uint32_t)(end->end_ms >> 32), out_key);
    store_u32((uint32_t)end->end_ms, out_key + 4);
    out_key[8] = end->table;
    memcpy(out_key + 9, end->subject_key, LH_SUBJECT_KEY_BYTES);
}

lh_status lh_end_key_read(lh_slice key, struct lh_end_key *out_end)
{
    struct lh_cursor cursor = lh_cursor_over(key);
    struct lh_end_key end;
    LH_TRY(lh_cursor_u64(&cursor, &end.end_ms));
    LH_TRY(lh_cursor_u8(&cursor, &end.table));
    LH_TRY(lh_cursor_copy(&cursor, end.subject_key, sizeof(end.subject_key)));
    LH_TRY(lh_cursor_finish(&cursor));
    *out_end = end;
    return lh_ok();
}

/* --- Tiers ------------------------------------------------------------------------------------ */

/* Rows of version 1 end before the rate of requests: no limit. */
#define TIER_ROW_VERSION 2U

lh_status lh_tier_row_write(const struct lh_tier *tier, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, TIER_ROW_VERSION));
    LH_TRY(lh_buf_add_u32(out, tier->idle_s));
    LH_TRY(lh_buf_add_u32(out, tier->absolute_s));
    LH_TRY(lh_buf_add_u64(out, tier->sessions_max));
    LH_TRY(lh_buf_add_u32(out, tier->sessions_per_user_max));
    LH_TRY(lh_buf_add_u32(out, tier->record_max_bytes));
    LH_TRY(lh_buf_add_u32(out, tier->requests_per_s));
    return lh_buf_add_u32(out, tier->requests_burst);
}

static lh_status read_requests(struct lh_cursor *cursor, struct lh_tier *tier)
{
    LH_TRY(lh_cursor_u32(cursor, &tier->requests_per_s));
    return lh_cursor_u32(cursor, &tier->requests_burst);
}

lh_status lh_tier_row_read(lh_slice name, lh_slice row, struct lh_tier *out_tier)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    struct lh_tier tier = {.name_len = (uint8_t)name.len};
    LH_ENSURE(name.len > 0 && name.len <= sizeof(tier.name), LH_MALFORMED);
    memcpy(tier.name, name.ptr, name.len);
    uint8_t version;
    LH_TRY(lh_cursor_u8(&cursor, &version));
    LH_ENSURE(version != 0, LH_MALFORMED);
    LH_ENSURE(version <= TIER_ROW_VERSION, LH_FUTURE_FORMAT);
    LH_TRY(lh_cursor_u32(&cursor, &tier.idle_s));
    LH_TRY(lh_cursor_u32(&cursor, &tier.absolute_s));
    LH_TRY(lh_cursor_u64(&cursor, &tier.sessions_max));
    LH_TRY(lh_cursor_u32(&cursor, &tier.sessions_per_user_max));
    LH_TRY(lh_cursor_u32(&cursor, &tier.record_max_bytes));
    if (version >= TIER_ROW_VERSION) {
        LH_TRY(read_requests(&cursor, &tier));
    }
    LH_TRY(lh_cursor_finish(&cursor));
    LH_ENSURE(lh_is_ok(lh_tier_check(&tier)), LH_MALFORMED);
    *out_tier = tier;
    return lh_ok();
}
