/*
 * Shared secrets under a tenant's data key. AAD = uid ‖ key id.
 */
#include "keys/shared_secret.h"

#include "base/banned.h"

#define AAD_MAX_BYTES ((size_t)(LH_TENANT_UID_BYTES + LH_SIGNATURE_KEY_ID_MAX_BYTES))

static lh_status make_aad(const struct lh_tenant_uid *uid, lh_slice key_id, struct lh_buf *aad)
{
    LH_ENSURE(lh_signature_key_id_is_valid(key_id), LH_INVALID);
    LH_TRY(lh_buf_add(aad, lh_tenant_uid_view(uid)));
    return lh_buf_add(aad, key_id);
}

static bool is_secret_len(size_t len)
{
    return len >= LH_SIGNATURE_SECRET_MIN_BYTES && len <= LH_SIGNATURE_SECRET_MAX_BYTES;
}

lh_status lh_shared_secret_seal(struct lh_crypto *crypto, const struct lh_datakey *key,
                                const struct lh_tenant_uid *uid, lh_slice key_id, lh_slice secret,
                                struct lh_buf *out_sealed)
{
    LH_ENSURE(is_secret_len(secret.len), LH_INVALID);
    LH_CLEANUP(lh_buf_fini) struct lh_buf aad = lh_buf_bounded(AAD_MAX_BYTES);
    LH_TRY(make_aad(uid, key_id, &aad));
    return lh_sealing_key_seal(crypto, &key->secret, lh_buf_view(&aad), secret, out_sealed);
}

lh_status lh_shared_secret_open(struct lh_crypto *crypto, const struct lh_datakey *key,
                                const struct lh_tenant_uid *uid,
                                const struct lh_signature_key *sealed, struct lh_mac_key **out_key)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf aad = lh_buf_bounded(AAD_MAX_BYTES);
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf secret = lh_buf_bounded(LH_SIGNATURE_SECRET_MAX_BYTES + 1);
    lh_status status = make_aad(uid, sealed->key_id, &aad);
    LH_ENSURE(status.code != LH_INVALID, LH_TAMPERED);
    LH_TRY(status);
    status =
        lh_sealing_key_open(crypto, &key->secret, lh_buf_view(&aad), sealed->material, &secret);
    LH_ENSURE(status.code != LH_TOO_LARGE, LH_TAMPERED);
    LH_TRY(status);
    LH_ENSURE(is_secret_len(secret.len), LH_TAMPERED);
    return lh_mac_key_import(crypto, lh_buf_view(&secret), out_key);
}
