/*
 * Judging what a token says, once its signature holds. Nobody outside the room includes it.
 */
#ifndef LH_TOKEN_CLAIMS_H
#define LH_TOKEN_CLAIMS_H

#include "token/token.h"

/*
 * Judges the claims of a token of which the signature holds under a key of this issuer.
 * out_token  filled but for the key; views into raw's room. Written only on success.
 * Errors: MALFORMED, TOO_LARGE, FORBIDDEN, EXPIRED, EARLY, WRONG_TENANT.
 */
LH_MUST_USE lh_status lh_claims_judge(const struct lh_raw_token *raw,
                                      const struct lh_tenant *tenant,
                                      const struct lh_issuer *issuer, uint64_t now_ms,
                                      struct lh_verified_token *out_token);

#endif
