/*
 * JWKs and sets of them: a key that is taken verifies with exactly one algorithm, has no private
 * half, and writes to a canonical text that reads back as the same key. The first byte is what keys
 * are imported for.
 */
#include "fuzz.h"

#include "codec/json.h"
#include "token/jwk.h"

/* One for the process: the target is called again and again. */
static struct lh_crypto *open_crypto(void)
{
    static struct lh_crypto *crypto;
    if (crypto == NULL) {
        FUZZ_CHECK(lh_is_ok(lh_crypto_new(&crypto)));
    }
    return crypto;
}

static bool is_same_key(const struct lh_verify_key *a, const struct lh_verify_key *b)
{
    return lh_slice_is_equal(a->kid, b->kid) && lh_slice_is_equal(a->material, b->material) &&
           a->algorithm == b->algorithm;
}

static void check_key(const struct lh_jwk_import *import, const struct lh_verify_key *key)
{
    struct lh_public_key *made = NULL;
    char thumbprint[LH_JWK_THUMBPRINT_TEXT_BYTES];
    FUZZ_CHECK(key->kid.len > 0 && key->kid.len <= LH_ISSUER_TEXT_MAX_BYTES && key->until_ms == 0);
    FUZZ_CHECK(import->algorithm == 0 || key->algorithm == import->algorithm);
    FUZZ_CHECK(lh_is_ok(lh_public_key_new(import->crypto, key->algorithm, key->material, &made)));
    lh_public_key_free(made);
    FUZZ_CHECK(lh_is_ok(lh_jwk_thumbprint(import->crypto, key, thumbprint)));
}

/* What was imported, written and imported again. */
static void check_round_trip(const struct lh_jwk_import *import, const struct lh_verify_key *keys,
                             size_t count)
{
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(1 << 20);
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf rewritten = LH_BUF_EMPTY;
    struct lh_jwk_import again = {.crypto = import->crypto, .arena = &arena};
    struct lh_jwk_fault fault;
    struct lh_verify_key *read;
    size_t read_count;
    FUZZ_CHECK(lh_is_ok(lh_jwks_write(keys, count, &text)));
    FUZZ_CHECK(lh_is_ok(lh_jwks_import(&again, lh_buf_view(&text), &read, &read_count, &fault)));
    FUZZ_CHECK(read_count == count);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(is_same_key(&keys[i], &read[i]));
    }
    FUZZ_CHECK(lh_is_ok(lh_jwks_write(read, read_count, &rewritten)));
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&text), lh_buf_view(&rewritten)));
}

static void check_no_private_half(const json_t *jwk)
{
    FUZZ_CHECK(json_object_get(jwk, "d") == NULL && json_object_get(jwk, "k") == NULL &&
               json_object_get(jwk, "p") == NULL);
}

static void check_one(const struct lh_jwk_import *import, lh_slice text)
{
    struct lh_verify_key key;
    struct lh_jwk_fault fault = {0, NULL};
    if (!lh_is_ok(lh_jwk_import(import, text, &key, &fault))) {
        FUZZ_CHECK(fault.what != NULL);
        return;
    }
    LH_CLEANUP(lh_json_fini) json_t *jwk = NULL;
    FUZZ_CHECK(lh_is_ok(lh_json_parse(text, text.len, &jwk)));
    check_no_private_half(jwk);
    check_key(import, &key);
    check_round_trip(import, &key, 1);
}

static void check_set(const struct lh_jwk_import *import, lh_slice text)
{
    struct lh_verify_key *keys;
    size_t count;
    struct lh_jwk_fault fault = {0, NULL};
    if (!lh_is_ok(lh_jwks_import(import, text, &keys, &count, &fault))) {
        FUZZ_CHECK(fault.what != NULL);
        return;
    }
    FUZZ_CHECK(count > 0 && count <= LH_ISSUER_KEYS_MAX);
    LH_CLEANUP(lh_json_fini) json_t *set = NULL;
    FUZZ_CHECK(lh_is_ok(lh_json_parse(text, text.len, &set)));
    size_t index;
    json_t *jwk;
    json_array_foreach(json_object_get(set, "keys"), index, jwk)
    {
        check_no_private_half(jwk);
    }
    for (size_t i = 0; i < count; i++) {
        check_key(import, &keys[i]);
        for (size_t j = 0; j < i; j++) {
            FUZZ_CHECK(!lh_slice_is_equal(keys[i].kid, keys[j].kid));
        }
    }
    check_round_trip(import, keys, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(1 << 20);
    struct lh_jwk_import import = {
        .crypto = open_crypto(), .arena = &arena, .algorithm = (enum lh_algorithm)(bytes[0] % 5)};
    lh_slice text = lh_slice_of(bytes + 1, len - 1);
    check_one(&import, text);
    check_set(&import, text);
    return 0;
}
