/*
 * Tiers in policy files: name → idle, absolute, state_size, sessions_max, sessions_per_user_max,
 * requests_per_s, requests_burst.
 */
#include "admin/policy_read.h"

#include "codec/quantity.h"

#include "base/banned.h"

#define MS_PER_S 1000U
/* More than any store holds. */
#define SESSIONS_MOST UINT64_C(1000000000000)

static bool read_life(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                      const char *what, uint32_t *out_seconds)
{
    uint64_t ms = 0;
    lh_status status = lh_quantity_parse(LH_QUANTITY_TIME, node->text, &ms);
    bool is_right = node->kind == LH_YAML_SCALAR && lh_is_ok(status) && ms % MS_PER_S == 0 &&
                    ms > 0 && ms / MS_PER_S <= LH_TIER_ABSOLUTE_MAX_S;
    if (!is_right) {
        lh_policy_complain(reader, node->at,
                           "%s is a time with its unit (s, m, h, d), from 1s to 400d", what);
        return false;
    }
    *out_seconds = (uint32_t)(ms / MS_PER_S);
    return true;
}

static lh_status read_idle(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           void *object)
{
    struct lh_policy_tier *tier = object;
    tier->has_idle = read_life(reader, node, "idle", &tier->idle_s);
    return lh_ok();
}

static lh_status read_absolute(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                               void *object)
{
    struct lh_policy_tier *tier = object;
    tier->has_absolute = read_life(reader, node, "absolute", &tier->absolute_s);
    return lh_ok();
}

static lh_status read_state_size(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                                 void *object)
{
    struct lh_policy_tier *tier = object;
    uint64_t bytes = 0;
    lh_status status = lh_quantity_parse(LH_QUANTITY_SIZE, node->text, &bytes);
    if (node->kind != LH_YAML_SCALAR || !lh_is_ok(status) || bytes > LH_TIER_RECORD_MAX_BYTES) {
        lh_policy_complain(reader, node->at, "state_size is a size from 0 to %uk",
                           LH_TIER_RECORD_MAX_BYTES / 1024U);
        return lh_ok();
    }
    tier->state_bytes = (uint32_t)bytes;
    tier->has_state_size = true;
    return lh_ok();
}

static bool read_count(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                       const char *what, uint64_t least, uint64_t most, uint64_t *out_count)
{
    uint64_t count = 0;
    lh_status status = lh_quantity_parse(LH_QUANTITY_COUNT, node->text, &count);
    if (node->kind != LH_YAML_SCALAR || !lh_is_ok(status) || count < least || count > most) {
        lh_policy_complain(reader, node->at, "%s is a number from %llu%s to %llu", what,
                           (unsigned long long)least, least == 0 ? " (no limit)" : "",
                           (unsigned long long)most);
        return false;
    }
    *out_count = count;
    return true;
}

static lh_status read_sessions(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                               void *object)
{
    struct lh_policy_tier *tier = object;
    tier->has_sessions =
        read_count(reader, node, "sessions_max", 0, SESSIONS_MOST, &tier->sessions_max);
    return lh_ok();
}

static lh_status read_user_sessions(struct lh_policy_reader *reader,
                                    const struct lh_yaml_node *node, void *object)
{
    struct lh_policy_tier *tier = object;
    uint64_t count = 0;
    tier->has_user_sessions =
        read_count(reader, node, "sessions_per_user_max", 0, LH_TIER_USER_SESSIONS_MAX, &count);
    tier->user_sessions_max = (uint32_t)count;
    return lh_ok();
}

static lh_status read_per_s(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            void *object)
{
    struct lh_policy_tier *tier = object;
    uint64_t count = 0;
    tier->has_per_s = read_count(reader, node, "requests_per_s", 0, LH_RATE_PER_S_MAX, &count);
    tier->requests_per_s = (uint32_t)count;
    return lh_ok();
}

static lh_status read_burst(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                            void *object)
{
    struct lh_policy_tier *tier = object;
    uint64_t count = 0;
    tier->has_burst = read_count(reader, node, "requests_burst", 1, LH_RATE_BURST_MAX, &count);
    tier->requests_burst = (uint32_t)count;
    return lh_ok();
}

static const struct lh_policy_key tier_keys[] = {
    {"idle", read_idle},
    {"absolute", read_absolute},
    {"state_size", read_state_size},
    {"sessions_max", read_sessions},
    {"sessions_per_user_max", read_user_sessions},
    {"requests_per_s", read_per_s},
    {"requests_burst", read_burst},
};

static bool is_tier_name(lh_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return name.len > 0 && name.len <= LH_TIER_NAME_MAX_BYTES;
}

/* Makes the entry of a tier, unless one of its name was written before. */
static lh_status take_tier(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                           struct lh_policy_tier **out_tier)
{
    struct lh_policy *policy = reader->policy;
    *out_tier = NULL;
    if (!is_tier_name(node->key)) {
        lh_policy_complain(reader, node->key_at, "a tier's name is 1 to %u of a-z, 0-9 and \"-\"",
                           LH_TIER_NAME_MAX_BYTES);
        return lh_ok();
    }
    const struct lh_policy_tier *before = lh_map_find(&policy->tiers_by_name, node->key);
    if (before != NULL) {
        lh_policy_complain(reader, node->key_at, "tier \"%.*s\" is written already in %.*s:%zu",
                           LH_SLICE_ARG(node->key), LH_SLICE_ARG(before->place.document),
                           before->place.at.line);
        return lh_ok();
    }
    void *memory;
    LH_TRY(lh_arena_take(&policy->arena, sizeof(struct lh_policy_tier), &memory));
    struct lh_policy_tier *tier = memory;
    *tier = (struct lh_policy_tier){
        .next = policy->tiers, .place = {reader->document, node->key_at}, .name = node->key};
    policy->tiers = tier;
    *out_tier = tier;
    return lh_map_put(&policy->tiers_by_name, tier->name, tier);
}

lh_status lh_policy_read_tiers(struct lh_policy_reader *reader, const struct lh_yaml_node *node,
                               void *policy)
{
    (void)policy;
    if (!lh_policy_is_map(reader, node, "\"tiers\"")) {
        return lh_ok();
    }
    for (const struct lh_yaml_node *child = node->first; child != NULL; child = child->next) {
        struct lh_policy_tier *tier;
        LH_TRY(take_tier(reader, child, &tier));
        if (tier == NULL || !lh_policy_is_map(reader, child, "a tier")) {
            continue;
        }
        LH_TRY(lh_policy_read_map(reader, child, tier_keys,
                                  sizeof(tier_keys) / sizeof(tier_keys[0]), tier));
        if (tier->has_idle && tier->has_absolute && tier->idle_s > tier->absolute_s) {
            lh_policy_complain(reader, child->key_at, "idle is longer than absolute");
        }
    }
    return lh_ok();
}
