/*
 * The index of use of each bucket and how many it holds. The count is that of its entries, kept
 * with them, for a tree cannot say how many keys lie between two.
 *
 * A bucket is counted from the first time that somebody asks for a quota there: step by step in
 * the order of lease ids, a few rows with each creation, so that nobody waits for a long walk. Up
 * to where the walk has come the count is right; what lies beyond is not counted yet. The walk
 * files rows of format 1, too.
 */
#ifndef LH_STORE_DRIVERS_LMDB_USE_H
#define LH_STORE_DRIVERS_LMDB_USE_H

#include "store/drivers/lmdb_rows.h"
#include "store/place.h"

/*
 * Where a place lies in the index after it was replaced; writes what has changed. One that stays a
 * session of its class stays where it is filed.
 * out_used_ms  for its row; 0 = nowhere. Errors: NO_SPACE, STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_move_use(struct lh_lmdb *lmdb, MDB_txn *txn,
                                       const struct lh_session_key *key,
                                       const struct lh_lmdb_row *old,
                                       const struct lh_store_row *next, uint64_t *out_used_ms);

/* Takes a row's entry out of the index, if it has one. Errors: NO_SPACE, STORE_DOWN. */
LH_MUST_USE lh_status lh_lmdb_unfile_use(struct lh_lmdb *lmdb, MDB_txn *txn,
                                         const struct lh_session_key *key,
                                         const struct lh_lmdb_row *row);

/*
 * Takes an entry out of the index that no row remembers. Whether it was counted nobody knows, so
 * the bucket is counted anew.
 * Errors: NO_SPACE, STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_drop_stale_use(struct lh_lmdb *lmdb, MDB_txn *txn,
                                             const struct lh_session_key *key, bool has_user,
                                             uint64_t used_ms);

/*
 * Moves a row's entry to its last touch and writes the row.
 * row  as read in txn; changed. Errors: NO_SPACE, STORE_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_lmdb_refile_use(struct lh_lmdb *lmdb, MDB_txn *txn,
                                         const struct lh_session_key *key, struct lh_lmdb_row *row);

/*
 * How many there are in key's bucket.
 * may_walk  after one step of the walk, if it is not over: once in a transaction, for others wait.
 * Errors: NO_SPACE, STORE_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_lmdb_tally(struct lh_lmdb *lmdb, MDB_txn *txn,
                                    const struct lh_session_key *key, bool may_walk,
                                    struct lh_place_tally *out_tally);

/*
 * Ends least recently used sessions and those whose time is over until the new one fits.
 * Errors: LIMITED, NO_SPACE, STORE_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_lmdb_make_room(struct lh_lmdb *lmdb, MDB_txn *txn,
                                        const struct lh_store_creation *creation,
                                        struct lh_store_evicted *evicted);

#endif
