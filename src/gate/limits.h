/*
 * Who has asked too often: rates of tenants and of clients, in memory that all workers share, and
 * a worker's own budget for checking signatures that nobody has proved yet. The host lends the
 * memory; it may come from an earlier process of the same machine (a reload keeps it).
 *
 * A tenant's budget is charged only by requests whose credential proved that they are the
 * tenant's, so that nobody spends it for him. Requests that prove nothing have small budgets, by
 * client and by client and tenant. Limits are no border: nothing here ever lets a request pass.
 */
#ifndef LH_GATE_LIMITS_H
#define LH_GATE_LIMITS_H

#include "base/gcra.h"
#include "crypto/crypto.h"

struct lh_limits;

/* Least size of the shared memory: budgets of all tenants, and of some 95,000 clients. */
#define LH_LIMITS_LEAST_BYTES ((size_t)4 * 1024 * 1024)

/* Who asks, as far as the network tells: an IPv4 address, or the /64 of an IPv6 one. */
struct lh_client {
    uint8_t bytes[9]; /* family, and what counts of the address */
};

/*
 * The client of an address.
 * address  4 bytes (IPv4) or 16 (IPv6; an IPv4-mapped one is its IPv4 address), as on the wire;
 *          anything else (a unix socket) is one client that all such requests share.
 */
struct lh_client lh_client_of(lh_slice address);

/* Rates that no tier has. */
struct lh_limits_rates {
    struct lh_rate unproved;           /* requests without proof, per client */
    struct lh_rate unproved_at_tenant; /* the same per client and tenant */
    struct lh_rate failures;           /* failed signature checks per client */
    /* A worker's microseconds for signatures a second, and at once; 0 a second: no limit. */
    struct lh_rate signatures;        /* of clients who have proved nothing yet */
    struct lh_rate signatures_proved; /* of those who have */
};

/* 100 a second and 500 at once, half of it at one tenant; 200 failures a second; 5 % of the time
   for signatures of whoever proved nothing, 25 % for the others, a fifth of a second's at once. */
#define LH_LIMITS_STANDARD_RATES                                                                   \
    ((struct lh_limits_rates){.unproved = {100, 500},                                              \
                              .unproved_at_tenant = {50, 250},                                     \
                              .failures = {200, 200},                                              \
                              .signatures = {50000, 10000},                                        \
                              .signatures_proved = {250000, 50000}})

/*
 * Prepares shared memory. For one process, before any other uses it; memory that is prepared
 * already for as many tenants stays as it is, so that a reload forgets nothing.
 * memory   zero when it is new; aligned to 64 bytes; len: bytes of it.
 * tenants  slots of tenants, from 0.
 * Errors: INVALID (too small, or prepared for something else), CRYPTO.
 */
LH_MUST_USE lh_status lh_limits_format(void *memory, size_t len, uint32_t tenants,
                                       struct lh_crypto *crypto);
/*
 * The limits over prepared memory, as this process uses them.
 * memory, len  as given to lh_limits_format; borrowed for its life.
 * rates        copied. Errors: INVALID (not prepared, or a rate out of bounds), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_limits_new(void *memory, size_t len, const struct lh_limits_rates *rates,
                                    struct lh_limits **out_limits);
/* Frees what is this process's own; NULL is accepted. */
void lh_limits_free(struct lh_limits *limits);

/* now_ns everywhere: CLOCK_BOOTTIME. retry: how long until it may be worth asking again. */

/*
 * Charges a tenant with one proved request.
 * slot  the tenant's; rate: his tier's. Errors: LIMITED, INVALID (slot).
 */
LH_MUST_USE lh_status lh_limits_charge_tenant(struct lh_limits *limits, uint32_t slot,
                                              const struct lh_rate *rate, uint64_t now_ns,
                                              uint64_t *out_retry_ns);
/*
 * Charges a client with one request that has proved nothing, at one tenant.
 * slot  the tenant's; 0 if no tenant is known. Errors: LIMITED.
 */
LH_MUST_USE lh_status lh_limits_charge_unproved(struct lh_limits *limits, uint32_t slot,
                                                const struct lh_client *client, uint64_t now_ns,
                                                uint64_t *out_retry_ns);

/* Remembers that a client proved himself at a tenant: his next signatures are checked sooner. */
void lh_limits_note_proved(struct lh_limits *limits, uint32_t slot, const struct lh_client *client,
                           uint64_t now_ns);
/*
 * Whether a signature may be checked now: the client has not failed too often, and this worker
 * has time left for such work: one budget is for clients who have proved themselves at the tenant
 * in the last ten minutes, one for all others; each is divided between the tenants that ask.
 * Errors: LIMITED.
 */
LH_MUST_USE lh_status lh_limits_may_verify(struct lh_limits *limits, uint32_t slot,
                                           const struct lh_client *client, uint64_t now_ns,
                                           uint64_t *out_retry_ns);
/*
 * Charges a check that was made.
 * now_ns    as lh_limits_may_verify was asked; spent_ns: what the check took, of which a
 *           millisecond counts at most.
 * has_held  false: a failure of the client too.
 */
void lh_limits_charge_verify(struct lh_limits *limits, uint32_t slot,
                             const struct lh_client *client, uint64_t now_ns, uint64_t spent_ns,
                             bool has_held);

#endif
