/*
 * What the files about asymmetric keys share: OpenSSL's key objects, made of numbers and freed
 * when their scope ends. Nobody outside the room includes it.
 */
#ifndef LH_CRYPTO_PKEY_H
#define LH_CRYPTO_PKEY_H

#include "crypto/engine.h"
#include "crypto/signature.h"

#include <openssl/bn.h>

/* SEC 1 §2.3.3: 0x04 ‖ X ‖ Y. */
#define LH_P256_POINT_BYTES        (1U + 2U * LH_ES256_COORDINATE_BYTES)
#define LH_P256_POINT_UNCOMPRESSED 0x04U

/* DER of two integers of 33 bytes at most: 2 + 2 × (2 + 33), rounded up. */
#define LH_P256_DER_MAX_BYTES 80U

/* For LH_CLEANUP. */
void lh_pkey_drop(EVP_PKEY **pkey);
/* For LH_CLEANUP. */
void lh_pkey_context_drop(EVP_PKEY_CTX **context);
/* For LH_CLEANUP; wipes. */
void lh_number_drop(BIGNUM **number);

/*
 * Makes a P-256 key.
 * private_native  the scalar in the machine's byte order, or empty for a public key.
 * point           on the curve; the caller has made sure.
 * out_pkey        owned by the caller.
 * Errors: CRYPTO.
 */
LH_MUST_USE lh_status lh_pkey_of_point(lh_slice private_native,
                                       const uint8_t point[LH_P256_POINT_BYTES],
                                       EVP_PKEY **out_pkey);

/*
 * A context over digests of SHA-256 that is made ready once and used for every signature.
 * init         EVP_PKEY_sign_init or EVP_PKEY_verify_init.
 * out_context  owned by the caller; refers to pkey.
 * Errors: CRYPTO.
 */
LH_MUST_USE lh_status lh_pkey_prepare(struct lh_crypto *crypto, EVP_PKEY *pkey,
                                      int (*init)(EVP_PKEY_CTX *context),
                                      EVP_PKEY_CTX **out_context);

#endif
