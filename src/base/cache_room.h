/*
 * Memory for caches of what somebody may do, and who he is.
 */
#ifndef LH_BASE_CACHE_ROOM_H
#define LH_BASE_CACHE_ROOM_H

#include "base/status.h"

/*
 * Maps bytes that read as zero, are left out of dumps and are zero again in forked children (where
 * the kernel can). Pages are taken from the system as they are used. Unmap with munmap.
 * Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_cache_room_map(size_t bytes, void **out_room);

/* The smallest power of two that is not less than value. */
static inline size_t lh_power_of_two_above(size_t value)
{
    size_t power = 1;
    while (power < value) {
        power *= 2;
    }
    return power;
}

#endif
