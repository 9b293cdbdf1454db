/*
 * Tiers.
 */
#include "support/test.h"

#include "tenant/tier.h"

static const struct lh_tier good = {
    .name_len = 4, .name = "gold", .idle_s = 60, .absolute_s = 3600, .record_max_bytes = 1024};

static void test_tier_defaults__are_valid_and_have_their_lives(void **state)
{
    (void)state;
    size_t count;
    const struct lh_tier *tiers = lh_tier_defaults(&count);
    assert_int_equal(count, 3);
    static const struct {
        const char *name;
        uint32_t idle_s, absolute_s;
    } expected[] = {{"free", 1800, 28800}, {"standard", 7200, 86400}, {"premium", 43200, 1209600}};
    for (size_t i = 0; i < count; i++) {
        assert_ok(lh_tier_check(&tiers[i]));
        assert_slice_text(lh_tier_name(&tiers[i]), expected[i].name);
        assert_int_equal(tiers[i].idle_s, expected[i].idle_s);
        assert_int_equal(tiers[i].absolute_s, expected[i].absolute_s);
    }
}

static void test_tier_check__takes_the_limits_themselves(void **state)
{
    (void)state;
    struct lh_tier tier = good;
    tier.idle_s = LH_TIER_ABSOLUTE_MAX_S;
    tier.absolute_s = LH_TIER_ABSOLUTE_MAX_S;
    tier.record_max_bytes = LH_TIER_RECORD_MAX_BYTES;
    assert_ok(lh_tier_check(&tier));
    tier.idle_s = 1;
    tier.absolute_s = 1;
    tier.record_max_bytes = 0;
    assert_ok(lh_tier_check(&tier));
}

static void test_tier_check__refuses_what_is_out_of_range(void **state)
{
    (void)state;
    struct lh_tier tier = good;
    tier.idle_s = 0;
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier = good;
    tier.idle_s = tier.absolute_s + 1;
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier = good;
    tier.absolute_s = LH_TIER_ABSOLUTE_MAX_S + 1;
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier = good;
    tier.record_max_bytes = LH_TIER_RECORD_MAX_BYTES + 1;
    assert_status(lh_tier_check(&tier), LH_INVALID);
}

static void test_tier_check__knows_rates_and_no_rate(void **state)
{
    (void)state;
    struct lh_tier tier = good;
    assert_ok(lh_tier_check(&tier)); /* no limit, and no burst */
    tier.requests_burst = LH_RATE_BURST_MAX;
    assert_ok(lh_tier_check(&tier));
    tier.requests_per_s = LH_RATE_PER_S_MAX;
    assert_ok(lh_tier_check(&tier));
    assert_int_equal(lh_tier_rate(&tier).per_s, LH_RATE_PER_S_MAX);
    assert_int_equal(lh_tier_rate(&tier).burst, LH_RATE_BURST_MAX);
    tier.requests_per_s = LH_RATE_PER_S_MAX + 1;
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier.requests_per_s = 1;
    tier.requests_burst = 0;
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier.requests_burst = LH_RATE_BURST_MAX + 1;
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier.requests_per_s = 0;
    assert_status(lh_tier_check(&tier), LH_INVALID);
}

static void test_tier_check__refuses_bad_names(void **state)
{
    (void)state;
    struct lh_tier tier = good;
    tier.name_len = 0;
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier.name_len = LH_TIER_NAME_MAX_BYTES + 1;
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier = good;
    tier.name[1] = 'O';
    assert_status(lh_tier_check(&tier), LH_INVALID);
    tier.name[1] = '\0';
    assert_status(lh_tier_check(&tier), LH_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tier_defaults__are_valid_and_have_their_lives),
        cmocka_unit_test(test_tier_check__takes_the_limits_themselves),
        cmocka_unit_test(test_tier_check__refuses_what_is_out_of_range),
        cmocka_unit_test(test_tier_check__knows_rates_and_no_rate),
        cmocka_unit_test(test_tier_check__refuses_bad_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
