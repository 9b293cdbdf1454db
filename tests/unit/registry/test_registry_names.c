/*
 * Names, wrapped keys and tiers of the registry.
 */
#include "support/test.h"

#include "registry_fixture.h"

#define DAY_MS (24U * 3600U * 1000U)

static struct lh_tenant *load(struct registry_fixture *fixture, const char *name)
{
    struct lh_tenant *tenant;
    assert_ok(fixture_load(fixture, name, &tenant));
    return tenant;
}

static void assert_absent(struct registry_fixture *fixture, const char *name)
{
    struct lh_tenant *tenant;
    assert_status(fixture_load(fixture, name, &tenant), LH_ABSENT);
}

/* --- Names ------------------------------------------------------------------------------------ */

static void test_registry_names__belong_to_one_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(fixture_claim(txn, LH_NAME_TENANT, "acme", 1, FIXTURE_NOW_MS, false));
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, false), LH_EXISTS);
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, true), LH_EXISTS);
    assert_ok(
        fixture_claim(txn, LH_NAME_DOMAIN, "acme", 2, FIXTURE_NOW_MS, false)); /* another space */
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "", 2, FIXTURE_NOW_MS, false), LH_INVALID);
}

static void test_registry_names__alias_and_domain_lead_to_the_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(fixture_claim(txn, LH_NAME_TENANT, "acme-eu", 1, FIXTURE_NOW_MS, false));
    assert_ok(fixture_claim(txn, LH_NAME_DOMAIN, "portal.acme.test", 1, FIXTURE_NOW_MS, false));
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_alias = load(fixture, "acme-eu");
    assert_slice_text(lh_tenant_id_view(&by_alias->id), "acme");
    const struct lh_directory_source *source = lh_registry_source(fixture->registry);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_domain = NULL;
    assert_ok(
        source->load_by_domain(source->self, LH_SLICE_LITERAL("portal.acme.test"), &by_domain));
    assert_slice_text(lh_tenant_id_view(&by_domain->id), "acme");
    struct lh_tenant *nobody = NULL;
    assert_status(source->load_by_domain(source->self, LH_SLICE_LITERAL("acme"), &nobody),
                  LH_ABSENT);
    assert_absent(fixture, "portal.acme.test");
}

static void test_registry_names__a_rename_stops_and_reserves_the_old_name(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(1);
    struct lh_tenant *tenant;
    assert_ok(lh_registry_get_tenant(txn, &uid, &tenant));
    assert_ok(fixture_claim(txn, LH_NAME_TENANT, "acme-corp", 1, FIXTURE_NOW_MS, false));
    assert_ok(fixture_release(txn, "acme", FIXTURE_NOW_MS + 400 * (uint64_t)DAY_MS));
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme-corp"), &tenant->id));
    assert_ok(lh_registry_put_tenant(txn, tenant));
    lh_tenant_unref(tenant);
    fixture_commit(txn);
    assert_absent(fixture, "acme");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme-corp");
    assert_slice_text(lh_tenant_id_view(&found->id), "acme-corp");
    assert_true(lh_tenant_uid_is_equal(&found->uid, &uid));
}

static void test_registry_names__a_reserved_name_waits_for_its_time(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(fixture_release(txn, "acme", FIXTURE_NOW_MS + DAY_MS));
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS + DAY_MS - 1, false),
                  LH_RESERVED);
    assert_ok(fixture_claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS + DAY_MS, false));
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "acme", 1, FIXTURE_NOW_MS, false), LH_EXISTS);
}

static void test_registry_names__a_reserved_name_is_its_owners_or_reclaimed(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(fixture_release(txn, "acme", FIXTURE_NOW_MS + DAY_MS));
    assert_ok(fixture_claim(txn, LH_NAME_TENANT, "acme", 1, FIXTURE_NOW_MS, false));
    assert_ok(fixture_release(txn, "acme", FIXTURE_NOW_MS + DAY_MS));
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, false),
                  LH_RESERVED);
    assert_ok(fixture_claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, true));
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "acme", 1, FIXTURE_NOW_MS, false), LH_EXISTS);
}

static void test_registry_release_name__only_prolongs_a_reservation(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_status(fixture_release(txn, "nobody", FIXTURE_NOW_MS), LH_ABSENT);
    assert_ok(fixture_release(txn, "acme", FIXTURE_NOW_MS + 2 * (uint64_t)DAY_MS));
    assert_ok(fixture_release(txn, "acme", FIXTURE_NOW_MS + DAY_MS));
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS + DAY_MS, false),
                  LH_RESERVED);
}

/* --- Keys and tiers --------------------------------------------------------------------------- */

static void test_registry_put_dek__keys_come_in_order_and_stay_with_their_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    fixture_add(fixture, 2, "globex");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    fixture_put_dek(txn, 1, 300, LH_DEK_PENDING);
    fixture_put_dek(txn, 1, 2, LH_DEK_ACTIVE);
    fixture_put_dek(txn, 1, 1, LH_DEK_DECRYPT_ONLY);
    fixture_put_dek(txn, 2, 9, LH_DEK_ACTIVE);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(fixture, "acme");
    assert_int_equal(acme->dek_count, 3);
    assert_int_equal(acme->deks[0].id, 1);
    assert_int_equal(acme->deks[1].id, 2);
    assert_int_equal(acme->deks[2].id, 300);
    assert_int_equal(acme->deks[0].state, LH_DEK_DECRYPT_ONLY);
    assert_int_equal(acme->deks[0].created_ms, 101);
    assert_int_equal(acme->deks[0].retire_ms, 201);
    assert_slice_text(acme->deks[2].blob, "wrapped key");
    assert_int_equal(acme->active_dek, 2);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = load(fixture, "globex");
    assert_int_equal(globex->dek_count, 1);
    assert_int_equal(globex->active_dek, 9);
}

static void test_registry_put_dek__a_rotation_moves_the_active_key(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    fixture_put_dek(txn, 1, 1, LH_DEK_ACTIVE);
    fixture_put_dek(txn, 1, 2, LH_DEK_PENDING);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *before = load(fixture, "acme");
    assert_int_equal(before->active_dek, 1);
    txn = fixture_begin(fixture);
    fixture_put_dek(txn, 1, 2, LH_DEK_ACTIVE);
    fixture_put_dek(txn, 1, 1, LH_DEK_DECRYPT_ONLY);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *after = load(fixture, "acme");
    assert_int_equal(after->active_dek, 2);
    assert_int_equal(after->dek_count, 2);
    assert_int_not_equal(after->counter, before->counter);
    struct lh_tenant_uid uid = fixture_uid(1);
    const struct lh_wrapped_dek nameless = {.id = 0};
    txn = fixture_begin(fixture);
    assert_status(lh_registry_put_dek(txn, &uid, &nameless), LH_INVALID);
    lh_registry_end(&txn);
}

static void test_registry_put_tier__changes_every_tenant_of_it(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tier tier;
    assert_ok(lh_registry_get_tier(txn, LH_SLICE_LITERAL("free"), &tier));
    assert_int_equal(tier.idle_s, 1800);
    tier.idle_s = 60;
    tier.sessions_max = UINT64_MAX;
    assert_ok(lh_registry_put_tier(txn, &tier));
    tier.idle_s = 0;
    assert_status(lh_registry_put_tier(txn, &tier), LH_INVALID);
    assert_status(lh_registry_get_tier(txn, LH_SLICE_LITERAL("gold"), &tier), LH_ABSENT);
    assert_status(lh_registry_get_tier(txn, LH_SLICE_EMPTY, &tier), LH_ABSENT);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme");
    assert_int_equal(found->tier.idle_s, 60);
    assert_true(found->tier.sessions_max == UINT64_MAX);
}

#define WITH_REGISTRY(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, registry_fixture_set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REGISTRY(test_registry_names__belong_to_one_tenant),
        WITH_REGISTRY(test_registry_names__alias_and_domain_lead_to_the_tenant),
        WITH_REGISTRY(test_registry_names__a_rename_stops_and_reserves_the_old_name),
        WITH_REGISTRY(test_registry_names__a_reserved_name_waits_for_its_time),
        WITH_REGISTRY(test_registry_names__a_reserved_name_is_its_owners_or_reclaimed),
        WITH_REGISTRY(test_registry_release_name__only_prolongs_a_reservation),
        WITH_REGISTRY(test_registry_put_dek__keys_come_in_order_and_stay_with_their_tenant),
        WITH_REGISTRY(test_registry_put_dek__a_rotation_moves_the_active_key),
        WITH_REGISTRY(test_registry_put_tier__changes_every_tenant_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
