/*
 * Making and freeing the engine. Everything that OpenSSL 3 looks up by name is looked up here,
 * once per thread, because an implicit fetch costs more than the hash it is for.
 */
#include "crypto/engine.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "base/banned.h"

lh_status lh_crypto_leave(enum lh_code code)
{
    bool is_out_of_memory = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;
    ERR_clear_error();
    return lh_status_of(code != LH_OK && is_out_of_memory ? LH_NO_MEMORY : code);
}

static lh_status fetch_algorithms(struct lh_crypto *crypto)
{
    crypto->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    crypto->sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL);
    crypto->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    crypto->aes_ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    crypto->aes_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    bool is_complete = crypto->sha256 != NULL && crypto->sha512 != NULL && crypto->hmac != NULL &&
                       crypto->aes_ecb != NULL && crypto->aes_gcm != NULL;
    return lh_crypto_ensure(is_complete, LH_CRYPTO);
}

static lh_status make_contexts(struct lh_crypto *crypto)
{
    crypto->digest = EVP_MD_CTX_new();
    crypto->mac = EVP_MAC_CTX_new(crypto->hmac);
    crypto->extract = EVP_MAC_CTX_new(crypto->hmac);
    crypto->block = EVP_CIPHER_CTX_new();
    crypto->gcm = EVP_CIPHER_CTX_new();
    bool is_complete = crypto->digest != NULL && crypto->mac != NULL && crypto->extract != NULL &&
                       crypto->block != NULL && crypto->gcm != NULL;
    return lh_crypto_ensure(is_complete, LH_NO_MEMORY);
}

static const uint8_t zero_key[LH_KEY_BYTES];

/*
 * Sets each context's algorithm and a key of zeros, so that later calls change the key only. The
 * block context keeps its padding: only whole blocks go through it and nothing is finished, so
 * padding never comes in, while switching it off would be done again at each change of key.
 */
static lh_status prepare_contexts(struct lh_crypto *crypto)
{
    char digest_name[] = "SHA2-256";
    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end(),
    };
    LH_TRY(lh_crypto_result(EVP_DigestInit_ex2(crypto->digest, crypto->sha256, NULL)));
    LH_TRY(lh_crypto_result(EVP_MAC_init(crypto->mac, zero_key, sizeof(zero_key), digest)));
    /* RFC 5869 §2.2: a salt that is not provided is a string of HashLen zeros. */
    LH_TRY(lh_crypto_result(EVP_MAC_init(crypto->extract, zero_key, sizeof(zero_key), digest)));
    LH_TRY(lh_crypto_result(
        EVP_EncryptInit_ex2(crypto->block, crypto->aes_ecb, zero_key, NULL, NULL)));
    return lh_crypto_result(
        EVP_EncryptInit_ex2(crypto->gcm, crypto->aes_gcm, zero_key, NULL, NULL));
}

static void drop_crypto(struct lh_crypto **crypto)
{
    lh_crypto_free(*crypto);
}

lh_status lh_crypto_new(struct lh_crypto **out_crypto)
{
    LH_CLEANUP(drop_crypto) struct lh_crypto *crypto = calloc(1, sizeof(*crypto));
    LH_ENSURE(crypto != NULL, LH_NO_MEMORY);
    LH_TRY(fetch_algorithms(crypto));
    LH_TRY(make_contexts(crypto));
    LH_TRY(prepare_contexts(crypto));
    LH_TRY(lh_random_batch_new(&crypto->batch));
    *out_crypto = crypto;
    crypto = NULL;
    return lh_ok();
}

void lh_crypto_free(struct lh_crypto *crypto)
{
    if (crypto == NULL) {
        return;
    }
    EVP_MD_CTX_free(crypto->digest);
    EVP_MAC_CTX_free(crypto->mac);
    EVP_MAC_CTX_free(crypto->extract);
    EVP_CIPHER_CTX_free(crypto->block);
    EVP_CIPHER_CTX_free(crypto->gcm);
    EVP_MD_free(crypto->sha256);
    EVP_MD_free(crypto->sha512);
    EVP_MAC_free(crypto->hmac);
    EVP_CIPHER_free(crypto->aes_ecb);
    EVP_CIPHER_free(crypto->aes_gcm);
    lh_random_batch_free(crypto->batch);
    free(crypto);
}

lh_status lh_crypto_forget_keys(struct lh_crypto *crypto)
{
    LH_TRY(lh_crypto_result(EVP_MAC_init(crypto->mac, zero_key, sizeof(zero_key), NULL)));
    /* Its key is no secret, but what it extracted last is as good as the key that went in. */
    LH_TRY(lh_crypto_result(EVP_MAC_init(crypto->extract, NULL, 0, NULL)));
    LH_TRY(lh_crypto_result(EVP_EncryptInit_ex2(crypto->block, NULL, zero_key, NULL, NULL)));
    return lh_crypto_result(EVP_EncryptInit_ex2(crypto->gcm, NULL, zero_key, NULL, NULL));
}
