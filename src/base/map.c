/*
 * Linear probing with backward-shift deletion: no tombstones, so look-ups never degrade.
 */
#include "base/map.h"

#include "base/bug.h"

#include "base/banned.h"

#define FIRST_SLOTS ((size_t)16)

void lh_map_init(struct lh_map *map, size_t max, const struct lh_siphash_key *hash_key)
{
    *map = (struct lh_map){.hash_key = *hash_key, .max = max};
}

void lh_map_fini(struct lh_map *map)
{
    if (map != NULL) {
        free(map->slots);
        map->slots = NULL;
        map->slot_count = 0;
        map->count = 0;
    }
}

static size_t home_of(const struct lh_map *map, lh_slice key)
{
    return (size_t)lh_siphash(&map->hash_key, key) & (map->slot_count - 1);
}

/* The slot that holds key, or the free one where it would go. A free slot always exists. */
static size_t probe(const struct lh_map *map, lh_slice key)
{
    size_t at = home_of(map, key);
    while (map->slots[at].value != NULL && !lh_slice_is_equal(map->slots[at].key, key)) {
        at = (at + 1) & (map->slot_count - 1);
    }
    return at;
}

void *lh_map_find(const struct lh_map *map, lh_slice key)
{
    return map->count == 0 ? NULL : map->slots[probe(map, key)].value;
}

static lh_status resize(struct lh_map *map, size_t slot_count)
{
    struct lh_map_slot *old = map->slots;
    size_t old_count = map->slot_count;
    struct lh_map_slot *fresh = calloc(slot_count, sizeof(*fresh));
    LH_ENSURE(fresh != NULL, LH_NO_MEMORY);
    map->slots = fresh;
    map->slot_count = slot_count;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].value != NULL) {
            map->slots[probe(map, old[i].key)] = old[i];
        }
    }
    free(old);
    return lh_ok();
}

lh_status lh_map_put(struct lh_map *map, lh_slice key, void *value)
{
    LH_BUG_IF(value == NULL);
    LH_ENSURE(lh_map_find(map, key) == NULL, LH_EXISTS);
    LH_ENSURE(map->count < map->max, LH_NO_SPACE);
    if (map->slot_count == 0) {
        LH_TRY(resize(map, FIRST_SLOTS));
    } else if (map->count + 1 > map->slot_count / 4 * 3) {
        LH_TRY(resize(map, map->slot_count * 2));
    }
    map->slots[probe(map, key)] = (struct lh_map_slot){key, value};
    map->count++;
    return lh_ok();
}

/* Moves later entries of the run back into the hole, so that no probe is cut. */
static void close_hole(struct lh_map *map, size_t hole)
{
    size_t mask = map->slot_count - 1;
    for (size_t at = (hole + 1) & mask; map->slots[at].value != NULL; at = (at + 1) & mask) {
        size_t home = home_of(map, map->slots[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct lh_map_slot){LH_SLICE_EMPTY, NULL};
}

void *lh_map_remove(struct lh_map *map, lh_slice key)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t at = probe(map, key);
    void *value = map->slots[at].value;
    if (value != NULL) {
        close_hole(map, at);
        map->count--;
    }
    return value;
}

void *lh_map_next(const struct lh_map *map, size_t *position)
{
    while (*position < map->slot_count) {
        void *value = map->slots[(*position)++].value;
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}
