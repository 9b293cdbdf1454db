/*
 * Entries of the index of use, and their count.
 */
#include "store/drivers/lmdb_use.h"

#include "store/drivers/lmdb_walk.h"
#include "store/wire.h"

#include "base/banned.h"

#define QUOTA_FORMAT 1U
/* Format, whether all is counted, lease id up to which it is, two counts. */
#define QUOTA_ROW_BYTES (2U + LH_LEASE_ID_BYTES + 2U * 8U)

/* One step of the walk: rows looked at, and bytes of records that are copied to file them. */
#define WALK_ROWS      128U
#define WALK_MAX_BYTES ((size_t)64 * 1024)

/* What is known of a bucket. */
struct bucket {
    bool is_complete;              /* the walk is over */
    bool is_begun;                 /* counted_to is one */
    struct lh_lease_id counted_to; /* included */
    struct lh_place_tally tally;
};

static uint64_t file_time(const struct lh_store_row *row)
{
    return row->last_touch_ms > 0 ? row->last_touch_ms : 1; /* 0 means that it is not filed */
}

/* --- The count ------------------------------------------------------------------------------- */

static void write_bucket_key(const struct lh_session_key *key,
                             uint8_t out_bytes[1 + LH_BUCKET_KEY_BYTES])
{
    out_bytes[0] = LH_LMDB_QUOTA;
    lh_store_key_bucket(key, out_bytes + 1);
}

static lh_status parse_bucket(lh_slice value, struct bucket *out_bucket)
{
    struct lh_cursor cursor = lh_cursor_over(value);
    uint8_t format;
    uint8_t progress;
    LH_TRY(lh_cursor_u8(&cursor, &format));
    LH_TRY(lh_cursor_u8(&cursor, &progress));
    LH_ENSURE(format == QUOTA_FORMAT && progress <= 2, LH_MALFORMED);
    out_bucket->is_complete = progress == 2;
    out_bucket->is_begun = progress >= 1;
    LH_TRY(lh_cursor_copy(&cursor, out_bucket->counted_to.bytes, LH_LEASE_ID_BYTES));
    LH_TRY(lh_cursor_u64(&cursor, &out_bucket->tally.signed_in));
    LH_TRY(lh_cursor_u64(&cursor, &out_bucket->tally.anonymous));
    return lh_cursor_finish(&cursor);
}

/* What cannot be read is counted from the start. Errors: ABSENT (nobody has asked), STORE_DOWN. */
static lh_status read_bucket(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                             struct bucket *out_bucket)
{
    uint8_t bytes[1 + LH_BUCKET_KEY_BYTES];
    write_bucket_key(key, bytes);
    MDB_val at = {.mv_size = sizeof(bytes), .mv_data = bytes};
    MDB_val value;
    LH_TRY(lh_lmdb_status(lmdb, mdb_get(txn, lmdb->rows, &at, &value), "get a count"));
    struct bucket bucket = {.is_complete = false};
    if (!lh_is_ok(parse_bucket(lh_slice_of(value.mv_data, value.mv_size), &bucket))) {
        bucket = (struct bucket){.is_complete = false};
    }
    *out_bucket = bucket;
    return lh_ok();
}

static lh_status write_bucket(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                              const struct bucket *bucket)
{
    uint8_t bytes[1 + LH_BUCKET_KEY_BYTES];
    uint8_t row[QUOTA_ROW_BYTES];
    write_bucket_key(key, bytes);
    row[0] = QUOTA_FORMAT;
    row[1] = bucket->is_complete ? 2 : (bucket->is_begun ? 1 : 0);
    memcpy(row + 2, bucket->counted_to.bytes, LH_LEASE_ID_BYTES);
    uint8_t *counts = lh_wire_put_u64(row + 2 + LH_LEASE_ID_BYTES, bucket->tally.signed_in);
    (void)lh_wire_put_u64(counts, bucket->tally.anonymous);
    MDB_val at = {.mv_size = sizeof(bytes), .mv_data = bytes};
    MDB_val value = {.mv_size = sizeof(row), .mv_data = row};
    return lh_lmdb_status(lmdb, mdb_put(txn, lmdb->rows, &at, &value, 0), "put a count");
}

static uint64_t *count_of(struct bucket *bucket, bool has_user)
{
    return has_user ? &bucket->tally.signed_in : &bucket->tally.anonymous;
}

/* Whether the walk has passed that lease. */
static bool is_passed(const struct bucket *bucket, const struct lh_session_key *key)
{
    struct lh_session_key at = {key->uid, key->bucket, bucket->counted_to};
    return bucket->is_complete || (bucket->is_begun && lh_session_key_compare(key, &at) <= 0);
}

/* One entry more, or one less. */
static lh_status count_entry(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                             bool has_user, bool is_more)
{
    struct bucket bucket;
    lh_status status = read_bucket(lmdb, txn, key, &bucket);
    if (status.code == LH_ABSENT) {
        return lh_ok();
    }
    LH_TRY(status);
    if (!is_passed(&bucket, key)) {
        return lh_ok();
    }
    uint64_t *count = count_of(&bucket, has_user);
    *count = is_more ? *count + 1 : (*count > 0 ? *count - 1 : 0);
    return write_bucket(lmdb, txn, key, &bucket);
}

/* --- Entries --------------------------------------------------------------------------------- */

static lh_status file_use(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                          bool has_user, uint64_t used_ms)
{
    uint8_t bytes[1 + LH_USE_INDEX_KEY_BYTES] = {LH_LMDB_USE};
    lh_store_key_use(key, has_user, used_ms, bytes + 1);
    bool is_new;
    LH_TRY(lh_lmdb_put_entry(lmdb, txn, LH_SLICE_OF(bytes), &is_new));
    return is_new ? count_entry(lmdb, txn, key, has_user, true) : lh_ok();
}

static lh_status delete_use(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                            bool has_user, uint64_t used_ms)
{
    uint8_t bytes[1 + LH_USE_INDEX_KEY_BYTES] = {LH_LMDB_USE};
    lh_store_key_use(key, has_user, used_ms, bytes + 1);
    bool was_there;
    LH_TRY(lh_lmdb_delete_key(lmdb, txn, LH_SLICE_OF(bytes), &was_there));
    return was_there ? count_entry(lmdb, txn, key, has_user, false) : lh_ok();
}

lh_status lh_lmdb_drop_stale_use(struct lh_lmdb *lmdb, MDB_txn *txn,
                                 const struct lh_session_key *key, bool has_user, uint64_t used_ms)
{
    LH_TRY(delete_use(lmdb, txn, key, has_user, used_ms));
    const struct bucket uncounted = {.is_complete = false};
    return write_bucket(lmdb, txn, key, &uncounted);
}

lh_status lh_lmdb_unfile_use(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                             const struct lh_lmdb_row *row)
{
    bool is_filed = row->row.kind == LH_PLACE_RECORD && row->used_ms > 0;
    return is_filed ? delete_use(lmdb, txn, key, row->row.has_user, row->used_ms) : lh_ok();
}

lh_status lh_lmdb_move_use(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                           const struct lh_lmdb_row *old, const struct lh_store_row *next,
                           uint64_t *out_used_ms)
{
    bool is_filed = old->row.kind == LH_PLACE_RECORD && old->used_ms > 0;
    bool will_be = lh_place_counts(next);
    if (is_filed && will_be && old->row.has_user == next->has_user) {
        *out_used_ms = old->used_ms;
        return lh_ok();
    }
    LH_TRY(lh_lmdb_unfile_use(lmdb, txn, key, old));
    *out_used_ms = will_be ? file_time(next) : 0;
    return will_be ? file_use(lmdb, txn, key, next->has_user, *out_used_ms) : lh_ok();
}

lh_status lh_lmdb_refile_use(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                             struct lh_lmdb_row *row)
{
    uint64_t used_ms = file_time(&row->row);
    if (used_ms == row->used_ms) {
        return lh_ok();
    }
    uint64_t former_ms = row->used_ms;
    row->used_ms = used_ms;
    LH_TRY(lh_lmdb_rewrite_row(lmdb, txn, key, row));
    if (former_ms > 0) {
        LH_TRY(delete_use(lmdb, txn, key, row->row.has_user, former_ms));
    }
    return file_use(lmdb, txn, key, row->row.has_user, used_ms);
}

/* --- The walk -------------------------------------------------------------------------------- */

static void close_cursor(MDB_cursor **cursor)
{
    mdb_cursor_close(*cursor);
}

/*
 * The first place of the bucket behind what is counted.
 * Errors: ABSENT (none is left), STORE_DOWN.
 */
static lh_status find_next(struct lh_lmdb *lmdb, MDB_cursor *cursor,
                           const struct lh_session_key *key, const struct bucket *bucket,
                           struct lh_session_key *out_key)
{
    struct lh_session_key from = {.uid = key->uid, .bucket = key->bucket};
    if (bucket->is_begun) {
        from.lease = bucket->counted_to;
    }
    uint8_t bytes[1 + LH_SESSION_KEY_BYTES];
    lh_lmdb_write_session_key(&from, bytes);
    MDB_val at = {.mv_size = sizeof(bytes), .mv_data = bytes};
    MDB_val value;
    int result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    if (result == MDB_SUCCESS && bucket->is_begun &&
        lh_slice_is_equal(lh_slice_of(at.mv_data, at.mv_size), LH_SLICE_OF(bytes))) {
        result = mdb_cursor_get(cursor, &at, &value, MDB_NEXT);
    }
    LH_TRY(lh_lmdb_status(lmdb, result, "count a bucket"));
    lh_slice found = lh_slice_of(at.mv_data, at.mv_size);
    LH_ENSURE(lh_slice_has_prefix(found, lh_slice_of(bytes, 1 + LH_BUCKET_KEY_BYTES)), LH_ABSENT);
    return lh_store_key_parse_session(lh_slice_cut(found, 1, found.len), out_key);
}

/* Counts a place that the walk has come to; files it if nobody did. */
static lh_status pass(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                      struct bucket *bucket, size_t *copied)
{
    struct lh_lmdb_row found;
    lh_status status = lh_lmdb_get_row(lmdb, txn, key, &found);
    bool is_ours = status.code != LH_TAMPERED && status.code != LH_FUTURE_FORMAT;
    if (is_ours) {
        LH_TRY(status);
    }
    if (is_ours && lh_place_counts(&found.row)) {
        if (found.used_ms == 0) {
            *copied += found.row.record.len;
            LH_TRY(
                lh_lmdb_refile_use(lmdb, txn, key, &found)); /* beyond the walk: counts nothing */
        }
        *count_of(bucket, found.row.has_user) += 1;
    }
    bucket->counted_to = key->lease;
    bucket->is_begun = true;
    return lh_ok();
}

static lh_status walk(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                      struct bucket *bucket)
{
    MDB_cursor *raw;
    LH_TRY(lh_lmdb_status(lmdb, mdb_cursor_open(txn, lmdb->rows, &raw), "count a bucket"));
    LH_CLEANUP(close_cursor) MDB_cursor *cursor = raw;
    uint64_t until_us = lh_lmdb_now_us() + LH_LMDB_WORK_US / 2;
    size_t copied = 0;
    for (size_t i = 0; i < WALK_ROWS && copied < WALK_MAX_BYTES; i++) {
        struct lh_session_key next;
        lh_status status = find_next(lmdb, cursor, key, bucket, &next);
        if (status.code == LH_ABSENT) {
            bucket->is_complete = true;
            break;
        }
        LH_ENSURE(lh_is_ok(status), status.code == LH_MALFORMED ? LH_STORE_DOWN : status.code);
        LH_TRY(pass(lmdb, txn, &next, bucket, &copied));
        if (lh_lmdb_now_us() >= until_us) {
            break;
        }
    }
    return write_bucket(lmdb, txn, key, bucket);
}

lh_status lh_lmdb_tally(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                        bool may_walk, struct lh_place_tally *out_tally)
{
    struct bucket bucket = {.is_complete = false};
    lh_status status = read_bucket(lmdb, txn, key, &bucket);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_ABSENT, status.code);
    if (may_walk && !bucket.is_complete) {
        LH_TRY(walk(lmdb, txn, key, &bucket));
    }
    *out_tally = bucket.tally;
    return lh_ok();
}
