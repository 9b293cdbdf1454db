/*
 * Drawing and opening signing keys.
 */
#include "keys/signing_key_wrap.h"

#include "base/banned.h"

_Static_assert(LH_SIGNING_COORDINATE_BYTES == LH_ES256_COORDINATE_BYTES, "points of one curve");
_Static_assert(LH_SIGNING_BLOB_MAX_BYTES >= LH_WRAPPED_MAX_BYTES, "a row takes what is wrapped");

static void drop_pair(struct lh_signing_key **pair)
{
    lh_signing_key_free(*pair);
}

static struct lh_wrap_scope scope_of(const struct lh_tenant_uid *uid, uint32_t id)
{
    return (struct lh_wrap_scope){.purpose = LH_WRAP_SIGNING, .uid = *uid, .key_id = id};
}

lh_status lh_signing_key_draw(struct lh_keys *keys, struct lh_crypto *crypto,
                              const struct lh_tenant_uid *uid, uint32_t id, struct lh_buf *out_blob,
                              struct lh_wrapped_signing_key *out_key)
{
    const struct lh_wrap_scope scope = scope_of(uid, id);
    LH_CLEANUP(drop_pair) struct lh_signing_key *pair = NULL;
    LH_CLEANUP(lh_key_fini) struct lh_key scalar;
    struct lh_wrapped_signing_key key = {.id = id};
    LH_TRY(lh_signing_key_generate(crypto, &pair));
    LH_TRY(lh_signing_key_public(pair, key.x, key.y));
    LH_TRY(lh_signing_key_export(pair, &scalar));
    LH_TRY(lh_keys_wrap(keys, crypto, &scope, &scalar, out_blob));
    key.blob = lh_buf_view(out_blob);
    *out_key = key;
    return lh_ok();
}

lh_status lh_signing_key_open(struct lh_keys *keys, struct lh_crypto *crypto,
                              const struct lh_tenant_uid *uid,
                              const struct lh_wrapped_signing_key *key,
                              struct lh_signing_key **out_pair)
{
    const struct lh_wrap_scope scope = scope_of(uid, key->id);
    LH_CLEANUP(drop_pair) struct lh_signing_key *pair = NULL;
    LH_CLEANUP(lh_key_fini) struct lh_key scalar;
    LH_TRY(lh_keys_unwrap(keys, crypto, &scope, key->blob, &scalar));
    lh_status status = lh_signing_key_import(crypto, LH_SLICE_OF(scalar.bytes), &pair);
    LH_ENSURE(status.code != LH_MALFORMED, LH_TAMPERED);
    LH_TRY(status);
    uint8_t x[LH_ES256_COORDINATE_BYTES];
    uint8_t y[LH_ES256_COORDINATE_BYTES];
    LH_TRY(lh_signing_key_public(pair, x, y));
    LH_ENSURE(lh_slice_is_equal(LH_SLICE_OF(x), LH_SLICE_OF(key->x)) &&
                  lh_slice_is_equal(LH_SLICE_OF(y), LH_SLICE_OF(key->y)),
              LH_TAMPERED);
    *out_pair = pair;
    pair = NULL;
    return lh_ok();
}
