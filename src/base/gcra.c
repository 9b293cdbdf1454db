/*
 * The one number is the theoretical arrival time of the event that would find the budget whole.
 * Each event moves it by one interval; it may lie ahead of now by the burst's intervals at most.
 */
#include "base/gcra.h"

#include "base/banned.h"

#define NS_PER_S 1000000000U

bool lh_rate_is_valid(const struct lh_rate *rate)
{
    return rate->per_s <= LH_RATE_PER_S_MAX && rate->burst >= 1 && rate->burst <= LH_RATE_BURST_MAX;
}

/* How far ahead of now the number may lie. */
static uint64_t horizon_ns(const struct lh_rate *rate)
{
    return (uint64_t)rate->burst * NS_PER_S / rate->per_s;
}

/* From when the next events count: never before now, never behind a spent budget. */
static uint64_t base_ns(uint64_t until_ns, const struct lh_rate *rate, uint64_t now_ns)
{
    uint64_t most_ns = now_ns + horizon_ns(rate);
    if (until_ns < now_ns) {
        return now_ns;
    }
    return until_ns < most_ns ? until_ns : most_ns;
}

/* Where the number goes if count events are charged. Errors: LIMITED. */
static lh_status next_ns(uint64_t until_ns, const struct lh_rate *rate, uint32_t count,
                         uint64_t now_ns, uint64_t *out_next_ns, uint64_t *out_retry_ns)
{
    uint64_t next = base_ns(until_ns, rate, now_ns) + (uint64_t)count * NS_PER_S / rate->per_s;
    uint64_t most = now_ns + horizon_ns(rate);
    if (next > most) {
        *out_retry_ns = next - most;
        return lh_status_of(LH_LIMITED);
    }
    *out_next_ns = next;
    return lh_ok();
}

lh_status lh_gcra_charge(_Atomic uint64_t *until_ns, const struct lh_rate *rate, uint32_t count,
                         uint64_t now_ns, uint64_t *out_retry_ns)
{
    if (rate->per_s == 0) {
        return lh_ok();
    }
    lh_status status;
    uint64_t next;
    uint64_t before = atomic_load_explicit(until_ns, memory_order_relaxed);
    do { /* a refusal writes nothing, unless the number lies further ahead than it can */
        next = base_ns(before, rate, now_ns);
        status = next_ns(before, rate, count, now_ns, &next, out_retry_ns);
        if (!lh_is_ok(status) && before <= next) {
            return status;
        }
    } while (!atomic_compare_exchange_weak_explicit(until_ns, &before, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return status;
}

void lh_gcra_spend(_Atomic uint64_t *until_ns, const struct lh_rate *rate, uint32_t count,
                   uint64_t now_ns)
{
    if (rate->per_s == 0) {
        return;
    }
    uint64_t step_ns = (uint64_t)count * NS_PER_S / rate->per_s;
    uint64_t next;
    uint64_t before = atomic_load_explicit(until_ns, memory_order_relaxed);
    do {
        next = base_ns(before, rate, now_ns) + step_ns;
    } while (!atomic_compare_exchange_weak_explicit(until_ns, &before, next, memory_order_relaxed,
                                                    memory_order_relaxed));
}

lh_status lh_gcra_peek(const _Atomic uint64_t *until_ns, const struct lh_rate *rate,
                       uint64_t now_ns, uint64_t *out_retry_ns)
{
    if (rate->per_s == 0) {
        return lh_ok();
    }
    uint64_t unused;
    return next_ns(atomic_load_explicit(until_ns, memory_order_relaxed), rate, 1, now_ns, &unused,
                   out_retry_ns);
}
