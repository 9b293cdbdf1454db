/*
 * The cache of verifying keys: a map over entries that lie in the order of their use.
 */
#include "token/key_cache.h"

#include "base/bug.h"
#include "base/lru.h"
#include "base/map.h"

#include "base/banned.h"

#define KEY_CACHE_MAGIC 0x4c484b43U /* "LHKC" */

/* 2 GiB: a larger number is a mistake. */
#define KEYS_MAX ((size_t)1024 * 1024)

/* What a key is known by; hashed and compared as it lies. */
struct key_id {
    struct lh_tenant_uid uid;
    struct lh_digest print;
};

struct entry {
    struct lh_lru_link link; /* first */
    struct key_id id;
    struct lh_public_key *key; /* owned */
};

struct lh_key_cache {
    uint32_t magic;
    struct lh_crypto *crypto; /* borrowed */
    size_t keys_max;
    struct lh_map by_id;
    struct lh_lru order;
    struct lh_key_cache_counts counts;
};

lh_status lh_key_cache_new(const struct lh_key_cache_options *options,
                           struct lh_key_cache **out_cache)
{
    LH_ENSURE(options->keys_max > 0 && options->keys_max <= KEYS_MAX, LH_INVALID);
    struct lh_key_cache *cache = calloc(1, sizeof(*cache));
    LH_ENSURE(cache != NULL, LH_NO_MEMORY);
    cache->magic = KEY_CACHE_MAGIC;
    cache->crypto = options->crypto;
    cache->keys_max = options->keys_max;
    lh_map_init(&cache->by_id, options->keys_max, &options->hash_key);
    *out_cache = cache;
    return lh_ok();
}

static void drop_oldest(struct lh_key_cache *cache)
{
    struct entry *entry = (struct entry *)cache->order.oldest;
    (void)lh_map_remove(&cache->by_id, LH_SLICE_OF(entry->id));
    lh_lru_remove(&cache->order, &entry->link);
    lh_public_key_free(entry->key);
    free(entry);
}

void lh_key_cache_free(struct lh_key_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    LH_MAGIC_CHECK(cache, KEY_CACHE_MAGIC);
    while (cache->order.oldest != NULL) {
        drop_oldest(cache);
    }
    lh_map_fini(&cache->by_id);
    cache->magic = 0;
    free(cache);
}

static void drop_entry(struct entry **entry)
{
    if (*entry != NULL) {
        lh_public_key_free((*entry)->key);
        free(*entry);
    }
}

static lh_status add_key(struct lh_key_cache *cache, const struct key_id *id,
                         const struct lh_verify_key *row, struct lh_public_key **out_key)
{
    LH_CLEANUP(drop_entry) struct entry *entry = calloc(1, sizeof(*entry));
    LH_ENSURE(entry != NULL, LH_NO_MEMORY);
    entry->id = *id;
    LH_TRY(lh_public_key_new(cache->crypto, row->algorithm, row->material, &entry->key));
    if (cache->by_id.count == cache->keys_max) {
        cache->counts.evictions++;
        drop_oldest(cache);
    }
    LH_TRY(lh_map_put(&cache->by_id, LH_SLICE_OF(entry->id), entry));
    lh_lru_add(&cache->order, &entry->link);
    *out_key = entry->key;
    entry = NULL;
    return lh_ok();
}

lh_status lh_key_cache_get(struct lh_key_cache *cache, const struct lh_tenant_uid *uid,
                           const struct lh_verify_key *row, const struct lh_digest *print,
                           struct lh_public_key **out_key)
{
    LH_MAGIC_CHECK(cache, KEY_CACHE_MAGIC);
    struct key_id id = {*uid, *print};
    struct entry *entry = lh_map_find(&cache->by_id, LH_SLICE_OF(id));
    if (entry == NULL) {
        cache->counts.misses++;
        return add_key(cache, &id, row, out_key);
    }
    cache->counts.hits++;
    lh_lru_touch(&cache->order, &entry->link);
    *out_key = entry->key;
    return lh_ok();
}

void lh_key_cache_read_counts(const struct lh_key_cache *cache,
                              struct lh_key_cache_counts *out_counts)
{
    LH_MAGIC_CHECK(cache, KEY_CACHE_MAGIC);
    *out_counts = cache->counts;
}
