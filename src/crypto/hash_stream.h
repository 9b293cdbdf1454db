/*
 * Hashing what comes in pieces: a request's body, which nobody holds as a whole.
 */
#ifndef LH_CRYPTO_HASH_STREAM_H
#define LH_CRYPTO_HASH_STREAM_H

#include "crypto/crypto.h"

enum lh_hash_algorithm { LH_HASH_SHA256, LH_HASH_SHA512 }; /* FIPS 180-4 */

#define LH_SHA512_BYTES 64U

/* One hash on its way. Borrows the lh_crypto it was made with: free it first. For one thread. */
struct lh_hash_stream;

/* Begins. Errors: CRYPTO, NO_MEMORY. */
LH_MUST_USE lh_status lh_hash_stream_new(struct lh_crypto *crypto, enum lh_hash_algorithm algorithm,
                                         struct lh_hash_stream **out_stream);
/* Frees; NULL is accepted. */
void lh_hash_stream_free(struct lh_hash_stream *stream);

/* Bytes of the algorithm's hash. */
size_t lh_hash_bytes(enum lh_hash_algorithm algorithm);

/* Goes on with the next piece; it may be empty. Errors: CRYPTO, INVALID (it is finished). */
LH_MUST_USE lh_status lh_hash_stream_add(struct lh_hash_stream *stream, lh_slice piece);
/*
 * Ends, once.
 * out_hash  room for lh_hash_bytes of the algorithm. Errors: CRYPTO, INVALID (it is finished).
 */
LH_MUST_USE lh_status lh_hash_stream_finish(struct lh_hash_stream *stream, uint8_t *out_hash);

#endif
