/*
 * What a token says, under a signature that holds: J33 to J36 and J38 to J41 of the abuse cases at unit
 * level.
 */
#include "token_fixture.h"

static struct text text;

/* --- exp -------------------------------------------------------------------------------------- */

static void test_claims__j33_exp_is_a_number_of_seconds(void **state)
{
    const struct world *world = *state;
    static const struct {
        const char *json;
        enum lh_code expected;
    } rows[] = {
        {NULL, LH_MALFORMED},
        {"\"1700000600\"", LH_MALFORMED},
        {"true", LH_MALFORMED},
        {"null", LH_MALFORMED},
        {"[1700000600]", LH_MALFORMED},
        {"{}", LH_MALFORMED},
        {"-1", LH_MALFORMED},
        {"-1700000600", LH_MALFORMED},
        {"-0", LH_MALFORMED},
        {"1e300", LH_MALFORMED},
        {"NaN", LH_MALFORMED},
        {"9223372036854775808", LH_MALFORMED},
        {"18446744073709551616", LH_MALFORMED},
        {"9007199254740993", LH_MALFORMED},
        {"0", LH_EXPIRED},
        {"1700000600", LH_OK},
        {"1700000600.999", LH_OK},
        {"1.7000006e9", LH_OK},
        {"9007199254740992", LH_OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_claim(world, "exp", rows[i].json, rows[i].expected);
    }
}

/* exp = NOW_S - age, with a fraction behind. */
static void assert_expiry(const struct world *world, unsigned age_s, unsigned age_ms,
                          enum lh_code expected)
{
    struct lh_verified_token token;
    char json[32];
    struct member changes[] = {{"exp", json}, {"iat", "1600000000"}};
    (void)snprintf(json, sizeof(json), "%llu", (unsigned long long)(NOW_S - age_s));
    sign_claims(world, ES256, changes, 2, &text);
    assert_status(verify_at(world, &world->acme, text_view(&text), NOW + age_ms, &token), expected);
}

static void test_claims__j34_the_skew_is_30_s_and_counts_once(void **state)
{
    struct world *world = *state;
    assert_expiry(world, 0, 0, LH_OK);
    assert_expiry(world, 29, 0, LH_OK);
    assert_expiry(world, 30, 0, LH_OK);
    assert_expiry(world, 30, 1, LH_EXPIRED);
    assert_expiry(world, 31, 0, LH_EXPIRED);
    /* A fraction never lengthens a life. */
    struct member changes[] = {{"exp", "1699999969.999"}, {"iat", "1600000000"}};
    sign_claims(world, ES256, changes, 2, &text);
    assert_status(verify(world, &text), LH_EXPIRED);
    /* An issuer may have less skew, and never more. */
    world->acme_issuers[1].skew_s = 0;
    assert_expiry(world, 0, 0, LH_OK);
    assert_expiry(world, 0, 1, LH_EXPIRED);
    assert_expiry(world, 1, 0, LH_EXPIRED);
    world->acme_issuers[1].skew_s = UINT32_MAX;
    assert_expiry(world, 30, 0, LH_OK);
    assert_expiry(world, 31, 0, LH_EXPIRED);
}

/* --- nbf and iat ------------------------------------------------------------------------------ */

static void assert_begin(const struct world *world, const char *name, unsigned ahead_s,
                         enum lh_code expected)
{
    char json[32];
    (void)snprintf(json, sizeof(json), "%llu", (unsigned long long)(NOW_S + ahead_s));
    assert_claim(world, name, json, expected);
}

static void test_claims__j35_nbf_and_iat_mirror_exp(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"nbf", "iat"};
    for (size_t i = 0; i < 2; i++) {
        assert_begin(world, names[i], 0, LH_OK);
        assert_begin(world, names[i], 29, LH_OK);
        assert_begin(world, names[i], 30, LH_OK);
        assert_begin(world, names[i], 31, LH_EARLY);
        assert_begin(world, names[i], 3600, LH_EARLY);
        static const char *const malformed[] = {"-1",    "\"1700000000\"",     "null", "true", "[]",
                                                "1e300", "9223372036854775808"};
        for (size_t j = 0; j < sizeof(malformed) / sizeof(malformed[0]); j++) {
            assert_claim(world, names[i], malformed[j], LH_MALFORMED);
        }
        assert_claim(world, names[i], "0", LH_OK);
        world->acme_issuers[1].skew_s = 0;
        assert_begin(world, names[i], 0, LH_OK);
        assert_begin(world, names[i], 1, LH_EARLY);
        world->acme_issuers[1].skew_s = 1000;
        assert_begin(world, names[i], 30, LH_OK);
        assert_begin(world, names[i], 31, LH_EARLY);
        world->acme_issuers[1].skew_s = 30;
    }
    assert_claim(world, "nbf", NULL, LH_OK);
    assert_claim(world, "iat", NULL, LH_MALFORMED);
}

static void test_claims__begin_is_the_later_of_nbf_and_iat(void **state)
{
    const struct world *world = *state;
    struct lh_verified_token token;
    struct member later = {"nbf", "1700000010"};
    struct member earlier = {"nbf", "1600000000"};
    sign_claims(world, ES256, &later, 1, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(token.begins_ms, NOW + 10000 - 30000);
    assert_int_equal(token.issued_ms, NOW);
    sign_claims(world, ES256, &earlier, 1, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(token.begins_ms, NOW - 30000);
    struct member both[] = {{"iat", "1"}, {"nbf", "2"}}; /* less than the skew */
    sign_claims(world, ES256, both, 2, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(token.begins_ms, 0);
}

/* --- aud -------------------------------------------------------------------------------------- */

/* Whether a token of this aud is for these audiences; it must verify. */
static bool is_for(const struct world *world, const char *aud, const char *const *names,
                   size_t count)
{
    struct lh_verified_token token;
    struct member change = {"aud", aud};
    lh_slice audiences[4];
    for (size_t i = 0; i < count; i++) {
        audiences[i] = lh_slice_from_text(names[i]);
    }
    sign_claims(world, ES256, &change, 1, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    return lh_token_is_for(&token, audiences, count);
}

static void test_claims__j36_an_audience_is_one_exact_element(void **state)
{
    const struct world *world = *state;
    static const char *const api[] = {"api"};
    static const char *const two[] = {"web", "api"};
    assert_true(is_for(world, "\"api\"", api, 1));
    assert_true(is_for(world, "[\"api\"]", api, 1));
    assert_true(is_for(world, "[\"x\",\"api\",\"y\"]", api, 1));
    assert_true(is_for(world, "[\"x\",\"api\"]", two, 2));
    assert_false(is_for(world, "\"api2\"", api, 1));
    assert_false(is_for(world, "\"ap\"", api, 1));
    assert_false(is_for(world, "\"API\"", api, 1));
    assert_false(is_for(world, "\"api \"", api, 1));
    assert_false(is_for(world, "\"x api y\"", api, 1));
    assert_false(is_for(world, "\"x,api\"", api, 1));
    assert_false(is_for(world, "[\"api2\",\"ap\",\"https://api\"]", api, 1));
    assert_false(is_for(world, "\"api\"", api, 0)); /* nobody asked for is nobody meant */
}

static void test_claims__j36_aud_is_a_string_or_a_list_of_some(void **state)
{
    const struct world *world = *state;
    static const char *const malformed[] = {"[]",
                                            "\"\"",
                                            "[\"\"]",
                                            "null",
                                            "1",
                                            "true",
                                            "{}",
                                            "{\"api\":1}",
                                            "[1]",
                                            "[\"api\",null]",
                                            "[\"api\",[\"x\"]]",
                                            "[\"api\",\"a\\nb\"]"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_claim(world, "aud", malformed[i], LH_MALFORMED);
    }
    assert_claim(world, "aud", NULL, LH_MALFORMED);
}

/* A list of so many names. */
static const char *list_of(unsigned count)
{
    static char json[12000];
    size_t len = (size_t)snprintf(json, sizeof(json), "[");
    for (unsigned i = 0; i < count; i++) {
        len += (size_t)snprintf(json + len, sizeof(json) - len, "%s\"n%u\"", i > 0 ? "," : "", i);
    }
    (void)snprintf(json + len, sizeof(json) - len, "]");
    return json;
}

static void test_claims__j36_lists_hold_32_and_are_never_cut(void **state)
{
    const struct world *world = *state;
    static const char *const names[] = {"aud", "roles", "groups"};
    for (size_t i = 0; i < 3; i++) {
        assert_claim(world, names[i], list_of(32), LH_OK);
        assert_claim(world, names[i], list_of(33), LH_TOO_LARGE);
        assert_claim(world, names[i], list_of(1000), LH_TOO_LARGE);
    }
}

/* --- Types ------------------------------------------------------------------------------------ */

struct typ_row {
    const char *typ; /* JSON; NULL: absent */
    enum lh_code expected;
};

static void assert_types(const struct world *world, const struct typ_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct member change = {"typ", rows[i].typ};
        sign_header(world, ES256, &change, 1, &text);
        lh_status status = verify(world, &text);
        if (status.code != rows[i].expected) {
            fail_msg("%s: got %s", rows[i].typ, lh_status_name(status));
        }
    }
}

#define ASSERT_TYPES(world, rows) assert_types(world, rows, sizeof(rows) / sizeof((rows)[0]))

static void test_claims__j38_types_of_issuers_that_do_not_say(void **state)
{
    const struct world *world = *state;
    static const struct typ_row rows[] = {
        {NULL, LH_OK},
        {"\"JWT\"", LH_OK},
        {"\"jwt\"", LH_OK},
        {"\"application/jwt\"", LH_OK},
        {"\"at+jwt\"", LH_OK},
        {"\"application/at+JWT\"", LH_OK},
        {"\"logout+jwt\"", LH_FORBIDDEN},
        {"\"secevent+jwt\"", LH_FORBIDDEN},
        {"\"dpop+jwt\"", LH_FORBIDDEN},
        {"\"id_token\"", LH_FORBIDDEN},
        {"\"rt+jwt\"", LH_FORBIDDEN},
        {"\"kb+jwt\"", LH_FORBIDDEN},
        {"\"JOSE\"", LH_FORBIDDEN},
        {"\"lh-context+jwt\"", LH_FORBIDDEN},
        {"\"application/lh-context+jwt\"", LH_FORBIDDEN},
        {"\"LH-Context+JWT\"", LH_FORBIDDEN},
        {"\"lh-service+jwt\"", LH_FORBIDDEN},
        {"\"application/application/jwt\"", LH_FORBIDDEN},
        {"\"at+jwt \"", LH_FORBIDDEN},
        {"\"at+jwtx\"", LH_FORBIDDEN},
    };
    ASSERT_TYPES(world, rows);
}

static void test_claims__j38_types_of_issuers_that_say(void **state)
{
    struct world *world = *state;
    static const struct typ_row access[] = {
        {"\"at+jwt\"", LH_OK},
        {"\"application/at+jwt\"", LH_OK},
        {"\"AT+JWT\"", LH_OK},
        {NULL, LH_FORBIDDEN},
        {"\"JWT\"", LH_FORBIDDEN},
        {"\"logout+jwt\"", LH_FORBIDDEN},
        {"\"lh-context+jwt\"", LH_FORBIDDEN},
    };
    world->acme_issuers[1].typ = LH_SLICE_LITERAL("at+jwt");
    ASSERT_TYPES(world, access);
    static const struct typ_row odd[] = {
        {"\"application/odd-at+jwt\"", LH_OK},
        {"\"odd-at+jwt\"", LH_OK},
        {"\"at+jwt\"", LH_FORBIDDEN},
        {NULL, LH_FORBIDDEN},
    };
    world->acme_issuers[1].typ = LH_SLICE_LITERAL("application/odd-at+jwt");
    ASSERT_TYPES(world, odd);
    /* No row makes a type of ours somebody else's. */
    static const struct typ_row ours[] = {{"\"lh-context+jwt\"", LH_FORBIDDEN}};
    world->acme_issuers[1].typ = LH_SLICE_LITERAL("lh-context+jwt");
    ASSERT_TYPES(world, ours);
}

static void test_claims__j38_tokens_of_another_use_betray_themselves(void **state)
{
    const struct world *world = *state;
    static const struct member others[] = {
        {"at_hash", "\"x\""},
        {"c_hash", "\"x\""},
        {"events", "{}"},
        {"cnf", "{\"jkt\":\"x\"}"},
        {"typ", "\"ID\""},
        {"typ", "\"Refresh\""},
        {"typ", "\"Logout\""},
        {"typ", "\"Offline\""},
        {"typ", "\"DPoP\""},
        {"typ", "null"},
        {"token_use", "\"id\""},
        {"token_use", "\"refresh\""},
        {"token_use", "[\"access\"]"},
        {"at_hash", "null"},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_claim(world, others[i].name, others[i].json, LH_FORBIDDEN);
    }
    assert_claim(world, "typ", "\"Bearer\"", LH_OK);
    assert_claim(world, "token_use", "\"access\"", LH_OK);
}

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
    assert_claim(world, "aud", "[\"x\",\"acme-api\"]", LH_OK);
    assert_claim(world, "aud", "\"api\"", LH_WRONG_TENANT);
    assert_claim(world, "aud", "\"globex-api\"", LH_WRONG_TENANT);
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
    (void)strncat(many, "\"", 2);
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
        EACH(test_claims__j33_exp_is_a_number_of_seconds),
        EACH(test_claims__j34_the_skew_is_30_s_and_counts_once),
        EACH(test_claims__j35_nbf_and_iat_mirror_exp),
        EACH(test_claims__begin_is_the_later_of_nbf_and_iat),
        EACH(test_claims__j36_an_audience_is_one_exact_element),
        EACH(test_claims__j36_aud_is_a_string_or_a_list_of_some),
        EACH(test_claims__j36_lists_hold_32_and_are_never_cut),
        EACH(test_claims__j38_types_of_issuers_that_do_not_say),
        EACH(test_claims__j38_types_of_issuers_that_say),
        EACH(test_claims__j38_tokens_of_another_use_betray_themselves),
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
