/*
 * The two locks of an LMDB environment (see lmdb_env.h) as objects of LH_CLEANUP.
 */
#ifndef LH_STORE_DRIVERS_LMDB_LOCK_H
#define LH_STORE_DRIVERS_LMDB_LOCK_H

#include "base/bug.h"
#include "store/drivers/lmdb_env.h"

/* Waits for it; returns lmdb. */
static inline struct lh_lmdb *lh_lmdb_lock_writing(struct lh_lmdb *lmdb)
{
    LH_BUG_IF(pthread_mutex_lock(&lmdb->writing) != 0);
    return lmdb;
}

/* For LH_CLEANUP. */
static inline void lh_lmdb_unlock_writing(struct lh_lmdb **lmdb)
{
    LH_BUG_IF(pthread_mutex_unlock(&(*lmdb)->writing) != 0);
}

/* Waits for it, which is never long; returns lmdb. */
static inline struct lh_lmdb *lh_lmdb_lock_reading(struct lh_lmdb *lmdb)
{
    LH_BUG_IF(pthread_mutex_lock(&lmdb->reading) != 0);
    return lmdb;
}

/* For LH_CLEANUP. */
static inline void lh_lmdb_unlock_reading(struct lh_lmdb **lmdb)
{
    LH_BUG_IF(pthread_mutex_unlock(&(*lmdb)->reading) != 0);
}

#endif
