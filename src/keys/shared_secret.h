/*
 * Secrets that a tenant's services share with us, sealed for the registry: keys of hmac-sha256
 * request signatures. Bound to tenant and key id, so that none can stand in for another.
 */
#ifndef LH_KEYS_SHARED_SECRET_H
#define LH_KEYS_SHARED_SECRET_H

#include "keys/datakey_cache.h"
#include "tenant/signature_key.h"

/* The longest sealed secret. */
#define LH_SHARED_SECRET_SEALED_MAX_BYTES (LH_SEALED_OVERHEAD_BYTES + LH_SIGNATURE_SECRET_MAX_BYTES)

/*
 * Unwraps a DEK for shared secrets alone, on a thread that may wait, where there is no cache.
 * dek      of the tenant.
 * out_key  of it only dek_id and secret are set; to be wiped.
 * Errors: as lh_keys_unwrap; ABSENT (it is destroyed), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_shared_secret_unwrap(struct lh_keys *keys, struct lh_crypto *crypto,
                                              const struct lh_tenant_uid *uid,
                                              const struct lh_wrapped_dek *dek,
                                              struct lh_datakey *out_key);
/* Wipes it; for LH_CLEANUP. */
void lh_shared_secret_forget(struct lh_datakey *key);

/*
 * Seals a secret.
 * key     keys of the tenant's active DEK; its id belongs beside the sealed secret.
 * key_id  one that is valid; secret: of an allowed length.
 * Errors: INVALID, CRYPTO, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_shared_secret_seal(struct lh_crypto *crypto, const struct lh_datakey *key,
                                            const struct lh_tenant_uid *uid, lh_slice key_id,
                                            lh_slice secret, struct lh_buf *out_sealed);
/*
 * Seals a secret again under another DEK, or the same.
 * from, to    keys of the DEK that it is sealed under, and of the one that it shall be.
 * out_sealed  appended to. Errors: TAMPERED, CRYPTO, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_shared_secret_reseal(struct lh_crypto *crypto,
                                              const struct lh_datakey *from,
                                              const struct lh_datakey *to,
                                              const struct lh_tenant_uid *uid,
                                              const struct lh_signature_key *sealed,
                                              struct lh_buf *out_sealed);
/*
 * Opens one into a key prepared for MACs.
 * key      keys of the DEK that it was sealed under.
 * out_key  free it with lh_mac_key_free. Errors: TAMPERED, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_shared_secret_open(struct lh_crypto *crypto, const struct lh_datakey *key,
                                            const struct lh_tenant_uid *uid,
                                            const struct lh_signature_key *sealed,
                                            struct lh_mac_key **out_key);

#endif
