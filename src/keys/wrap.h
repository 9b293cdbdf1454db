/*
 * A key sealed under another key, for drivers that do the sealing themselves. Wire: version ‖
 * commitment to the wrapping key (32) ‖ XAES-256-GCM of the key. AAD = label ‖ purpose ‖ uid ‖
 * key id, so that a blob opens only as what it was made for.
 */
#ifndef LH_KEYS_WRAP_H
#define LH_KEYS_WRAP_H

#include "crypto/aead.h"
#include "keys/key_driver.h"

#define LH_WRAP_VERSION 1U
#define LH_WRAP_BYTES   (1U + LH_AEAD_COMMITMENT_BYTES + LH_KEY_BYTES + LH_AEAD_OVERHEAD_BYTES)

/* A tenant KEK under the KEK: a purpose that no caller of a driver can name. */
#define LH_WRAP_TENANT_KEK 0U

/* What a blob is bound to. */
struct lh_wrap_binding {
    uint8_t purpose; /* LH_WRAP_TENANT_KEK or an enum lh_wrap_purpose */
    struct lh_tenant_uid uid;
    uint32_t key_id;
};

/*
 * Appends key sealed under kek. Errors: CRYPTO, NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_wrap_seal(struct lh_crypto *crypto, const struct lh_key *kek,
                                   const struct lh_wrap_binding *binding, const struct lh_key *key,
                                   struct lh_buf *out_blob);
/*
 * Opens a blob: commitment first, then the seal.
 * out_key  written only on success. Errors: TAMPERED, FUTURE_FORMAT (a newer version), CRYPTO.
 */
LH_MUST_USE lh_status lh_wrap_open(struct lh_crypto *crypto, const struct lh_key *kek,
                                   const struct lh_wrap_binding *binding, lh_slice blob,
                                   struct lh_key *out_key);

#endif
