/*
 * A full map and a full disk: nothing new is granted, and revoking goes on.
 */
#include "support/test.h"

#include "registry_fixture.h"

#include <errno.h>

/* The disk, as far as blocks are asked for ahead. The name is that of large files. */
static int disk_error;

int __real_fallocate64(int fd, int mode, off_t offset, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len);

int __wrap_fallocate64(int fd, int mode, off_t offset, off_t len)
{
    if (disk_error != 0) {
        errno = disk_error;
        return -1;
    }
    return __real_fallocate64(fd, mode, offset, len);
}

static int set_up(void **state)
{
    disk_error = 0;
    return registry_fixture_set_up_small(state);
}

/* Adds tenants of some 4 KiB in transactions of ten until one has no room. Returns how many. */
static unsigned fill(struct registry_fixture *fixture)
{
    static char text[3000];
    memset(text, 'x', sizeof(text));
    struct lh_role role = {.name = LH_SLICE_OF(text)};
    for (unsigned n = 0;; n += 10) {
        struct lh_registry_txn *txn = fixture_begin(fixture);
        lh_status status = lh_ok();
        for (unsigned i = n; i < n + 10 && lh_is_ok(status); i++) {
            char id[20];
            (void)snprintf(id, sizeof(id), "tenant-%u", i);
            status = fixture_put_new(txn, i, id);
            LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
            struct lh_tenant_uid uid = fixture_uid(i);
            if (lh_is_ok(status)) {
                assert_ok(lh_registry_get_tenant(txn, &uid, &tenant));
                tenant->roles = &role;
                tenant->role_count = 1;
                status = lh_registry_put_tenant(txn, tenant);
            }
        }
        if (lh_is_ok(status)) {
            status = lh_registry_commit(txn);
        }
        lh_registry_end(&txn);
        if (!lh_is_ok(status)) {
            assert_int_equal(status.code, LH_NO_SPACE);
            return n;
        }
        assert_in_range(n, 0, 5000);
    }
}

static void revoke(struct registry_fixture *fixture, unsigned lease, uint64_t keep_until_ms)
{
    struct lh_tenant_uid uid = fixture_uid(0);
    struct lh_lease_id id = fixture_lease(lease);
    const struct lh_revocation revocation = {true, 0};
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_put_revocation(txn, &uid, &id, &revocation, keep_until_ms));
    fixture_commit(txn);
}

static void test_registry_space__a_full_map_grants_nothing_and_still_revokes(void **state)
{
    struct registry_fixture *fixture = *state;
    unsigned tenants = fill(fixture);
    assert_in_range(tenants, 100, 4000);
    for (unsigned i = 0; i < 1000; i++) {
        revoke(fixture, i, 1000 + i);
    }
    struct lh_tenant_uid uid = fixture_uid(0);
    struct lh_user_tag tag = fixture_tag(1);
    uint64_t epoch;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_raise_user_epoch(txn, &uid, &tag, 5, 5, &epoch));
    assert_ok(lh_registry_raise_tenant_epoch(txn, &uid, 5, &epoch));
    assert_ok(lh_registry_raise_platform_epoch(txn, 500, &epoch));
    fixture_set_state(txn, 0, LH_TENANT_DISABLED);
    assert_ok(fixture_release(txn, "tenant-0", FIXTURE_NOW_MS));
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *stopped = fixture_load_uid(fixture, 0);
    assert_int_equal(stopped->state, LH_TENANT_DISABLED);
    assert_true(stopped->has_revocations);
}

static void test_registry_space__what_grants_is_refused_in_the_reserve(void **state)
{
    struct registry_fixture *fixture = *state;
    (void)fill(fixture);
    struct lh_tenant_uid uid = fixture_uid(0);
    const struct lh_wrapped_dek dek = {.id = 1, .state = LH_DEK_ACTIVE};
    const struct lh_wrapped_dek destroyed = {.id = 1, .state = LH_DEK_DESTROYED};
    struct lh_registry_txn *txn = fixture_begin(fixture);
    /* Takes what the last fill left below the reserve, and then the reserve itself. */
    for (unsigned i = 0; i < 1000; i++) {
        struct lh_lease_id lease = fixture_lease(i);
        const struct lh_revocation revocation = {true, 0};
        assert_ok(lh_registry_put_revocation(txn, &uid, &lease, &revocation, 1000));
    }
    fixture_commit(txn);
    txn = fixture_begin(fixture);
    assert_status(lh_registry_put_dek(txn, &uid, &dek), LH_NO_SPACE);
    lh_registry_end(&txn);
    txn = fixture_begin(fixture);
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "another", 0, 5, false), LH_NO_SPACE);
    lh_registry_end(&txn);
    txn = fixture_begin(fixture);
    size_t count;
    assert_status(lh_registry_put_tier(txn, lh_tier_defaults(&count)), LH_NO_SPACE);
    lh_registry_end(&txn);
    txn = fixture_begin(fixture);
    assert_ok(lh_registry_put_dek(txn, &uid, &destroyed));
    fixture_commit(txn);
}

/* Revokes sessions in transactions of that many until one has no room. Returns the next lease. */
static unsigned fill_with_revocations(struct registry_fixture *fixture, unsigned next,
                                      unsigned batch)
{
    struct lh_tenant_uid uid = fixture_uid(0);
    const struct lh_revocation revocation = {true, 0};
    for (;; next += batch) {
        struct lh_registry_txn *txn = fixture_begin(fixture);
        lh_status status = lh_ok();
        for (unsigned i = next; i < next + batch && lh_is_ok(status); i++) {
            struct lh_lease_id lease = fixture_lease(i);
            status = lh_registry_put_revocation(txn, &uid, &lease, &revocation, 1000);
        }
        if (lh_is_ok(status)) {
            status = lh_registry_commit(txn);
        }
        lh_registry_end(&txn);
        if (!lh_is_ok(status)) {
            assert_int_equal(status.code, LH_NO_SPACE);
            return next;
        }
    }
}

static void test_registry_space__sweeping_makes_room_again(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_tenant_uid uid = fixture_uid(0);
    fixture_add(fixture, 0, "tenant-x");
    /* Large steps first: they need room for all pages that they copy, small ones go on. */
    unsigned next = fill_with_revocations(fixture, 0, 500);
    next = fill_with_revocations(fixture, next, 20);
    assert_in_range(next, 5000, 50000);
    struct lh_revocation first;
    struct lh_lease_id lease = fixture_lease(0);
    assert_ok(lh_registry_read_revocation(fixture->registry, &uid, &lease, &first));
    assert_true(first.is_revoked);
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_status(fixture_put_new(txn, 1, "another"), LH_NO_SPACE);
    lh_registry_end(&txn);
    for (size_t removed = 1; removed > 0;) {
        txn = fixture_begin(fixture);
        assert_ok(lh_registry_sweep(txn, 1000, 256, &removed));
        fixture_commit(txn);
    }
    fixture_add(fixture, 1, "another");
}

static void test_registry_space__a_full_disk_grants_nothing_and_still_revokes(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 0, "acme");
    disk_error = ENOSPC;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_status(fixture_put_new(txn, 1, "globex"), LH_NO_SPACE);
    lh_registry_end(&txn);
    revoke(fixture, 1, 1000);
    disk_error = 0;
    fixture_add(fixture, 1, "globex");
    /* Filled up between begin and commit: the transaction is given up whole. */
    txn = fixture_begin(fixture);
    assert_ok(fixture_put_new(txn, 2, "initech"));
    disk_error = ENOSPC;
    assert_status(lh_registry_commit(txn), LH_NO_SPACE);
    lh_registry_end(&txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    assert_status(fixture_load(fixture, "initech", &tenant), LH_ABSENT);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 0);
    assert_true(acme->has_revocations);
}

static void test_registry_space__file_systems_that_cannot_allocate_ahead_work(void **state)
{
    struct registry_fixture *fixture = *state;
    disk_error = EOPNOTSUPP;
    fixture_add(fixture, 0, "acme");
}

#define WITH_SMALL_MAP(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SMALL_MAP(test_registry_space__a_full_map_grants_nothing_and_still_revokes),
        WITH_SMALL_MAP(test_registry_space__what_grants_is_refused_in_the_reserve),
        WITH_SMALL_MAP(test_registry_space__sweeping_makes_room_again),
        WITH_SMALL_MAP(test_registry_space__a_full_disk_grants_nothing_and_still_revokes),
        WITH_SMALL_MAP(test_registry_space__file_systems_that_cannot_allocate_ahead_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
