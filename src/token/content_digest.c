/*
 * Reading Content-Digest, and holding a body against it piece by piece.
 */
#include "token/content_digest.h"

#include "codec/structured_field.h"

#include "base/banned.h"

/* Reads one hash if the field has it. Errors: MALFORMED. */
static lh_status read_hash(const struct lh_sf_dictionary *field, lh_slice name, uint8_t *out_hash,
                           size_t hash_len, bool *out_is_there)
{
    const struct lh_sf_member *member = lh_sf_dictionary_find(field, name);
    if (member == NULL) {
        *out_is_there = false;
        return lh_ok();
    }
    LH_ENSURE(!member->item.is_list && member->item.parameters.len == 0, LH_MALFORMED);
    size_t len = 0;
    lh_status status = lh_sf_bytes_decode(&member->item.value, out_hash, hash_len, &len);
    LH_ENSURE(lh_is_ok(status) && len == hash_len, LH_MALFORMED);
    *out_is_there = true;
    return lh_ok();
}

lh_status lh_content_digest_read(const lh_slice *lines, size_t line_count,
                                 struct lh_content_digest *out_digest)
{
    struct lh_sf_dictionary field;
    LH_TRY(lh_sf_dictionary_read(lines, line_count, &field));
    struct lh_content_digest digest = {.has_sha256 = false};
    LH_TRY(read_hash(&field, LH_SLICE_LITERAL("sha-256"), digest.sha256, sizeof(digest.sha256),
                     &digest.has_sha256));
    LH_TRY(read_hash(&field, LH_SLICE_LITERAL("sha-512"), digest.sha512, sizeof(digest.sha512),
                     &digest.has_sha512));
    LH_ENSURE(digest.has_sha256 || digest.has_sha512, LH_ABSENT);
    *out_digest = digest;
    return lh_ok();
}

lh_status lh_body_digest_begin(struct lh_crypto *crypto, const struct lh_content_digest *expected,
                               struct lh_body_digest *out_digest)
{
    LH_ENSURE(expected->has_sha256 || expected->has_sha512, LH_INVALID);
    LH_CLEANUP(lh_body_digest_fini) struct lh_body_digest digest = LH_BODY_DIGEST_EMPTY;
    digest.expected = *expected;
    if (expected->has_sha256) {
        LH_TRY(lh_hash_stream_new(crypto, LH_HASH_SHA256, &digest.sha256));
    }
    if (expected->has_sha512) {
        LH_TRY(lh_hash_stream_new(crypto, LH_HASH_SHA512, &digest.sha512));
    }
    *out_digest = digest;
    digest = LH_BODY_DIGEST_EMPTY;
    return lh_ok();
}

lh_status lh_body_digest_update(struct lh_body_digest *digest, lh_slice piece)
{
    if (digest->sha256 != NULL) {
        LH_TRY(lh_hash_stream_add(digest->sha256, piece));
    }
    return digest->sha512 != NULL ? lh_hash_stream_add(digest->sha512, piece) : lh_ok();
}

/* Errors: MISMATCH, INVALID, CRYPTO. */
static lh_status finish_hash(struct lh_hash_stream *stream, const uint8_t *expected, size_t len)
{
    uint8_t hash[LH_SHA512_BYTES];
    LH_TRY(lh_hash_stream_finish(stream, hash));
    LH_ENSURE(lh_slice_is_equal(lh_slice_of(hash, len), lh_slice_of(expected, len)), LH_MISMATCH);
    return lh_ok();
}

lh_status lh_body_digest_finish(struct lh_body_digest *digest)
{
    /* One that expects nothing was never begun: no body may pass for want of a question. */
    LH_ENSURE(digest->sha256 != NULL || digest->sha512 != NULL, LH_INVALID);
    if (digest->sha256 != NULL) {
        LH_TRY(finish_hash(digest->sha256, digest->expected.sha256, LH_SHA256_BYTES));
    }
    return digest->sha512 == NULL
               ? lh_ok()
               : finish_hash(digest->sha512, digest->expected.sha512, LH_SHA512_BYTES);
}

void lh_body_digest_fini(struct lh_body_digest *digest)
{
    lh_hash_stream_free(digest->sha256);
    lh_hash_stream_free(digest->sha512);
    *digest = LH_BODY_DIGEST_EMPTY;
}
