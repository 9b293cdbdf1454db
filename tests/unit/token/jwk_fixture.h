/*
 * Keys as texts for two files of tests, and what importing them answers.
 */
#ifndef LH_TESTS_JWK_FIXTURE_H
#define LH_TESTS_JWK_FIXTURE_H

#include "support/test.h"

#include "rfc_vectors.h"
#include "token/jwk.h"

static struct lh_crypto *crypto;

static inline int make_crypto(void **state)
{
    (void)state;
    return lh_is_ok(lh_crypto_new(&crypto)) ? 0 : -1;
}

static inline int free_crypto(void **state)
{
    (void)state;
    lh_crypto_free(crypto);
    return 0;
}

/* Coordinates of RFC 7515 A.3, the key of RFC 8037 A.2, a modulus of RFC 7515 A.2 in its JWK. */
#define X  "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y  "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""
#define ED                                                                                         \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define UNUSED ((enum lh_algorithm)0)

/* What an import answered; the key lives in the arena. */
struct imported {
    struct lh_arena arena;
    struct lh_verify_key key;
    struct lh_jwk_fault fault;
    lh_status status;
};

static inline void finish(struct imported *imported)
{
    lh_arena_fini(&imported->arena);
}

static inline void import_as(struct imported *imported, enum lh_algorithm algorithm,
                             const char *jwk)
{
    memset(imported, 0, sizeof(*imported));
    imported->arena = lh_arena_bounded(16384);
    struct lh_jwk_import import = {
        .crypto = crypto, .arena = &imported->arena, .algorithm = algorithm};
    imported->status =
        lh_jwk_import(&import, lh_slice_from_text(jwk), &imported->key, &imported->fault);
}

static inline void assert_import_as(enum lh_algorithm algorithm, const char *jwk,
                                    enum lh_code expected)
{
    LH_CLEANUP(finish) struct imported imported;
    import_as(&imported, algorithm, jwk);
    if (imported.status.code != expected) {
        fail_msg("%.400s: got %s (%s), expected %s", jwk, lh_status_name(imported.status),
                 imported.fault.what, lh_status_name(lh_status_of(expected)));
    }
    if (expected != LH_OK) {
        assert_non_null(imported.fault.what);
    }
}

static inline void assert_import(const char *jwk, enum lh_code expected)
{
    assert_import_as(UNUSED, jwk, expected);
}

/* The RSA key of RFC 7638 with another "alg", or without one. */
static inline const char *rsa_jwk(const char *alg)
{
    static char text[2048];
    const char *at = strstr(rfc_7638_jwk, "\"alg\":\"RS256\"");
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - rfc_7638_jwk), rfc_7638_jwk, alg,
                   at + strlen("\"alg\":\"RS256\""));
    return text;
}

#endif
