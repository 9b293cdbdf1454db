/*
 * Each allocation of ours and of OpenSSL fails in turn, through everything this room does. Every
 * call then says so or has done its work: a token that could not be judged is never refused for
 * good.
 */
#include "support/failing_alloc.h"
#include "support/test.h"

#include "rfc_vectors.h"
#include "token/jwk.h"
#include "token/key_cache.h"
#include "token/token_write.h"
#include "token/verified_cache.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#define NOW_S UINT64_C(1700000000)

/* OpenSSL's allocations are counted like ours: its replacements call what is wrapped. */
static void *ssl_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(len);
}

static void *ssl_realloc(void *ptr, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(ptr, len);
}

static void ssl_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    free(ptr);
}

/* What one round makes. */
struct round {
    struct lh_crypto *crypto;
    struct lh_signing_key *pair;
    struct lh_key_cache *keys;
    struct lh_verified_cache *cache;
    struct lh_arena arena;
    struct lh_buf text;
};

static void finish(struct round *round)
{
    lh_buf_fini(&round->text);
    lh_arena_fini(&round->arena);
    lh_verified_cache_free(round->cache);
    lh_key_cache_free(round->keys);
    lh_signing_key_free(round->pair);
    lh_crypto_free(round->crypto);
}

static lh_status import_and_write(struct round *round)
{
    static const char *const keys[] = {rfc_7638_jwk, "{\"kty\":\"oct\"}", NULL};
    LH_CLEANUP(lh_buf_fini) struct lh_buf source = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;
    struct lh_jwk_import import = {.crypto = round->crypto, .arena = &round->arena};
    struct lh_jwk_fault fault;
    struct lh_verify_key *rows;
    size_t count;
    LH_TRY(lh_buf_add_text(&source, "{\"keys\":["));
    LH_TRY(lh_buf_add_text(&source, keys[0]));
    LH_TRY(lh_buf_add_format(&source, ",%s,%s,%s]}", keys[1], rfc_8037_a4.jwk, rfc_7515_a3.jwk));
    LH_TRY(lh_jwks_import(&import, lh_buf_view(&source), &rows, &count, &fault));
    assert_int_equal(count, 3);
    return lh_jwks_write(rows, count, &written);
}

static lh_status write_token(struct round *round)
{
    const struct lh_token_claims claims = {
        .iss = LH_SLICE_LITERAL("own"),
        .tenant = LH_SLICE_LITERAL("acme"),
        .sub = LH_SLICE_LITERAL("alice"),
        .jti = LH_SLICE_LITERAL("id"),
        .audiences = {{LH_SLICE_LITERAL("api")}, 1},
        .issued_s = NOW_S,
        .expires_s = NOW_S + 60,
    };
    return lh_token_write(round->pair, LH_SLICE_LITERAL("own-1"), &claims, &round->text);
}

static lh_status verify_token(struct round *round)
{
    uint8_t material[64];
    LH_TRY(lh_signing_key_public(round->pair, material, material + 32));
    struct lh_verify_key key = {
        .kid = LH_SLICE_LITERAL("own-1"), .algorithm = LH_ES256, .material = LH_SLICE_OF(material)};
    struct lh_issuer issuer = {.iss = LH_SLICE_LITERAL("own"),
                               .is_own = true,
                               .bind_claim = LH_SLICE_LITERAL("tenant_id"),
                               .keys = &key,
                               .key_count = 1};
    static struct lh_tenant tenant;
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme"), &tenant.id));
    tenant.issuers = &issuer;
    tenant.issuer_count = 1;
    struct lh_token_question question = {.tenant = &tenant, .now_ms = NOW_S * 1000};
    struct lh_token_verifier verifier = {round->crypto, round->keys, round->cache, NULL};
    static _Alignas(16) uint8_t room[16384];
    const struct lh_raw_token *raw;
    struct lh_verified_token token;
    const struct lh_verified_token *kept;
    LH_TRY(lh_token_text_of(round->crypto, lh_buf_view(&round->text), &question.text));
    assert_true(lh_raw_token_room_bytes(round->text.len) <= sizeof(room));
    assert_ok(lh_raw_token_read(&question.text, room, &raw)); /* needs no memory */
    LH_TRY(lh_token_verify(&verifier, &question, raw, &token));
    lh_verified_cache_fill(round->cache, &question, &token, &kept);
    assert_ok(lh_verified_cache_find(round->cache, &question, &kept)); /* nor does a look-up */
    assert_slice_text(kept->sub, "alice");
    return lh_ok();
}

static lh_status use_everything(void)
{
    LH_CLEANUP(finish) struct round round = {.arena = lh_arena_bounded(65536)};
    LH_TRY(lh_crypto_new(&round.crypto));
    LH_TRY(lh_signing_key_generate(round.crypto, &round.pair));
    struct lh_key_cache_options keys = {.crypto = round.crypto, .keys_max = 4};
    struct lh_verified_cache_options tokens = {.tokens_max = 8, .refusals_max = 8};
    LH_TRY(lh_key_cache_new(&keys, &round.keys));
    LH_TRY(lh_verified_cache_new(&tokens, &round.cache));
    LH_TRY(import_and_write(&round));
    LH_TRY(write_token(&round));
    return verify_token(&round);
}

static bool is_honest(lh_status status)
{
    return status.code == LH_OK || status.code == LH_CRYPTO || status.code == LH_NO_MEMORY;
}

static void test_token__survives_each_failing_allocation(void **state)
{
    (void)state;
    unsigned failures = 0;
    assert_ok(use_everything()); /* what OpenSSL makes once per process is made now */
    for (size_t nth = 1;; nth++) {
        failing_alloc_at(nth);
        lh_status status = use_everything();
        bool is_spent = failing_alloc_count() >= nth;
        failing_alloc_at(0);
        if (!is_honest(status) || ERR_peek_error() != 0) {
            fail_msg("allocation %zu: %s, error %lx", nth, lh_status_name(status),
                     ERR_peek_error());
        }
        failures += !lh_is_ok(status);
        if (!is_spent) {
            assert_ok(status);
            break;
        }
    }
    assert_true(failures > 100);
    assert_ok(use_everything());
}

int main(void)
{
    if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
