/*
 * The keys of an installation: tenant KEKs and data keys through a key manager's driver, and the
 * cell secret from which cookie MAC keys come.
 */
#ifndef LH_KEYS_KEYS_H
#define LH_KEYS_KEYS_H

#include "keys/key_driver.h"

struct lh_keys;

/*
 * Opens a key manager by its driver's name ("keyring_file").
 * Errors: INVALID (no such driver), KEY_DOWN, UNSAFE_FILE (owner or mode), NO_MEMORY, CRYPTO.
 */
LH_MUST_USE lh_status lh_keys_open(const char *driver_name, const struct lh_key_options *options,
                                   struct lh_crypto *crypto, struct lh_keys **out_keys);
/* Wipes and closes; NULL is accepted. */
void lh_keys_close(struct lh_keys *keys);
/* Bits of enum lh_key_trait. */
unsigned lh_keys_traits(const struct lh_keys *keys);

/* See lh_key_driver.create_tenant. */
LH_MUST_USE lh_status lh_keys_create_tenant(struct lh_keys *keys, struct lh_crypto *crypto,
                                            const struct lh_tenant_uid *uid);
/* See lh_key_driver.destroy_tenant. */
LH_MUST_USE lh_status lh_keys_destroy_tenant(struct lh_keys *keys, const struct lh_tenant_uid *uid);
/*
 * Makes a new random key and wraps it; the key itself is wiped.
 * Errors: as lh_key_driver.wrap.
 */
LH_MUST_USE lh_status lh_keys_generate(struct lh_keys *keys, struct lh_crypto *crypto,
                                       const struct lh_wrap_scope *scope, struct lh_buf *out_blob);
/*
 * Wraps a key that is there already.
 * Errors: as lh_key_driver.wrap, INVALID (a scope that cannot be).
 */
LH_MUST_USE lh_status lh_keys_wrap(struct lh_keys *keys, struct lh_crypto *crypto,
                                   const struct lh_wrap_scope *scope, const struct lh_key *key,
                                   struct lh_buf *out_blob);
/* See lh_key_driver.unwrap. May run on a lane's thread with that thread's crypto. */
LH_MUST_USE lh_status lh_keys_unwrap(struct lh_keys *keys, struct lh_crypto *crypto,
                                     const struct lh_wrap_scope *scope, lh_slice blob,
                                     struct lh_key *out_key);

/*
 * The cell secret of an installation, unwrapped, and the cookie MAC keys derived from it:
 * HKDF(cell secret, "leasehold cookie mac v1" ‖ key id ‖ uid), prepared and kept for the tenants
 * used last.
 */
struct lh_cell;

/*
 * Takes the secret into locked memory.
 * key_id       number of this cell secret, part of each cookie.
 * tenants_max  prepared MAC keys kept at most.
 * Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_cell_new(struct lh_crypto *crypto, uint8_t key_id,
                                  const struct lh_key *secret, enum lh_lock_policy policy,
                                  size_t tenants_max, struct lh_cell **out_cell);
/* Wipes and frees; NULL is accepted. */
void lh_cell_free(struct lh_cell *cell);
/* The number of the present cell secret. */
uint8_t lh_cell_key_id(const struct lh_cell *cell);
/*
 * MAC of a cookie's bytes for one tenant.
 * Errors: ABSENT (no cell secret of that key id), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_cell_mac(struct lh_cell *cell, const struct lh_tenant_uid *uid,
                                  uint8_t key_id, lh_slice message, struct lh_digest *out_mac);

#endif
