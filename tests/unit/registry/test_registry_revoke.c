/*
 * Revocations, epochs and what sweeps them away.
 */
#include "support/test.h"

#include "registry_fixture.h"

static int set_up(void **state)
{
    (void)registry_fixture_set_up(state);
    fixture_add(*state, 1, "acme");
    fixture_add(*state, 2, "globex");
    return 0;
}

static void revoke(struct lh_registry_txn *txn, unsigned tenant, unsigned lease, bool is_revoked,
                   uint64_t least_generation, uint64_t keep_until_ms)
{
    struct lh_tenant_uid uid = fixture_uid(tenant);
    struct lh_lease_id id = fixture_lease(lease);
    const struct lh_revocation revocation = {is_revoked, least_generation};
    assert_ok(lh_registry_put_revocation(txn, &uid, &id, &revocation, keep_until_ms));
}

static struct lh_revocation read_revocation(struct registry_fixture *fixture, unsigned tenant,
                                            unsigned lease)
{
    struct lh_tenant_uid uid = fixture_uid(tenant);
    struct lh_lease_id id = fixture_lease(lease);
    struct lh_revocation found = {true, 99};
    assert_ok(lh_registry_read_revocation(fixture->registry, &uid, &id, &found));
    return found;
}

static uint64_t raise_user(struct lh_registry_txn *txn, unsigned tenant, unsigned user,
                           uint64_t now_ms, uint64_t keep_until_ms)
{
    struct lh_tenant_uid uid = fixture_uid(tenant);
    struct lh_user_tag tag = fixture_tag(user);
    uint64_t epoch = 0;
    assert_ok(lh_registry_raise_user_epoch(txn, &uid, &tag, now_ms, keep_until_ms, &epoch));
    return epoch;
}

static uint64_t read_user(struct registry_fixture *fixture, unsigned tenant, unsigned user)
{
    struct lh_tenant_uid uid = fixture_uid(tenant);
    struct lh_user_tag tag = fixture_tag(user);
    uint64_t epoch = 99;
    assert_ok(lh_registry_read_user_epoch(fixture->registry, &uid, &tag, &epoch));
    return epoch;
}

static size_t sweep(struct registry_fixture *fixture, uint64_t now_ms, size_t max_rows)
{
    struct lh_registry_txn *txn = fixture_begin(fixture);
    size_t removed = 99;
    assert_ok(lh_registry_sweep(txn, now_ms, max_rows, &removed));
    fixture_commit(txn);
    return removed;
}

static void test_registry_put_revocation__hits_one_session_of_one_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    revoke(txn, 1, 1, true, 0, 1000);
    revoke(txn, 1, 2, false, 5, 1000);
    fixture_commit(txn);
    assert_true(read_revocation(fixture, 1, 1).is_revoked);
    assert_false(read_revocation(fixture, 1, 2).is_revoked);
    assert_int_equal(read_revocation(fixture, 1, 2).least_generation, 5);
    assert_false(read_revocation(fixture, 1, 3).is_revoked);
    assert_int_equal(read_revocation(fixture, 1, 3).least_generation, 0);
    assert_false(read_revocation(fixture, 2, 1).is_revoked); /* same lease id, other tenant */
}

static void test_registry_put_revocation__is_never_weakened(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    revoke(txn, 1, 1, true, 7, 2000);
    revoke(txn, 1, 1, false, 3, 1000);
    fixture_commit(txn);
    assert_true(read_revocation(fixture, 1, 1).is_revoked);
    assert_int_equal(read_revocation(fixture, 1, 1).least_generation, 7);
    assert_int_equal(sweep(fixture, 1999, 10), 0);
    assert_true(read_revocation(fixture, 1, 1).is_revoked);
    assert_int_equal(sweep(fixture, 2000, 10), 1);
    assert_false(read_revocation(fixture, 1, 1).is_revoked);
}

static void test_registry_put_revocation__can_be_kept_longer_but_is_swept_once(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    revoke(txn, 1, 1, false, 3, 1000);
    fixture_commit(txn);
    txn = fixture_begin(fixture);
    revoke(txn, 1, 1, true, 4, 5000);
    fixture_commit(txn);
    assert_int_equal(sweep(fixture, 4999, 10), 0); /* no entry of the former end is left */
    assert_true(read_revocation(fixture, 1, 1).is_revoked);
    assert_int_equal(sweep(fixture, 5000, 10), 1);
    assert_int_equal(sweep(fixture, UINT64_MAX, 10), 0);
}

static void test_registry_snapshots__say_whether_look_ups_are_needed(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    revoke(txn, 1, 1, true, 0, 1000);
    (void)raise_user(txn, 2, 1, 5, 1000);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = fixture_load_uid(fixture, 2);
    assert_true(acme->has_revocations);
    assert_false(acme->has_user_epochs);
    assert_false(globex->has_revocations);
    assert_true(globex->has_user_epochs);
    assert_int_equal(sweep(fixture, 1000, 10), 2);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *later = fixture_load_uid(fixture, 1);
    assert_false(later->has_revocations);
}

static void test_registry_raise_user_epoch__never_repeats_even_if_the_clock_does(void **state)
{
    struct registry_fixture *fixture = *state;
    assert_int_equal(read_user(fixture, 1, 1), 0);
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_int_equal(raise_user(txn, 1, 1, 5000, 9000), 5000);
    assert_int_equal(raise_user(txn, 1, 1, 5000, 9000), 5001);
    assert_int_equal(raise_user(txn, 1, 1, 10, 9000), 5002);
    assert_int_equal(raise_user(txn, 1, 1, 6000, 9000), 6000);
    fixture_commit(txn);
    assert_int_equal(read_user(fixture, 1, 1), 6000);
    assert_int_equal(read_user(fixture, 1, 2), 0);
    assert_int_equal(read_user(fixture, 2, 1), 0);
}

static void test_registry_raise_user_epoch__is_kept_until_the_later_end(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    (void)raise_user(txn, 1, 1, 100, 2000);
    uint64_t epoch = raise_user(txn, 1, 1, 200, 1000);
    fixture_commit(txn);
    assert_int_equal(sweep(fixture, 1999, 10), 0);
    assert_int_equal(read_user(fixture, 1, 1), epoch);
    assert_int_equal(sweep(fixture, 2000, 10), 1);
    assert_int_equal(read_user(fixture, 1, 1), 0);
}

static void test_registry_raise_tenant_epoch__touches_one_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_tenant_uid uid = fixture_uid(1), nobody = fixture_uid(9);
    uint64_t epoch;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_raise_tenant_epoch(txn, &uid, 5, &epoch));
    assert_int_equal(epoch, FIXTURE_NOW_MS + 1);
    assert_status(lh_registry_raise_tenant_epoch(txn, &nobody, 5, &epoch), LH_ABSENT);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = fixture_load_uid(fixture, 2);
    assert_int_equal(acme->epoch, FIXTURE_NOW_MS + 1);
    assert_int_equal(globex->epoch, FIXTURE_NOW_MS);
}

static void test_registry_raise_platform_epoch__reaches_every_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    uint64_t epoch;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_raise_platform_epoch(txn, 5, &epoch));
    assert_int_equal(epoch, 78);
    assert_ok(lh_registry_raise_platform_epoch(txn, 500, &epoch));
    assert_int_equal(epoch, 500);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = fixture_load_uid(fixture, 2);
    assert_int_equal(globex->platform_epoch, 500);
}

static void test_registry_sweep__takes_the_oldest_and_not_more_than_asked(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    for (unsigned i = 0; i < 20; i++) {
        revoke(txn, 1, i, true, 0, 1000 + i);
    }
    (void)raise_user(txn, 1, 1, 5, 1005);
    fixture_commit(txn);
    assert_int_equal(sweep(fixture, 1009, 4), 4);
    assert_false(read_revocation(fixture, 1, 3).is_revoked);
    assert_true(read_revocation(fixture, 1, 4).is_revoked);
    assert_int_equal(read_user(fixture, 1, 1), 5);
    assert_int_equal(sweep(fixture, 1009, 100), 7);
    assert_int_equal(read_user(fixture, 1, 1), 0);
    assert_false(read_revocation(fixture, 1, 9).is_revoked);
    assert_true(read_revocation(fixture, 1, 10).is_revoked);
    assert_int_equal(sweep(fixture, 1009, 100), 0);
    assert_int_equal(sweep(fixture, 5000, 0), 0);
}

#define WITH_TENANTS(test) cmocka_unit_test_setup_teardown(test, set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TENANTS(test_registry_put_revocation__hits_one_session_of_one_tenant),
        WITH_TENANTS(test_registry_put_revocation__is_never_weakened),
        WITH_TENANTS(test_registry_put_revocation__can_be_kept_longer_but_is_swept_once),
        WITH_TENANTS(test_registry_snapshots__say_whether_look_ups_are_needed),
        WITH_TENANTS(test_registry_raise_user_epoch__never_repeats_even_if_the_clock_does),
        WITH_TENANTS(test_registry_raise_user_epoch__is_kept_until_the_later_end),
        WITH_TENANTS(test_registry_raise_tenant_epoch__touches_one_tenant),
        WITH_TENANTS(test_registry_raise_platform_epoch__reaches_every_tenant),
        WITH_TENANTS(test_registry_sweep__takes_the_oldest_and_not_more_than_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
