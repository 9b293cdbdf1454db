/*
 * The data-key cache: ages to the millisecond, a key manager that is gone, who makes room for
 * whom, and memory that cannot be locked.
 */
#include "datakey_fixture.h"

#include "support/child.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often the crypto that is watched was told to forget. */
static unsigned forgotten;
static struct lh_crypto *watched;

lh_status __real_lh_crypto_forget_keys(struct lh_crypto *crypto);
lh_status __wrap_lh_crypto_forget_keys(struct lh_crypto *crypto);

lh_status __wrap_lh_crypto_forget_keys(struct lh_crypto *crypto)
{
    forgotten += crypto == watched ? 1 : 0;
    return __real_lh_crypto_forget_keys(crypto);
}

/* --- Age -------------------------------------------------------------------------------------- */

static void test_datakey_cache__a_key_serves_until_its_age_ends_to_the_millisecond(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    fixture->kms.answer = LH_KEY_DOWN;
    fake_host_advance(&fixture->fake, MAX_AGE_MS - 1);
    assert_warm(fixture, 0, 1);
    (void)run_lane(fixture); /* the refresh, which fails */
    fake_host_advance(&fixture->fake, 1);
    /* The failed refresh is remembered: no new fetch within the second. */
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_KEY_DOWN);
    fake_host_advance(&fixture->fake, LH_DATAKEY_BACKOFF_MS);
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_KEY_DOWN);
    assert_int_equal(fixture->kms.unwraps, 3);
    assert_int_equal(counts_of(fixture).entries, 0);
}

static void test_datakey_cache__an_old_key_is_fetched_while_it_serves(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    fake_host_advance(&fixture->fake, REFRESH_MS - 1);
    assert_warm(fixture, 0, 1);
    assert_int_equal(fixture->fake.offloaded, 1);
    fake_host_advance(&fixture->fake, 1);
    for (int i = 0; i < 3; i++) {
        assert_warm(fixture, 0, 1); /* one refresh, however many ask */
    }
    assert_int_equal(fixture->fake.offloaded, 2);
    assert_int_equal(counts_of(fixture).fetches, 2);
    assert_int_equal(run_lane(fixture), 1);
    /* Its age begins anew. */
    fake_host_advance(&fixture->fake, MAX_AGE_MS - 1);
    assert_warm(fixture, 0, 1);
    (void)run_lane(fixture);
}

static void test_datakey_cache__a_failed_refresh_is_tried_again_after_the_back_off(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    fixture->kms.answer = LH_KEY_DOWN;
    fake_host_advance(&fixture->fake, REFRESH_MS);
    assert_warm(fixture, 0, 1);
    (void)run_lane(fixture);
    assert_warm(fixture, 0, 1);
    assert_int_equal(run_lane(fixture), 0);
    fake_host_advance(&fixture->fake, LH_DATAKEY_BACKOFF_MS);
    fixture->kms.answer = LH_OK;
    assert_warm(fixture, 0, 1);
    assert_int_equal(run_lane(fixture), 1);
    assert_int_equal(counts_of(fixture).failures, 1);
}

static void test_datakey_cache__a_lane_that_is_full_does_not_stop_a_warm_key(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    fixture->fake.mode = FAKE_HOST_REFUSES;
    fake_host_advance(&fixture->fake, REFRESH_MS);
    assert_warm(fixture, 0, 1);
    assert_int_equal(counts_of(fixture).fetches, 1);
}

static void test_datakey_cache__so_many_uses_count_as_old_age(void **state)
{
    struct fixture *fixture = *state;
    lh_datakey_cache_free(fixture->cache);
    struct lh_datakey_options options = default_options();
    options.uses_max = 3;
    assert_ok(new_cache(fixture, &options));
    const struct lh_datakey *key;
    for (int i = 0; i < 3; i++) {
        assert_ok(ask_and_wait(fixture, 0, 1, &key));
    }
    assert_int_equal(fixture->kms.unwraps, 1);
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    assert_int_equal(fixture->kms.unwraps, 2);
}

static void test_datakey_cache__expire_drops_what_nobody_asks_for_any_more(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    fake_host_advance(&fixture->fake, 10);
    assert_ok(ask_and_wait(fixture, 1, 1, &key));
    fake_host_advance(&fixture->fake, MAX_AGE_MS - 11);
    watched = fixture->crypto;
    forgotten = 0;
    lh_datakey_cache_expire(fixture->cache);
    assert_int_equal(counts_of(fixture).entries, 2);
    assert_int_equal(forgotten, 0);
    fake_host_advance(&fixture->fake, 1);
    lh_datakey_cache_expire(fixture->cache);
    assert_int_equal(counts_of(fixture).entries, 1);
    assert_int_equal(forgotten, 1);
    assert_warm(fixture, 1, 1);
    (void)run_lane(fixture);
}

static void test_datakey_cache__the_lane_forgets_after_each_fetch(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    watched = fixture->kms.last_crypto;
    forgotten = 0;
    assert_ok(ask_and_wait(fixture, 0, 2, &key));
    assert_int_equal(forgotten, 1);
    fixture->kms.answer = LH_KEY_DOWN;
    assert_status(ask_and_wait(fixture, 0, 3, &key), LH_KEY_DOWN);
    assert_int_equal(forgotten, 2);
}

static void test_datakey_cache__the_key_used_longest_ago_makes_room(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    for (uint32_t id = 1; id <= ENTRIES_MAX; id++) {
        assert_ok(ask_and_wait(fixture, 0, id, &key));
    }
    assert_warm(fixture, 0, 1); /* key 2 is the oldest now */
    assert_ok(ask_and_wait(fixture, 0, ENTRIES_MAX + 1, &key));
    assert_int_equal(counts_of(fixture).entries, ENTRIES_MAX);
    assert_warm(fixture, 0, 1);
    for (uint32_t id = 3; id <= ENTRIES_MAX + 1; id++) {
        assert_warm(fixture, 0, id);
    }
    assert_cold(fixture, 0, 2);
    (void)run_lane(fixture);
}

static void test_datakey_cache__a_dropped_key_is_wiped_where_it_lay(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    fake_host_advance(&fixture->fake, MAX_AGE_MS);
    lh_datakey_cache_expire(fixture->cache);
    static const struct lh_datakey nothing;
    assert_memory_equal(key, &nothing, sizeof(nothing)); /* the pool's memory is still mapped */
}

/* --- Failures --------------------------------------------------------------------------------- */

static void test_datakey_cache__a_failure_answers_for_a_second_and_only_for_its_key(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    fixture->kms.answer = LH_KEY_DOWN;
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_KEY_DOWN);
    fixture->kms.answer = LH_OK;
    fake_host_advance(&fixture->fake, LH_DATAKEY_BACKOFF_MS - 1);
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_KEY_DOWN);
    assert_int_equal(fixture->kms.unwraps, 1);
    assert_ok(ask_and_wait(fixture, 1, 1, &key));
    assert_ok(ask_and_wait(fixture, 0, 2, &key));
    fake_host_advance(&fixture->fake, 1);
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
}

static void test_datakey_cache__a_failure_never_answers_for_another_key(void **state)
{
    struct fixture *fixture = *state;
    fixture->fake.mode = FAKE_HOST_AT_ONCE;
    const struct lh_datakey *key;
    for (uint32_t failing = 1; failing <= 8; failing++) {
        fake_host_advance(&fixture->fake, LH_DATAKEY_BACKOFF_MS);
        fixture->kms.answer = LH_KEY_DOWN;
        assert_status(ask_and_wait(fixture, 0, failing, &key), LH_KEY_DOWN);
        fixture->kms.answer = LH_OK;
        /* More keys than failures are remembered: some share a place. */
        for (size_t tenant = 0; tenant < 3; tenant++) {
            for (uint32_t id = 9; id <= DEKS_MAX; id++) {
                assert_ok(ask_and_wait(fixture, tenant, id, &key));
            }
        }
    }
}

static void test_datakey_cache__a_failure_never_answers_for_another_tenant(void **state)
{
    struct fixture *fixture = *state;
    fixture->fake.mode = FAKE_HOST_AT_ONCE;
    const struct lh_datakey *key;
    for (uint32_t id = 1; id <= DEKS_MAX; id++) {
        fixture->kms.answer = LH_KEY_DOWN;
        assert_status(ask_and_wait(fixture, 0, id, &key), LH_KEY_DOWN);
        fixture->kms.answer = LH_OK;
        assert_ok(ask_and_wait(fixture, 1, id, &key));
        assert_ok(ask_and_wait(fixture, 2, id, &key));
    }
}

static void test_datakey_cache__who_waits_hears_why_it_failed(void **state)
{
    static const struct {
        enum lh_code answer;
        enum lh_code told;
    } cases[] = {
        {LH_KEY_DOWN, LH_KEY_DOWN},    {LH_ABSENT, LH_ABSENT},
        {LH_TAMPERED, LH_TAMPERED},    {LH_FUTURE_FORMAT, LH_FUTURE_FORMAT},
        {LH_UNSAFE_FILE, LH_KEY_DOWN}, {LH_CRYPTO, LH_CRYPTO},
        {LH_NO_MEMORY, LH_NO_MEMORY},
    };
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture->kms.answer = cases[i].answer;
        struct asker askers[2] = {new_asker(), new_asker()};
        const struct lh_datakey *key;
        for (size_t n = 0; n < 2; n++) {
            assert_status(ask(fixture, &askers[n], 0, i + 1, &key), LH_PENDING);
        }
        (void)run_lane(fixture);
        for (size_t n = 0; n < 2; n++) {
            assert_status(ask(fixture, &askers[n], 0, i + 1, &key), cases[i].told);
            assert_int_equal(askers[n].op.state, LH_OP_IDLE);
        }
    }
    assert_int_equal(counts_of(fixture).entries, 0);
}

static void test_datakey_cache__a_driver_that_is_down_pushes_no_warm_key_out(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    for (uint32_t id = 1; id <= ENTRIES_MAX; id++) {
        assert_ok(ask_and_wait(fixture, 0, id, &key));
    }
    fixture->kms.answer = LH_KEY_DOWN;
    for (uint32_t id = 10; id < 100; id++) {
        assert_status(ask_and_wait(fixture, 1, id, &key), LH_KEY_DOWN);
    }
    for (uint32_t id = 1; id <= ENTRIES_MAX; id++) {
        assert_warm(fixture, 0, id);
    }
}

static void test_datakey_cache__a_key_id_that_the_registry_does_not_have_is_tampered(void **state)
{
    struct fixture *fixture = *state;
    struct asker asker = new_asker();
    const struct lh_datakey *key;
    static const uint32_t ids[] = {0, DEKS_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_status(ask(fixture, &asker, 0, ids[i], &key), LH_TAMPERED);
    }
    assert_int_equal(fixture->fake.offloaded, 0); /* no call storm either */
}

static void test_datakey_cache__a_destroyed_key_is_absent_even_while_warm(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    fixture->tenants[0]->deks[0].state = LH_DEK_DESTROYED;
    watched = fixture->crypto;
    forgotten = 0;
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_ABSENT);
    assert_int_equal(forgotten, 1); /* no context keeps it either */
    assert_int_equal(counts_of(fixture).entries, 0);
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_ABSENT);
    assert_int_equal(fixture->kms.unwraps, 1);
}

static void test_datakey_cache__pending_and_decrypt_only_keys_open(void **state)
{
    struct fixture *fixture = *state;
    fixture->tenants[0]->deks[0].state = LH_DEK_PENDING;
    fixture->tenants[0]->deks[1].state = LH_DEK_DECRYPT_ONLY;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    assert_ok(ask_and_wait(fixture, 0, 2, &key));
}

static void test_datakey_cache__a_blob_that_is_none_causes_no_fetch(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t huge[LH_WRAPPED_MAX_BYTES + 1];
    const struct lh_datakey *key;
    fixture->tenants[0]->deks[0].blob = LH_SLICE_EMPTY;
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_TAMPERED);
    fixture->tenants[0]->deks[0].blob = LH_SLICE_OF(huge);
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_TAMPERED);
    assert_int_equal(fixture->fake.offloaded, 0);
}

/* --- Memory that cannot be locked ------------------------------------------------------------- */

static bool is_lock_refused;

int __real_mlock(const void *memory, size_t len);
int __wrap_mlock(const void *memory, size_t len);

/* Wrapped and not limited by rlimit, for a sanitizer's mlock always succeeds. */
int __wrap_mlock(const void *memory, size_t len)
{
    return is_lock_refused ? -1 : __real_mlock(memory, len);
}

static void test_datakey_cache__refused_locking_stops_or_not_as_the_policy_says(void **state)
{
    struct fixture *fixture = *state;
    lh_datakey_cache_free(fixture->cache);
    fixture->cache = NULL;
    struct lh_datakey_options options = default_options();
    is_lock_refused = true;
    options.lock_policy = LH_LOCK_REQUIRED;
    assert_status(new_cache(fixture, &options), LH_NO_MEMORY);
    assert_null(fixture->cache);
    options.lock_policy = LH_LOCK_BEST_EFFORT;
    assert_ok(new_cache(fixture, &options));
    is_lock_refused = false;
    assert_false(counts_of(fixture).is_locked);
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MLOCK_IS_FAKE true
#elif defined(__has_feature)
#define MLOCK_IS_FAKE (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define MLOCK_IS_FAKE false
#endif

/* In a child: as a user who may lock nothing. Exits with the number of what was wrong. */
static void open_without_lockable_memory(void *context)
{
    struct fixture *fixture = context;
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0)) {
        _exit(1);
    }
    struct lh_datakey_options options = default_options();
    options.lock_policy = LH_LOCK_REQUIRED;
    if (new_cache(fixture, &options).code != LH_NO_MEMORY) {
        _exit(2);
    }
    options.lock_policy = LH_LOCK_BEST_EFFORT;
    if (!lh_is_ok(new_cache(fixture, &options)) || counts_of(fixture).is_locked) {
        _exit(3);
    }
    _exit(0);
}

static void test_datakey_cache__a_user_who_may_lock_nothing_is_told(void **state)
{
    if (MLOCK_IS_FAKE) {
        skip(); /* a sanitizer's mlock always succeeds */
    }
    int status = child_run(open_without_lockable_memory, *state);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_datakey_cache__nothing_to_hold_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lh_datakey_options options = default_options();
    options.entries_max = 0;
    struct lh_datakey_cache *cache = NULL;
    assert_status(lh_datakey_cache_new(fixture->keys, fixture->crypto, &fixture->fake.clock,
                                       &fixture->fake.host, &options, &cache),
                  LH_INVALID);
    lh_datakey_cache_free(NULL);
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_datakey_cache__a_key_serves_until_its_age_ends_to_the_millisecond),
        CACHE_TEST(test_datakey_cache__an_old_key_is_fetched_while_it_serves),
        CACHE_TEST(test_datakey_cache__a_failed_refresh_is_tried_again_after_the_back_off),
        CACHE_TEST(test_datakey_cache__a_lane_that_is_full_does_not_stop_a_warm_key),
        CACHE_TEST(test_datakey_cache__so_many_uses_count_as_old_age),
        CACHE_TEST(test_datakey_cache__expire_drops_what_nobody_asks_for_any_more),
        CACHE_TEST(test_datakey_cache__the_lane_forgets_after_each_fetch),
        CACHE_TEST(test_datakey_cache__the_key_used_longest_ago_makes_room),
        CACHE_TEST(test_datakey_cache__a_dropped_key_is_wiped_where_it_lay),
        CACHE_TEST(test_datakey_cache__a_failure_answers_for_a_second_and_only_for_its_key),
        CACHE_TEST(test_datakey_cache__a_failure_never_answers_for_another_key),
        CACHE_TEST(test_datakey_cache__a_failure_never_answers_for_another_tenant),
        CACHE_TEST(test_datakey_cache__who_waits_hears_why_it_failed),
        CACHE_TEST(test_datakey_cache__a_driver_that_is_down_pushes_no_warm_key_out),
        CACHE_TEST(test_datakey_cache__a_key_id_that_the_registry_does_not_have_is_tampered),
        CACHE_TEST(test_datakey_cache__a_destroyed_key_is_absent_even_while_warm),
        CACHE_TEST(test_datakey_cache__pending_and_decrypt_only_keys_open),
        CACHE_TEST(test_datakey_cache__a_blob_that_is_none_causes_no_fetch),
        CACHE_TEST(test_datakey_cache__refused_locking_stops_or_not_as_the_policy_says),
        CACHE_TEST(test_datakey_cache__a_user_who_may_lock_nothing_is_told),
        CACHE_TEST(test_datakey_cache__nothing_to_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
