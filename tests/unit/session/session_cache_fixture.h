/*
 * Sessions as a worker's cache is asked for them, for two files of tests.
 */
#ifndef LH_TESTS_SESSION_CACHE_FIXTURE_H
#define LH_TESTS_SESSION_CACHE_FIXTURE_H

#include "support/test.h"

#include "session/session_cache.h"

#define NOW      UINT64_C(1700000000000)
#define ABSOLUTE (NOW + 3600 * 1000)
#define IDLE_S   600
#define PLAIN    LH_SLICE_LITERAL("\005alice\001\005admin\000\000")
#define ENTRIES  64

/* One session as it was loaded, and the question that led to it. */
struct asked {
    struct lh_tenant_uid uid;
    struct lh_raw_handle raw;
    struct lh_session_question question;
    struct lh_loaded_session loaded;
};

/* Session n of tenant t; question and loaded point into *asked. */
static inline void ask_for(struct asked *asked, uint8_t t, uint32_t n)
{
    memset(asked, 0, sizeof(*asked));
    memset(asked->uid.bytes, t, sizeof(asked->uid.bytes));
    memcpy(asked->raw.lease.bytes, &n, sizeof(n));
    memset(asked->raw.bytes, (int)n + 1, sizeof(asked->raw.bytes));
    asked->raw.bytes[0] = t;
    asked->question = (struct lh_session_question){.uid = &asked->uid,
                                                   .raw = &asked->raw,
                                                   .tenant_counter = 7,
                                                   .platform_counter = 8,
                                                   .now_ms = NOW};
    asked->loaded.header = (struct lh_session_header){.uid = asked->uid,
                                                      .lease = asked->raw.lease,
                                                      .has_user = true,
                                                      .generation = 1,
                                                      .created_ms = NOW - 1000,
                                                      .absolute_end_ms = ABSOLUTE,
                                                      .idle_s = IDLE_S};
    asked->loaded.last_touch_ms = NOW - 1000;
}

static inline struct lh_session_cache *new_cache(size_t entries)
{
    struct lh_session_cache_options options = {.entries_max = entries, .hash_key = {{5}}};
    struct lh_session_cache *cache;
    assert_ok(lh_session_cache_new(&options, &cache));
    return cache;
}

static inline int set_up(void **state)
{
    *state = new_cache(ENTRIES);
    return 0;
}

static inline int tear_down(void **state)
{
    lh_session_cache_free(*state);
    return 0;
}

static inline struct lh_cached_session *fill(struct lh_session_cache *cache,
                                             const struct asked *asked)
{
    struct lh_cached_session *session;
    struct lh_principal principal;
    assert_ok(lh_principal_read(PLAIN, &principal));
    lh_session_cache_fill(cache, &asked->question, &asked->loaded, asked->loaded.last_touch_ms,
                          PLAIN, &principal, &session);
    return session;
}

static inline lh_status find(struct lh_session_cache *cache, const struct asked *asked)
{
    struct lh_cached_session *session;
    return lh_session_cache_find(cache, &asked->question, &session);
}

#endif
