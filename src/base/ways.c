/*
 * Finding and giving out ways.
 */
#include "base/ways.h"

#include "base/cache_room.h"

#include "base/banned.h"

lh_status lh_ways_init(struct lh_ways *ways, size_t entries_max)
{
    size_t entries = lh_power_of_two_above(entries_max);
    size_t sets = entries > LH_WAYS ? entries / LH_WAYS : 1;
    struct lh_way_set *memory = calloc(sets, sizeof(*memory));
    LH_ENSURE(memory != NULL, LH_NO_MEMORY);
    *ways = (struct lh_ways){.sets = memory, .set_count = sets};
    return lh_ok();
}

void lh_ways_fini(struct lh_ways *ways)
{
    free(ways->sets);
    ways->sets = NULL;
    ways->set_count = 0;
}

static size_t set_of(const struct lh_ways *ways, uint64_t hash)
{
    return (size_t)hash & (ways->set_count - 1);
}

static uint64_t tag_of(uint64_t hash)
{
    return hash | 1U;
}

size_t lh_ways_next(const struct lh_ways *ways, uint64_t hash, size_t after)
{
    size_t set = set_of(ways, hash);
    size_t way = after == LH_WAYS_NONE ? 0 : after % LH_WAYS + 1;
    for (; way < LH_WAYS; way++) {
        if (ways->sets[set].tags[way] == tag_of(hash)) {
            return set * LH_WAYS + way;
        }
    }
    return LH_WAYS_NONE;
}

size_t lh_ways_room(const struct lh_ways *ways, uint64_t hash)
{
    const struct lh_way_set *set = &ways->sets[set_of(ways, hash)];
    size_t way = 0;
    for (size_t i = 1; i < LH_WAYS; i++) {
        if (set->stamps[i] < set->stamps[way]) {
            way = i;
        }
    }
    return set_of(ways, hash) * LH_WAYS + way;
}

void lh_ways_put(struct lh_ways *ways, size_t slot, uint64_t hash)
{
    ways->sets[slot / LH_WAYS].tags[slot % LH_WAYS] = tag_of(hash);
    lh_ways_touch(ways, slot);
}
