/*
 * When a token is valid, for what, and of which kind it is: J33 to J36 and J38 of the abuse cases
 * at unit level, under signatures that hold.
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
    struct member changes[] = {{"exp", json}, {"iat", "1690000000"}};
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
    struct member changes[] = {{"exp", "1699999969.999"}, {"iat", "1690000000"}};
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
        assert_claim(world, names[i], "0", i == 0 ? LH_OK : LH_EXPIRED);
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
    struct member earlier = {"nbf", "1690000000"};
    sign_claims(world, ES256, &later, 1, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(token.begins_ms, NOW + 10000 - 30000);
    assert_int_equal(token.issued_ms, NOW);
    sign_claims(world, ES256, &earlier, 1, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(token.begins_ms, NOW - 30000);
    struct member both[] = {{"iat", "1"}, {"nbf", "2"}}; /* less than the skew */
    sign_claims(world, ES256, both, 2, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), 3000, &token));
    assert_int_equal(token.begins_ms, 0);
}

/* --- Age -------------------------------------------------------------------------------------- */

/* Logouts are remembered for 400 days: what they ended may not come back after them. */
static void test_claims__nothing_is_valid_longer_than_logouts_are_remembered(void **state)
{
    const struct world *world = *state;
    const uint64_t most_ms = (uint64_t)400 * 24 * 3600 * 1000;
    struct member changes[] = {{"exp", "9007199254740992"}, {"iat", "1690000000"}};
    struct lh_verified_token token;
    sign_claims(world, ES256, changes, 2, &text);
    const uint64_t issued_ms = UINT64_C(1690000000) * 1000;
    assert_ok(verify_at(world, &world->acme, text_view(&text), issued_ms + most_ms, &token));
    assert_int_equal(token.ends_ms, issued_ms + most_ms);
    assert_status(verify_at(world, &world->acme, text_view(&text), issued_ms + most_ms + 1, &token),
                  LH_EXPIRED);
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

#define EACH(test) cmocka_unit_test_setup(test, reset_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_claims__j33_exp_is_a_number_of_seconds),
        EACH(test_claims__j34_the_skew_is_30_s_and_counts_once),
        EACH(test_claims__j35_nbf_and_iat_mirror_exp),
        EACH(test_claims__begin_is_the_later_of_nbf_and_iat),
        EACH(test_claims__nothing_is_valid_longer_than_logouts_are_remembered),
        EACH(test_claims__j36_an_audience_is_one_exact_element),
        EACH(test_claims__j36_aud_is_a_string_or_a_list_of_some),
        EACH(test_claims__j36_lists_hold_32_and_are_never_cut),
        EACH(test_claims__j38_types_of_issuers_that_do_not_say),
        EACH(test_claims__j38_types_of_issuers_that_say),
        EACH(test_claims__j38_tokens_of_another_use_betray_themselves),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
