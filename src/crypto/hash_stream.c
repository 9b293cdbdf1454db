/*
 * SHA-256 and SHA-512 over contexts of their own: a body may take seconds to arrive, while the
 * shared context serves other requests.
 */
#include "crypto/hash_stream.h"

#include "crypto/engine.h"

#include "base/bug.h"

#include "base/banned.h"

#define HASH_STREAM_MAGIC 0x4c484853U /* "LHHS" */

struct lh_hash_stream {
    uint32_t magic;
    bool is_finished;
    EVP_MD_CTX *digest; /* owned */
};

size_t lh_hash_bytes(enum lh_hash_algorithm algorithm)
{
    return algorithm == LH_HASH_SHA512 ? LH_SHA512_BYTES : LH_SHA256_BYTES;
}

static void drop_stream(struct lh_hash_stream **stream)
{
    lh_hash_stream_free(*stream);
}

lh_status lh_hash_stream_new(struct lh_crypto *crypto, enum lh_hash_algorithm algorithm,
                             struct lh_hash_stream **out_stream)
{
    LH_CLEANUP(drop_stream) struct lh_hash_stream *stream = calloc(1, sizeof(*stream));
    LH_ENSURE(stream != NULL, LH_NO_MEMORY);
    stream->magic = HASH_STREAM_MAGIC;
    stream->digest = EVP_MD_CTX_new();
    LH_TRY(lh_crypto_ensure(stream->digest != NULL, LH_NO_MEMORY));
    const EVP_MD *md = algorithm == LH_HASH_SHA512 ? crypto->sha512 : crypto->sha256;
    LH_TRY(lh_crypto_result(EVP_DigestInit_ex2(stream->digest, md, NULL)));
    *out_stream = stream;
    stream = NULL;
    return lh_ok();
}

void lh_hash_stream_free(struct lh_hash_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    LH_MAGIC_CHECK(stream, HASH_STREAM_MAGIC);
    EVP_MD_CTX_free(stream->digest);
    stream->magic = 0;
    free(stream);
}

lh_status lh_hash_stream_add(struct lh_hash_stream *stream, lh_slice piece)
{
    LH_MAGIC_CHECK(stream, HASH_STREAM_MAGIC);
    LH_ENSURE(!stream->is_finished, LH_INVALID);
    return piece.len == 0
               ? lh_ok()
               : lh_crypto_result(EVP_DigestUpdate(stream->digest, piece.ptr, piece.len));
}

lh_status lh_hash_stream_finish(struct lh_hash_stream *stream, uint8_t *out_hash)
{
    LH_MAGIC_CHECK(stream, HASH_STREAM_MAGIC);
    LH_ENSURE(!stream->is_finished, LH_INVALID);
    stream->is_finished = true;
    return lh_crypto_result(EVP_DigestFinal_ex(stream->digest, out_hash, NULL));
}
