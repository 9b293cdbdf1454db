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
/* Far from where rounding up or a block's header would overflow. */
#define ARENA_TAKE_MAX_BYTES (SIZE_MAX / 2)

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

static struct lh_arena_block *new_block(size_t size, struct lh_arena_block *next)
{
    struct lh_arena_block *block = calloc(1, sizeof(*block) + size);
    if (block != NULL) {
        block->size = size;
        block->next = next;
    }
    return block;
}

/* The block with len bytes left; NULL: no memory. A large request does not end the open block. */
static struct lh_arena_block *find_block(struct lh_arena *arena, size_t len)
{
    struct lh_arena_block *open = arena->blocks;
    if (open != NULL && open->size - open->used >= len) {
        return open;
    }
    if (open != NULL && len > BLOCK_BYTES) {
        struct lh_arena_block *own = new_block(len, open->next);
        open->next = own != NULL ? own : open->next;
        return own;
    }
    struct lh_arena_block *fresh = new_block(len > BLOCK_BYTES ? len : BLOCK_BYTES, open);
    arena->blocks = fresh != NULL ? fresh : open;
    return fresh;
}

lh_status lh_arena_take(struct lh_arena *arena, size_t len, void **out_memory)
{
    LH_ENSURE(arena->used_bytes <= arena->max_bytes, LH_TOO_LARGE);
    LH_ENSURE(len <= arena->max_bytes - arena->used_bytes, LH_TOO_LARGE);
    LH_ENSURE(len <= ARENA_TAKE_MAX_BYTES, LH_TOO_LARGE);
    size_t rounded = (len + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct lh_arena_block *block = find_block(arena, rounded);
    LH_ENSURE(block != NULL, LH_NO_MEMORY);
    *out_memory = block->room + block->used;
    block->used += rounded;
    arena->used_bytes += rounded; /* what it costs: small pieces may not slip past the maximum */
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
