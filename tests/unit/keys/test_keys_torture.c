/*
 * Every allocation of opening a keyring, making, wrapping and unwrapping keys, and of the node's
 * keys fails in turn: the answer is an error, nothing leaks, and the next try succeeds.
 */
#include "keyring_fixture.h"

#include "support/failing_alloc.h"

#include "keys/node_key.h"

/* An endless loop would mean that failures are swallowed and tried again. */
#define ALLOCATIONS_MAX 200

static uint8_t next_tenant = 1;

/* Runs act with each allocation failing in turn until none is left to fail. */
static void torture(struct keyring_fixture *fixture,
                    lh_status (*act)(struct keyring_fixture *fixture))
{
    for (size_t nth = 1; nth < ALLOCATIONS_MAX; nth++) {
        failing_alloc_at(nth);
        lh_status status = act(fixture);
        bool has_failed = failing_alloc_count() >= nth;
        failing_alloc_at(0);
        if (!has_failed) {
            assert_ok(status);
            assert_true(nth > 1);
            return;
        }
        assert_true(status.code == LH_NO_MEMORY || status.code == LH_CRYPTO);
        assert_ok(act(fixture));
    }
    fail();
}

static lh_status open_ring(struct keyring_fixture *fixture)
{
    keyring_fixture_close(fixture);
    return keyring_fixture_open(fixture, true);
}

static void test_torture__opening_a_keyring(void **state)
{
    torture(*state, open_ring);
}

/* A tenant of its own each time, and a data key that is wrapped and unwrapped. */
static lh_status use_tenant(struct keyring_fixture *fixture)
{
    uint8_t n = next_tenant++;
    struct lh_tenant_uid uid = uid_of_byte(n);
    LH_TRY(lh_keys_create_tenant(fixture->keys, fixture->crypto, &uid));
    struct lh_wrap_scope scope = dek_scope(n, 1);
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    LH_TRY(lh_keys_generate(fixture->keys, fixture->crypto, &scope, &blob));
    struct lh_key key;
    return unwrap(fixture, n, 1, &blob, &key);
}

static void test_torture__making_a_tenant_and_its_key(void **state)
{
    torture(*state, use_tenant);
}

static void node_path(const struct keyring_fixture *fixture, char out_path[SCRATCH_PATH_BYTES])
{
    scratch_dir_path(&fixture->dir, "node", out_path);
}

static lh_status use_node_keys(struct keyring_fixture *fixture)
{
    char dir[SCRATCH_PATH_BYTES];
    char jwks[SCRATCH_PATH_BYTES];
    node_path(fixture, dir);
    scratch_dir_path(&fixture->dir, "jwks.json", jwks);
    struct lh_node_kid kid;
    uint64_t now_ms = lh_clock_now_ms(&fixture->fake.clock);
    fake_host_advance(&fixture->fake, 10 * LH_NODE_KEY_LEAD_MS); /* so that old ones retire */
    const struct lh_node_key_place place = {dir, jwks, 0644};
    LH_TRY(lh_node_key_create(fixture->crypto, &place, LH_SLICE_LITERAL("gw"), now_ms, &kid));
    struct lh_node_keys *keys;
    LH_TRY(lh_node_keys_open(fixture->crypto, dir, &keys));
    lh_node_keys_close(keys);
    return lh_status_of(LH_OK);
}

static void test_torture__making_reading_and_publishing_node_keys(void **state)
{
    struct keyring_fixture *fixture = *state;
    char dir[SCRATCH_PATH_BYTES];
    node_path(fixture, dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    torture(fixture, use_node_keys);
}

#define TORTURE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TORTURE_TEST(test_torture__opening_a_keyring),
        TORTURE_TEST(test_torture__making_a_tenant_and_its_key),
        TORTURE_TEST(test_torture__making_reading_and_publishing_node_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
