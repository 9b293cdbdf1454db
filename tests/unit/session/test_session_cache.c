/*
 * The worker's cache: an entry answers its own cookie, for a second, while nothing has changed;
 * and contexts are kept as long as they say the truth.
 */
#include "support/failing_alloc.h"
#include "support/test.h"

#include "session/session_cache.h"

#define NOW      UINT64_C(1700000000000)
#define ABSOLUTE (NOW + 3600 * 1000)
#define IDLE_S   600
#define PLAIN    LH_SLICE_LITERAL("\005alice\001\005admin\000\000")
#define ENTRIES  64
#define CONTEXT  LH_SLICE_LITERAL("eyJhbGciOiJFUzI1NiJ9.e30.c2ln")

/* One session as it was loaded, and the question that led to it. */
struct asked {
    struct lh_tenant_uid uid;
    struct lh_raw_handle raw;
    struct lh_session_question question;
    struct lh_loaded_session loaded;
};

/* Session n of tenant t; question and loaded point into *asked. */
static void ask_for(struct asked *asked, uint8_t t, uint32_t n)
{
    memset(asked, 0, sizeof(*asked));
    memset(asked->uid.bytes, t, sizeof(asked->uid.bytes));
    memcpy(asked->raw.lease.bytes, &n, sizeof(n));
    memset(asked->raw.bytes, (int)n + 1, sizeof(asked->raw.bytes));
    asked->raw.bytes[0] = t;
    asked->question = (struct lh_session_question){.uid = &asked->uid,
                                                   .raw = &asked->raw,
                                                   .tenant_counter = 7,
                                                   .platform_counter = 8,
                                                   .now_ms = NOW};
    asked->loaded.header = (struct lh_session_header){.uid = asked->uid,
                                                      .lease = asked->raw.lease,
                                                      .has_user = true,
                                                      .generation = 1,
                                                      .created_ms = NOW - 1000,
                                                      .absolute_end_ms = ABSOLUTE,
                                                      .idle_s = IDLE_S};
    asked->loaded.last_touch_ms = NOW - 1000;
}

static struct lh_session_cache *new_cache(size_t entries)
{
    struct lh_session_cache_options options = {.entries_max = entries, .hash_key = {{5}}};
    struct lh_session_cache *cache;
    assert_ok(lh_session_cache_new(&options, &cache));
    return cache;
}

static int set_up(void **state)
{
    *state = new_cache(ENTRIES);
    return 0;
}

static int tear_down(void **state)
{
    lh_session_cache_free(*state);
    return 0;
}

static struct lh_cached_session *fill(struct lh_session_cache *cache, const struct asked *asked)
{
    struct lh_cached_session *session;
    lh_session_cache_fill(cache, &asked->question, &asked->loaded, asked->loaded.last_touch_ms,
                          PLAIN, &session);
    return session;
}

static lh_status find(struct lh_session_cache *cache, const struct asked *asked)
{
    struct lh_cached_session *session;
    return lh_session_cache_find(cache, &asked->question, &session);
}

/* --- What it answers ---------------------------------------------------------------------------- */

static void test_session_cache__answers_with_what_it_was_filled_by(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    assert_status(find(*state, &asked), LH_ABSENT);
    assert_non_null(fill(*state, &asked));
    struct lh_cached_session *session;
    assert_ok(lh_session_cache_find(*state, &asked.question, &session));
    assert_slice_text(session->principal.subject, "alice");
    assert_int_equal(session->principal.roles.count, 1);
    assert_slice_text(session->principal.roles.items[0], "admin");
    assert_int_equal(session->header.absolute_end_ms, ABSOLUTE);
    assert_int_equal(session->last_touch_ms, NOW - 1000);
    assert_int_equal(session->tenant_counter, 7);
    assert_int_equal(session->platform_counter, 8);
}

static void test_session_cache__keeps_copies_not_views(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    uint8_t plain[16];
    memcpy(plain, PLAIN.ptr, PLAIN.len);
    struct lh_cached_session *session;
    lh_session_cache_fill(*state, &asked.question, &asked.loaded, NOW,
                          lh_slice_of(plain, PLAIN.len), &session);
    memset(plain, 'x', sizeof(plain));
    assert_ok(lh_session_cache_find(*state, &asked.question, &session));
    assert_slice_text(session->principal.subject, "alice");
}

static void test_session_cache__no_other_cookie_is_answered(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    assert_non_null(fill(*state, &asked));
    for (size_t bit = 0; bit < 8 * LH_HANDLE_BYTES; bit++) {
        asked.raw.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_status(find(*state, &asked), LH_ABSENT);
        asked.raw.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_ok(find(*state, &asked)); /* and they have not pushed it out */
}

static void test_session_cache__the_same_cookie_under_another_tenant_is_not_answered(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    assert_non_null(fill(*state, &asked));
    asked.uid.bytes[15] ^= 1;
    assert_status(find(*state, &asked), LH_ABSENT);
}

static void test_session_cache__a_moved_counter_ends_an_entry_whichever_way(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    assert_non_null(fill(*state, &asked));
    uint64_t *counters[] = {&asked.question.tenant_counter, &asked.question.platform_counter};
    for (size_t i = 0; i < 2; i++) {
        (*counters[i])++;
        assert_status(find(*state, &asked), LH_ABSENT);
        *counters[i] -= 2;
        assert_status(find(*state, &asked), LH_ABSENT);
        (*counters[i])++;
    }
    assert_ok(find(*state, &asked));
}

static void test_session_cache__an_entry_ends_after_a_second_to_the_millisecond(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    assert_non_null(fill(*state, &asked));
    asked.question.now_ms = NOW + LH_SESSION_CACHE_AGE_MS - 1;
    assert_ok(find(*state, &asked));
    asked.question.now_ms++;
    assert_status(find(*state, &asked), LH_ABSENT);
    asked.question.now_ms = NOW - 1; /* a clock that went back proves nothing */
    assert_status(find(*state, &asked), LH_ABSENT);
    /* Finding does not make it younger; filling does. */
    asked.question.now_ms = NOW + 5000;
    assert_non_null(fill(*state, &asked));
    assert_ok(find(*state, &asked));
}

static void test_session_cache__what_looks_over_by_time_is_a_miss(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    asked.loaded.header.absolute_end_ms = NOW + 500;
    assert_non_null(fill(*state, &asked));
    asked.question.now_ms = NOW + 499;
    assert_ok(find(*state, &asked));
    asked.question.now_ms = NOW + 500;
    assert_status(find(*state, &asked), LH_ABSENT);

    ask_for(&asked, 1, 2);
    asked.loaded.last_touch_ms = NOW + 300 - IDLE_S * 1000;
    asked.loaded.header.created_ms = NOW - IDLE_S * 2000;
    assert_non_null(fill(*state, &asked));
    asked.question.now_ms = NOW + 299;
    assert_ok(find(*state, &asked));
    asked.question.now_ms = NOW + 300;
    assert_status(find(*state, &asked), LH_ABSENT);
}

/* --- What it takes ------------------------------------------------------------------------------ */

static void test_session_cache__a_session_proved_by_its_previous_secret_is_not_taken(void **state)
{
    struct asked present;
    ask_for(&present, 1, 1);
    assert_non_null(fill(*state, &present));
    struct asked previous;
    ask_for(&previous, 1, 1);
    memset(previous.raw.bytes, 0x77, sizeof(previous.raw.bytes));
    previous.loaded.is_previous_secret = true;
    assert_null(fill(*state, &previous));
    assert_status(find(*state, &previous), LH_ABSENT);
    assert_ok(find(*state, &present)); /* and the present one stays */
}

static void test_session_cache__what_is_not_what_was_asked_for_is_not_taken(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    asked.loaded.header.uid.bytes[0] ^= 1;
    assert_null(fill(*state, &asked));
    ask_for(&asked, 1, 1);
    asked.loaded.header.lease.bytes[0] ^= 1;
    assert_null(fill(*state, &asked));
    assert_status(find(*state, &asked), LH_ABSENT);
}

static void test_session_cache__what_is_no_principal_is_not_taken(void **state)
{
    static const uint8_t large[LH_PRINCIPAL_MAX_BYTES + 1];
    struct asked asked;
    ask_for(&asked, 1, 1);
    const lh_slice bad[] = {LH_SLICE_EMPTY, LH_SLICE_LITERAL("\005alic"), LH_SLICE_OF(large)};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lh_cached_session *session;
        lh_session_cache_fill(*state, &asked.question, &asked.loaded, NOW, bad[i], &session);
        assert_null(session);
        assert_status(find(*state, &asked), LH_ABSENT);
    }
    /* Nor does it leave what was there before. */
    assert_non_null(fill(*state, &asked));
    struct lh_cached_session *session;
    lh_session_cache_fill(*state, &asked.question, &asked.loaded, NOW, bad[1], &session);
    assert_null(session);
    assert_status(find(*state, &asked), LH_ABSENT);
}

static void test_session_cache__a_new_secret_replaces_the_old_one(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    assert_non_null(fill(*state, &asked));
    struct asked rotated;
    ask_for(&rotated, 1, 1);
    memset(rotated.raw.bytes, 0x66, sizeof(rotated.raw.bytes));
    rotated.loaded.header.generation = 2;
    assert_non_null(fill(*state, &rotated));
    assert_ok(find(*state, &rotated));
    assert_status(find(*state, &asked), LH_ABSENT);
}

/* --- Who makes room ----------------------------------------------------------------------------- */

static void test_session_cache__in_a_full_set_the_one_used_longest_ago_goes(void **state)
{
    (void)state;
    struct lh_session_cache *cache = new_cache(8); /* one set of eight */
    struct asked asked[9];
    for (uint32_t n = 0; n < 9; n++) {
        ask_for(&asked[n], 1, n);
    }
    for (uint32_t n = 0; n < 8; n++) {
        assert_non_null(fill(cache, &asked[n]));
    }
    assert_ok(find(cache, &asked[0])); /* 1 is the oldest now */
    assert_non_null(fill(cache, &asked[8]));
    for (uint32_t n = 0; n < 9; n++) {
        assert_status(find(cache, &asked[n]), n == 1 ? LH_ABSENT : LH_OK);
    }
    struct lh_session_cache_counts counts;
    lh_session_cache_read_counts(cache, &counts);
    assert_int_equal(counts.evictions, 1);
    assert_int_equal(counts.hits, 9);
    assert_int_equal(counts.misses, 1);
    lh_session_cache_free(cache);
}

static void test_session_cache__many_more_sessions_than_entries_never_mix(void **state)
{
    for (uint32_t round = 0; round < 4; round++) {
        size_t hits = 0;
        for (uint32_t n = 0; n < 20 * ENTRIES; n++) {
            struct asked asked;
            ask_for(&asked, (uint8_t)(n % 3), n);
            struct lh_cached_session *session;
            if (lh_is_ok(lh_session_cache_find(*state, &asked.question, &session))) {
                assert_memory_equal(session->header.lease.bytes, asked.raw.lease.bytes,
                                    LH_LEASE_ID_BYTES);
                hits++;
            }
            assert_non_null(fill(*state, &asked));
            assert_ok(find(*state, &asked));
        }
        assert_true(hits <= ENTRIES);
    }
}

static void test_session_cache__drop_and_clear_forget(void **state)
{
    struct asked a;
    struct asked b;
    ask_for(&a, 1, 1);
    ask_for(&b, 1, 2);
    struct lh_cached_session *session = fill(*state, &a);
    assert_non_null(fill(*state, &b));
    lh_session_cache_drop(*state, &a.uid, &a.raw.lease);
    assert_status(find(*state, &a), LH_ABSENT);
    static const struct lh_cached_session nothing;
    assert_memory_equal(session, &nothing, sizeof(nothing)); /* wiped where it lay */
    assert_ok(find(*state, &b));
    lh_session_cache_drop(*state, &a.uid, &a.raw.lease);
    lh_session_cache_clear(*state);
    assert_status(find(*state, &b), LH_ABSENT);
    assert_non_null(fill(*state, &a));
    assert_ok(find(*state, &a));
}

static void test_session_cache__neither_hit_nor_fill_allocates(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    failing_alloc_at(1);
    assert_non_null(fill(*state, &asked));
    assert_ok(find(*state, &asked));
    assert_int_equal(failing_alloc_count(), 0);
    failing_alloc_at(0);
}

static void test_session_cache__sizes_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct lh_session_cache_options options = {.entries_max = 0};
    struct lh_session_cache *cache = NULL;
    assert_status(lh_session_cache_new(&options, &cache), LH_INVALID);
    options.entries_max = SIZE_MAX;
    assert_status(lh_session_cache_new(&options, &cache), LH_INVALID);
    options.entries_max = 1;
    for (size_t nth = 1; nth <= 2; nth++) {
        failing_alloc_at(nth);
        assert_status(lh_session_cache_new(&options, &cache), LH_NO_MEMORY);
    }
    failing_alloc_at(0);
    assert_null(cache);
    assert_ok(lh_session_cache_new(&options, &cache));
    struct asked asked;
    ask_for(&asked, 1, 1);
    assert_non_null(fill(cache, &asked));
    assert_ok(find(cache, &asked));
    lh_session_cache_free(cache);
    lh_session_cache_free(NULL);
}

/* --- Contexts ----------------------------------------------------------------------------------- */

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
        CACHE_TEST(test_session_cache__answers_with_what_it_was_filled_by),
        CACHE_TEST(test_session_cache__keeps_copies_not_views),
        CACHE_TEST(test_session_cache__no_other_cookie_is_answered),
        CACHE_TEST(test_session_cache__the_same_cookie_under_another_tenant_is_not_answered),
        CACHE_TEST(test_session_cache__a_moved_counter_ends_an_entry_whichever_way),
        CACHE_TEST(test_session_cache__an_entry_ends_after_a_second_to_the_millisecond),
        CACHE_TEST(test_session_cache__what_looks_over_by_time_is_a_miss),
        CACHE_TEST(test_session_cache__a_session_proved_by_its_previous_secret_is_not_taken),
        CACHE_TEST(test_session_cache__what_is_not_what_was_asked_for_is_not_taken),
        CACHE_TEST(test_session_cache__what_is_no_principal_is_not_taken),
        CACHE_TEST(test_session_cache__a_new_secret_replaces_the_old_one),
        CACHE_TEST(test_session_cache__in_a_full_set_the_one_used_longest_ago_goes),
        CACHE_TEST(test_session_cache__many_more_sessions_than_entries_never_mix),
        CACHE_TEST(test_session_cache__drop_and_clear_forget),
        CACHE_TEST(test_session_cache__neither_hit_nor_fill_allocates),
        CACHE_TEST(test_session_cache__sizes_that_cannot_be_are_refused),
        CACHE_TEST(test_contexts__are_kept_per_audience_scope_and_mode_until_they_end),
        CACHE_TEST(test_contexts__the_one_that_ends_first_makes_room),
        CACHE_TEST(test_contexts__survive_a_fill_of_the_same_generation_only),
        CACHE_TEST(test_contexts__go_with_their_session),
        CACHE_TEST(test_contexts__too_long_ones_are_not_kept_and_do_not_harm_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
