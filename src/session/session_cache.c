/*
 * The worker's cache of opened sessions: an index of ways (base/ways.h) over entries in memory of
 * their own.
 */
#include "session/session_cache.h"

#include "base/bug.h"
#include "base/cache_room.h"
#include "base/ways.h"

#include <sys/mman.h>

#include "base/banned.h"

#define SESSION_CACHE_MAGIC 0x4c485343U /* "LHSC" */
#define ENTRY_MAGIC         0x4c485345U /* "LHSE" */

/* 2.5 GiB: a larger number is a mistake. */
#define ENTRIES_MAX ((size_t)1024 * 1024)

/* Where an entry belongs; hashed as it lies. */
struct place {
    struct lh_tenant_uid uid;
    struct lh_lease_id lease;
};

struct entry {
    struct lh_cached_session session; /* first: what callers hold */
    uint32_t magic;
    bool is_filled;
    struct place place;
    uint8_t cookie[LH_HANDLE_BYTES];
    size_t plain_len;
    uint8_t plain[LH_PRINCIPAL_MAX_BYTES];
};

struct lh_session_cache {
    uint32_t magic;
    struct lh_siphash_key hash_key;
    struct lh_ways ways;
    struct entry *entries; /* owned, mapped: one for each slot */
    size_t mapped_bytes;
    struct lh_session_cache_counts counts;
};

/* --- Life ------------------------------------------------------------------------------------- */

static void drop_cache(struct lh_session_cache **cache)
{
    lh_session_cache_free(*cache);
}

lh_status lh_session_cache_new(const struct lh_session_cache_options *options,
                               struct lh_session_cache **out_cache)
{
    LH_ENSURE(options->entries_max > 0 && options->entries_max <= ENTRIES_MAX, LH_INVALID);
    LH_CLEANUP(drop_cache) struct lh_session_cache *cache = calloc(1, sizeof(*cache));
    LH_ENSURE(cache != NULL, LH_NO_MEMORY);
    cache->magic = SESSION_CACHE_MAGIC;
    cache->hash_key = options->hash_key;
    LH_TRY(lh_ways_init(&cache->ways, options->entries_max));
    size_t bytes = lh_ways_slot_count(&cache->ways) * sizeof(struct entry);
    void *room;
    LH_TRY(lh_cache_room_map(bytes, &room));
    cache->entries = room;
    cache->mapped_bytes = bytes;
    *out_cache = cache;
    cache = NULL;
    return lh_ok();
}

void lh_session_cache_free(struct lh_session_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    if (cache->entries != NULL) {
        lh_session_cache_clear(cache);
        (void)munmap(cache->entries, cache->mapped_bytes);
    }
    lh_ways_fini(&cache->ways);
    cache->magic = 0;
    free(cache);
}

/* --- Places ----------------------------------------------------------------------------------- */

static bool is_place_of(const struct entry *entry, const struct place *place)
{
    return entry->is_filled && lh_tenant_uid_is_equal(&entry->place.uid, &place->uid) &&
           lh_slice_is_equal(lh_lease_id_view(&entry->place.lease),
                             lh_lease_id_view(&place->lease));
}

static uint64_t hash_of(const struct lh_session_cache *cache, const struct place *place)
{
    return lh_siphash(&cache->hash_key, LH_SLICE_OF(*place));
}

/* The slot of a place, or LH_WAYS_NONE. */
static size_t find_slot(const struct lh_session_cache *cache, uint64_t hash,
                        const struct place *place)
{
    size_t slot = lh_ways_next(&cache->ways, hash, LH_WAYS_NONE);
    while (slot != LH_WAYS_NONE && !is_place_of(&cache->entries[slot], place)) {
        slot = lh_ways_next(&cache->ways, hash, slot);
    }
    return slot;
}

/*
 * Wipes what was written. An entry is mostly room: wiping all of it for each eviction would cost
 * a busy worker more than the look-up in the store.
 */
static void wipe_entry(struct entry *entry)
{
    lh_wipe(entry->plain, entry->plain_len);
    lh_wipe(&entry->session, sizeof(entry->session));
    lh_wipe((uint8_t *)entry + offsetof(struct entry, magic),
            offsetof(struct entry, plain) - offsetof(struct entry, magic));
}

static void wipe_slot(struct lh_session_cache *cache, size_t slot)
{
    wipe_entry(&cache->entries[slot]);
    lh_ways_drop(&cache->ways, slot);
}

/* A free slot, or the one of its set that was used longest ago, wiped. */
static size_t make_room(struct lh_session_cache *cache, uint64_t hash)
{
    size_t slot = lh_ways_room(&cache->ways, hash);
    if (lh_ways_is_used(&cache->ways, slot)) {
        cache->counts.evictions++;
        wipe_slot(cache, slot);
    }
    return slot;
}

/* --- Looking up and filling ------------------------------------------------------------------- */

static struct place place_of(const struct lh_session_question *question)
{
    return (struct place){*question->uid, question->raw->lease};
}

static bool is_answer(const struct entry *entry, const struct lh_session_question *question)
{
    const struct lh_cached_session *session = &entry->session;
    /* Unsigned: before it was filled it is not fresh either. */
    bool is_fresh = session->tenant_counter == question->tenant_counter &&
                    session->platform_counter == question->platform_counter &&
                    question->now_ms - session->filled_ms < LH_SESSION_CACHE_AGE_MS;
    return is_fresh &&
           lh_secret_is_equal(entry->cookie, question->raw->bytes, sizeof(entry->cookie)) &&
           !lh_session_is_over(&session->header, session->last_touch_ms, question->now_ms);
}

lh_status lh_session_cache_find(struct lh_session_cache *cache,
                                const struct lh_session_question *question,
                                struct lh_cached_session **out_session)
{
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    struct place place = place_of(question);
    size_t slot = find_slot(cache, hash_of(cache, &place), &place);
    if (slot == LH_WAYS_NONE || !is_answer(&cache->entries[slot], question)) {
        cache->counts.misses++;
        return lh_status_of(LH_ABSENT);
    }
    cache->counts.hits++;
    lh_ways_touch(&cache->ways, slot);
    *out_session = &cache->entries[slot].session;
    return lh_ok();
}

static void fill_entry(struct entry *entry, const struct lh_session_question *question,
                       const struct lh_loaded_session *loaded, uint64_t last_touch_ms)
{
    entry->magic = ENTRY_MAGIC;
    entry->is_filled = true;
    entry->place = place_of(question);
    memcpy(entry->cookie, question->raw->bytes, sizeof(entry->cookie));
    entry->session.header = loaded->header;
    entry->session.last_touch_ms = last_touch_ms;
    entry->session.tenant_counter = question->tenant_counter;
    entry->session.platform_counter = question->platform_counter;
    entry->session.filled_ms = question->now_ms;
}

static void fill_principal(struct entry *entry, lh_slice plain,
                           const struct lh_principal *principal)
{
    lh_wipe(entry->plain, entry->plain_len);
    memcpy(entry->plain, plain.ptr, plain.len);
    entry->plain_len = plain.len;
    lh_principal_move(principal, plain.ptr, entry->plain, &entry->session.principal);
}

/* Whether the loaded session is the one that was asked for, and may be remembered. */
static bool may_keep(const struct lh_session_question *question,
                     const struct lh_loaded_session *loaded, lh_slice plain)
{
    return !loaded->is_previous_secret && plain.len > 0 && plain.len <= LH_PRINCIPAL_MAX_BYTES &&
           lh_tenant_uid_is_equal(&loaded->header.uid, question->uid) &&
           lh_slice_is_equal(lh_lease_id_view(&loaded->header.lease),
                             lh_lease_id_view(&question->raw->lease));
}

void lh_session_cache_fill(struct lh_session_cache *cache,
                           const struct lh_session_question *question,
                           const struct lh_loaded_session *loaded, uint64_t last_touch_ms,
                           lh_slice plain, const struct lh_principal *principal,
                           struct lh_cached_session **out_session)
{
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    *out_session = NULL;
    if (!may_keep(question, loaded, plain)) {
        return;
    }
    struct place place = place_of(question);
    uint64_t hash = hash_of(cache, &place);
    size_t slot = find_slot(cache, hash, &place);
    if (slot == LH_WAYS_NONE) {
        slot = make_room(cache, hash);
    }
    struct entry *entry = &cache->entries[slot];
    fill_entry(entry, question, loaded, last_touch_ms);
    fill_principal(entry, plain, principal);
    lh_ways_put(&cache->ways, slot, hash);
    *out_session = &entry->session;
}

void lh_session_cache_drop(struct lh_session_cache *cache, const struct lh_tenant_uid *uid,
                           const struct lh_lease_id *lease)
{
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    struct place place = {*uid, *lease};
    size_t slot = find_slot(cache, hash_of(cache, &place), &place);
    if (slot != LH_WAYS_NONE) {
        wipe_slot(cache, slot);
    }
}

void lh_session_cache_clear(struct lh_session_cache *cache)
{
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    for (size_t slot = 0; slot < lh_ways_slot_count(&cache->ways); slot++) {
        if (lh_ways_is_used(&cache->ways, slot)) {
            wipe_slot(cache, slot);
        }
    }
}

void lh_session_cache_read_counts(const struct lh_session_cache *cache,
                                  struct lh_session_cache_counts *out_counts)
{
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    *out_counts = cache->counts;
}
