/*
 * How much room is left, exactly enough to keep the reserve: LMDB only knows full and not full.
 */
#ifndef LH_STORE_DRIVERS_LMDB_SPACE_H
#define LH_STORE_DRIVERS_LMDB_SPACE_H

#include "store/drivers/lmdb_env.h"

/*
 * Whether a write may take its pages and still leave the reserve, in the map and on the disk.
 * Takes disk space ahead, so that a full disk leaves the reserve to revocations as well.
 * txn  a write transaction that has not written yet.
 * Errors: NO_SPACE (sets is_map_full if a larger map would help), STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_check_room(struct lh_lmdb *lmdb, MDB_txn *txn,
                                         const struct lh_lmdb_write *write);

/* Bytes from the beginning to the last page ever used, free ones among them; 0 if not open. */
uint64_t lh_lmdb_extent_bytes(struct lh_lmdb *lmdb);

/* Bytes of pages that hold something, in the view of a read transaction. Errors: STORE_DOWN. */
LH_MUST_USE lh_status lh_lmdb_used_bytes(struct lh_lmdb *lmdb, MDB_txn *txn, uint64_t *out_bytes);

#endif
