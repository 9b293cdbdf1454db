/*
 * Layout of the shared memory: a header, one number per tenant slot, and a set-associative table
 * of numbers for everything that is named by a client. Each number is a time until which something
 * holds (lh_gcra, or "has proved himself"), so that one which is over may give its place to
 * another. No locks: a process may die at any instruction.
 *
 * A full set forgets the entry that ends first: the one whose budget is nearest to whole.
 */
#include "gate/limits.h"

#include "base/bug.h"
#include "base/siphash.h"

#include "base/banned.h"

#define LIMITS_MAGIC  0x6c696d74U
#define REGION_FORMAT 1U
/* Places of a set: for budgets, and for marks of clients who have proved themselves. */
#define BUDGET_WAYS 6U
#define MARK_WAYS   2U
/* How often a place in the table is fought for before it is shared. */
#define CLAIM_TRIES 4U
/* Tenants that a worker divides its time between; more share the place of the one longest away. */
#define SHARES_MAX 256U
/* How long a tenant counts as one that asks. */
#define SHARE_NS 1000000000U
/* How long a client is known that has proved himself: ten minutes. */
#define PROVED_NS (600ULL * 1000000000U)
/* How much of that may be over before it is written again. */
#define PROVED_AGAIN_NS (60ULL * 1000000000U)
#define NS_PER_US       1000U

/*
 * What one check costs at most, in microseconds. The slowest signature takes less; a worker's first
 * one, for which the library makes itself ready, or one in which a page had to be fetched, must not
 * spend the whole budget.
 */
#define VERIFY_US_MAX 1000U

static const uint8_t region_name[8] = {'l', 'h', 'l', 'i', 'm', 'i', 't', 's'};

struct region_header {
    uint8_t name[8];
    uint32_t format;
    uint32_t tenants;
    struct lh_siphash_key hash_key;
    uint64_t sets;
    uint8_t spare[24]; /* the numbers begin on a cache line */
};

_Static_assert(sizeof(struct region_header) == 64, "one cache line");

/* What is known of something that a hash names. tag 0: nobody. */
struct entry {
    _Atomic uint64_t tag;
    _Atomic uint64_t until_ns;
};

/*
 * Marks last for minutes, budgets for seconds: among each other marks would outlive every budget,
 * and whoever has many addresses and one credential could have his floods forgotten.
 */
struct set {
    struct entry budgets[BUDGET_WAYS];
    struct entry marks[MARK_WAYS];
};

_Static_assert(sizeof(struct set) == 128, "two cache lines");

/* The places where something may lie. */
struct ways {
    struct entry *first;
    size_t count;
};

/* The time that clients of one tenant, known or unknown ones, have cost this worker. */
struct share {
    uint32_t slot;
    uint64_t asked_ns; /* last time */
    _Atomic uint64_t until_ns;
};

/* Those of all tenants that have asked: few as a rule, and walked for each signature. */
struct shares {
    size_t count;
    struct share items[SHARES_MAX];
};

struct lh_limits {
    uint32_t magic;
    struct lh_limits_rates rates;
    const struct region_header *header;
    _Atomic uint64_t *tenants;
    struct set *sets;
    struct shares unknown; /* of clients who have proved nothing yet */
    struct shares known;
};

/* What an entry is about: part of what is hashed. */
enum subject { OF_CLIENT = 1, OF_PAIR, OF_FAILURES, OF_PROVED };

/* --- Memory ----------------------------------------------------------------------------------- */

static size_t tenants_bytes(uint32_t tenants)
{
    const size_t line = 64;
    return ((size_t)tenants * sizeof(uint64_t) + line - 1) / line * line;
}

static bool is_formatted(const struct region_header *header)
{
    return lh_slice_is_equal(LH_SLICE_OF(header->name), LH_SLICE_OF(region_name));
}

static bool fits(const struct region_header *header, size_t len)
{
    return header->format == REGION_FORMAT && header->sets > 0 &&
           sizeof(*header) + tenants_bytes(header->tenants) + header->sets * sizeof(struct set) <=
               len;
}

lh_status lh_limits_format(void *memory, size_t len, uint32_t tenants, struct lh_crypto *crypto)
{
    LH_ENSURE(len >= LH_LIMITS_LEAST_BYTES, LH_INVALID);
    size_t before_sets = sizeof(struct region_header) + tenants_bytes(tenants);
    LH_ENSURE(before_sets + sizeof(struct set) <= len, LH_INVALID);
    struct region_header *header = memory;
    if (is_formatted(header)) {
        LH_ENSURE(fits(header, len) && header->tenants == tenants, LH_INVALID);
        return lh_ok();
    }
    LH_TRY(lh_random(crypto, &header->hash_key, sizeof(header->hash_key)));
    header->format = REGION_FORMAT;
    header->tenants = tenants;
    header->sets = (len - before_sets) / sizeof(struct set);
    memcpy(header->name, region_name, sizeof(region_name));
    return lh_ok();
}

static bool are_valid(const struct lh_limits_rates *rates)
{
    return lh_rate_is_valid(&rates->unproved) && lh_rate_is_valid(&rates->unproved_at_tenant) &&
           lh_rate_is_valid(&rates->failures) && lh_rate_is_valid(&rates->signatures) &&
           lh_rate_is_valid(&rates->signatures_proved);
}

static void point(struct lh_limits *limits, uint8_t *memory)
{
    limits->header = (const struct region_header *)(void *)memory;
    memory += sizeof(struct region_header);
    limits->tenants = (_Atomic uint64_t *)(void *)memory;
    memory += tenants_bytes(limits->header->tenants);
    limits->sets = (struct set *)(void *)memory;
}

lh_status lh_limits_new(void *memory, size_t len, const struct lh_limits_rates *rates,
                        struct lh_limits **out_limits)
{
    const struct region_header *header = memory;
    LH_ENSURE(len >= LH_LIMITS_LEAST_BYTES && is_formatted(header) && fits(header, len),
              LH_INVALID);
    LH_ENSURE(are_valid(rates), LH_INVALID);
    struct lh_limits *limits = calloc(1, sizeof(*limits));
    LH_ENSURE(limits != NULL, LH_NO_MEMORY);
    limits->magic = LIMITS_MAGIC;
    limits->rates = *rates;
    point(limits, memory);
    *out_limits = limits;
    return lh_ok();
}

void lh_limits_free(struct lh_limits *limits)
{
    if (limits == NULL) {
        return;
    }
    LH_MAGIC_CHECK(limits, LIMITS_MAGIC);
    limits->magic = 0;
    free(limits);
}

/* --- Clients ---------------------------------------------------------------------------------- */

enum family { FAMILY_NONE, FAMILY_IPV4, FAMILY_IPV6 };

#define IPV4_BYTES   4U
#define IPV6_BYTES   16U
#define PREFIX_BYTES 8U /* of an IPv6 address: a /64 is one customer's */

struct lh_client lh_client_of(lh_slice address)
{
    static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct lh_client client = {{FAMILY_NONE}};
    if (address.len == IPV6_BYTES && lh_slice_has_prefix(address, LH_SLICE_OF(mapped))) {
        address = lh_slice_cut(address, sizeof(mapped), address.len);
    }
    if (address.len == IPV4_BYTES) {
        client.bytes[0] = FAMILY_IPV4;
        memcpy(client.bytes + 1, address.ptr, IPV4_BYTES);
    } else if (address.len == IPV6_BYTES) {
        client.bytes[0] = FAMILY_IPV6;
        memcpy(client.bytes + 1, address.ptr, PREFIX_BYTES);
    }
    return client;
}

/* --- The table -------------------------------------------------------------------------------- */

static uint64_t tag_of(const struct lh_limits *limits, enum subject subject, uint32_t slot,
                       const struct lh_client *client)
{
    struct {
        uint8_t subject;
        struct lh_client client;
        uint8_t pad[2];
        uint32_t slot;
    } name = {.subject = (uint8_t)subject, .client = *client, .slot = slot};
    _Static_assert(sizeof(name) == 16, "no byte that is not set");
    uint64_t tag = lh_siphash(&limits->header->hash_key, LH_SLICE_OF(name));
    return tag != 0 ? tag : 1;
}

static struct ways ways_of(const struct lh_limits *limits, enum subject subject, uint64_t tag)
{
    struct set *set = &limits->sets[tag % limits->header->sets];
    return subject == OF_PROVED ? (struct ways){set->marks, MARK_WAYS}
                                : (struct ways){set->budgets, BUDGET_WAYS};
}

static struct entry *find_among(struct ways ways, uint64_t tag)
{
    for (size_t i = 0; i < ways.count; i++) {
        if (atomic_load_explicit(&ways.first[i].tag, memory_order_relaxed) == tag) {
            return &ways.first[i];
        }
    }
    return NULL;
}

static struct entry *first_to_end(struct ways ways)
{
    struct entry *first = ways.first;
    for (size_t i = 1; i < ways.count; i++) {
        if (atomic_load_explicit(&ways.first[i].until_ns, memory_order_relaxed) <
            atomic_load_explicit(&first->until_ns, memory_order_relaxed)) {
            first = &ways.first[i];
        }
    }
    return first;
}

/* What is known of a client; NULL: nothing. */
static const struct entry *find_entry(const struct lh_limits *limits, enum subject subject,
                                      uint32_t slot, const struct lh_client *client)
{
    uint64_t tag = tag_of(limits, subject, slot, client);
    return find_among(ways_of(limits, subject, tag), tag);
}

/*
 * What is known of a client, made if there is nothing yet. Where several processes fight for the
 * same place one of them may end up in another's: two then share a budget for a moment, and nobody
 * goes without.
 */
static struct entry *take_entry(struct lh_limits *limits, enum subject subject, uint32_t slot,
                                const struct lh_client *client)
{
    uint64_t tag = tag_of(limits, subject, slot, client);
    struct ways ways = ways_of(limits, subject, tag);
    struct entry *entry = NULL;
    for (unsigned i = 0; i < CLAIM_TRIES; i++) {
        entry = find_among(ways, tag);
        if (entry != NULL) {
            return entry;
        }
        entry = first_to_end(ways);
        uint64_t before = atomic_load_explicit(&entry->tag, memory_order_relaxed);
        if (atomic_compare_exchange_strong_explicit(&entry->tag, &before, tag, memory_order_relaxed,
                                                    memory_order_relaxed)) {
            atomic_store_explicit(&entry->until_ns, 0, memory_order_relaxed);
            return entry;
        }
    }
    return entry;
}

/* --- Tenants and unproved requests ------------------------------------------------------------ */

lh_status lh_limits_charge_tenant(struct lh_limits *limits, uint32_t slot,
                                  const struct lh_rate *rate, uint64_t now_ns,
                                  uint64_t *out_retry_ns)
{
    LH_MAGIC_CHECK(limits, LIMITS_MAGIC);
    LH_ENSURE(slot < limits->header->tenants, LH_INVALID);
    return lh_gcra_charge(&limits->tenants[slot], rate, 1, now_ns, out_retry_ns);
}

/* The tenant's part first: a flood that it ends leaves the client the rest for other tenants. */
lh_status lh_limits_charge_unproved(struct lh_limits *limits, uint32_t slot,
                                    const struct lh_client *client, uint64_t now_ns,
                                    uint64_t *out_retry_ns)
{
    LH_MAGIC_CHECK(limits, LIMITS_MAGIC);
    if (slot != 0) {
        struct entry *of_pair = take_entry(limits, OF_PAIR, slot, client);
        LH_TRY(lh_gcra_charge(&of_pair->until_ns, &limits->rates.unproved_at_tenant, 1, now_ns,
                              out_retry_ns));
    }
    struct entry *of_client = take_entry(limits, OF_CLIENT, 0, client);
    return lh_gcra_charge(&of_client->until_ns, &limits->rates.unproved, 1, now_ns, out_retry_ns);
}

/* --- Time for signatures ---------------------------------------------------------------------- */

static bool is_known(const struct lh_limits *limits, uint32_t slot, const struct lh_client *client,
                     uint64_t now_ns)
{
    const struct entry *entry = find_entry(limits, OF_PROVED, slot, client);
    return entry != NULL && atomic_load_explicit(&entry->until_ns, memory_order_relaxed) > now_ns;
}

/* Written once a minute at most: a busy client's entry stays in every worker's cache. */
void lh_limits_note_proved(struct lh_limits *limits, uint32_t slot, const struct lh_client *client,
                           uint64_t now_ns)
{
    LH_MAGIC_CHECK(limits, LIMITS_MAGIC);
    struct entry *entry = take_entry(limits, OF_PROVED, slot, client);
    uint64_t until_ns = atomic_load_explicit(&entry->until_ns, memory_order_relaxed);
    if (until_ns < now_ns + PROVED_NS - PROVED_AGAIN_NS || until_ns > now_ns + PROVED_NS) {
        atomic_store_explicit(&entry->until_ns, now_ns + PROVED_NS, memory_order_relaxed);
    }
}

/* The tenant's place among those that ask; of another that has been away longest if need be. */
static struct share *take_share(struct shares *shares, uint32_t slot, uint64_t now_ns)
{
    struct share *oldest = &shares->items[0];
    for (size_t i = 0; i < shares->count; i++) {
        struct share *share = &shares->items[i];
        if (share->slot == slot) {
            share->asked_ns = now_ns;
            return share;
        }
        oldest = share->asked_ns < oldest->asked_ns ? share : oldest;
    }
    if (shares->count < SHARES_MAX) {
        oldest = &shares->items[shares->count++];
    }
    /* With what was spent there: whoever goes from tenant to tenant would begin anew each time. */
    oldest->slot = slot;
    oldest->asked_ns = now_ns;
    return oldest;
}

static uint32_t count_asking(const struct shares *shares, uint64_t now_ns)
{
    uint32_t count = 0;
    for (size_t i = 0; i < shares->count; i++) {
        count += shares->items[i].asked_ns + SHARE_NS > now_ns;
    }
    return count > 0 ? count : 1;
}

/* What each of so many has of a rate: a part of little is not nothing, which would be no limit. */
static struct lh_rate part_of(const struct lh_rate *rate, uint32_t parts)
{
    uint32_t per_s = rate->per_s / parts;
    uint32_t burst = rate->burst / parts;
    return (struct lh_rate){.per_s = per_s > 0 ? per_s : 1, .burst = burst > 0 ? burst : 1};
}

/*
 * The budget in microseconds from which a check for this client is paid, and how large it is; NULL
 * if there is no limit.
 */
static _Atomic uint64_t *find_budget(struct lh_limits *limits, uint32_t slot,
                                     const struct lh_client *client, uint64_t now_ns,
                                     struct lh_rate *out_rate)
{
    bool has_proved = is_known(limits, slot, client, now_ns);
    const struct lh_rate *rate =
        has_proved ? &limits->rates.signatures_proved : &limits->rates.signatures;
    if (rate->per_s == 0) {
        return NULL;
    }
    struct shares *shares = has_proved ? &limits->known : &limits->unknown;
    struct share *share = take_share(shares, slot, now_ns);
    *out_rate = part_of(rate, count_asking(shares, now_ns));
    return &share->until_ns;
}

lh_status lh_limits_may_verify(struct lh_limits *limits, uint32_t slot,
                               const struct lh_client *client, uint64_t now_ns,
                               uint64_t *out_retry_ns)
{
    LH_MAGIC_CHECK(limits, LIMITS_MAGIC);
    const struct entry *failures = find_entry(limits, OF_FAILURES, 0, client);
    if (failures != NULL) {
        LH_TRY(lh_gcra_peek(&failures->until_ns, &limits->rates.failures, now_ns, out_retry_ns));
    }
    struct lh_rate rate;
    _Atomic uint64_t *budget = find_budget(limits, slot, client, now_ns, &rate);
    return budget != NULL ? lh_gcra_peek(budget, &rate, now_ns, out_retry_ns) : lh_ok();
}

static void spend_time(struct lh_limits *limits, uint32_t slot, const struct lh_client *client,
                       uint64_t now_ns, uint64_t spent_ns)
{
    struct lh_rate rate;
    _Atomic uint64_t *budget = find_budget(limits, slot, client, now_ns, &rate);
    uint64_t spent_us = spent_ns / NS_PER_US + 1;
    if (budget != NULL) {
        lh_gcra_spend(budget, &rate, spent_us < VERIFY_US_MAX ? (uint32_t)spent_us : VERIFY_US_MAX,
                      now_ns);
    }
}

void lh_limits_charge_verify(struct lh_limits *limits, uint32_t slot,
                             const struct lh_client *client, uint64_t now_ns, uint64_t spent_ns,
                             bool has_held)
{
    LH_MAGIC_CHECK(limits, LIMITS_MAGIC);
    spend_time(limits, slot, client, now_ns, spent_ns);
    if (!has_held) {
        struct entry *failures = take_entry(limits, OF_FAILURES, 0, client);
        lh_gcra_spend(&failures->until_ns, &limits->rates.failures, 1, now_ns);
    }
}
