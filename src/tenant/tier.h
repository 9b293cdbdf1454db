/*
 * A tier: the lives and limits that a tenant's sessions have.
 */
#ifndef LH_TENANT_TIER_H
#define LH_TENANT_TIER_H

#include "base/gcra.h"
#include "base/slice.h"

#define LH_TIER_NAME_MAX_BYTES 32U

struct lh_tier {
    uint8_t name_len;
    char name[LH_TIER_NAME_MAX_BYTES]; /* [a-z0-9-]+ */
    uint32_t idle_s;                   /* seconds without a request after which a session ends */
    uint32_t absolute_s;               /* seconds after creation at which it ends anyway */
    uint64_t sessions_max;             /* per tenant; 0 = no limit */
    uint32_t sessions_per_user_max;    /* 0 = no limit */
    uint32_t record_max_bytes;         /* sealed state of one session */
    uint32_t requests_per_s;           /* proved requests of one tenant; 0 = no limit */
    uint32_t requests_burst;           /* of them at once after a rest; 1 or more with a limit */
};

/* Most that a tier may allow for the sealed state: what every store must take. */
#define LH_TIER_RECORD_MAX_BYTES (64U * 1024U)

/* Most sessions of one user that a tier may name: a new one looks at them all. */
#define LH_TIER_USER_SESSIONS_MAX 1000U

/* Longest life that any tier may give: tombstones and reserved names outlive it. */
#define LH_TIER_ABSOLUTE_MAX_S (400U * 24U * 3600U)

static inline lh_slice lh_tier_name(const struct lh_tier *tier)
{
    return lh_slice_of(tier->name, tier->name_len);
}

/* The rate of a tenant's proved requests. */
static inline struct lh_rate lh_tier_rate(const struct lh_tier *tier)
{
    return (struct lh_rate){.per_s = tier->requests_per_s, .burst = tier->requests_burst};
}

/*
 * The tiers that init writes: free 30 min / 8 h, standard 2 h / 24 h, premium 12 h / 14 d.
 * out_count  how many. returns: static storage.
 */
const struct lh_tier *lh_tier_defaults(size_t *out_count);

/*
 * Checks the name's grammar and the ranges: 0 < idle <= absolute <= LH_TIER_ABSOLUTE_MAX_S, state
 * within LH_TIER_RECORD_MAX_BYTES, sessions of a user within LH_TIER_USER_SESSIONS_MAX,
 * requests within LH_RATE_PER_S_MAX and LH_RATE_BURST_MAX.
 * Errors: INVALID.
 */
LH_MUST_USE lh_status lh_tier_check(const struct lh_tier *tier);

#endif
