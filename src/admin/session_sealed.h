/*
 * Making sessions that their cookies hold whole.
 */
#ifndef LH_ADMIN_SESSION_SEALED_H
#define LH_ADMIN_SESSION_SEALED_H

#include "admin/session_access.h"

/*
 * Makes one and calls each once. Nothing is written: no quota counts it, and no list has it; its
 * audit line is the only trace.
 * spec  without state. Errors: TOO_LARGE, KEY_DOWN, TIMEOUT, CRYPTO, NO_MEMORY; explained.
 */
LH_MUST_USE lh_status lh_admin_create_sealed(struct lh_admin *admin, const struct lh_tenant *tenant,
                                             const struct lh_session_spec *spec,
                                             lh_admin_credential_fn each, void *context);

#endif
