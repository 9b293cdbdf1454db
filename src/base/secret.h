/*
 * Secrets in memory: wiping, comparing in constant time, and locked slots that are kept out of
 * core dumps, swap and forked children.
 */
#ifndef LH_BASE_SECRET_H
#define LH_BASE_SECRET_H

#include "base/slice.h"

/* Overwrites len bytes in a way that the compiler may not drop. NULL with len 0 is accepted. */
void lh_wipe(void *ptr, size_t len);

/*
 * Whether two areas of len bytes are equal, in time that depends on len alone.
 */
bool lh_secret_is_equal(const void *a, const void *b, size_t len);

/*
 * The same for slices; unequal lengths are unequal (lengths are no secret).
 */
bool lh_secret_slice_is_equal(lh_slice a, lh_slice b);

/* 256-bit key material in plain memory of the caller; wipe with lh_key_fini. */
#define LH_KEY_BYTES 32U
struct lh_key {
    uint8_t bytes[LH_KEY_BYTES];
};

/* Wipes a key on the stack; for LH_CLEANUP. */
void lh_key_fini(struct lh_key *key);

/* What to do if the kernel refuses to lock memory. */
enum lh_lock_policy {
    LH_LOCK_REQUIRED, /* creation fails with NO_MEMORY, also where it cannot be kept out of dumps */
    LH_LOCK_BEST_EFFORT /* goes on unlocked; lh_secret_pool_is_locked tells */
};

/*
 * A pool of equal slots in memory that is locked (mlock), excluded from dumps (MADV_DONTDUMP)
 * and zero in forked children (MADV_WIPEONFORK). A child may only free it. For one thread at a
 * time.
 */
struct lh_secret_pool;

/*
 * Makes a pool.
 * slot_bytes  size of a slot, rounded up to 16.
 * slots       how many; all memory is taken at once.
 * Errors: NO_MEMORY (also when locking is required and refused), INVALID.
 */
LH_MUST_USE lh_status lh_secret_pool_new(size_t slot_bytes, size_t slots,
                                         enum lh_lock_policy policy,
                                         struct lh_secret_pool **out_pool);

/* Wipes and unmaps everything; slots still taken die with it. NULL is accepted. */
void lh_secret_pool_free(struct lh_secret_pool *pool);

/*
 * Takes a zeroed slot, owned by the pool, borrowed until it is given back.
 * Errors: NO_MEMORY when all slots are taken.
 */
LH_MUST_USE lh_status lh_secret_pool_take(struct lh_secret_pool *pool, void **out_slot);

/* Wipes a slot and gives it back. slot: from lh_secret_pool_take of this pool, or NULL. */
void lh_secret_pool_give(struct lh_secret_pool *pool, void *slot);

/* Whether the memory is really locked. */
bool lh_secret_pool_is_locked(const struct lh_secret_pool *pool);

#endif
