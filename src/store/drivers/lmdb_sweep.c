/*
 * Sweeping: from the front of the index of ends, until the first entry that is not due yet.
 */
#include "store/drivers/lmdb_walk.h"
#include "store/place.h"

#include <time.h>

#include "base/banned.h"

/* When to look again at a row that a newer version wrote: it is not ours to remove. */
#define FUTURE_ROW_DELAY_MS ((uint64_t)24 * 3600 * 1000)

/* Pages that one handled row may take. */
#define SWEEP_PAGES_PER_ROW 6U

uint64_t lh_lmdb_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct sweep {
    uint64_t now_ms;
    size_t max_rows;
    size_t handled;
};

static void close_cursor(MDB_cursor **cursor)
{
    mdb_cursor_close(*cursor);
}

/*
 * The entry at the front of the index.
 * out_end_ms  when it is due; out_key  whose it is.
 * Errors: ABSENT (none is left), MALFORMED (it is no entry), STORE_DOWN.
 */
static lh_status read_front(struct lh_lmdb *lmdb, MDB_cursor *cursor, uint64_t *out_end_ms,
                            struct lh_session_key *out_key)
{
    uint8_t first = LH_LMDB_END;
    MDB_val key = {.mv_size = sizeof(first), .mv_data = &first};
    MDB_val value;
    LH_TRY(lh_lmdb_status(lmdb, mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE), "sweep"));
    lh_slice bytes = lh_slice_of(key.mv_data, key.mv_size);
    LH_ENSURE(bytes.len > 0 && bytes.ptr[0] == LH_LMDB_END, LH_ABSENT);
    return lh_store_key_parse_expiry(lh_slice_cut(bytes, 1, bytes.len), out_end_ms, out_key);
}

/* What an entry's place is due for: nothing (stale), removal, or a new entry. */
static lh_status settle(struct lh_lmdb *lmdb, MDB_txn *txn, const struct sweep *sweep,
                        uint64_t entry_ms, const struct lh_session_key *key)
{
    struct lh_lmdb_row found;
    lh_status status = lh_lmdb_get_row(lmdb, txn, key, &found);
    if (status.code == LH_TAMPERED) {
        found = (struct lh_lmdb_row){.row = {.has_user = false}};
        return lh_lmdb_remove_row(lmdb, txn, key, &found); /* can never be opened */
    }
    if (status.code == LH_FUTURE_FORMAT) {
        return lh_lmdb_file_end(lmdb, txn, sweep->now_ms + FUTURE_ROW_DELAY_MS, key);
    }
    LH_TRY(status);
    if (found.row.kind == LH_PLACE_EMPTY || found.filed_ms != entry_ms) {
        return lh_ok();
    }
    if (lh_place_is_over(&found.row, sweep->now_ms)) {
        return lh_lmdb_remove_row(lmdb, txn, key, &found);
    }
    found.filed_ms = lh_place_end_ms(&found.row);
    LH_TRY(lh_lmdb_rewrite_row(lmdb, txn, key, &found));
    return lh_lmdb_file_end(lmdb, txn, found.filed_ms, key);
}

/*
 * Handles the entry at the front. The cursor's entry goes first: what follows may move it.
 * Errors: ABSENT (nothing is due), NO_SPACE, STORE_DOWN.
 */
static lh_status handle_front(struct lh_lmdb *lmdb, MDB_txn *txn, MDB_cursor *cursor,
                              const struct sweep *sweep)
{
    uint64_t entry_ms = 0;
    struct lh_session_key key;
    lh_status status = read_front(lmdb, cursor, &entry_ms, &key);
    LH_ENSURE(lh_is_ok(status) || status.code == LH_MALFORMED, status.code);
    LH_ENSURE(entry_ms <= sweep->now_ms, LH_ABSENT);
    LH_TRY(lh_lmdb_status(lmdb, mdb_cursor_del(cursor, 0), "delete an entry"));
    return lh_is_ok(status) ? settle(lmdb, txn, sweep, entry_ms, &key) : lh_ok();
}

static lh_status sweep_rows(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    struct sweep *sweep = context;
    uint64_t until_us = lh_lmdb_now_us() + LH_LMDB_WORK_US;
    MDB_cursor *raw;
    LH_TRY(lh_lmdb_status(lmdb, mdb_cursor_open(txn, lmdb->rows, &raw), "sweep"));
    LH_CLEANUP(close_cursor) MDB_cursor *cursor = raw;
    for (sweep->handled = 0; sweep->handled < sweep->max_rows; sweep->handled++) {
        lh_status status = handle_front(lmdb, txn, cursor, sweep);
        if (status.code == LH_ABSENT) {
            return lh_ok();
        }
        LH_TRY(status);
        if (lh_lmdb_now_us() >= until_us) {
            sweep->handled++;
            return lh_ok();
        }
    }
    return lh_ok();
}

lh_status lh_lmdb_sweep(struct lh_lmdb *lmdb, uint64_t now_ms, size_t max_rows, size_t *out_handled)
{
    struct sweep sweep = {.now_ms = now_ms, .max_rows = max_rows};
    struct lh_lmdb_write write = {.work = sweep_rows,
                                  .context = &sweep,
                                  .pages = max_rows * SWEEP_PAGES_PER_ROW,
                                  .uses_reserve = true};
    LH_TRY(lh_lmdb_run_write(lmdb, &write));
    *out_handled = sweep.handled;
    return lh_ok();
}
