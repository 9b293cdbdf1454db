/*
 * What a request's body must hash to: Content-Digest (RFC 9530) of a signed request. The field is
 * worth something only where the signature covers it; then whoever passes the body on checks it
 * before the last byte leaves.
 */
#ifndef LH_TOKEN_CONTENT_DIGEST_H
#define LH_TOKEN_CONTENT_DIGEST_H

#include "crypto/hash_stream.h"

/* The hashes that a body must have: each that is there. */
struct lh_content_digest {
    bool has_sha256;
    bool has_sha512;
    uint8_t sha256[LH_SHA256_BYTES];
    uint8_t sha512[LH_SHA512_BYTES];
};

/*
 * Reads the lines of Content-Digest. Algorithms other than sha-256 and sha-512 count for nothing.
 * lines  in order, as they came.
 * Errors: ABSENT (no hash that counts), MALFORMED (also a hash of a wrong length or with
 * parameters), DUPLICATE, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_content_digest_read(const lh_slice *lines, size_t line_count,
                                             struct lh_content_digest *out_digest);

/* One body on its way; the host's, in place. */
struct lh_body_digest {
    struct lh_content_digest expected;
    struct lh_hash_stream *sha256; /* owned; NULL where it is not asked for */
    struct lh_hash_stream *sha512;
};

#define LH_BODY_DIGEST_EMPTY ((struct lh_body_digest){.sha256 = NULL})

/*
 * Begins to hash a body.
 * crypto    borrowed until fini; expected: copied.
 * Errors: INVALID (nothing is expected), CRYPTO, NO_MEMORY; out_digest is then empty.
 */
LH_MUST_USE lh_status lh_body_digest_begin(struct lh_crypto *crypto,
                                           const struct lh_content_digest *expected,
                                           struct lh_body_digest *out_digest);
/* Goes on with the next piece, as the client sent it. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_body_digest_update(struct lh_body_digest *digest, lh_slice piece);
/*
 * Ends, once: whether the body was the one that was signed.
 * Errors: MISMATCH (it was not), INVALID (ended before), CRYPTO.
 */
LH_MUST_USE lh_status lh_body_digest_finish(struct lh_body_digest *digest);
/* Frees; accepts an empty one, at whatever point. */
void lh_body_digest_fini(struct lh_body_digest *digest);

#endif
