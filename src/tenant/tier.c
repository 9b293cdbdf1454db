/*
 * The tiers that a new home has, and what any tier must satisfy.
 */
#include "tenant/tier.h"

#include "base/banned.h"

#define MINUTE_S           60U
#define HOUR_S             (60U * MINUTE_S)
#define DAY_S              (24U * HOUR_S)
#define KIB                1024U

#define TIER_NAME(literal) .name_len = (uint8_t)(sizeof(literal) - 1), .name = literal

/*
 * Lives: protocols, "Default tiers". Quotas: a free tenant cannot fill a node of 500 k sessions.
 * Requests: far above what people at browsers make of such sessions; a worker decides some
 * hundred thousand a second, so that one tenant at his limit is a small part of a node.
 */
static const struct lh_tier default_tiers[] = {
    {TIER_NAME("free"), .idle_s = 30U * MINUTE_S, .absolute_s = 8U * HOUR_S, .sessions_max = 10000,
     .sessions_per_user_max = 10, .record_max_bytes = 4U * KIB, .requests_per_s = 200,
     .requests_burst = 1000},
    {TIER_NAME("standard"), .idle_s = 2U * HOUR_S, .absolute_s = 24U * HOUR_S,
     .sessions_max = 100000, .sessions_per_user_max = 25, .record_max_bytes = 16U * KIB,
     .requests_per_s = 2000, .requests_burst = 10000},
    {TIER_NAME("premium"), .idle_s = 12U * HOUR_S, .absolute_s = 14U * DAY_S, .sessions_max = 0,
     .sessions_per_user_max = 100, .record_max_bytes = LH_TIER_RECORD_MAX_BYTES},
};

const struct lh_tier *lh_tier_defaults(size_t *out_count)
{
    *out_count = sizeof(default_tiers) / sizeof(default_tiers[0]);
    return default_tiers;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

lh_status lh_tier_check(const struct lh_tier *tier)
{
    LH_ENSURE(tier->name_len > 0 && tier->name_len <= LH_TIER_NAME_MAX_BYTES, LH_INVALID);
    for (size_t i = 0; i < tier->name_len; i++) {
        LH_ENSURE(is_name_character(tier->name[i]), LH_INVALID);
    }
    LH_ENSURE(tier->idle_s > 0 && tier->idle_s <= tier->absolute_s, LH_INVALID);
    LH_ENSURE(tier->absolute_s <= LH_TIER_ABSOLUTE_MAX_S, LH_INVALID);
    LH_ENSURE(tier->record_max_bytes <= LH_TIER_RECORD_MAX_BYTES, LH_INVALID);
    LH_ENSURE(tier->sessions_per_user_max <= LH_TIER_USER_SESSIONS_MAX, LH_INVALID);
    struct lh_rate rate = lh_tier_rate(tier);
    LH_ENSURE(rate.per_s != 0 ? lh_rate_is_valid(&rate) : rate.burst <= LH_RATE_BURST_MAX,
              LH_INVALID);
    return lh_ok();
}
