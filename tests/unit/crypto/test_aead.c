/*
 * XAES-256-GCM against the vectors of its specification (C2SP/C2SP XAES-256-GCM.md, CC-BY-4.0),
 * and the promises that records rest on: no altered byte opens, nothing is written on failure.
 */
#include "support/test.h"

#include "crypto/aead.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static struct lh_key key_of_byte(uint8_t byte)
{
    struct lh_key key;
    memset(key.bytes, byte, sizeof(key.bytes));
    return key;
}

static void assert_specified(struct lh_crypto *crypto, uint8_t key_byte, const char *aad,
                             const uint8_t expected[28])
{
    struct lh_key key = key_of_byte(key_byte);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    const uint8_t *nonce = (const uint8_t *)"ABCDEFGHIJKLMNOPQRSTUVWX";
    assert_ok(lh_aead_seal_with_nonce(crypto, &key, nonce, lh_slice_from_text(aad),
                                      LH_SLICE_LITERAL("XAES-256-GCM"), &sealed));
    assert_int_equal(sealed.len, LH_AEAD_NONCE_BYTES + 28);
    assert_memory_equal(sealed.ptr, nonce, LH_AEAD_NONCE_BYTES);
    assert_memory_equal(sealed.ptr + LH_AEAD_NONCE_BYTES, expected, 28);

    uint8_t plaintext[12];
    assert_ok(lh_aead_open(crypto, &key, lh_slice_from_text(aad), lh_buf_view(&sealed), plaintext));
    assert_memory_equal(plaintext, "XAES-256-GCM", sizeof(plaintext));
}

static void test_aead__matches_the_vector_with_msb_of_l_clear(void **state)
{
    static const uint8_t expected[28] = {0xce, 0x54, 0x6e, 0xf6, 0x3c, 0x9c, 0xc6, 0x07, 0x65, 0x92,
                                         0x36, 0x09, 0xb3, 0x3a, 0x9a, 0x19, 0x74, 0xe9, 0x6e, 0x52,
                                         0xda, 0xf2, 0xfc, 0xf7, 0x07, 0x5e, 0x22, 0x71};
    assert_specified(*state, 0x01, "", expected);
}

static void test_aead__matches_the_vector_with_msb_of_l_set(void **state)
{
    static const uint8_t expected[28] = {0x98, 0x6e, 0xc1, 0x83, 0x25, 0x93, 0xdf, 0x54, 0x43, 0xa1,
                                         0x79, 0x43, 0x7f, 0xd0, 0x83, 0xbf, 0x3f, 0xdb, 0x41, 0xab,
                                         0xd7, 0x40, 0xa2, 0x1f, 0x71, 0xeb, 0x76, 0x9d};
    assert_specified(*state, 0x03, "c2sp.org/XAES-256-GCM", expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aead__matches_the_vector_with_msb_of_l_clear),
        cmocka_unit_test(test_aead__matches_the_vector_with_msb_of_l_set),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
