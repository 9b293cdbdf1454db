/*
 * Verifying keys that were made before: making one costs as much as a signature. Bounded; the one
 * used longest ago goes. A key is known by its tenant and by lh_verify_key_print, which is all that
 * it is made of; so an entry never grows old, and two tenants share none. For one thread.
 */
#ifndef LH_TOKEN_KEY_CACHE_H
#define LH_TOKEN_KEY_CACHE_H

#include "base/siphash.h"
#include "tenant/issuer.h"
#include "tenant/tenant_id.h"

struct lh_key_cache;

struct lh_key_cache_options {
    struct lh_crypto *crypto;       /* borrowed for the cache's life */
    size_t keys_max;                /* about 2 KiB each */
    struct lh_siphash_key hash_key; /* random bytes of this process */
};

struct lh_key_cache_counts {
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
};

/* Makes an empty cache. Errors: NO_MEMORY, INVALID (keys_max is 0 or absurd). */
LH_MUST_USE lh_status lh_key_cache_new(const struct lh_key_cache_options *options,
                                       struct lh_key_cache **out_cache);
/* Frees all keys; NULL is accepted. */
void lh_key_cache_free(struct lh_key_cache *cache);

/*
 * The key of a tenant's row, made if it is not here.
 * print    lh_verify_key_print of the row.
 * out_key  owned by the cache, good until the next call.
 * Errors: MALFORMED, FORBIDDEN, INVALID (the row is no key that we take), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_key_cache_get(struct lh_key_cache *cache, const struct lh_tenant_uid *uid,
                                       const struct lh_verify_key *row,
                                       const struct lh_digest *print,
                                       struct lh_public_key **out_key);

/* What has happened so far. */
void lh_key_cache_read_counts(const struct lh_key_cache *cache,
                              struct lh_key_cache_counts *out_counts);

#endif
