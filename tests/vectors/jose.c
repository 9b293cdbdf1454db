/*
 * The cookbook of JOSE. A file holds what went into an example, and each serialization that came
 * out.
 */
#include "vectors.h"

#include "codec/json.h"
#include "token/jwk.h"
#include "token/jws.h"

/* Imports a key without its private half. */
static bool import_public(const struct lh_jwk_import *import, const json_t *jwk,
                          struct lh_verify_key *out_key)
{
    static const char *const private_names[] = {"d", "p", "q", "dp", "dq", "qi"};
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_json_fini) json_t *public = json_copy((json_t *)(uintptr_t)jwk);
    struct lh_jwk_fault fault;
    for (size_t i = 0; i < sizeof(private_names) / sizeof(private_names[0]); i++) {
        (void)json_object_del(public, private_names[i]);
    }
    return json_is_object(public) && lh_is_ok(lh_json_write(public, &text)) &&
           lh_is_ok(lh_jwk_import(import, lh_buf_view(&text), out_key, &fault));
}

/* Whether a text reads as a JWS and verifies under the example's key. */
static bool is_accepted(struct lh_crypto *crypto, const json_t *input, lh_slice text)
{
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(16384);
    struct lh_jwk_import import = {.crypto = crypto, .arena = &arena};
    static uint8_t room[LH_JWS_MAX_BYTES];
    struct lh_raw_jws jws;
    struct lh_verify_key row;
    struct lh_public_key *key = NULL;
    if (text.len > sizeof(room) || !lh_is_ok(lh_jws_read(text, room, &jws))) {
        return false;
    }
    import.algorithm = jws.algorithm;
    bool holds = import_public(&import, json_object_get(input, "key"), &row) &&
                 lh_is_ok(lh_public_key_new(crypto, row.algorithm, row.material, &key)) &&
                 lh_is_ok(lh_public_key_verify(key, jws.signing_input, jws.signature));
    lh_public_key_free(key);
    return holds;
}

static bool is_ours(const json_t *input)
{
    enum lh_algorithm algorithm;
    const char *name = json_string_value(json_object_get(input, "alg"));
    return name != NULL && lh_is_ok(lh_algorithm_parse(lh_slice_from_text(name), &algorithm));
}

void run_jose_example(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    const json_t *input = json_object_get(file, "input");
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(file, "output"), name, value)
    {
        LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
        bool is_compact = strcmp(name, "compact") == 0 && json_is_string(value);
        bool is_written = is_compact ? lh_is_ok(lh_buf_add_text(&text, json_string_value(value)))
                                     : lh_is_ok(lh_json_write(value, &text));
        vector_count(tally,
                     is_written && is_accepted(crypto, input, lh_buf_view(&text)) ==
                                       (is_compact && is_ours(input)),
                     name);
    }
}

void run_jose_key(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(16384);
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    const char *kty = vector_text(file, "kty");
    bool is_rsa = strcmp(kty, "RSA") == 0;
    bool is_private = json_object_get(file, "d") != NULL || strcmp(kty, "oct") == 0;
    /* RSA keys do not say for what they are; the curve is P-521, which is none of ours. */
    struct lh_jwk_import import = {
        .crypto = crypto, .arena = &arena, .algorithm = is_rsa ? LH_RS256 : (enum lh_algorithm)0};
    struct lh_verify_key key;
    struct lh_jwk_fault fault;
    bool is_taken = lh_is_ok(lh_json_write(file, &text)) &&
                    lh_is_ok(lh_jwk_import(&import, lh_buf_view(&text), &key, &fault));
    vector_count(tally, is_taken == (is_rsa && !is_private), kty);
}
