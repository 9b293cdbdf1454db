/*
 * Bump allocation in blocks; large requests get a block of their own.
 */
#include "base/arena.h"

#include "base/secret.h"

#include <stdalign.h>

#include "base/banned.h"

/* Holds what a usual request needs, so that most arenas allocate once. */
#define BLOCK_BYTES ((size_t)4096)
#define ARENA_ALIGN (alignof(max_align_t))

struct lh_arena_block {
    struct lh_arena_block *next;
    size_t used;
    size_t size; /* bytes of room */
    alignas(max_align_t) uint8_t room[];
};

void lh_arena_fini(struct lh_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    while (arena->blocks != NULL) {
        struct lh_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        lh_wipe(block->room, block->used);
        free(block);
    }
    arena->used_bytes = 0;
}

static lh_status add_block(struct lh_arena *arena, size_t len)
{
    size_t size = len > BLOCK_BYTES ? len : BLOCK_BYTES;
    struct lh_arena_block *block = calloc(1, sizeof(*block) + size);
    LH_ENSURE(block != NULL, LH_NO_MEMORY);
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    return lh_ok();
}

lh_status lh_arena_take(struct lh_arena *arena, size_t len, void **out_memory)
{
    LH_ENSURE(len <= arena->max_bytes - arena->used_bytes, LH_TOO_LARGE);
    size_t rounded = (len + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (arena->blocks == NULL || arena->blocks->size - arena->blocks->used < rounded) {
        LH_TRY(add_block(arena, rounded));
    }
    *out_memory = arena->blocks->room + arena->blocks->used;
    arena->blocks->used += rounded;
    arena->used_bytes += len;
    return lh_ok();
}

lh_status lh_arena_dup(struct lh_arena *arena, lh_slice bytes, lh_slice *out_copy)
{
    void *memory;
    LH_TRY(lh_arena_take(arena, bytes.len, &memory));
    if (bytes.len > 0) {
        memcpy(memory, bytes.ptr, bytes.len);
    }
    *out_copy = lh_slice_of(memory, bytes.len);
    return lh_ok();
}
