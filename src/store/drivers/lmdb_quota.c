/*
 * Making room for a new session: who goes, and that nobody else does.
 */
#include "store/drivers/lmdb_use.h"

#include "base/banned.h"

/* Sessions at the front that were used since they were filed: moved, and the next one looked at. */
#define REFILES_MAX 32U
/* Entries that are looked at in all, stale ones too. */
#define LOOKS_MAX 64U
/* Sessions of one user that are looked at. */
#define USER_WALK_MAX 1024U

/* A session that may have to go. */
struct candidate {
    bool is_there;
    struct lh_session_key key;
    struct lh_lmdb_row row; /* its record is not to be looked at */
};

static void close_cursor(MDB_cursor **cursor)
{
    mdb_cursor_close(*cursor);
}

/* Replaces a session by its tombstone. */
static lh_status bury(struct lh_lmdb *lmdb, MDB_txn *txn, const struct candidate *candidate,
                      uint64_t now_ms, struct lh_store_evicted *evicted)
{
    struct lh_store_row tombstone;
    if (!lh_place_revoke(&candidate->row.row, 0, &tombstone)) {
        return lh_ok();
    }
    if (!lh_place_is_over(&candidate->row.row, now_ms)) {
        evicted->keys[evicted->count++] = candidate->key;
    }
    return lh_lmdb_replace_row(lmdb, txn, &candidate->key, &candidate->row, &tombstone);
}

/* Whether a is to go rather than b. */
static bool goes_before(const struct lh_store_row *a, const struct lh_store_row *b, uint64_t now_ms)
{
    bool is_a_over = lh_place_is_over(a, now_ms);
    bool is_b_over = lh_place_is_over(b, now_ms);
    return is_a_over != is_b_over ? is_a_over : a->last_touch_ms < b->last_touch_ms;
}

/* --- A user's own ----------------------------------------------------------------------------- */

static lh_status consider(struct lh_lmdb *lmdb, MDB_txn *txn, lh_slice entry, uint64_t now_ms,
                          size_t *count, struct candidate *oldest)
{
    struct lh_session_key key;
    struct lh_user_tag tag;
    struct lh_lmdb_row found;
    if (!lh_is_ok(lh_store_key_parse_user(lh_slice_cut(entry, 1, entry.len), &key, &tag))) {
        return lh_ok();
    }
    lh_status status = lh_lmdb_get_row(lmdb, txn, &key, &found);
    if (status.code == LH_TAMPERED || status.code == LH_FUTURE_FORMAT) {
        return lh_ok();
    }
    LH_TRY(status);
    bool is_his = lh_place_counts(&found.row) && found.row.has_user &&
                  lh_slice_is_equal(LH_SLICE_OF(found.row.user_tag.bytes), LH_SLICE_OF(tag.bytes));
    if (!is_his) {
        return lh_ok();
    }
    *count += 1;
    if (!oldest->is_there || goes_before(&found.row, &oldest->row.row, now_ms)) {
        *oldest = (struct candidate){true, key, found};
    }
    return lh_ok();
}

/* Counts a user's sessions and finds the one that goes first. */
static lh_status walk_user(struct lh_lmdb *lmdb, MDB_txn *txn,
                           const struct lh_store_creation *creation, size_t *out_count,
                           struct candidate *out_oldest)
{
    MDB_cursor *raw;
    LH_TRY(lh_lmdb_status(lmdb, mdb_cursor_open(txn, lmdb->rows, &raw), "look at a user"));
    LH_CLEANUP(close_cursor) MDB_cursor *cursor = raw;
    struct lh_session_key first = {.uid = creation->key->uid, .bucket = creation->key->bucket};
    uint8_t bytes[1 + LH_USER_INDEX_KEY_BYTES] = {LH_LMDB_USER};
    lh_store_key_user(&first, &creation->row->user_tag, bytes + 1);
    lh_slice prefix = lh_slice_of(bytes, sizeof(bytes) - LH_LEASE_ID_BYTES);
    MDB_val at = {.mv_size = sizeof(bytes), .mv_data = bytes};
    MDB_val value;
    *out_count = 0;
    *out_oldest = (struct candidate){.is_there = false};
    int result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    for (size_t seen = 0; result == MDB_SUCCESS && seen < USER_WALK_MAX; seen++) {
        lh_slice entry = lh_slice_of(at.mv_data, at.mv_size);
        if (!lh_slice_has_prefix(entry, prefix)) {
            return lh_ok();
        }
        LH_TRY(consider(lmdb, txn, entry, creation->row->last_touch_ms, out_count, out_oldest));
        result = mdb_cursor_get(cursor, &at, &value, MDB_NEXT);
    }
    return result == MDB_NOTFOUND ? lh_ok() : lh_lmdb_status(lmdb, result, "look at a user");
}

static lh_status make_room_of_user(struct lh_lmdb *lmdb, MDB_txn *txn,
                                   const struct lh_store_creation *creation, size_t *ended,
                                   struct lh_store_evicted *evicted)
{
    const struct lh_store_quota *quota = creation->quota;
    while (quota->user_max > 0 && creation->row->has_user && *ended < LH_STORE_EVICTIONS_MAX) {
        size_t count;
        struct candidate oldest;
        LH_TRY(walk_user(lmdb, txn, creation, &count, &oldest));
        if (count < quota->user_max) {
            return lh_ok();
        }
        LH_TRY(bury(lmdb, txn, &oldest, creation->row->last_touch_ms, evicted));
        *ended += 1;
    }
    return lh_ok();
}

/* --- The bucket's ----------------------------------------------------------------------------- */

/* The entry at the front of a class. Errors: ABSENT, MALFORMED (it was none, and is gone). */
static lh_status read_front(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                            bool has_user, struct lh_session_key *out_key, uint64_t *out_used_ms)
{
    MDB_cursor *raw;
    LH_TRY(lh_lmdb_status(lmdb, mdb_cursor_open(txn, lmdb->rows, &raw), "look who goes"));
    LH_CLEANUP(close_cursor) MDB_cursor *cursor = raw;
    struct lh_session_key first = {.uid = key->uid, .bucket = key->bucket};
    uint8_t bytes[1 + LH_USE_INDEX_KEY_BYTES] = {LH_LMDB_USE};
    lh_store_key_use(&first, has_user, 0, bytes + 1);
    MDB_val at = {.mv_size = sizeof(bytes), .mv_data = bytes};
    MDB_val value;
    LH_TRY(
        lh_lmdb_status(lmdb, mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE), "look who goes"));
    lh_slice entry = lh_slice_of(at.mv_data, at.mv_size);
    LH_ENSURE(lh_slice_has_prefix(entry, lh_slice_of(bytes, 2 + LH_BUCKET_KEY_BYTES)), LH_ABSENT);
    bool is_user;
    lh_status parsed =
        lh_store_key_parse_use(lh_slice_cut(entry, 1, entry.len), out_key, &is_user, out_used_ms);
    if (!lh_is_ok(parsed)) {
        LH_TRY(lh_lmdb_status(lmdb, mdb_cursor_del(cursor, 0), "delete an entry"));
    }
    return parsed;
}

/*
 * Looks at the front of a class. What is stale goes; what was used since it was filed is filed anew
 * if it may be.
 * out_front  the session there, or none: look again.
 * Errors: ABSENT (the class is empty), MALFORMED (look again), NO_SPACE, STORE_DOWN, NO_MEMORY.
 */
static lh_status settle_front(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                              bool has_user, bool may_refile, struct candidate *out_front)
{
    struct candidate front = {.is_there = true};
    uint64_t used_ms = 0;
    LH_TRY(read_front(lmdb, txn, key, has_user, &front.key, &used_ms));
    lh_status status = lh_lmdb_get_row(lmdb, txn, &front.key, &front.row);
    bool is_stale = status.code == LH_TAMPERED || status.code == LH_FUTURE_FORMAT;
    LH_ENSURE(is_stale || lh_is_ok(status), status.code);
    is_stale = is_stale || !lh_place_counts(&front.row.row) || front.row.row.has_user != has_user ||
               front.row.used_ms != used_ms;
    if (is_stale) {
        return lh_lmdb_drop_stale_use(lmdb, txn, &front.key, has_user, used_ms);
    }
    if (front.row.row.last_touch_ms > used_ms && may_refile) {
        return lh_lmdb_refile_use(lmdb, txn, &front.key, &front.row);
    }
    *out_front = front;
    return lh_ok();
}

/* After so many that were in use the one that is filed first goes, touched or not. */
static lh_status find_front(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_session_key *key,
                            bool has_user, struct candidate *out_front)
{
    *out_front = (struct candidate){.is_there = false};
    for (size_t tries = 0; tries < LOOKS_MAX && !out_front->is_there; tries++) {
        bool may_refile = tries < REFILES_MAX;
        lh_status status = settle_front(lmdb, txn, key, has_user, may_refile, out_front);
        if (status.code == LH_ABSENT) {
            return lh_ok();
        }
        LH_ENSURE(lh_is_ok(status) || status.code == LH_MALFORMED, status.code);
    }
    return lh_ok();
}

static lh_status choose(struct lh_lmdb *lmdb, MDB_txn *txn,
                        const struct lh_store_creation *creation, enum lh_place_relief relief,
                        struct candidate *out_chosen)
{
    struct candidate user = {.is_there = false};
    LH_TRY(find_front(lmdb, txn, creation->key, false, out_chosen));
    if (relief == LH_RELIEF_ANY) {
        LH_TRY(find_front(lmdb, txn, creation->key, true, &user));
    }
    bool is_user = user.is_there &&
                   (!out_chosen->is_there ||
                    goes_before(&user.row.row, &out_chosen->row.row, creation->row->last_touch_ms));
    if (is_user) {
        *out_chosen = user;
    }
    return lh_ok();
}

lh_status lh_lmdb_make_room(struct lh_lmdb *lmdb, MDB_txn *txn,
                            const struct lh_store_creation *creation,
                            struct lh_store_evicted *evicted)
{
    size_t ended = 0;
    LH_TRY(make_room_of_user(lmdb, txn, creation, &ended, evicted));
    for (bool may_walk = true; creation->quota->bucket_max > 0; may_walk = false) {
        struct lh_place_tally tally;
        LH_TRY(lh_lmdb_tally(lmdb, txn, creation->key, may_walk, &tally));
        enum lh_place_relief relief =
            lh_place_judge_quota(creation->quota, creation->row->has_user, &tally);
        LH_ENSURE(relief != LH_RELIEF_REFUSE, LH_LIMITED);
        if (relief == LH_RELIEF_NONE || ended == LH_STORE_EVICTIONS_MAX) {
            return lh_ok();
        }
        struct candidate chosen;
        LH_TRY(choose(lmdb, txn, creation, relief, &chosen));
        if (!chosen.is_there) {
            return lh_ok(); /* what was counted is gone, and the count begins anew */
        }
        LH_TRY(bury(lmdb, txn, &chosen, creation->row->last_touch_ms, evicted));
        ended++;
    }
    return lh_ok();
}
