/*
 * The LMDB store's file, looked at and changed behind the driver's back. Only while no store of
 * this process has it open: LMDB may not be open twice in one process.
 */
#ifndef LH_TESTS_CONTRACT_LMDB_RAW_H
#define LH_TESTS_CONTRACT_LMDB_RAW_H

#include "contract/store_fixture.h"

#include <lmdb.h>

/* Longest path of a file of the environment. */
#define RAW_PATH_BYTES 300

/* "<path of the store>/<name>". */
void raw_path(const struct fixture *fixture, const char *name, char out_path[RAW_PATH_BYTES]);

/* Opens the environment as any program might; for child processes. */
MDB_env *raw_open(const char *path);

/* Calls change in one committed transaction of its own and opens the store again. */
void raw_change(struct fixture *fixture, void (*change)(MDB_txn *txn, MDB_dbi tree, void *context),
                void *context);

/* Puts and gets by the first byte of the key and the rest; get copies, returns 0 if absent. */
void raw_put(MDB_txn *txn, MDB_dbi tree, lh_slice key, lh_slice value);
size_t raw_get(MDB_txn *txn, MDB_dbi tree, lh_slice key, uint8_t *out_value, size_t max);
/* Keys in the tree that begin with a byte. */
size_t raw_count(MDB_txn *txn, MDB_dbi tree, uint8_t first);

/* Overwrites part of a file; the file must be there. */
void raw_overwrite(const char *path, long offset, lh_slice bytes);
/* Its length. */
long raw_length(const char *path);

#endif
