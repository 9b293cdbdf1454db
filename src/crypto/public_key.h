/*
 * Verifying signatures. A key has exactly one algorithm, decided when it is imported; verifying
 * takes none, so that nothing in a message can choose (RFC 8725 §3.1). The algorithms are those
 * of RFC 7518 §3 and RFC 8037 that we take; there is no symmetric one among them.
 *
 * A weak key is refused when it is imported, not when it is used.
 */
#ifndef LH_CRYPTO_PUBLIC_KEY_H
#define LH_CRYPTO_PUBLIC_KEY_H

#include "crypto/crypto.h"

/* The values are stored. */
enum lh_algorithm {
    LH_RS256 = 1, /* RSASSA-PKCS1-v1_5 with SHA-256 */
    LH_PS256 = 2, /* RSASSA-PSS with SHA-256, MGF1 with SHA-256, a salt of 32 bytes */
    LH_ES256 = 3, /* ECDSA on P-256 with SHA-256 */
    LH_EDDSA = 4  /* Ed25519, pure */
};

/* RFC 7518 §3.3 asks for 2,048 bits; what takes more than 8,192 to verify is an attack. */
#define LH_RSA_MIN_BITS 2048U
#define LH_RSA_MAX_BITS 8192U
/* Smaller public exponents have been the half of too many forgeries; larger ones only cost. */
#define LH_RSA_EXPONENT_MIN        UINT64_C(65537)
#define LH_RSA_EXPONENT_MAX        ((UINT64_C(1) << 33) - 1)

#define LH_ED25519_KEY_BYTES       32U
#define LH_ED25519_SIGNATURE_BYTES 64U

/* The longest material of any key: an RSA modulus of 8,192 bits with its length, an exponent. */
#define LH_PUBLIC_MATERIAL_MAX_BYTES (2U + LH_RSA_MAX_BITS / 8U + 5U)
/* The longest signature of any key. */
#define LH_SIGNATURE_MAX_BYTES (LH_RSA_MAX_BITS / 8U)

/* The name in the registry of RFC 7518 §3.1 ("ES256"); static storage, NULL for no algorithm. */
const char *lh_algorithm_name(enum lh_algorithm algorithm);
/* Reads exactly such a name. Errors: MALFORMED (none of ours, another case). */
LH_MUST_USE lh_status lh_algorithm_parse(lh_slice name, enum lh_algorithm *out_algorithm);

/* Borrows the lh_crypto it was made with: free it first. For one thread. */
struct lh_public_key;

/*
 * Makes a verifying key.
 * material  RS256, PS256: u16 length of n ‖ n ‖ e, both big-endian without leading zeros;
 *           ES256: x ‖ y, 32 bytes each; EdDSA: the 32 bytes of RFC 8032 §5.1.2.
 * Refused are RSA keys outside the bounds above, with an even modulus, one that a small prime
 * divides, or one with the fingerprint of ROCA (CVE-2017-15361); points that are not on P-256 or
 * not reduced; Ed25519 keys that are no point, not reduced, or of small order.
 * Errors: MALFORMED (no key of this algorithm), FORBIDDEN (a weak one), INVALID (no algorithm),
 * CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_public_key_new(struct lh_crypto *crypto, enum lh_algorithm algorithm,
                                        lh_slice material, struct lh_public_key **out_key);
/* Frees; NULL is accepted. */
void lh_public_key_free(struct lh_public_key *key);

/* The key's one algorithm. */
enum lh_algorithm lh_public_key_algorithm(const struct lh_public_key *key);

/*
 * Verifies.
 * signature  as JWS has it, of exactly the key's length: RSA: that of the modulus; ES256: r ‖ s,
 *            64 bytes, both from 1 to n - 1; EdDSA: 64 bytes, S below the order.
 * Errors: BAD_SIGNATURE (does not hold), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_public_key_verify(struct lh_public_key *key, lh_slice message,
                                           lh_slice signature);

#endif
