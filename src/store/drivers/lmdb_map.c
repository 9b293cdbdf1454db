/*
 * The map of an LMDB environment: how it is moved, and how it grows.
 */
#include "store/drivers/lmdb_map.h"

#include "store/drivers/lmdb_file.h"
#include "store/drivers/lmdb_lock.h"
#include "store/drivers/lmdb_rows.h"

#include "base/banned.h"

uint64_t lh_lmdb_map_bytes(struct lh_lmdb *lmdb)
{
    MDB_envinfo state;
    return lmdb->env != NULL && mdb_env_info(lmdb->env, &state) == MDB_SUCCESS ? state.me_mapsize
                                                                               : 0;
}

/*
 * With both locks: this process is in no transaction. A map that was unmapped and cannot be
 * mapped again leaves LMDB with dangling pointers: then only closing is left.
 */
static lh_status move_map(struct lh_lmdb *lmdb, uint64_t bytes)
{
    lh_status status = lh_lmdb_status(lmdb, mdb_env_set_mapsize(lmdb->env, bytes), "move the map");
    if (!lh_is_ok(status)) {
        lh_lmdb_close_env(lmdb);
        atomic_store(&lmdb->is_broken, true);
    }
    return status;
}

lh_status lh_lmdb_adopt_map(struct lh_lmdb *lmdb)
{
    uint64_t before = lh_lmdb_map_bytes(lmdb);
    LH_TRY(move_map(lmdb, 0));
    return lh_lmdb_map_bytes(lmdb) < before ? move_map(lmdb, before) : lh_ok();
}

lh_status lh_lmdb_adopt_map_as_writer(struct lh_lmdb *lmdb)
{
    LH_CLEANUP(lh_lmdb_unlock_reading) struct lh_lmdb *locked = lh_lmdb_lock_reading(lmdb);
    return lh_lmdb_adopt_map(locked);
}

/*
 * A commit of anything writes the new size into the file, where others find it. If it fails, the
 * larger map is ours alone for now.
 */
static void publish_map(struct lh_lmdb *lmdb)
{
    MDB_txn *txn;
    if (!lh_is_ok(lh_lmdb_status(lmdb, mdb_txn_begin(lmdb->env, NULL, 0, &txn), "publish"))) {
        return;
    }
    if (lh_is_ok(lh_lmdb_write_format(lmdb, txn))) {
        (void)lh_lmdb_status(lmdb, mdb_txn_commit(txn), "publish");
    } else {
        mdb_txn_abort(txn);
    }
}

/* Makes the map twice as large. With writing held, and the right to grow. */
static bool double_map(struct lh_lmdb *lmdb, uint64_t before)
{
    uint64_t after = before > lmdb->ceiling_bytes / 2 ? lmdb->ceiling_bytes : before * 2;
    LH_CLEANUP(lh_lmdb_unlock_reading) struct lh_lmdb *locked = lh_lmdb_lock_reading(lmdb);
    return lh_is_ok(move_map(locked, after));
}

/*
 * Takes over a larger map of the file, if it has one. The file is asked first: moving the map
 * for nothing would cost every reader its page table each time a full store refuses a write.
 */
static bool adopt_if_larger(struct lh_lmdb *lmdb, uint64_t before)
{
    mdb_filehandle_t fd;
    uint64_t bytes;
    return lmdb->env != NULL && mdb_env_get_fd(lmdb->env, &fd) == MDB_SUCCESS &&
           lh_is_ok(lh_lmdb_read_map_bytes(fd, &bytes)) && bytes > before &&
           lh_is_ok(lh_lmdb_adopt_map_as_writer(lmdb));
}

static bool grow_as_owner(struct lh_lmdb *lmdb, uint64_t before)
{
    if (adopt_if_larger(lmdb, before)) {
        return true;
    }
    bool is_larger = lmdb->env != NULL && double_map(lmdb, before);
    if (is_larger) {
        publish_map(lmdb);
    }
    return is_larger;
}

bool lh_lmdb_grow(struct lh_lmdb *lmdb)
{
    uint64_t before = lh_lmdb_map_bytes(lmdb);
    if (adopt_if_larger(lmdb, before)) {
        return true;
    }
    if (before >= lmdb->ceiling_bytes || !lh_lmdb_lock_growth(lmdb->join_fd)) {
        return false;
    }
    bool is_larger = grow_as_owner(lmdb, before);
    lh_lmdb_unlock_growth(lmdb->join_fd);
    return is_larger;
}
