/*
 * Snapshots of one tenant.
 */
#include "support/freed.h"
#include "support/test.h"

#include "tenant/directory.h"

static struct lh_tenant *make_tenant(void)
{
    struct lh_tenant *tenant;
    assert_ok(lh_tenant_new(4096, &tenant));
    return tenant;
}

static void test_tenant__lives_until_the_last_reference_goes(void **state)
{
    (void)state;
    struct lh_tenant *tenant = make_tenant();
    void *memory;
    assert_ok(lh_arena_take(&tenant->arena, 100, &memory));
    assert_ptr_equal(lh_tenant_ref(tenant), tenant);
    lh_tenant_unref(tenant);
    assert_int_equal(tenant->references, 1);
    memset(memory, 1, 100); /* a sanitizer build sees a use after free */
    lh_tenant_unref(tenant);
    lh_tenant_unref(NULL);
}

static void test_tenant__leaves_none_of_its_keys_behind(void **state)
{
    (void)state;
    struct lh_tenant *tenant = make_tenant();
    struct lh_key index_key = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}};
    tenant->index_key = index_key;
    freed_watch(index_key.bytes, sizeof(index_key.bytes));
    lh_tenant_unref(tenant);
    assert_true(freed_blocks() > 0);
    assert_int_equal(freed_traces(), 0);
    freed_watch(NULL, 0);
}

static void test_tenant_new__bounds_its_arena(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    void *memory;
    assert_status(lh_arena_take(&tenant->arena, 4097, &memory), LH_TOO_LARGE);
}

static void test_tenant_find_dek__finds_by_id_only(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    struct lh_wrapped_dek deks[] = {{.id = 1}, {.id = 2}, {.id = 7}};
    assert_null(lh_tenant_find_dek(tenant, 0));
    tenant->deks = deks;
    tenant->dek_count = 3;
    assert_ptr_equal(lh_tenant_find_dek(tenant, 1), &deks[0]);
    assert_ptr_equal(lh_tenant_find_dek(tenant, 7), &deks[2]);
    assert_null(lh_tenant_find_dek(tenant, 3));
    assert_null(lh_tenant_find_dek(tenant, 0));
}

static void test_tenant_find_role__compares_exact_bytes(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    struct lh_role roles[] = {{.name = LH_SLICE_LITERAL("editor")},
                              {.name = LH_SLICE_LITERAL("viewer")}};
    tenant->roles = roles;
    tenant->role_count = 2;
    assert_ptr_equal(lh_tenant_find_role(tenant, LH_SLICE_LITERAL("viewer")), &roles[1]);
    assert_null(lh_tenant_find_role(tenant, LH_SLICE_LITERAL("Viewer")));
    assert_null(lh_tenant_find_role(tenant, LH_SLICE_LITERAL("view")));
    assert_null(lh_tenant_find_role(tenant, LH_SLICE_EMPTY));
}

static void test_tenant_has_name__knows_id_and_aliases_but_not_domains(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    lh_slice aliases[] = {LH_SLICE_LITERAL("acme-old")};
    lh_slice domains[] = {LH_SLICE_LITERAL("acme.example")};
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme"), &tenant->id));
    tenant->aliases = aliases;
    tenant->alias_count = 1;
    tenant->domains = domains;
    tenant->domain_count = 1;
    assert_true(lh_tenant_has_name(tenant, LH_SLICE_LITERAL("acme")));
    assert_true(lh_tenant_has_name(tenant, LH_SLICE_LITERAL("acme-old")));
    assert_false(lh_tenant_has_name(tenant, LH_SLICE_LITERAL("acme.example")));
    assert_true(lh_tenant_has_domain(tenant, LH_SLICE_LITERAL("acme.example")));
    assert_false(lh_tenant_has_domain(tenant, LH_SLICE_LITERAL("acme")));
}

static void test_tenant_bucket__spreads_under_the_tenants_own_key(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = make_tenant();
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = make_tenant();
    globex->bucket_key.bytes[0] = 1;
    unsigned hits[8] = {0};
    unsigned differing = 0;
    for (uint32_t seed = 0; seed < 8000; seed++) {
        uint32_t bucket = lh_tenant_bucket(acme, LH_SLICE_OF(seed), 8);
        assert_in_range(bucket, 0, 7);
        assert_int_equal(bucket, lh_tenant_bucket(acme, LH_SLICE_OF(seed), 8));
        hits[bucket]++;
        differing += bucket != lh_tenant_bucket(globex, LH_SLICE_OF(seed), 8);
        assert_int_equal(lh_tenant_bucket(acme, LH_SLICE_OF(seed), 1), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_in_range(hits[i], 800, 1200);
    }
    assert_in_range(differing, 6500, 7500);
}

static void test_tenant_bucket__doubling_moves_a_seed_only_to_its_twin(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    for (uint32_t seed = 0; seed < 1000; seed++) {
        uint32_t before = lh_tenant_bucket(tenant, LH_SLICE_OF(seed), 4);
        uint32_t after = lh_tenant_bucket(tenant, LH_SLICE_OF(seed), 8);
        assert_true(after == before || after == before + 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tenant__lives_until_the_last_reference_goes),
        cmocka_unit_test(test_tenant__leaves_none_of_its_keys_behind),
        cmocka_unit_test(test_tenant_new__bounds_its_arena),
        cmocka_unit_test(test_tenant_find_dek__finds_by_id_only),
        cmocka_unit_test(test_tenant_find_role__compares_exact_bytes),
        cmocka_unit_test(test_tenant_has_name__knows_id_and_aliases_but_not_domains),
        cmocka_unit_test(test_tenant_bucket__spreads_under_the_tenants_own_key),
        cmocka_unit_test(test_tenant_bucket__doubling_moves_a_seed_only_to_its_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
