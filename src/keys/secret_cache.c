/*
 * The worker's cache of opened secrets: what is kept is a key prepared for MACs, and what it was
 * opened from (base/lru_map.h does the keeping).
 */
#include "keys/secret_cache.h"

#include "base/bug.h"
#include "base/lru_map.h"

#include "base/banned.h"

#define SECRET_CACHE_MAGIC 0x4c484f53U /* "LHOS" */

/* 2 GiB: a larger number is a mistake. */
#define SECRETS_MAX ((size_t)1024 * 1024)

/* What a secret is known by; hashed and compared as it lies, up to the end of its key id. */
struct secret_id {
    struct lh_tenant_uid uid;
    uint8_t key_id[LH_SIGNATURE_KEY_ID_MAX_BYTES];
};

struct kept_secret {
    struct lh_lru_entry entry; /* first */
    struct secret_id id;
    uint64_t tenant_counter; /* as noted before the tenant was read */
    uint64_t platform_counter;
    uint64_t opened_ms;
    uint32_t dek_id;
    size_t sealed_len;
    uint8_t sealed[LH_SIGNATURE_MATERIAL_MAX_BYTES]; /* what was opened */
    struct lh_mac_key *key;                          /* owned */
};

struct lh_secret_cache {
    uint32_t magic;
    struct lh_crypto *crypto; /* borrowed */
    struct lh_lru_map secrets;
    uint64_t hits;
    uint64_t misses;
};

/* --- Life ------------------------------------------------------------------------------------- */

static void drop_secret(struct lh_lru_entry *entry)
{
    struct kept_secret *kept = (struct kept_secret *)entry;
    lh_mac_key_free(kept->key);
    lh_wipe(kept, sizeof(*kept));
    free(kept);
}

lh_status lh_secret_cache_new(const struct lh_secret_cache_options *options,
                              struct lh_secret_cache **out_cache)
{
    LH_ENSURE(options->secrets_max > 0 && options->secrets_max <= SECRETS_MAX, LH_INVALID);
    struct lh_secret_cache *cache = calloc(1, sizeof(*cache));
    LH_ENSURE(cache != NULL, LH_NO_MEMORY);
    cache->magic = SECRET_CACHE_MAGIC;
    cache->crypto = options->crypto;
    lh_lru_map_init(&cache->secrets, options->secrets_max, &options->hash_key, drop_secret);
    *out_cache = cache;
    return lh_ok();
}

void lh_secret_cache_free(struct lh_secret_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    LH_MAGIC_CHECK(cache, SECRET_CACHE_MAGIC);
    lh_lru_map_fini(&cache->secrets);
    cache->magic = 0;
    free(cache);
}

/* --- What an entry answers for ---------------------------------------------------------------- */

/* The id of what is asked for, in *id. A key id longer than any key's names none. */
static lh_slice write_id(const struct lh_secret_question *question, struct secret_id *id)
{
    lh_slice key_id = question->key->key_id;
    LH_BUG_IF(key_id.len > sizeof(id->key_id));
    id->uid = question->tenant->uid;
    memcpy(id->key_id, key_id.ptr, key_id.len);
    return lh_slice_of(id, sizeof(id->uid) + key_id.len);
}

static struct kept_secret *find(struct lh_secret_cache *cache,
                                const struct lh_secret_question *question)
{
    struct secret_id id;
    return (struct kept_secret *)lh_lru_map_find(&cache->secrets, write_id(question, &id));
}

static bool is_answer(const struct kept_secret *kept, const struct lh_secret_question *question)
{
    const struct lh_tenant *tenant = question->tenant;
    const struct lh_signature_key *key = question->key;
    /* Unsigned: before it was opened it does not answer either. */
    return kept->tenant_counter == tenant->counter &&
           kept->platform_counter == tenant->platform_counter &&
           question->now_ms - kept->opened_ms < LH_SECRET_CACHE_AGE_MS &&
           kept->dek_id == key->dek_id &&
           lh_slice_is_equal(lh_slice_of(kept->sealed, kept->sealed_len), key->material);
}

lh_status lh_secret_cache_find(struct lh_secret_cache *cache,
                               const struct lh_secret_question *question,
                               struct lh_mac_key **out_key)
{
    LH_MAGIC_CHECK(cache, SECRET_CACHE_MAGIC);
    struct kept_secret *kept = find(cache, question);
    if (kept != NULL && is_answer(kept, question)) {
        cache->hits++;
        *out_key = kept->key;
        return lh_ok();
    }
    cache->misses++;
    if (kept != NULL) {
        lh_lru_map_drop(&cache->secrets, &kept->entry);
    }
    return lh_status_of(LH_ABSENT);
}

/* --- Filling ---------------------------------------------------------------------------------- */

static void give_up(struct kept_secret **kept)
{
    if (*kept != NULL) {
        drop_secret(&(*kept)->entry);
    }
}

static void note_origin(struct kept_secret *kept, const struct lh_secret_question *question)
{
    const struct lh_signature_key *key = question->key;
    LH_BUG_IF(key->material.len > sizeof(kept->sealed));
    kept->entry.id = write_id(question, &kept->id);
    kept->tenant_counter = question->tenant->counter;
    kept->platform_counter = question->tenant->platform_counter;
    kept->opened_ms = question->now_ms;
    kept->dek_id = key->dek_id;
    kept->sealed_len = key->material.len;
    memcpy(kept->sealed, key->material.ptr, key->material.len);
}

lh_status lh_secret_cache_fill(struct lh_secret_cache *cache,
                               const struct lh_secret_question *question,
                               const struct lh_datakey *datakey, struct lh_mac_key **out_key)
{
    LH_MAGIC_CHECK(cache, SECRET_CACHE_MAGIC);
    struct kept_secret *before = find(cache, question);
    if (before != NULL) {
        lh_lru_map_drop(&cache->secrets, &before->entry);
    }
    LH_CLEANUP(give_up) struct kept_secret *kept = calloc(1, sizeof(*kept));
    LH_ENSURE(kept != NULL, LH_NO_MEMORY);
    note_origin(kept, question);
    LH_TRY(lh_shared_secret_open(cache->crypto, datakey, &question->tenant->uid, question->key,
                                 &kept->key));
    LH_TRY(lh_lru_map_put(&cache->secrets, &kept->entry));
    *out_key = kept->key;
    kept = NULL;
    return lh_ok();
}

/* --- Ageing ----------------------------------------------------------------------------------- */

void lh_secret_cache_expire(struct lh_secret_cache *cache, uint64_t now_ms)
{
    LH_MAGIC_CHECK(cache, SECRET_CACHE_MAGIC);
    struct lh_lru_entry *entry = lh_lru_map_newest(&cache->secrets);
    while (entry != NULL) {
        struct lh_lru_entry *before = lh_lru_map_before(entry);
        if (now_ms - ((struct kept_secret *)entry)->opened_ms >= LH_SECRET_CACHE_AGE_MS) {
            lh_lru_map_drop(&cache->secrets, entry);
        }
        entry = before;
    }
}

void lh_secret_cache_read_counts(const struct lh_secret_cache *cache,
                                 struct lh_secret_cache_counts *out_counts)
{
    LH_MAGIC_CHECK(cache, SECRET_CACHE_MAGIC);
    *out_counts = (struct lh_secret_cache_counts){
        cache->hits, cache->misses, cache->secrets.evictions, cache->secrets.by_id.count};
}
