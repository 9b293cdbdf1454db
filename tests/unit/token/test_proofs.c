/*
 * What a cache of verified tokens knows for good: which signatures have held, under which keys.
 */
#include "support/child.h"

#include "verified_fixture.h"

/* --- Proofs ----------------------------------------------------------------------------------- */

static uint64_t proof_hits(void)
{
    struct lh_verified_cache_counts counts;
    lh_verified_cache_read_counts(cache, &counts);
    return counts.proof_hits;
}

static void test_token_verify__a_signature_that_held_is_not_computed_again(void **state)
{
    struct world *world = *state;
    struct lh_verified_token token;
    assert_non_null(fill(world, &world->acme, &text));
    assert_int_equal(proof_hits(), 0);
    world->acme.counter++; /* whatever has changed */
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW + 60000, &token));
    assert_int_equal(proof_hits(), 1);
    /* The rest is judged as ever. */
    assert_status(verify_at(world, &world->acme, text_view(&text), NOW + 630001, &token),
                  LH_EXPIRED);
    world->acme_issuers[1].bind_value = LH_SLICE_LITERAL("other");
    assert_status(verify_at(world, &world->acme, text_view(&text), NOW, &token), LH_WRONG_TENANT);
}

/* A payer who pays for nothing. */
struct miser {
    unsigned asked;
    unsigned charged;
};

static lh_status refuse_to_pay(void *self)
{
    struct miser *miser = self;
    miser->asked++;
    return lh_status_of(LH_LIMITED);
}

static void note_charge(void *self, bool has_held)
{
    struct miser *miser = self;
    (void)has_held;
    miser->charged++;
}

/* Whether somebody is asked to pay for the text's signature; if so it is not computed. */
static bool is_costly(const struct world *world, const struct lh_tenant *tenant)
{
    struct miser miser = {0, 0};
    const struct lh_token_payer payer = {&miser, refuse_to_pay, note_charge};
    struct lh_token_verifier verifier = world->verifier;
    struct lh_verified_token token;
    verifier.payer = &payer;
    struct lh_token_question question = ask(world, tenant, text_view(&text), NOW + 60000);
    const struct lh_raw_token *raw;
    void *room = malloc(lh_raw_token_room_bytes(text.len));
    assert_ok(lh_raw_token_read(&question.text, room, &raw));
    lh_status status = lh_token_verify(&verifier, &question, raw, &token);
    free(room);
    assert_int_equal(miser.asked, status.code == LH_LIMITED ? 1 : 0);
    assert_int_equal(miser.charged, 0);
    return status.code == LH_LIMITED;
}

static void test_token_verify__asks_who_pays_before_a_signature_is_computed(void **state)
{
    struct world *world = *state;
    assert_true(is_costly(world, &world->acme));
    assert_non_null(fill(world, &world->acme, &text));
    assert_false(is_costly(world, &world->acme));
    assert_true(is_costly(world, &world->globex)); /* it held for another tenant */
    struct lh_token_verifier verifier = world->verifier;
    world->verifier.cache = NULL;
    assert_true(is_costly(world, &world->acme));
    world->verifier = verifier;
    lh_slice material = world->foreign_keys[ES256].material;
    world->foreign_keys[ES256].material = world->own_key.material;
    assert_true(is_costly(world, &world->acme)); /* it held under another key */
    world->foreign_keys[ES256].material = material;
    world->foreign_keys[ES256].algorithm = LH_EDDSA;
    assert_false(is_costly(world, &world->acme)); /* what is refused without costs nothing */
    world->foreign_keys[ES256].algorithm = LH_ES256;
    world->acme_issuers[1].key_count = 0;
    assert_false(is_costly(world, &world->acme));
}

/* Pays, and keeps what he was told: +1 for each signature that held, -100 for each that did not. */
static lh_status pay(void *self)
{
    (void)self;
    return lh_ok();
}

static void keep_count(void *self, bool has_held)
{
    int *count = self;
    *count += has_held ? 1 : -100;
}

static void test_token_verify__tells_who_pays_whether_the_signature_has_held(void **state)
{
    struct world *world = *state;
    static int count;
    static const struct lh_token_payer payer = {&count, pay, keep_count};
    struct lh_verified_token token;
    world->verifier.payer = &payer;
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(count, 1);
    assert_status(verify_at(world, &world->acme, text_view(&text), NOW + 630001, &token),
                  LH_EXPIRED); /* whatever comes after it */
    assert_int_equal(count, 2);
    world->foreign_keys[ES256].material = world->own_key.material;
    assert_status(verify(world, &text), LH_BAD_SIGNATURE);
    assert_int_equal(count, 2 - 100);
    world->verifier.payer = NULL;
}

static void test_token_verify__a_proof_is_worth_nothing_for_another_key(void **state)
{
    struct world *world = *state;
    assert_non_null(fill(world, &world->acme, &text));
    world->foreign_keys[ES256].material = world->own_key.material; /* the same kid */
    assert_status(verify(world, &text), LH_BAD_SIGNATURE);
    world->acme_issuers[1].key_count = 0;
    assert_status(verify(world, &text), LH_ABSENT);
    assert_int_equal(proof_hits(), 0);
}

static void test_token_verify__a_proof_is_worth_nothing_for_another_tenant(void **state)
{
    struct world *world = *state;
    struct lh_verified_token token;
    assert_non_null(fill(world, &world->acme, &text));
    assert_status(verify_at(world, &world->globex, text_view(&text), NOW, &token), LH_WRONG_TENANT);
    assert_int_equal(proof_hits(), 0);
}

/* --- Mix-ups ---------------------------------------------------------------------------------- */

/* A token and a question about another text. */
struct mix_up {
    const struct world *world;
    const struct text *asked;
};

static void verify_mixed_up(void *context)
{
    const struct mix_up *mix_up = context;
    const struct world *world = mix_up->world;
    struct lh_token_question sent = ask(world, &world->acme, text_view(&text), NOW);
    struct lh_token_question question = ask(world, &world->acme, text_view(mix_up->asked), NOW);
    const struct lh_raw_token *raw;
    struct lh_verified_token token;
    void *room = malloc(lh_raw_token_room_bytes(text.len));
    assert_ok(lh_raw_token_read(&sent.text, room, &raw));
    (void)lh_is_ok(lh_token_verify(&world->verifier, &question, raw, &token));
    free(room);
}

static void fill_mixed_up(void *context)
{
    const struct mix_up *mix_up = context;
    const struct world *world = mix_up->world;
    struct lh_token_question question = ask(world, &world->acme, text_view(mix_up->asked), NOW);
    struct lh_verified_token token;
    const struct lh_verified_token *kept;
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    lh_verified_cache_fill(cache, &question, &token, &kept);
}

static void test_verified_cache__one_text_under_anothers_digest_is_a_bug(void **state)
{
    static struct text other;
    struct mix_up mix_up = {*state, &other};
    sign_claims(mix_up.world, ES256, NULL, 0, &other);
    void (*const parts[])(void *context) = {verify_mixed_up, fill_mixed_up};
    for (size_t i = 0; i < 2; i++) {
        mix_up.asked = &other;
        assert_aborts(parts[i], &mix_up);
        mix_up.asked = &text;
        assert_int_equal(child_run(parts[i], &mix_up), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_token_verify__a_signature_that_held_is_not_computed_again),
        EACH(test_token_verify__asks_who_pays_before_a_signature_is_computed),
        EACH(test_token_verify__tells_who_pays_whether_the_signature_has_held),
        EACH(test_token_verify__a_proof_is_worth_nothing_for_another_key),
        EACH(test_token_verify__a_proof_is_worth_nothing_for_another_tenant),
        EACH(test_verified_cache__one_text_under_anothers_digest_is_a_bug),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
