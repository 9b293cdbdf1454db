/*
 * The map of an LMDB environment. It may only move while this process is in no transaction:
 * each function says which locks its caller holds.
 */
#ifndef LH_STORE_DRIVERS_LMDB_MAP_H
#define LH_STORE_DRIVERS_LMDB_MAP_H

#include "store/drivers/lmdb_env.h"

/* Its present size in this process; 0 if the environment is not open. */
uint64_t lh_lmdb_map_bytes(struct lh_lmdb *lmdb);

/*
 * Takes over a size that another process gave the file; never makes the map smaller. With
 * writing and reading. Errors: STORE_DOWN (the environment is closed then), NO_MEMORY (likewise).
 */
LH_MUST_USE lh_status lh_lmdb_adopt_map(struct lh_lmdb *lmdb);

/* The same with writing alone; waits for the reader, which is never long. */
LH_MUST_USE lh_status lh_lmdb_adopt_map_as_writer(struct lh_lmdb *lmdb);

/*
 * Gets a larger map: the one that another process has made, or else one of twice the size. Only
 * one process makes it at a time; the others take it over. With writing.
 * returns: whether it is larger now.
 */
bool lh_lmdb_grow(struct lh_lmdb *lmdb);

#endif
