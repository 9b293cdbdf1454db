/*
 * Opened secrets that are kept: for the tenant, key and change counters that they were opened
 * under and no others, for a second, so many at most, and wiped when they go.
 */
#include "support/failing_alloc.h"
#include "support/ssl_arena.h"
#include "support/test.h"

#include "keys/secret_cache.h"

#define SECRETS_MAX 3

static const struct lh_tenant_uid acme = {{1}};
static const struct lh_tenant_uid globex = {{2}};

struct fixture {
    struct lh_crypto *crypto;
    struct lh_secret_cache *cache;
    uint64_t now_ms;
};

/* A tenant's key: its row, what its secret is, and what opens it. */
struct secret {
    struct lh_tenant tenant;
    struct lh_signature_key row;
    struct lh_datakey datakey;
    struct lh_key plain;
    struct lh_buf sealed;
};

static lh_status new_cache(struct fixture *fixture)
{
    const struct lh_secret_cache_options options = {
        .crypto = fixture->crypto, .secrets_max = SECRETS_MAX, .hash_key = {"hash key of test"}};
    return lh_secret_cache_new(&options, &fixture->cache);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.now_ms = 1000000};
    *state = &fixture;
    return lh_is_ok(lh_crypto_new(&fixture.crypto)) && lh_is_ok(new_cache(&fixture)) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_secret_cache_free(fixture->cache);
    lh_crypto_free(fixture->crypto);
    return 0;
}

/* A secret of random bytes. */
static struct secret make_secret(const struct fixture *fixture, const struct lh_tenant_uid *uid,
                                 const char *key_id, uint32_t dek_id)
{
    struct secret secret = {.tenant = {.uid = *uid, .counter = 7, .platform_counter = 3},
                            .datakey = {.dek_id = dek_id},
                            .sealed = LH_BUF_EMPTY};
    struct lh_key dek = {{(uint8_t)dek_id, uid->bytes[0]}};
    assert_ok(lh_random(fixture->crypto, secret.plain.bytes, LH_KEY_BYTES));
    assert_ok(lh_sealing_key_derive(fixture->crypto, &dek, LH_SLICE_LITERAL(LH_SHARED_SECRET_LABEL),
                                    uid, &secret.datakey.secret));
    secret.row = (struct lh_signature_key){
        .key_id = lh_slice_from_text(key_id), .algorithm = LH_HTTP_HMAC_SHA256, .dek_id = dek_id};
    assert_ok(lh_shared_secret_seal(fixture->crypto, &secret.datakey, uid, secret.row.key_id,
                                    LH_SLICE_OF(secret.plain.bytes), &secret.sealed));
    secret.row.material = lh_buf_view(&secret.sealed);
    return secret;
}

static void free_secret(struct secret *secret)
{
    lh_buf_fini(&secret->sealed);
}

static struct lh_secret_question ask(const struct fixture *fixture, const struct secret *secret)
{
    return (struct lh_secret_question){&secret->tenant, &secret->row, fixture->now_ms};
}

static bool is_kept(const struct fixture *fixture, const struct secret *secret)
{
    const struct lh_secret_question question = ask(fixture, secret);
    struct lh_mac_key *key = NULL;
    lh_status status = lh_secret_cache_find(fixture->cache, &question, &key);
    assert_true(lh_is_ok(status) || status.code == LH_ABSENT);
    assert_int_equal(lh_is_ok(status), key != NULL);
    return lh_is_ok(status);
}

static void assert_is_key_of(const struct fixture *fixture, struct lh_mac_key *key,
                             const struct secret *secret)
{
    struct lh_digest mac, expected;
    assert_ok(lh_mac(key, LH_SLICE_LITERAL("message"), &mac));
    assert_ok(lh_hmac_sha256(fixture->crypto, LH_SLICE_OF(secret->plain.bytes),
                             LH_SLICE_LITERAL("message"), &expected));
    assert_memory_equal(mac.bytes, expected.bytes, sizeof(mac.bytes));
}

static void fill(const struct fixture *fixture, const struct secret *secret)
{
    const struct lh_secret_question question = ask(fixture, secret);
    struct lh_mac_key *key = NULL, *found = NULL;
    assert_ok(lh_secret_cache_fill(fixture->cache, &question, &secret->datakey, &key));
    assert_is_key_of(fixture, key, secret);
    assert_ok(lh_secret_cache_find(fixture->cache, &question, &found));
    assert_ptr_equal(found, key);
}

static struct lh_secret_cache_counts counts_of(const struct fixture *fixture)
{
    struct lh_secret_cache_counts counts;
    lh_secret_cache_read_counts(fixture->cache, &counts);
    return counts;
}

/* --- What an entry answers for ---------------------------------------------------------------- */

static void test_secret_cache__a_secret_is_opened_once(void **state)
{
    const struct fixture *fixture = *state;
    struct secret secret = make_secret(fixture, &acme, "sig-1", 1);
    assert_false(is_kept(fixture, &secret));
    fill(fixture, &secret);
    assert_true(is_kept(fixture, &secret));
    struct lh_secret_cache_counts counts = counts_of(fixture);
    assert_int_equal(counts.hits, 2);
    assert_int_equal(counts.misses, 1);
    assert_int_equal(counts.evictions, 0);
    assert_int_equal(counts.entries, 1);
    free_secret(&secret);
}

/* Whatever moved them, also the removal of this key. */
static void test_secret_cache__nothing_answers_once_a_change_counter_has_moved(void **state)
{
    const struct fixture *fixture = *state;
    struct secret secret = make_secret(fixture, &acme, "sig-1", 1);
    fill(fixture, &secret);
    secret.tenant.counter++;
    assert_false(is_kept(fixture, &secret));
    assert_int_equal(counts_of(fixture).entries, 0); /* wiped where it was met */
    fill(fixture, &secret);
    secret.tenant.platform_counter++;
    assert_false(is_kept(fixture, &secret));
    /* a sum that is the same is another state all the same */
    fill(fixture, &secret);
    secret.tenant.counter++;
    secret.tenant.platform_counter--;
    assert_false(is_kept(fixture, &secret));
    free_secret(&secret);
}

static void test_secret_cache__tenants_share_no_secret_of_the_same_id(void **state)
{
    const struct fixture *fixture = *state;
    struct secret ours = make_secret(fixture, &acme, "sig-1", 1);
    struct secret theirs = make_secret(fixture, &globex, "sig-1", 1);
    fill(fixture, &ours);
    assert_false(is_kept(fixture, &theirs));
    theirs.row.material = ours.row.material; /* not even for a row that was copied */
    assert_false(is_kept(fixture, &theirs));
    const struct lh_secret_question question = ask(fixture, &theirs);
    struct lh_mac_key *key = NULL;
    assert_status(lh_secret_cache_fill(fixture->cache, &question, &theirs.datakey, &key),
                  LH_TAMPERED);
    assert_null(key);
    theirs.row.material = lh_buf_view(&theirs.sealed);
    fill(fixture, &theirs);
    assert_true(is_kept(fixture, &ours));
    assert_int_equal(counts_of(fixture).entries, 2);
    free_secret(&ours);
    free_secret(&theirs);
}

/* A row that was read again may be another under the same counters: its writer was killed. */
static void test_secret_cache__an_entry_is_of_the_very_bytes_that_were_opened(void **state)
{
    const struct fixture *fixture = *state;
    struct secret before = make_secret(fixture, &acme, "sig-1", 1);
    struct secret after = make_secret(fixture, &acme, "sig-1", 1);
    struct secret moved = make_secret(fixture, &acme, "sig-1", 1);
    struct secret longer = make_secret(fixture, &acme, "sig-12", 1);
    fill(fixture, &before);
    assert_false(is_kept(fixture, &longer));
    assert_true(is_kept(fixture, &before));
    assert_false(is_kept(fixture, &after));
    fill(fixture, &after);
    assert_false(is_kept(fixture, &before));
    assert_int_equal(counts_of(fixture).entries, 0);
    fill(fixture, &moved);
    moved.row.dek_id = 2;
    assert_false(is_kept(fixture, &moved));
    free_secret(&before);
    free_secret(&after);
    free_secret(&moved);
    free_secret(&longer);
}

static void test_secret_cache__filling_again_replaces(void **state)
{
    const struct fixture *fixture = *state;
    struct secret before = make_secret(fixture, &acme, "sig-1", 1);
    struct secret after = make_secret(fixture, &acme, "sig-1", 2);
    fill(fixture, &before);
    fill(fixture, &after);
    assert_int_equal(counts_of(fixture).entries, 1);
    assert_int_equal(counts_of(fixture).evictions, 0);
    free_secret(&before);
    free_secret(&after);
}

/* --- How long, and how many ------------------------------------------------------------------- */

static void test_secret_cache__a_secret_is_kept_for_a_second_and_not_before_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct secret secret = make_secret(fixture, &acme, "sig-1", 1);
    fill(fixture, &secret);
    fixture->now_ms += LH_SECRET_CACHE_AGE_MS - 1;
    assert_true(is_kept(fixture, &secret));
    fixture->now_ms++;
    assert_false(is_kept(fixture, &secret));
    fill(fixture, &secret);
    fixture->now_ms--; /* a clock that was set back */
    assert_false(is_kept(fixture, &secret));
    free_secret(&secret);
}

static void test_secret_cache__expire_wipes_what_is_old_though_nobody_asks(void **state)
{
    struct fixture *fixture = *state;
    struct secret first = make_secret(fixture, &acme, "sig-1", 1);
    struct secret second = make_secret(fixture, &acme, "sig-2", 1);
    fill(fixture, &first);
    fixture->now_ms++;
    fill(fixture, &second);
    assert_true(is_kept(fixture, &first)); /* used last, and older all the same */
    fixture->now_ms += LH_SECRET_CACHE_AGE_MS - 1;
    assert_true(ssl_arena_has(&first.plain));
    lh_secret_cache_expire(fixture->cache, fixture->now_ms);
    assert_int_equal(counts_of(fixture).entries, 1);
    assert_false(ssl_arena_has(&first.plain));
    assert_true(ssl_arena_has(&second.plain));
    assert_true(is_kept(fixture, &second));
    lh_secret_cache_expire(fixture->cache, fixture->now_ms + 1);
    assert_int_equal(counts_of(fixture).entries, 0);
    free_secret(&first);
    free_secret(&second);
}

static void test_secret_cache__the_secret_used_longest_ago_goes_and_is_wiped(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const ids[] = {"sig-1", "sig-2", "sig-3", "sig-4"};
    struct secret secrets[SECRETS_MAX + 1];
    for (size_t i = 0; i <= SECRETS_MAX; i++) {
        secrets[i] = make_secret(fixture, &acme, ids[i], 1);
    }
    for (size_t i = 0; i < SECRETS_MAX; i++) {
        fill(fixture, &secrets[i]);
    }
    assert_true(is_kept(fixture, &secrets[0]));
    assert_ok(lh_crypto_forget_keys(fixture->crypto));
    assert_true(ssl_arena_has(&secrets[1].plain)); /* or the test would see nothing */
    const struct lh_secret_question question = ask(fixture, &secrets[SECRETS_MAX]);
    struct lh_mac_key *key;
    assert_ok(lh_secret_cache_fill(fixture->cache, &question, &secrets[SECRETS_MAX].datakey, &key));
    assert_false(ssl_arena_has(&secrets[1].plain));
    assert_int_equal(counts_of(fixture).evictions, 1);
    assert_int_equal(counts_of(fixture).entries, SECRETS_MAX);
    assert_false(is_kept(fixture, &secrets[1]));
    assert_true(is_kept(fixture, &secrets[0]));
    assert_true(is_kept(fixture, &secrets[SECRETS_MAX]));
    for (size_t i = 0; i <= SECRETS_MAX; i++) {
        free_secret(&secrets[i]);
    }
}

static void test_secret_cache__nothing_is_left_when_it_is_freed(void **state)
{
    struct fixture *fixture = *state;
    struct secret secret = make_secret(fixture, &acme, "sig-1", 1);
    fill(fixture, &secret);
    assert_ok(lh_crypto_forget_keys(fixture->crypto));
    assert_true(ssl_arena_has(&secret.plain));
    lh_secret_cache_free(fixture->cache);
    assert_false(ssl_arena_has(&secret.plain));
    assert_ok(new_cache(fixture));
    free_secret(&secret);
}

/* --- Failing ---------------------------------------------------------------------------------- */

static void test_secret_cache__a_secret_that_is_not_authentic_is_not_kept(void **state)
{
    const struct fixture *fixture = *state;
    struct secret secret = make_secret(fixture, &acme, "sig-1", 1);
    fill(fixture, &secret);
    secret.sealed.ptr[secret.sealed.len - 1] ^= 1;
    const struct lh_secret_question question = ask(fixture, &secret);
    struct lh_mac_key *key = NULL;
    assert_status(lh_secret_cache_fill(fixture->cache, &question, &secret.datakey, &key),
                  LH_TAMPERED);
    assert_null(key);
    assert_int_equal(counts_of(fixture).entries, 0); /* nor the one before */
    free_secret(&secret);
}

/* returns: whether the failing one was reached. */
static bool fill_failing(const struct fixture *fixture, const struct secret *secret, size_t nth,
                         bool is_of_openssl)
{
    const struct lh_secret_question question = ask(fixture, secret);
    struct lh_mac_key *key = NULL;
    (is_of_openssl ? ssl_arena_fail_at : failing_alloc_at)(nth);
    lh_status status = lh_secret_cache_fill(fixture->cache, &question, &secret->datakey, &key);
    bool is_reached = (is_of_openssl ? ssl_arena_count() : failing_alloc_count()) >= nth;
    (is_of_openssl ? ssl_arena_fail_at : failing_alloc_at)(0);
    /* OpenSSL does not always say what it lacked. */
    bool is_told = status.code == LH_NO_MEMORY || (is_of_openssl && status.code == LH_CRYPTO);
    assert_true(lh_is_ok(status) || (is_reached && is_told));
    assert_int_equal(lh_is_ok(status), key != NULL);
    assert_int_equal(counts_of(fixture).entries, lh_is_ok(status) ? 1 : 0);
    assert_int_equal(is_kept(fixture, secret), lh_is_ok(status));
    return is_reached;
}

static void test_secret_cache__without_memory_nothing_is_kept_and_the_next_try_is_good(void **state)
{
    struct fixture *fixture = *state;
    struct secret secret = make_secret(fixture, &acme, "sig-1", 1);
    for (unsigned is_of_openssl = 0; is_of_openssl < 2; is_of_openssl++) {
        size_t nth = 1;
        for (bool is_reached = true; is_reached; nth++) {
            lh_secret_cache_free(fixture->cache);
            assert_ok(new_cache(fixture));
            is_reached = fill_failing(fixture, &secret, nth, is_of_openssl == 1);
            fill(fixture, &secret);
        }
        assert_true(nth > 3); /* it did fail, more than once */
    }
    lh_secret_cache_free(fixture->cache);
    fixture->cache = NULL;
    failing_alloc_at(1);
    lh_status status = new_cache(fixture);
    failing_alloc_at(0);
    assert_status(status, LH_NO_MEMORY);
    assert_ok(new_cache(fixture));
    free_secret(&secret);
}

static void test_secret_cache_new__refuses_absurd_sizes(void **state)
{
    const struct fixture *fixture = *state;
    struct lh_secret_cache_options options = {.crypto = fixture->crypto};
    struct lh_secret_cache *cache = NULL;
    assert_status(lh_secret_cache_new(&options, &cache), LH_INVALID);
    options.secrets_max = SIZE_MAX;
    assert_status(lh_secret_cache_new(&options, &cache), LH_INVALID);
    assert_null(cache);
    lh_secret_cache_free(NULL);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    ssl_arena_use();
    const struct CMUnitTest tests[] = {
        EACH(test_secret_cache__a_secret_is_opened_once),
        EACH(test_secret_cache__nothing_answers_once_a_change_counter_has_moved),
        EACH(test_secret_cache__tenants_share_no_secret_of_the_same_id),
        EACH(test_secret_cache__an_entry_is_of_the_very_bytes_that_were_opened),
        EACH(test_secret_cache__filling_again_replaces),
        EACH(test_secret_cache__a_secret_is_kept_for_a_second_and_not_before_its_time),
        EACH(test_secret_cache__expire_wipes_what_is_old_though_nobody_asks),
        EACH(test_secret_cache__the_secret_used_longest_ago_goes_and_is_wiped),
        EACH(test_secret_cache__nothing_is_left_when_it_is_freed),
        EACH(test_secret_cache__a_secret_that_is_not_authentic_is_not_kept),
        EACH(test_secret_cache__without_memory_nothing_is_kept_and_the_next_try_is_good),
        EACH(test_secret_cache_new__refuses_absurd_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
