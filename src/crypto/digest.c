/*
 * SHA-256 and HMAC-SHA-256 under prepared keys, which every look-up of a session needs. OpenSSL's
 * EVP allocates twice for each MAC (it duplicates the keyed contexts) and costs three times as
 * much as the hash itself for messages as short as a cookie; so these few lines use its plain
 * SHA-256, which keeps its state in the caller's memory and runs the same machine code.
 */
/* OpenSSL 3.0 recommends EVP to everybody, and marks all else as deprecated. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/crypto.h"

#include "base/bug.h"
#include "crypto/engine.h"

#include <openssl/sha.h>

#include "base/banned.h"

#define MAC_KEY_MAGIC 0x4c484d4bU /* "LHMK" */

#define BLOCK_BYTES   64U
#define INNER_PAD     0x36U
#define OUTER_PAD     0x5cU
_Static_assert(LH_KEY_BYTES <= BLOCK_BYTES, "a longer key would be hashed first");

/* Both states have absorbed one block: the key under its pad (RFC 2104 §4). */
struct lh_mac_key {
    uint32_t magic;
    SHA256_CTX inner;
    SHA256_CTX outer;
};

static void wipe_state(SHA256_CTX *state)
{
    lh_wipe(state, sizeof(*state));
}

static lh_status absorb(SHA256_CTX *state, lh_slice part)
{
    return part.len == 0 ? lh_ok() : lh_crypto_result(SHA256_Update(state, part.ptr, part.len));
}

static lh_status finish(SHA256_CTX *state, struct lh_digest *out_digest)
{
    struct lh_digest digest;
    LH_TRY(lh_crypto_result(SHA256_Final(digest.bytes, state)));
    *out_digest = digest;
    return lh_ok();
}

lh_status lh_sha256(struct lh_crypto *crypto, lh_slice message, struct lh_digest *out_digest)
{
    (void)crypto;
    LH_CLEANUP(wipe_state) SHA256_CTX state;
    LH_TRY(lh_crypto_result(SHA256_Init(&state)));
    LH_TRY(absorb(&state, message));
    return finish(&state, out_digest);
}

static lh_status absorb_padded(SHA256_CTX *state, const struct lh_key *key, uint8_t pad)
{
    uint8_t block[BLOCK_BYTES];
    memset(block, pad, sizeof(block));
    for (size_t i = 0; i < sizeof(key->bytes); i++) {
        block[i] ^= key->bytes[i];
    }
    lh_status status = lh_crypto_result(SHA256_Init(state));
    if (lh_is_ok(status)) {
        status = absorb(state, LH_SLICE_OF(block));
    }
    lh_wipe(block, sizeof(block));
    return status;
}

static void drop_mac_key(struct lh_mac_key **key)
{
    lh_mac_key_free(*key);
}

lh_status lh_mac_key_new(struct lh_crypto *crypto, const struct lh_key *key,
                         struct lh_mac_key **out_key)
{
    (void)crypto;
    LH_CLEANUP(drop_mac_key) struct lh_mac_key *made = calloc(1, sizeof(*made));
    LH_ENSURE(made != NULL, LH_NO_MEMORY);
    made->magic = MAC_KEY_MAGIC;
    LH_TRY(absorb_padded(&made->inner, key, INNER_PAD));
    LH_TRY(absorb_padded(&made->outer, key, OUTER_PAD));
    *out_key = made;
    made = NULL;
    return lh_ok();
}

void lh_mac_key_free(struct lh_mac_key *key)
{
    if (key == NULL) {
        return;
    }
    LH_MAGIC_CHECK(key, MAC_KEY_MAGIC);
    lh_wipe(key, sizeof(*key));
    free(key);
}

lh_status lh_mac(struct lh_mac_key *key, lh_slice message, struct lh_digest *out_mac)
{
    LH_MAGIC_CHECK(key, MAC_KEY_MAGIC);
    LH_CLEANUP(wipe_state) SHA256_CTX state = key->inner;
    struct lh_digest inner;
    LH_TRY(absorb(&state, message));
    LH_TRY(finish(&state, &inner));
    state = key->outer;
    LH_TRY(absorb(&state, LH_SLICE_OF(inner)));
    return finish(&state, out_mac);
}
