/*
 * OpenSSL's key objects. Its constructors take what they only read without const, and want scalars
 * in native byte order; the files that use this one hand over what they have.
 */
#include "crypto/pkey.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/banned.h"

void lh_pkey_drop(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
}

void lh_pkey_context_drop(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}

void lh_number_drop(BIGNUM **number)
{
    BN_clear_free(*number);
}

lh_status lh_pkey_of_point(lh_slice private_native, const uint8_t point[LH_P256_POINT_BYTES],
                           EVP_PKEY **out_pkey)
{
    char group[] = "P-256";
    union {
        const uint8_t *lent;
        void *openssl;
    } scalar = {.lent = private_native.ptr}, public = {.lent = point};
    OSSL_PARAM end = OSSL_PARAM_construct_end();
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public.openssl,
                                          LH_P256_POINT_BYTES),
        private_native.len == 0
            ? end
            : OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar.openssl, private_native.len),
        end,
    };
    int selection = private_native.len == 0 ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR;
    LH_CLEANUP(lh_pkey_context_drop)
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    LH_TRY(lh_crypto_ensure(context != NULL, LH_CRYPTO));
    LH_TRY(lh_crypto_result(EVP_PKEY_fromdata_init(context)));
    return lh_crypto_result(EVP_PKEY_fromdata(context, out_pkey, selection, params));
}

lh_status lh_pkey_prepare(struct lh_crypto *crypto, EVP_PKEY *pkey,
                          int (*init)(EVP_PKEY_CTX *context), EVP_PKEY_CTX **out_context)
{
    LH_CLEANUP(lh_pkey_context_drop)
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    LH_TRY(lh_crypto_ensure(context != NULL, LH_CRYPTO));
    LH_TRY(lh_crypto_result(init(context)));
    LH_TRY(lh_crypto_result(EVP_PKEY_CTX_set_signature_md(context, crypto->sha256)));
    *out_context = context;
    context = NULL;
    return lh_ok();
}
