/*
 * Shared secrets that were opened for a request just now, prepared for MACs: so that the next
 * request that is signed under one opens no seal. The secret itself is wiped at once; what is kept
 * is the state of HMAC, which OpenSSL wipes when it is freed.
 *
 * An entry answers only for the very tenant, key id, data key and sealed bytes that it was opened
 * from; only while both change counters stand as they stood before the tenant was read; and for at
 * most LH_SECRET_CACHE_AGE_MS, so that a data key that reaches its age takes its secrets with it.
 * Bounded; the one used longest ago goes. For one thread.
 */
#ifndef LH_KEYS_SECRET_CACHE_H
#define LH_KEYS_SECRET_CACHE_H

#include "keys/shared_secret.h"

/* Bounds what a writer killed between its commit and its second raise can leave behind. */
#define LH_SECRET_CACHE_AGE_MS 1000U

struct lh_secret_cache;

struct lh_secret_cache_options {
    struct lh_crypto *crypto;       /* borrowed for the cache's life */
    size_t secrets_max;             /* about 2 KiB each */
    struct lh_siphash_key hash_key; /* random bytes of this process */
};

struct lh_secret_cache_counts {
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions; /* secrets that went to make room */
    size_t entries;
};

/* What is asked for. All of it is borrowed. */
struct lh_secret_question {
    const struct lh_tenant *tenant;     /* with the counters noted before it was read */
    const struct lh_signature_key *key; /* one of the tenant's, of hmac-sha256 */
    uint64_t now_ms;                    /* session time */
};

/* Makes an empty cache. Errors: NO_MEMORY, INVALID (secrets_max is 0 or absurd). */
LH_MUST_USE lh_status lh_secret_cache_new(const struct lh_secret_cache_options *options,
                                          struct lh_secret_cache **out_cache);
/* Wipes and frees; NULL is accepted. */
void lh_secret_cache_free(struct lh_secret_cache *cache);

/*
 * Finds an open secret. One that no longer answers is wiped where it is met.
 * out_key  owned by the cache, good until the next call on it.
 * Errors: ABSENT (open it).
 */
LH_MUST_USE lh_status lh_secret_cache_find(struct lh_secret_cache *cache,
                                           const struct lh_secret_question *question,
                                           struct lh_mac_key **out_key);
/*
 * Opens a secret and keeps it, in place of what was kept for this tenant and key id.
 * datakey  keys of the DEK that it is sealed under.
 * out_key  as lh_secret_cache_find.
 * Errors: as lh_shared_secret_open. Then nothing is kept of it.
 */
LH_MUST_USE lh_status lh_secret_cache_fill(struct lh_secret_cache *cache,
                                           const struct lh_secret_question *question,
                                           const struct lh_datakey *datakey,
                                           struct lh_mac_key **out_key);
/* Wipes what has reached its age, used or not. Called about once a second. */
void lh_secret_cache_expire(struct lh_secret_cache *cache, uint64_t now_ms);

/* What has happened so far. */
void lh_secret_cache_read_counts(const struct lh_secret_cache *cache,
                                 struct lh_secret_cache_counts *out_counts);

#endif
