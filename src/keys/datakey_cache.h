/*
 * Unwrapped data keys of the tenants in use: in locked memory, bounded in number, age and uses.
 * A key that is not here is fetched once, on the host's fetch lane, for all who wait; the fetch
 * belongs to the tenant and is never cancelled by a request.
 */
#ifndef LH_KEYS_DATAKEY_CACHE_H
#define LH_KEYS_DATAKEY_CACHE_H

#include "host/clock.h"
#include "host/op.h"
#include "keys/keys.h"
#include "keys/sealing_key.h"
#include "tenant/directory.h"

/* What keys of shared secrets are derived by. */
#define LH_SHARED_SECRET_LABEL "leasehold shared secret v1"

/* Keys derived from one DEK, each for one purpose. Lies in the cache's locked memory. */
struct lh_datakey {
    uint32_t dek_id;
    struct lh_sealing_key record; /* "leasehold record v1": records of sessions */
    struct lh_sealing_key cookie; /* "leasehold sealed cookie v1": sessions in cookies */
    struct lh_sealing_key secret; /* LH_SHARED_SECRET_LABEL: keys of request signatures */
};

/* How long a failed fetch answers for the next ones of the same key. */
#define LH_DATAKEY_BACKOFF_MS 1000U

struct lh_datakey_cache;

struct lh_datakey_options {
    size_t entries_max;        /* keys kept at most */
    uint64_t max_age_ms;       /* after this a key is fetched again before its next use */
    uint64_t refresh_after_ms; /* after this it is fetched again while the old one serves */
    uint64_t uses_max;         /* so many uses count as old age; 0 = any number */
    enum lh_lock_policy lock_policy;
    struct lh_siphash_key hash_key; /* random bytes of this process */
};

struct lh_datakey_counts {
    uint64_t hits;
    uint64_t fetches;
    uint64_t failures;
    size_t entries;
    bool is_locked; /* whether the memory is really locked */
};

/*
 * Makes an empty cache.
 * keys, crypto, clock, host  borrowed for its life. crypto is the loop's; the fetch lane makes
 *                            its own.
 * Errors: NO_MEMORY (also when locking is required and refused), CRYPTO.
 */
LH_MUST_USE lh_status lh_datakey_cache_new(struct lh_keys *keys, struct lh_crypto *crypto,
                                           const struct lh_clock *clock, const struct lh_host *host,
                                           const struct lh_datakey_options *options,
                                           struct lh_datakey_cache **out_cache);
/*
 * Wipes everything and forgets who waits, without waking anyone. A fetch under way is abandoned:
 * what it still needs (its keys, its memory) is freed when its task is done, or never. NULL is
 * accepted.
 */
void lh_datakey_cache_free(struct lh_datakey_cache *cache);

/*
 * The keys of one DEK of a tenant. Call only for authenticated input (a cookie whose MAC and
 * secret hold): no unauthenticated input may cause a fetch.
 * op       waits if the key must be fetched (PENDING); woken with OK or the error, then call
 *          again with the same op.
 *          On hosts whose offload finishes tasks at once the answer comes at once.
 * out_key  valid until the next call on the cache, or until control returns to the loop.
 * Errors: PENDING, TAMPERED (no such DEK id in the snapshot, or the blob is not authentic),
 * KEY_DOWN (manager cannot answer, or too many keys are being fetched; a failure is remembered
 * for a short time so that the manager is not hammered), FUTURE_FORMAT, ABSENT (destroyed),
 * NO_MEMORY, CRYPTO.
 */
LH_MUST_USE lh_status lh_datakey_cache_get(struct lh_datakey_cache *cache, struct lh_op *op,
                                           const struct lh_tenant *tenant, uint32_t dek_id,
                                           const struct lh_datakey **out_key);
/*
 * Wipes what has reached its age, used or not. Called about once a second.
 */
void lh_datakey_cache_expire(struct lh_datakey_cache *cache);

/* What has happened so far. */
void lh_datakey_cache_read_counts(const struct lh_datakey_cache *cache,
                                  struct lh_datakey_counts *out_counts);

#endif
