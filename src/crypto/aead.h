/*
 * XAES-256-GCM (C2SP, 2024): AES-256-GCM with a 192-bit random nonce, from which a fresh key is
 * derived for each message; safe for 2^80 messages under one key. AES-GCM does not commit to its
 * key, so the caller stores lh_aead_commitment(key) beside the sealed bytes and compares it
 * first.
 */
#ifndef LH_CRYPTO_AEAD_H
#define LH_CRYPTO_AEAD_H

#include "base/buf.h"
#include "crypto/crypto.h"

#define LH_AEAD_NONCE_BYTES 24U
#define LH_AEAD_TAG_BYTES   16U
/* What sealing adds: nonce in front, tag behind. */
#define LH_AEAD_OVERHEAD_BYTES (LH_AEAD_NONCE_BYTES + LH_AEAD_TAG_BYTES)
/* Commitment to a key: 256 bits, so that two keys with one commitment cost 2^128. */
#define LH_AEAD_COMMITMENT_BYTES 32U

/*
 * Seals: appends nonce ‖ ciphertext ‖ tag to out, with a fresh random nonce.
 * key        256 bit; aad: authenticated, not stored; plaintext: any length, also empty.
 * Errors: CRYPTO, NO_MEMORY, TOO_LARGE; out is then as long as before.
 */
LH_MUST_USE lh_status lh_aead_seal(struct lh_crypto *crypto, const struct lh_key *key, lh_slice aad,
                                   lh_slice plaintext, struct lh_buf *out);

/*
 * Seals under a given nonce: for test vectors only.
 * Errors: CRYPTO, NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_aead_seal_with_nonce(struct lh_crypto *crypto, const struct lh_key *key,
                                              const uint8_t nonce[LH_AEAD_NONCE_BYTES],
                                              lh_slice aad, lh_slice plaintext, struct lh_buf *out);

/*
 * Opens nonce ‖ ciphertext ‖ tag.
 * out_plaintext  room for at least sealed.len - LH_AEAD_OVERHEAD_BYTES bytes (may be NULL when
 *                that is 0); written only on success (wiped on failure).
 * Errors: TAMPERED (too short, or the tag does not hold; one answer for all), CRYPTO.
 */
LH_MUST_USE lh_status lh_aead_open(struct lh_crypto *crypto, const struct lh_key *key, lh_slice aad,
                                   lh_slice sealed, uint8_t *out_plaintext);

/*
 * The commitment to a key: HKDF(key, "leasehold key commitment v1").
 * Errors: CRYPTO.
 */
LH_MUST_USE lh_status lh_aead_commitment(struct lh_crypto *crypto, const struct lh_key *key,
                                         uint8_t out_commitment[LH_AEAD_COMMITMENT_BYTES]);

#endif
