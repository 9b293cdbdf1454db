/*
 * What a raw token is made of, for those who verify it. Nobody outside the room includes it.
 */
#ifndef LH_TOKEN_RAW_TOKEN_H
#define LH_TOKEN_RAW_TOKEN_H

#include "codec/json_table.h"
#include "token/token.h"

struct lh_raw_token {
    struct lh_digest digest; /* of the text */
    struct lh_raw_jws jws;
    struct lh_json_table claims; /* not verified */
};

/* A text claim that is not empty. Errors: ABSENT, MALFORMED. */
LH_MUST_USE lh_status lh_raw_token_text(const struct lh_raw_token *token, lh_slice claim,
                                        lh_slice *out_text);

/*
 * Whether a text is 1 to LH_TEXT_MAX_BYTES bytes without control characters: what we take of the
 * names that others give.
 */
bool lh_claim_is_text(lh_slice text);

#endif
