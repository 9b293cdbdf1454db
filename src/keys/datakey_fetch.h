/*
 * Fetching data keys, for the cache alone: one fetch per key whoever asks, on the host's fetch
 * lane, with the lane's own crypto and keys that stay open as long as a fetch needs them.
 */
#ifndef LH_KEYS_DATAKEY_FETCH_H
#define LH_KEYS_DATAKEY_FETCH_H

#include "keys/datakey_cache.h"

/* Which key. Without padding: its bytes are the key of hash tables. */
struct lh_datakey_id {
    struct lh_tenant_uid uid;
    uint32_t dek_id;
};

/* Fetches that may be under way at a time. */
#define LH_DATAKEY_FETCHES_MAX 64U

struct lh_datakey_fetcher;

struct lh_datakey_fetcher_parts {
    struct lh_keys *keys;       /* one more user of them */
    struct lh_crypto *crypto;   /* the loop's, borrowed: for managers that do not block */
    const struct lh_host *host; /* borrowed */
    size_t keys_max;            /* slots that the receiver may hold */
    enum lh_lock_policy lock_policy;
    struct lh_siphash_key hash_key;
    /*
     * Called on the loop when a fetch has ended.
     * key  on OK: from lh_datakey_fetcher_give_back's pool, the receiver's now. Else NULL.
     * returns: what the waiters shall hear.
     */
    lh_status (*receive)(void *receiver, const struct lh_datakey_id *id, lh_status status,
                         struct lh_datakey *key);
    void *receiver;
};

/* Errors: NO_MEMORY (also when locking is required and refused), INVALID. */
LH_MUST_USE lh_status lh_datakey_fetcher_new(const struct lh_datakey_fetcher_parts *parts,
                                             struct lh_datakey_fetcher **out_fetcher);
/*
 * Abandons what is under way and forgets who waits. The receiver must have given all keys back.
 * NULL is accepted.
 */
void lh_datakey_fetcher_free(struct lh_datakey_fetcher *fetcher);

/* Whether a fetch of that key has begun and not ended. */
bool lh_datakey_fetcher_is_under_way(const struct lh_datakey_fetcher *fetcher,
                                     const struct lh_datakey_id *id);

/*
 * Starts fetching a key; must not be under way. Where tasks finish at once it has ended when
 * this returns.
 * blob  the wrapped key, copied.
 * Errors: KEY_DOWN (too many under way, or the lane takes no more), NO_MEMORY, TAMPERED (the
 * blob is too long to be one).
 */
LH_MUST_USE lh_status lh_datakey_fetcher_start(struct lh_datakey_fetcher *fetcher,
                                               const struct lh_datakey_id *id, lh_slice blob);
/*
 * Waits for a fetch that is under way. Errors: PENDING (op is woken at its end), ABSENT (it is
 * not under way).
 */
LH_MUST_USE lh_status lh_datakey_fetcher_wait(struct lh_datakey_fetcher *fetcher,
                                              const struct lh_datakey_id *id, struct lh_op *op);
/* Wipes a key that receive was given. */
void lh_datakey_fetcher_give_back(struct lh_datakey_fetcher *fetcher, struct lh_datakey *key);
/* Whether the memory of the keys is really locked. */
bool lh_datakey_fetcher_is_locked(const struct lh_datakey_fetcher *fetcher);

#endif
