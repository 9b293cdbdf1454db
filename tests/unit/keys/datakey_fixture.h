/*
 * A data-key cache over a key manager that does as the test says, for two files of tests.
 */
#ifndef LH_TESTS_KEYS_DATAKEY_FIXTURE_H
#define LH_TESTS_KEYS_DATAKEY_FIXTURE_H

#include "support/fake_host.h"
#include "support/test.h"

#include "keys/datakey_cache.h"
#include "keys/keys_share.h"

#include <pthread.h>

#define ENTRIES_MAX   4
#define MAX_AGE_MS    UINT64_C(60000)
#define REFRESH_MS    UINT64_C(45000)
#define DEKS_MAX      200
#define TENANT_MEMORY ((size_t)64 * 1024)

/* --- A key manager that does as the test says ------------------------------------------------- */

/* A blob's first byte is what the key is made of; 0xff does not open. */
struct fake_kms {
    enum lh_code answer; /* of every unwrap; OK: open the blob */
    size_t unwraps;
    size_t closed;
    bool ran_elsewhere; /* not on the loop's thread */
    pthread_t loop;
    struct lh_crypto *last_crypto;
    struct lh_wrap_scope last_scope;
};

static inline lh_status kms_unwrap(void *self, struct lh_crypto *crypto,
                                   const struct lh_wrap_scope *scope, lh_slice blob,
                                   struct lh_key *out_key)
{
    struct fake_kms *kms = self;
    kms->unwraps++;
    kms->ran_elsewhere = !pthread_equal(pthread_self(), kms->loop);
    kms->last_crypto = crypto;
    kms->last_scope = *scope;
    LH_ENSURE(kms->answer == LH_OK, kms->answer);
    LH_ENSURE(blob.ptr[0] != 0xff, LH_TAMPERED);
    memset(out_key->bytes, blob.ptr[0], sizeof(out_key->bytes));
    return lh_ok();
}

static inline void kms_close(void *self)
{
    ((struct fake_kms *)self)->closed++;
}

static const struct lh_key_driver blocking_driver = {
    .name = "fake", .traits = LH_KEYS_BLOCKS, .unwrap = kms_unwrap, .close = kms_close};

/* --- The fixture ------------------------------------------------------------------------------ */

struct fixture {
    struct fake_host fake;
    struct fake_kms kms;
    struct lh_keys *keys;
    struct lh_crypto *crypto;
    struct lh_datakey_cache *cache;
    struct lh_tenant *tenants[3];
};

static inline struct lh_tenant *new_tenant(uint8_t uid_byte)
{
    struct lh_tenant *tenant;
    assert_ok(lh_tenant_new(TENANT_MEMORY, &tenant));
    memset(tenant->uid.bytes, uid_byte, sizeof(tenant->uid.bytes));
    void *deks;
    assert_ok(lh_arena_take(&tenant->arena, DEKS_MAX * sizeof(*tenant->deks), &deks));
    tenant->deks = deks;
    tenant->dek_count = DEKS_MAX;
    for (uint32_t i = 0; i < DEKS_MAX; i++) {
        uint8_t first_byte = (uint8_t)(uid_byte * 16 + i % 8);
        tenant->deks[i] = (struct lh_wrapped_dek){.id = i + 1, .state = LH_DEK_ACTIVE};
        assert_ok(lh_arena_dup(&tenant->arena, lh_slice_of(&first_byte, 1), &tenant->deks[i].blob));
    }
    return tenant;
}

static inline struct lh_datakey_options default_options(void)
{
    return (struct lh_datakey_options){.entries_max = ENTRIES_MAX,
                                       .max_age_ms = MAX_AGE_MS,
                                       .refresh_after_ms = REFRESH_MS,
                                       .lock_policy = LH_LOCK_BEST_EFFORT,
                                       .hash_key = {{7}}};
}

static inline lh_status new_cache(struct fixture *fixture, const struct lh_datakey_options *options)
{
    return lh_datakey_cache_new(fixture->keys, fixture->crypto, &fixture->fake.clock,
                                &fixture->fake.host, options, &fixture->cache);
}

static inline void make_fixture(struct fixture *fixture, const struct lh_key_driver *driver)
{
    memset(fixture, 0, sizeof(*fixture));
    fake_host_init(&fixture->fake);
    fixture->kms.loop = pthread_self();
    assert_ok(lh_crypto_new(&fixture->crypto));
    assert_ok(lh_keys_new(driver, &fixture->kms, &fixture->keys));
    struct lh_datakey_options options = default_options();
    assert_ok(new_cache(fixture, &options));
    for (uint8_t i = 0; i < 3; i++) {
        fixture->tenants[i] = new_tenant((uint8_t)(i + 1));
    }
}

static inline int set_up(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));
    make_fixture(fixture, &blocking_driver);
    *state = fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_datakey_cache_free(fixture->cache);
    lh_keys_close(fixture->keys);
    assert_int_equal(fixture->kms.closed, 1);
    lh_crypto_free(fixture->crypto);
    for (size_t i = 0; i < 3; i++) {
        lh_tenant_unref(fixture->tenants[i]);
    }
    free(fixture);
    return 0;
}

/* One who asks, and how often he was woken. */
struct asker {
    struct lh_op op; /* first */
    unsigned wakes;
    struct lh_op *cancels; /* when woken */
};

static inline void wake_asker(struct lh_op *op)
{
    struct asker *asker = (struct asker *)op;
    asker->wakes++;
    if (asker->cancels != NULL) {
        lh_op_cancel(asker->cancels);
    }
}

static inline struct asker new_asker(void)
{
    return (struct asker){.op = lh_op_idle(0, wake_asker)};
}

static inline lh_status ask(struct fixture *fixture, struct asker *asker, size_t tenant,
                            uint32_t dek_id, const struct lh_datakey **out_key)
{
    return lh_datakey_cache_get(fixture->cache, &asker->op, fixture->tenants[tenant], dek_id,
                                out_key);
}

static inline size_t run_lane(struct fixture *fixture)
{
    return fake_host_run(&fixture->fake, LH_LANE_FETCH);
}

/* Asks and lets the fetch happen, if there is one. */
static inline lh_status ask_and_wait(struct fixture *fixture, size_t tenant, uint32_t dek_id,
                                     const struct lh_datakey **out_key)
{
    struct asker asker = new_asker();
    lh_status status = ask(fixture, &asker, tenant, dek_id, out_key);
    if (status.code == LH_PENDING) {
        (void)run_lane(fixture);
        status = ask(fixture, &asker, tenant, dek_id, out_key);
    }
    lh_op_cancel(&asker.op);
    return status;
}

static inline void assert_warm(struct fixture *fixture, size_t tenant, uint32_t dek_id)
{
    struct asker asker = new_asker();
    const struct lh_datakey *key;
    assert_ok(ask(fixture, &asker, tenant, dek_id, &key));
}

static inline void assert_cold(struct fixture *fixture, size_t tenant, uint32_t dek_id)
{
    struct asker asker = new_asker();
    const struct lh_datakey *key;
    assert_status(ask(fixture, &asker, tenant, dek_id, &key), LH_PENDING);
    lh_op_cancel(&asker.op);
}

static inline struct lh_datakey_counts counts_of(struct fixture *fixture)
{
    struct lh_datakey_counts counts;
    lh_datakey_cache_read_counts(fixture->cache, &counts);
    return counts;
}

#endif
