/*
 * Verifying keys that are kept: one for each tenant and material, no more than so many.
 */
#include "support/failing_alloc.h"
#include "support/test.h"

#include "token/key_cache.h"
#include "token/token.h"

struct fixture {
    struct lh_crypto *crypto;
    struct lh_key_cache *cache;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct lh_key_cache_options options = {.keys_max = 4, .hash_key = {{9}}};
    if (!lh_is_ok(lh_crypto_new(&fixture.crypto))) {
        return -1;
    }
    options.crypto = fixture.crypto;
    *state = &fixture;
    return lh_is_ok(lh_key_cache_new(&options, &fixture.cache)) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_key_cache_free(fixture->cache);
    lh_crypto_free(fixture->crypto);
    return 0;
}

static const struct lh_tenant_uid acme = {{1}};
static const struct lh_tenant_uid globex = {{2}};

/* Ed25519 keys: y of points, the first that there are. */
static const uint8_t points[6][LH_ED25519_KEY_BYTES] = {{3}, {4}, {5}, {6}, {9}, {10}};

static struct lh_verify_key row_of(size_t n)
{
    return (struct lh_verify_key){.kid = LH_SLICE_LITERAL("kid"),
                                  .algorithm = LH_EDDSA,
                                  .material = lh_slice_of(points[n], LH_ED25519_KEY_BYTES)};
}

static struct lh_public_key *get(const struct fixture *fixture, const struct lh_tenant_uid *uid,
                                 size_t n)
{
    struct lh_verify_key row = row_of(n);
    struct lh_digest print;
    struct lh_public_key *key = NULL;
    assert_ok(lh_verify_key_print(fixture->crypto, &row, &print));
    assert_ok(lh_key_cache_get(fixture->cache, uid, &row, &print, &key));
    assert_int_equal(lh_public_key_algorithm(key), LH_EDDSA);
    return key;
}

static void assert_counts(const struct fixture *fixture, uint64_t hits, uint64_t misses,
                          uint64_t evictions)
{
    struct lh_key_cache_counts counts;
    lh_key_cache_read_counts(fixture->cache, &counts);
    assert_int_equal(counts.hits, hits);
    assert_int_equal(counts.misses, misses);
    assert_int_equal(counts.evictions, evictions);
}

static void test_key_cache__makes_a_key_once(void **state)
{
    const struct fixture *fixture = *state;
    struct lh_public_key *key = get(fixture, &acme, 0);
    assert_ptr_equal(get(fixture, &acme, 0), key);
    assert_counts(fixture, 1, 1, 0);
    assert_ptr_not_equal(get(fixture, &acme, 1), key);
    assert_counts(fixture, 1, 2, 0);
}

static void test_key_cache__tenants_share_no_key(void **state)
{
    const struct fixture *fixture = *state;
    struct lh_public_key *key = get(fixture, &acme, 0);
    assert_ptr_not_equal(get(fixture, &globex, 0), key);
    assert_ptr_equal(get(fixture, &acme, 0), key);
    assert_counts(fixture, 1, 2, 0);
}

static void test_key_cache__the_key_used_longest_ago_goes(void **state)
{
    const struct fixture *fixture = *state;
    for (size_t n = 0; n < 4; n++) {
        (void)get(fixture, &acme, n);
    }
    (void)get(fixture, &acme, 0);
    assert_counts(fixture, 1, 4, 0);
    (void)get(fixture, &acme, 4); /* instead of 1 */
    assert_counts(fixture, 1, 5, 1);
    (void)get(fixture, &acme, 0);
    (void)get(fixture, &acme, 2);
    assert_counts(fixture, 3, 5, 1);
    (void)get(fixture, &acme, 1);
    assert_counts(fixture, 3, 6, 2);
}

static void test_key_cache__a_row_that_is_no_key_pushes_nobody_out(void **state)
{
    const struct fixture *fixture = *state;
    static const uint8_t zeros[LH_ED25519_KEY_BYTES];
    struct lh_verify_key row = row_of(0);
    struct lh_digest print;
    struct lh_public_key *key = NULL;
    for (size_t n = 0; n < 4; n++) {
        (void)get(fixture, &acme, n);
    }
    row.material = LH_SLICE_OF(zeros);
    assert_ok(lh_verify_key_print(fixture->crypto, &row, &print));
    assert_status(lh_key_cache_get(fixture->cache, &acme, &row, &print, &key), LH_FORBIDDEN);
    assert_null(key);
    assert_counts(fixture, 0, 5, 0);
}

static void test_verify_key_print__algorithm_and_every_byte_count(void **state)
{
    const struct fixture *fixture = *state;
    struct lh_verify_key row = row_of(0);
    struct lh_digest print;
    struct lh_digest other;
    assert_ok(lh_verify_key_print(fixture->crypto, &row, &print));
    row.kid = LH_SLICE_LITERAL("another");
    row.until_ms = 5;
    assert_ok(lh_verify_key_print(fixture->crypto, &row, &other));
    assert_memory_equal(print.bytes, other.bytes, sizeof(print.bytes));
    row.algorithm = LH_ES256;
    assert_ok(lh_verify_key_print(fixture->crypto, &row, &other));
    assert_memory_not_equal(print.bytes, other.bytes, sizeof(print.bytes));
    row = row_of(1);
    assert_ok(lh_verify_key_print(fixture->crypto, &row, &other));
    assert_memory_not_equal(print.bytes, other.bytes, sizeof(print.bytes));
    row.material.len--;
    assert_ok(lh_verify_key_print(fixture->crypto, &row, &print));
    assert_memory_not_equal(print.bytes, other.bytes, sizeof(print.bytes));
    static const uint8_t long_material[LH_PUBLIC_MATERIAL_MAX_BYTES + 1];
    row.material = LH_SLICE_OF(long_material);
    assert_status(lh_verify_key_print(fixture->crypto, &row, &print), LH_REGISTRY_DOWN);
    row.material = LH_SLICE_EMPTY;
    assert_status(lh_verify_key_print(fixture->crypto, &row, &print), LH_REGISTRY_DOWN);
}

static void test_key_cache_new__refuses_absurd_sizes(void **state)
{
    const struct fixture *fixture = *state;
    struct lh_key_cache_options options = {.crypto = fixture->crypto};
    struct lh_key_cache *cache = NULL;
    assert_status(lh_key_cache_new(&options, &cache), LH_INVALID);
    options.keys_max = SIZE_MAX;
    assert_status(lh_key_cache_new(&options, &cache), LH_INVALID);
    assert_null(cache);
    lh_key_cache_free(NULL);
}

static void test_key_cache__survives_each_failing_allocation(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct fixture fixture = {NULL, NULL};
        struct lh_key_cache_options options = {.keys_max = 2, .hash_key = {{9}}};
        struct lh_verify_key row = row_of(0);
        struct lh_digest print;
        struct lh_public_key *key = NULL;
        assert_ok(lh_crypto_new(&fixture.crypto));
        assert_ok(lh_verify_key_print(fixture.crypto, &row, &print));
        options.crypto = fixture.crypto;
        failing_alloc_at(nth);
        lh_status status = lh_key_cache_new(&options, &fixture.cache);
        if (lh_is_ok(status)) {
            status = lh_key_cache_get(fixture.cache, &acme, &row, &print, &key);
        }
        bool is_spent = failing_alloc_count() >= nth;
        failing_alloc_at(0);
        assert_true(lh_is_ok(status) || status.code == LH_NO_MEMORY);
        if (fixture.cache != NULL) {
            assert_non_null(get(&fixture, &acme, 0)); /* and the next time all is well */
        }
        (void)tear_down((void *[]){&fixture});
        if (!is_spent) {
            assert_true(nth > 3);
            break;
        }
    }
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_key_cache__makes_a_key_once),
        EACH(test_key_cache__tenants_share_no_key),
        EACH(test_key_cache__the_key_used_longest_ago_goes),
        EACH(test_key_cache__a_row_that_is_no_key_pushes_nobody_out),
        EACH(test_verify_key_print__algorithm_and_every_byte_count),
        EACH(test_key_cache_new__refuses_absurd_sizes),
        EACH(test_key_cache__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
