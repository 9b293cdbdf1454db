/*
 * Context texts in the worker's cache: kept as long as they say the truth.
 */
#include "session_cache_fixture.h"

#define CONTEXT LH_SLICE_LITERAL("eyJhbGciOiJFUzI1NiJ9.e30.c2ln")

static const struct lh_context_key web = {.audience = 1, .scope = 2, .mode = 0};
static const struct lh_context_key api = {.audience = 9, .scope = 2, .mode = 0};
static const struct lh_context_key third = {.audience = 1, .scope = 2, .mode = 1};

static lh_status context_of(struct lh_cached_session *session, const struct lh_context_key *key,
                            uint64_t now_ms)
{
    lh_slice text;
    LH_TRY(lh_session_cache_find_context(session, key, now_ms, &text));
    assert_true(lh_slice_is_equal(text, CONTEXT));
    return lh_ok();
}

static void test_contexts__are_kept_per_audience_scope_and_mode_until_they_end(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    struct lh_cached_session *session = fill(*state, &asked);
    assert_status(context_of(session, &web, NOW), LH_ABSENT);
    lh_session_cache_keep_context(session, &web, NOW + 50, CONTEXT);
    assert_ok(context_of(session, &web, NOW + 49));
    assert_status(context_of(session, &web, NOW + 50), LH_ABSENT);
    const struct lh_context_key others[] = {api, third, {.audience = 1, .scope = 3, .mode = 0}};
    for (size_t i = 0; i < 3; i++) {
        assert_status(context_of(session, &others[i], NOW), LH_ABSENT);
    }
}

static void test_contexts__the_one_that_ends_first_makes_room(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    struct lh_cached_session *session = fill(*state, &asked);
    lh_session_cache_keep_context(session, &web, NOW + 50, CONTEXT);
    lh_session_cache_keep_context(session, &api, NOW + 40, CONTEXT);
    lh_session_cache_keep_context(session, &web, NOW + 60, CONTEXT); /* in its own place */
    assert_ok(context_of(session, &api, NOW));
    lh_session_cache_keep_context(session, &third, NOW + 70, CONTEXT);
    assert_status(context_of(session, &api, NOW), LH_ABSENT);
    assert_ok(context_of(session, &web, NOW + 59));
    assert_ok(context_of(session, &third, NOW));
}

static void test_contexts__survive_a_fill_of_the_same_generation_only(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    struct lh_cached_session *session = fill(*state, &asked);
    lh_session_cache_keep_context(session, &web, NOW + 50000, CONTEXT);
    asked.question.now_ms += 2000;
    asked.question.tenant_counter++;
    session = fill(*state, &asked);
    assert_ok(context_of(session, &web, NOW + 2000));
    asked.loaded.header.generation = 2;
    session = fill(*state, &asked);
    assert_status(context_of(session, &web, NOW + 2000), LH_ABSENT);
    asked.loaded.header.generation = 1; /* nor does going back bring it back */
    session = fill(*state, &asked);
    assert_status(context_of(session, &web, NOW + 2000), LH_ABSENT);
}

static void test_contexts__go_with_their_session(void **state)
{
    (void)state;
    struct lh_session_cache *cache = new_cache(8);
    struct asked asked;
    ask_for(&asked, 1, 1);
    lh_session_cache_keep_context(fill(cache, &asked), &web, NOW + 50000, CONTEXT);
    for (uint32_t n = 2; n < 10; n++) {
        struct asked other;
        ask_for(&other, 1, n);
        assert_status(context_of(fill(cache, &other), &web, NOW), LH_ABSENT);
    }
    assert_status(context_of(fill(cache, &asked), &web, NOW), LH_ABSENT);
    lh_session_cache_free(cache);
}

static void test_contexts__too_long_ones_are_not_kept_and_do_not_harm_others(void **state)
{
    static uint8_t text[LH_CONTEXT_TEXT_MAX_BYTES + 1];
    struct asked asked;
    ask_for(&asked, 1, 1);
    struct lh_cached_session *session = fill(*state, &asked);
    lh_session_cache_keep_context(session, &web, NOW + 50, LH_SLICE_OF(text));
    lh_slice got;
    assert_status(lh_session_cache_find_context(session, &web, NOW, &got), LH_ABSENT);
    lh_session_cache_keep_context(session, &web, NOW + 50, LH_SLICE_EMPTY);
    assert_status(lh_session_cache_find_context(session, &web, NOW, &got), LH_ABSENT);
    lh_session_cache_keep_context(session, &web, NOW + 50,
                                  lh_slice_of(text, LH_CONTEXT_TEXT_MAX_BYTES));
    assert_ok(lh_session_cache_find_context(session, &web, NOW, &got));
    assert_int_equal(got.len, LH_CONTEXT_TEXT_MAX_BYTES);
    assert_ok(find(*state, &asked));
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_contexts__are_kept_per_audience_scope_and_mode_until_they_end),
        CACHE_TEST(test_contexts__the_one_that_ends_first_makes_room),
        CACHE_TEST(test_contexts__survive_a_fill_of_the_same_generation_only),
        CACHE_TEST(test_contexts__go_with_their_session),
        CACHE_TEST(test_contexts__too_long_ones_are_not_kept_and_do_not_harm_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
