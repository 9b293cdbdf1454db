/*
 * The worker's cache: an entry answers its own cookie, for a second, while nothing has changed.
 */
#include "support/failing_alloc.h"

#include "session_cache_fixture.h"

/* --- What it answers -------------------------------------------------------------------------- */

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
    struct lh_principal principal;
    assert_ok(lh_principal_read(lh_slice_of(plain, PLAIN.len), &principal));
    lh_session_cache_fill(*state, &asked.question, &asked.loaded, NOW,
                          lh_slice_of(plain, PLAIN.len), &principal, &session);
    memset(plain, 'x', sizeof(plain));
    memset(&principal, 'x', sizeof(principal));
    assert_ok(lh_session_cache_find(*state, &asked.question, &session));
    assert_slice_text(session->principal.subject, "alice");
    assert_int_equal(session->principal.roles.count, 1);
    assert_slice_text(session->principal.roles.items[0], "admin");
    assert_int_equal(session->principal.scopes.count, 0);
    assert_int_equal(session->principal.groups.count, 0);
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

/* --- What it takes ---------------------------------------------------------------------------- */

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

static void test_session_cache__what_no_principal_can_be_is_not_taken(void **state)
{
    static const uint8_t large[LH_PRINCIPAL_MAX_BYTES + 1];
    static const struct lh_principal nobody = {.subject = {NULL, 0}};
    struct asked asked;
    ask_for(&asked, 1, 1);
    const lh_slice bad[] = {LH_SLICE_EMPTY, LH_SLICE_OF(large)};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lh_cached_session *session;
        lh_session_cache_fill(*state, &asked.question, &asked.loaded, NOW, bad[i], &nobody,
                              &session);
        assert_null(session);
        assert_status(find(*state, &asked), LH_ABSENT);
    }
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

/* --- Who makes room --------------------------------------------------------------------------- */

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

/* The kernel's flags of the memory that holds address; fails the test if it is not found. */
static void read_flags(const void *address, char *out_flags, size_t size)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    char line[512];
    bool is_inside = false;
    out_flags[0] = '\0';
    while (fgets(line, sizeof(line), maps) != NULL) {
        char *rest;
        unsigned long long from = strtoull(line, &rest, 16);
        if (rest != line && *rest == '-') {
            unsigned long long to = strtoull(rest + 1, &rest, 16);
            is_inside = from <= (uintptr_t)address && (uintptr_t)address < to;
        } else if (is_inside && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(out_flags, size, "%.200s", line + 8);
        }
    }
    (void)fclose(maps);
    assert_true(out_flags[0] != '\0');
}

static void test_session_cache__its_memory_is_in_no_dump_and_no_child(void **state)
{
    struct asked asked;
    ask_for(&asked, 1, 1);
    char flags[256];
    read_flags(fill(*state, &asked), flags, sizeof(flags));
    assert_non_null(strstr(flags, " dd"));
    assert_non_null(strstr(flags, " wf"));
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
        CACHE_TEST(test_session_cache__what_no_principal_can_be_is_not_taken),
        CACHE_TEST(test_session_cache__a_new_secret_replaces_the_old_one),
        CACHE_TEST(test_session_cache__in_a_full_set_the_one_used_longest_ago_goes),
        CACHE_TEST(test_session_cache__many_more_sessions_than_entries_never_mix),
        CACHE_TEST(test_session_cache__drop_and_clear_forget),
        CACHE_TEST(test_session_cache__neither_hit_nor_fill_allocates),
        CACHE_TEST(test_session_cache__sizes_that_cannot_be_are_refused),
        CACHE_TEST(test_session_cache__its_memory_is_in_no_dump_and_no_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
