/*
 * Signing with ES256 on OpenSSL's EVP keys. OpenSSL writes DER where JWS has the raw r ‖ s, and
 * wants native byte order where a scalar is handed over; both conversions live here.
 */
#include "crypto/signature.h"

#include "crypto/pkey.h"

#include "base/bug.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "base/banned.h"

#define SIGNING_KEY_MAGIC 0x4c48534bU /* "LHSK" */

struct lh_signing_key {
    uint32_t magic;
    struct lh_crypto *crypto; /* borrowed */
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *sign;
};

/* P-256 as a group to compute with, while a key is being made. */
struct curve {
    EC_GROUP *group;
    EC_POINT *point;
    BIGNUM *scalar;
};

static void close_curve(struct curve *curve)
{
    EC_POINT_free(curve->point);
    EC_GROUP_free(curve->group);
    BN_clear_free(curve->scalar);
}

static lh_status open_curve(struct curve *curve)
{
    curve->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    curve->point = curve->group == NULL ? NULL : EC_POINT_new(curve->group);
    return lh_crypto_ensure(curve->point != NULL, LH_CRYPTO);
}

void lh_signing_key_free(struct lh_signing_key *key)
{
    if (key == NULL) {
        return;
    }
    LH_MAGIC_CHECK(key, SIGNING_KEY_MAGIC);
    EVP_PKEY_CTX_free(key->sign);
    EVP_PKEY_free(key->pkey);
    key->magic = 0;
    free(key);
}

static void drop_signing_key(struct lh_signing_key **key)
{
    lh_signing_key_free(*key);
}

/* Takes pkey over, also on failure. */
static lh_status wrap_pkey(struct lh_crypto *crypto, EVP_PKEY *pkey,
                           struct lh_signing_key **out_key)
{
    LH_CLEANUP(lh_pkey_drop) EVP_PKEY *owned = pkey;
    LH_CLEANUP(drop_signing_key) struct lh_signing_key *key = calloc(1, sizeof(*key));
    LH_TRY(lh_crypto_ensure(key != NULL, LH_NO_MEMORY));
    key->magic = SIGNING_KEY_MAGIC;
    key->crypto = crypto;
    key->pkey = owned;
    owned = NULL;
    LH_TRY(lh_pkey_prepare(crypto, key->pkey, EVP_PKEY_sign_init, &key->sign));
    *out_key = key;
    key = NULL;
    return lh_crypto_leave(LH_OK);
}

lh_status lh_signing_key_generate(struct lh_crypto *crypto, struct lh_signing_key **out_key)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    LH_TRY(lh_crypto_ensure(pkey != NULL, LH_CRYPTO));
    return wrap_pkey(crypto, pkey, out_key);
}

/* Reads a scalar and computes its point. Errors: MALFORMED unless 1 <= scalar < order. */
static lh_status compute_public(struct curve *curve, lh_slice scalar,
                                uint8_t out_point[LH_P256_POINT_BYTES])
{
    curve->scalar = BN_bin2bn(scalar.ptr, (int)scalar.len, NULL);
    LH_TRY(lh_crypto_ensure(curve->scalar != NULL, LH_NO_MEMORY));
    BN_set_flags(curve->scalar, BN_FLG_CONSTTIME);
    LH_ENSURE(!BN_is_zero(curve->scalar) &&
                  BN_cmp(curve->scalar, EC_GROUP_get0_order(curve->group)) < 0,
              LH_MALFORMED);
    LH_TRY(lh_crypto_result(
        EC_POINT_mul(curve->group, curve->point, curve->scalar, NULL, NULL, NULL)));
    size_t len = EC_POINT_point2oct(curve->group, curve->point, POINT_CONVERSION_UNCOMPRESSED,
                                    out_point, LH_P256_POINT_BYTES, NULL);
    return lh_crypto_ensure(len == LH_P256_POINT_BYTES, LH_CRYPTO);
}

lh_status lh_signing_key_import(struct lh_crypto *crypto, lh_slice scalar,
                                struct lh_signing_key **out_key)
{
    LH_ENSURE(scalar.len == LH_KEY_BYTES, LH_MALFORMED);
    LH_CLEANUP(close_curve) struct curve curve = {0};
    uint8_t point[LH_P256_POINT_BYTES];
    LH_TRY(open_curve(&curve));
    LH_TRY(compute_public(&curve, scalar, point));

    LH_CLEANUP(lh_key_fini) struct lh_key native;
    int native_len = BN_bn2nativepad(curve.scalar, native.bytes, sizeof(native.bytes));
    LH_TRY(lh_crypto_ensure(native_len == (int)sizeof(native.bytes), LH_CRYPTO));
    EVP_PKEY *pkey = NULL;
    LH_TRY(lh_pkey_of_point(LH_SLICE_OF(native.bytes), point, &pkey));
    return wrap_pkey(crypto, pkey, out_key);
}

/* Reads one number of the key as 32 big-endian bytes. */
static lh_status read_number(const struct lh_signing_key *key, const char *name,
                             uint8_t out_bytes[LH_ES256_COORDINATE_BYTES])
{
    LH_CLEANUP(lh_number_drop) BIGNUM *number = NULL;
    LH_TRY(lh_crypto_result(EVP_PKEY_get_bn_param(key->pkey, name, &number)));
    int len = BN_bn2binpad(number, out_bytes, LH_ES256_COORDINATE_BYTES);
    return lh_crypto_leave(len == (int)LH_ES256_COORDINATE_BYTES ? LH_OK : LH_CRYPTO);
}

lh_status lh_signing_key_export(const struct lh_signing_key *key, struct lh_key *out_scalar)
{
    LH_MAGIC_CHECK(key, SIGNING_KEY_MAGIC);
    _Static_assert(sizeof(out_scalar->bytes) == LH_ES256_COORDINATE_BYTES, "a scalar is a key");
    return read_number(key, OSSL_PKEY_PARAM_PRIV_KEY, out_scalar->bytes);
}

lh_status lh_signing_key_public(const struct lh_signing_key *key,
                                uint8_t out_x[LH_ES256_COORDINATE_BYTES],
                                uint8_t out_y[LH_ES256_COORDINATE_BYTES])
{
    LH_MAGIC_CHECK(key, SIGNING_KEY_MAGIC);
    LH_TRY(read_number(key, OSSL_PKEY_PARAM_EC_PUB_X, out_x));
    return read_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, out_y);
}

static void drop_signature(ECDSA_SIG **signature)
{
    ECDSA_SIG_free(*signature);
}

static lh_status der_to_raw(lh_slice der, uint8_t out_raw[LH_ES256_SIGNATURE_BYTES])
{
    const unsigned char *at = der.ptr;
    LH_CLEANUP(drop_signature) ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    LH_TRY(lh_crypto_ensure(signature != NULL, LH_CRYPTO));
    int half = (int)LH_ES256_COORDINATE_BYTES;
    bool fits = BN_bn2binpad(ECDSA_SIG_get0_r(signature), out_raw, half) == half &&
                BN_bn2binpad(ECDSA_SIG_get0_s(signature), out_raw + half, half) == half;
    return lh_crypto_leave(fits ? LH_OK : LH_CRYPTO);
}

lh_status lh_es256_sign(struct lh_signing_key *key, lh_slice message,
                        uint8_t out_signature[LH_ES256_SIGNATURE_BYTES])
{
    LH_MAGIC_CHECK(key, SIGNING_KEY_MAGIC);
    struct lh_digest digest;
    LH_TRY(lh_sha256(key->crypto, message, &digest));
    uint8_t der[LH_P256_DER_MAX_BYTES];
    size_t der_len = sizeof(der);
    LH_TRY(lh_crypto_result(
        EVP_PKEY_sign(key->sign, der, &der_len, digest.bytes, sizeof(digest.bytes))));
    return der_to_raw(lh_slice_of(der, der_len), out_signature);
}
