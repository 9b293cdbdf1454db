/*
 * Whose session a token belongs to.
 */
#ifndef LH_ADMIN_TOKEN_SESSION_H
#define LH_ADMIN_TOKEN_SESSION_H

#include "admin/session_access.h"

/*
 * Whether a token may belong to the session that its spec names: a live one of its subject.
 * out_most_s  lowered to how long the session lives yet.
 * Errors: ABSENT, MALFORMED, REVOKED, EXPIRED, MISMATCH (somebody else's), KEY_DOWN (it cannot be
 * opened now), STORE_DOWN, REGISTRY_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_check_token_session(struct lh_admin *admin,
                                                   const struct lh_admin_token_spec *spec,
                                                   uint32_t *out_most_s);
/*
 * Makes a token the only one of that session, once it was checked: a lease has one subject for all
 * its life. The token before is refused from here on.
 * jti  of the token, which is signed: nothing but handing it out may fail afterwards.
 * Errors: as above, CONFLICT (the session was changed meanwhile), TAMPERED, COUNTERS_DOWN,
 * NO_SPACE, CRYPTO; where store or registry failed at the end the one before may have ended.
 */
LH_MUST_USE lh_status lh_admin_give_token(struct lh_admin *admin,
                                          const struct lh_admin_token_spec *spec, lh_slice jti);

#endif
