/*
 * A table of 64-bit words, in buckets. A word holds the second in which it ends, counted from the
 * table's birth, and 32 bits of the nonce's hash; one whose end has come is a free place.
 *
 * Why one of two at most succeeds: whoever claims looks through the whole bucket, puts his word
 * into a free place, and looks again. Of two who put the same nonce into two places each looked
 * again after his own exchange, so that at least the later one of them sees the other's.
 *
 * Why a clock that is set back does not let one through twice: before a place whose end has come
 * is used again, floor_s is raised to the time by which that was judged. A claim that ends at or
 * before the floor, looked at after its exchange, may have been in such a place.
 */
#include "token/nonce_table.h"

#include "token/http_signature.h"

#include "base/bug.h"

#include <stdatomic.h>

#include "base/banned.h"

#define NONCE_TABLE_MAGIC  0x4c484e54U           /* "LHNT" */
#define NONCE_MEMORY_MAGIC 0x4c484e4f4e434531ULL /* "LHNONCE1": the format */
#define CACHE_LINE_BYTES   64U
#define BUCKET_SLOTS       64U
#define TENANT_SHARES      4096U
#define MS_PER_S           1000U
#define US_PER_S           1000000ULL

/* What all processes share. Zero is a table that is not born. */
struct shared {
    _Atomic uint64_t magic;
    _Atomic uint64_t bucket_count;
    _Atomic uint64_t birth_ms;
    _Atomic uint64_t key[2];
    _Atomic uint64_t floor_s;
    _Atomic uint64_t is_retired;
    uint64_t reserved;
    _Atomic uint64_t share_until_us[TENANT_SHARES]; /* by slot; see charge_share */
    _Atomic uint64_t slots[];
};

struct lh_nonce_table {
    uint32_t magic;
    struct shared *shared;
    uint64_t bucket_count;
    uint64_t birth_s;
    struct lh_siphash_key key;
};

/* --- Opening ---------------------------------------------------------------------------------- */

/* The word's value once it has one: the one that is there, or ours if we were the first. */
static uint64_t agree(_Atomic uint64_t *word, uint64_t ours)
{
    uint64_t present = 0;
    return atomic_compare_exchange_strong(word, &present, ours) ? ours : present;
}

/* Zero would be no value yet. */
static uint64_t not_zero(uint64_t value)
{
    return value != 0 ? value : 1;
}

static void agree_on_key(struct shared *shared, const struct lh_siphash_key *fresh_key,
                         struct lh_siphash_key *out_key)
{
    uint64_t words[2];
    _Static_assert(sizeof(words) == sizeof(out_key->bytes), "a key is two words");
    memcpy(words, fresh_key->bytes, sizeof(words));
    for (size_t i = 0; i < 2; i++) {
        words[i] = agree(&shared->key[i], not_zero(words[i]));
    }
    memcpy(out_key->bytes, words, sizeof(words));
}

lh_status lh_nonce_table_open(void *memory, size_t len, uint64_t now_ms,
                              const struct lh_siphash_key *fresh_key,
                              struct lh_nonce_table **out_table)
{
    struct shared *shared = memory;
    LH_ENSURE(len >= LH_NONCE_TABLE_LEAST_BYTES, LH_INVALID);
    LH_ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0, LH_INVALID);
    uint64_t bucket_count = (len - sizeof(*shared)) / (BUCKET_SLOTS * sizeof(shared->slots[0]));
    LH_ENSURE(bucket_count <= UINT32_MAX, LH_INVALID);
    LH_ENSURE(agree(&shared->magic, NONCE_MEMORY_MAGIC) == NONCE_MEMORY_MAGIC, LH_INVALID);
    LH_ENSURE(agree(&shared->bucket_count, bucket_count) == bucket_count, LH_INVALID);

    struct lh_nonce_table *table = calloc(1, sizeof(*table));
    LH_ENSURE(table != NULL, LH_NO_MEMORY);
    table->magic = NONCE_TABLE_MAGIC;
    table->shared = shared;
    table->bucket_count = bucket_count;
    table->birth_s = agree(&shared->birth_ms, not_zero(now_ms)) / MS_PER_S;
    agree_on_key(shared, fresh_key, &table->key);
    *out_table = table;
    return lh_ok();
}

void lh_nonce_table_close(struct lh_nonce_table *table)
{
    if (table == NULL) {
        return;
    }
    LH_MAGIC_CHECK(table, NONCE_TABLE_MAGIC);
    table->magic = 0;
    free(table);
}

void lh_nonce_table_retire(void *memory)
{
    struct shared *shared = memory;
    atomic_store(&shared->is_retired, 1);
}

/* --- Places ----------------------------------------------------------------------------------- */

/* A nonce as the table sees it. */
struct claim {
    _Atomic uint64_t *bucket; /* BUCKET_SLOTS words */
    uint64_t word;
    uint64_t now; /* seconds since birth, as words have them */
    uint64_t now_s;
};

static uint32_t end_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t hash_of(uint64_t word)
{
    return (uint32_t)word;
}

static bool is_free(uint64_t word, uint64_t now)
{
    return end_of(word) <= now;
}

/* Whether a word is one of the claim's nonce that has not ended. */
static bool is_same(const struct claim *claim, uint64_t word)
{
    return hash_of(word) == hash_of(claim->word) && !is_free(word, claim->now);
}

/* A place as it was seen. */
struct place {
    size_t index;
    uint64_t word;
};

/*
 * Looks for the nonce and for a free place at once: of two who look at the same places by the same
 * clock, the later one finds the other's word where he would have put his own.
 * Errors: REPLAYED, NO_SPACE.
 */
static lh_status find_place(const struct claim *claim, struct place *out_place)
{
    bool has_free = false;
    for (size_t i = 0; i < BUCKET_SLOTS; i++) {
        uint64_t word = atomic_load(&claim->bucket[i]);
        LH_ENSURE(!is_same(claim, word), LH_REPLAYED);
        if (!has_free && is_free(word, claim->now)) {
            *out_place = (struct place){i, word};
            has_free = true;
        }
    }
    LH_ENSURE(has_free, LH_NO_SPACE);
    return lh_ok();
}

/* Looks again when the claim has its place. Errors: REPLAYED. */
static lh_status look_again(const struct claim *claim, size_t own_index)
{
    for (size_t i = 0; i < BUCKET_SLOTS; i++) {
        LH_ENSURE(i == own_index || !is_same(claim, atomic_load(&claim->bucket[i])), LH_REPLAYED);
    }
    return lh_ok();
}

static void raise_to(_Atomic uint64_t *word, uint64_t value)
{
    uint64_t present = atomic_load(word);
    while (present < value && !atomic_compare_exchange_weak(word, &present, value)) {
    }
}

/*
 * Puts the word into a free place.
 * place  one that was found.
 * Errors: REPLAYED, NO_SPACE.
 */
static lh_status take_place(struct lh_nonce_table *table, const struct claim *claim,
                            struct place place)
{
    for (;;) {
        if (place.word != 0) {
            raise_to(&table->shared->floor_s, claim->now_s);
        }
        if (atomic_compare_exchange_strong(&claim->bucket[place.index], &place.word, claim->word)) {
            return look_again(claim, place.index);
        }
        /* Somebody else took it: he got on, so this ends. */
        LH_TRY(find_place(claim, &place));
    }
}

/* --- Shares ----------------------------------------------------------------------------------- */

/*
 * A tenant's share as a debt in time (GCRA): each claim adds its life divided by the places of a
 * share, and the debt may never be longer than the life of the claim that is asked about. So no
 * more places than a share are taken by claims of one life, however they come. Slots are given out
 * one after the other: up to TENANT_SHARES tenants, none has one with another.
 * Errors: LIMITED.
 */
static lh_status charge_share(struct lh_nonce_table *table, const struct lh_nonce *nonce,
                              uint64_t now_ms)
{
    const uint64_t life_max_s = LH_HTTP_SIGNATURE_LIFE_MAX_S + LH_HTTP_SIGNATURE_SKEW_MAX_S;
    const uint64_t places = table->bucket_count * BUCKET_SLOTS / LH_NONCE_TABLE_SHARE;
    _Atomic uint64_t *until_us = &table->shared->share_until_us[nonce->slot % TENANT_SHARES];

    uint64_t now_us = now_ms * (US_PER_S / MS_PER_S);
    uint64_t end_us = nonce->expires_s * US_PER_S;
    uint64_t cost_us = (end_us - now_us) / places + 1;
    uint64_t present = atomic_load(until_us);
    for (;;) {
        uint64_t debt_us = present > now_us ? present : now_us;
        /* No charge leaves a longer one: the clock was set back. */
        if (debt_us > now_us + life_max_s * US_PER_S) {
            debt_us = now_us;
        }
        LH_ENSURE(debt_us + cost_us <= end_us, LH_LIMITED);
        if (atomic_compare_exchange_weak(until_us, &present, debt_us + cost_us)) {
            return lh_ok();
        }
    }
}

/* --- Claiming --------------------------------------------------------------------------------- */

/* Errors: INVALID, NONCES_DOWN. */
static lh_status judge_times(const struct lh_nonce_table *table, const struct lh_nonce *nonce,
                             uint64_t now_ms)
{
    LH_ENSURE(nonce->expires_s > now_ms / MS_PER_S && nonce->expires_s > nonce->created_s,
              LH_INVALID);
    /* It was accepted from created - skew on, by whatever clock it was created. */
    LH_ENSURE(nonce->created_s > table->birth_s + LH_HTTP_SIGNATURE_SKEW_MAX_S, LH_NONCES_DOWN);
    LH_ENSURE(nonce->expires_s - table->birth_s <= UINT32_MAX, LH_INVALID);
    return lh_ok();
}

/* Hash of uid ‖ length of the key id ‖ key id ‖ nonce. Errors: INVALID. */
static lh_status hash_nonce(const struct lh_nonce_table *table, const struct lh_nonce *nonce,
                            uint64_t *out_hash)
{
    LH_ENSURE(nonce->key_id.len > 0 && nonce->key_id.len <= LH_NONCE_NAME_MAX_BYTES, LH_INVALID);
    LH_ENSURE(nonce->nonce.len > 0 && nonce->nonce.len <= LH_NONCE_NAME_MAX_BYTES, LH_INVALID);
    uint8_t message[LH_TENANT_UID_BYTES + 1 + 2 * LH_NONCE_NAME_MAX_BYTES];
    size_t len = 0;
    memcpy(message, nonce->uid.bytes, LH_TENANT_UID_BYTES);
    len += LH_TENANT_UID_BYTES;
    message[len++] = (uint8_t)nonce->key_id.len;
    memcpy(message + len, nonce->key_id.ptr, nonce->key_id.len);
    len += nonce->key_id.len;
    memcpy(message + len, nonce->nonce.ptr, nonce->nonce.len);
    len += nonce->nonce.len;
    *out_hash = lh_siphash(&table->key, lh_slice_of(message, len));
    return lh_ok();
}

static struct claim make_claim(struct lh_nonce_table *table, const struct lh_nonce *nonce,
                               uint64_t hash, uint64_t now_ms)
{
    uint64_t now_s = now_ms / MS_PER_S;
    size_t bucket = (size_t)((hash >> 32) * table->bucket_count >> 32);
    return (struct claim){
        .bucket = &table->shared->slots[bucket * BUCKET_SLOTS],
        .word = (nonce->expires_s - table->birth_s) << 32 | (uint32_t)hash,
        .now = now_s > table->birth_s ? now_s - table->birth_s : 0,
        .now_s = now_s,
    };
}

/* Errors: NONCES_DOWN. */
static lh_status judge_floor(const struct lh_nonce_table *table, const struct lh_nonce *nonce)
{
    LH_ENSURE(nonce->expires_s > atomic_load(&table->shared->floor_s), LH_NONCES_DOWN);
    LH_ENSURE(atomic_load(&table->shared->is_retired) == 0, LH_NONCES_DOWN);
    return lh_ok();
}

lh_status lh_nonce_table_claim(struct lh_nonce_table *table, const struct lh_nonce *nonce,
                               uint64_t now_ms)
{
    LH_MAGIC_CHECK(table, NONCE_TABLE_MAGIC);
    uint64_t hash;
    LH_TRY(hash_nonce(table, nonce, &hash));
    LH_TRY(judge_times(table, nonce, now_ms));
    struct claim claim = make_claim(table, nonce, hash, now_ms);
    struct place place;
    LH_TRY(find_place(&claim, &place));
    /* What is refused in the end takes no place, and a replay is not charged: who repeats a
       tenant's requests would spend its share. */
    LH_TRY(judge_floor(table, nonce));
    LH_TRY(charge_share(table, nonce, now_ms));
    LH_TRY(take_place(table, &claim, place));
    return judge_floor(table, nonce);
}
