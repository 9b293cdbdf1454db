/*
 * The generic cell rate algorithm (ITU-T I.371, the virtual scheduling form): a limit on how often
 * something may happen, in one 64-bit number that several processes can share.
 */
#ifndef LH_BASE_GCRA_H
#define LH_BASE_GCRA_H

#include "base/status.h"

#include <stdatomic.h>

/* How often, and how many at once. */
struct lh_rate {
    uint32_t per_s; /* 0 = no limit */
    uint32_t burst; /* how many may come at one moment after a rest; at least 1 */
};

/* Largest values of a rate: their products stay far from the ends of 64 bits. */
#define LH_RATE_PER_S_MAX 1000000U
#define LH_RATE_BURST_MAX 1000000U

/* Whether a rate is within its bounds. */
bool lh_rate_is_valid(const struct lh_rate *rate);

/*
 * Charges count events if they fit the rate, and nothing otherwise. Lock-free; charges of several
 * processes never add up to more than the rate allows.
 * until_ns      when the budget will be whole again; 0 at first. A value that no charge of this
 *               rate can have left (the rate rose, the memory is damaged) becomes a spent budget.
 * rate          a valid one. count: 1 to rate->burst.
 * now_ns        of a clock that never goes back and is the same for all who share until_ns.
 * out_retry_ns  set when LIMITED: how long until as many would fit.
 * Errors: LIMITED.
 */
LH_MUST_USE lh_status lh_gcra_charge(_Atomic uint64_t *until_ns, const struct lh_rate *rate,
                                     uint32_t count, uint64_t now_ns, uint64_t *out_retry_ns);
/*
 * Charges events that have happened already, even if they are more than was left: for what is
 * known only afterwards, and refused beforehand with lh_gcra_peek. The debt is at most count.
 */
void lh_gcra_spend(_Atomic uint64_t *until_ns, const struct lh_rate *rate, uint32_t count,
                   uint64_t now_ns);
/*
 * Whether one event would fit now; charges nothing.
 * Errors: LIMITED.
 */
LH_MUST_USE lh_status lh_gcra_peek(const _Atomic uint64_t *until_ns, const struct lh_rate *rate,
                                   uint64_t now_ns, uint64_t *out_retry_ns);

#endif
