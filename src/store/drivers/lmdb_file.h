/*
 * What lies on the disk before LMDB is let near it: who may reach the directory and its files,
 * on what kind of file system, and whether the data file is one that LMDB can map without
 * crashing. LMDB itself trusts all of that.
 */
#ifndef LH_STORE_DRIVERS_LMDB_FILE_H
#define LH_STORE_DRIVERS_LMDB_FILE_H

#include "base/status.h"

#include <sys/types.h>

/* Longest path of a file of the environment, with its NUL. */
#define LH_LMDB_PATH_BYTES 4096U

/* Who a file is, to notice that another has taken its place. */
struct lh_lmdb_identity {
    dev_t device;
    ino_t inode;
};

/*
 * Checks the directory, and makes it (0700) if it is missing and may be made.
 * Errors: STORE_DOWN (missing, unreadable), UNSAFE_FILE (not ours, open to others, or on a file
 * system of the network: LMDB's locks and its map need one machine).
 */
LH_MUST_USE lh_status lh_lmdb_check_directory(const char *path, bool may_create);

/*
 * Checks data.mdb and lock.mdb in the directory as far as they exist. A file that is shorter than
 * its header says is lengthened with zeros, so that a lost page is an error and no SIGBUS.
 * may_create  an empty or missing data file is all right.
 * Errors: STORE_DOWN (missing, damaged, of another format), UNSAFE_FILE, NO_SPACE.
 */
LH_MUST_USE lh_status lh_lmdb_check_files(const char *path, bool may_create);

/*
 * Who the data and the lock file are now.
 * Errors: STORE_DOWN (one is missing).
 */
LH_MUST_USE lh_status lh_lmdb_identify(const char *path, struct lh_lmdb_identity *out_tree_file,
                                       struct lh_lmdb_identity *out_lock_file);

/*
 * Opens (and makes) the driver's own lock file beside LMDB's and claims this process' mark in it:
 * LMDB may not be open twice in one process, for closing one would drop the locks of the other.
 * The claim ends when the descriptor is closed, in whatever way.
 * Errors: INVALID (open in this process already), STORE_DOWN (also: lock.mdb is missing while
 * other processes have the environment open), UNSAFE_FILE.
 */
LH_MUST_USE lh_status lh_lmdb_claim(const char *path, int *out_fd);

/*
 * The size of the map that the newest commit knows.
 * fd  of data.mdb. Errors: STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_read_map_bytes(int fd, uint64_t *out_bytes);

/* Becomes the one who grows the map; waits for another. returns: whether it worked. */
bool lh_lmdb_lock_growth(int fd);
/* Lets others grow it. */
void lh_lmdb_unlock_growth(int fd);

#endif
