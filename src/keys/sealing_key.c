/*
 * Keys of one purpose, and what is sealed under them in one piece.
 */
#include "keys/sealing_key.h"

#include "base/banned.h"

#define INFO_MAX_BYTES ((size_t)64)

lh_status lh_sealing_key_derive(struct lh_crypto *crypto, const struct lh_key *dek,
                                lh_slice purpose, const struct lh_tenant_uid *uid,
                                struct lh_sealing_key *out_key)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf info = lh_buf_bounded(INFO_MAX_BYTES);
    LH_TRY(lh_buf_add(&info, purpose));
    LH_TRY(lh_buf_add(&info, lh_tenant_uid_view(uid)));
    LH_TRY(lh_hkdf(crypto, LH_SLICE_OF(dek->bytes), lh_buf_view(&info), &out_key->key));
    return lh_aead_commitment(crypto, &out_key->key, out_key->commitment);
}

lh_status lh_sealing_key_seal(struct lh_crypto *crypto, const struct lh_sealing_key *key,
                              lh_slice aad, lh_slice plain, struct lh_buf *out)
{
    LH_TRY(lh_buf_add(out, LH_SLICE_OF(key->commitment)));
    return lh_aead_seal(crypto, &key->key, aad, plain, out);
}

lh_status lh_sealing_key_open(struct lh_crypto *crypto, const struct lh_sealing_key *key,
                              lh_slice aad, lh_slice sealed, struct lh_buf *out_plain)
{
    LH_ENSURE(sealed.len >= LH_SEALED_OVERHEAD_BYTES, LH_TAMPERED);
    lh_slice commitment = lh_slice_cut(sealed, 0, LH_AEAD_COMMITMENT_BYTES);
    LH_ENSURE(lh_secret_slice_is_equal(commitment, LH_SLICE_OF(key->commitment)), LH_TAMPERED);
    size_t plain_len = sealed.len - LH_SEALED_OVERHEAD_BYTES;
    /* One byte more, so that there is always a place to write to. */
    LH_TRY(lh_buf_reserve(out_plain, plain_len + 1));
    LH_TRY(lh_aead_open(crypto, &key->key, aad,
                        lh_slice_cut(sealed, LH_AEAD_COMMITMENT_BYTES, sealed.len),
                        out_plain->ptr + out_plain->len));
    out_plain->len += plain_len;
    return lh_ok();
}
