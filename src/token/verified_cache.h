/*
 * What a worker remembers of tokens that it has just verified, so that the next request with the
 * same token costs one hash and one look-up; and, in a table of its own, which tokens it has just
 * refused. Fixed memory taken at the start (excluded from dumps, zero in forked children),
 * set-associative, wiped on eviction; a look-up allocates nothing.
 *
 * An entry answers for the very text (SHA-256 of all of it) under the very tenant that it was
 * verified for; only while the change counters stand as they stood before the tenant was read,
 * under the same generation of the issuer's rows, while key and token are valid, and for at most
 * LH_VERIFIED_CACHE_AGE_MS. Later it still knows that the signature held, and under which key.
 */
#ifndef LH_TOKEN_VERIFIED_CACHE_H
#define LH_TOKEN_VERIFIED_CACHE_H

#include "base/siphash.h"
#include "token/token.h"

/* Bounds what a writer killed between its commit and its second raise can leave behind. */
#define LH_VERIFIED_CACHE_AGE_MS 1000U
/* How long a refusal stands. */
#define LH_REFUSED_TOKEN_AGE_MS 2000U

/* Most bytes of texts of one token; one with more is verified for each request. */
#define LH_VERIFIED_TEXTS_MAX_BYTES 1536U

struct lh_verified_cache;

struct lh_verified_cache_options {
    size_t tokens_max;              /* rounded up to a power of two; about 4 KiB each */
    size_t refusals_max;            /* likewise; about 96 bytes each */
    struct lh_siphash_key hash_key; /* random bytes of this process */
};

struct lh_verified_cache_counts {
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
    uint64_t refusal_hits; /* tokens refused again without being verified */
    uint64_t proof_hits;   /* signatures that were not verified again */
};

/* Makes an empty cache. Errors: NO_MEMORY, INVALID (a maximum is 0 or absurd). */
LH_MUST_USE lh_status lh_verified_cache_new(const struct lh_verified_cache_options *options,
                                            struct lh_verified_cache **out_cache);
/* Wipes and frees; NULL is accepted. */
void lh_verified_cache_free(struct lh_verified_cache *cache);

/*
 * Finds a token that was verified for the question's tenant.
 * out_token  good until control returns to the loop or the cache is filled.
 * Errors: ABSENT (not here, or no longer good: verify it).
 */
LH_MUST_USE lh_status lh_verified_cache_find(struct lh_verified_cache *cache,
                                             const struct lh_token_question *question,
                                             const struct lh_verified_token **out_token);
/*
 * Finds a refusal.
 * out_refusal  what lh_token_verify answered, of the class DENY.
 * Errors: ABSENT (none is known).
 */
LH_MUST_USE lh_status lh_verified_cache_find_refusal(struct lh_verified_cache *cache,
                                                     const struct lh_token_question *question,
                                                     lh_status *out_refusal);

/*
 * Whether the signature of the text has held for the tenant, under the key of this print: whatever
 * has changed since, that has not.
 */
bool lh_verified_cache_has_proof(const struct lh_verified_cache *cache,
                                 const struct lh_token_question *question,
                                 const struct lh_digest *key_print);
/* Notes that a signature was not computed again. */
void lh_verified_cache_count_proof(struct lh_verified_cache *cache);

/*
 * Remembers a token as lh_token_verify made it for this question; copies it. The counters that
 * count are those in the tenant's snapshot, noted before it was read.
 * token      of the question's text (any other is a bug), and not from a cache.
 * out_token  the entry, or NULL when it was not taken (more texts than an entry holds).
 */
void lh_verified_cache_fill(struct lh_verified_cache *cache,
                            const struct lh_token_question *question,
                            const struct lh_verified_token *token,
                            const struct lh_verified_token **out_token);
/* Remembers a refusal of the class DENY; others say nothing of the token and are not taken. */
void lh_verified_cache_refuse(struct lh_verified_cache *cache,
                              const struct lh_token_question *question, lh_status refusal);

/* Forgets everything. */
void lh_verified_cache_clear(struct lh_verified_cache *cache);

/* What has happened so far. */
void lh_verified_cache_read_counts(const struct lh_verified_cache *cache,
                                   struct lh_verified_cache_counts *out_counts);

#endif
