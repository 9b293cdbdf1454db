/*
 * Every allocation of a whole round failing in turn: the answer is "no memory", nothing is leaked
 * or half done, and the next round goes through.
 */
#include "support/test.h"

#include "support/failing_alloc.h"

#include "registry_fixture.h"

#include "issuer_fixture.h"

#define MORE_THAN_A_ROUND_NEEDS 5000U

static bool see_any(void *context, const struct lh_tenant *tenant)
{
    (void)tenant;
    (*(unsigned *)context)++;
    return true;
}

/* Writes a second tenant (or the same again) with a key, a name and a revocation. */
static lh_status write_round(struct lh_registry *registry)
{
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    struct lh_tenant_uid uid = fixture_uid(1);
    struct lh_lease_id lease = fixture_lease(1);
    struct lh_user_tag tag = fixture_tag(1);
    const struct lh_wrapped_dek dek = {.id = 1, .state = LH_DEK_ACTIVE};
    const struct lh_revocation revocation = {true, 0};
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    struct made_issuer issuer;
    struct lh_issuer_conflict conflict;
    const struct lh_wrapped_signing_key signing = {.id = 1, .life_s = 1};
    static const uint8_t point[LH_SIGNATURE_PUBLIC_BYTES];
    const struct lh_signature_key service = {.key_id = LH_SLICE_LITERAL("k"),
                                             .algorithm = LH_HTTP_ED25519,
                                             .material = LH_SLICE_OF(point),
                                             .subject = LH_SLICE_LITERAL("billing")};
    uint64_t epoch;
    make_issuer(&issuer, "https://idp.example");
    LH_TRY(lh_registry_begin(registry, &txn));
    LH_TRY(lh_registry_get_tenant(txn, &uid, &tenant));
    LH_TRY(lh_registry_put_tenant(txn, tenant));
    LH_TRY(lh_registry_put_dek(txn, &uid, &dek));
    LH_TRY(lh_registry_put_issuers(txn, &uid, &issuer.issuer, 1, &conflict));
    LH_TRY(lh_registry_put_signing_key(txn, &uid, &signing));
    LH_TRY(lh_registry_put_signature_key(txn, &uid, &service));
    LH_TRY(lh_registry_claim_name(txn, LH_NAME_DOMAIN, LH_SLICE_LITERAL("acme.test"), &uid,
                                  FIXTURE_NOW_MS, false));
    LH_TRY(lh_registry_put_revocation(txn, &uid, &lease, &revocation, 5));
    LH_TRY(lh_registry_raise_user_epoch(txn, &uid, &tag, 5, 5, &epoch));
    LH_TRY(lh_registry_raise_tenant_epoch(txn, &uid, 5, &epoch));
    return lh_registry_commit(txn);
}

static lh_status find_round(struct lh_directory *directory)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_name = NULL;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_domain = NULL;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_uid = NULL;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *nobody = NULL;
    struct lh_tenant_id acme, other;
    struct lh_tenant_uid uid = fixture_uid(1);
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme"), &acme));
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("nobody"), &other));
    LH_TRY(lh_directory_find_name(directory, &acme, FIXTURE_NOW_MS, &by_name));
    LH_TRY(lh_directory_find_domain(directory, LH_SLICE_LITERAL("acme.test"), FIXTURE_NOW_MS,
                                    &by_domain));
    LH_TRY(lh_directory_find_uid(directory, &uid, FIXTURE_NOW_MS, &by_uid));
    assert_true(by_name->slot == 1 && by_domain->slot == 1 && by_uid->slot == 1);
    lh_status status = lh_directory_find_name(directory, &other, FIXTURE_NOW_MS, &nobody);
    return status.code == LH_ABSENT ? lh_ok() : status;
}

static void free_directory(struct lh_directory **directory)
{
    lh_directory_free(*directory);
}

static void close_registry(struct lh_registry **registry)
{
    lh_registry_close(*registry);
}

static lh_status whole_round(struct registry_fixture *fixture)
{
    static const struct lh_siphash_key hash_key = {{4}};
    LH_CLEANUP(close_registry) struct lh_registry *registry = NULL;
    LH_CLEANUP(free_directory) struct lh_directory *directory = NULL;
    LH_CLEANUP(lh_buf_fini) struct lh_buf cell = LH_BUF_EMPTY;
    uint8_t key_id;
    unsigned seen = 0;
    LH_TRY(lh_registry_open(&fixture->options, &registry));
    LH_TRY(lh_registry_read_cell(registry, &key_id, &cell));
    LH_TRY(write_round(registry));
    LH_TRY(lh_registry_each_tenant(registry, see_any, &seen));
    assert_int_equal(seen, 1);
    LH_TRY(lh_directory_new(lh_registry_source(registry), 4, &hash_key, &directory));
    lh_status status = find_round(directory);
    if (!lh_is_ok(status)) { /* the failed allocation has passed: the directory is whole */
        assert_ok(find_round(directory));
    }
    return status;
}

static void test_registry__survives_every_failing_allocation(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    registry_fixture_close(fixture);
    size_t nth = 0;
    lh_status status;
    do {
        nth++;
        failing_alloc_at(nth);
        status = whole_round(fixture);
        size_t counted = failing_alloc_count();
        failing_alloc_at(0);
        assert_true(lh_is_ok(status) || status.code == LH_NO_MEMORY);
        assert_int_equal(lh_is_ok(status), counted < nth);
        assert_in_range(nth, 1, MORE_THAN_A_ROUND_NEEDS);
    } while (!lh_is_ok(status));
    assert_true(nth > 30);
    registry_fixture_open(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_registry__survives_every_failing_allocation,
                                        registry_fixture_set_up, registry_fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
