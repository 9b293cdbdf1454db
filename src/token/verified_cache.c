/*
 * The worker's cache of verified tokens: an index of ways (base/ways.h) over entries in memory of
 * their own, and a table in which each refusal has one place.
 */
#include "token/verified_cache.h"

#include "base/bug.h"
#include "base/cache_room.h"
#include "base/ways.h"

#include <sys/mman.h>

#include "base/banned.h"

#define VERIFIED_CACHE_MAGIC 0x4c485643U /* "LHVC" */

/* 4 GiB: a larger number is a mistake. */
#define TOKENS_MAX   ((size_t)1024 * 1024)
#define REFUSALS_MAX ((size_t)1024 * 1024)

/* What a text is known by; hashed and compared as it lies. */
struct text_id {
    struct lh_tenant_uid uid;
    struct lh_digest digest;
};

/* Under what an entry was made. */
struct basis {
    uint64_t tenant_counter;
    uint64_t platform_counter;
    uint64_t made_ms;
};

struct entry {
    struct lh_verified_token token; /* views into texts */
    struct text_id id;
    struct basis basis;
    bool is_filled;
    size_t texts_len;
    uint8_t texts[LH_VERIFIED_TEXTS_MAX_BYTES];
};

struct refusal {
    struct text_id id;
    struct basis basis;
    lh_status status;
    bool is_filled;
};

struct lh_verified_cache {
    uint32_t magic;
    struct lh_siphash_key hash_key;
    struct lh_ways ways;
    struct entry *entries; /* owned, mapped: one for each slot */
    size_t mapped_bytes;
    struct refusal *refusals; /* owned */
    size_t refusal_count;     /* power of two */
    struct lh_verified_cache_counts counts;
};

/* --- Life ------------------------------------------------------------------------------------- */

static lh_status map_entries(struct lh_verified_cache *cache)
{
    size_t bytes = lh_ways_slot_count(&cache->ways) * sizeof(struct entry);
    void *room;
    LH_TRY(lh_cache_room_map(bytes, &room));
    cache->entries = room;
    cache->mapped_bytes = bytes;
    return lh_ok();
}

static lh_status make_refusals(struct lh_verified_cache *cache, size_t refusals_max)
{
    cache->refusal_count = lh_power_of_two_above(refusals_max);
    cache->refusals = calloc(cache->refusal_count, sizeof(*cache->refusals));
    LH_ENSURE(cache->refusals != NULL, LH_NO_MEMORY);
    return lh_ok();
}

static void drop_cache(struct lh_verified_cache **cache)
{
    lh_verified_cache_free(*cache);
}

lh_status lh_verified_cache_new(const struct lh_verified_cache_options *options,
                                struct lh_verified_cache **out_cache)
{
    LH_ENSURE(options->tokens_max > 0 && options->tokens_max <= TOKENS_MAX, LH_INVALID);
    LH_ENSURE(options->refusals_max > 0 && options->refusals_max <= REFUSALS_MAX, LH_INVALID);
    LH_CLEANUP(drop_cache) struct lh_verified_cache *cache = calloc(1, sizeof(*cache));
    LH_ENSURE(cache != NULL, LH_NO_MEMORY);
    cache->magic = VERIFIED_CACHE_MAGIC;
    cache->hash_key = options->hash_key;
    LH_TRY(lh_ways_init(&cache->ways, options->tokens_max));
    LH_TRY(map_entries(cache));
    LH_TRY(make_refusals(cache, options->refusals_max));
    *out_cache = cache;
    cache = NULL;
    return lh_ok();
}

static void wipe_slot(struct lh_verified_cache *cache, size_t slot)
{
    struct entry *entry = &cache->entries[slot];
    lh_wipe(entry->texts, entry->texts_len);
    lh_wipe(entry, offsetof(struct entry, texts));
    lh_ways_drop(&cache->ways, slot);
}

void lh_verified_cache_clear(struct lh_verified_cache *cache)
{
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    for (size_t slot = 0; slot < lh_ways_slot_count(&cache->ways); slot++) {
        if (lh_ways_is_used(&cache->ways, slot)) {
            wipe_slot(cache, slot);
        }
    }
    lh_wipe(cache->refusals, cache->refusal_count * sizeof(*cache->refusals));
}

void lh_verified_cache_free(struct lh_verified_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    if (cache->entries != NULL && cache->refusals != NULL) {
        lh_verified_cache_clear(cache);
    }
    if (cache->entries != NULL) {
        (void)munmap(cache->entries, cache->mapped_bytes);
    }
    free(cache->refusals);
    lh_ways_fini(&cache->ways);
    cache->magic = 0;
    free(cache);
}

/* --- What an entry answers for ---------------------------------------------------------------- */

static struct text_id id_of(const struct lh_token_question *question)
{
    return (struct text_id){question->tenant->uid, question->text.digest};
}

static uint64_t hash_of(const struct lh_verified_cache *cache, const struct text_id *id)
{
    return lh_siphash(&cache->hash_key, LH_SLICE_OF(*id));
}

/* A digest is no secret to the one who has the token; nobody else can try. */
static bool is_same_id(const struct text_id *a, const struct text_id *b)
{
    return lh_slice_is_equal(LH_SLICE_OF(*a), LH_SLICE_OF(*b));
}

static struct basis basis_of(const struct lh_token_question *question)
{
    return (struct basis){question->tenant->counter, question->tenant->platform_counter,
                          question->now_ms};
}

static bool is_current(const struct basis *basis, const struct lh_token_question *question,
                       uint64_t age_ms)
{
    /* Unsigned: before it was made it is not current either. */
    return basis->tenant_counter == question->tenant_counter &&
           basis->platform_counter == question->platform_counter &&
           question->now_ms - basis->made_ms < age_ms;
}

/* Whether key, issuer and token are still what they were when it was verified. */
static bool is_valid(const struct lh_verified_token *token,
                     const struct lh_token_question *question)
{
    const struct lh_issuer *issuer = lh_tenant_find_issuer(question->tenant, token->iss);
    uint64_t now_ms = question->now_ms;
    bool is_key_valid = token->key_until_ms == 0 || now_ms < token->key_until_ms;
    return issuer != NULL && issuer->generation == token->generation && is_key_valid &&
           now_ms >= token->begins_ms && now_ms <= token->ends_ms;
}

/* The entry of a text, or NULL. */
static struct entry *find_entry(const struct lh_verified_cache *cache, const struct text_id *id,
                                uint64_t hash, size_t *out_slot)
{
    size_t slot = lh_ways_next(&cache->ways, hash, LH_WAYS_NONE);
    while (slot != LH_WAYS_NONE && !is_same_id(&cache->entries[slot].id, id)) {
        slot = lh_ways_next(&cache->ways, hash, slot);
    }
    *out_slot = slot;
    /* In a forked child the memory is zero, and the index is not. */
    bool is_there = slot != LH_WAYS_NONE && cache->entries[slot].is_filled;
    return is_there ? &cache->entries[slot] : NULL;
}

/* --- Looking up ------------------------------------------------------------------------------- */

lh_status lh_verified_cache_find(struct lh_verified_cache *cache,
                                 const struct lh_token_question *question,
                                 const struct lh_verified_token **out_token)
{
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    struct text_id id = id_of(question);
    size_t slot;
    const struct entry *entry = find_entry(cache, &id, hash_of(cache, &id), &slot);
    if (entry == NULL || !is_current(&entry->basis, question, LH_VERIFIED_CACHE_AGE_MS) ||
        !is_valid(&entry->token, question)) {
        cache->counts.misses++;
        return lh_status_of(LH_ABSENT);
    }
    cache->counts.hits++;
    lh_ways_touch(&cache->ways, slot);
    *out_token = &entry->token;
    return lh_ok();
}

static struct refusal *refusal_place(struct lh_verified_cache *cache, const struct text_id *id)
{
    return &cache->refusals[(size_t)hash_of(cache, id) & (cache->refusal_count - 1)];
}

lh_status lh_verified_cache_find_refusal(struct lh_verified_cache *cache,
                                         const struct lh_token_question *question,
                                         lh_status *out_refusal)
{
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    struct text_id id = id_of(question);
    const struct refusal *refusal = refusal_place(cache, &id);
    bool is_known = refusal->is_filled && is_same_id(&refusal->id, &id) &&
                    is_current(&refusal->basis, question, LH_REFUSED_TOKEN_AGE_MS);
    LH_ENSURE(is_known, LH_ABSENT);
    cache->counts.refusal_hits++;
    *out_refusal = refusal->status;
    return lh_ok();
}

bool lh_verified_cache_has_proof(const struct lh_verified_cache *cache,
                                 const struct lh_token_question *question,
                                 const struct lh_digest *key_print)
{
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    struct text_id id = id_of(question);
    size_t slot;
    const struct entry *entry = find_entry(cache, &id, hash_of(cache, &id), &slot);
    return entry != NULL && lh_digest_is_equal(&entry->token.key_print, key_print);
}

void lh_verified_cache_count_proof(struct lh_verified_cache *cache)
{
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    cache->counts.proof_hits++;
}

/* --- Filling ---------------------------------------------------------------------------------- */

/* A slot for a text: its own, a free one, or the one of its set that was used longest ago. */
static size_t take_slot(struct lh_verified_cache *cache, const struct text_id *id, uint64_t hash)
{
    size_t slot;
    (void)find_entry(cache, id, hash, &slot);
    if (slot == LH_WAYS_NONE) {
        slot = lh_ways_room(&cache->ways, hash);
        cache->counts.evictions += lh_ways_is_used(&cache->ways, slot);
    }
    wipe_slot(cache, slot);
    return slot;
}

void lh_verified_cache_fill(struct lh_verified_cache *cache,
                            const struct lh_token_question *question,
                            const struct lh_verified_token *token,
                            const struct lh_verified_token **out_token)
{
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    LH_BUG_IF(!lh_digest_is_equal(&token->digest, &question->text.digest));
    *out_token = NULL;
    struct text_id id = id_of(question);
    uint64_t hash = hash_of(cache, &id);
    size_t slot = take_slot(cache, &id, hash);
    struct entry *entry = &cache->entries[slot];
    if (!lh_is_ok(lh_verified_token_copy(token, entry->texts, sizeof(entry->texts), &entry->token,
                                         &entry->texts_len))) {
        /* What was written of the texts before they were too many. */
        entry->texts_len = sizeof(entry->texts);
        wipe_slot(cache, slot);
        return;
    }
    entry->id = id;
    entry->basis = basis_of(question);
    entry->is_filled = true;
    lh_ways_put(&cache->ways, slot, hash);
    *out_token = &entry->token;
}

void lh_verified_cache_refuse(struct lh_verified_cache *cache,
                              const struct lh_token_question *question, lh_status refusal)
{
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    if (lh_status_class(refusal) != LH_CLASS_DENY) {
        return;
    }
    struct text_id id = id_of(question);
    *refusal_place(cache, &id) = (struct refusal){
        .id = id, .basis = basis_of(question), .status = refusal, .is_filled = true};
}

void lh_verified_cache_read_counts(const struct lh_verified_cache *cache,
                                   struct lh_verified_cache_counts *out_counts)
{
    LH_MAGIC_CHECK(cache, VERIFIED_CACHE_MAGIC);
    *out_counts = cache->counts;
}
