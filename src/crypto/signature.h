/*
 * ES256 (ECDSA P-256 with SHA-256, RFC 7518 §3.4): what the node signs contexts with. Signatures
 * are the 64 raw bytes r ‖ s that JWS uses.
 */
#ifndef LH_CRYPTO_SIGNATURE_H
#define LH_CRYPTO_SIGNATURE_H

#include "base/buf.h"
#include "crypto/crypto.h"

#define LH_ES256_SIGNATURE_BYTES  64U
#define LH_ES256_COORDINATE_BYTES 32U

/* A P-256 key pair, or a public key alone. Borrows the lh_crypto it was made with: free it first.
 */
struct lh_signing_key;

/* Generates a key pair. Errors: CRYPTO, NO_MEMORY. */
LH_MUST_USE lh_status lh_signing_key_generate(struct lh_crypto *crypto,
                                              struct lh_signing_key **out_key);
/*
 * Reads a key pair from the form that lh_signing_key_export writes (32-byte private scalar).
 * The public half is computed. Errors: MALFORMED, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_signing_key_import(struct lh_crypto *crypto, lh_slice scalar,
                                            struct lh_signing_key **out_key);
/*
 * Makes a verifying key from affine coordinates; the point must lie on the curve.
 * Errors: MALFORMED, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_signing_key_from_public(struct lh_crypto *crypto,
                                                 const uint8_t x[LH_ES256_COORDINATE_BYTES],
                                                 const uint8_t y[LH_ES256_COORDINATE_BYTES],
                                                 struct lh_signing_key **out_key);
/* Wipes and frees; NULL is accepted. */
void lh_signing_key_free(struct lh_signing_key *key);

/* The private scalar, 32 bytes big-endian; wipe it. Errors: CRYPTO, INVALID (public key only). */
LH_MUST_USE lh_status lh_signing_key_export(const struct lh_signing_key *key,
                                            struct lh_key *out_scalar);
/* The public point. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_signing_key_public(const struct lh_signing_key *key,
                                            uint8_t out_x[LH_ES256_COORDINATE_BYTES],
                                            uint8_t out_y[LH_ES256_COORDINATE_BYTES]);

/* Signs. Errors: CRYPTO, INVALID (public key only). */
LH_MUST_USE lh_status lh_es256_sign(struct lh_signing_key *key, lh_slice message,
                                    uint8_t out_signature[LH_ES256_SIGNATURE_BYTES]);
/* Verifies. signature: exactly 64 bytes. Errors: TAMPERED (does not hold), CRYPTO. */
LH_MUST_USE lh_status lh_es256_verify(struct lh_signing_key *key, lh_slice message,
                                      lh_slice signature);

#endif
