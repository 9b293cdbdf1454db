/*
 * Suggestions for mistyped words.
 */
#include "support/test.h"

#include "codec/suggest.h"

/* Index of the word that is suggested; 4: none. */
static size_t suggest(const char *mistyped)
{
    const lh_slice words[] = {LH_SLICE_LITERAL("tenant"), LH_SLICE_LITERAL("session"),
                              LH_SLICE_LITERAL("key"), LH_SLICE_LITERAL("apply")};
    return lh_suggest(lh_slice_from_text(mistyped), words, 4);
}

static unsigned distance(const char *a, const char *b)
{
    return lh_suggest_distance(lh_slice_from_text(a), lh_slice_from_text(b), 10);
}

static void test_suggest_distance__counts_single_edits(void **state)
{
    (void)state;
    assert_int_equal(distance("tenant", "tenant"), 0);
    assert_int_equal(distance("tenant", "tenants"), 1);
    assert_int_equal(distance("tenant", "tennant"), 1);
    assert_int_equal(distance("tenant", "tanant"), 1);
    assert_int_equal(distance("tenant", "tneant"), 1);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("kitten", "sitting"), 3);
}

static void test_suggest_distance__stops_at_its_limit(void **state)
{
    (void)state;
    assert_int_equal(lh_suggest_distance(LH_SLICE_LITERAL("aaaa"), LH_SLICE_LITERAL("bbbb"), 2), 3);
    static uint8_t huge[LH_SUGGEST_WORD_MAX_BYTES + 1];
    memset(huge, 'a', sizeof(huge));
    assert_int_equal(lh_suggest_distance(LH_SLICE_OF(huge), LH_SLICE_OF(huge), 2), 3);
}

static void test_suggest__finds_the_near_word_and_nothing_far(void **state)
{
    (void)state;
    assert_int_equal(suggest("tennant"), 0);
    assert_int_equal(suggest("sesion"), 1);
    assert_int_equal(suggest("aplpy"), 3);
    assert_int_equal(suggest("zzz"), 4);
    assert_int_equal(suggest(""), 4);
}

static void test_suggest__half_of_a_word_is_no_slip(void **state)
{
    (void)state;
    assert_int_equal(suggest("k"), 4);
    assert_int_equal(suggest("kay"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suggest_distance__counts_single_edits),
        cmocka_unit_test(test_suggest_distance__stops_at_its_limit),
        cmocka_unit_test(test_suggest__finds_the_near_word_and_nothing_far),
        cmocka_unit_test(test_suggest__half_of_a_word_is_no_slip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
