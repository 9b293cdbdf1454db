/*
 * Keys of request signatures as bytes.
 */
#include "registry/signature_codec.h"

#include "base/text_list.h"

#include "base/banned.h"

/* First byte of every row here. */
#define ROW_VERSION 1U

/* --- Writing ---------------------------------------------------------------------------------- */

/* A text of at most 255 bytes, as every one of a sane key is. */
static lh_status add_text(struct lh_buf *out, lh_slice text)
{
    LH_TRY(lh_buf_add_u8(out, (uint8_t)text.len));
    return lh_buf_add(out, text);
}

static lh_status add_texts(struct lh_buf *out, const lh_slice *texts, size_t count)
{
    LH_TRY(lh_buf_add_u8(out, (uint8_t)count));
    for (size_t i = 0; i < count; i++) {
        LH_TRY(add_text(out, texts[i]));
    }
    return lh_ok();
}

lh_status lh_signature_row_write(const struct lh_signature_key *key, struct lh_buf *out)
{
    LH_ENSURE(lh_signature_key_is_sane(key), LH_INVALID);
    LH_TRY(lh_buf_add_u8(out, ROW_VERSION));
    LH_TRY(lh_buf_add_u8(out, (uint8_t)key->algorithm));
    LH_TRY(lh_buf_add_u32(out, key->dek_id));
    LH_TRY(lh_buf_add_u64(out, key->created_ms));
    LH_TRY(lh_buf_add_u64(out, key->until_ms));
    LH_TRY(add_text(out, key->material));
    LH_TRY(add_text(out, key->subject));
    LH_TRY(add_texts(out, key->roles, key->role_count));
    return add_texts(out, key->scopes, key->scope_count);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static lh_status read_text(struct lh_cursor *cursor, lh_slice *out_text)
{
    uint8_t len;
    LH_TRY(lh_cursor_u8(cursor, &len));
    return lh_cursor_view(cursor, len, out_text);
}

static lh_status read_texts(struct lh_cursor *cursor, struct lh_arena *arena, lh_slice **out_texts,
                            size_t *out_count)
{
    uint8_t count;
    void *memory;
    LH_TRY(lh_cursor_u8(cursor, &count));
    LH_ENSURE(count <= LH_TEXT_LIST_MAX, LH_MALFORMED);
    LH_TRY(lh_arena_take(arena, count * sizeof(lh_slice), &memory));
    lh_slice *texts = memory;
    for (size_t i = 0; i < count; i++) {
        LH_TRY(read_text(cursor, &texts[i]));
    }
    *out_texts = texts;
    *out_count = count;
    return lh_ok();
}

static lh_status read_head(struct lh_cursor *cursor, struct lh_signature_key *key)
{
    uint8_t version, algorithm;
    LH_TRY(lh_cursor_u8(cursor, &version));
    LH_ENSURE(version != 0, LH_MALFORMED);
    LH_ENSURE(version <= ROW_VERSION, LH_FUTURE_FORMAT);
    LH_TRY(lh_cursor_u8(cursor, &algorithm));
    LH_ENSURE(algorithm == LH_HTTP_HMAC_SHA256 || algorithm == LH_HTTP_ED25519, LH_MALFORMED);
    key->algorithm = (enum lh_http_signature_algorithm)algorithm;
    LH_TRY(lh_cursor_u32(cursor, &key->dek_id));
    LH_TRY(lh_cursor_u64(cursor, &key->created_ms));
    return lh_cursor_u64(cursor, &key->until_ms);
}

lh_status lh_signature_row_read(lh_slice key_id, lh_slice row, struct lh_arena *arena,
                                struct lh_signature_key *out_key)
{
    LH_ENSURE(row.len <= LH_SIGNATURE_ROW_MAX_BYTES, LH_MALFORMED);
    lh_slice copy;
    LH_TRY(lh_arena_dup(arena, row, &copy)); /* one piece, into which all texts point */
    struct lh_cursor cursor = lh_cursor_over(copy);
    struct lh_signature_key key = {.role_count = 0};
    LH_TRY(read_head(&cursor, &key));
    LH_TRY(read_text(&cursor, &key.material));
    LH_TRY(read_text(&cursor, &key.subject));
    LH_TRY(read_texts(&cursor, arena, &key.roles, &key.role_count));
    LH_TRY(read_texts(&cursor, arena, &key.scopes, &key.scope_count));
    LH_TRY(lh_cursor_finish(&cursor));
    LH_TRY(lh_arena_dup(arena, key_id, &key.key_id));
    LH_ENSURE(lh_signature_key_is_sane(&key), LH_MALFORMED);
    *out_key = key;
    return lh_ok();
}

/* --- Keys ------------------------------------------------------------------------------------- */

lh_status lh_signature_row_key_init(const struct lh_tenant_uid *uid, lh_slice key_id,
                                    struct lh_signature_row_key *out_key)
{
    LH_ENSURE(lh_signature_key_id_is_valid(key_id), LH_INVALID);
    memcpy(out_key->bytes, uid->bytes, sizeof(uid->bytes));
    memcpy(out_key->bytes + sizeof(uid->bytes), key_id.ptr, key_id.len);
    out_key->len = sizeof(uid->bytes) + key_id.len;
    return lh_ok();
}
