/*
 * One LMDB environment of this process: opened and closed, read and written, its map moved. All
 * that LMDB leaves to its caller is here; what lies in it is lmdb_rows.h.
 *
 * Threads. Reads come from the loop, writes and upkeep from a lane's thread. `reading` is held
 * while the one read transaction is open (about a microsecond), `writing` by whoever writes, also
 * while he waits for another process' transaction. The map may only move while this process is
 * in no transaction at all: a writer moves it between transactions, with both held; a reader that
 * finds the map too small moves it only if no writer is under way (trylock), and else answers
 * STORE_DOWN: the loop never waits for a writer. Order: writing, then reading.
 */
#ifndef LH_STORE_DRIVERS_LMDB_ENV_H
#define LH_STORE_DRIVERS_LMDB_ENV_H

#include "base/buf.h"
#include "store/drivers/drivers.h"
#include "store/drivers/lmdb_join.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

struct lh_lmdb {
    uint32_t magic;
    const struct lh_host *host; /* borrowed; NULL: nothing is logged */
    char *path;                 /* owned */
    bool is_read_only;
    uint64_t start_bytes;              /* size of the map to begin with */
    uint64_t ceiling_bytes;            /* it grows up to here */
    uint64_t reserve_bytes;            /* kept free for revocations, in the map and on the disk */
    const volatile uint8_t *live_mark; /* a page that reads 0 in a forked child */

    pthread_mutex_t writing;
    pthread_mutex_t reading;
    MDB_env *env; /* changes with both held; NULL: could not be opened again */
    MDB_dbi rows; /* the one tree; constant while env stands */
    uint64_t page_bytes;
    MDB_txn *reader; /* with reading: reset and renewed, never ended, so it keeps its slot */

    /* With writing. */
    MDB_txn *view;              /* a reader like it, for the writer's own looking around */
    struct lh_buf scratch;      /* a value that is being changed */
    uint64_t allocated_bytes;   /* of the file; UINT64_MAX: the file system cannot tell */
    bool is_map_full;           /* why the last transaction had no space */
    int join_fd;                /* our mark among those who have it open; -1: not open */
    struct lh_lmdb_files files; /* that are open */

    atomic_bool is_broken; /* LMDB gave the environment up; upkeep opens it again */
};

/*
 * What an LMDB result means; logs it at debug level.
 * what  the call, for the log.
 */
lh_status lh_lmdb_status(struct lh_lmdb *lmdb, int result, const char *what);

/*
 * Opens the environment.
 * lmdb  with its constants and mutexes set.
 * Errors: INVALID (this process has it open), STORE_DOWN, UNSAFE_FILE, FUTURE_FORMAT, NO_SPACE,
 * NO_MEMORY.
 */
LH_MUST_USE lh_status lh_lmdb_open_env(struct lh_lmdb *lmdb, bool may_create);
/* Closes it; nothing may be under way. Does nothing if it is not open. */
void lh_lmdb_close_env(struct lh_lmdb *lmdb);

/*
 * Makes a reader, begun, with a slot of its own.
 * out_reader  NULL on errors. Errors: STORE_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_lmdb_take_slot(struct lh_lmdb *lmdb, MDB_txn **out_reader);

/* Whether this process may use it: not a child of the one that opened it. Errors: STORE_DOWN. */
LH_MUST_USE lh_status lh_lmdb_check_alive(const struct lh_lmdb *lmdb);

/* One read transaction; end it. Short: it holds up the map and old pages. */
struct lh_lmdb_read {
    struct lh_lmdb *lmdb; /* NULL: did not begin */
    MDB_txn *txn;
    bool has_reading;
};

#define LH_LMDB_READ_NONE ((struct lh_lmdb_read){NULL, NULL, false})

/* Begins; waits for no writer. Errors: STORE_DOWN. */
LH_MUST_USE lh_status lh_lmdb_begin_read(struct lh_lmdb *lmdb, struct lh_lmdb_read *out_read);
/*
 * The same for a caller that holds writing, also inside his transaction: he sees what that began
 * with. Keeps no other reader waiting, however long it takes. Errors: STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_begin_view(struct lh_lmdb *lmdb, struct lh_lmdb_read *out_read);
/* Ends. For LH_CLEANUP too; does nothing if it did not begin. */
void lh_lmdb_end_read(struct lh_lmdb_read *read);

/* What one write transaction does. */
struct lh_lmdb_write {
    /*
     * Changes what it must and returns; called again from the start if the map had to grow.
     * On any status but OK nothing is written.
     */
    lh_status (*work)(struct lh_lmdb *lmdb, MDB_txn *txn, void *context);
    void *context;
    size_t pages;      /* that it may take */
    bool uses_reserve; /* revocations, and what frees space */
    bool adds;         /* ends at the ceiling even if the map is larger: it may have been lowered */
};

/*
 * Runs it in one transaction. Blocks.
 * Errors: the work's; NO_SPACE, STORE_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_lmdb_run_write(struct lh_lmdb *lmdb, const struct lh_lmdb_write *write);

/*
 * Clears the slots of dead readers, grows the map if it is three quarters full, opens the
 * environment again if it broke or if its files were replaced.
 * Errors: STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_maintain(struct lh_lmdb *lmdb);

/*
 * Makes what is committed survive a power loss. Waits for no writer.
 * Errors: STORE_DOWN, NO_SPACE.
 */
LH_MUST_USE lh_status lh_lmdb_sync(struct lh_lmdb *lmdb);

#endif
