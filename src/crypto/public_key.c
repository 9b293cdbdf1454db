/*
 * Verifying keys on OpenSSL's EVP. Everything is looked up and prepared when the key is made; a
 * verification hashes, checks the form of the signature itself, and asks OpenSSL the rest.
 */
#include "crypto/public_key.h"

#include "crypto/key_policy.h"
#include "crypto/pkey.h"

#include "base/bug.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/banned.h"

#define PUBLIC_KEY_MAGIC 0x4c48504bU /* "LHPK" */

struct lh_public_key {
    uint32_t magic;
    enum lh_algorithm algorithm;
    struct lh_crypto *crypto; /* borrowed */
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *over_digest; /* RSA and ECDSA */
    EVP_MD_CTX *over_message;  /* EdDSA, which hashes by itself */
    size_t signature_bytes;
};

/* --- Algorithms ------------------------------------------------------------------------------- */

static const char *const algorithm_names[] = {
    [LH_RS256] = "RS256", [LH_PS256] = "PS256", [LH_ES256] = "ES256", [LH_EDDSA] = "EdDSA"};
#define ALGORITHMS (sizeof(algorithm_names) / sizeof(algorithm_names[0]))

const char *lh_algorithm_name(enum lh_algorithm algorithm)
{
    return (size_t)algorithm < ALGORITHMS ? algorithm_names[algorithm] : NULL;
}

lh_status lh_algorithm_parse(lh_slice name, enum lh_algorithm *out_algorithm)
{
    for (size_t i = 1; i < ALGORITHMS; i++) {
        if (lh_slice_is_equal(name, lh_slice_from_text(algorithm_names[i]))) {
            *out_algorithm = (enum lh_algorithm)i;
            return lh_ok();
        }
    }
    return lh_status_of(LH_MALFORMED);
}

/* --- RSA -------------------------------------------------------------------------------------- */

static void drop_builder(OSSL_PARAM_BLD **builder)
{
    OSSL_PARAM_BLD_free(*builder);
}

static void drop_params(OSSL_PARAM **params)
{
    OSSL_PARAM_free(*params);
}

/* n and e as OpenSSL takes them; owned by the caller. The numbers may be freed before. */
static lh_status make_rsa_params(const BIGNUM *n, const BIGNUM *e, OSSL_PARAM **out_params)
{
    LH_CLEANUP(drop_builder) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    LH_TRY(lh_crypto_ensure(builder != NULL && n != NULL && e != NULL, LH_NO_MEMORY));
    LH_TRY(lh_crypto_result(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n)));
    LH_TRY(lh_crypto_result(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e)));
    *out_params = OSSL_PARAM_BLD_to_param(builder);
    return lh_crypto_ensure(*out_params != NULL, LH_NO_MEMORY);
}

static lh_status make_rsa_pkey(lh_slice n, lh_slice e, EVP_PKEY **out_pkey)
{
    LH_CLEANUP(lh_number_drop) BIGNUM *modulus = BN_bin2bn(n.ptr, (int)n.len, NULL);
    LH_CLEANUP(lh_number_drop) BIGNUM *exponent = BN_bin2bn(e.ptr, (int)e.len, NULL);
    LH_CLEANUP(drop_params) OSSL_PARAM *params = NULL;
    LH_TRY(make_rsa_params(modulus, exponent, &params));
    LH_CLEANUP(lh_pkey_context_drop)
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    LH_TRY(lh_crypto_ensure(context != NULL, LH_CRYPTO));
    LH_TRY(lh_crypto_result(EVP_PKEY_fromdata_init(context)));
    return lh_crypto_result(EVP_PKEY_fromdata(context, out_pkey, EVP_PKEY_PUBLIC_KEY, params));
}

static lh_status import_rsa(struct lh_public_key *key, lh_slice material)
{
    struct lh_cursor cursor = lh_cursor_over(material);
    uint16_t modulus_len;
    lh_slice modulus;
    LH_TRY(lh_cursor_u16(&cursor, &modulus_len));
    LH_TRY(lh_cursor_view(&cursor, modulus_len, &modulus));
    LH_TRY(lh_rsa_key_check(modulus, cursor.rest));
    LH_TRY(make_rsa_pkey(modulus, cursor.rest, &key->pkey));
    LH_TRY(lh_pkey_prepare(key->crypto, key->pkey, EVP_PKEY_verify_init, &key->over_digest));
    key->signature_bytes = modulus.len;
    return lh_ok();
}

static lh_status import_rs256(struct lh_public_key *key, lh_slice material)
{
    LH_TRY(import_rsa(key, material));
    return lh_crypto_result(EVP_PKEY_CTX_set_rsa_padding(key->over_digest, RSA_PKCS1_PADDING));
}

/* RFC 7518 §3.5: MGF1 with the same hash, and a salt of exactly its size. */
static lh_status import_ps256(struct lh_public_key *key, lh_slice material)
{
    LH_TRY(import_rsa(key, material));
    LH_TRY(lh_crypto_result(EVP_PKEY_CTX_set_rsa_padding(key->over_digest, RSA_PKCS1_PSS_PADDING)));
    LH_TRY(lh_crypto_result(EVP_PKEY_CTX_set_rsa_mgf1_md(key->over_digest, key->crypto->sha256)));
    return lh_crypto_result(
        EVP_PKEY_CTX_set_rsa_pss_saltlen(key->over_digest, RSA_PSS_SALTLEN_DIGEST));
}

/* OpenSSL's three answers: it holds, it does not, it could not be judged. */
static lh_status verdict(int holds)
{
    return lh_crypto_leave(holds == 1 ? LH_OK : holds == 0 ? LH_BAD_SIGNATURE : LH_CRYPTO);
}

static lh_status verify_digest(struct lh_public_key *key, lh_slice message, lh_slice signature)
{
    struct lh_digest digest;
    LH_TRY(lh_sha256(key->crypto, message, &digest));
    int holds = EVP_PKEY_verify(key->over_digest, signature.ptr, signature.len, digest.bytes,
                                sizeof(digest.bytes));
    return verdict(holds);
}

/* --- ECDSA ------------------------------------------------------------------------------------ */

static lh_status import_es256(struct lh_public_key *key, lh_slice material)
{
    uint8_t point[LH_P256_POINT_BYTES] = {LH_P256_POINT_UNCOMPRESSED};
    LH_ENSURE(material.len == sizeof(point) - 1, LH_MALFORMED);
    memcpy(point + 1, material.ptr, material.len);
    LH_TRY(lh_p256_key_check(LH_SLICE_OF(point)));
    LH_TRY(lh_pkey_of_point(LH_SLICE_EMPTY, point, &key->pkey));
    LH_TRY(lh_pkey_prepare(key->crypto, key->pkey, EVP_PKEY_verify_init, &key->over_digest));
    key->signature_bytes = LH_ES256_SIGNATURE_BYTES;
    return lh_ok();
}

/* Order of P-256 (SEC 2 §2.4.2). */
static const uint8_t p256_order[LH_ES256_COORDINATE_BYTES] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

/* Where the number begins that is not zero; number.len if there is none. */
static size_t leading_zeros(lh_slice number)
{
    size_t zeros = 0;
    while (zeros < number.len && number.ptr[zeros] == 0) {
        zeros++;
    }
    return zeros;
}

/* Whether 1 <= number < order. Nothing here is secret. */
static bool is_in_range(lh_slice number)
{
    size_t at = 0;
    while (at < number.len && number.ptr[at] == p256_order[at]) {
        at++;
    }
    return at < number.len && number.ptr[at] < p256_order[at] && leading_zeros(number) < number.len;
}

/* Appends a positive number as a DER INTEGER; returns what follows it. */
static uint8_t *write_integer(uint8_t *out, lh_slice number)
{
    lh_slice digits = lh_slice_cut(number, leading_zeros(number), number.len);
    bool looks_negative = digits.ptr[0] >= 0x80;
    *out++ = 0x02;
    *out++ = (uint8_t)(digits.len + looks_negative);
    if (looks_negative) {
        *out++ = 0x00;
    }
    memcpy(out, digits.ptr, digits.len);
    return out + digits.len;
}

static lh_status verify_es256(struct lh_public_key *key, lh_slice message, lh_slice signature)
{
    lh_slice r = lh_slice_cut(signature, 0, LH_ES256_COORDINATE_BYTES);
    lh_slice s = lh_slice_cut(signature, LH_ES256_COORDINATE_BYTES, LH_ES256_COORDINATE_BYTES);
    LH_ENSURE(is_in_range(r) && is_in_range(s), LH_BAD_SIGNATURE);
    uint8_t der[LH_P256_DER_MAX_BYTES] = {0x30};
    const uint8_t *end = write_integer(write_integer(der + 2, r), s);
    der[1] = (uint8_t)(end - der - 2);
    return verify_digest(key, message, lh_slice_of(der, (size_t)(end - der)));
}

/* --- EdDSA ------------------------------------------------------------------------------------ */

static lh_status import_eddsa(struct lh_public_key *key, lh_slice material)
{
    LH_TRY(lh_ed25519_key_check(material));
    key->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, material.ptr, material.len);
    LH_TRY(lh_crypto_ensure(key->pkey != NULL, LH_CRYPTO));
    key->over_message = EVP_MD_CTX_new();
    key->signature_bytes = LH_ED25519_SIGNATURE_BYTES;
    return lh_crypto_ensure(key->over_message != NULL, LH_NO_MEMORY);
}

/* A context is good for one message. */
static lh_status verify_eddsa(struct lh_public_key *key, lh_slice message, lh_slice signature)
{
    LH_TRY(lh_crypto_result(
        EVP_DigestVerifyInit_ex(key->over_message, NULL, NULL, NULL, NULL, key->pkey, NULL)));
    return verdict(EVP_DigestVerify(key->over_message, signature.ptr, signature.len, message.ptr,
                                    message.len));
}

/* --- Keys ------------------------------------------------------------------------------------- */

struct scheme {
    /* Makes what OpenSSL needs of the material. */
    lh_status (*import)(struct lh_public_key *key, lh_slice material);
    /* signature has the key's length. */
    lh_status (*verify)(struct lh_public_key *key, lh_slice message, lh_slice signature);
};

static const struct scheme schemes[] = {
    [LH_RS256] = {import_rs256, verify_digest},
    [LH_PS256] = {import_ps256, verify_digest},
    [LH_ES256] = {import_es256, verify_es256},
    [LH_EDDSA] = {import_eddsa, verify_eddsa},
};

static void drop_public_key(struct lh_public_key **key)
{
    lh_public_key_free(*key);
}

lh_status lh_public_key_new(struct lh_crypto *crypto, enum lh_algorithm algorithm,
                            lh_slice material, struct lh_public_key **out_key)
{
    LH_ENSURE(lh_algorithm_name(algorithm) != NULL, LH_INVALID);
    LH_CLEANUP(drop_public_key) struct lh_public_key *key = calloc(1, sizeof(*key));
    LH_ENSURE(key != NULL, LH_NO_MEMORY);
    key->magic = PUBLIC_KEY_MAGIC;
    key->algorithm = algorithm;
    key->crypto = crypto;
    LH_TRY(schemes[algorithm].import(key, material));
    *out_key = key;
    key = NULL;
    return lh_crypto_leave(LH_OK);
}

void lh_public_key_free(struct lh_public_key *key)
{
    if (key == NULL) {
        return;
    }
    LH_MAGIC_CHECK(key, PUBLIC_KEY_MAGIC);
    EVP_PKEY_CTX_free(key->over_digest);
    EVP_MD_CTX_free(key->over_message);
    EVP_PKEY_free(key->pkey);
    key->magic = 0;
    free(key);
}

enum lh_algorithm lh_public_key_algorithm(const struct lh_public_key *key)
{
    LH_MAGIC_CHECK(key, PUBLIC_KEY_MAGIC);
    return key->algorithm;
}

lh_status lh_public_key_verify(struct lh_public_key *key, lh_slice message, lh_slice signature)
{
    LH_MAGIC_CHECK(key, PUBLIC_KEY_MAGIC);
    LH_ENSURE(signature.len == key->signature_bytes, LH_BAD_SIGNATURE);
    return schemes[key->algorithm].verify(key, message, signature);
}
