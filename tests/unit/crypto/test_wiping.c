/*
 * Keys leave OpenSSL's memory when we say so.
 */
#include "support/ssl_arena.h"
#include "support/test.h"

#include "crypto/aead.h"
#include "crypto/signature.h"

#include <openssl/evp.h>

static struct lh_key key_from(uint8_t first)
{
    struct lh_key key;
    for (size_t i = 0; i < LH_KEY_BYTES; i++) {
        key.bytes[i] = (uint8_t)(first + 7 * i * i);
    }
    return key;
}

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static void seal_under(struct lh_crypto *crypto, const struct lh_key *key)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    assert_ok(lh_aead_seal(crypto, key, LH_SLICE_EMPTY, LH_SLICE_LITERAL("text"), &sealed));
}

static void test_forget_keys__wipes_the_key_that_sealed_last(void **state)
{
    struct lh_key key = key_from(1);
    seal_under(*state, &key);
    assert_true(ssl_arena_has(&key)); /* or the test would see nothing */
    assert_ok(lh_crypto_forget_keys(*state));
    assert_false(ssl_arena_has(&key));
}

static void encrypt_block(const struct lh_key *key, uint8_t block[16])
{
    EVP_CIPHER_CTX *ecb = EVP_CIPHER_CTX_new();
    int len = 0;
    assert_int_equal(EVP_EncryptInit_ex2(ecb, EVP_aes_256_ecb(), key->bytes, NULL, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(ecb, block, &len, block, 16), 1);
    EVP_CIPHER_CTX_free(ecb);
}

/* The key that XAES-256-GCM derives for one message: CMAC in counter mode over half the nonce. */
static struct lh_key message_key(const struct lh_key *key, const uint8_t *nonce)
{
    uint8_t subkey[16] = {0};
    struct lh_key derived;
    encrypt_block(key, subkey);
    uint8_t reduction = (subkey[0] & 0x80) != 0 ? 0x87 : 0;
    for (size_t i = 0; i < 15; i++) {
        subkey[i] = (uint8_t)(subkey[i] << 1 | subkey[i + 1] >> 7);
    }
    subkey[15] = (uint8_t)(subkey[15] << 1 ^ reduction);
    for (uint8_t half = 0; half < 2; half++) {
        uint8_t block[16] = {0, (uint8_t)(half + 1), 'X', 0};
        memcpy(block + 4, nonce, 12);
        for (size_t i = 0; i < 16; i++) {
            block[i] ^= subkey[i];
        }
        encrypt_block(key, block);
        memcpy(derived.bytes + (size_t)16 * half, block, 16);
    }
    return derived;
}

static void test_forget_keys__wipes_the_key_of_the_last_message(void **state)
{
    struct lh_key key = key_from(8);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    assert_ok(lh_aead_seal(*state, &key, LH_SLICE_EMPTY, LH_SLICE_LITERAL("text"), &sealed));
    struct lh_key derived = message_key(&key, sealed.ptr);
    assert_true(ssl_arena_has(&derived));
    assert_ok(lh_crypto_forget_keys(*state));
    assert_false(ssl_arena_has(&derived));
}

static void test_forget_keys__wipes_the_key_that_authenticated_last(void **state)
{
    struct lh_key key = key_from(2);
    struct lh_digest mac;
    assert_ok(lh_hmac_sha256(*state, LH_SLICE_OF(key.bytes), LH_SLICE_LITERAL("text"), &mac));
    assert_true(ssl_arena_has(&key));
    assert_ok(lh_crypto_forget_keys(*state));
    assert_false(ssl_arena_has(&key));
}

static void test_crypto_free__wipes_what_was_used_last(void **state)
{
    (void)state;
    struct lh_crypto *crypto = NULL;
    struct lh_key key = key_from(3);
    struct lh_digest mac;
    assert_ok(lh_crypto_new(&crypto));
    seal_under(crypto, &key);
    assert_ok(lh_hmac_sha256(crypto, LH_SLICE_OF(key.bytes), LH_SLICE_LITERAL("text"), &mac));
    assert_true(ssl_arena_has(&key));
    lh_crypto_free(crypto);
    assert_false(ssl_arena_has(&key));
}

static void test_mac_key_free__wipes(void **state)
{
    struct lh_key key = key_from(4);
    struct lh_mac_key *prepared = NULL;
    struct lh_digest mac;
    assert_ok(lh_mac_key_new(*state, &key, &prepared));
    assert_ok(lh_mac(prepared, LH_SLICE_LITERAL("text"), &mac));
    assert_true(ssl_arena_has(&key));
    lh_mac_key_free(prepared);
    assert_false(ssl_arena_has(&key));
}

static void test_signing_key_free__wipes(void **state)
{
    struct lh_key scalar = key_from(5);
    struct lh_key exported;
    struct lh_signing_key *key = NULL;
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    assert_ok(lh_signing_key_import(*state, LH_SLICE_OF(scalar.bytes), &key));
    assert_ok(lh_es256_sign(key, LH_SLICE_LITERAL("text"), signature));
    assert_ok(lh_signing_key_export(key, &exported));
    assert_true(ssl_arena_has(&scalar));
    lh_signing_key_free(key);
    assert_false(ssl_arena_has(&scalar));
}

static void test_hkdf__leaves_no_input_behind(void **state)
{
    struct lh_key ikm = key_from(6);
    struct lh_key derived;
    assert_ok(lh_hkdf(*state, LH_SLICE_OF(ikm.bytes), LH_SLICE_LITERAL("label"), &derived));
    assert_ok(lh_crypto_forget_keys(*state));
    assert_false(ssl_arena_has(&ikm));
    assert_false(ssl_arena_has(&derived));
}

/* RFC 5869 §2.2: what is extracted from a key is as good as the key. */
static void test_hkdf__leaves_nothing_that_was_extracted_behind(void **state)
{
    static const uint8_t salt[LH_SHA256_BYTES];
    struct lh_key ikm = key_from(7);
    struct lh_key derived;
    struct lh_digest extracted;
    struct lh_key prk;
    assert_ok(lh_hkdf(*state, LH_SLICE_OF(ikm.bytes), LH_SLICE_LITERAL("label"), &derived));
    assert_ok(lh_hmac_sha256(*state, LH_SLICE_OF(salt), LH_SLICE_OF(ikm.bytes), &extracted));
    memcpy(prk.bytes, extracted.bytes, sizeof(prk.bytes));
    assert_true(ssl_arena_has(&prk));
    assert_ok(lh_crypto_forget_keys(*state));
    assert_false(ssl_arena_has(&prk));
    assert_false(ssl_arena_has(&derived));
}

int main(void)
{
    ssl_arena_use();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forget_keys__wipes_the_key_that_sealed_last),
        cmocka_unit_test(test_forget_keys__wipes_the_key_of_the_last_message),
        cmocka_unit_test(test_forget_keys__wipes_the_key_that_authenticated_last),
        cmocka_unit_test(test_crypto_free__wipes_what_was_used_last),
        cmocka_unit_test(test_mac_key_free__wipes),
        cmocka_unit_test(test_signing_key_free__wipes),
        cmocka_unit_test(test_hkdf__leaves_no_input_behind),
        cmocka_unit_test(test_hkdf__leaves_nothing_that_was_extracted_behind),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
