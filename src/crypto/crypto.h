/*
 * The only room that sees OpenSSL. One lh_crypto per thread holds everything that is fetched
 * once (algorithms, contexts), so that nothing is looked up per request. After each failed call
 * the OpenSSL error queue of the thread is empty. Besides what it lists, each call can answer
 * NO_MEMORY; what could not be judged for want of memory is never called malformed or tampered.
 */
#ifndef LH_CRYPTO_CRYPTO_H
#define LH_CRYPTO_CRYPTO_H

#include "base/secret.h"
#include "base/slice.h"

struct lh_crypto;

#define LH_SHA256_BYTES 32U

struct lh_digest {
    uint8_t bytes[LH_SHA256_BYTES];
};

/* Whether two digests are equal. Not constant in time: for what is public, not for MACs. */
static inline bool lh_digest_is_equal(const struct lh_digest *a, const struct lh_digest *b)
{
    return lh_slice_is_equal(LH_SLICE_OF(a->bytes), LH_SLICE_OF(b->bytes));
}

/*
 * Fetches algorithms and prepares contexts. For one thread; make another for another thread;
 * make it after fork.
 * Errors: CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_crypto_new(struct lh_crypto **out_crypto);

/* Frees, and wipes what keys are still in its contexts; NULL is accepted. */
void lh_crypto_free(struct lh_crypto *crypto);

/*
 * Overwrites the keys that the reused contexts still hold from their last use. For those who
 * promise that a key is gone: a key cache after it dropped entries.
 * Errors: CRYPTO.
 */
LH_MUST_USE lh_status lh_crypto_forget_keys(struct lh_crypto *crypto);

/* Most random bytes of one request. */
#define LH_RANDOM_MAX_BYTES 4096U

/*
 * Fills len bytes, at most LH_RANDOM_MAX_BYTES, from the private CSPRNG. Small requests are served
 * from a batch that is wiped as it is used and is empty after a fork.
 * Errors: CRYPTO, INVALID (too many): the output is then zeroed and must not be used.
 */
LH_MUST_USE lh_status lh_random(struct lh_crypto *crypto, void *out_bytes, size_t len);

/* SHA-256 (FIPS 180-4). Errors: CRYPTO. */
LH_MUST_USE lh_status lh_sha256(struct lh_crypto *crypto, lh_slice message,
                                struct lh_digest *out_digest);

/* Longest key of HMAC-SHA-256: a longer one would be hashed first (RFC 2104 §2). */
#define LH_HMAC_KEY_MAX_BYTES 64U

/*
 * HMAC-SHA-256 (RFC 2104).
 * key  1 to LH_HMAC_KEY_MAX_BYTES bytes.
 * Errors: CRYPTO, INVALID (length of the key).
 */
LH_MUST_USE lh_status lh_hmac_sha256(struct lh_crypto *crypto, lh_slice key, lh_slice message,
                                     struct lh_digest *out_mac);

/*
 * HKDF-SHA-256 (RFC 5869): key = HKDF(ikm, salt = "", info).
 * info  a label that is used nowhere else, with the context behind it.
 * Errors: CRYPTO.
 */
LH_MUST_USE lh_status lh_hkdf(struct lh_crypto *crypto, lh_slice ikm, lh_slice info,
                              struct lh_key *out_key);

/*
 * A key prepared for many MACs. Holds key material in OpenSSL's heap; free it soon after its
 * tenant grows cold.
 */
struct lh_mac_key;

/* Prepares a key; it may outlive crypto. Errors: CRYPTO, NO_MEMORY. */
LH_MUST_USE lh_status lh_mac_key_new(struct lh_crypto *crypto, const struct lh_key *key,
                                     struct lh_mac_key **out_key);
/*
 * The same for a secret that was not made here.
 * secret  1 to LH_HMAC_KEY_MAX_BYTES bytes. Errors: CRYPTO, NO_MEMORY, INVALID (its length).
 */
LH_MUST_USE lh_status lh_mac_key_import(struct lh_crypto *crypto, lh_slice secret,
                                        struct lh_mac_key **out_key);
/* Wipes and frees; NULL is accepted. */
void lh_mac_key_free(struct lh_mac_key *key);
/* HMAC-SHA-256 under a prepared key. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_mac(struct lh_mac_key *key, lh_slice message, struct lh_digest *out_mac);

#endif
