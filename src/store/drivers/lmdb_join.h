/*
 * Who has an LMDB environment open together. LMDB keeps processes apart by its lock file; what
 * happens when that file or the data file is taken away beneath them, or when one process opens
 * it twice, it leaves to its callers. So each that has it open holds a mark in a file of ours.
 */
#ifndef LH_STORE_DRIVERS_LMDB_JOIN_H
#define LH_STORE_DRIVERS_LMDB_JOIN_H

#include "base/status.h"

/* Who the files of an environment are, to notice that others have taken their place. */
struct lh_lmdb_files {
    uint64_t device;
    uint64_t tree_inode; /* data.mdb */
    uint64_t lock_inode; /* lock.mdb */
};

/*
 * Who the data and the lock file are now.
 * Errors: STORE_DOWN (one is missing).
 */
LH_MUST_USE lh_status lh_lmdb_identify(const char *path, struct lh_lmdb_files *out_files);

/* Whether both are the same files. */
bool lh_lmdb_is_same(const struct lh_lmdb_files *a, const struct lh_lmdb_files *b);

/*
 * Joins those who have the environment open, by a mark in the driver's own lock file beside
 * LMDB's. Twice in one process is refused: closing one would drop LMDB's locks of the other. So is
 * joining others who have other files open than lie there now: LMDB's lock file would not
 * keep us apart. Keeps other joiners waiting until lh_lmdb_settle or until the descriptor is
 * closed, which also takes the mark away.
 * Errors: INVALID (open in this process already), STORE_DOWN, UNSAFE_FILE.
 */
LH_MUST_USE lh_status lh_lmdb_join(const char *path, int *out_fd);
/* Writes down which files are open, and lets others join. Errors: STORE_DOWN. */
LH_MUST_USE lh_status lh_lmdb_settle(int fd, const struct lh_lmdb_files *files);

/* Becomes the one who grows the map; waits for another. returns: whether it worked. */
bool lh_lmdb_lock_growth(int fd);
/* Lets others grow it. */
void lh_lmdb_unlock_growth(int fd);

#endif
