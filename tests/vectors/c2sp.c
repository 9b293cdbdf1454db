/*
 * The XAES-256-GCM vectors as given in its specification, and its accumulated hashes: SHAKE-128
 * of nothing gives keys, nonces, texts and additional data, SHAKE-128 over all ciphertexts must
 * give the published digest.
 */
#include "vectors.h"

#include "crypto/aead.h"

#include <openssl/evp.h>

static void run_published_case(struct lh_crypto *crypto, const json_t *test, struct tally *tally)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf key_bytes = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf expected = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    struct lh_key key;
    vector_bytes(test, "key", &key_bytes);
    vector_bytes(test, "ciphertext", &expected);
    memcpy(key.bytes, key_bytes.ptr, sizeof(key.bytes));
    const char *nonce = vector_text(test, "nonce_ascii");
    lh_slice aad = lh_slice_from_text(vector_text(test, "aad_ascii"));
    lh_slice plaintext = lh_slice_from_text(vector_text(test, "plaintext_ascii"));
    bool is_equal =
        strlen(nonce) == LH_AEAD_NONCE_BYTES &&
        lh_is_ok(lh_aead_seal_with_nonce(crypto, &key, (const uint8_t *)nonce, aad, plaintext,
                                         &sealed)) &&
        lh_slice_is_equal(lh_slice_cut(lh_buf_view(&sealed), LH_AEAD_NONCE_BYTES, sealed.len),
                          lh_buf_view(&expected));
    vector_count(tally, is_equal, vector_text(test, "key"));
}

/* Most bytes that one iteration draws: key, nonce, two lengths and what they count. */
#define DRAW_MAX_BYTES (32U + 24U + 2U * 256U)
/* What it draws on average, with a margin that no run of many iterations exceeds. */
#define DRAW_MEAN_BYTES 316U

static size_t stream_bytes(size_t iterations)
{
    return iterations * DRAW_MEAN_BYTES + (size_t)64 * DRAW_MAX_BYTES;
}

/* OpenSSL 3.0 squeezes only once, so the whole stream is made at a time. */
static uint8_t *make_stream(size_t len)
{
    uint8_t *stream = malloc(len);
    EVP_MD_CTX *shake = EVP_MD_CTX_new();
    if (stream == NULL || EVP_DigestInit_ex(shake, EVP_shake128(), NULL) != 1 ||
        EVP_DigestFinalXOF(shake, stream, len) != 1) {
        fprintf(stderr, "vectors: no SHAKE-128 of %zu bytes\n", len);
        exit(2);
    }
    EVP_MD_CTX_free(shake);
    return stream;
}

static bool draw_opaque(struct lh_cursor *stream, lh_slice *out_bytes)
{
    uint8_t len;
    return lh_is_ok(lh_cursor_u8(stream, &len)) && lh_is_ok(lh_cursor_view(stream, len, out_bytes));
}

static bool accumulate(struct lh_crypto *crypto, struct lh_cursor *stream, struct lh_buf *sealed,
                       EVP_MD_CTX *digest)
{
    struct lh_key key;
    uint8_t nonce[LH_AEAD_NONCE_BYTES];
    lh_slice plaintext;
    lh_slice aad;
    lh_buf_clear(sealed);
    return lh_is_ok(lh_cursor_copy(stream, key.bytes, sizeof(key.bytes))) &&
           lh_is_ok(lh_cursor_copy(stream, nonce, sizeof(nonce))) &&
           draw_opaque(stream, &plaintext) && draw_opaque(stream, &aad) &&
           lh_is_ok(lh_aead_seal_with_nonce(crypto, &key, nonce, aad, plaintext, sealed)) &&
           EVP_DigestUpdate(digest, sealed->ptr + LH_AEAD_NONCE_BYTES,
                            sealed->len - LH_AEAD_NONCE_BYTES) == 1;
}

static void run_accumulated(struct lh_crypto *crypto, const json_t *accumulated, const char *name,
                            size_t iterations, struct tally *tally)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf expected = LH_BUF_EMPTY;
    uint8_t *bytes = make_stream(stream_bytes(iterations));
    struct lh_cursor stream = lh_cursor_over(lh_slice_of(bytes, stream_bytes(iterations)));
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool is_right = EVP_DigestInit_ex(digest, EVP_shake128(), NULL) == 1;
    for (size_t i = 0; i < iterations && is_right; i++) {
        is_right = accumulate(crypto, &stream, &sealed, digest);
    }
    uint8_t got[32];
    vector_bytes(accumulated, name, &expected);
    is_right = is_right && EVP_DigestFinalXOF(digest, got, sizeof(got)) == 1 &&
               lh_slice_is_equal(LH_SLICE_OF(got), lh_buf_view(&expected));
    vector_count(tally, is_right, name);
    EVP_MD_CTX_free(digest);
    free(bytes);
}

void run_c2sp_xaes(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    size_t index;
    const json_t *test;
    json_array_foreach(json_object_get(file, "vectors"), index, test)
    {
        run_published_case(crypto, test, tally);
    }
    const json_t *accumulated = json_object_get(file, "accumulated");
    if (accumulated == NULL) {
        return;
    }
    run_accumulated(crypto, accumulated, "iterations_10000", 10000, tally);
    run_accumulated(crypto, accumulated, "iterations_1000000", 1000000, tally);
}
