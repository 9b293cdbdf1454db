/*
 * Writing tokens of a tenant's own: what lh_token_verify takes from the tenant's own issuer.
 */
#ifndef LH_TOKEN_TOKEN_WRITE_H
#define LH_TOKEN_TOKEN_WRITE_H

#include "base/buf.h"
#include "crypto/signature.h"
#include "token/token.h"

/* What a new token says. Texts are borrowed. */
struct lh_token_claims {
    enum lh_token_kind kind;
    lh_slice iss;    /* of the tenant's own issuer */
    lh_slice tenant; /* id or uid */
    lh_slice sub;
    lh_slice jti; /* random, never used again */
    lh_slice sid; /* empty: belongs to no session */
    struct lh_text_list audiences;
    struct lh_text_list roles;
    struct lh_text_list scopes;
    struct lh_text_list groups;
    struct lh_token_epochs epochs; /* present ones */
    uint64_t issued_s;             /* session time, in seconds */
    uint64_t expires_s;
};

/*
 * Appends a signed token.
 * kid  the signing key's, as the issuer's row has it.
 * Errors: MALFORMED (what a verifier would not take: no audience, texts that may not stand in a
 * header, an end before the beginning), TOO_LARGE, CRYPTO, NO_MEMORY; out is then as long as
 * before.
 */
LH_MUST_USE lh_status lh_token_write(struct lh_signing_key *key, lh_slice kid,
                                     const struct lh_token_claims *claims, struct lh_buf *out);

#endif
