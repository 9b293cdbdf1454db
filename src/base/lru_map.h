/*
 * Objects that cost something to make, kept under an id: bounded, and the one used longest ago
 * goes. What a cache of prepared keys is made of. The map owns the objects; an object begins with
 * its entry, so that one is the other. For one thread.
 */
#ifndef LH_BASE_LRU_MAP_H
#define LH_BASE_LRU_MAP_H

#include "base/lru.h"
#include "base/map.h"

struct lh_lru_entry {
    struct lh_lru_link link; /* first */
    lh_slice id;             /* bytes in the object, which do not change while it is kept */
};

struct lh_lru_map {
    struct lh_map by_id;
    struct lh_lru order;
    uint64_t evictions; /* objects that went to make room */
    /* Wipes and frees an object that is kept no longer. */
    void (*drop)(struct lh_lru_entry *entry);
};

/*
 * Makes an empty map.
 * max       objects at most, at least 1.
 * hash_key  random bytes of this process.
 * Cannot fail: memory is taken by the first put.
 */
void lh_lru_map_init(struct lh_lru_map *map, size_t max, const struct lh_siphash_key *hash_key,
                     void (*drop)(struct lh_lru_entry *entry));
/* Drops all. Accepts a zeroed map. */
void lh_lru_map_fini(struct lh_lru_map *map);

/* The object of that id, or NULL. Notes a use. */
struct lh_lru_entry *lh_lru_map_find(struct lh_lru_map *map, lh_slice id);

/*
 * Keeps an object under its id, which is not in the map; the oldest makes room where there is
 * none. On an error the object is still the caller's, and nobody has gone for it.
 * Errors: EXISTS, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_lru_map_put(struct lh_lru_map *map, struct lh_lru_entry *entry);

/* Drops an object that is in the map. */
void lh_lru_map_drop(struct lh_lru_map *map, struct lh_lru_entry *entry);

/* The object used last, or NULL: to walk all of them. */
struct lh_lru_entry *lh_lru_map_newest(const struct lh_lru_map *map);
/* The one used before an object that is in a map, or NULL. */
struct lh_lru_entry *lh_lru_map_before(const struct lh_lru_entry *entry);

#endif
