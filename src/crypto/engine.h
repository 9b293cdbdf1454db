/*
 * What the files of this room share: everything that is fetched from OpenSSL once, and the one
 * way in which an OpenSSL failure leaves the room. Nobody outside includes it.
 *
 * Contexts are reused: between two calls they keep the schedule of the key that was used last.
 * lh_crypto_forget_keys overwrites it.
 */
#ifndef LH_CRYPTO_ENGINE_H
#define LH_CRYPTO_ENGINE_H

#include "crypto/crypto.h"

#include <openssl/evp.h>

/* Random bytes fetched ahead, in a page of their own that the kernel zeroes in a forked child. */
struct lh_random_batch;

struct lh_crypto {
    EVP_MD *sha256;
    EVP_MD *sha512; /* of hash streams alone */
    EVP_MD_CTX *digest;
    EVP_MAC *hmac;
    EVP_MAC_CTX *mac;     /* keyed anew at each use */
    EVP_MAC_CTX *extract; /* keyed once, with the empty salt of HKDF */
    EVP_CIPHER *aes_ecb;
    EVP_CIPHER *aes_gcm;
    EVP_CIPHER_CTX *block;         /* AES-256 on single blocks, to derive XAES message keys */
    EVP_CIPHER_CTX *gcm;           /* AES-256-GCM under message keys */
    struct lh_random_batch *batch; /* NULL where the kernel cannot wipe on fork */
};

/*
 * Empties OpenSSL's error queue and answers with the code: how every failure leaves this room.
 * A failure for want of memory is NO_MEMORY, whatever the code: it says nothing about the input.
 * With LH_OK after elliptic curve work, which can come right with errors left behind.
 */
lh_status lh_crypto_leave(enum lh_code code);

/* OK if the condition holds, else the failure. */
static inline lh_status lh_crypto_ensure(bool condition, enum lh_code failure)
{
    return condition ? lh_status_of(LH_OK) : lh_crypto_leave(failure);
}

/* OK, or CRYPTO, from the result of an OpenSSL call whose success is 1. */
static inline lh_status lh_crypto_result(int openssl_result)
{
    return lh_crypto_ensure(openssl_result == 1, LH_CRYPTO);
}

/* Makes the batch, or leaves NULL where the kernel cannot wipe on fork. Errors: NO_MEMORY. */
LH_MUST_USE lh_status lh_random_batch_new(struct lh_random_batch **out_batch);
/* Wipes and unmaps; NULL is accepted. */
void lh_random_batch_free(struct lh_random_batch *batch);

#endif
