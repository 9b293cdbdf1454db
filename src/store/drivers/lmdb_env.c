/*
 * Reading and writing one LMDB environment.
 */
#include "store/drivers/lmdb_env.h"

#include "host/log.h"
#include "store/drivers/lmdb_lock.h"
#include "store/drivers/lmdb_map.h"
#include "store/drivers/lmdb_space.h"

#include <errno.h>

#include "base/banned.h"

/* A map is moved at most so often for one write: it doubles each time. */
#define GROWTHS_MAX 16U

/* --- Results --------------------------------------------------------------------------------- */

static enum lh_code code_of(int result)
{
    switch (result) {
    case MDB_SUCCESS:
        return LH_OK;
    case MDB_NOTFOUND:
        return LH_ABSENT;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return LH_NO_SPACE;
    case ENOMEM:
        return LH_NO_MEMORY;
    default:
        return LH_STORE_DOWN;
    }
}

lh_status lh_lmdb_status(struct lh_lmdb *lmdb, int result, const char *what)
{
    if (result == MDB_SUCCESS || result == MDB_NOTFOUND) {
        return lh_status_of(code_of(result));
    }
    if (result == MDB_PANIC) {
        atomic_store(&lmdb->is_broken, true);
    } else if (result == MDB_MAP_FULL) {
        lmdb->is_map_full = true; /* only ever comes up in a write */
    }
    if (lmdb->host != NULL) {
        lh_log(lmdb->host, LH_LOG_DEBUG, "sessions \"%s\": %s: %s", lmdb->path, what,
               mdb_strerror(result));
    }
    return lh_status_of(code_of(result));
}

lh_status lh_lmdb_check_alive(const struct lh_lmdb *lmdb)
{
    LH_ENSURE(*lmdb->live_mark != 0, LH_STORE_DOWN);
    return lh_ok();
}

/* --- Reading --------------------------------------------------------------------------------- */

/*
 * Somebody cleared our slot, taking this process for dead (another PID namespace). The old
 * transaction is left behind: ending it would free a slot that may be another's by now.
 */
static int renew_without_slot(struct lh_lmdb *lmdb, MDB_txn **reader)
{
    return lh_is_ok(lh_lmdb_take_slot(lmdb, reader)) ? MDB_SUCCESS : MDB_READERS_FULL;
}

static int renew(struct lh_lmdb *lmdb, MDB_txn **reader)
{
    int result = *reader == NULL ? MDB_BAD_RSLOT : mdb_txn_renew(*reader);
    return result == MDB_BAD_RSLOT ? renew_without_slot(lmdb, reader) : result;
}

/* The loop's way out of MDB_MAP_RESIZED: only if nobody writes, for it may not wait. */
static int renew_after_growth(struct lh_lmdb *lmdb)
{
    if (pthread_mutex_trylock(&lmdb->writing) != 0) {
        return MDB_MAP_RESIZED;
    }
    LH_CLEANUP(lh_lmdb_unlock_writing) struct lh_lmdb *locked = lmdb;
    return lh_is_ok(lh_lmdb_adopt_map(locked)) ? renew(locked, &locked->reader) : MDB_PANIC;
}

static int begin_locked(struct lh_lmdb *lmdb)
{
    if (lmdb->env == NULL) {
        return MDB_PANIC;
    }
    int result = renew(lmdb, &lmdb->reader);
    return result == MDB_MAP_RESIZED ? renew_after_growth(lmdb) : result;
}

lh_status lh_lmdb_begin_read(struct lh_lmdb *lmdb, struct lh_lmdb_read *out_read)
{
    LH_TRY(lh_lmdb_check_alive(lmdb));
    (void)lh_lmdb_lock_reading(lmdb);
    int result = begin_locked(lmdb);
    if (result != MDB_SUCCESS) {
        lh_status status = lh_lmdb_status(lmdb, result, "begin to read");
        lh_lmdb_unlock_reading(&lmdb);
        return status;
    }
    *out_read = (struct lh_lmdb_read){lmdb, lmdb->reader, true};
    return lh_ok();
}

lh_status lh_lmdb_begin_view(struct lh_lmdb *lmdb, struct lh_lmdb_read *out_read)
{
    LH_ENSURE(lmdb->env != NULL, LH_STORE_DOWN);
    int result = renew(lmdb, &lmdb->view);
    if (result == MDB_MAP_RESIZED) { /* never inside a write, which began with the newest map */
        LH_TRY(lh_lmdb_adopt_map_as_writer(lmdb));
        result = renew(lmdb, &lmdb->view);
    }
    LH_TRY(lh_lmdb_status(lmdb, result, "begin to look around"));
    *out_read = (struct lh_lmdb_read){lmdb, lmdb->view, false};
    return lh_ok();
}

void lh_lmdb_end_read(struct lh_lmdb_read *read)
{
    if (read->lmdb == NULL) {
        return;
    }
    mdb_txn_reset(read->txn);
    if (read->has_reading) {
        lh_lmdb_unlock_reading(&read->lmdb);
    }
    read->lmdb = NULL;
}

/* --- Writing --------------------------------------------------------------------------------- */

static lh_status begin_write(struct lh_lmdb *lmdb, MDB_txn **out_txn)
{
    LH_ENSURE(lmdb->env != NULL, LH_STORE_DOWN);
    int result = mdb_txn_begin(lmdb->env, NULL, 0, out_txn);
    if (result == MDB_MAP_RESIZED) {
        LH_TRY(lh_lmdb_adopt_map_as_writer(lmdb));
        result = mdb_txn_begin(lmdb->env, NULL, 0, out_txn);
    }
    return lh_lmdb_status(lmdb, result, "begin to write");
}

static lh_status run_once(struct lh_lmdb *lmdb, const struct lh_lmdb_write *write)
{
    lmdb->is_map_full = false;
    MDB_txn *txn;
    LH_TRY(begin_write(lmdb, &txn));
    lh_status status = write->uses_reserve ? lh_ok() : lh_lmdb_check_room(lmdb, txn, write);
    if (lh_is_ok(status)) {
        status = write->work(lmdb, txn, write->context);
    }
    if (!lh_is_ok(status)) {
        mdb_txn_abort(txn);
        return status;
    }
    return lh_lmdb_status(lmdb, mdb_txn_commit(txn), "commit");
}

lh_status lh_lmdb_run_write(struct lh_lmdb *lmdb, const struct lh_lmdb_write *write)
{
    LH_TRY(lh_lmdb_check_alive(lmdb));
    LH_CLEANUP(lh_lmdb_unlock_writing) struct lh_lmdb *locked = lh_lmdb_lock_writing(lmdb);
    for (unsigned growths = 0;; growths++) {
        lh_status status = run_once(locked, write);
        if (status.code != LH_NO_SPACE || !locked->is_map_full || growths >= GROWTHS_MAX ||
            !lh_lmdb_grow(locked)) {
            return status;
        }
    }
}
