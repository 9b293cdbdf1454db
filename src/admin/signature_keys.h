/*
 * Keys of request signatures as other acts need them.
 */
#ifndef LH_ADMIN_SIGNATURE_KEYS_H
#define LH_ADMIN_SIGNATURE_KEYS_H

#include "admin/admin.h"

/* Calls each with the signature key at index. */
void lh_admin_describe_signature_key(const struct lh_tenant *tenant, size_t index, uint64_t now_ms,
                                     lh_admin_key_fn each, void *context);

/*
 * Inside a transaction: seals a tenant's secrets again under a new data key, so that the old one
 * may go. Nothing is unwrapped where there are none.
 * tenant  as it was read; its old keys open still. dek: the new key.
 * Errors: TAMPERED, KEY_DOWN, NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_reseal_secrets(struct lh_admin *admin, struct lh_registry_txn *txn,
                                              const struct lh_tenant *tenant,
                                              const struct lh_wrapped_dek *dek);

#endif
