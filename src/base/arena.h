/*
 * Memory that dies all at once: what one request or one configuration object allocates.
 */
#ifndef LH_BASE_ARENA_H
#define LH_BASE_ARENA_H

#include "base/slice.h"

struct lh_arena_block;

struct lh_arena {
    struct lh_arena_block *blocks; /* newest first, owned */
    size_t used_bytes;
    size_t max_bytes;
};

/* An empty arena that never gives out more than max_bytes, each piece rounded up to alignment. */
static inline struct lh_arena lh_arena_bounded(size_t max_bytes)
{
    return (struct lh_arena){NULL, 0, max_bytes};
}

/* Wipes and frees everything given out. Accepts an empty arena. */
void lh_arena_fini(struct lh_arena *arena);

/*
 * Gives out len zeroed bytes, aligned for any type, alive until fini.
 * Errors: TOO_LARGE (over max_bytes), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_arena_take(struct lh_arena *arena, size_t len, void **out_memory);

/* Copies a slice into the arena. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_arena_dup(struct lh_arena *arena, lh_slice bytes, lh_slice *out_copy);

#endif
