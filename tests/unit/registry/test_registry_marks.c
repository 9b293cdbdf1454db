/*
 * What writes mark for the caches of others, and lists for operators.
 */
#include "support/test.h"

#include "registry_fixture.h"

static struct lh_tenant *load(struct registry_fixture *fixture, const char *name)
{
    struct lh_tenant *tenant;
    assert_ok(fixture_load(fixture, name, &tenant));
    return tenant;
}

/* --- Marks ------------------------------------------------------------------------------------ */

static void test_registry_mark__raises_at_once_and_again_at_the_end(void **state)
{
    struct registry_fixture *fixture = *state;
    uint64_t before = fixture_counter(fixture, 500);
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_mark(txn, 500));
    assert_ok(lh_registry_mark(txn, 500));
    assert_int_equal(fixture_counter(fixture, 500), before + 1);
    assert_ok(lh_registry_commit(txn));
    assert_int_equal(fixture_counter(fixture, 500), before + 1);
    lh_registry_end(&txn);
    assert_int_equal(fixture_counter(fixture, 500), before + 2);
    assert_int_equal(fixture_counter(fixture, 499), 0);
    assert_int_equal(fixture_counter(fixture, 501), 0);
    txn = fixture_begin(fixture);
    assert_status(lh_registry_mark(txn, LH_COUNTER_SLOTS), LH_COUNTERS_DOWN);
    assert_ok(lh_registry_mark(txn, LH_COUNTER_SLOTS - 1));
    lh_registry_end(&txn);
    assert_int_equal(fixture_counter(fixture, LH_COUNTER_SLOTS - 1), 2);
}

/* What a write raises: the tenant's counter, the platform's, both or none. */
static void assert_raises(struct registry_fixture *fixture, struct lh_registry_txn *txn,
                          const uint64_t before[2], bool tenants, bool platforms)
{
    assert_int_equal(fixture_counter(fixture, 1), before[0] + tenants);
    assert_int_equal(fixture_counter(fixture, 0), before[1] + platforms);
    lh_registry_end(&txn);
    assert_int_equal(fixture_counter(fixture, 1), before[0] + 2U * tenants);
    assert_int_equal(fixture_counter(fixture, 0), before[1] + 2U * platforms);
}

#define ASSERT_RAISES(write, tenants, platforms)                                                   \
    do {                                                                                           \
        const uint64_t before[2] = {fixture_counter(fixture, 1), fixture_counter(fixture, 0)};     \
        struct lh_registry_txn *txn = fixture_begin(fixture);                                      \
        write;                                                                                     \
        assert_raises(fixture, txn, before, tenants, platforms);                                   \
    } while (0)

static void test_registry_writes__mark_what_they_change(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_tenant_uid uid = fixture_uid(1);
    struct lh_lease_id lease = fixture_lease(1);
    struct lh_user_tag tag = fixture_tag(1);
    const struct lh_revocation revocation = {.is_revoked = true};
    struct lh_tier tier;
    uint64_t epoch;
    ASSERT_RAISES(fixture_set_state(txn, 1, LH_TENANT_DISABLED), true, false);
    ASSERT_RAISES(fixture_put_dek(txn, 1, 1, LH_DEK_ACTIVE), true, false);
    ASSERT_RAISES(assert_ok(lh_registry_put_revocation(txn, &uid, &lease, &revocation, 5)), true,
                  false);
    ASSERT_RAISES(assert_ok(lh_registry_raise_user_epoch(txn, &uid, &tag, 5, 5, &epoch)), true,
                  false);
    ASSERT_RAISES(assert_ok(lh_registry_raise_tenant_epoch(txn, &uid, 5, &epoch)), true, false);
    ASSERT_RAISES(assert_ok(lh_registry_raise_platform_epoch(txn, 5, &epoch)), false, true);
    ASSERT_RAISES(assert_ok(fixture_claim(txn, LH_NAME_TENANT, "acme-eu", 1, 5, false)), false,
                  true);
    ASSERT_RAISES(assert_ok(fixture_release(txn, "acme", 5)), false, true);
    ASSERT_RAISES(
        {
            assert_ok(lh_registry_get_tier(txn, LH_SLICE_LITERAL("free"), &tier));
            assert_ok(lh_registry_put_tier(txn, &tier));
        },
        false, true);
}

static void test_registry_source__notes_counters_and_reads_them(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme");
    assert_int_equal(found->counter, fixture_counter(fixture, found->slot));
    assert_int_equal(found->platform_counter, fixture_counter(fixture, 0));
    const struct lh_directory_source *source = lh_registry_source(fixture->registry);
    uint64_t value;
    assert_ok(source->read_counter(source->self, found->slot, &value));
    assert_int_equal(value, found->counter);
    assert_status(source->read_counter(source->self, LH_COUNTER_SLOTS, &value), LH_COUNTERS_DOWN);
    struct lh_tenant_uid nobody = fixture_uid(5);
    struct lh_tenant *tenant = NULL;
    assert_status(source->load_by_uid(source->self, &nobody, &tenant), LH_ABSENT);
    assert_null(tenant);
}

/* --- Lists ------------------------------------------------------------------------------------ */

#define MANY 10000U

struct listing {
    struct registry_fixture *fixture;
    unsigned seen;
    unsigned stop_after; /* 0: never */
    char last[40];
};

static bool list_tenant(void *context, const struct lh_tenant *tenant)
{
    struct listing *listing = context;
    char text[40];
    (void)snprintf(text, sizeof(text), "%.*s", LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)));
    assert_true(listing->seen == 0 || strcmp(listing->last, text) <= 0);
    memcpy(listing->last, text, sizeof(text));
    listing->seen++;
    return listing->seen != listing->stop_after;
}

static void test_registry_each_tenant__lists_ten_thousand_in_order(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    for (unsigned i = 0; i < MANY; i++) {
        char id[20];
        (void)snprintf(id, sizeof(id), "tenant-%u", i * 7919U % MANY);
        assert_ok(fixture_put_new(txn, i, id));
    }
    fixture_commit(txn);
    struct listing listing = {.fixture = fixture};
    assert_ok(lh_registry_each_tenant(fixture->registry, list_tenant, &listing));
    assert_int_equal(listing.seen, MANY);
    listing = (struct listing){.fixture = fixture, .stop_after = 3};
    assert_ok(lh_registry_each_tenant(fixture->registry, list_tenant, &listing));
    assert_int_equal(listing.seen, 3);
    assert_string_equal(listing.last, "tenant-10");
}

static bool list_and_look(void *context, const struct lh_tenant *tenant)
{
    struct listing *listing = context;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *again = NULL;
    assert_ok(fixture_load(listing->fixture, "globex", &again));
    listing->seen += tenant->state == LH_TENANT_REMOVED ? 10 : 1;
    return true;
}

static void test_registry_each_tenant__shows_removed_ones_and_may_be_nested(void **state)
{
    struct registry_fixture *fixture = *state;
    struct listing listing = {.fixture = fixture};
    assert_ok(lh_registry_each_tenant(fixture->registry, list_tenant, &listing));
    assert_int_equal(listing.seen, 0);
    fixture_add(fixture, 1, "acme");
    fixture_add(fixture, 2, "globex");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    fixture_set_state(txn, 1, LH_TENANT_REMOVED);
    assert_ok(fixture_release(txn, "acme", FIXTURE_NOW_MS));
    assert_ok(fixture_put_new(txn, 3, "acme")); /* its successor */
    fixture_commit(txn);
    assert_ok(lh_registry_each_tenant(fixture->registry, list_and_look, &listing));
    assert_int_equal(listing.seen, 12);
}

static bool list_tier(void *context, const struct lh_tier *tier)
{
    struct listing *listing = context;
    (void)snprintf(listing->last, sizeof(listing->last), "%.*s", LH_SLICE_ARG(lh_tier_name(tier)));
    listing->seen++;
    return listing->seen != listing->stop_after;
}

static void test_registry_each_tier__lists_the_defaults(void **state)
{
    struct registry_fixture *fixture = *state;
    struct listing listing = {.seen = 0};
    assert_ok(lh_registry_each_tier(fixture->registry, list_tier, &listing));
    assert_int_equal(listing.seen, 3);
    assert_string_equal(listing.last, "standard");
    listing = (struct listing){.stop_after = 2};
    assert_ok(lh_registry_each_tier(fixture->registry, list_tier, &listing));
    assert_string_equal(listing.last, "premium");
}

#define WITH_REGISTRY(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, registry_fixture_set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REGISTRY(test_registry_mark__raises_at_once_and_again_at_the_end),
        WITH_REGISTRY(test_registry_writes__mark_what_they_change),
        WITH_REGISTRY(test_registry_source__notes_counters_and_reads_them),
        WITH_REGISTRY(test_registry_each_tenant__lists_ten_thousand_in_order),
        WITH_REGISTRY(test_registry_each_tenant__shows_removed_ones_and_may_be_nested),
        WITH_REGISTRY(test_registry_each_tier__lists_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
