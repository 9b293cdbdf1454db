/*
 * Verifying what a key pair has signed, as somebody who has its public half alone.
 */
#ifndef LH_TESTS_SUPPORT_PUBLIC_HALF_H
#define LH_TESTS_SUPPORT_PUBLIC_HALF_H

#include <string.h>

#include "crypto/public_key.h"
#include "crypto/signature.h"

/* The verifying key of coordinates. Errors: as lh_public_key_new. */
static inline lh_status public_key_of_point(struct lh_crypto *crypto, const uint8_t x[32],
                                            const uint8_t y[32], struct lh_public_key **out_key)
{
    uint8_t material[64];
    memcpy(material, x, 32);
    memcpy(material + 32, y, 32);
    return lh_public_key_new(crypto, LH_ES256, LH_SLICE_OF(material), out_key);
}

/* The verifying key of a pair. Errors: as lh_public_key_new. */
static inline lh_status public_half(struct lh_crypto *crypto, const struct lh_signing_key *pair,
                                    struct lh_public_key **out_key)
{
    uint8_t x[32];
    uint8_t y[32];
    LH_TRY(lh_signing_key_public(pair, x, y));
    return public_key_of_point(crypto, x, y, out_key);
}

/* Whether a signature holds under a pair's public half. Errors: as lh_public_key_verify. */
static inline lh_status verify_by_half(struct lh_crypto *crypto, const struct lh_signing_key *pair,
                                       lh_slice message, lh_slice signature)
{
    struct lh_public_key *key = NULL;
    LH_TRY(public_half(crypto, pair, &key));
    lh_status status = lh_public_key_verify(key, message, signature);
    lh_public_key_free(key);
    return status;
}

#endif
