/*
 * A key derived from a tenant's data key for one purpose, with the commitment by which it is told
 * that something was sealed under another one (AES-GCM alone does not tell).
 */
#ifndef LH_KEYS_SEALING_KEY_H
#define LH_KEYS_SEALING_KEY_H

#include "crypto/aead.h"
#include "tenant/tenant_id.h"

struct lh_sealing_key {
    struct lh_key key;
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
};

/* What sealing adds. */
#define LH_SEALED_OVERHEAD_BYTES (LH_AEAD_COMMITMENT_BYTES + LH_AEAD_OVERHEAD_BYTES)

/*
 * Derives a key: HKDF(dek, purpose ‖ uid).
 * purpose  a label that is used nowhere else. Errors: CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_sealing_key_derive(struct lh_crypto *crypto, const struct lh_key *dek,
                                            lh_slice purpose, const struct lh_tenant_uid *uid,
                                            struct lh_sealing_key *out_key);

/*
 * Seals: appends commitment ‖ nonce ‖ ciphertext ‖ tag.
 * aad  authenticated, not stored. Errors: CRYPTO, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_sealing_key_seal(struct lh_crypto *crypto,
                                          const struct lh_sealing_key *key, lh_slice aad,
                                          lh_slice plain, struct lh_buf *out);
/*
 * Opens: commitment first, then the seal.
 * out_plain  appended to. Errors: TAMPERED, CRYPTO, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_sealing_key_open(struct lh_crypto *crypto,
                                          const struct lh_sealing_key *key, lh_slice aad,
                                          lh_slice sealed, struct lh_buf *out_plain);

#endif
