/*
 * The bounded, keyed hash table.
 */
#include "base/map.h"

#include "support/child.h"
#include "support/failing_alloc.h"
#include "support/test.h"

#define MANY 2000U

static const struct lh_siphash_key hash_key = {{1, 2, 3, 4, 5, 6, 7, 8}};

struct entry {
    uint32_t name;
    bool is_in;
};

static lh_slice key_of(const struct entry *entry)
{
    return LH_SLICE_OF(entry->name);
}

static void test_map__finds_what_was_put_and_nothing_else(void **state)
{
    (void)state;
    LH_CLEANUP(lh_map_fini) struct lh_map map;
    lh_map_init(&map, 10, &hash_key);
    int a = 0;
    int b = 0;
    assert_null(lh_map_find(&map, LH_SLICE_LITERAL("a")));
    assert_ok(lh_map_put(&map, LH_SLICE_LITERAL("a"), &a));
    assert_ok(lh_map_put(&map, LH_SLICE_EMPTY, &b));
    assert_ptr_equal(lh_map_find(&map, LH_SLICE_LITERAL("a")), &a);
    assert_ptr_equal(lh_map_find(&map, LH_SLICE_LITERAL("")), &b);
    assert_null(lh_map_find(&map, LH_SLICE_LITERAL("A")));
    assert_null(lh_map_find(&map, LH_SLICE_LITERAL("ab")));
}

static void test_map__a_key_is_put_once(void **state)
{
    (void)state;
    LH_CLEANUP(lh_map_fini) struct lh_map map;
    lh_map_init(&map, 1, &hash_key);
    int a = 0;
    int b = 0;
    assert_ok(lh_map_put(&map, LH_SLICE_LITERAL("a"), &a));
    assert_status(lh_map_put(&map, LH_SLICE_LITERAL("a"), &b), LH_EXISTS);
    assert_ptr_equal(lh_map_find(&map, LH_SLICE_LITERAL("a")), &a);
    assert_status(lh_map_put(&map, LH_SLICE_LITERAL("b"), &b), LH_NO_SPACE);
}

static void test_map__remove_answers_the_value_once(void **state)
{
    (void)state;
    LH_CLEANUP(lh_map_fini) struct lh_map map;
    lh_map_init(&map, 2, &hash_key);
    int a = 0;
    assert_null(lh_map_remove(&map, LH_SLICE_LITERAL("a")));
    assert_ok(lh_map_put(&map, LH_SLICE_LITERAL("a"), &a));
    assert_ptr_equal(lh_map_remove(&map, LH_SLICE_LITERAL("a")), &a);
    assert_null(lh_map_remove(&map, LH_SLICE_LITERAL("a")));
    assert_null(lh_map_find(&map, LH_SLICE_LITERAL("a")));
    assert_int_equal(map.count, 0);
}

static size_t count_by_walking(const struct lh_map *map)
{
    size_t position = 0;
    size_t count = 0;
    for (struct entry *entry = lh_map_next(map, &position); entry != NULL;
         entry = lh_map_next(map, &position)) {
        assert_true(entry->is_in);
        count++;
    }
    return count;
}

static void assert_map_is_as_noted(const struct lh_map *map, struct entry entries[MANY])
{
    size_t expected = 0;
    for (size_t i = 0; i < MANY; i++) {
        void *found = lh_map_find(map, key_of(&entries[i]));
        assert_ptr_equal(found, entries[i].is_in ? &entries[i] : NULL);
        expected += entries[i].is_in ? 1 : 0;
    }
    assert_int_equal(map->count, expected);
    assert_int_equal(count_by_walking(map), expected);
}

/* Puts and removes in an order without pattern, and compares with what it noted. */
static void test_map__agrees_with_a_plain_list_under_any_order(void **state)
{
    (void)state;
    static struct entry entries[MANY];
    LH_CLEANUP(lh_map_fini) struct lh_map map;
    lh_map_init(&map, MANY, &hash_key);
    uint32_t chance = 12345;
    for (uint32_t i = 0; i < MANY; i++) {
        entries[i] = (struct entry){i * 2654435761U, false};
    }
    for (uint32_t step = 0; step < 40000; step++) {
        chance = chance * 1664525U + 1013904223U;
        struct entry *entry = &entries[(chance >> 8) % MANY];
        if (entry->is_in) {
            assert_ptr_equal(lh_map_remove(&map, key_of(entry)), entry);
        } else {
            assert_ok(lh_map_put(&map, key_of(entry), entry));
        }
        entry->is_in = !entry->is_in;
        if (step % 4000 == 0) {
            assert_map_is_as_noted(&map, entries);
        }
    }
    assert_map_is_as_noted(&map, entries);
}

static void test_map__a_failed_allocation_loses_nothing(void **state)
{
    (void)state;
    static struct entry entries[MANY];
    LH_CLEANUP(lh_map_fini) struct lh_map map;
    lh_map_init(&map, MANY, &hash_key);
    size_t refusals = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        entries[i] = (struct entry){i, false};
        failing_alloc_at(1);
        lh_status status = lh_map_put(&map, key_of(&entries[i]), &entries[i]);
        failing_alloc_at(0);
        if (status.code == LH_NO_MEMORY) {
            refusals++;
            status = lh_map_put(&map, key_of(&entries[i]), &entries[i]);
        }
        assert_ok(status);
        entries[i].is_in = true;
    }
    assert_in_range(refusals, 5, 20);
    assert_map_is_as_noted(&map, entries);
}

static void put_null(void *context)
{
    (void)lh_map_put(context, LH_SLICE_LITERAL("a"), NULL).code;
}

static void test_map__a_null_value_is_a_bug(void **state)
{
    (void)state;
    LH_CLEANUP(lh_map_fini) struct lh_map map;
    lh_map_init(&map, 1, &hash_key);
    assert_aborts(put_null, &map);
}

static void test_map__fini_accepts_a_zeroed_map_and_may_be_repeated(void **state)
{
    (void)state;
    struct lh_map map = {.slots = NULL};
    lh_map_fini(&map);
    lh_map_init(&map, 1, &hash_key);
    int a = 0;
    assert_ok(lh_map_put(&map, LH_SLICE_LITERAL("a"), &a));
    lh_map_fini(&map);
    lh_map_fini(&map);
    assert_null(lh_map_find(&map, LH_SLICE_LITERAL("a")));
    lh_map_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map__finds_what_was_put_and_nothing_else),
        cmocka_unit_test(test_map__a_key_is_put_once),
        cmocka_unit_test(test_map__remove_answers_the_value_once),
        cmocka_unit_test(test_map__agrees_with_a_plain_list_under_any_order),
        cmocka_unit_test(test_map__a_failed_allocation_loses_nothing),
        cmocka_unit_test(test_map__a_null_value_is_a_bug),
        cmocka_unit_test(test_map__fini_accepts_a_zeroed_map_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
