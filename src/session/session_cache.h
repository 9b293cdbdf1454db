/*
 * What a worker remembers of sessions that it has just loaded and opened, so that the next
 * request of the same browser costs no look-up, no MAC and no decryption. Fixed memory taken at
 * the start (excluded from dumps, zero in forked children), set-associative, wiped on eviction;
 * a look-up allocates nothing.
 *
 * An entry answers only the very cookie that it was filled by, only while the change counters
 * stand as they stood before its load, and for at most LH_SESSION_CACHE_AGE_MS. An end by time
 * is never concluded from it: what looks over is a miss, and the store decides.
 */
#ifndef LH_SESSION_SESSION_CACHE_H
#define LH_SESSION_SESSION_CACHE_H

#include "base/siphash.h"
#include "session/session_vault.h"

/* Bounds what a writer killed between its commit and its second raise can leave behind. */
#define LH_SESSION_CACHE_AGE_MS 1000U

/* Longest context text that is kept; a longer one is signed again for each request. */
#define LH_CONTEXT_TEXT_MAX_BYTES 1280U
/* Contexts kept per session: locations with different audiences take turns. */
#define LH_CONTEXT_SLOTS 2U

struct lh_session_cache;

struct lh_session_cache_options {
    size_t entries_max;             /* rounded up to a power of two; about 5 KiB each */
    struct lh_siphash_key hash_key; /* random bytes of this process */
};

struct lh_session_cache_counts {
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
};

/* A session as remembered. Valid until control returns to the loop or the cache is filled. */
struct lh_cached_session {
    struct lh_session_header header;
    struct lh_principal principal; /* views into the entry */
    uint64_t last_touch_ms;
    uint64_t tenant_counter; /* as noted before the load */
    uint64_t platform_counter;
    uint64_t filled_ms;
};

/* What a look-up asks. */
struct lh_session_question {
    const struct lh_tenant_uid *uid; /* of the resolved tenant */
    const struct lh_raw_handle *raw; /* the cookie as presented, not verified */
    uint64_t tenant_counter;         /* present values */
    uint64_t platform_counter;
    uint64_t now_ms; /* session time */
};

/*
 * Makes an empty cache. Errors: NO_MEMORY, INVALID (entries_max is 0 or absurd).
 */
LH_MUST_USE lh_status lh_session_cache_new(const struct lh_session_cache_options *options,
                                           struct lh_session_cache **out_cache);
/* Wipes and frees; NULL is accepted. */
void lh_session_cache_free(struct lh_session_cache *cache);

/*
 * Finds a session. The whole cookie is compared, in constant time, with the one whose MAC and
 * secret held under this uid: a hit needs neither again.
 * Errors: ABSENT (not here, another cookie, counters moved, too old, or over by time).
 */
LH_MUST_USE lh_status lh_session_cache_find(struct lh_session_cache *cache,
                                            const struct lh_session_question *question,
                                            struct lh_cached_session **out_session);

/*
 * Remembers a session that was loaded, judged and opened. Contexts that are kept for the same
 * session and generation stay. A session that was proved by its previous secret is not taken.
 * question   as asked, with the counters noted BEFORE the load.
 * loaded     header and last touch are copied; last_touch_ms: as lh_vault_touch answered.
 * plain      the opened principal, copied.
 * out_session  the entry, or NULL when it was not taken.
 */
void lh_session_cache_fill(struct lh_session_cache *cache,
                           const struct lh_session_question *question,
                           const struct lh_loaded_session *loaded, uint64_t last_touch_ms,
                           lh_slice plain, struct lh_cached_session **out_session);

/* Forgets a session, if it is here. */
void lh_session_cache_drop(struct lh_session_cache *cache, const struct lh_tenant_uid *uid,
                           const struct lh_lease_id *lease);
/* Forgets everything. */
void lh_session_cache_clear(struct lh_session_cache *cache);

/* What a context text depends on, beside lease and generation, which the entry knows. */
struct lh_context_key {
    uint64_t audience; /* identity of the audience list: the policy's pointer or a hash */
    uint64_t scope;    /* hash of the granted scopes and of all else that is in the text */
    uint8_t mode;      /* normal, restricted, ... */
};

/*
 * The context text that was kept under key.
 * out_text  valid as long as the session.
 * Errors: ABSENT (none, of another generation, or at its expires_ms).
 */
LH_MUST_USE lh_status lh_session_cache_find_context(const struct lh_cached_session *session,
                                                    const struct lh_context_key *key,
                                                    uint64_t now_ms, lh_slice *out_text);
/*
 * Keeps a context text, in place of the one of the same key or of the one that ends first.
 * expires_ms  session time at which it may no longer be handed out: some seconds before its exp.
 * text        longer than LH_CONTEXT_TEXT_MAX_BYTES: not kept.
 */
void lh_session_cache_keep_context(struct lh_cached_session *session,
                                   const struct lh_context_key *key, uint64_t expires_ms,
                                   lh_slice text);

/* What has happened so far. */
void lh_session_cache_read_counts(const struct lh_session_cache *cache,
                                  struct lh_session_cache_counts *out_counts);

#endif
