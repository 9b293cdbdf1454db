/*
 * Published JWK sets: the node's in public/jwks.json, each tenant's in a directory named by its
 * uid. A reader sees the old set or the new one.
 */
#ifndef LH_KEYS_JWKS_FILE_H
#define LH_KEYS_JWKS_FILE_H

#include "base/slice.h"
#include "tenant/tenant_id.h"

/*
 * Replaces a file atomically: temporary file, sync, rename, sync of the directory.
 * path  of the file; mode: of the new one, 0600 to 0644.
 * Errors: UNREADABLE, NO_SPACE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_jwks_publish(const char *path, lh_slice text, unsigned mode);
/*
 * The same for `<uid hex>/jwks.json`; the directory is made if there is none.
 * public_dir  owned by the calling user, closed to others.
 * Errors: UNREADABLE, UNSAFE_FILE, NO_SPACE.
 */
LH_MUST_USE lh_status lh_jwks_publish_tenant(const char *public_dir,
                                             const struct lh_tenant_uid *uid, lh_slice text,
                                             unsigned mode);

#endif
