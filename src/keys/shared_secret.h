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
 * Seals a secret.
 * key     keys of the tenant's active DEK; its id belongs beside the sealed secret.
 * key_id  one that is valid; secret: of an allowed length.
 * Errors: INVALID, CRYPTO, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_shared_secret_seal(struct lh_crypto *crypto, const struct lh_datakey *key,
                                            const struct lh_tenant_uid *uid, lh_slice key_id,
                                            lh_slice secret, struct lh_buf *out_sealed);
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
