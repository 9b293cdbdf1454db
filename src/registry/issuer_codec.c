/*
 * Issuers and signing keys as bytes.
 */
#include "registry/issuer_codec.h"

#include "base/banned.h"

/* First byte of every row here. */
#define ROW_VERSION 1U
/* Second byte of an issuer's. */
#define FLAG_SHARED 1U

static lh_status read_version(struct lh_cursor *cursor)
{
    uint8_t version;
    LH_TRY(lh_cursor_u8(cursor, &version));
    LH_ENSURE(version != 0, LH_MALFORMED);
    LH_ENSURE(version <= ROW_VERSION, LH_FUTURE_FORMAT);
    return lh_ok();
}

/* --- Issuers: writing ------------------------------------------------------------------------- */

/* A text of at most 255 bytes: that is its longest, see lh_issuer_check. */
static lh_status add_text(struct lh_buf *out, lh_slice text)
{
    LH_TRY(lh_buf_add_u8(out, (uint8_t)text.len));
    return lh_buf_add(out, text);
}

static lh_status add_key(struct lh_buf *out, const struct lh_verify_key *key)
{
    LH_TRY(add_text(out, key->kid));
    LH_TRY(lh_buf_add_u8(out, (uint8_t)key->algorithm));
    LH_TRY(lh_buf_add_u64(out, key->until_ms));
    LH_TRY(lh_buf_add_u16(out, (uint16_t)key->material.len));
    return lh_buf_add(out, key->material);
}

lh_status lh_issuer_row_write(const struct lh_issuer *issuer, struct lh_buf *out)
{
    LH_TRY(lh_issuer_check(issuer));
    LH_TRY(lh_buf_add_u8(out, ROW_VERSION));
    LH_TRY(lh_buf_add_u8(out, issuer->is_shared ? FLAG_SHARED : 0));
    LH_TRY(add_text(out, issuer->bind_claim));
    LH_TRY(add_text(out, issuer->bind_value));
    LH_TRY(lh_buf_add_u8(out, (uint8_t)issuer->audience_count));
    for (size_t i = 0; i < issuer->audience_count; i++) {
        LH_TRY(add_text(out, issuer->audiences[i]));
    }
    LH_TRY(lh_buf_add_u8(out, (uint8_t)issuer->skew_s));
    LH_TRY(add_text(out, issuer->typ));
    LH_TRY(lh_buf_add_u8(out, (uint8_t)issuer->key_count));
    for (size_t i = 0; i < issuer->key_count; i++) {
        LH_TRY(add_key(out, &issuer->keys[i]));
    }
    return lh_ok();
}

/* --- Issuers: reading ------------------------------------------------------------------------- */

static lh_status read_text(struct lh_cursor *cursor, lh_slice *out_text)
{
    uint8_t len;
    LH_TRY(lh_cursor_u8(cursor, &len));
    return lh_cursor_view(cursor, len, out_text);
}

/* All up to the audiences, which are views into the row. */
static lh_status read_binding(struct lh_cursor *cursor, struct lh_issuer_binding *binding)
{
    uint8_t flags, count;
    LH_TRY(read_version(cursor));
    LH_TRY(lh_cursor_u8(cursor, &flags));
    LH_ENSURE(flags <= FLAG_SHARED, LH_MALFORMED);
    binding->issuer = (struct lh_issuer){.is_shared = flags == FLAG_SHARED};
    LH_TRY(read_text(cursor, &binding->issuer.bind_claim));
    LH_TRY(read_text(cursor, &binding->issuer.bind_value));
    LH_TRY(lh_cursor_u8(cursor, &count));
    LH_ENSURE(count <= LH_ISSUER_AUDIENCES_MAX, LH_MALFORMED);
    for (size_t i = 0; i < count; i++) {
        LH_TRY(read_text(cursor, &binding->audiences[i]));
    }
    binding->issuer.audiences = binding->audiences;
    binding->issuer.audience_count = count;
    return lh_ok();
}

lh_status lh_issuer_row_read_binding(lh_slice row, struct lh_issuer_binding *out_binding)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    return read_binding(&cursor, out_binding);
}

static lh_status read_key(struct lh_cursor *cursor, struct lh_verify_key *out_key)
{
    uint8_t algorithm;
    uint16_t len;
    LH_TRY(read_text(cursor, &out_key->kid));
    LH_TRY(lh_cursor_u8(cursor, &algorithm));
    LH_ENSURE(algorithm >= LH_RS256 && algorithm <= LH_EDDSA, LH_MALFORMED);
    out_key->algorithm = (enum lh_algorithm)algorithm;
    LH_TRY(lh_cursor_u64(cursor, &out_key->until_ms));
    LH_TRY(lh_cursor_u16(cursor, &len));
    return lh_cursor_view(cursor, len, &out_key->material);
}

static lh_status read_keys(struct lh_cursor *cursor, struct lh_arena *arena,
                           struct lh_issuer *issuer)
{
    uint8_t count;
    void *memory;
    LH_TRY(lh_cursor_u8(cursor, &count));
    LH_ENSURE(count <= LH_ISSUER_KEYS_MAX, LH_MALFORMED);
    LH_TRY(lh_arena_take(arena, count * sizeof(struct lh_verify_key), &memory));
    issuer->keys = memory;
    for (size_t i = 0; i < count; i++) {
        LH_TRY(read_key(cursor, &issuer->keys[i]));
    }
    issuer->key_count = count;
    return lh_ok();
}

static lh_status copy_audiences(struct lh_arena *arena, const struct lh_issuer_binding *binding,
                                struct lh_issuer *issuer)
{
    void *memory;
    LH_TRY(lh_arena_take(arena, issuer->audience_count * sizeof(lh_slice), &memory));
    issuer->audiences = memory;
    for (size_t i = 0; i < issuer->audience_count; i++) {
        issuer->audiences[i] = binding->audiences[i];
    }
    return lh_ok();
}

lh_status lh_issuer_row_read(lh_slice iss, lh_slice row, struct lh_arena *arena,
                             struct lh_issuer *out_issuer)
{
    LH_ENSURE(row.len <= LH_ISSUER_ROW_MAX_BYTES, LH_MALFORMED);
    lh_slice copy;
    LH_TRY(lh_arena_dup(arena, row, &copy)); /* one piece, into which all texts point */
    struct lh_cursor cursor = lh_cursor_over(copy);
    struct lh_issuer_binding binding;
    LH_TRY(read_binding(&cursor, &binding));
    struct lh_issuer issuer = binding.issuer;
    uint8_t skew_s;
    LH_TRY(copy_audiences(arena, &binding, &issuer));
    LH_TRY(lh_cursor_u8(&cursor, &skew_s));
    issuer.skew_s = skew_s;
    LH_TRY(read_text(&cursor, &issuer.typ));
    LH_TRY(read_keys(&cursor, arena, &issuer));
    LH_TRY(lh_cursor_finish(&cursor));
    LH_TRY(lh_arena_dup(arena, iss, &issuer.iss));
    LH_ENSURE(lh_is_ok(lh_issuer_check(&issuer)), LH_MALFORMED);
    *out_issuer = issuer;
    return lh_ok();
}

/* --- Signing keys ----------------------------------------------------------------------------- */

static bool is_signing_key(const struct lh_wrapped_signing_key *key)
{
    return key->life_s > 0 && key->blob.len <= LH_SIGNING_BLOB_MAX_BYTES &&
           (key->until_ms == 0 || key->until_ms > key->from_ms);
}

lh_status lh_signing_row_write(const struct lh_wrapped_signing_key *key, struct lh_buf *out)
{
    LH_ENSURE(is_signing_key(key), LH_INVALID);
    LH_TRY(lh_buf_add_u8(out, ROW_VERSION));
    LH_TRY(lh_buf_add_u64(out, key->created_ms));
    LH_TRY(lh_buf_add_u64(out, key->from_ms));
    LH_TRY(lh_buf_add_u64(out, key->until_ms));
    LH_TRY(lh_buf_add_u32(out, key->life_s));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(key->x)));
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(key->y)));
    return lh_buf_add(out, key->blob);
}

lh_status lh_signing_row_read(lh_slice row, struct lh_wrapped_signing_key *out_key)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    struct lh_wrapped_signing_key key = {.id = out_key->id};
    LH_TRY(read_version(&cursor));
    LH_TRY(lh_cursor_u64(&cursor, &key.created_ms));
    LH_TRY(lh_cursor_u64(&cursor, &key.from_ms));
    LH_TRY(lh_cursor_u64(&cursor, &key.until_ms));
    LH_TRY(lh_cursor_u32(&cursor, &key.life_s));
    LH_TRY(lh_cursor_copy(&cursor, key.x, sizeof(key.x)));
    LH_TRY(lh_cursor_copy(&cursor, key.y, sizeof(key.y)));
    key.blob = cursor.rest;
    LH_ENSURE(is_signing_key(&key), LH_MALFORMED);
    *out_key = key;
    return lh_ok();
}

/* --- Heads ------------------------------------------------------------------------------------ */

lh_status lh_issuer_head_write(uint64_t generation, struct lh_buf *out)
{
    LH_TRY(lh_buf_add_u8(out, ROW_VERSION));
    return lh_buf_add_u64(out, generation);
}

lh_status lh_issuer_head_read(lh_slice row, uint64_t *out_generation)
{
    struct lh_cursor cursor = lh_cursor_over(row);
    uint64_t generation;
    LH_TRY(read_version(&cursor));
    LH_TRY(lh_cursor_u64(&cursor, &generation));
    LH_TRY(lh_cursor_finish(&cursor));
    *out_generation = generation;
    return lh_ok();
}

/* --- Keys ------------------------------------------------------------------------------------- */

static void add_bytes(struct lh_issuer_key *key, lh_slice bytes)
{
    memcpy(key->bytes + key->len, bytes.ptr, bytes.len);
    key->len += bytes.len;
}

lh_status lh_issuer_key_init(const struct lh_tenant_uid *uid, lh_slice iss,
                             struct lh_issuer_key *out_key)
{
    LH_ENSURE(iss.len > 0 && iss.len <= LH_ISSUER_TEXT_MAX_BYTES, LH_INVALID);
    out_key->len = 0;
    add_bytes(out_key, lh_tenant_uid_view(uid));
    add_bytes(out_key, iss);
    return lh_ok();
}

lh_status lh_shared_key_init(lh_slice iss, const struct lh_tenant_uid *uid,
                             struct lh_issuer_key *out_key)
{
    LH_ENSURE(iss.len > 0 && iss.len <= LH_ISSUER_TEXT_MAX_BYTES, LH_INVALID);
    out_key->bytes[0] = (uint8_t)iss.len;
    out_key->len = 1;
    add_bytes(out_key, iss);
    if (uid != NULL) {
        add_bytes(out_key, lh_tenant_uid_view(uid));
    }
    return lh_ok();
}
