/*
 * Whose a token is and what it may do: J39 to J41 of the abuse cases at unit level, under
 * signatures that hold; and what a logout ends.
 */
#include "token_fixture.h"

static struct text text;

/* --- Whose it is ------------------------------------------------------------------------------ */

static void test_claims__j39_the_tenant_is_exactly_one_string(void **state)
{
    const struct world *world = *state;
    static const char *const malformed[] = {
        "null", "1", "true", "[\"acme\"]", "[]", "{\"id\":\"acme\"}", "\"\"", "\"acme\\n\""};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_claim(world, "tenant_id", malformed[i], LH_MALFORMED);
    }
    static const char *const others[] = {"\"ACME\"",
                                         "\"Acme\"",
                                         "\"acme \"",
                                         "\"acm\"",
                                         "\"acme2\"",
                                         "\"globex\"",
                                         "\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"",
                                         "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_claim(world, "tenant_id", others[i], LH_WRONG_TENANT);
    }
    assert_claim(world, "tenant_id", NULL, LH_MALFORMED);
    assert_claim(world, "tenant_id", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", LH_OK); /* the uid */
    /* Names of no claim of ours confirm nothing and choose nothing. */
    assert_claim(world, "tid", "\"globex\"", LH_OK);
    struct member elsewhere[] = {{"tenant_id", NULL}, {"tid", "\"acme\""}, {"tenant", "\"acme\""}};
    sign_claims(world, ES256, elsewhere, 3, &text);
    assert_status(verify(world, &text), LH_MALFORMED);
    struct member cased[] = {{"tenant_id", NULL}, {"Tenant_Id", "\"acme\""}};
    sign_claims(world, ES256, cased, 2, &text);
    assert_status(verify(world, &text), LH_MALFORMED);
}

static void test_claims__j39_an_alias_names_the_tenant(void **state)
{
    struct world *world = *state;
    lh_slice alias = LH_SLICE_LITERAL("acme-corp");
    assert_claim(world, "tenant_id", "\"acme-corp\"", LH_WRONG_TENANT);
    world->acme.aliases = &alias;
    world->acme.alias_count = 1;
    assert_claim(world, "tenant_id", "\"acme-corp\"", LH_OK);
}

static void test_claims__a_value_of_the_row_binds_a_shared_issuer(void **state)
{
    struct world *world = *state;
    world->acme_issuers[1].is_shared = true;
    world->acme_issuers[1].bind_claim = LH_SLICE_LITERAL("org");
    world->acme_issuers[1].bind_value = LH_SLICE_LITERAL("1234-abcd");
    assert_claim(world, "org", "\"1234-abcd\"", LH_OK);
    assert_claim(world, "org", "\"1234-ABCD\"", LH_WRONG_TENANT);
    assert_claim(world, "org", "\"1234-abce\"", LH_WRONG_TENANT);
    assert_claim(world, "org", "\"acme\"",
                 LH_WRONG_TENANT); /* the tenant's name is not the value */
    assert_claim(world, "org", "[\"1234-abcd\"]", LH_MALFORMED);
    assert_claim(world, "org", "null", LH_MALFORMED);
    assert_claim(world, "other", "1", LH_MALFORMED); /* no org at all */
}

static void test_claims__an_audience_of_the_row_binds_a_shared_issuer(void **state)
{
    struct world *world = *state;
    lh_slice audiences[] = {LH_SLICE_LITERAL("acme-api"), LH_SLICE_LITERAL("acme-web")};
    world->acme_issuers[1].is_shared = true;
    world->acme_issuers[1].bind_claim = LH_SLICE_EMPTY;
    world->acme_issuers[1].audiences = audiences;
    world->acme_issuers[1].audience_count = 2;
    assert_claim(world, "aud", "\"acme-web\"", LH_OK);
    assert_claim(world, "aud", "[\"acme-web\",\"acme-api\"]", LH_OK);
    /* For another tenant of the issuer too, it would be good at both. */
    assert_claim(world, "aud", "[\"globex-api\",\"acme-api\"]", LH_WRONG_TENANT);
    assert_claim(world, "aud", "[\"acme-api\",\"globex-api\"]", LH_WRONG_TENANT);
    assert_claim(world, "aud", "\"api\"", LH_WRONG_TENANT);
    assert_claim(world, "aud", "\"globex-api\"", LH_WRONG_TENANT);
    /* The issuer of one tenant alone may have other audiences beside his. */
    world->acme_issuers[1].is_shared = false;
    assert_claim(world, "aud", "[\"x\",\"acme-api\"]", LH_OK);
    /* Nothing that binds is nobody. */
    world->acme_issuers[1].audience_count = 0;
    assert_claim(world, "aud", "\"acme-web\"", LH_WRONG_TENANT);
}

/* --- jti, sub, sid ---------------------------------------------------------------------------- */

static void test_claims__j40_jti_is_1_to_255_bytes(void **state)
{
    const struct world *world = *state;
    char json[300] = "\"";
    assert_claim(world, "jti", NULL, LH_MALFORMED);
    static const char *const malformed[] = {"\"\"",         "null",        "1",          "[\"a\"]",
                                            "\"a\\r\\nb\"", "\"\\u007f\"", "\"\\u0001\""};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_claim(world, "jti", malformed[i], LH_MALFORMED);
    }
    assert_claim(world, "jti", "\":{}'\\\"\\\\ \\u00e9\"", LH_OK);
    memset(json + 1, 'j', 256);
    memcpy(json + 1 + 256, "\"", 2);
    assert_claim(world, "jti", json, LH_MALFORMED);
    memcpy(json + 1 + 255, "\"", 2);
    assert_claim(world, "jti", json, LH_OK);
}

static void test_claims__j41_sub_and_sid_may_stand_in_a_header(void **state)
{
    const struct world *world = *state;
    static const char *const malformed[] = {"\"\"",
                                            "null",
                                            "1",
                                            "[\"a\"]",
                                            "{}",
                                            "\"a\\nb\"",
                                            "\"a\\r\\nX-Session-Mode: normal\"",
                                            "\"a b\"",
                                            "\"a,b\"",
                                            "\"a\\\"b\"",
                                            "\"a\\\\b\"",
                                            "\"\\u00e9\"",
                                            "\"\\t\""};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_claim(world, "sub", malformed[i], LH_MALFORMED);
        assert_claim(world, "sid", malformed[i], LH_MALFORMED);
    }
    assert_claim(world, "sub", NULL, LH_MALFORMED);
    assert_claim(world, "sub", "\"auth0|5f7c8ec7c33c6c004bbafe82\"", LH_OK);
    struct lh_verified_token token;
    struct member sid = {"sid", "\"0.aaaaaaaaaaaaaaaaaaaaaaaaaa\""};
    sign_claims(world, ES256, &sid, 1, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_slice_text(token.sid, "0.aaaaaaaaaaaaaaaaaaaaaaaaaa");
}

/* --- Rights ----------------------------------------------------------------------------------- */

static void test_claims__rights_that_could_be_nobodys_are_dropped(void **state)
{
    const struct world *world = *state;
    struct lh_verified_token token;
    struct member rights[] = {
        {"scope", "\"read  write a,b openid \""},
        {"roles", "[\"admin\",\"offline access\",\"\",\"user\\n\",\"viewer\"]"},
        {"groups", "[\"staff\",\"caf\\u00e9\"]"},
    };
    sign_claims(world, ES256, rights, 3, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(token.scopes.count, 3);
    assert_slice_text(token.scopes.items[0], "read");
    assert_slice_text(token.scopes.items[1], "write");
    assert_slice_text(token.scopes.items[2], "openid");
    assert_int_equal(token.roles.count, 2);
    assert_slice_text(token.roles.items[0], "admin");
    assert_slice_text(token.roles.items[1], "viewer");
    assert_int_equal(token.groups.count, 1);
    assert_slice_text(token.groups.items[0], "staff");
}

static void test_claims__rights_of_another_form_are_refused(void **state)
{
    const struct world *world = *state;
    static const struct member wrong[] = {
        {"scope", "[\"read\"]"}, {"scope", "null"},      {"scope", "1"},    {"roles", "\"admin\""},
        {"roles", "[1]"},        {"roles", "[[\"a\"]]"}, {"roles", "null"}, {"roles", "{}"},
        {"groups", "\"staff\""}, {"groups", "[null]"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_claim(world, wrong[i].name, wrong[i].json, LH_MALFORMED);
    }
    assert_claim(world, "scope", "\"\"", LH_OK);
    assert_claim(world, "roles", "[]", LH_OK);
    char many[200] = "\"";
    for (unsigned i = 0; i < 33; i++) {
        (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "s%u ", i);
    }
    (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "\"");
    assert_claim(world, "scope", many, LH_TOO_LARGE);
}

static void test_claims__names_of_nested_claims_are_none(void **state)
{
    const struct world *world = *state;
    struct lh_verified_token token;
    struct member nested = {"realm_access", "{\"roles\":[\"admin\"],\"sub\":\"root\",\"exp\":1}"};
    sign_claims(world, ES256, &nested, 1, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(token.roles.count, 0);
    assert_slice_text(token.sub, "alice");
}

/* --- Logout ----------------------------------------------------------------------------------- */

static void test_token_is_logged_out__own_tokens_carry_their_epochs(void **state)
{
    (void)state;
    const struct lh_verified_token token = {.is_own = true, .epochs = {100, 200, 300}};
    static const struct {
        struct lh_token_epochs present;
        bool is_out;
    } rows[] = {
        {{100, 200, 300}, false}, {{99, 199, 299}, false}, {{0, 0, 0}, false},
        {{101, 200, 300}, true},  {{100, 201, 300}, true}, {{100, 200, 301}, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(lh_token_is_logged_out(&token, &rows[i].present), rows[i].is_out);
    }
}

static void test_token_is_logged_out__others_must_be_newer_than_epoch_and_skew(void **state)
{
    (void)state;
    /* Whatever epochs it might claim. */
    struct lh_verified_token token = {
        .issued_ms = NOW, .skew_ms = 30000, .epochs = {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    const struct lh_token_epochs none = {0, 0, 0};
    assert_false(lh_token_is_logged_out(&token, &none));
    for (size_t i = 0; i < 3; i++) {
        uint64_t epochs[3] = {0};
        epochs[i] = NOW - 30001;
        struct lh_token_epochs before = {epochs[0], epochs[1], epochs[2]};
        assert_false(lh_token_is_logged_out(&token, &before));
        epochs[i] = NOW - 30000;
        struct lh_token_epochs at = {epochs[0], epochs[1], epochs[2]};
        assert_true(lh_token_is_logged_out(&token, &at));
    }
    token.issued_ms = 5;
    assert_true(lh_token_is_logged_out(&token, &none)); /* older than any skew */
}

#define EACH(test) cmocka_unit_test_setup(test, reset_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_claims__j39_the_tenant_is_exactly_one_string),
        EACH(test_claims__j39_an_alias_names_the_tenant),
        EACH(test_claims__a_value_of_the_row_binds_a_shared_issuer),
        EACH(test_claims__an_audience_of_the_row_binds_a_shared_issuer),
        EACH(test_claims__j40_jti_is_1_to_255_bytes),
        EACH(test_claims__j41_sub_and_sid_may_stand_in_a_header),
        EACH(test_claims__rights_that_could_be_nobodys_are_dropped),
        EACH(test_claims__rights_of_another_form_are_refused),
        EACH(test_claims__names_of_nested_claims_are_none),
        EACH(test_token_is_logged_out__own_tokens_carry_their_epochs),
        EACH(test_token_is_logged_out__others_must_be_newer_than_epoch_and_skew),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
