/*
 * Mapping memory for caches.
 */
#include "base/cache_room.h"

#include <sys/mman.h>

#include "base/banned.h"

lh_status lh_cache_room_map(size_t bytes, void **out_room)
{
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    LH_ENSURE(room != MAP_FAILED, LH_NO_MEMORY);
    /* Kernels without these still run. */
    (void)madvise(room, bytes, MADV_DONTDUMP);
    (void)madvise(room, bytes, MADV_WIPEONFORK);
    *out_room = room;
    return lh_ok();
}
