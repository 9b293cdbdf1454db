/*
 * Room in an LMDB environment. Pages come from two places: the free list (pages that earlier
 * transactions gave back and no reader can still see) and the tail (from the end of the used part
 * to the end of the map). Away from the end the tail alone decides and nothing is counted.
 */
#include "store/drivers/lmdb_space.h"

#include <errno.h>
#include <fcntl.h>

#include "base/banned.h"

/* LMDB's own tree of freed pages: transaction -> how many and which. */
#define FREE_TREE ((MDB_dbi)0)

/* --- The free list --------------------------------------------------------------------------- */

/* Takes the transaction off one line of mdb_reader_list: "pid thread txn", or "-" for none. */
static int note_oldest(const char *line, void *context)
{
    uint64_t *oldest = context;
    lh_slice text = lh_slice_from_text(line);
    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == ' ')) {
        text.len--;
    }
    size_t start = text.len;
    while (start > 0 && text.ptr[start - 1] != ' ') {
        start--;
    }
    uint64_t txn;
    if (lh_is_ok(lh_slice_parse_u64(lh_slice_cut(text, start, text.len), UINT64_MAX, &txn)) &&
        txn < *oldest) {
        *oldest = txn;
    }
    return 0;
}

/* The oldest transaction that any reader of any process may still look at. */
static uint64_t find_oldest(MDB_env *env, uint64_t newest)
{
    uint64_t oldest = newest;
    (void)mdb_reader_list(env, note_oldest, &oldest);
    return oldest;
}

static void close_cursor(MDB_cursor **cursor)
{
    mdb_cursor_close(*cursor);
}

/* Pages on the free list that transactions before `before` gave back. txn: a read transaction. */
static lh_status count_free(struct lh_lmdb *lmdb, MDB_txn *txn, uint64_t before,
                            uint64_t *out_pages)
{
    MDB_cursor *raw;
    LH_TRY(lh_lmdb_status(lmdb, mdb_cursor_open(txn, FREE_TREE, &raw), "open free list"));
    LH_CLEANUP(close_cursor) MDB_cursor *cursor = raw;
    MDB_val key;
    MDB_val value;
    uint64_t pages = 0;
    int result;
    while ((result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        size_t freed_by;
        size_t count;
        LH_ENSURE(key.mv_size == sizeof(freed_by) && value.mv_size >= sizeof(count), LH_STORE_DOWN);
        memcpy(&freed_by, key.mv_data, sizeof(freed_by));
        memcpy(&count, value.mv_data, sizeof(count));
        pages += freed_by < before ? count : 0;
    }
    LH_ENSURE(result == MDB_NOTFOUND, LH_STORE_DOWN);
    *out_pages = pages;
    return lh_ok();
}

/*
 * LMDB shows the free list to read transactions only; ours sees what the writer began with.
 * newest  the last committed transaction.
 */
static lh_status count_reusable(struct lh_lmdb *lmdb, uint64_t newest, uint64_t *out_pages)
{
    LH_CLEANUP(lh_lmdb_end_read) struct lh_lmdb_read read = LH_LMDB_READ_NONE;
    LH_TRY(lh_lmdb_begin_view(lmdb, &read));
    return count_free(lmdb, read.txn, find_oldest(lmdb->env, newest), out_pages);
}

/* --- The tail -------------------------------------------------------------------------------- */

/*
 * Has the file system set blocks aside behind the used part, once per stretch. What it cannot
 * give now is asked for again by the next write.
 */
static void allocate(struct lh_lmdb *lmdb, uint64_t used_bytes, uint64_t need_bytes)
{
    if (lmdb->allocated_bytes >= used_bytes + need_bytes) {
        return;
    }
    mdb_filehandle_t fd;
    if (mdb_env_get_fd(lmdb->env, &fd) != MDB_SUCCESS) {
        return;
    }
    uint64_t tries[] = {need_bytes + lmdb->reserve_bytes, need_bytes};
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)used_bytes, (off_t)tries[i]) == 0) {
            lmdb->allocated_bytes = used_bytes + tries[i];
            return;
        }
        if (errno != ENOSPC && errno != EDQUOT && errno != EFBIG && errno != EINTR) {
            lmdb->allocated_bytes = UINT64_MAX; /* it has no such call: the disk is not looked at */
            return;
        }
    }
}

static uint64_t pages_between(uint64_t from_bytes, uint64_t to_bytes, uint64_t page_bytes)
{
    return to_bytes > from_bytes ? (to_bytes - from_bytes) / page_bytes : 0;
}

lh_status lh_lmdb_check_room(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_lmdb_write *write)
{
    MDB_envinfo state;
    LH_TRY(lh_lmdb_status(lmdb, mdb_env_info(lmdb->env, &state), "info"));
    uint64_t used_bytes = (state.me_last_pgno + 1) * lmdb->page_bytes;
    uint64_t need = write->pages + lmdb->reserve_bytes / lmdb->page_bytes;
    allocate(lmdb, used_bytes, need * lmdb->page_bytes);

    bool is_lowered = write->adds && lmdb->ceiling_bytes < state.me_mapsize;
    uint64_t limit_bytes = is_lowered ? lmdb->ceiling_bytes : state.me_mapsize;
    uint64_t map_tail = pages_between(used_bytes, limit_bytes, lmdb->page_bytes);
    uint64_t disk_tail = pages_between(used_bytes, lmdb->allocated_bytes, lmdb->page_bytes);
    if (map_tail >= need && disk_tail >= need) {
        return lh_ok();
    }
    uint64_t reusable;
    LH_TRY(count_reusable(lmdb, mdb_txn_id(txn) - 1, &reusable));
    lmdb->is_map_full = map_tail + reusable < need;
    LH_ENSURE(!lmdb->is_map_full && disk_tail + reusable >= need, LH_NO_SPACE);
    return lh_ok();
}

uint64_t lh_lmdb_extent_bytes(struct lh_lmdb *lmdb)
{
    MDB_envinfo state;
    bool is_known = lmdb->env != NULL && mdb_env_info(lmdb->env, &state) == MDB_SUCCESS;
    return is_known ? (state.me_last_pgno + 1) * lmdb->page_bytes : 0;
}

lh_status lh_lmdb_used_bytes(struct lh_lmdb *lmdb, MDB_txn *txn, uint64_t *out_bytes)
{
    uint64_t freed;
    LH_TRY(count_free(lmdb, txn, UINT64_MAX, &freed));
    uint64_t extent_bytes = lh_lmdb_extent_bytes(lmdb);
    uint64_t freed_bytes = freed * lmdb->page_bytes;
    *out_bytes = extent_bytes > freed_bytes ? extent_bytes - freed_bytes : 0;
    return lh_ok();
}
