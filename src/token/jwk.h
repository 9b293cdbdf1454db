/*
 * JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037): verifying keys as issuers publish them, and as
 * we publish ours. What a key is for is decided when it is imported, by the key and by whoever
 * configures it, never by a token.
 *
 * Of a set those keys are passed over that are plainly not for us: another type, curve, algorithm
 * or use (RFC 7517 §5). A key that is for us and wrong, or one with its private half, refuses the
 * whole set: somebody has to mend it.
 */
#ifndef LH_TOKEN_JWK_H
#define LH_TOKEN_JWK_H

#include "base/arena.h"
#include "base/buf.h"
#include "tenant/issuer.h"

/* Longest JWK and JWK set. */
#define LH_JWK_MAX_BYTES  8192U
#define LH_JWKS_MAX_BYTES 65536U

/* base64url of SHA-256. */
#define LH_JWK_THUMBPRINT_TEXT_BYTES 43U

/* How keys are imported; all borrowed. */
struct lh_jwk_import {
    struct lh_crypto *crypto;
    struct lh_arena *arena; /* owns what the keys point to */
    /* What the keys are for; 0: what they say. RSA keys without "alg" need it. */
    enum lh_algorithm algorithm;
};

/* What is wrong, for people. */
struct lh_jwk_fault {
    size_t index;     /* of the key in its set */
    const char *what; /* one phrase, static storage */
};

/*
 * Imports one key. Its kid is 1 to 255 bytes; without one it is the key's thumbprint.
 * out_fault  written on failure.
 * Errors: MISMATCH (not for us: type, curve, algorithm, use), FORBIDDEN (a weak key, a private
 * member), MALFORMED, TOO_LARGE, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_jwk_import(const struct lh_jwk_import *import, lh_slice text,
                                    struct lh_verify_key *out_key, struct lh_jwk_fault *out_fault);

/*
 * Imports a set.
 * out_keys   in the arena, in the order of the set.
 * out_fault  written on failure.
 * Errors: ABSENT (no key of it is for us), DUPLICATE (two of one kid), TOO_LARGE (also more than
 * LH_ISSUER_KEYS_MAX keys), FORBIDDEN, MALFORMED, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_jwks_import(const struct lh_jwk_import *import, lh_slice text,
                                     struct lh_verify_key **out_keys, size_t *out_count,
                                     struct lh_jwk_fault *out_fault);

/*
 * Appends keys as a JWK set: compact, members sorted, keys in the order given, so that one list has
 * one text. Nothing but public members. Errors: MALFORMED (a kid that is not UTF-8), INVALID (a key
 * that was not imported), TOO_LARGE, NO_MEMORY; out is then as long as before.
 */
LH_MUST_USE lh_status lh_jwks_write(const struct lh_verify_key *keys, size_t count,
                                    struct lh_buf *out);

/*
 * The thumbprint of a key (RFC 7638) in base64url, no NUL.
 * Errors: INVALID (a key that was not imported), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_jwk_thumbprint(struct lh_crypto *crypto, const struct lh_verify_key *key,
                                        char out_text[LH_JWK_THUMBPRINT_TEXT_BYTES]);

#endif
