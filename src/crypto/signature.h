/*
 * Signing with ES256 (ECDSA P-256 with SHA-256, RFC 7518 §3.4): what nodes sign contexts with and
 * tenants their tokens. Signatures are the 64 raw bytes r ‖ s that JWS uses; crypto/public_key.h
 * verifies them.
 */
#ifndef LH_CRYPTO_SIGNATURE_H
#define LH_CRYPTO_SIGNATURE_H

#include "base/buf.h"
#include "crypto/crypto.h"

#define LH_ES256_SIGNATURE_BYTES  64U
#define LH_ES256_COORDINATE_BYTES 32U

/* A P-256 key pair. Borrows the lh_crypto it was made with: free it first. */
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
/* Wipes and frees; NULL is accepted. */
void lh_signing_key_free(struct lh_signing_key *key);

/* The private scalar, 32 bytes big-endian; wipe it. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_signing_key_export(const struct lh_signing_key *key,
                                            struct lh_key *out_scalar);
/* The public point. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_signing_key_public(const struct lh_signing_key *key,
                                            uint8_t out_x[LH_ES256_COORDINATE_BYTES],
                                            uint8_t out_y[LH_ES256_COORDINATE_BYTES]);

/* Signs. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_es256_sign(struct lh_signing_key *key, lh_slice message,
                                    uint8_t out_signature[LH_ES256_SIGNATURE_BYTES]);

#endif
