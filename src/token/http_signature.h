/*
 * Request signatures between services: HTTP Message Signatures (RFC 9421) under keys of one tenant,
 * hmac-sha256 and ed25519. Reading proves nothing: it tells which key to take. A key's algorithm is
 * the key's; what a request says about it is only compared.
 *
 * A signature must cover @method, @authority, @path, @query where the target has one, x-tenant-id,
 * and content-digest where there is a body; it must say created, expires, nonce and keyid. Of the
 * rest of the standard we take the derived components @scheme and @target-uri, and header fields
 * as they are. Everything else (@query-param, @request-target, parameters of components, unknown
 * parameters of the signature) is refused, for what we do not understand we cannot judge.
 */
#ifndef LH_TOKEN_HTTP_SIGNATURE_H
#define LH_TOKEN_HTTP_SIGNATURE_H

#include "codec/structured_field.h"
#include "crypto/public_key.h"
#include "tenant/signature_key.h"
#include "token/content_digest.h"

/* What a signature is checked under; borrowed. Has the one that its algorithm asks for. */
struct lh_http_signature_key {
    enum lh_http_signature_algorithm algorithm;
    struct lh_mac_key *mac;           /* hmac-sha256 */
    struct lh_public_key *public_key; /* ed25519: of LH_EDDSA */
};

/* A request as its signer saw it: before anything was removed, added or rewritten here. */
struct lh_signed_request {
    lh_slice method;    /* as sent */
    lh_slice scheme;    /* "http" or "https" */
    lh_slice authority; /* Host or :authority, as sent */
    lh_slice target;    /* origin form, as sent: a path, and "?" and a query if there is one */
    bool has_body;      /* also where nobody knows its length yet */
    /*
     * The next value of a header, in order. returns: false if there is none any more.
     * name      lower case, to be compared without case and in no other spelling.
     * position  0 at first; the host's.
     */
    bool (*next_value)(void *headers, lh_slice name, size_t *position, lh_slice *out_value);
    void *headers;
};

/* Most components that a signature covers. */
#define LH_HTTP_SIGNATURE_COMPONENTS_MAX 32U
/* Most lines of one header that is combined to a value. */
#define LH_HTTP_SIGNATURE_LINES_MAX 16U
/* Longest keyid and nonce, as they are written. */
#define LH_HTTP_SIGNATURE_NAME_MAX_BYTES LH_SIGNATURE_KEY_ID_MAX_BYTES
/* Longest signature of an algorithm of ours. */
#define LH_HTTP_SIGNATURE_MAX_BYTES LH_ED25519_SIGNATURE_BYTES
/* Longest signature base: about what a server takes as the header of a request. */
#define LH_HTTP_SIGNATURE_BASE_MAX_BYTES ((size_t)32 * 1024)

/* A signature as it was sent; nothing of it is proved. Views into the request's headers. */
struct lh_raw_http_signature {
    lh_slice label;
    struct lh_sf_item input; /* the member of Signature-Input */
    lh_slice components[LH_HTTP_SIGNATURE_COMPONENTS_MAX];
    size_t component_count;
    lh_slice key_id;    /* these four are empty where they are not given */
    lh_slice nonce;     /* as it is written, escapes kept */
    lh_slice algorithm; /* name */
    lh_slice tag;
    bool has_created;
    bool has_expires;
    uint64_t created_s;
    uint64_t expires_s;
    uint8_t bytes[LH_HTTP_SIGNATURE_MAX_BYTES];
    size_t len;
};

/*
 * Reads one signature off Signature-Input and Signature.
 * label    which one; empty: the only one there is.
 * Errors: ABSENT (none, or none of that label), DUPLICATE (several and no label; something twice),
 * MALFORMED (also whatever this header says is refused), TOO_LARGE.
 */
LH_MUST_USE lh_status lh_http_signature_read(const struct lh_signed_request *request,
                                             lh_slice label, struct lh_raw_http_signature *out_raw);

/* Whether the signature covers the component of that name. */
bool lh_http_signature_covers(const struct lh_raw_http_signature *raw, lh_slice name);

/*
 * Appends the signature base (RFC 9421 §2.5): what is signed.
 * Errors: MALFORMED (a component that the request does not have, or of bytes that cannot be in
 * one), TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_http_signature_base(const struct lh_signed_request *request,
                                             const struct lh_raw_http_signature *raw,
                                             struct lh_buf *out_base);

/* Longest time from created to expires, and most skew of clocks, that rules may allow. */
#define LH_HTTP_SIGNATURE_LIFE_MAX_S 300U
#define LH_HTTP_SIGNATURE_SKEW_MAX_S 30U

/* What a tenant's location asks of signatures. */
struct lh_http_signature_rules {
    lh_slice tag;        /* what tag must be; empty: anything or nothing */
    uint32_t life_max_s; /* from created to expires; 1 to LH_HTTP_SIGNATURE_LIFE_MAX_S */
    uint32_t skew_s;     /* how far created may lie ahead of our clock; at most
                            LH_HTTP_SIGNATURE_SKEW_MAX_S */
};

/* One question. All of it is borrowed. */
struct lh_http_signature_check {
    const struct lh_signed_request *request;
    const struct lh_http_signature_rules *rules;
    const struct lh_http_signature_key *key;
    uint64_t now_ms;     /* session time */
    struct lh_buf *base; /* room of LH_HTTP_SIGNATURE_BASE_MAX_BYTES at most, overwritten; the
                            caller keeps it from request to request */
};

/* What a signature proved. A type of its own: made by lh_http_signature_verify alone. */
struct lh_verified_http_signature {
    lh_slice key_id; /* views into the request's headers */
    lh_slice nonce;
    uint64_t created_s;
    uint64_t expires_s;
    bool has_digest;                 /* then the body must be held against: */
    struct lh_content_digest digest; /* lh_body_digest_begin */
};

/*
 * Verifies. What then remains to be done: the nonce is claimed (token/nonce_table.h), and a body
 * is held against the digest.
 * raw  read from the same request.
 * Errors: FORBIDDEN (does not cover or does not say what it must, or would live too long), EXPIRED,
 * EARLY (created lies ahead), MISMATCH (another algorithm than the key's, or another tag),
 * BAD_SIGNATURE, MALFORMED (as lh_http_signature_base; Content-Digest), TOO_LARGE, INVALID
 * (rules), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_http_signature_verify(const struct lh_http_signature_check *check,
                                               const struct lh_raw_http_signature *raw,
                                               struct lh_verified_http_signature *out_verified);

#endif
