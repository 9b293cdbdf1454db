/*
 * Objects kept in the order of their use: who goes, who stays, and who owns what when memory ends.
 */
#include "support/failing_alloc.h"
#include "support/test.h"

#include "base/lru_map.h"

#define MAX 3

struct thing {
    struct lh_lru_entry entry; /* first */
    char name;
};

static char dropped[16];
static size_t dropped_count;

static void drop_thing(struct lh_lru_entry *entry)
{
    struct thing *thing = (struct thing *)entry;
    assert_true(dropped_count < sizeof(dropped) - 1);
    dropped[dropped_count++] = thing->name;
    dropped[dropped_count] = '\0';
    free(thing);
}

static struct lh_lru_map new_map(size_t max)
{
    static const struct lh_siphash_key hash_key = {"hash key of test"};
    struct lh_lru_map map;
    dropped_count = 0;
    dropped[0] = '\0';
    lh_lru_map_init(&map, max, &hash_key, drop_thing);
    return map;
}

static struct thing *new_thing(char name)
{
    struct thing *thing = calloc(1, sizeof(*thing));
    assert_non_null(thing);
    thing->name = name;
    thing->entry.id = lh_slice_of(&thing->name, 1);
    return thing;
}

static void put(struct lh_lru_map *map, char name)
{
    assert_ok(lh_lru_map_put(map, &new_thing(name)->entry));
}

static bool has(struct lh_lru_map *map, char name)
{
    struct lh_lru_entry *entry = lh_lru_map_find(map, lh_slice_of(&name, 1));
    assert_true(entry == NULL || ((struct thing *)entry)->name == name);
    return entry != NULL;
}

static void test_lru_map__the_object_used_longest_ago_makes_room(void **state)
{
    (void)state;
    struct lh_lru_map map = new_map(MAX);
    put(&map, 'a');
    put(&map, 'b');
    put(&map, 'c');
    assert_int_equal(map.evictions, 0);
    assert_true(has(&map, 'a'));
    put(&map, 'd');
    assert_string_equal(dropped, "b");
    put(&map, 'e');
    assert_string_equal(dropped, "bc");
    assert_int_equal(map.evictions, 2);
    assert_false(has(&map, 'b'));
    assert_true(has(&map, 'a'));
    lh_lru_map_fini(&map);
    assert_string_equal(dropped, "bcdea"); /* all of them, once */
    lh_lru_map_fini(&map);
    assert_string_equal(dropped, "bcdea");
    lh_lru_map_fini(&(struct lh_lru_map){.drop = NULL});
}

static void test_lru_map__an_id_is_there_once_and_nobody_goes_for_another(void **state)
{
    (void)state;
    struct lh_lru_map map = new_map(MAX);
    put(&map, 'a');
    put(&map, 'b');
    put(&map, 'c');
    struct thing *twin = new_thing('c');
    assert_status(lh_lru_map_put(&map, &twin->entry), LH_EXISTS);
    assert_string_equal(dropped, "");
    free(twin); /* still ours */
    lh_lru_map_fini(&map);
}

static void test_lru_map__drops_one_and_walks_the_rest_from_the_newest(void **state)
{
    (void)state;
    struct lh_lru_map map = new_map(MAX);
    assert_null(lh_lru_map_newest(&map));
    put(&map, 'a');
    put(&map, 'b');
    put(&map, 'c');
    lh_lru_map_drop(&map, lh_lru_map_before(lh_lru_map_newest(&map)));
    assert_string_equal(dropped, "b");
    assert_int_equal(map.evictions, 0);
    struct lh_lru_entry *entry = lh_lru_map_newest(&map);
    assert_int_equal(((struct thing *)entry)->name, 'c');
    entry = lh_lru_map_before(entry);
    assert_int_equal(((struct thing *)entry)->name, 'a');
    assert_null(lh_lru_map_before(entry));
    put(&map, 'd'); /* there is room again */
    assert_string_equal(dropped, "b");
    lh_lru_map_fini(&map);
}

static void test_lru_map__what_could_not_be_kept_is_still_the_callers(void **state)
{
    (void)state;
    struct lh_lru_map map = new_map(MAX);
    struct thing *thing = new_thing('a');
    failing_alloc_at(1);
    lh_status status = lh_lru_map_put(&map, &thing->entry);
    failing_alloc_at(0);
    assert_status(status, LH_NO_MEMORY);
    assert_null(lh_lru_map_newest(&map));
    assert_string_equal(dropped, "");
    assert_ok(lh_lru_map_put(&map, &thing->entry));
    lh_lru_map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lru_map__the_object_used_longest_ago_makes_room),
        cmocka_unit_test(test_lru_map__an_id_is_there_once_and_nobody_goes_for_another),
        cmocka_unit_test(test_lru_map__drops_one_and_walks_the_rest_from_the_newest),
        cmocka_unit_test(test_lru_map__what_could_not_be_kept_is_still_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
