/*
 * Texts of contexts: found by all that they say, as long as they may be handed out, and never in
 * the place of another.
 */
#include "support/test.h"

#include "session/context_cache.h"

#define NOW  ((uint64_t)1000000)
#define TEXT LH_SLICE_LITERAL("eyJhbGciOiJFUzI1NiJ9.e30.c2ln")
/* One set: the cache's smallest. */
#define ENTRIES 8U

static const struct lh_context_key web = {.uid = {{1}},
                                          .lease = {{2}},
                                          .generation = 3,
                                          .audience = 4,
                                          .content = 5,
                                          .signer = 6,
                                          .mode = 1};

static int set_up(void **state)
{
    const struct lh_context_cache_options options = {.entries_max = ENTRIES, .hash_key = {{5}}};
    struct lh_context_cache *cache;
    assert_ok(lh_context_cache_new(&options, &cache));
    *state = cache;
    return 0;
}

static int tear_down(void **state)
{
    lh_context_cache_free(*state);
    return 0;
}

static lh_status find(struct lh_context_cache *cache, const struct lh_context_key *key,
                      uint64_t now_ms)
{
    lh_slice text;
    LH_TRY(lh_context_cache_find(cache, key, now_ms, &text));
    assert_true(lh_slice_is_equal(text, TEXT));
    return lh_ok();
}

static void test_context_cache__finds_a_text_until_it_ends(void **state)
{
    assert_status(find(*state, &web, NOW), LH_ABSENT);
    lh_context_cache_keep(*state, &web, NOW, NOW + 50, TEXT);
    assert_ok(find(*state, &web, NOW + 49));
    assert_status(find(*state, &web, NOW + 50), LH_ABSENT);
    struct lh_context_cache_counts counts;
    lh_context_cache_read_counts(*state, &counts);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(counts.misses, 2);
    assert_int_equal(counts.evictions, 0);
}

/* One byte of the key after the other. */
static void test_context_cache__answers_to_no_other_key(void **state)
{
    lh_context_cache_keep(*state, &web, NOW, NOW + 50, TEXT);
    for (size_t i = 0; i < sizeof(web); i++) {
        struct lh_context_key other = web;
        ((uint8_t *)&other)[i] ^= 0x40;
        assert_status(find(*state, &other, NOW), LH_ABSENT);
    }
    assert_ok(find(*state, &web, NOW));
}

static void test_context_cache__a_later_text_takes_the_place_of_its_own(void **state)
{
    lh_context_cache_keep(*state, &web, NOW, NOW + 50,
                          LH_SLICE_LITERAL("one that is much longer"
                                           " than the next"));
    lh_context_cache_keep(*state, &web, NOW + 40, NOW + 90, TEXT);
    assert_ok(find(*state, &web, NOW + 89));
    struct lh_context_cache_counts counts;
    lh_context_cache_read_counts(*state, &counts);
    assert_int_equal(counts.evictions, 0);
}

static struct lh_context_key numbered(uint64_t generation)
{
    struct lh_context_key key = web;
    key.generation = generation;
    return key;
}

static void test_context_cache__who_ends_first_makes_room(void **state)
{
    for (uint64_t i = 0; i < ENTRIES; i++) {
        struct lh_context_key key = numbered(i);
        lh_context_cache_keep(*state, &key, NOW, NOW + (i == 3 ? 40 : 50 + i), TEXT);
    }
    struct lh_context_key next = numbered(100);
    lh_context_cache_keep(*state, &next, NOW, NOW + 70, TEXT);
    assert_ok(find(*state, &next, NOW));
    for (uint64_t i = 0; i < ENTRIES; i++) {
        struct lh_context_key key = numbered(i);
        assert_status(find(*state, &key, NOW), i == 3 ? LH_ABSENT : LH_OK);
    }
    struct lh_context_cache_counts counts;
    lh_context_cache_read_counts(*state, &counts);
    assert_int_equal(counts.evictions, 1);
    /* One that has ended already is no loss. */
    next = numbered(101);
    lh_context_cache_keep(*state, &next, NOW + 51, NOW + 90, TEXT);
    assert_ok(find(*state, &next, NOW + 51));
    lh_context_cache_read_counts(*state, &counts);
    assert_int_equal(counts.evictions, 1);
}

static void test_context_cache__what_cannot_be_kept_harms_nobody(void **state)
{
    static const uint8_t large[LH_CONTEXT_TEXT_MAX_BYTES + 1] = {'x'};
    lh_context_cache_keep(*state, &web, NOW, NOW + 50, TEXT);
    lh_context_cache_keep(*state, &web, NOW, NOW + 60, LH_SLICE_OF(large));
    lh_context_cache_keep(*state, &web, NOW, NOW + 60, LH_SLICE_EMPTY);
    lh_context_cache_keep(*state, &web, NOW, NOW, LH_SLICE_LITERAL("ended"));
    assert_ok(find(*state, &web, NOW + 49));
    struct lh_context_key other = numbered(9);
    lh_slice text;
    lh_context_cache_keep(*state, &other, NOW, NOW + 50,
                          lh_slice_of(large, LH_CONTEXT_TEXT_MAX_BYTES));
    assert_ok(lh_context_cache_find(*state, &other, NOW, &text));
    assert_int_equal(text.len, LH_CONTEXT_TEXT_MAX_BYTES);
}

static void test_context_cache__many_sets_keep_many(void **state)
{
    (void)state;
    const struct lh_context_cache_options options = {.entries_max = 1000, .hash_key = {{7}}};
    struct lh_context_cache *cache;
    assert_ok(lh_context_cache_new(&options, &cache));
    size_t kept = 0;
    for (uint64_t i = 0; i < 500; i++) {
        struct lh_context_key key = numbered(i);
        lh_context_cache_keep(cache, &key, NOW, NOW + 50, TEXT);
    }
    for (uint64_t i = 0; i < 500; i++) {
        struct lh_context_key key = numbered(i);
        kept += lh_is_ok(find(cache, &key, NOW));
    }
    assert_in_range(kept, 450, 500); /* a set may be full at half of all */
    lh_context_cache_free(cache);
}

static void test_context_cache_new__refuses_what_cannot_be(void **state)
{
    (void)state;
    struct lh_context_cache *cache = NULL;
    struct lh_context_cache_options options = {.entries_max = 0};
    assert_status(lh_context_cache_new(&options, &cache), LH_INVALID);
    options.entries_max = SIZE_MAX;
    assert_status(lh_context_cache_new(&options, &cache), LH_INVALID);
    lh_context_cache_free(NULL);
}

#define CACHE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_context_cache__finds_a_text_until_it_ends),
        CACHE_TEST(test_context_cache__answers_to_no_other_key),
        CACHE_TEST(test_context_cache__a_later_text_takes_the_place_of_its_own),
        CACHE_TEST(test_context_cache__who_ends_first_makes_room),
        CACHE_TEST(test_context_cache__what_cannot_be_kept_harms_nobody),
        cmocka_unit_test(test_context_cache__many_sets_keep_many),
        cmocka_unit_test(test_context_cache_new__refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
