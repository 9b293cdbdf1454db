/*
 * The index of a cache: who is found, who makes room.
 */
#include "support/test.h"

#include "base/ways.h"

static int set_up(void **state)
{
    static struct lh_ways ways;
    *state = &ways;
    return lh_is_ok(lh_ways_init(&ways, 64)) ? 0 : -1;
}

static int tear_down(void **state)
{
    lh_ways_fini(*state);
    return 0;
}

/* The first slot of a hash. */
static size_t first(const struct lh_ways *ways, uint64_t hash)
{
    return lh_ways_next(ways, hash, LH_WAYS_NONE);
}

static size_t put(struct lh_ways *ways, uint64_t hash)
{
    size_t slot = lh_ways_room(ways, hash);
    lh_ways_put(ways, slot, hash);
    return slot;
}

static void test_ways__rounds_up_to_sets_of_eight(void **state)
{
    (void)state;
    static const struct {
        size_t entries;
        size_t slots;
    } rows[] = {{1, 8}, {8, 8}, {9, 16}, {64, 64}, {65, 128}, {1000, 1024}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lh_ways ways;
        assert_ok(lh_ways_init(&ways, rows[i].entries));
        assert_int_equal(lh_ways_slot_count(&ways), rows[i].slots);
        lh_ways_fini(&ways);
        assert_int_equal(lh_ways_slot_count(&ways), 0);
    }
    struct lh_ways zeroed = {0};
    lh_ways_fini(&zeroed);
}

static void test_ways__finds_what_was_put_and_nothing_else(void **state)
{
    struct lh_ways *ways = *state;
    assert_int_equal(first(ways, 0x1000), LH_WAYS_NONE);
    size_t slot = put(ways, 0x1000);
    assert_true(lh_ways_is_used(ways, slot));
    assert_int_equal(first(ways, 0x1000), slot);
    assert_int_equal(lh_ways_next(ways, 0x1000, slot), LH_WAYS_NONE);
    assert_int_equal(first(ways, 0x2000), LH_WAYS_NONE); /* the same set, another tag */
    assert_int_equal(first(ways, 0x1002), LH_WAYS_NONE); /* another set */
    lh_ways_drop(ways, slot);
    assert_false(lh_ways_is_used(ways, slot));
    assert_int_equal(first(ways, 0x1000), LH_WAYS_NONE);
}

static void test_ways__offers_all_of_one_hash(void **state)
{
    struct lh_ways *ways = *state;
    bool is_seen[64] = {false};
    for (size_t i = 0; i < LH_WAYS; i++) {
        put(ways, 0x3001);
    }
    size_t count = 0;
    for (size_t slot = first(ways, 0x3001); slot != LH_WAYS_NONE;
         slot = lh_ways_next(ways, 0x3001, slot)) {
        assert_false(is_seen[slot]);
        is_seen[slot] = true;
        count++;
    }
    assert_int_equal(count, LH_WAYS);
}

static void test_ways__the_one_used_longest_ago_makes_room(void **state)
{
    struct lh_ways *ways = *state;
    size_t slots[LH_WAYS];
    for (size_t i = 0; i < LH_WAYS; i++) {
        slots[i] = lh_ways_room(ways, 0x100 * (i + 1));
        assert_false(lh_ways_is_used(ways, slots[i]));
        lh_ways_put(ways, slots[i], 0x100 * (i + 1));
    }
    lh_ways_touch(ways, slots[0]);
    assert_int_equal(lh_ways_room(ways, 0x900), slots[1]);
    assert_true(lh_ways_is_used(ways, slots[1]));
    lh_ways_put(ways, slots[1], 0x900);
    assert_int_equal(first(ways, 0x200), LH_WAYS_NONE);
    assert_int_equal(first(ways, 0x900), slots[1]);
    assert_int_equal(lh_ways_room(ways, 0xa00), slots[2]);
    lh_ways_drop(ways, slots[5]); /* a free one comes first */
    assert_int_equal(lh_ways_room(ways, 0xa00), slots[5]);
}

static void test_ways__a_full_set_leaves_the_others_alone(void **state)
{
    struct lh_ways *ways = *state;
    size_t quiet = put(ways, 0x7);
    for (uint64_t i = 0; i < 1000; i++) {
        put(ways, i << 8 | 0x6);
    }
    assert_int_equal(first(ways, 0x7), quiet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ways__rounds_up_to_sets_of_eight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ways__finds_what_was_put_and_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_ways__offers_all_of_one_hash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ways__the_one_used_longest_ago_makes_room, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_ways__a_full_set_leaves_the_others_alone, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
