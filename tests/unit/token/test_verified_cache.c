/*
 * Tokens that are remembered: J45 and J46 of the abuse cases at unit level.
 */
#include "verified_fixture.h"

static void assert_found(const struct lh_token_question *question, enum lh_code expected)
{
    const struct lh_verified_token *token = NULL;
    assert_status(lh_verified_cache_find(cache, question, &token), expected);
    assert_int_equal(token != NULL, expected == LH_OK);
}

/* --- What it answers -------------------------------------------------------------------------- */

static void test_verified_cache__answers_with_copies_of_what_it_was_filled_by(void **state)
{
    const struct world *world = *state;
    static struct text rich;
    struct member claims[] = {{"aud", "[\"api\",\"web\"]"},
                              {"scope", "\"read write\""},
                              {"roles", "[\"admin\"]"},
                              {"groups", "[\"staff\",\"ops\"]"},
                              {"sid", "\"0.abc\""}};
    sign_claims(world, ES256, claims, 5, &rich);
    struct lh_token_question question = ask(world, &world->acme, text_view(&rich), NOW);
    assert_found(&question, LH_ABSENT);
    assert_non_null(fill(world, &world->acme, &rich));
    (void)verify(world, &text); /* the room of the token that was copied is gone */
    const struct lh_verified_token *token;
    assert_ok(lh_verified_cache_find(cache, &question, &token));
    assert_slice_text(token->iss, IDP);
    assert_slice_text(token->sub, "alice");
    assert_slice_text(token->jti, "id-1");
    assert_slice_text(token->sid, "0.abc");
    assert_int_equal(token->audiences.count, 2);
    assert_slice_text(token->audiences.items[1], "web");
    assert_slice_text(token->scopes.items[1], "write");
    assert_slice_text(token->roles.items[0], "admin");
    assert_slice_text(token->groups.items[1], "ops");
    assert_int_equal(token->ends_ms, NOW + 630000);
    assert_int_equal(token->generation, 5);
}

static void test_verified_cache__j45_every_byte_of_the_text_counts(void **state)
{
    const struct world *world = *state;
    static struct text other;
    assert_non_null(fill(world, &world->acme, &text));
    /* Signed again: the same claims, another signature, for ECDSA is not the same twice. */
    sign_claims(world, ES256, NULL, 0, &other);
    struct lh_token_question question = ask(world, &world->acme, text_view(&other), NOW);
    assert_found(&question, LH_ABSENT);
    /* The same iss, aud, kid and jti, and another subject. */
    struct member mallory = {"sub", "\"mallory\""};
    sign_claims(world, ES256, &mallory, 1, &other);
    question = ask(world, &world->acme, text_view(&other), NOW);
    assert_found(&question, LH_ABSENT);
    for (size_t i = 0; i < text.len; i++) {
        other = text;
        other.bytes[i] ^= 1;
        question = ask(world, &world->acme, text_view(&other), NOW);
        assert_found(&question, LH_ABSENT);
    }
    question = ask(world, &world->acme, lh_slice_of(text.bytes, text.len - 1), NOW);
    assert_found(&question, LH_ABSENT);
    question = ask(world, &world->acme, text_view(&text), NOW);
    assert_found(&question, LH_OK);
}

static void test_verified_cache__j45_another_tenant_is_not_answered(void **state)
{
    struct world *world = *state;
    assert_non_null(fill(world, &world->acme, &text));
    struct lh_token_question question = ask(world, &world->globex, text_view(&text), NOW);
    assert_found(&question, LH_ABSENT);
    assert_false(lh_verified_cache_has_proof(cache, &question, &(struct lh_digest){{0}}));
    /* Not even one that is like it in everything but the uid. */
    struct lh_tenant twin = world->acme;
    twin.uid.bytes[15] ^= 1;
    question.tenant = &twin;
    assert_found(&question, LH_ABSENT);
}

/* --- How long --------------------------------------------------------------------------------- */

static void test_verified_cache__j46_a_moved_counter_ends_an_entry(void **state)
{
    const struct world *world = *state;
    assert_non_null(fill(world, &world->acme, &text));
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    uint64_t *const counters[] = {&question.tenant_counter, &question.platform_counter};
    for (size_t i = 0; i < 2; i++) {
        (*counters[i])++;
        assert_found(&question, LH_ABSENT);
        *counters[i] -= 2;
        assert_found(&question, LH_ABSENT);
        (*counters[i])++;
        assert_found(&question, LH_OK);
    }
}

static void test_verified_cache__j46_what_was_read_before_a_change_is_never_current(void **state)
{
    struct world *world = *state;
    struct lh_verified_token token;
    const struct lh_verified_token *kept;
    /* The snapshot was read under 7; when the token has been verified, the counter stands at 8. */
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    question.tenant_counter = 8;
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    lh_verified_cache_fill(cache, &question, &token, &kept);
    assert_found(&question, LH_ABSENT);
}

static void test_verified_cache__j46_an_entry_ends_after_a_second_to_the_millisecond(void **state)
{
    const struct world *world = *state;
    assert_non_null(fill(world, &world->acme, &text));
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    question.now_ms = NOW + LH_VERIFIED_CACHE_AGE_MS - 1;
    assert_found(&question, LH_OK);
    question.now_ms++;
    assert_found(&question, LH_ABSENT);
    question.now_ms = NOW - 1; /* a clock that went back proves nothing */
    assert_found(&question, LH_ABSENT);
}

static void test_verified_cache__j46_a_token_ends_when_it_ends(void **state)
{
    const struct world *world = *state;
    static struct text last;
    /* Valid until NOW + 500: exp is NOW - 30 s, and the skew. */
    struct lh_verified_token token;
    const struct lh_verified_token *kept;
    struct member exp = {"exp", "1700000010"};
    sign_claims(world, ES256, &exp, 1, &last);
    uint64_t end = NOW + 40000;
    struct lh_token_question question = ask(world, &world->acme, text_view(&last), end - 500);
    assert_ok(verify_at(world, &world->acme, text_view(&last), end - 500, &token));
    lh_verified_cache_fill(cache, &question, &token, &kept);
    question.now_ms = end;
    assert_found(&question, LH_OK);
    question.now_ms = end + 1;
    assert_found(&question, LH_ABSENT);
    assert_status(verify_at(world, &world->acme, text_view(&last), end + 1, &token), LH_EXPIRED);
}

static void test_verified_cache__j46_a_key_ends_when_it_ends(void **state)
{
    struct world *world = *state;
    world->foreign_keys[ES256].until_ms = NOW + 500;
    assert_non_null(fill(world, &world->acme, &text));
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW + 499);
    assert_found(&question, LH_OK);
    question.now_ms = NOW + 500;
    assert_found(&question, LH_ABSENT);
}

static void test_verified_cache__j46_rows_of_another_generation_are_asked_again(void **state)
{
    struct world *world = *state;
    assert_non_null(fill(world, &world->acme, &text));
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    world->acme_issuers[1].generation++;
    assert_found(&question, LH_ABSENT);
    world->acme_issuers[1].generation--;
    assert_found(&question, LH_OK);
    world->acme.issuer_count = 1; /* the issuer is gone */
    assert_found(&question, LH_ABSENT);
}

/* --- Refusals --------------------------------------------------------------------------------- */

static void assert_refusal(const struct lh_token_question *question, enum lh_code expected)
{
    lh_status refusal = lh_ok();
    lh_status status = lh_verified_cache_find_refusal(cache, question, &refusal);
    assert_int_equal(lh_is_ok(status), expected != LH_OK);
    assert_int_equal(refusal.code, expected);
}

static void test_verified_cache__remembers_a_refusal_for_two_seconds(void **state)
{
    const struct world *world = *state;
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    assert_refusal(&question, LH_OK);
    lh_verified_cache_refuse(cache, &question, lh_status_of(LH_BAD_SIGNATURE));
    assert_refusal(&question, LH_BAD_SIGNATURE);
    question.now_ms = NOW + LH_REFUSED_TOKEN_AGE_MS - 1;
    assert_refusal(&question, LH_BAD_SIGNATURE);
    question.now_ms++;
    assert_refusal(&question, LH_OK);
    question.now_ms = NOW - 1;
    assert_refusal(&question, LH_OK);
}

static void test_verified_cache__a_refusal_stands_only_while_nothing_changes(void **state)
{
    const struct world *world = *state;
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    lh_verified_cache_refuse(cache, &question, lh_status_of(LH_ABSENT));
    assert_refusal(&question, LH_ABSENT);
    question.tenant_counter++;
    assert_refusal(&question, LH_OK);
    question.tenant_counter--;
    question.platform_counter++;
    assert_refusal(&question, LH_OK);
    question.platform_counter--;
    struct lh_token_question other = ask(world, &world->globex, text_view(&text), NOW);
    assert_refusal(&other, LH_OK);
    other = ask(world, &world->acme, lh_slice_of(text.bytes, text.len - 1), NOW);
    assert_refusal(&other, LH_OK);
    assert_refusal(&question, LH_ABSENT);
}

static void test_verified_cache__what_could_not_be_judged_is_no_refusal(void **state)
{
    const struct world *world = *state;
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    static const enum lh_code others[] = {LH_NO_MEMORY, LH_REGISTRY_DOWN, LH_CRYPTO, LH_OK,
                                          LH_TIMEOUT};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        lh_verified_cache_refuse(cache, &question, lh_status_of(others[i]));
        assert_refusal(&question, LH_OK);
    }
}

static void test_verified_cache__refusals_push_no_token_out(void **state)
{
    const struct world *world = *state;
    assert_non_null(fill(world, &world->acme, &text));
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    struct lh_token_question junk = question;
    for (uint32_t i = 0; i < 10000; i++) {
        memcpy(junk.text.digest.bytes, &i, sizeof(i));
        lh_verified_cache_refuse(cache, &junk, lh_status_of(LH_BAD_SIGNATURE));
    }
    assert_refusal(&junk, LH_BAD_SIGNATURE);
    assert_found(&question, LH_OK);
}

/* --- Room ------------------------------------------------------------------------------------- */

static void test_verified_cache__the_token_used_longest_ago_makes_room(void **state)
{
    const struct world *world = *state;
    struct lh_verified_token token;
    const struct lh_verified_token *kept;
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    struct lh_token_question filler = question;
    lh_verified_cache_fill(cache, &question, &token, &kept);
    for (uint32_t i = 0; i < 20 * TOKENS; i++) {
        memcpy(filler.text.digest.bytes, &i, sizeof(i));
        token.digest = filler.text.digest;
        lh_verified_cache_fill(cache, &filler, &token, &kept);
        assert_non_null(kept);
        if (i % 4 == 0) {
            assert_found(&question, LH_OK); /* in use, so it stays */
        }
    }
    struct lh_verified_cache_counts counts;
    lh_verified_cache_read_counts(cache, &counts);
    assert_int_equal(counts.hits, 5 * TOKENS);
    assert_in_range(counts.evictions, 18 * TOKENS, 20 * TOKENS);
}

/* A list of so many names of 253 bytes. */
static const char *long_list(unsigned count)
{
    static char json[16000];
    size_t len = (size_t)snprintf(json, sizeof(json), "[");
    for (unsigned i = 0; i < count; i++) {
        len +=
            (size_t)snprintf(json + len, sizeof(json) - len, "%s\"%0253u\"", i > 0 ? "," : "", i);
    }
    (void)snprintf(json + len, sizeof(json) - len, "]");
    return json;
}

static void test_verified_cache__a_token_with_too_many_texts_is_not_taken(void **state)
{
    const struct world *world = *state;
    static struct text large;
    for (unsigned count = 5; count <= 7; count++) {
        struct member roles = {"roles", long_list(count)};
        sign_claims(world, ES256, &roles, 1, &large);
        const struct lh_verified_token *kept = fill(world, &world->acme, &large);
        struct lh_token_question question = ask(world, &world->acme, text_view(&large), NOW);
        assert_int_equal(kept != NULL, count <= 5);
        assert_found(&question, count <= 5 ? LH_OK : LH_ABSENT);
    }
}

static void test_verified_cache__filling_again_replaces(void **state)
{
    struct world *world = *state;
    assert_non_null(fill(world, &world->acme, &text));
    world->acme.counter = 9;
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    assert_found(&question, LH_ABSENT);
    assert_non_null(fill(world, &world->acme, &text));
    assert_found(&question, LH_OK);
    struct lh_verified_cache_counts counts;
    lh_verified_cache_read_counts(cache, &counts);
    assert_int_equal(counts.evictions, 0);
}

static void test_verified_cache__forgets_everything(void **state)
{
    const struct world *world = *state;
    assert_non_null(fill(world, &world->acme, &text));
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    struct lh_token_question other = ask(world, &world->globex, text_view(&text), NOW);
    lh_verified_cache_refuse(cache, &other, lh_status_of(LH_WRONG_TENANT));
    lh_verified_cache_clear(cache);
    assert_found(&question, LH_ABSENT);
    assert_refusal(&other, LH_OK);
}

static void test_verified_cache_new__refuses_absurd_sizes(void **state)
{
    (void)state;
    struct lh_verified_cache *made = NULL;
    struct lh_verified_cache_options options = {.tokens_max = 0, .refusals_max = 1};
    assert_status(lh_verified_cache_new(&options, &made), LH_INVALID);
    options.tokens_max = SIZE_MAX;
    assert_status(lh_verified_cache_new(&options, &made), LH_INVALID);
    options.tokens_max = 1;
    options.refusals_max = 0;
    assert_status(lh_verified_cache_new(&options, &made), LH_INVALID);
    options.refusals_max = SIZE_MAX;
    assert_status(lh_verified_cache_new(&options, &made), LH_INVALID);
    assert_null(made);
    lh_verified_cache_free(NULL);
}

/* --- Copies ----------------------------------------------------------------------------------- */

static void test_verified_token_copy__needs_as_many_bytes_as_the_texts(void **state)
{
    const struct world *world = *state;
    struct lh_verified_token token;
    struct lh_verified_token copy;
    uint8_t room[64];
    size_t len;
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    size_t needed = strlen(IDP "alice"
                               "id-1"
                               "api");
    assert_status(lh_verified_token_copy(&token, room, needed - 1, &copy, &len), LH_TOO_LARGE);
    assert_ok(lh_verified_token_copy(&token, room, needed, &copy, &len));
    assert_int_equal(len, needed);
    assert_slice_text(copy.audiences.items[0], "api");
    assert_true(copy.iss.ptr == room);
    assert_int_equal(copy.ends_ms, token.ends_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_verified_cache__answers_with_copies_of_what_it_was_filled_by),
        EACH(test_verified_cache__j45_every_byte_of_the_text_counts),
        EACH(test_verified_cache__j45_another_tenant_is_not_answered),
        EACH(test_verified_cache__j46_a_moved_counter_ends_an_entry),
        EACH(test_verified_cache__j46_what_was_read_before_a_change_is_never_current),
        EACH(test_verified_cache__j46_an_entry_ends_after_a_second_to_the_millisecond),
        EACH(test_verified_cache__j46_a_token_ends_when_it_ends),
        EACH(test_verified_cache__j46_a_key_ends_when_it_ends),
        EACH(test_verified_cache__j46_rows_of_another_generation_are_asked_again),
        EACH(test_verified_cache__remembers_a_refusal_for_two_seconds),
        EACH(test_verified_cache__a_refusal_stands_only_while_nothing_changes),
        EACH(test_verified_cache__what_could_not_be_judged_is_no_refusal),
        EACH(test_verified_cache__refusals_push_no_token_out),
        EACH(test_verified_cache__the_token_used_longest_ago_makes_room),
        EACH(test_verified_cache__a_token_with_too_many_texts_is_not_taken),
        EACH(test_verified_cache__filling_again_replaces),
        EACH(test_verified_cache__forgets_everything),
        EACH(test_verified_cache_new__refuses_absurd_sizes),
        EACH(test_verified_token_copy__needs_as_many_bytes_as_the_texts),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
