/*
 * The private halves of the keys that sign a tenant's tokens: they exist outside the key manager's
 * wrapping only while somebody signs.
 */
#ifndef LH_KEYS_SIGNING_KEY_WRAP_H
#define LH_KEYS_SIGNING_KEY_WRAP_H

#include "crypto/signature.h"
#include "keys/keys.h"
#include "tenant/signing_key.h"

/*
 * Draws a key pair.
 * out_key   id, x and y are written; its blob is a view into out_blob.
 * out_blob  the wrapped scalar is appended; empty at first.
 * Errors: as lh_keys_wrap.
 */
LH_MUST_USE lh_status lh_signing_key_draw(struct lh_keys *keys, struct lh_crypto *crypto,
                                          const struct lh_tenant_uid *uid, uint32_t id,
                                          struct lh_buf *out_blob,
                                          struct lh_wrapped_signing_key *out_key);
/*
 * Opens one to sign with.
 * out_pair  borrows crypto; free it with lh_signing_key_free.
 * Errors: TAMPERED (also: its public half is another), and as lh_keys_unwrap.
 */
LH_MUST_USE lh_status lh_signing_key_open(struct lh_keys *keys, struct lh_crypto *crypto,
                                          const struct lh_tenant_uid *uid,
                                          const struct lh_wrapped_signing_key *key,
                                          struct lh_signing_key **out_pair);

#endif
