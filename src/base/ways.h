/*
 * The index of a cache of fixed size: sets of ways. An entry may lie in the ways of one set only,
 * which its hash names; in a set the way used longest ago makes room. The entries are an array of
 * the caller's, and a slot is an index into it. A set's tags lie together, so that a miss touches
 * one line of memory. For one thread.
 */
#ifndef LH_BASE_WAYS_H
#define LH_BASE_WAYS_H

#include "base/slice.h"

#define LH_WAYS ((size_t)8)
/* No slot. */
#define LH_WAYS_NONE SIZE_MAX

struct lh_way_set {
    uint64_t tags[LH_WAYS];   /* the hash, its last bit set; 0: free */
    uint64_t stamps[LH_WAYS]; /* of the last use */
};

struct lh_ways {
    struct lh_way_set *sets; /* owned */
    size_t set_count;        /* power of two */
    uint64_t clock;          /* uses so far */
};

/*
 * Makes an empty index.
 * entries_max  at least 1; rounded up to a power of two, and to LH_WAYS.
 * Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_ways_init(struct lh_ways *ways, size_t entries_max);
/* Frees; accepts a zeroed index. */
void lh_ways_fini(struct lh_ways *ways);

/* How many slots there are. */
static inline size_t lh_ways_slot_count(const struct lh_ways *ways)
{
    return ways->set_count * LH_WAYS;
}

/* Whether a slot is in use. */
static inline bool lh_ways_is_used(const struct lh_ways *ways, size_t slot)
{
    return ways->sets[slot / LH_WAYS].tags[slot % LH_WAYS] != 0;
}

/*
 * The first slot in use behind a slot that may hold an entry of that hash: the caller compares.
 * after    LH_WAYS_NONE to begin with; then what was returned before.
 * returns  LH_WAYS_NONE when there is no other.
 */
size_t lh_ways_next(const struct lh_ways *ways, uint64_t hash, size_t after);

/* Notes a use. */
static inline void lh_ways_touch(struct lh_ways *ways, size_t slot)
{
    ways->clock++;
    ways->sets[slot / LH_WAYS].stamps[slot % LH_WAYS] = ways->clock;
}

/*
 * The slot that a new entry of that hash gets: a free one, or the one used longest ago, which the
 * caller empties (lh_ways_is_used tells). It is not in use before lh_ways_put.
 */
size_t lh_ways_room(const struct lh_ways *ways, uint64_t hash);

/* Puts an entry of that hash into a slot that lh_ways_room gave, and notes a use. */
void lh_ways_put(struct lh_ways *ways, size_t slot, uint64_t hash);

/* Marks a slot as free. */
static inline void lh_ways_drop(struct lh_ways *ways, size_t slot)
{
    ways->sets[slot / LH_WAYS].tags[slot % LH_WAYS] = 0;
    ways->sets[slot / LH_WAYS].stamps[slot % LH_WAYS] = 0;
}

#endif
