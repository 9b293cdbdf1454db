/*
 * What lies in the tree: sessions and their indexes, told apart by the first byte of the key.
 *
 *   'e' end ‖ session key                         -> nothing    when a sweep must look at it
 *   'f'                                           -> format
 *   'l' bucket ‖ class ‖ last use ‖ lease id      -> nothing    who is evicted first
 *   'q' bucket                                    -> how many there are (lmdb_use.h)
 *   's' session key                               -> row: a head of fixed size ‖ record
 *   'u' bucket ‖ user ‖ lease id                  -> nothing    sessions of a user
 *
 * One tree and not many: fewer pages are written per change and nothing is looked up first. A
 * session's place in the index of ends is written when it is filed, not when it is touched: the
 * row remembers where it is filed, and a sweep that finds it alive files it anew. The same holds
 * for the index of use and who evicts. An entry that no row remembers is stale, means nothing, and
 * goes when it is met.
 *
 * Rows of format 1 do not know the index of use: they read as not filed there, do not count yet,
 * and become format 2 with their next change.
 */
#ifndef LH_STORE_DRIVERS_LMDB_ROWS_H
#define LH_STORE_DRIVERS_LMDB_ROWS_H

#include "store/drivers/lmdb_env.h"

/* What the first byte of a key says; in the order in which they lie. */
#define LH_LMDB_END     ((uint8_t)'e')
#define LH_LMDB_FORMAT  ((uint8_t)'f')
#define LH_LMDB_USE     ((uint8_t)'l')
#define LH_LMDB_QUOTA   ((uint8_t)'q')
#define LH_LMDB_SESSION ((uint8_t)'s')
#define LH_LMDB_USER    ((uint8_t)'u')

/* Longest key with its first byte. */
#define LH_LMDB_KEY_BYTES (1U + LH_USER_INDEX_KEY_BYTES)

struct lh_lmdb_row {
    struct lh_store_row row; /* the record is a view into the value that was read */
    uint64_t filed_ms;       /* where its entry lies in the index of ends */
    uint64_t used_ms;        /* and in the index of use; 0 = nowhere */
};

/*
 * Reads a value. A row longer than any that we write is no row.
 * Errors: TAMPERED (short, or nonsense), FUTURE_FORMAT.
 */
LH_MUST_USE lh_status lh_lmdb_row_read(lh_slice value, struct lh_lmdb_row *out_row);

/*
 * What lies in a place; an empty one is OK. The record is valid until the next change in txn.
 * Errors: TAMPERED, FUTURE_FORMAT, STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_get_row(struct lh_lmdb *lmdb, MDB_txn *txn,
                                      const struct lh_session_key *key,
                                      struct lh_lmdb_row *out_row);

/*
 * Puts a row into a place, and its entries into the indexes.
 * old  what lies there now; its record is not looked at.
 * next  its record may not lie in the tree.
 * Errors: NO_SPACE, STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_replace_row(struct lh_lmdb *lmdb, MDB_txn *txn,
                                          const struct lh_session_key *key,
                                          const struct lh_lmdb_row *old,
                                          const struct lh_store_row *next);

/*
 * Puts a row back with other fields in its head; no index is looked at.
 * row  as it was read from this place in txn, and changed.
 * Errors: NO_SPACE, STORE_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_lmdb_rewrite_row(struct lh_lmdb *lmdb, MDB_txn *txn,
                                          const struct lh_session_key *key,
                                          const struct lh_lmdb_row *row);

/* Empties a place and takes its entries away; that of ends is the caller's. */
LH_MUST_USE lh_status lh_lmdb_remove_row(struct lh_lmdb *lmdb, MDB_txn *txn,
                                         const struct lh_session_key *key,
                                         const struct lh_lmdb_row *row);

/*
 * Puts an entry that may be there already. returns (out_is_new): whether it was not.
 * Errors: NO_SPACE, STORE_DOWN.
 */
LH_MUST_USE lh_status lh_lmdb_put_entry(struct lh_lmdb *lmdb, MDB_txn *txn, lh_slice key,
                                        bool *out_is_new);
/* Deletes what may be gone already; out_was_there: whether it was not. Errors: as above. */
LH_MUST_USE lh_status lh_lmdb_delete_key(struct lh_lmdb *lmdb, MDB_txn *txn, lh_slice key,
                                         bool *out_was_there);

/* Files a place in the index of ends. Errors: NO_SPACE, STORE_DOWN. */
LH_MUST_USE lh_status lh_lmdb_file_end(struct lh_lmdb *lmdb, MDB_txn *txn, uint64_t end_ms,
                                       const struct lh_session_key *key);

/* Writes the format's row. Errors: NO_SPACE, STORE_DOWN. */
LH_MUST_USE lh_status lh_lmdb_write_format(struct lh_lmdb *lmdb, MDB_txn *txn);
/* Reads it. Errors: ABSENT (nothing is written yet), FUTURE_FORMAT, STORE_DOWN. */
LH_MUST_USE lh_status lh_lmdb_check_format(struct lh_lmdb *lmdb, MDB_txn *txn);

/* Writes the key of a session, LH_SESSION_KEY_BYTES and the first byte. */
void lh_lmdb_write_session_key(const struct lh_session_key *key, uint8_t *out_bytes);

#endif
