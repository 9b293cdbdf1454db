/*
 * What lies on the disk before LMDB is let near it: who may reach the directory and its files,
 * on what kind of file system, and whether the data file is one that LMDB can map without
 * crashing. LMDB itself trusts all of that.
 */
#ifndef LH_STORE_DRIVERS_LMDB_FILE_H
#define LH_STORE_DRIVERS_LMDB_FILE_H

#include "base/status.h"

/* Longest path of a file of the environment, with its NUL. */
#define LH_LMDB_PATH_BYTES 4096U

/* Files of an environment are their owner's alone. */
#define LH_LMDB_FILE_MODE 0600

struct stat;

/* Writes "<path>/<name>". Errors: STORE_DOWN (too long). */
LH_MUST_USE lh_status lh_lmdb_path(const char *path, const char *name,
                                   char out_path[LH_LMDB_PATH_BYTES]);

/* Whether a file is ours and nobody else may do anything with it. */
bool lh_lmdb_is_private(const struct stat *status);

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
 * Checks, and lengthens, a data.mdb that must be there, whoever may reach it: for an environment
 * whose directory is checked elsewhere.
 * Errors: STORE_DOWN (missing, no file, damaged, of another format), NO_SPACE.
 */
LH_MUST_USE lh_status lh_lmdb_check_tree(const char *path);

/*
 * The size of the map that the newest commit knows.
 * fd  of data.mdb. Errors: STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_read_map_bytes(int fd, uint64_t *out_bytes);

#endif
