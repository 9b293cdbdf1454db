/*
 * XAES-256-GCM as specified by C2SP (c2sp.org/XAES-256-GCM): per message, CMAC in counter mode
 * (NIST SP 800-108r1) derives an AES-256-GCM key from the first half of the nonce; the second
 * half is the nonce of GCM.
 */
#include "crypto/aead.h"

#include "crypto/engine.h"

#include <limits.h>

#include "base/banned.h"

#define BLOCK_BYTES 16U
/* What derives the key, and what GCM takes. */
#define DERIVE_NONCE_BYTES 12U
#define GCM_NONCE_BYTES    12U
_Static_assert(DERIVE_NONCE_BYTES + GCM_NONCE_BYTES == LH_AEAD_NONCE_BYTES, "nonce has two parts");

/* The constant of CMAC's subkeys for 128-bit blocks (NIST SP 800-38B §5.3). */
#define CMAC_R128 0x87U

struct block {
    uint8_t bytes[BLOCK_BYTES];
};

static void wipe_block(struct block *block)
{
    lh_wipe(block, sizeof(*block));
}

static lh_status encrypt_blocks(struct lh_crypto *crypto, const void *in, void *out, int len)
{
    int written = 0;
    LH_TRY(lh_crypto_result(EVP_EncryptUpdate(crypto->block, out, &written, in, len)));
    return lh_crypto_ensure(written == len, LH_CRYPTO);
}

/* block = block << 1, reduced; without a branch on the bit that is shifted out. */
static void double_block(struct block *block)
{
    unsigned carry = 0;
    for (size_t i = BLOCK_BYTES; i-- > 0;) {
        unsigned doubled = (unsigned)block->bytes[i] << 1 | carry;
        block->bytes[i] = (uint8_t)doubled;
        carry = doubled >> 8;
    }
    block->bytes[BLOCK_BYTES - 1] ^= (uint8_t)(CMAC_R128 & (0U - carry));
}

/* One whole block is CMAC-ed: AES(counter ‖ label ‖ separator ‖ nonce ⊕ K1). */
static void fill_derivation_block(struct block *block, uint8_t counter, const struct block *subkey,
                                  const uint8_t *nonce)
{
    *block = (struct block){{0x00, counter, 'X', 0x00}};
    memcpy(block->bytes + 4, nonce, DERIVE_NONCE_BYTES);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        block->bytes[i] ^= subkey->bytes[i];
    }
}

static lh_status derive_message_key(struct lh_crypto *crypto, const struct lh_key *key,
                                    const uint8_t *nonce, struct lh_key *out_key)
{
    LH_CLEANUP(wipe_block) struct block subkey = {{0}};
    struct block derivation[2];
    LH_TRY(lh_crypto_result(EVP_EncryptInit_ex2(crypto->block, NULL, key->bytes, NULL, NULL)));
    LH_TRY(encrypt_blocks(crypto, subkey.bytes, subkey.bytes, BLOCK_BYTES));
    double_block(&subkey);
    fill_derivation_block(&derivation[0], 1, &subkey, nonce);
    fill_derivation_block(&derivation[1], 2, &subkey, nonce);
    lh_status status = encrypt_blocks(crypto, derivation, out_key->bytes, sizeof(derivation));
    lh_wipe(derivation, sizeof(derivation)); /* they tell the subkey */
    return status;
}

static lh_status absorb_aad(struct lh_crypto *crypto, lh_slice aad)
{
    int written = 0;
    return aad.len == 0 ? lh_ok()
                        : lh_crypto_result(
                              EVP_CipherUpdate(crypto->gcm, NULL, &written, aad.ptr, (int)aad.len));
}

static lh_status transform(struct lh_crypto *crypto, lh_slice in, uint8_t *out)
{
    if (in.len == 0) {
        return lh_ok();
    }
    int written = 0;
    LH_TRY(lh_crypto_result(EVP_CipherUpdate(crypto->gcm, out, &written, in.ptr, (int)in.len)));
    return lh_crypto_ensure((size_t)written == in.len, LH_CRYPTO);
}

/* Keys GCM for one message. */
static lh_status begin(struct lh_crypto *crypto, const struct lh_key *key, const uint8_t *nonce,
                       lh_slice aad, int is_sealing)
{
    LH_CLEANUP(lh_key_fini) struct lh_key message_key;
    LH_TRY(derive_message_key(crypto, key, nonce, &message_key));
    LH_TRY(lh_crypto_result(EVP_CipherInit_ex2(crypto->gcm, NULL, message_key.bytes,
                                               nonce + DERIVE_NONCE_BYTES, is_sealing, NULL)));
    return absorb_aad(crypto, aad);
}

/* room: nonce ‖ ciphertext ‖ tag, all to be written. */
static lh_status seal_into(struct lh_crypto *crypto, const struct lh_key *key, const uint8_t *nonce,
                           lh_slice aad, lh_slice plaintext, uint8_t *room)
{
    uint8_t *ciphertext = room + LH_AEAD_NONCE_BYTES;
    int written = 0;
    memcpy(room, nonce, LH_AEAD_NONCE_BYTES);
    LH_TRY(begin(crypto, key, nonce, aad, 1));
    LH_TRY(transform(crypto, plaintext, ciphertext));
    LH_TRY(lh_crypto_result(EVP_CipherFinal_ex(crypto->gcm, ciphertext + plaintext.len, &written)));
    return lh_crypto_result(EVP_CIPHER_CTX_ctrl(crypto->gcm, EVP_CTRL_AEAD_GET_TAG,
                                                LH_AEAD_TAG_BYTES, ciphertext + plaintext.len));
}

lh_status lh_aead_seal_with_nonce(struct lh_crypto *crypto, const struct lh_key *key,
                                  const uint8_t nonce[LH_AEAD_NONCE_BYTES], lh_slice aad,
                                  lh_slice plaintext, struct lh_buf *out)
{
    LH_ENSURE(plaintext.len <= INT_MAX - LH_AEAD_OVERHEAD_BYTES && aad.len <= INT_MAX,
              LH_TOO_LARGE);
    size_t sealed_len = LH_AEAD_OVERHEAD_BYTES + plaintext.len;
    LH_TRY(lh_buf_reserve(out, sealed_len));
    LH_TRY(seal_into(crypto, key, nonce, aad, plaintext, out->ptr + out->len));
    out->len += sealed_len;
    return lh_ok();
}

lh_status lh_aead_seal(struct lh_crypto *crypto, const struct lh_key *key, lh_slice aad,
                       lh_slice plaintext, struct lh_buf *out)
{
    uint8_t nonce[LH_AEAD_NONCE_BYTES];
    LH_TRY(lh_random(crypto, nonce, sizeof(nonce)));
    return lh_aead_seal_with_nonce(crypto, key, nonce, aad, plaintext, out);
}

/* Decrypts first and judges the tag after: the caller hands nothing out before the judgement. */
static lh_status open_into(struct lh_crypto *crypto, const struct lh_key *key, lh_slice aad,
                           lh_slice nonce, lh_slice ciphertext, lh_slice tag, uint8_t *out)
{
    uint8_t expected[LH_AEAD_TAG_BYTES]; /* OpenSSL's parameter is not const */
    uint8_t nothing[BLOCK_BYTES];
    int written = 0;
    memcpy(expected, tag.ptr, sizeof(expected));
    LH_TRY(begin(crypto, key, nonce.ptr, aad, 0));
    LH_TRY(transform(crypto, ciphertext, out));
    LH_TRY(lh_crypto_result(
        EVP_CIPHER_CTX_ctrl(crypto->gcm, EVP_CTRL_AEAD_SET_TAG, LH_AEAD_TAG_BYTES, expected)));
    return lh_crypto_ensure(EVP_CipherFinal_ex(crypto->gcm, nothing, &written) == 1, LH_TAMPERED);
}

lh_status lh_aead_open(struct lh_crypto *crypto, const struct lh_key *key, lh_slice aad,
                       lh_slice sealed, uint8_t *out_plaintext)
{
    LH_ENSURE(sealed.len >= LH_AEAD_OVERHEAD_BYTES && sealed.len <= INT_MAX && aad.len <= INT_MAX,
              LH_TAMPERED);
    size_t plaintext_len = sealed.len - LH_AEAD_OVERHEAD_BYTES;
    lh_slice nonce = lh_slice_cut(sealed, 0, LH_AEAD_NONCE_BYTES);
    lh_slice ciphertext = lh_slice_cut(sealed, LH_AEAD_NONCE_BYTES, plaintext_len);
    lh_slice tag = lh_slice_cut(sealed, LH_AEAD_NONCE_BYTES + plaintext_len, LH_AEAD_TAG_BYTES);
    lh_status status = open_into(crypto, key, aad, nonce, ciphertext, tag, out_plaintext);
    if (!lh_is_ok(status)) {
        lh_wipe(out_plaintext, plaintext_len);
    }
    return status;
}

lh_status lh_aead_commitment(struct lh_crypto *crypto, const struct lh_key *key,
                             uint8_t out_commitment[LH_AEAD_COMMITMENT_BYTES])
{
    LH_CLEANUP(lh_key_fini) struct lh_key commitment;
    LH_TRY(lh_hkdf(crypto, LH_SLICE_OF(key->bytes), LH_SLICE_LITERAL("leasehold key commitment v1"),
                   &commitment));
    memcpy(out_commitment, commitment.bytes, LH_AEAD_COMMITMENT_BYTES);
    return lh_ok();
}
