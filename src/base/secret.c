/*
 * Wiping, constant-time comparison and the pool of locked slots.
 */
#include "base/secret.h"

#include "base/bug.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/banned.h"

#define POOL_MAGIC 0x4c485350U /* "LHSP" */
#define SLOT_ALIGN ((size_t)16)
/* No pool of ours needs more; a larger request is a mistake in the caller's arithmetic. */
#define POOL_MAX_BYTES ((size_t)1024 * 1024 * 1024)

struct lh_secret_pool {
    uint32_t magic;
    bool is_locked;
    uint8_t *memory; /* mapped */
    size_t mapped_bytes;
    size_t slot_bytes;
    size_t slots;
    uint32_t *free_stack; /* indexes of free slots */
    size_t free_count;
    bool *is_taken; /* per slot: one given back twice would soon have two owners */
};

void lh_wipe(void *ptr, size_t len)
{
    if (len > 0) {
        explicit_bzero(ptr, len);
    }
}

/* A value of which the compiler knows nothing: it could stop at the first difference otherwise. */
static uint64_t hide(uint64_t value)
{
    __asm__("" : "+r"(value));
    return value;
}

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

bool lh_secret_is_equal(const void *a, const void *b, size_t len)
{
    const uint8_t *left = a;
    const uint8_t *right = b;
    uint64_t difference = 0;
    size_t at = 0;
    for (; len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        difference = hide(difference | (word_at(left + at) ^ word_at(right + at)));
    }
    for (; at < len; at++) {
        difference = hide(difference | (uint64_t)(left[at] ^ right[at]));
    }
    return difference == 0;
}

bool lh_secret_slice_is_equal(lh_slice a, lh_slice b)
{
    return a.len == b.len && lh_secret_is_equal(a.ptr, b.ptr, a.len);
}

void lh_key_fini(struct lh_key *key)
{
    if (key != NULL) {
        lh_wipe(key, sizeof(*key));
    }
}

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static lh_status map_memory(struct lh_secret_pool *pool, enum lh_lock_policy policy)
{
    void *memory =
        mmap(NULL, pool->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    LH_ENSURE(memory != MAP_FAILED, LH_NO_MEMORY);
    pool->memory = memory;
    pool->is_locked = mlock(memory, pool->mapped_bytes) == 0;
    bool is_guarded = madvise(memory, pool->mapped_bytes, MADV_DONTDUMP) == 0;
    is_guarded = madvise(memory, pool->mapped_bytes, MADV_WIPEONFORK) == 0 && is_guarded;
    LH_ENSURE((pool->is_locked && is_guarded) || policy == LH_LOCK_BEST_EFFORT, LH_NO_MEMORY);
    return lh_ok();
}

static lh_status fill_free_stack(struct lh_secret_pool *pool)
{
    pool->free_stack = calloc(pool->slots, sizeof(*pool->free_stack));
    pool->is_taken = calloc(pool->slots, sizeof(*pool->is_taken));
    LH_ENSURE(pool->free_stack != NULL && pool->is_taken != NULL, LH_NO_MEMORY);
    for (size_t i = 0; i < pool->slots; i++) {
        pool->free_stack[i] = (uint32_t)(pool->slots - 1 - i);
    }
    pool->free_count = pool->slots;
    return lh_ok();
}

static void drop_pool(struct lh_secret_pool **pool)
{
    lh_secret_pool_free(*pool);
}

lh_status lh_secret_pool_new(size_t slot_bytes, size_t slots, enum lh_lock_policy policy,
                             struct lh_secret_pool **out_pool)
{
    LH_ENSURE(slots > 0 && slots <= POOL_MAX_BYTES / SLOT_ALIGN, LH_INVALID);
    LH_ENSURE(slot_bytes > 0 && slot_bytes <= POOL_MAX_BYTES, LH_INVALID);
    LH_ENSURE(round_up(slot_bytes, SLOT_ALIGN) <= POOL_MAX_BYTES / slots, LH_INVALID);
    LH_CLEANUP(drop_pool) struct lh_secret_pool *pool = calloc(1, sizeof(*pool));
    LH_ENSURE(pool != NULL, LH_NO_MEMORY);
    pool->magic = POOL_MAGIC;
    pool->slot_bytes = round_up(slot_bytes, SLOT_ALIGN);
    pool->slots = slots;
    pool->mapped_bytes = round_up(pool->slot_bytes * slots, (size_t)sysconf(_SC_PAGESIZE));
    LH_TRY(map_memory(pool, policy));
    LH_TRY(fill_free_stack(pool));
    *out_pool = pool;
    pool = NULL;
    return lh_ok();
}

void lh_secret_pool_free(struct lh_secret_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    LH_MAGIC_CHECK(pool, POOL_MAGIC);
    if (pool->memory != NULL) {
        lh_wipe(pool->memory, pool->mapped_bytes);
        (void)munmap(pool->memory, pool->mapped_bytes);
    }
    free(pool->free_stack);
    free(pool->is_taken);
    pool->magic = 0;
    free(pool);
}

lh_status lh_secret_pool_take(struct lh_secret_pool *pool, void **out_slot)
{
    LH_MAGIC_CHECK(pool, POOL_MAGIC);
    LH_ENSURE(pool->free_count > 0, LH_NO_MEMORY);
    pool->free_count--;
    uint32_t index = pool->free_stack[pool->free_count];
    pool->is_taken[index] = true;
    *out_slot = pool->memory + (size_t)index * pool->slot_bytes;
    return lh_ok();
}

void lh_secret_pool_give(struct lh_secret_pool *pool, void *slot)
{
    if (slot == NULL) {
        return;
    }
    LH_MAGIC_CHECK(pool, POOL_MAGIC);
    uintptr_t offset = (uintptr_t)slot - (uintptr_t)pool->memory;
    LH_BUG_IF(offset >= pool->slot_bytes * pool->slots || offset % pool->slot_bytes != 0);
    uint32_t index = (uint32_t)(offset / pool->slot_bytes);
    LH_BUG_IF(!pool->is_taken[index]);
    lh_wipe(slot, pool->slot_bytes);
    pool->is_taken[index] = false;
    pool->free_stack[pool->free_count] = index;
    pool->free_count++;
}

bool lh_secret_pool_is_locked(const struct lh_secret_pool *pool)
{
    LH_MAGIC_CHECK(pool, POOL_MAGIC);
    return pool->is_locked;
}
