/*
 * A worker's cache of verified tokens, for two files of tests.
 */
#ifndef LH_TESTS_VERIFIED_FIXTURE_H
#define LH_TESTS_VERIFIED_FIXTURE_H

#include "token_fixture.h"

#define TOKENS   64
#define REFUSALS 64

static struct lh_verified_cache *cache;
static struct text text;

static inline int set_up(void **state)
{
    struct lh_verified_cache_options options = {
        .tokens_max = TOKENS, .refusals_max = REFUSALS, .hash_key = {{4}}};
    struct world *world = *state;
    (void)reset_world(state);
    if (!lh_is_ok(lh_verified_cache_new(&options, &cache))) {
        return -1;
    }
    world->verifier.cache = cache;
    sign_claims(world, ES256, NULL, 0, &text);
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *world = *state;
    world->verifier.cache = NULL;
    lh_verified_cache_free(cache);
    return 0;
}

/* Verifies a text at NOW and remembers it. */
static const struct lh_verified_token *
fill(const struct world *world, const struct lh_tenant *tenant, const struct text *source)
{
    struct lh_verified_token token;
    const struct lh_verified_token *kept;
    struct lh_token_question question = ask(world, tenant, text_view(source), NOW);
    assert_ok(verify_at(world, tenant, text_view(source), NOW, &token));
    lh_verified_cache_fill(cache, &question, &token, &kept);
    return kept;
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
