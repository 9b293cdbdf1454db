/*
 * A tenant's signing keys as acts make, publish and retire them.
 */
#ifndef LH_ADMIN_SIGNING_H
#define LH_ADMIN_SIGNING_H

#include "admin/admin.h"

/* Calls each with the signing key at index. */
void lh_admin_describe_signing_key(const struct lh_tenant *tenant, size_t index, uint64_t now_ms,
                                   lh_admin_key_fn each, void *context);

/* Whether the registry still holds more of the tenant's keys than their state asks for. */
bool lh_admin_has_stale_signing_keys(const struct lh_tenant *tenant, uint64_t now_ms);

/*
 * Inside a transaction: removes keys that are over, and private halves that sign no more.
 * tenant  read again afterwards.
 * Errors: NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_settle_signing_keys(struct lh_admin *admin,
                                                   struct lh_registry_txn *txn,
                                                   struct lh_tenant **tenant);
/*
 * Inside a transaction: makes the tenant's next key and publishes it with the others. The commit
 * must follow: until then there is a public half that verifies nothing.
 * tenant  settled; read again afterwards, with the new key as its last one.
 * Errors: LIMITED, KEY_DOWN, UNREADABLE, UNSAFE_FILE, NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN,
 * CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_add_signing_key(struct lh_admin *admin, struct lh_registry_txn *txn,
                                               struct lh_tenant **tenant);
/*
 * Publishes that a removed tenant has no keys any more; nothing where none were published.
 * Errors: UNREADABLE, UNSAFE_FILE, NO_SPACE.
 */
LH_MUST_USE lh_status lh_admin_withdraw_signing_keys(struct lh_admin *admin,
                                                     const struct lh_tenant *tenant);
/* Tells the audit log of a tenant's newest key. */
void lh_admin_audit_signing_key(struct lh_admin *admin, const struct lh_tenant *tenant);

#endif
