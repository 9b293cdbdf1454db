/*
 * Opening and closing an LMDB environment, and what must be looked after while it is open.
 */
#include "store/drivers/lmdb_env.h"

#include "store/drivers/lmdb_file.h"
#include "store/drivers/lmdb_lock.h"
#include "store/drivers/lmdb_map.h"
#include "store/drivers/lmdb_rows.h"
#include "store/drivers/lmdb_space.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/banned.h"

/*
 * Slots of readers: two for each process. Workers, twice over during a reload, the daemon, many
 * CLIs at once. The first to open the environment decides.
 */
#define READERS_MAX 1022U

/*
 * NOTLS: the read transaction belongs to us and not to a thread. NORDAHEAD: keys are random, and
 * large folios in the page cache make later writes slow. NOSYNC: lh_lmdb_sync, in the background.
 * No NOMEMINIT: what LMDB does not fill would otherwise come from our heap and reach the disk.
 */
#define OPEN_FLAGS (MDB_NOTLS | MDB_NORDAHEAD | MDB_NOSYNC)

lh_status lh_lmdb_take_slot(struct lh_lmdb *lmdb, MDB_txn **out_reader)
{
    int result = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, out_reader);
    if (result == MDB_READERS_FULL) {
        (void)mdb_reader_check(lmdb->env, NULL);
        result = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, out_reader);
    }
    if (result != MDB_SUCCESS) {
        *out_reader = NULL;
    }
    return lh_lmdb_status(lmdb, result, "take a reader's slot");
}

/* Slots are taken now, so that no later read can find the table full. */
static lh_status take_slots(struct lh_lmdb *lmdb)
{
    LH_TRY(lh_lmdb_take_slot(lmdb, &lmdb->view));
    mdb_txn_reset(lmdb->view);
    return lh_lmdb_take_slot(lmdb, &lmdb->reader);
}

/* Errors: ABSENT (it is empty), FUTURE_FORMAT, STORE_DOWN. */
static lh_status open_tree(struct lh_lmdb *lmdb)
{
    LH_TRY(take_slots(lmdb));
    MDB_stat stat;
    int result = mdb_dbi_open(lmdb->reader, NULL, 0, &lmdb->rows);
    if (result == MDB_SUCCESS) {
        result = mdb_stat(lmdb->reader, lmdb->rows, &stat);
    }
    lh_status status = lh_lmdb_status(lmdb, result, "open the tree");
    if (lh_is_ok(status)) {
        lmdb->page_bytes = stat.ms_psize;
        status = lh_lmdb_check_format(lmdb, lmdb->reader);
    }
    mdb_txn_reset(lmdb->reader);
    return status;
}

/* A file that knows a larger map than we begin with keeps it. */
static lh_status size_map(struct lh_lmdb *lmdb)
{
    MDB_envinfo state;
    LH_TRY(lh_lmdb_status(lmdb, mdb_env_info(lmdb->env, &state), "info"));
    if (state.me_mapsize >= lmdb->start_bytes) {
        return lh_ok();
    }
    return lh_lmdb_status(lmdb, mdb_env_set_mapsize(lmdb->env, lmdb->start_bytes), "size the map");
}

static lh_status open_library(struct lh_lmdb *lmdb)
{
    LH_TRY(lh_lmdb_status(lmdb, mdb_env_create(&lmdb->env), "create"));
    LH_TRY(lh_lmdb_status(lmdb, mdb_env_set_maxreaders(lmdb->env, READERS_MAX), "set readers"));
    unsigned flags = OPEN_FLAGS | (lmdb->is_read_only ? (unsigned)MDB_RDONLY : 0);
    LH_TRY(lh_lmdb_status(lmdb, mdb_env_open(lmdb->env, lmdb->path, flags, LH_LMDB_FILE_MODE),
                          "open"));
    return size_map(lmdb);
}

static lh_status write_format(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    (void)context;
    return lh_lmdb_write_format(lmdb, txn);
}

static lh_status found(struct lh_lmdb *lmdb)
{
    struct lh_lmdb_write write = {.work = write_format, .uses_reserve = true};
    return lh_lmdb_run_write(lmdb, &write);
}

/* Leaves what it opened to lh_lmdb_close_env. Errors: ABSENT (all is well, but it is empty). */
static lh_status open_parts(struct lh_lmdb *lmdb, bool may_create)
{
    lmdb->allocated_bytes = 0;
    atomic_store(&lmdb->is_broken, false);
    LH_TRY(lh_lmdb_check_directory(lmdb->path, may_create));
    LH_TRY(lh_lmdb_join(lmdb->path, &lmdb->join_fd));
    LH_TRY(lh_lmdb_check_files(lmdb->path, may_create));
    LH_TRY(open_library(lmdb));
    LH_TRY(lh_lmdb_identify(lmdb->path, &lmdb->files));
    LH_TRY(lh_lmdb_settle(lmdb->join_fd, &lmdb->files));
    return open_tree(lmdb);
}

lh_status lh_lmdb_open_env(struct lh_lmdb *lmdb, bool may_create)
{
    lh_status status = open_parts(lmdb, may_create);
    if (status.code == LH_ABSENT) {
        status = may_create ? found(lmdb) : lh_status_of(LH_STORE_DOWN);
    }
    if (!lh_is_ok(status)) {
        lh_lmdb_close_env(lmdb);
    }
    return status;
}

static void end_reader(MDB_txn **reader)
{
    if (*reader != NULL) {
        mdb_txn_abort(*reader);
        *reader = NULL;
    }
}

void lh_lmdb_close_env(struct lh_lmdb *lmdb)
{
    end_reader(&lmdb->reader);
    end_reader(&lmdb->view);
    if (lmdb->env != NULL) {
        mdb_env_close(lmdb->env);
        lmdb->env = NULL;
    }
    if (lmdb->join_fd >= 0) {
        (void)close(lmdb->join_fd);
        lmdb->join_fd = -1;
    }
}

/* --- Upkeep ---------------------------------------------------------------------------------- */

static bool must_reopen(struct lh_lmdb *lmdb)
{
    struct lh_lmdb_files present;
    return lmdb->env == NULL || atomic_load(&lmdb->is_broken) ||
           !lh_is_ok(lh_lmdb_identify(lmdb->path, &present)) ||
           !lh_lmdb_is_same(&present, &lmdb->files);
}

static lh_status reopen(struct lh_lmdb *lmdb)
{
    LH_CLEANUP(lh_lmdb_unlock_reading) struct lh_lmdb *locked = lh_lmdb_lock_reading(lmdb);
    lh_lmdb_close_env(locked);
    lh_status status = open_parts(locked, false);
    if (!lh_is_ok(status)) {
        lh_lmdb_close_env(locked);
    }
    return status.code == LH_ABSENT ? lh_status_of(LH_STORE_DOWN) : status;
}

/* The free list is only counted when the file has been long enough once: that takes a while. */
static bool is_nearly_full(struct lh_lmdb *lmdb)
{
    uint64_t bytes = lh_lmdb_map_bytes(lmdb);
    uint64_t limit_bytes = bytes / 4 * 3;
    if (bytes >= lmdb->ceiling_bytes ||
        lh_lmdb_extent_bytes(lmdb) + lmdb->reserve_bytes <= limit_bytes) {
        return false;
    }
    LH_CLEANUP(lh_lmdb_end_read) struct lh_lmdb_read read = LH_LMDB_READ_NONE;
    uint64_t used_bytes;
    return lh_is_ok(lh_lmdb_begin_view(lmdb, &read)) &&
           lh_is_ok(lh_lmdb_used_bytes(lmdb, read.txn, &used_bytes)) &&
           used_bytes + lmdb->reserve_bytes > limit_bytes;
}

lh_status lh_lmdb_maintain(struct lh_lmdb *lmdb)
{
    LH_TRY(lh_lmdb_check_alive(lmdb));
    LH_CLEANUP(lh_lmdb_unlock_writing) struct lh_lmdb *locked = lh_lmdb_lock_writing(lmdb);
    if (must_reopen(locked)) {
        LH_TRY(reopen(locked));
    }
    LH_TRY(lh_lmdb_status(locked, mdb_reader_check(locked->env, NULL), "check readers"));
    if (!locked->is_read_only && is_nearly_full(locked)) {
        (void)lh_lmdb_grow(locked);
    }
    return lh_ok();
}

/* A descriptor of our own: the environment may be closed and opened again meanwhile. */
static lh_status dup_tree_file(struct lh_lmdb *lmdb, int *out_fd)
{
    LH_CLEANUP(lh_lmdb_unlock_reading) struct lh_lmdb *locked = lh_lmdb_lock_reading(lmdb);
    mdb_filehandle_t fd;
    LH_ENSURE(locked->env != NULL && mdb_env_get_fd(locked->env, &fd) == MDB_SUCCESS,
              LH_STORE_DOWN);
    *out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    LH_ENSURE(*out_fd >= 0, LH_STORE_DOWN);
    return lh_ok();
}

lh_status lh_lmdb_sync(struct lh_lmdb *lmdb)
{
    LH_TRY(lh_lmdb_check_alive(lmdb));
    if (lmdb->is_read_only) {
        return lh_ok();
    }
    int fd;
    LH_TRY(dup_tree_file(lmdb, &fd));
    int result = fdatasync(fd) == 0 ? 0 : errno;
    (void)close(fd);
    return lh_lmdb_status(lmdb, result, "sync");
}
