/*
 * Bearer tokens: JWTs (RFC 7519) as access tokens (RFC 9068). What was sent is a raw token, which
 * can say no more than what is needed to find a tenant and a key; what was verified is another
 * type, made by lh_token_verify alone.
 *
 * Verifying asks no store. What is judged for each request anew is not part of it: audience, kind,
 * scope, epochs, and whether a session goes on.
 *
 * A request: take the text's digest; ask the cache for the token (token/verified_cache.h), then for
 * a refusal; read the raw token; if it costs a signature, ask the budgets; verify; fill or refuse.
 */
#ifndef LH_TOKEN_TOKEN_H
#define LH_TOKEN_TOKEN_H

#include "base/text_list.h"
#include "tenant/directory.h"
#include "token/jws.h"

/* Claims beside the registered ones (RFC 7519 §4.1, RFC 8693 §4.2, RFC 7643 §4.1.2). */
#define LH_CLAIM_TENANT "tenant_id"
#define LH_CLAIM_SID    "sid"
#define LH_CLAIM_SCOPE  "scope"
#define LH_CLAIM_ROLES  "roles"
#define LH_CLAIM_GROUPS "groups"
/* Of our own tokens: [platform, tenant, user] at the time of issue. */
#define LH_CLAIM_EPOCHS "lh_epochs"

/* For whom a token or a context is where nothing else was said: any place behind the gate. */
#define LH_STANDARD_AUDIENCE "leasehold"

/* Types in the headers of our own tokens. */
#define LH_TYP_ACCESS  "at+jwt"
#define LH_TYP_SERVICE "lh-service+jwt"

/* Dates are whole seconds up to here: exact in any reader's floating point, and in milliseconds. */
#define LH_TOKEN_DATE_MAX (UINT64_C(1) << 53)

/*
 * How old a token may be whatever its exp: logouts of users are remembered for the longest life
 * that a session may have.
 */
#define LH_TOKEN_AGE_MAX_S LH_TIER_ABSOLUTE_MAX_S

/* --- As sent ---------------------------------------------------------------------------------- */

/* A text and what it is known by to caches: always together, so that neither stands for another. */
struct lh_token_text {
    lh_slice bytes; /* borrowed */
    struct lh_digest digest;
};

/* Takes the digest of a text, which is borrowed for the life of out_text. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_token_text_of(struct lh_crypto *crypto, lh_slice bytes,
                                       struct lh_token_text *out_text);

/* A token of which nothing is verified. */
struct lh_raw_token;

/* Bytes of room that a text of that length needs; the room is aligned for any type. */
size_t lh_raw_token_room_bytes(size_t text_len);

/*
 * Reads a token: the JWS, and its payload as a JSON object.
 * text  its bytes are borrowed for the life of *out_token.
 * room  lh_raw_token_room_bytes(text->bytes.len) bytes, borrowed likewise; *out_token lies in it.
 * Errors: TOO_LARGE, MALFORMED.
 */
LH_MUST_USE lh_status lh_raw_token_read(const struct lh_token_text *text, void *room,
                                        const struct lh_raw_token **out_token);

/* The algorithm that the header names. */
enum lh_algorithm lh_raw_token_algorithm(const struct lh_raw_token *token);
/* The kid of the header; empty if there is none. */
lh_slice lh_raw_token_kid(const struct lh_raw_token *token);
/* The issuer that it claims, not empty. Errors: ABSENT, MALFORMED (not one string). */
LH_MUST_USE lh_status lh_raw_token_iss(const struct lh_raw_token *token, lh_slice *out_iss);
/*
 * The tenant that it claims, not empty.
 * claim  the name of the claim.
 * Errors: ABSENT, MALFORMED (not one string).
 */
LH_MUST_USE lh_status lh_raw_token_tenant(const struct lh_raw_token *token, lh_slice claim,
                                          lh_slice *out_tenant);

/* --- Verified --------------------------------------------------------------------------------- */

enum lh_token_kind {
    LH_TOKEN_ACCESS, /* somebody, or something, that asks for a resource */
    LH_TOKEN_SERVICE /* an application of the tenant's at the session API */
};

struct lh_token_epochs {
    uint64_t platform;
    uint64_t tenant;
    uint64_t user;
};

/* Who the token is for and what it says. Texts are views into the room, or into a cache's entry. */
struct lh_verified_token {
    enum lh_token_kind kind;
    bool is_own;  /* issued by the tenant's own key */
    lh_slice iss; /* who a subject is, is (tenant, iss, sub) */
    lh_slice sub; /* may stand in a header, as may sid, roles, scopes and groups */
    lh_slice jti; /* 1 to 255 bytes; no control characters, else anything */
    lh_slice sid; /* the reference of the session that it belongs to; empty: none */
    struct lh_text_list audiences; /* at least one */
    struct lh_text_list roles;
    struct lh_text_list scopes;
    struct lh_text_list groups;
    struct lh_token_epochs epochs; /* of own tokens */
    uint64_t issued_ms;            /* all times: session time */
    uint64_t begins_ms;            /* iat and nbf, less the skew */
    uint64_t ends_ms;              /* the last moment at which it is valid */
    uint64_t skew_ms;
    struct lh_digest digest;    /* of the whole text */
    uint64_t generation;        /* of the issuer's rows */
    struct lh_digest key_print; /* lh_verify_key_print of the key under which it holds */
    uint64_t key_until_ms;      /* of that key; 0 = open */
};

struct lh_key_cache;
struct lh_verified_cache;

/* Who is asked before a signature is computed, and told how it came out. */
struct lh_token_payer {
    void *self;
    lh_status (*ask)(void *self); /* any error: it is not computed, and that is the answer */
    void (*charge)(void *self, bool has_held);
};

/* What verifying works with; all borrowed. */
struct lh_token_verifier {
    struct lh_crypto *crypto;
    struct lh_key_cache *keys;
    struct lh_verified_cache *cache;    /* remembers which signatures have held; NULL: none */
    const struct lh_token_payer *payer; /* NULL: nobody is asked */
};

/* What is asked about a token. */
struct lh_token_question {
    const struct lh_tenant *tenant; /* the only one whose issuers count */
    struct lh_token_text text;
    uint64_t tenant_counter; /* present values of the change counters */
    uint64_t platform_counter;
    uint64_t now_ms; /* session time */
};

/*
 * What tells a verifying key from every other: SHA-256 of algorithm and material.
 * Errors: REGISTRY_DOWN (material of no possible length), CRYPTO.
 */
LH_MUST_USE lh_status lh_verify_key_print(struct lh_crypto *crypto, const struct lh_verify_key *key,
                                          struct lh_digest *out_print);

/*
 * Verifies a token for a tenant. In this order: its iss is exactly one of the tenant's issuers; its
 * kid is one of that issuer's keys; that key's algorithm is the header's; the signature holds;
 * then the claims: type, subject and id, that the issuer means this tenant, times. The payer is
 * asked neither for a token that is refused without a signature nor for one that is known to hold.
 * raw        read from the question's text; any other is a bug.
 * out_token  views into raw's room.
 * Errors: ABSENT (no such issuer, no such key), MISMATCH (another algorithm), BAD_SIGNATURE,
 * MALFORMED (a claim is missing or of another type), TOO_LARGE (more texts than a list holds),
 * FORBIDDEN (no access token), EXPIRED, EARLY, WRONG_TENANT, REGISTRY_DOWN (a row that is no key),
 * CRYPTO, NO_MEMORY, and what the payer says.
 */
LH_MUST_USE lh_status lh_token_verify(const struct lh_token_verifier *verifier,
                                      const struct lh_token_question *question,
                                      const struct lh_raw_token *raw,
                                      struct lh_verified_token *out_token);

/* Whether the token is for one of these audiences (exact bytes); none is meant by an empty list. */
bool lh_token_is_for(const struct lh_verified_token *token, const lh_slice *audiences,
                     size_t count);

/*
 * Whether a logout ended the token: its epochs are older than the present ones, or, if somebody
 * else issued it, it is not newer than the latest of them by more than the issuer's skew.
 */
bool lh_token_is_logged_out(const struct lh_verified_token *token,
                            const struct lh_token_epochs *present);

/*
 * Copies a token with its texts, for who keeps it longer than what it views.
 * room  where the texts go; the copy views it.
 * Errors: TOO_LARGE (more than room_bytes).
 */
LH_MUST_USE lh_status lh_verified_token_copy(const struct lh_verified_token *token, uint8_t *room,
                                             size_t room_bytes, struct lh_verified_token *out_copy,
                                             size_t *out_len);

#endif
