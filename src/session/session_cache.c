/*
 * The worker's cache of opened sessions: sets of ways, the way used longest ago in a set makes
 * room. A set's tags lie together, so that a miss touches one line of memory.
 */
#include "session/session_cache.h"

#include "base/bug.h"
#include "session/cache_room.h"

#include <sys/mman.h>

#include "base/banned.h"

#define SESSION_CACHE_MAGIC 0x4c485343U /* "LHSC" */
#define ENTRY_MAGIC         0x4c485345U /* "LHSE" */

#define WAYS                ((size_t)8)
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

/* What a look-up reads of a set before it goes to an entry. */
struct set {
    uint64_t tags[WAYS];   /* hash of the place; 0: free */
    uint64_t stamps[WAYS]; /* of the last use */
};

struct lh_session_cache {
    uint32_t magic;
    struct lh_siphash_key hash_key;
    size_t set_count;      /* power of two */
    struct set *sets;      /* owned */
    struct entry *entries; /* owned, mapped: set_count × WAYS */
    size_t mapped_bytes;
    uint64_t clock; /* uses so far */
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
    size_t entries = lh_power_of_two_above(options->entries_max);
    cache->set_count = entries > WAYS ? entries / WAYS : 1;
    cache->sets = calloc(cache->set_count, sizeof(*cache->sets));
    LH_ENSURE(cache->sets != NULL, LH_NO_MEMORY);
    size_t bytes = cache->set_count * WAYS * sizeof(struct entry);
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
    free(cache->sets);
    cache->magic = 0;
    free(cache);
}

/* --- Places ----------------------------------------------------------------------------------- */

/* Where in the cache: a way of a set; way == WAYS: none. */
struct spot {
    size_t set;
    size_t way;
    uint64_t tag;
};

static struct entry *entry_at(struct lh_session_cache *cache, const struct spot *spot)
{
    return &cache->entries[spot->set * WAYS + spot->way];
}

static bool is_place_of(const struct entry *entry, const struct place *place)
{
    return entry->is_filled && lh_tenant_uid_is_equal(&entry->place.uid, &place->uid) &&
           lh_slice_is_equal(lh_lease_id_view(&entry->place.lease),
                             lh_lease_id_view(&place->lease));
}

static struct spot find_spot(struct lh_session_cache *cache, const struct place *place)
{
    uint64_t hash = lh_siphash(&cache->hash_key, LH_SLICE_OF(*place));
    struct spot spot = {.set = (size_t)hash & (cache->set_count - 1), .tag = hash | 1U};
    const struct set *set = &cache->sets[spot.set];
    for (spot.way = 0; spot.way < WAYS; spot.way++) {
        if (set->tags[spot.way] == spot.tag && is_place_of(entry_at(cache, &spot), place)) {
            break;
        }
    }
    return spot;
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

static void wipe_spot(struct lh_session_cache *cache, const struct spot *spot)
{
    wipe_entry(entry_at(cache, spot));
    cache->sets[spot->set].tags[spot->way] = 0;
    cache->sets[spot->set].stamps[spot->way] = 0;
}

static void note_use(struct lh_session_cache *cache, const struct spot *spot)
{
    cache->clock++;
    cache->sets[spot->set].stamps[spot->way] = cache->clock;
}

/* A free way of the set, or the one used longest ago, wiped. */
static void make_room(struct lh_session_cache *cache, struct spot *spot)
{
    const struct set *set = &cache->sets[spot->set];
    spot->way = 0;
    for (size_t way = 1; way < WAYS; way++) {
        if (set->stamps[way] < set->stamps[spot->way]) {
            spot->way = way;
        }
    }
    if (set->tags[spot->way] != 0) {
        cache->counts.evictions++;
        wipe_spot(cache, spot);
    }
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
    struct spot spot = find_spot(cache, &place);
    if (spot.way == WAYS || !is_answer(entry_at(cache, &spot), question)) {
        cache->counts.misses++;
        return lh_status_of(LH_ABSENT);
    }
    cache->counts.hits++;
    note_use(cache, &spot);
    *out_session = &entry_at(cache, &spot)->session;
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
    struct spot spot = find_spot(cache, &place);
    if (spot.way == WAYS) {
        make_room(cache, &spot);
    }
    struct entry *entry = entry_at(cache, &spot);
    fill_entry(entry, question, loaded, last_touch_ms);
    fill_principal(entry, plain, principal);
    cache->sets[spot.set].tags[spot.way] = spot.tag;
    note_use(cache, &spot);
    *out_session = &entry->session;
}

void lh_session_cache_drop(struct lh_session_cache *cache, const struct lh_tenant_uid *uid,
                           const struct lh_lease_id *lease)
{
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    struct place place = {*uid, *lease};
    struct spot spot = find_spot(cache, &place);
    if (spot.way < WAYS) {
        wipe_spot(cache, &spot);
    }
}

void lh_session_cache_clear(struct lh_session_cache *cache)
{
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    struct spot spot;
    for (spot.set = 0; spot.set < cache->set_count; spot.set++) {
        for (spot.way = 0; spot.way < WAYS; spot.way++) {
            if (cache->sets[spot.set].tags[spot.way] != 0) {
                wipe_spot(cache, &spot);
            }
        }
    }
}

void lh_session_cache_read_counts(const struct lh_session_cache *cache,
                                  struct lh_session_cache_counts *out_counts)
{
    LH_MAGIC_CHECK(cache, SESSION_CACHE_MAGIC);
    *out_counts = cache->counts;
}
