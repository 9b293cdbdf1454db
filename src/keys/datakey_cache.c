/*
 * The cache of unwrapped data keys. A key gets a place here only once its fetch has succeeded:
 * a manager that is down, or a storm of cold tenants, pushes no warm key out.
 */
#include "keys/datakey_cache.h"

#include "base/bug.h"
#include "base/lru.h"
#include "base/map.h"
#include "keys/datakey_fetch.h"

#include "base/banned.h"

#define CACHE_MAGIC 0x4c484443U /* "LHDC" */
/* Remembered failures; two keys that share a place only forget each other's early. */
#define FAILURES 256U

struct entry {
    struct lh_lru_link link; /* first; of the order of use, or of the free entries */
    struct lh_datakey_id id;
    struct lh_datakey *key; /* NULL while the entry is free */
    uint64_t fetched_ms;    /* boot clock, as all times here */
    uint64_t uses;
};

struct failure {
    struct lh_datakey_id id;
    lh_status status;
    uint64_t until_ms; /* 0: none */
};

struct lh_datakey_cache {
    uint32_t magic;
    struct lh_datakey_options options;
    struct lh_crypto *crypto;           /* the loop's, borrowed */
    const struct lh_clock *clock;       /* borrowed */
    struct lh_datakey_fetcher *fetcher; /* owned */
    struct lh_map by_id;                /* id → entry */
    struct entry *entries;              /* owned: options.entries_max */
    struct lh_lru order;
    struct lh_lru unused;
    struct lh_datakey_counts counts;
    struct failure failures[FAILURES];
};

/* --- Entries ---------------------------------------------------------------------------------- */

static void drop_entry(struct lh_datakey_cache *cache, struct entry *entry)
{
    (void)lh_map_remove(&cache->by_id, LH_SLICE_OF(entry->id));
    lh_datakey_fetcher_give_back(cache->fetcher, entry->key);
    entry->key = NULL;
    lh_lru_remove(&cache->order, &entry->link);
    lh_lru_add(&cache->unused, &entry->link);
}

static bool is_worn_out(const struct lh_datakey_cache *cache, const struct entry *entry,
                        uint64_t now_ms)
{
    bool is_old = now_ms - entry->fetched_ms >= cache->options.max_age_ms;
    bool is_used_up = cache->options.uses_max > 0 && entry->uses >= cache->options.uses_max;
    return is_old || is_used_up;
}

/* The entry of a key that may be used, or NULL; one that may not be used is wiped. */
static struct entry *find_entry(struct lh_datakey_cache *cache, const struct lh_datakey_id *id,
                                uint64_t now_ms)
{
    struct entry *entry = lh_map_find(&cache->by_id, LH_SLICE_OF(*id));
    if (entry != NULL && is_worn_out(cache, entry, now_ms)) {
        drop_entry(cache, entry);
        return NULL;
    }
    return entry;
}

/* A free entry, or the one used longest ago, emptied. */
static struct entry *take_entry(struct lh_datakey_cache *cache)
{
    if (cache->unused.newest == NULL) {
        drop_entry(cache, (struct entry *)cache->order.oldest);
    }
    struct entry *entry = (struct entry *)cache->unused.newest;
    lh_lru_remove(&cache->unused, &entry->link);
    return entry;
}

/* key is the cache's in any case. Errors: NO_MEMORY. */
static lh_status put_key(struct lh_datakey_cache *cache, const struct lh_datakey_id *id,
                         struct lh_datakey *key)
{
    struct entry *entry = lh_map_find(&cache->by_id, LH_SLICE_OF(*id));
    if (entry != NULL) {
        lh_datakey_fetcher_give_back(cache->fetcher, entry->key);
    } else {
        entry = take_entry(cache);
        entry->id = *id;
        lh_status status = lh_map_put(&cache->by_id, LH_SLICE_OF(entry->id), entry);
        if (!lh_is_ok(status)) {
            lh_lru_add(&cache->unused, &entry->link);
            lh_datakey_fetcher_give_back(cache->fetcher, key);
            return status;
        }
        lh_lru_add(&cache->order, &entry->link);
    }
    entry->key = key;
    entry->fetched_ms = lh_clock_boot_ms(cache->clock);
    entry->uses = 0;
    return lh_ok();
}

/* --- Failures --------------------------------------------------------------------------------- */

static struct failure *failure_place(struct lh_datakey_cache *cache, const struct lh_datakey_id *id)
{
    return &cache->failures[lh_siphash(&cache->options.hash_key, LH_SLICE_OF(*id)) % FAILURES];
}

/* OK if no fresh failure of this key is known, else that failure. */
static lh_status recall_failure(struct lh_datakey_cache *cache, const struct lh_datakey_id *id,
                                uint64_t now_ms)
{
    const struct failure *failure = failure_place(cache, id);
    bool is_known = now_ms < failure->until_ms && failure->id.dek_id == id->dek_id &&
                    lh_tenant_uid_is_equal(&failure->id.uid, &id->uid);
    return is_known ? failure->status : lh_ok();
}

/* --- Fetching --------------------------------------------------------------------------------- */

static lh_status receive_key(void *receiver, const struct lh_datakey_id *id, lh_status status,
                             struct lh_datakey *key)
{
    struct lh_datakey_cache *cache = receiver;
    LH_MAGIC_CHECK(cache, CACHE_MAGIC);
    if (lh_is_ok(status)) {
        status = put_key(cache, id, key);
    }
    if (!lh_is_ok(status)) {
        cache->counts.failures++;
        *failure_place(cache, id) =
            (struct failure){*id, status, lh_clock_boot_ms(cache->clock) + LH_DATAKEY_BACKOFF_MS};
    }
    return status;
}

static lh_status start_fetch(struct lh_datakey_cache *cache, const struct lh_datakey_id *id,
                             lh_slice blob)
{
    LH_TRY(lh_datakey_fetcher_start(cache->fetcher, id, blob));
    cache->counts.fetches++;
    return lh_ok();
}

/* Errors: PENDING, and as lh_datakey_cache_get. */
static lh_status fetch_entry(struct lh_datakey_cache *cache, struct lh_op *op,
                             const struct lh_datakey_id *id, lh_slice blob, uint64_t now_ms,
                             struct entry **out_entry)
{
    lh_status waiting = lh_datakey_fetcher_wait(cache->fetcher, id, op);
    LH_ENSURE(waiting.code != LH_PENDING, LH_PENDING);
    LH_TRY(recall_failure(cache, id, now_ms));
    LH_TRY(start_fetch(cache, id, blob));
    waiting = lh_datakey_fetcher_wait(cache->fetcher, id, op);
    LH_ENSURE(waiting.code != LH_PENDING, LH_PENDING);
    /* It has ended already: well, or with a failure that is remembered. */
    uint64_t ended_ms = lh_clock_boot_ms(cache->clock);
    *out_entry = find_entry(cache, id, ended_ms);
    if (*out_entry == NULL) {
        LH_TRY(recall_failure(cache, id, ended_ms));
        return lh_status_of(LH_KEY_DOWN);
    }
    return lh_ok();
}

/*
 * Fetches a key anew while it still serves. What comes of it is for later callers.
 * returns: the entry, which has another key already where tasks finish at once.
 */
static struct entry *refresh_entry(struct lh_datakey_cache *cache, struct entry *entry,
                                   lh_slice blob, uint64_t now_ms)
{
    bool is_due = now_ms - entry->fetched_ms >= cache->options.refresh_after_ms;
    if (!is_due || lh_datakey_fetcher_is_under_way(cache->fetcher, &entry->id) ||
        !lh_is_ok(recall_failure(cache, &entry->id, now_ms))) {
        return entry;
    }
    struct lh_datakey_id id = entry->id;
    lh_status ignored = start_fetch(cache, &id, blob);
    (void)ignored; /* the present key serves on; the next use tries again */
    return lh_map_find(&cache->by_id, LH_SLICE_OF(id));
}

/* Takes the result that an op was completed with, if it was. */
static lh_status take_result(struct lh_op *op)
{
    LH_ENSURE(op->state != LH_OP_WAITING, LH_PENDING);
    if (op->state == LH_OP_COMPLETED) {
        lh_status result = op->result;
        lh_op_cancel(op);
        return result;
    }
    return lh_ok();
}

lh_status lh_datakey_cache_get(struct lh_datakey_cache *cache, struct lh_op *op,
                               const struct lh_tenant *tenant, uint32_t dek_id,
                               const struct lh_datakey **out_key)
{
    LH_MAGIC_CHECK(cache, CACHE_MAGIC);
    LH_TRY(take_result(op));
    const struct lh_wrapped_dek *dek = lh_tenant_find_dek(tenant, dek_id);
    LH_ENSURE(dek != NULL, LH_TAMPERED);
    struct lh_datakey_id id = {tenant->uid, dek_id};
    uint64_t now_ms = lh_clock_boot_ms(cache->clock);
    struct entry *entry = find_entry(cache, &id, now_ms);
    if (dek->state == LH_DEK_DESTROYED) {
        if (entry != NULL) {
            drop_entry(cache, entry);
            LH_TRY(lh_crypto_forget_keys(cache->crypto));
        }
        return lh_status_of(LH_ABSENT);
    }
    if (entry == NULL) {
        LH_TRY(fetch_entry(cache, op, &id, dek->blob, now_ms, &entry));
    } else {
        cache->counts.hits++;
        entry = refresh_entry(cache, entry, dek->blob, now_ms);
    }
    entry->uses++;
    lh_lru_touch(&cache->order, &entry->link);
    *out_key = entry->key;
    return lh_ok();
}

void lh_datakey_cache_expire(struct lh_datakey_cache *cache)
{
    LH_MAGIC_CHECK(cache, CACHE_MAGIC);
    uint64_t now_ms = lh_clock_boot_ms(cache->clock);
    bool has_dropped = false;
    for (size_t i = 0; i < cache->options.entries_max; i++) {
        struct entry *entry = &cache->entries[i];
        if (entry->key != NULL && is_worn_out(cache, entry, now_ms)) {
            drop_entry(cache, entry);
            has_dropped = true;
        }
    }
    if (has_dropped) {
        /* Contexts that cannot be overwritten now are by the next key that they are used for. */
        lh_status ignored = lh_crypto_forget_keys(cache->crypto);
        (void)ignored;
    }
}

void lh_datakey_cache_read_counts(const struct lh_datakey_cache *cache,
                                  struct lh_datakey_counts *out_counts)
{
    LH_MAGIC_CHECK(cache, CACHE_MAGIC);
    *out_counts = cache->counts;
    out_counts->entries = cache->by_id.count;
    out_counts->is_locked = lh_datakey_fetcher_is_locked(cache->fetcher);
}

/* --- Life ------------------------------------------------------------------------------------- */

static void drop_cache(struct lh_datakey_cache **cache)
{
    lh_datakey_cache_free(*cache);
}

static lh_status make_entries(struct lh_datakey_cache *cache)
{
    size_t count = cache->options.entries_max;
    cache->entries = calloc(count, sizeof(*cache->entries));
    LH_ENSURE(cache->entries != NULL, LH_NO_MEMORY);
    for (size_t i = 0; i < count; i++) {
        lh_lru_add(&cache->unused, &cache->entries[i].link);
    }
    return lh_ok();
}

lh_status lh_datakey_cache_new(struct lh_keys *keys, struct lh_crypto *crypto,
                               const struct lh_clock *clock, const struct lh_host *host,
                               const struct lh_datakey_options *options,
                               struct lh_datakey_cache **out_cache)
{
    LH_ENSURE(options->entries_max > 0, LH_INVALID);
    LH_CLEANUP(drop_cache) struct lh_datakey_cache *cache = calloc(1, sizeof(*cache));
    LH_ENSURE(cache != NULL, LH_NO_MEMORY);
    cache->magic = CACHE_MAGIC;
    cache->options = *options;
    cache->crypto = crypto;
    cache->clock = clock;
    lh_map_init(&cache->by_id, options->entries_max, &options->hash_key);
    struct lh_datakey_fetcher_parts parts = {
        .keys = keys,
        .crypto = crypto,
        .host = host,
        .keys_max = options->entries_max,
        .lock_policy = options->lock_policy,
        .hash_key = options->hash_key,
        .receive = receive_key,
        .receiver = cache,
    };
    LH_TRY(lh_datakey_fetcher_new(&parts, &cache->fetcher));
    LH_TRY(make_entries(cache));
    *out_cache = cache;
    cache = NULL;
    return lh_ok();
}

void lh_datakey_cache_free(struct lh_datakey_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    LH_MAGIC_CHECK(cache, CACHE_MAGIC);
    for (struct lh_lru_link *at = cache->order.newest; at != NULL; at = at->older) {
        lh_datakey_fetcher_give_back(cache->fetcher, ((struct entry *)at)->key);
    }
    lh_datakey_fetcher_free(cache->fetcher);
    lh_map_fini(&cache->by_id);
    free(cache->entries);
    lh_wipe(cache, sizeof(*cache));
    free(cache);
}
