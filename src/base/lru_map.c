/*
 * Objects under ids: a map over a list in the order of use.
 */
#include "base/lru_map.h"

#include "base/banned.h"

void lh_lru_map_init(struct lh_lru_map *map, size_t max, const struct lh_siphash_key *hash_key,
                     void (*drop)(struct lh_lru_entry *entry))
{
    *map = (struct lh_lru_map){.drop = drop};
    lh_map_init(&map->by_id, max, hash_key);
}

static struct lh_lru_entry *entry_of(struct lh_lru_link *link)
{
    return (struct lh_lru_entry *)link;
}

void lh_lru_map_fini(struct lh_lru_map *map)
{
    while (map->order.oldest != NULL) {
        lh_lru_map_drop(map, entry_of(map->order.oldest));
    }
    lh_map_fini(&map->by_id);
}

struct lh_lru_entry *lh_lru_map_find(struct lh_lru_map *map, lh_slice id)
{
    struct lh_lru_entry *entry = lh_map_find(&map->by_id, id);
    if (entry != NULL) {
        lh_lru_touch(&map->order, &entry->link);
    }
    return entry;
}

lh_status lh_lru_map_put(struct lh_lru_map *map, struct lh_lru_entry *entry)
{
    LH_ENSURE(lh_map_find(&map->by_id, entry->id) == NULL, LH_EXISTS);
    if (map->by_id.count == map->by_id.max) {
        /* A table that was full once does not grow any more: the put below cannot fail. */
        map->evictions++;
        lh_lru_map_drop(map, entry_of(map->order.oldest));
    }
    LH_TRY(lh_map_put(&map->by_id, entry->id, entry));
    lh_lru_add(&map->order, &entry->link);
    return lh_ok();
}

void lh_lru_map_drop(struct lh_lru_map *map, struct lh_lru_entry *entry)
{
    (void)lh_map_remove(&map->by_id, entry->id);
    lh_lru_remove(&map->order, &entry->link);
    map->drop(entry);
}

struct lh_lru_entry *lh_lru_map_newest(const struct lh_lru_map *map)
{
    return map->order.newest != NULL ? entry_of(map->order.newest) : NULL;
}

struct lh_lru_entry *lh_lru_map_before(const struct lh_lru_entry *entry)
{
    return entry->link.older != NULL ? entry_of(entry->link.older) : NULL;
}
