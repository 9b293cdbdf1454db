/*
 * Signed contexts that may be handed out again. A signature costs more than all the rest of a
 * decision, and a text is good for most of a minute, much longer than a session is remembered: so
 * texts have a cache of their own, smaller by the entry, which a returning session finds after its
 * own entry has gone.
 *
 * It saves a signature and decides nothing: the gate asks it only for a session that has just
 * passed, by all that the text says, so that no text of before a change is found after it.
 */
#ifndef LH_SESSION_CONTEXT_CACHE_H
#define LH_SESSION_CONTEXT_CACHE_H

#include "base/siphash.h"
#include "store/store_key.h"

/* Longest text that is kept; a longer one is signed again for each request. */
#define LH_CONTEXT_TEXT_MAX_BYTES 1280U

struct lh_context_cache;

struct lh_context_cache_options {
    size_t entries_max;             /* rounded up to a power of two; about 1.5 KiB each */
    struct lh_siphash_key hash_key; /* random bytes of this process */
};

struct lh_context_cache_counts {
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions; /* of texts that could still have been handed out */
};

/* All that a text depends on. Hashed and compared as it lies: no byte is padding. */
struct lh_context_key {
    struct lh_tenant_uid uid;
    struct lh_lease_id lease;
    uint64_t generation;
    uint64_t audience; /* hash of the list */
    uint64_t content;  /* hash of the tenant's present name, the subject and the granted scopes */
    uint64_t signer;   /* hash of the kid of the key that signs now */
    uint64_t mode;     /* normal, anonymous, ... */
};

_Static_assert(sizeof(struct lh_context_key) == 2 * 16 + 5 * 8, "a context key has no padding");

/* Makes an empty cache. Errors: NO_MEMORY, INVALID (entries_max is 0 or absurd). */
LH_MUST_USE lh_status lh_context_cache_new(const struct lh_context_cache_options *options,
                                           struct lh_context_cache **out_cache);
/* Wipes and frees; NULL is accepted. */
void lh_context_cache_free(struct lh_context_cache *cache);

/*
 * The text that was kept under a key.
 * now_ms    session time.
 * out_text  valid until the next call on the cache.
 * Errors: ABSENT (none, or at its expires_ms).
 */
LH_MUST_USE lh_status lh_context_cache_find(struct lh_context_cache *cache,
                                            const struct lh_context_key *key, uint64_t now_ms,
                                            lh_slice *out_text);
/*
 * Keeps a text, in place of the one of the same key or, in a full set, of the one that ends first.
 * expires_ms  session time at which it may no longer be handed out: some seconds before its exp.
 * text        longer than LH_CONTEXT_TEXT_MAX_BYTES, or empty: not kept.
 */
void lh_context_cache_keep(struct lh_context_cache *cache, const struct lh_context_key *key,
                           uint64_t now_ms, uint64_t expires_ms, lh_slice text);

/* What has happened so far. */
void lh_context_cache_read_counts(const struct lh_context_cache *cache,
                                  struct lh_context_cache_counts *out_counts);

#endif
