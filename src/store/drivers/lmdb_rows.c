/*
 * Rows and index entries of the LMDB store.
 */
#include "store/drivers/lmdb_rows.h"

#include "store/drivers/lmdb_use.h"
#include "store/place.h"
#include "store/wire.h"

#include "base/banned.h"

/*
 * The head of a row: format, kind, flags, 0, length of the record, idle, generation, absolute end,
 * last touch, filed, user and, since format 2, where it is filed by use. The length is there once
 * more so that a damaged page which says otherwise is noticed before what lies behind the row is
 * read.
 */
#define ROW_FORMAT      2U
#define ROW_FORMAT_BARE 1U
#define ROW_BARE_BYTES  (4U + 2U * 4U + 4U * 8U + LH_USER_TAG_BYTES)
#define ROW_HEAD_BYTES  (ROW_BARE_BYTES + 8U)
#define ROW_MAX_BYTES   (ROW_HEAD_BYTES + LH_SESSION_KEY_BYTES + LH_STORE_RECORD_MAX_BYTES)

#define ROW_RECORD      1U
#define ROW_TOMBSTONE   2U
#define FLAG_QUARANTINE 1U
#define FLAG_USER       2U
#define FLAG_GRACE_OVER 4U
#define FLAGS_ALL       (FLAG_QUARANTINE | FLAG_USER | FLAG_GRACE_OVER)

/* The format of the whole environment. */
#define TREE_FORMAT 1U

static MDB_val value_of(const void *bytes, size_t len)
{
    /* LMDB does not write through what it is given to read; its type cannot say so. */
    return (MDB_val){.mv_size = len, .mv_data = (void *)(uintptr_t)bytes};
}

/* --- One row --------------------------------------------------------------------------------- */

static lh_status read_head(struct lh_cursor *cursor, struct lh_lmdb_row *out_row,
                           uint32_t *out_record_len)
{
    uint8_t format;
    uint8_t kind;
    uint8_t flags;
    uint8_t zero;
    LH_TRY(lh_cursor_u8(cursor, &format));
    LH_TRY(lh_cursor_u8(cursor, &kind));
    LH_TRY(lh_cursor_u8(cursor, &flags));
    LH_TRY(lh_cursor_u8(cursor, &zero));
    LH_ENSURE(format <= ROW_FORMAT, LH_FUTURE_FORMAT);
    LH_ENSURE(format >= ROW_FORMAT_BARE && zero == 0 && (flags & ~FLAGS_ALL) == 0, LH_TAMPERED);
    LH_ENSURE(kind == ROW_RECORD || kind == ROW_TOMBSTONE, LH_TAMPERED);

    struct lh_store_row *row = &out_row->row;
    row->kind = kind == ROW_RECORD ? LH_PLACE_RECORD : LH_PLACE_TOMBSTONE;
    row->is_quarantined = (flags & FLAG_QUARANTINE) != 0;
    row->has_user = (flags & FLAG_USER) != 0;
    row->is_grace_over = (flags & FLAG_GRACE_OVER) != 0;
    LH_TRY(lh_cursor_u32(cursor, out_record_len));
    LH_TRY(lh_cursor_u32(cursor, &row->idle_s));
    LH_TRY(lh_cursor_u64(cursor, &row->generation));
    LH_TRY(lh_cursor_u64(cursor, &row->absolute_end_ms));
    LH_TRY(lh_cursor_u64(cursor, &row->last_touch_ms));
    LH_TRY(lh_cursor_u64(cursor, &out_row->filed_ms));
    LH_TRY(lh_cursor_copy(cursor, row->user_tag.bytes, sizeof(row->user_tag.bytes)));
    out_row->used_ms = 0;
    return format == ROW_FORMAT_BARE ? lh_ok() : lh_cursor_u64(cursor, &out_row->used_ms);
}

lh_status lh_lmdb_row_read(lh_slice value, struct lh_lmdb_row *out_row)
{
    LH_ENSURE(value.len >= ROW_BARE_BYTES && value.len <= ROW_MAX_BYTES, LH_TAMPERED);
    struct lh_cursor cursor = lh_cursor_over(value);
    uint32_t record_len;
    lh_status status = read_head(&cursor, out_row, &record_len);
    LH_ENSURE(status.code != LH_MALFORMED, LH_TAMPERED);
    LH_TRY(status);
    LH_ENSURE(cursor.rest.len == record_len, LH_TAMPERED);
    LH_ENSURE((record_len > 0) == (out_row->row.kind == LH_PLACE_RECORD), LH_TAMPERED);
    out_row->row.record = cursor.rest;
    return lh_ok();
}

/* Writes the head; returns where the record goes. */
static uint8_t *write_head(uint8_t *out, const struct lh_store_row *row, uint64_t filed_ms,
                           uint64_t used_ms)
{
    *out++ = ROW_FORMAT;
    *out++ = row->kind == LH_PLACE_RECORD ? ROW_RECORD : ROW_TOMBSTONE;
    *out++ =
        (uint8_t)((row->is_quarantined ? FLAG_QUARANTINE : 0U) | (row->has_user ? FLAG_USER : 0U) |
                  (row->is_grace_over ? FLAG_GRACE_OVER : 0U));
    *out++ = 0;
    out = lh_wire_put_u32(out, (uint32_t)row->record.len);
    out = lh_wire_put_u32(out, row->idle_s);
    out = lh_wire_put_u64(out, row->generation);
    out = lh_wire_put_u64(out, row->absolute_end_ms);
    out = lh_wire_put_u64(out, row->last_touch_ms);
    out = lh_wire_put_u64(out, filed_ms);
    memset(out, 0, LH_USER_TAG_BYTES);
    if (row->has_user) {
        memcpy(out, row->user_tag.bytes, LH_USER_TAG_BYTES);
    }
    return lh_wire_put_u64(out + LH_USER_TAG_BYTES, used_ms);
}

void lh_lmdb_write_session_key(const struct lh_session_key *key, uint8_t *out_bytes)
{
    out_bytes[0] = LH_LMDB_SESSION;
    lh_store_key_session(key, out_bytes + 1);
}

lh_status lh_lmdb_get_row(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                          struct lh_lmdb_row *out_row)
{
    uint8_t bytes[1 + LH_SESSION_KEY_BYTES];
    lh_lmdb_write_session_key(key, bytes);
    MDB_val at = value_of(bytes, sizeof(bytes));
    MDB_val value;
    int result = mdb_get(txn, lmdb->rows, &at, &value);
    if (result == MDB_NOTFOUND) {
        *out_row = (struct lh_lmdb_row){.row = {.kind = LH_PLACE_EMPTY}};
        return lh_ok();
    }
    LH_TRY(lh_lmdb_status(lmdb, result, "get"));
    return lh_lmdb_row_read(lh_slice_of(value.mv_data, value.mv_size), out_row);
}

/* The record may not lie in the tree: its page may move under it. */
static lh_status put_row(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                         const struct lh_store_row *row, uint64_t filed_ms, uint64_t used_ms)
{
    uint8_t bytes[1 + LH_SESSION_KEY_BYTES];
    lh_lmdb_write_session_key(key, bytes);
    MDB_val at = value_of(bytes, sizeof(bytes));
    MDB_val value = {.mv_size = ROW_HEAD_BYTES + row->record.len};
    int result = mdb_put(txn, lmdb->rows, &at, &value, MDB_RESERVE);
    LH_TRY(lh_lmdb_status(lmdb, result, "put"));
    uint8_t *rest = write_head(value.mv_data, row, filed_ms, used_ms);
    if (row->record.len > 0) {
        memcpy(rest, row->record.ptr, row->record.len);
    }
    return lh_ok();
}

lh_status lh_lmdb_rewrite_row(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                              const struct lh_lmdb_row *row)
{
    lh_buf_clear(&lmdb->scratch);
    LH_TRY(lh_buf_add(&lmdb->scratch, row->row.record));
    struct lh_store_row copied = row->row;
    copied.record = lh_buf_view(&lmdb->scratch);
    return put_row(lmdb, txn, key, &copied, row->filed_ms, row->used_ms);
}

/* --- Indexes --------------------------------------------------------------------------------- */

lh_status lh_lmdb_put_entry(struct lh_lmdb *lmdb, MDB_txn *txn, lh_slice key, bool *out_is_new)
{
    MDB_val at = value_of(key.ptr, key.len);
    MDB_val nothing = {.mv_size = 0};
    int result = mdb_put(txn, lmdb->rows, &at, &nothing, MDB_NOOVERWRITE);
    *out_is_new = result == MDB_SUCCESS;
    return result == MDB_KEYEXIST ? lh_ok() : lh_lmdb_status(lmdb, result, "put an entry");
}

lh_status lh_lmdb_delete_key(struct lh_lmdb *lmdb, MDB_txn *txn, lh_slice key, bool *out_was_there)
{
    MDB_val at = value_of(key.ptr, key.len);
    int result = mdb_del(txn, lmdb->rows, &at, NULL);
    *out_was_there = result == MDB_SUCCESS;
    return result == MDB_NOTFOUND ? lh_ok() : lh_lmdb_status(lmdb, result, "delete");
}

static lh_status put_entry(struct lh_lmdb *lmdb, MDB_txn *txn, const uint8_t *key, size_t key_len)
{
    bool is_new;
    return lh_lmdb_put_entry(lmdb, txn, lh_slice_of(key, key_len), &is_new);
}

/* An entry that is not there is as good as one that was taken away. */
static lh_status delete_key(struct lh_lmdb *lmdb, MDB_txn *txn, const uint8_t *key, size_t key_len)
{
    bool was_there;
    return lh_lmdb_delete_key(lmdb, txn, lh_slice_of(key, key_len), &was_there);
}

lh_status lh_lmdb_file_end(struct lh_lmdb *lmdb, MDB_txn *txn, uint64_t end_ms,
                           const struct lh_session_key *key)
{
    uint8_t bytes[1 + LH_EXPIRY_INDEX_KEY_BYTES] = {LH_LMDB_END};
    lh_store_key_expiry(end_ms, key, bytes + 1);
    return put_entry(lmdb, txn, bytes, sizeof(bytes));
}

static lh_status unfile_end(struct lh_lmdb *lmdb, MDB_txn *txn, uint64_t end_ms,
                            const struct lh_session_key *key)
{
    uint8_t bytes[1 + LH_EXPIRY_INDEX_KEY_BYTES] = {LH_LMDB_END};
    lh_store_key_expiry(end_ms, key, bytes + 1);
    return delete_key(lmdb, txn, bytes, sizeof(bytes));
}

static lh_status put_user(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                          const struct lh_store_row *row)
{
    if (!row->has_user) {
        return lh_ok();
    }
    uint8_t bytes[1 + LH_USER_INDEX_KEY_BYTES] = {LH_LMDB_USER};
    lh_store_key_user(key, &row->user_tag, bytes + 1);
    return put_entry(lmdb, txn, bytes, sizeof(bytes));
}

static lh_status delete_user(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                             const struct lh_store_row *row)
{
    if (!row->has_user) {
        return lh_ok();
    }
    uint8_t bytes[1 + LH_USER_INDEX_KEY_BYTES] = {LH_LMDB_USER};
    lh_store_key_user(key, &row->user_tag, bytes + 1);
    return delete_key(lmdb, txn, bytes, sizeof(bytes));
}

static bool is_same_user(const struct lh_store_row *a, const struct lh_store_row *b)
{
    return a->has_user == b->has_user &&
           (!a->has_user ||
            lh_slice_is_equal(LH_SLICE_OF(a->user_tag.bytes), LH_SLICE_OF(b->user_tag.bytes)));
}

static lh_status move_user(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                           const struct lh_store_row *old, const struct lh_store_row *next)
{
    if (is_same_user(old, next)) {
        return lh_ok();
    }
    LH_TRY(delete_user(lmdb, txn, key, old));
    return put_user(lmdb, txn, key, next);
}

/*
 * A place that is filed no later than its new end stays where it is filed: the sweep that looks
 * there files it anew. So revoking a session writes nothing here.
 */
static lh_status move_end(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                          const struct lh_lmdb_row *old, uint64_t end_ms, uint64_t *out_filed_ms)
{
    if (old->row.kind != LH_PLACE_EMPTY && old->filed_ms <= end_ms) {
        *out_filed_ms = old->filed_ms;
        return lh_ok();
    }
    if (old->row.kind != LH_PLACE_EMPTY) {
        LH_TRY(unfile_end(lmdb, txn, old->filed_ms, key));
    }
    *out_filed_ms = end_ms;
    return lh_lmdb_file_end(lmdb, txn, end_ms, key);
}

lh_status lh_lmdb_replace_row(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                              const struct lh_lmdb_row *old, const struct lh_store_row *next)
{
    uint64_t filed_ms;
    LH_TRY(move_end(lmdb, txn, key, old, lh_place_end_ms(next), &filed_ms));
    LH_TRY(move_user(lmdb, txn, key, &old->row, next));
    uint64_t used_ms;
    LH_TRY(lh_lmdb_move_use(lmdb, txn, key, old, next, &used_ms));
    return put_row(lmdb, txn, key, next, filed_ms, used_ms);
}

lh_status lh_lmdb_remove_row(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                             const struct lh_lmdb_row *row)
{
    LH_TRY(delete_user(lmdb, txn, key, &row->row));
    LH_TRY(lh_lmdb_unfile_use(lmdb, txn, key, row));
    uint8_t bytes[1 + LH_SESSION_KEY_BYTES];
    lh_lmdb_write_session_key(key, bytes);
    return delete_key(lmdb, txn, bytes, sizeof(bytes));
}

/* --- The format ------------------------------------------------------------------------------ */

lh_status lh_lmdb_write_format(struct lh_lmdb *lmdb, MDB_txn *txn)
{
    uint8_t key = LH_LMDB_FORMAT;
    uint8_t bytes[4];
    (void)lh_wire_put_u32(bytes, TREE_FORMAT);
    MDB_val at = value_of(&key, sizeof(key));
    MDB_val value = value_of(bytes, sizeof(bytes));
    int result = mdb_put(txn, lmdb->rows, &at, &value, 0);
    return lh_lmdb_status(lmdb, result, "put the format");
}

lh_status lh_lmdb_check_format(struct lh_lmdb *lmdb, MDB_txn *txn)
{
    MDB_stat stat;
    LH_TRY(lh_lmdb_status(lmdb, mdb_stat(txn, lmdb->rows, &stat), "stat"));
    LH_ENSURE(stat.ms_entries > 0, LH_ABSENT);

    uint8_t key = LH_LMDB_FORMAT;
    MDB_val at = value_of(&key, sizeof(key));
    MDB_val value;
    lh_status found = lh_lmdb_status(lmdb, mdb_get(txn, lmdb->rows, &at, &value), "get the format");
    LH_ENSURE(lh_is_ok(found), LH_STORE_DOWN); /* also: somebody else's environment */
    struct lh_cursor cursor = lh_cursor_over(lh_slice_of(value.mv_data, value.mv_size));
    uint32_t format;
    LH_ENSURE(lh_is_ok(lh_cursor_u32(&cursor, &format)), LH_STORE_DOWN);
    LH_ENSURE(format <= TREE_FORMAT, LH_FUTURE_FORMAT);
    LH_ENSURE(format == TREE_FORMAT && cursor.rest.len == 0, LH_STORE_DOWN);
    return lh_ok();
}
