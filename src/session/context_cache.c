/*
 * Sets of ways, like the cache of sessions; but who makes room is whoever ends first, for a text
 * has a fixed time to live and nobody cares when it was used.
 */
#include "session/context_cache.h"

#include "base/bug.h"
#include "base/cache_room.h"

#include <sys/mman.h>

#include "base/banned.h"

#define CONTEXT_CACHE_MAGIC 0x4c484343U /* "LHCC" */

#define WAYS                ((size_t)8)
/* 6 GiB: a larger number is a mistake. */
#define ENTRIES_MAX ((size_t)4 * 1024 * 1024)

struct slot {
    struct lh_context_key key;
    size_t len;
    uint8_t text[LH_CONTEXT_TEXT_MAX_BYTES];
};

/* What a look-up reads of a set before it goes to a slot. */
struct set {
    uint64_t tags[WAYS];       /* hash of the key */
    uint64_t expires_ms[WAYS]; /* 0: free */
};

struct lh_context_cache {
    uint32_t magic;
    struct lh_siphash_key hash_key;
    size_t set_count;   /* power of two */
    struct set *sets;   /* owned */
    struct slot *slots; /* owned, mapped: set_count × WAYS */
    size_t mapped_bytes;
    struct lh_context_cache_counts counts;
};

/* --- Life ------------------------------------------------------------------------------------- */

static void drop_cache(struct lh_context_cache **cache)
{
    lh_context_cache_free(*cache);
}

lh_status lh_context_cache_new(const struct lh_context_cache_options *options,
                               struct lh_context_cache **out_cache)
{
    LH_ENSURE(options->entries_max > 0 && options->entries_max <= ENTRIES_MAX, LH_INVALID);
    LH_CLEANUP(drop_cache) struct lh_context_cache *cache = calloc(1, sizeof(*cache));
    LH_ENSURE(cache != NULL, LH_NO_MEMORY);
    cache->magic = CONTEXT_CACHE_MAGIC;
    cache->hash_key = options->hash_key;
    size_t entries = lh_power_of_two_above(options->entries_max);
    cache->set_count = entries > WAYS ? entries / WAYS : 1;
    cache->sets = calloc(cache->set_count, sizeof(*cache->sets));
    LH_ENSURE(cache->sets != NULL, LH_NO_MEMORY);
    size_t bytes = cache->set_count * WAYS * sizeof(struct slot);
    void *room;
    LH_TRY(lh_cache_room_map(bytes, &room));
    cache->slots = room;
    cache->mapped_bytes = bytes;
    *out_cache = cache;
    cache = NULL;
    return lh_ok();
}

void lh_context_cache_free(struct lh_context_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    LH_MAGIC_CHECK(cache, CONTEXT_CACHE_MAGIC);
    for (size_t i = 0; cache->slots != NULL && i < cache->set_count * WAYS; i++) {
        if (cache->sets[i / WAYS].expires_ms[i % WAYS] != 0) {
            lh_wipe(&cache->slots[i], sizeof(cache->slots[i])); /* the others were never touched */
        }
    }
    if (cache->slots != NULL) {
        (void)munmap(cache->slots, cache->mapped_bytes);
    }
    free(cache->sets);
    cache->magic = 0;
    free(cache);
}

/* --- Places ----------------------------------------------------------------------------------- */

/* Where in the cache: a way of a set; way == WAYS: none. */
struct spot {
    struct set *set;
    struct slot *slots; /* of the set */
    size_t way;
    uint64_t tag;
};

static struct spot find_spot(struct lh_context_cache *cache, const struct lh_context_key *key)
{
    uint64_t tag = lh_siphash(&cache->hash_key, LH_SLICE_OF(*key));
    size_t index = (size_t)tag & (cache->set_count - 1);
    struct spot spot = {&cache->sets[index], &cache->slots[index * WAYS], 0, tag};
    for (; spot.way < WAYS; spot.way++) {
        if (spot.set->expires_ms[spot.way] != 0 && spot.set->tags[spot.way] == tag &&
            lh_slice_is_equal(LH_SLICE_OF(spot.slots[spot.way].key), LH_SLICE_OF(*key))) {
            break;
        }
    }
    return spot;
}

/* The way that ends first; free ones have ended. */
static size_t first_to_end(const struct set *set)
{
    size_t first = 0;
    for (size_t way = 1; way < WAYS; way++) {
        if (set->expires_ms[way] < set->expires_ms[first]) {
            first = way;
        }
    }
    return first;
}

/* --- Finding and keeping ---------------------------------------------------------------------- */

lh_status lh_context_cache_find(struct lh_context_cache *cache, const struct lh_context_key *key,
                                uint64_t now_ms, lh_slice *out_text)
{
    LH_MAGIC_CHECK(cache, CONTEXT_CACHE_MAGIC);
    struct spot spot = find_spot(cache, key);
    if (spot.way == WAYS || now_ms >= spot.set->expires_ms[spot.way]) {
        cache->counts.misses++;
        return lh_status_of(LH_ABSENT);
    }
    cache->counts.hits++;
    const struct slot *slot = &spot.slots[spot.way];
    *out_text = lh_slice_of(slot->text, slot->len);
    return lh_ok();
}

void lh_context_cache_keep(struct lh_context_cache *cache, const struct lh_context_key *key,
                           uint64_t now_ms, uint64_t expires_ms, lh_slice text)
{
    LH_MAGIC_CHECK(cache, CONTEXT_CACHE_MAGIC);
    if (text.len == 0 || text.len > LH_CONTEXT_TEXT_MAX_BYTES || expires_ms <= now_ms) {
        return;
    }
    struct spot spot = find_spot(cache, key);
    if (spot.way == WAYS) {
        spot.way = first_to_end(spot.set);
        cache->counts.evictions += spot.set->expires_ms[spot.way] > now_ms;
    }
    struct slot *slot = &spot.slots[spot.way];
    lh_wipe(slot->text, slot->len);
    slot->key = *key;
    slot->len = text.len;
    memcpy(slot->text, text.ptr, text.len);
    spot.set->tags[spot.way] = spot.tag;
    spot.set->expires_ms[spot.way] = expires_ms;
}

void lh_context_cache_read_counts(const struct lh_context_cache *cache,
                                  struct lh_context_cache_counts *out_counts)
{
    LH_MAGIC_CHECK(cache, CONTEXT_CACHE_MAGIC);
    *out_counts = cache->counts;
}
