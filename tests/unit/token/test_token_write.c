/*
 * Tokens of a tenant's own: what is written verifies, and what would not is not written.
 */
#include "token_fixture.h"

#include "token/token_write.h"

#include "codec/base64url.h"

static struct lh_token_claims good_claims(void)
{
    return (struct lh_token_claims){
        .kind = LH_TOKEN_ACCESS,
        .iss = LH_SLICE_LITERAL(OWN),
        .tenant = LH_SLICE_LITERAL("acme"),
        .sub = LH_SLICE_LITERAL("alice"),
        .jti = LH_SLICE_LITERAL("id-7"),
        .sid = LH_SLICE_LITERAL("0.abc"),
        .audiences = {{LH_SLICE_LITERAL("api"), LH_SLICE_LITERAL("https://web.example/\xc3\xa9\"")},
                      2},
        .roles = {{LH_SLICE_LITERAL("admin")}, 1},
        .scopes = {{LH_SLICE_LITERAL("read"), LH_SLICE_LITERAL("write")}, 2},
        .groups = {{LH_SLICE_LITERAL("staff")}, 1},
        .epochs = {1, 1700000000001, 3},
        .issued_s = NOW_S,
        .expires_s = NOW_S + 300,
    };
}

static lh_status write(const struct world *world, const struct lh_token_claims *claims,
                       struct lh_buf *out)
{
    return lh_token_write(world->own, LH_SLICE_LITERAL("own-1"), claims, out);
}

static void test_token_write__what_is_written_verifies(void **state)
{
    const struct world *world = *state;
    struct lh_token_claims claims = good_claims();
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    struct lh_verified_token token;
    assert_ok(write(world, &claims, &text));
    assert_ok(verify_at(world, &world->acme, lh_buf_view(&text), NOW, &token));
    assert_true(token.is_own);
    assert_int_equal(token.kind, LH_TOKEN_ACCESS);
    assert_slice_text(token.iss, OWN);
    assert_slice_text(token.sub, "alice");
    assert_slice_text(token.jti, "id-7");
    assert_slice_text(token.sid, "0.abc");
    assert_int_equal(token.audiences.count, 2);
    assert_slice_text(token.audiences.items[1], "https://web.example/\xc3\xa9\"");
    assert_slice_text(token.roles.items[0], "admin");
    assert_int_equal(token.scopes.count, 2);
    assert_slice_text(token.scopes.items[1], "write");
    assert_slice_text(token.groups.items[0], "staff");
    assert_int_equal(token.epochs.platform, 1);
    assert_int_equal(token.epochs.tenant, 1700000000001);
    assert_int_equal(token.epochs.user, 3);
    assert_int_equal(token.issued_ms, NOW);
    assert_int_equal(token.ends_ms, NOW + 330000);
    /* Nobody else's. */
    assert_status(verify_at(world, &world->globex, lh_buf_view(&text), NOW, &token), LH_ABSENT);
}

static void test_token_write__the_least_that_a_token_says(void **state)
{
    const struct world *world = *state;
    struct lh_token_claims claims = good_claims();
    claims.sid = LH_SLICE_EMPTY;
    claims.roles.count = 0;
    claims.scopes.count = 0;
    claims.groups.count = 0;
    claims.kind = LH_TOKEN_SERVICE;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    struct lh_verified_token token;
    assert_ok(write(world, &claims, &text));
    assert_ok(verify_at(world, &world->acme, lh_buf_view(&text), NOW, &token));
    assert_int_equal(token.kind, LH_TOKEN_SERVICE);
    assert_int_equal(token.sid.len, 0);
    assert_int_equal(token.roles.count + token.scopes.count + token.groups.count, 0);
}

static void assert_unwritable(const struct world *world, const struct lh_token_claims *claims)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_text(&text, "before"));
    assert_status(write(world, claims, &text), LH_MALFORMED);
    assert_slice_text(lh_buf_view(&text), "before");
}

static void test_token_write__what_would_not_verify_is_not_written(void **state)
{
    const struct world *world = *state;
    struct lh_token_claims claims = good_claims();
    lh_slice *const texts[] = {&claims.iss, &claims.tenant, &claims.sub, &claims.jti,
                               &claims.audiences.items[1]};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        lh_slice before = *texts[i];
        *texts[i] = LH_SLICE_EMPTY;
        assert_unwritable(world, &claims);
        *texts[i] = LH_SLICE_LITERAL("a\nb");
        assert_unwritable(world, &claims);
        *texts[i] = before;
    }
    lh_slice *const tokens[] = {&claims.sub, &claims.sid, &claims.roles.items[0],
                                &claims.scopes.items[1], &claims.groups.items[0]};
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        lh_slice before = *tokens[i];
        *tokens[i] = LH_SLICE_LITERAL("a b");
        assert_unwritable(world, &claims);
        *tokens[i] = LH_SLICE_LITERAL("a\"b");
        assert_unwritable(world, &claims);
        *tokens[i] = before;
    }
    claims.expires_s = claims.issued_s;
    assert_unwritable(world, &claims);
    claims.expires_s = LH_TOKEN_DATE_MAX + 1;
    assert_unwritable(world, &claims);
    claims = good_claims();
    claims.audiences.count = 0;
    assert_unwritable(world, &claims);
    claims = good_claims();
    claims.jti = LH_SLICE_LITERAL("\xff"); /* no UTF-8 */
    assert_unwritable(world, &claims);
}

static void test_token_write__a_token_that_is_too_long_is_not_written(void **state)
{
    const struct world *world = *state;
    static char name[LH_TEXT_MAX_BYTES];
    struct lh_token_claims claims = good_claims();
    memset(name, 'n', sizeof(name));
    struct lh_text_list full = {.count = LH_TEXT_LIST_MAX};
    for (size_t i = 0; i < LH_TEXT_LIST_MAX; i++) {
        full.items[i] = LH_SLICE_OF(name);
    }
    claims.roles = full;
    claims.groups = full;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_status(write(world, &claims, &text), LH_TOO_LARGE);
    assert_int_equal(text.len, 0);
}

/* --- What only our own tokens must have ------------------------------------------------------- */

/* A token of acme's own issuer with some claims changed. */
static lh_status verify_own(struct world *world, const char *typ, const char *epochs)
{
    static struct text text;
    static struct text claims;
    struct member changes[] = {{"iss", "\"" OWN "\""}, {"lh_epochs", epochs}};
    char header[128];
    (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"own-1\"%s%s}",
                   typ == NULL ? "" : ",\"typ\":", typ == NULL ? "" : typ);
    world->own_key.material = world->foreign_keys[ES256].material; /* which signs here */
    write_claims(&claims, changes, 2);
    sign_raw(world, ES256, lh_slice_from_text(header), text_view(&claims), &text);
    return verify(world, &text);
}

static void test_claims__j38_own_tokens_have_a_type_of_ours(void **state)
{
    struct world *world = *state;
    assert_ok(verify_own(world, "\"at+jwt\"", "[1,2,3]"));
    assert_ok(verify_own(world, "\"lh-service+jwt\"", "[1,2,3]"));
    static const char *const others[] = {NULL, "\"JWT\"", "\"lh-context+jwt\"", "\"logout+jwt\"",
                                         "\"rt+jwt\""};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_status(verify_own(world, others[i], "[1,2,3]"), LH_FORBIDDEN);
    }
}

static void test_claims__own_tokens_carry_three_epochs(void **state)
{
    struct world *world = *state;
    static const char *const malformed[] = {NULL,       "[1,2]",      "[1,2,3,4]",   "[]",
                                            "1",        "\"1,2,3\"",  "[1,2,\"3\"]", "[1,2,3.0]",
                                            "[1,2,-3]", "[1,2,null]", "{}"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_status(verify_own(world, "\"at+jwt\"", malformed[i]), LH_MALFORMED);
    }
    assert_status(verify_own(world, "\"at+jwt\"", "[1,2,9007199254740993]"), LH_TOO_LARGE);
}

#define EACH(test) cmocka_unit_test_setup(test, reset_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_token_write__what_is_written_verifies),
        EACH(test_token_write__the_least_that_a_token_says),
        EACH(test_token_write__what_would_not_verify_is_not_written),
        EACH(test_token_write__a_token_that_is_too_long_is_not_written),
        EACH(test_claims__j38_own_tokens_have_a_type_of_ours),
        EACH(test_claims__own_tokens_carry_three_epochs),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
