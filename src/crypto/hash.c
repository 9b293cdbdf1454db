/*
 * SHA-256, HMAC-SHA-256 and HKDF-SHA-256 over contexts that are prepared once.
 */
#include "crypto/engine.h"

#include "base/bug.h"

#include "base/banned.h"

#define MAC_KEY_MAGIC 0x4c484d4bU /* "LHMK" */

struct lh_mac_key {
    uint32_t magic;
    EVP_MAC_CTX *mac; /* holds the key; each use restarts it */
};

lh_status lh_sha256(struct lh_crypto *crypto, lh_slice message, struct lh_digest *out_digest)
{
    struct lh_digest digest;
    LH_TRY(lh_crypto_result(EVP_DigestInit_ex2(crypto->digest, crypto->sha256, NULL)));
    LH_TRY(lh_crypto_result(EVP_DigestUpdate(crypto->digest, message.ptr, message.len)));
    LH_TRY(lh_crypto_result(EVP_DigestFinal_ex(crypto->digest, digest.bytes, NULL)));
    *out_digest = digest;
    return lh_ok();
}

static lh_status update_mac(EVP_MAC_CTX *mac, lh_slice part)
{
    return part.len == 0 ? lh_ok() : lh_crypto_result(EVP_MAC_update(mac, part.ptr, part.len));
}

static void wipe_digest(struct lh_digest *digest)
{
    lh_wipe(digest, sizeof(*digest));
}

/* The MAC may be a key: nothing of it stays here. */
static lh_status finish_mac(EVP_MAC_CTX *mac, struct lh_digest *out_mac)
{
    LH_CLEANUP(wipe_digest) struct lh_digest digest;
    size_t len = 0;
    LH_TRY(lh_crypto_result(EVP_MAC_final(mac, digest.bytes, &len, sizeof(digest.bytes))));
    LH_TRY(lh_crypto_ensure(len == sizeof(digest.bytes), LH_CRYPTO));
    *out_mac = digest;
    return lh_ok();
}

lh_status lh_hmac_sha256(struct lh_crypto *crypto, lh_slice key, lh_slice message,
                         struct lh_digest *out_mac)
{
    /* Without these two a key and its own digest, or a key and itself with zeros behind it,
       would be the same key; and a context without a key would go on with its last one. */
    LH_ENSURE(key.len > 0 && key.len <= LH_HMAC_KEY_MAX_BYTES, LH_INVALID);
    LH_TRY(lh_crypto_result(EVP_MAC_init(crypto->mac, key.ptr, key.len, NULL)));
    LH_TRY(update_mac(crypto->mac, message));
    return finish_mac(crypto->mac, out_mac);
}

/* RFC 5869 §2.2, with the salt that crypto->extract is keyed with. */
static lh_status extract_key(struct lh_crypto *crypto, lh_slice ikm, struct lh_digest *out_prk)
{
    LH_TRY(lh_crypto_result(EVP_MAC_init(crypto->extract, NULL, 0, NULL)));
    LH_TRY(update_mac(crypto->extract, ikm));
    return finish_mac(crypto->extract, out_prk);
}

/* RFC 5869 §2.3 for L = HashLen: T(1) alone. */
static lh_status expand_key(struct lh_crypto *crypto, const struct lh_digest *prk, lh_slice info,
                            struct lh_digest *out_okm)
{
    static const uint8_t first_block = 0x01;
    LH_TRY(lh_crypto_result(EVP_MAC_init(crypto->mac, prk->bytes, sizeof(prk->bytes), NULL)));
    LH_TRY(update_mac(crypto->mac, info));
    LH_TRY(update_mac(crypto->mac, LH_SLICE_OF(first_block)));
    return finish_mac(crypto->mac, out_okm);
}

lh_status lh_hkdf(struct lh_crypto *crypto, lh_slice ikm, lh_slice info, struct lh_key *out_key)
{
    LH_CLEANUP(wipe_digest) struct lh_digest prk;
    LH_CLEANUP(wipe_digest) struct lh_digest okm;
    LH_TRY(extract_key(crypto, ikm, &prk));
    LH_TRY(expand_key(crypto, &prk, info, &okm));
    _Static_assert(sizeof(okm.bytes) == sizeof(out_key->bytes), "one block of HKDF is one key");
    memcpy(out_key->bytes, okm.bytes, sizeof(out_key->bytes));
    return lh_ok();
}

static void drop_mac_key(struct lh_mac_key **key)
{
    lh_mac_key_free(*key);
}

lh_status lh_mac_key_import(struct lh_crypto *crypto, lh_slice secret, struct lh_mac_key **out_key)
{
    /* As in lh_hmac_sha256. */
    LH_ENSURE(secret.len > 0 && secret.len <= LH_HMAC_KEY_MAX_BYTES, LH_INVALID);
    LH_CLEANUP(drop_mac_key) struct lh_mac_key *made = calloc(1, sizeof(*made));
    LH_ENSURE(made != NULL, LH_NO_MEMORY);
    made->magic = MAC_KEY_MAGIC;
    made->mac = EVP_MAC_CTX_dup(crypto->mac);
    LH_TRY(lh_crypto_ensure(made->mac != NULL, LH_CRYPTO));
    LH_TRY(lh_crypto_result(EVP_MAC_init(made->mac, secret.ptr, secret.len, NULL)));
    *out_key = made;
    made = NULL;
    return lh_ok();
}

lh_status lh_mac_key_new(struct lh_crypto *crypto, const struct lh_key *key,
                         struct lh_mac_key **out_key)
{
    return lh_mac_key_import(crypto, LH_SLICE_OF(key->bytes), out_key);
}

void lh_mac_key_free(struct lh_mac_key *key)
{
    if (key == NULL) {
        return;
    }
    LH_MAGIC_CHECK(key, MAC_KEY_MAGIC);
    EVP_MAC_CTX_free(key->mac);
    key->magic = 0;
    free(key);
}

lh_status lh_mac(struct lh_mac_key *key, lh_slice message, struct lh_digest *out_mac)
{
    LH_MAGIC_CHECK(key, MAC_KEY_MAGIC);
    LH_TRY(lh_crypto_result(EVP_MAC_init(key->mac, NULL, 0, NULL)));
    LH_TRY(update_mac(key->mac, message));
    return finish_mac(key->mac, out_mac);
}
