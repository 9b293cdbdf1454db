/*
 * What goes over many rows: listing, counting, sweeping. Each in steps that hold a transaction
 * only briefly.
 */
#ifndef LH_STORE_DRIVERS_LMDB_WALK_H
#define LH_STORE_DRIVERS_LMDB_WALK_H

#include "store/drivers/lmdb_rows.h"

/* See lh_store_driver.list. */
LH_MUST_USE lh_status lh_lmdb_list(struct lh_lmdb *lmdb, const struct lh_tenant_uid *uid,
                                   uint32_t bucket, const struct lh_user_tag *user_tag,
                                   struct lh_store_page *page,
                                   bool (*each)(void *context, const struct lh_session_key *key,
                                                const struct lh_store_row *row),
                                   void *context);

/* See lh_store_driver.count. */
LH_MUST_USE lh_status lh_lmdb_count(struct lh_lmdb *lmdb, struct lh_store_counts *out_counts);

/* See lh_store_driver.sweep. */
LH_MUST_USE lh_status lh_lmdb_sweep(struct lh_lmdb *lmdb, uint64_t now_ms, size_t max_rows,
                                    size_t *out_handled);

/* How long a write transaction may work before it commits, so that others get their turn. */
#define LH_LMDB_WORK_US 2000U

/* Microseconds of a clock that only goes forward. */
uint64_t lh_lmdb_now_us(void);

#endif
