/*
 * Which public keys we take: what OpenSSL accepts and no signature should hang on is refused here.
 * Nobody outside the room includes it.
 */
#ifndef LH_CRYPTO_KEY_POLICY_H
#define LH_CRYPTO_KEY_POLICY_H

#include "base/slice.h"

/*
 * An RSA key as big-endian numbers.
 * Errors: MALFORMED (empty, leading zeros), FORBIDDEN (length, exponent, an even modulus or one
 * that a small prime divides, the fingerprint of ROCA), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_rsa_key_check(lh_slice modulus, lh_slice exponent);

/*
 * An uncompressed point of P-256. Errors: MALFORMED (not on the curve, a coordinate not below p),
 * CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_p256_key_check(lh_slice point);

/*
 * An Ed25519 key as it lies.
 * Errors: MALFORMED (length, not below p, no point of the curve), FORBIDDEN (small order), CRYPTO,
 * NO_MEMORY.
 */
LH_MUST_USE lh_status lh_ed25519_key_check(lh_slice key);

#endif
