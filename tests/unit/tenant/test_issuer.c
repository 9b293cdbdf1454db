/*
 * Issuers of a tenant and their keys: found by exact bytes, and only inside their tenant.
 */
#include "support/test.h"

#include "tenant/directory.h"

#define NOW UINT64_C(1700000000000)

static struct lh_verify_key keys[] = {
    {.kid = {(const uint8_t *)"first", 5}, .algorithm = LH_ES256},
    {.kid = {(const uint8_t *)"second", 6}, .algorithm = LH_RS256, .until_ms = NOW},
    {.kid = {(const uint8_t *)"", 0}, .algorithm = LH_RS256, .until_ms = NOW},
};
static struct lh_issuer issuers[] = {
    {.iss = {(const uint8_t *)"https://idp.example", 19}, .keys = keys, .key_count = 3},
    {.iss = {(const uint8_t *)"https://idp.example/", 20}, .keys = keys, .key_count = 1},
};

static struct lh_tenant *make_tenant(void)
{
    struct lh_tenant *tenant;
    assert_ok(lh_tenant_new(4096, &tenant));
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme"), &tenant->id));
    memset(tenant->uid.bytes, 0xab, sizeof(tenant->uid.bytes));
    tenant->issuers = issuers;
    tenant->issuer_count = 2;
    return tenant;
}

static void test_tenant_find_issuer__compares_exact_bytes(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    assert_ptr_equal(lh_tenant_find_issuer(tenant, LH_SLICE_LITERAL("https://idp.example")),
                     &issuers[0]);
    assert_ptr_equal(lh_tenant_find_issuer(tenant, LH_SLICE_LITERAL("https://idp.example/")),
                     &issuers[1]);
    static const char *const others[] = {
        "",
        "https://idp.exampl",
        "https://idp.example//",
        "https://IDP.example",
        "HTTPS://idp.example",
        "http://idp.example",
        "https://idp.example ",
        "https://idp.example:443",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_null(lh_tenant_find_issuer(tenant, lh_slice_from_text(others[i])));
    }
    tenant->issuer_count = 0;
    assert_null(lh_tenant_find_issuer(tenant, LH_SLICE_LITERAL("https://idp.example")));
}

static void test_issuer_find_key__compares_exact_bytes(void **state)
{
    (void)state;
    assert_ptr_equal(lh_issuer_find_key(&issuers[0], LH_SLICE_LITERAL("first"), NOW), &keys[0]);
    static const char *const others[] = {"First", "firs", "first2", " first", "../first", "f"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_null(lh_issuer_find_key(&issuers[0], lh_slice_from_text(others[i]), NOW));
    }
    assert_null(lh_issuer_find_key(&issuers[0], LH_SLICE_LITERAL("first\0"), NOW));
    /* The other issuer has no such key. */
    assert_null(lh_issuer_find_key(&issuers[1], LH_SLICE_LITERAL("second"), NOW - 1));
}

static void test_issuer_find_key__a_key_ends_to_the_millisecond(void **state)
{
    (void)state;
    assert_ptr_equal(lh_issuer_find_key(&issuers[0], LH_SLICE_LITERAL("second"), NOW - 1),
                     &keys[1]);
    assert_null(lh_issuer_find_key(&issuers[0], LH_SLICE_LITERAL("second"), NOW));
    assert_ptr_equal(lh_issuer_find_key(&issuers[0], LH_SLICE_LITERAL("first"), UINT64_MAX),
                     &keys[0]);
}

static void test_issuer_find_key__without_kid_there_must_be_just_one(void **state)
{
    (void)state;
    assert_null(lh_issuer_find_key(&issuers[0], LH_SLICE_EMPTY, NOW - 1));
    /* The others have ended. */
    assert_ptr_equal(lh_issuer_find_key(&issuers[0], LH_SLICE_EMPTY, NOW), &keys[0]);
    assert_ptr_equal(lh_issuer_find_key(&issuers[1], LH_SLICE_EMPTY, NOW), &keys[0]);
    struct lh_issuer none = {.iss = LH_SLICE_LITERAL("x")};
    assert_null(lh_issuer_find_key(&none, LH_SLICE_EMPTY, NOW));
}

static void test_tenant_is_named_by__id_alias_or_uid(void **state)
{
    (void)state;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = make_tenant();
    lh_slice aliases[] = {LH_SLICE_LITERAL("acme-corp"),
                          /* nobody can be named so any more; were there one, it would not count */
                          LH_SLICE_LITERAL("0123456789abcdef0123456789abcdef")};
    tenant->aliases = aliases;
    tenant->alias_count = 2;
    assert_true(lh_tenant_is_named_by(tenant, LH_SLICE_LITERAL("acme")));
    assert_true(lh_tenant_is_named_by(tenant, LH_SLICE_LITERAL("acme-corp")));
    assert_true(
        lh_tenant_is_named_by(tenant, LH_SLICE_LITERAL("abababababababababababababababab")));
    static const char *const others[] = {
        "",
        "ACME",
        "acm",
        "acme2",
        "acme ",
        "globex",
        "ABABABABABABABABABABABABABABABAB",
        "abababababababababababababababac",
        "0123456789abcdef0123456789abcdef",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(lh_tenant_is_named_by(tenant, lh_slice_from_text(others[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tenant_find_issuer__compares_exact_bytes),
        cmocka_unit_test(test_issuer_find_key__compares_exact_bytes),
        cmocka_unit_test(test_issuer_find_key__a_key_ends_to_the_millisecond),
        cmocka_unit_test(test_issuer_find_key__without_kid_there_must_be_just_one),
        cmocka_unit_test(test_tenant_is_named_by__id_alias_or_uid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
