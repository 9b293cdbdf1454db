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

lh_status lh_shared_secret_unwrap(struct lh_keys *keys, struct lh_crypto *crypto,
                                  const struct lh_tenant_uid *uid, const struct lh_wrapped_dek *dek,
                                  struct lh_datakey *out_key)
{
    const struct lh_wrap_scope scope = {.purpose = LH_WRAP_DEK, .uid = *uid, .key_id = dek->id};
    LH_ENSURE(dek->state != LH_DEK_DESTROYED, LH_ABSENT);
    LH_CLEANUP(lh_key_fini) struct lh_key opened;
    LH_TRY(lh_keys_unwrap(keys, crypto, &scope, dek->blob, &opened));
    out_key->dek_id = dek->id;
    return lh_sealing_key_derive(crypto, &opened, LH_SLICE_LITERAL(LH_SHARED_SECRET_LABEL), uid,
                                 &out_key->secret);
}

void lh_shared_secret_forget(struct lh_datakey *key)
{
    lh_wipe(key, sizeof(*key));
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

/* What a secret is opened into: one byte more, as lh_sealing_key_open asks for. */
static struct lh_buf secret_room(void)
{
    return lh_buf_bounded(LH_SIGNATURE_SECRET_MAX_BYTES + 1);
}

static lh_status open_secret(struct lh_crypto *crypto, const struct lh_datakey *key,
                             const struct lh_tenant_uid *uid, const struct lh_signature_key *sealed,
                             struct lh_buf *secret)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf aad = lh_buf_bounded(AAD_MAX_BYTES);
    lh_status status = make_aad(uid, sealed->key_id, &aad);
    LH_ENSURE(status.code != LH_INVALID, LH_TAMPERED);
    LH_TRY(status);
    status = lh_sealing_key_open(crypto, &key->secret, lh_buf_view(&aad), sealed->material, secret);
    LH_ENSURE(status.code != LH_TOO_LARGE, LH_TAMPERED);
    LH_TRY(status);
    LH_ENSURE(is_secret_len(secret->len), LH_TAMPERED);
    return lh_ok();
}

lh_status lh_shared_secret_reseal(struct lh_crypto *crypto, const struct lh_datakey *from,
                                  const struct lh_datakey *to, const struct lh_tenant_uid *uid,
                                  const struct lh_signature_key *sealed, struct lh_buf *out_sealed)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf secret = secret_room();
    LH_TRY(open_secret(crypto, from, uid, sealed, &secret));
    return lh_shared_secret_seal(crypto, to, uid, sealed->key_id, lh_buf_view(&secret), out_sealed);
}

lh_status lh_shared_secret_open(struct lh_crypto *crypto, const struct lh_datakey *key,
                                const struct lh_tenant_uid *uid,
                                const struct lh_signature_key *sealed, struct lh_mac_key **out_key)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf secret = secret_room();
    LH_TRY(open_secret(crypto, key, uid, sealed, &secret));
    return lh_mac_key_import(crypto, lh_buf_view(&secret), out_key);
}
