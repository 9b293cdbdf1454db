/*
 * A bounded hash table from bytes to pointers: open addressing, keyed with SipHash so that
 * chosen keys cannot collide at will. It owns neither keys nor values: a key's bytes usually
 * lie inside the value. For one thread at a time.
 */
#ifndef LH_BASE_MAP_H
#define LH_BASE_MAP_H

#include "base/siphash.h"

struct lh_map {
    struct lh_siphash_key hash_key;
    struct lh_map_slot *slots; /* owned; power of two */
    size_t slot_count;
    size_t count; /* entries now */
    size_t max;   /* entries at most */
};

struct lh_map_slot {
    lh_slice key; /* borrowed */
    void *value;  /* borrowed; NULL marks a free slot */
};

/*
 * Makes an empty table.
 * max       entries at most; more fail with NO_SPACE.
 * hash_key  random bytes of this process.
 * Cannot fail: memory is taken by the first put.
 */
void lh_map_init(struct lh_map *map, size_t max, const struct lh_siphash_key *hash_key);

/* Frees the table, not what it points to. Accepts a zeroed map. */
void lh_map_fini(struct lh_map *map);

/* The value under key, or NULL. */
void *lh_map_find(const struct lh_map *map, lh_slice key);

/*
 * Puts a value under a key that is not in the table.
 * key    borrowed until it is removed.
 * value  not NULL, borrowed.
 * Errors: EXISTS, NO_SPACE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_map_put(struct lh_map *map, lh_slice key, void *value);

/* Takes the entry out. Returns its value, or NULL when there was none. */
void *lh_map_remove(struct lh_map *map, lh_slice key);

/*
 * Walks the entries in no order: call with *position = 0 first.
 * returns  the next value, or NULL at the end. The table may not change meanwhile.
 */
void *lh_map_next(const struct lh_map *map, size_t *position);

#endif
