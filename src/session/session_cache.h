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

struct lh_session_cache;

struct lh_session_cache_options {
    size_t entries_max;             /* rounded up to a power of two; about 2.5 KiB each */
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
 * Remembers a session that was loaded, judged and opened. A session that was proved by its
 * previous secret is not taken.
 * question   as asked, with the counters noted BEFORE the load.
 * loaded     header and last touch are copied; last_touch_ms: as lh_vault_touch answered.
 * plain      the opened principal, copied; principal: as read from it.
 * out_session  the entry, or NULL when it was not taken.
 */
void lh_session_cache_fill(struct lh_session_cache *cache,
                           const struct lh_session_question *question,
                           const struct lh_loaded_session *loaded, uint64_t last_touch_ms,
                           lh_slice plain, const struct lh_principal *principal,
                           struct lh_cached_session **out_session);

/* Forgets a session, if it is here. */
void lh_session_cache_drop(struct lh_session_cache *cache, const struct lh_tenant_uid *uid,
                           const struct lh_lease_id *lease);
/* Forgets everything. */
void lh_session_cache_clear(struct lh_session_cache *cache);

/* What has happened so far. */
void lh_session_cache_read_counts(const struct lh_session_cache *cache,
                                  struct lh_session_cache_counts *out_counts);

#endif
