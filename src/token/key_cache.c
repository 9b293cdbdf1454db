/*
 * The cache of verifying keys: what is kept is an OpenSSL key (base/lru_map.h does the keeping).
 */
#include "token/key_cache.h"

#include "base/bug.h"
#include "base/lru_map.h"

#include "base/banned.h"

#define KEY_CACHE_MAGIC 0x4c484b43U /* "LHKC" */

/* 2 GiB: a larger number is a mistake. */
#define KEYS_MAX ((size_t)1024 * 1024)

/* What a key is known by; hashed and compared as it lies. */
struct key_id {
    struct lh_tenant_uid uid;
    struct lh_digest print;
};

struct kept_key {
    struct lh_lru_entry entry; /* first */
    struct key_id id;
    struct lh_public_key *key; /* owned */
};

struct lh_key_cache {
    uint32_t magic;
    struct lh_crypto *crypto; /* borrowed */
    struct lh_lru_map keys;
    uint64_t hits;
    uint64_t misses;
};

static void drop_key(struct lh_lru_entry *entry)
{
    struct kept_key *kept = (struct kept_key *)entry;
    lh_public_key_free(kept->key);
    free(kept);
}

lh_status lh_key_cache_new(const struct lh_key_cache_options *options,
                           struct lh_key_cache **out_cache)
{
    LH_ENSURE(options->keys_max > 0 && options->keys_max <= KEYS_MAX, LH_INVALID);
    struct lh_key_cache *cache = calloc(1, sizeof(*cache));
    LH_ENSURE(cache != NULL, LH_NO_MEMORY);
    cache->magic = KEY_CACHE_MAGIC;
    cache->crypto = options->crypto;
    lh_lru_map_init(&cache->keys, options->keys_max, &options->hash_key, drop_key);
    *out_cache = cache;
    return lh_ok();
}

void lh_key_cache_free(struct lh_key_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    LH_MAGIC_CHECK(cache, KEY_CACHE_MAGIC);
    lh_lru_map_fini(&cache->keys);
    cache->magic = 0;
    free(cache);
}

static void give_up(struct kept_key **kept)
{
    if (*kept != NULL) {
        drop_key(&(*kept)->entry);
    }
}

static lh_status add_key(struct lh_key_cache *cache, const struct key_id *id,
                         const struct lh_verify_key *row, struct lh_public_key **out_key)
{
    LH_CLEANUP(give_up) struct kept_key *kept = calloc(1, sizeof(*kept));
    LH_ENSURE(kept != NULL, LH_NO_MEMORY);
    kept->id = *id;
    kept->entry.id = LH_SLICE_OF(kept->id);
    LH_TRY(lh_public_key_new(cache->crypto, row->algorithm, row->material, &kept->key));
    LH_TRY(lh_lru_map_put(&cache->keys, &kept->entry));
    *out_key = kept->key;
    kept = NULL;
    return lh_ok();
}

lh_status lh_key_cache_get(struct lh_key_cache *cache, const struct lh_tenant_uid *uid,
                           const struct lh_verify_key *row, const struct lh_digest *print,
                           struct lh_public_key **out_key)
{
    LH_MAGIC_CHECK(cache, KEY_CACHE_MAGIC);
    struct key_id id = {*uid, *print};
    struct kept_key *kept = (struct kept_key *)lh_lru_map_find(&cache->keys, LH_SLICE_OF(id));
    if (kept == NULL) {
        cache->misses++;
        return add_key(cache, &id, row, out_key);
    }
    cache->hits++;
    *out_key = kept->key;
    return lh_ok();
}

void lh_key_cache_read_counts(const struct lh_key_cache *cache,
                              struct lh_key_cache_counts *out_counts)
{
    LH_MAGIC_CHECK(cache, KEY_CACHE_MAGIC);
    *out_counts = (struct lh_key_cache_counts){cache->hits, cache->misses, cache->keys.evictions};
}
