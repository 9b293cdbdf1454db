/*
 * ES256 on OpenSSL's EVP keys. OpenSSL speaks DER where JWS has the raw r ‖ s, and wants native
 * byte order where a scalar is handed over; both conversions live here.
 */
#include "crypto/signature.h"

#include "crypto/engine.h"

#include "base/bug.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>

#include "base/banned.h"

#define SIGNING_KEY_MAGIC 0x4c48534bU /* "LHSK" */

/* SEC 1 §2.3.3: 0x04 ‖ X ‖ Y. */
#define POINT_BYTES        (1U + 2U * LH_ES256_COORDINATE_BYTES)
#define POINT_UNCOMPRESSED 0x04U

/* DER of two integers of 33 bytes at most: 2 + 2 × (2 + 33), rounded up. */
#define DER_MAX_BYTES 80U

struct lh_signing_key {
    uint32_t magic;
    struct lh_crypto *crypto; /* borrowed */
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *sign; /* NULL: public key only */
    EVP_PKEY_CTX *verify;
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
    EVP_PKEY_CTX_free(key->verify);
    EVP_PKEY_free(key->pkey);
    key->magic = 0;
    free(key);
}

static void drop_signing_key(struct lh_signing_key **key)
{
    lh_signing_key_free(*key);
}

static void drop_pkey(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
}

static void drop_pkey_context(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}

static void drop_number(BIGNUM **number)
{
    BN_clear_free(*number);
}

/* A context that is made ready once and used for every signature. */
static lh_status prepare(const struct lh_signing_key *key, int (*init)(EVP_PKEY_CTX *context),
                         EVP_PKEY_CTX **out_context)
{
    LH_CLEANUP(drop_pkey_context)
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    LH_TRY(lh_crypto_ensure(context != NULL, LH_CRYPTO));
    LH_TRY(lh_crypto_result(init(context)));
    LH_TRY(lh_crypto_result(EVP_PKEY_CTX_set_signature_md(context, key->crypto->sha256)));
    *out_context = context;
    context = NULL;
    return lh_ok();
}

/* Takes pkey over, also on failure. */
static lh_status wrap_pkey(struct lh_crypto *crypto, EVP_PKEY *pkey, bool has_private,
                           struct lh_signing_key **out_key)
{
    LH_CLEANUP(drop_pkey) EVP_PKEY *owned = pkey;
    LH_CLEANUP(drop_signing_key) struct lh_signing_key *key = calloc(1, sizeof(*key));
    LH_TRY(lh_crypto_ensure(key != NULL, LH_NO_MEMORY));
    key->magic = SIGNING_KEY_MAGIC;
    key->crypto = crypto;
    key->pkey = owned;
    owned = NULL;
    LH_TRY(prepare(key, EVP_PKEY_verify_init, &key->verify));
    if (has_private) {
        LH_TRY(prepare(key, EVP_PKEY_sign_init, &key->sign));
    }
    *out_key = key;
    key = NULL;
    return lh_crypto_leave(LH_OK);
}

lh_status lh_signing_key_generate(struct lh_crypto *crypto, struct lh_signing_key **out_key)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    LH_TRY(lh_crypto_ensure(pkey != NULL, LH_CRYPTO));
    return wrap_pkey(crypto, pkey, true, out_key);
}

/* private_native: the scalar in the machine's byte order, or empty for a public key. */
static lh_status build_pkey(lh_slice private_native, const uint8_t point[POINT_BYTES],
                            EVP_PKEY **out_pkey)
{
    char group[] = "P-256";
    union {
        const uint8_t *lent;
        void *openssl; /* its constructors take what they only read without const */
    } scalar = {.lent = private_native.ptr}, public = {.lent = point};
    OSSL_PARAM end = OSSL_PARAM_construct_end();
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public.openssl, POINT_BYTES),
        private_native.len == 0
            ? end
            : OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar.openssl, private_native.len),
        end,
    };
    int selection = private_native.len == 0 ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR;
    LH_CLEANUP(drop_pkey_context)
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    LH_TRY(lh_crypto_ensure(context != NULL, LH_CRYPTO));
    LH_TRY(lh_crypto_result(EVP_PKEY_fromdata_init(context)));
    return lh_crypto_result(EVP_PKEY_fromdata(context, out_pkey, selection, params));
}

/* Reads a scalar and computes its point. Errors: MALFORMED unless 1 <= scalar < order. */
static lh_status compute_public(struct curve *curve, lh_slice scalar,
                                uint8_t out_point[POINT_BYTES])
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
                                    out_point, POINT_BYTES, NULL);
    return lh_crypto_ensure(len == POINT_BYTES, LH_CRYPTO);
}

lh_status lh_signing_key_import(struct lh_crypto *crypto, lh_slice scalar,
                                struct lh_signing_key **out_key)
{
    LH_ENSURE(scalar.len == LH_KEY_BYTES, LH_MALFORMED);
    LH_CLEANUP(close_curve) struct curve curve = {0};
    uint8_t point[POINT_BYTES];
    LH_TRY(open_curve(&curve));
    LH_TRY(compute_public(&curve, scalar, point));

    LH_CLEANUP(lh_key_fini) struct lh_key native;
    int native_len = BN_bn2nativepad(curve.scalar, native.bytes, sizeof(native.bytes));
    LH_TRY(lh_crypto_ensure(native_len == (int)sizeof(native.bytes), LH_CRYPTO));
    EVP_PKEY *pkey = NULL;
    LH_TRY(build_pkey(LH_SLICE_OF(native.bytes), point, &pkey));
    return wrap_pkey(crypto, pkey, true, out_key);
}

lh_status lh_signing_key_from_public(struct lh_crypto *crypto,
                                     const uint8_t x[LH_ES256_COORDINATE_BYTES],
                                     const uint8_t y[LH_ES256_COORDINATE_BYTES],
                                     struct lh_signing_key **out_key)
{
    LH_CLEANUP(close_curve) struct curve curve = {0};
    LH_TRY(open_curve(&curve));
    uint8_t point[POINT_BYTES] = {POINT_UNCOMPRESSED};
    memcpy(point + 1, x, LH_ES256_COORDINATE_BYTES);
    memcpy(point + 1 + LH_ES256_COORDINATE_BYTES, y, LH_ES256_COORDINATE_BYTES);
    /* Refuses coordinates that are not below p and points that are not on the curve. */
    int is_point = EC_POINT_oct2point(curve.group, curve.point, point, sizeof(point), NULL);
    LH_TRY(lh_crypto_ensure(is_point == 1, LH_MALFORMED));
    EVP_PKEY *pkey = NULL;
    LH_TRY(build_pkey(LH_SLICE_EMPTY, point, &pkey));
    return wrap_pkey(crypto, pkey, false, out_key);
}

/* Reads one number of the key as 32 big-endian bytes. */
static lh_status read_number(const struct lh_signing_key *key, const char *name,
                             uint8_t out_bytes[LH_ES256_COORDINATE_BYTES])
{
    LH_CLEANUP(drop_number) BIGNUM *number = NULL;
    LH_TRY(lh_crypto_result(EVP_PKEY_get_bn_param(key->pkey, name, &number)));
    int len = BN_bn2binpad(number, out_bytes, LH_ES256_COORDINATE_BYTES);
    return lh_crypto_leave(len == (int)LH_ES256_COORDINATE_BYTES ? LH_OK : LH_CRYPTO);
}

lh_status lh_signing_key_export(const struct lh_signing_key *key, struct lh_key *out_scalar)
{
    LH_MAGIC_CHECK(key, SIGNING_KEY_MAGIC);
    LH_ENSURE(key->sign != NULL, LH_INVALID);
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

/* Takes both numbers over, also on failure. */
static lh_status make_signature(BIGNUM *r, BIGNUM *s, ECDSA_SIG **out_signature)
{
    LH_CLEANUP(drop_signature) ECDSA_SIG *signature = ECDSA_SIG_new();
    LH_CLEANUP(drop_number) BIGNUM *owned_r = r;
    LH_CLEANUP(drop_number) BIGNUM *owned_s = s;
    LH_TRY(lh_crypto_ensure(signature != NULL && owned_r != NULL && owned_s != NULL, LH_NO_MEMORY));
    LH_TRY(lh_crypto_result(ECDSA_SIG_set0(signature, owned_r, owned_s)));
    owned_r = NULL;
    owned_s = NULL;
    *out_signature = signature;
    signature = NULL;
    return lh_ok();
}

static lh_status raw_to_der(lh_slice raw, uint8_t out_der[DER_MAX_BYTES], size_t *out_len)
{
    int half = (int)LH_ES256_COORDINATE_BYTES;
    LH_CLEANUP(drop_signature) ECDSA_SIG *signature = NULL;
    LH_TRY(make_signature(BN_bin2bn(raw.ptr, half, NULL), BN_bin2bn(raw.ptr + half, half, NULL),
                          &signature));
    int len = i2d_ECDSA_SIG(signature, NULL);
    LH_TRY(lh_crypto_ensure(len > 0 && len <= (int)DER_MAX_BYTES, LH_CRYPTO));
    unsigned char *at = out_der;
    LH_TRY(lh_crypto_ensure(i2d_ECDSA_SIG(signature, &at) == len, LH_CRYPTO));
    *out_len = (size_t)len;
    return lh_ok();
}

lh_status lh_es256_sign(struct lh_signing_key *key, lh_slice message,
                        uint8_t out_signature[LH_ES256_SIGNATURE_BYTES])
{
    LH_MAGIC_CHECK(key, SIGNING_KEY_MAGIC);
    LH_ENSURE(key->sign != NULL, LH_INVALID);
    struct lh_digest digest;
    LH_TRY(lh_sha256(key->crypto, message, &digest));
    uint8_t der[DER_MAX_BYTES];
    size_t der_len = sizeof(der);
    LH_TRY(lh_crypto_result(
        EVP_PKEY_sign(key->sign, der, &der_len, digest.bytes, sizeof(digest.bytes))));
    return der_to_raw(lh_slice_of(der, der_len), out_signature);
}

lh_status lh_es256_verify(struct lh_signing_key *key, lh_slice message, lh_slice signature)
{
    LH_MAGIC_CHECK(key, SIGNING_KEY_MAGIC);
    LH_ENSURE(signature.len == LH_ES256_SIGNATURE_BYTES, LH_TAMPERED);
    struct lh_digest digest;
    LH_TRY(lh_sha256(key->crypto, message, &digest));
    uint8_t der[DER_MAX_BYTES];
    size_t der_len = 0;
    LH_TRY(raw_to_der(signature, der, &der_len));
    int holds = EVP_PKEY_verify(key->verify, der, der_len, digest.bytes, sizeof(digest.bytes));
    return lh_crypto_leave(holds == 1 ? LH_OK : holds == 0 ? LH_TAMPERED : LH_CRYPTO);
}
