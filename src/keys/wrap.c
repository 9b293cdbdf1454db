/*
 * Wrapping one 256-bit key under another.
 */
#include "keys/wrap.h"

#include "base/banned.h"

#define AAD_LABEL     "leasehold wrap v1"
#define AAD_MAX_BYTES ((size_t)64)

static lh_status write_aad(const struct lh_wrap_binding *binding, struct lh_buf *out)
{
    LH_TRY(lh_buf_add(out, LH_SLICE_LITERAL(AAD_LABEL)));
    LH_TRY(lh_buf_add_u8(out, binding->purpose));
    LH_TRY(lh_buf_add(out, lh_tenant_uid_view(&binding->uid)));
    return lh_buf_add_u32(out, binding->key_id);
}

lh_status lh_wrap_seal(struct lh_crypto *crypto, const struct lh_key *kek,
                       const struct lh_wrap_binding *binding, const struct lh_key *key,
                       struct lh_buf *out_blob)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf aad = lh_buf_bounded(AAD_MAX_BYTES);
    LH_TRY(write_aad(binding, &aad));
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    LH_TRY(lh_aead_commitment(crypto, kek, commitment));
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = lh_buf_bounded(LH_WRAP_BYTES);
    LH_TRY(lh_buf_add_u8(&blob, LH_WRAP_VERSION));
    LH_TRY(lh_buf_add(&blob, LH_SLICE_OF(commitment)));
    LH_TRY(lh_aead_seal(crypto, kek, lh_buf_view(&aad), LH_SLICE_OF(key->bytes), &blob));
    return lh_buf_add(out_blob, lh_buf_view(&blob));
}

/* Splits a blob. Errors: TAMPERED, FUTURE_FORMAT. */
static lh_status parse_blob(lh_slice blob, lh_slice *out_commitment, lh_slice *out_sealed)
{
    struct lh_cursor cursor = lh_cursor_over(blob);
    uint8_t version;
    LH_ENSURE(lh_is_ok(lh_cursor_u8(&cursor, &version)), LH_TAMPERED);
    LH_ENSURE(version <= LH_WRAP_VERSION, LH_FUTURE_FORMAT);
    LH_ENSURE(version == LH_WRAP_VERSION && blob.len == LH_WRAP_BYTES, LH_TAMPERED);
    LH_ENSURE(lh_is_ok(lh_cursor_view(&cursor, LH_AEAD_COMMITMENT_BYTES, out_commitment)),
              LH_TAMPERED);
    *out_sealed = cursor.rest;
    return lh_ok();
}

lh_status lh_wrap_open(struct lh_crypto *crypto, const struct lh_key *kek,
                       const struct lh_wrap_binding *binding, lh_slice blob, struct lh_key *out_key)
{
    lh_slice stored;
    lh_slice sealed;
    LH_TRY(parse_blob(blob, &stored, &sealed));
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    LH_TRY(lh_aead_commitment(crypto, kek, commitment));
    LH_ENSURE(lh_secret_slice_is_equal(stored, LH_SLICE_OF(commitment)), LH_TAMPERED);
    LH_CLEANUP(lh_buf_fini) struct lh_buf aad = lh_buf_bounded(AAD_MAX_BYTES);
    LH_TRY(write_aad(binding, &aad));
    LH_CLEANUP(lh_key_fini) struct lh_key key;
    LH_TRY(lh_aead_open(crypto, kek, lh_buf_view(&aad), sealed, key.bytes));
    *out_key = key;
    return lh_ok();
}
