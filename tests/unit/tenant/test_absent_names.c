/*
 * The ring of names that do not exist.
 */
#include "support/test.h"

#include "tenant/absent_names.h"

static const struct lh_siphash_key hash_key = {{3}};
static const lh_slice nobody = {(const uint8_t *)"nobody", 6};

#define MAX_AGE_MS 1000U

static int set_up(void **state)
{
    struct lh_absent_names *names = test_calloc(1, sizeof(*names));
    assert_ok(lh_absent_names_init(names, &hash_key));
    *state = names;
    return 0;
}

static int tear_down(void **state)
{
    lh_absent_names_fini(*state);
    test_free(*state);
    return 0;
}

static bool has(const struct lh_absent_names *names, lh_slice name, uint64_t counter,
                uint64_t now_ms)
{
    return lh_absent_names_has(names, name, counter, now_ms, MAX_AGE_MS);
}

static void test_absent_names__holds_under_its_counter_and_second_only(void **state)
{
    struct lh_absent_names *names = *state;
    assert_false(has(names, nobody, 5, 100));
    assert_ok(lh_absent_names_note(names, nobody, 5, 100));
    assert_true(has(names, nobody, 5, 100));
    assert_true(has(names, nobody, 5, 1099));
    assert_false(has(names, nobody, 5, 1100));
    assert_false(has(names, nobody, 5, 99));
    assert_false(has(names, nobody, 6, 100));
    assert_false(has(names, LH_SLICE_LITERAL("nobodx"), 5, 100));
}

static void test_absent_names__a_new_note_replaces_the_old_one(void **state)
{
    struct lh_absent_names *names = *state;
    assert_ok(lh_absent_names_note(names, nobody, 5, 100));
    assert_ok(lh_absent_names_note(names, nobody, 6, 5000));
    assert_true(has(names, nobody, 6, 5100));
    assert_int_equal(names->next, 1);
}

static void test_absent_names__the_oldest_makes_room(void **state)
{
    struct lh_absent_names *names = *state;
    for (uint32_t i = 0; i < LH_ABSENT_NAMES_MAX * 3; i++) {
        assert_ok(lh_absent_names_note(names, LH_SLICE_OF(i), 1, 0));
    }
    uint32_t oldest_kept = LH_ABSENT_NAMES_MAX * 2;
    uint32_t newest_gone = oldest_kept - 1;
    assert_true(has(names, LH_SLICE_OF(oldest_kept), 1, 0));
    assert_false(has(names, LH_SLICE_OF(newest_gone), 1, 0));
    assert_int_equal(names->by_name.count, LH_ABSENT_NAMES_MAX);
}

static void test_absent_names__does_not_remember_what_is_no_name(void **state)
{
    struct lh_absent_names *names = *state;
    char text[LH_ABSENT_NAME_MAX_BYTES + 1];
    memset(text, 'a', sizeof(text));
    assert_ok(lh_absent_names_note(names, lh_slice_of(text, sizeof(text)), 1, 0));
    assert_ok(lh_absent_names_note(names, LH_SLICE_EMPTY, 1, 0));
    assert_int_equal(names->by_name.count, 0);
    assert_ok(lh_absent_names_note(names, lh_slice_of(text, sizeof(text) - 1), 1, 0));
    assert_true(has(names, lh_slice_of(text, sizeof(text) - 1), 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_absent_names__holds_under_its_counter_and_second_only,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_absent_names__a_new_note_replaces_the_old_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_absent_names__the_oldest_makes_room, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_absent_names__does_not_remember_what_is_no_name,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
