/*
 * SHA-256 (FIPS 180-4 examples), HMAC-SHA-256 (RFC 4231) and HKDF-SHA-256 (RFC 5869), and that
 * prepared keys and reused contexts do not mix.
 */
#include "support/hex.h"
#include "support/test.h"

#include "crypto/crypto.h"

#include <openssl/err.h>

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static void assert_sha256(struct lh_crypto *crypto, lh_slice message, const char *expected)
{
    struct lh_digest digest;
    assert_ok(lh_sha256(crypto, message, &digest));
    assert_slice_hex(LH_SLICE_OF(digest.bytes), expected);
}

static void test_sha256__matches_fips_180_4(void **state)
{
    assert_sha256(*state, LH_SLICE_EMPTY,
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sha256(*state, LH_SLICE_LITERAL("abc"),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sha256(*state,
                  LH_SLICE_LITERAL("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_sha256__matches_a_million_letters(void **state)
{
    size_t len = 1000000;
    uint8_t *letters = malloc(len);
    assert_non_null(letters);
    memset(letters, 'a', len);
    assert_sha256(*state, lh_slice_of(letters, len),
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(letters);
}

/* --- HMAC --- */

struct mac_vector {
    const char *key;
    const char *message;
    const char *mac;
};

/* RFC 4231 §4.2 to §4.5. Cases 6 and 7 have keys of 131 bytes, which are refused here. */
static const struct mac_vector rfc4231[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
     "dddddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
     "cdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
};

static void test_hmac__matches_rfc_4231(void **state)
{
    for (size_t i = 0; i < sizeof(rfc4231) / sizeof(rfc4231[0]); i++) {
        uint8_t key[64];
        uint8_t message[64];
        struct lh_digest mac;
        assert_ok(lh_hmac_sha256(*state, hex_bytes(rfc4231[i].key, key),
                                 hex_bytes(rfc4231[i].message, message), &mac));
        assert_slice_hex(LH_SLICE_OF(mac.bytes), rfc4231[i].mac);
    }
}

static void test_hmac__refuses_keys_that_have_a_twin(void **state)
{
    uint8_t key[LH_HMAC_KEY_MAX_BYTES + 1] = {1};
    struct lh_digest mac;
    assert_status(lh_hmac_sha256(*state, LH_SLICE_OF(key), LH_SLICE_LITERAL("m"), &mac),
                  LH_INVALID);
    assert_status(lh_hmac_sha256(*state, LH_SLICE_EMPTY, LH_SLICE_LITERAL("m"), &mac), LH_INVALID);
    assert_ok(lh_hmac_sha256(*state, lh_slice_of(key, LH_HMAC_KEY_MAX_BYTES), LH_SLICE_LITERAL("m"),
                             &mac));
}

static void test_mac__equals_hmac_however_often_it_is_used(void **state)
{
    struct lh_key key = {{1, 2, 3}};
    struct lh_mac_key *prepared = NULL;
    struct lh_digest expected;
    struct lh_digest mac;
    uint8_t message[200] = {0};
    assert_ok(lh_mac_key_new(*state, &key, &prepared));
    for (size_t len = 0; len < sizeof(message); len++) {
        message[len] = (uint8_t)len;
        lh_slice part = lh_slice_of(message, len);
        assert_ok(lh_hmac_sha256(*state, LH_SLICE_OF(key.bytes), part, &expected));
        assert_ok(lh_mac(prepared, part, &mac));
        assert_memory_equal(mac.bytes, expected.bytes, sizeof(mac.bytes));
    }
    lh_mac_key_free(prepared);
}

static void test_mac_key_import__takes_the_secrets_that_hmac_takes(void **state)
{
    for (size_t len = 1; len <= LH_HMAC_KEY_MAX_BYTES; len++) {
        uint8_t secret[LH_HMAC_KEY_MAX_BYTES];
        memset(secret, (int)len, sizeof(secret));
        struct lh_mac_key *prepared = NULL;
        struct lh_digest expected;
        struct lh_digest mac;
        assert_ok(lh_mac_key_import(*state, lh_slice_of(secret, len), &prepared));
        assert_ok(lh_mac(prepared, LH_SLICE_LITERAL("message"), &mac));
        assert_ok(lh_hmac_sha256(*state, lh_slice_of(secret, len), LH_SLICE_LITERAL("message"),
                                 &expected));
        assert_memory_equal(mac.bytes, expected.bytes, sizeof(mac.bytes));
        lh_mac_key_free(prepared);
    }
    uint8_t secret[LH_HMAC_KEY_MAX_BYTES + 1] = {1};
    struct lh_mac_key *none = NULL;
    assert_status(lh_mac_key_import(*state, LH_SLICE_EMPTY, &none), LH_INVALID);
    assert_status(lh_mac_key_import(*state, LH_SLICE_OF(secret), &none), LH_INVALID);
    assert_null(none);
}

static void test_mac__keys_do_not_mix(void **state)
{
    struct lh_key key[2] = {{{1}}, {{2}}};
    struct lh_mac_key *prepared[2];
    struct lh_digest first[2];
    struct lh_digest again;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(lh_mac_key_new(*state, &key[i], &prepared[i]));
        assert_ok(lh_mac(prepared[i], LH_SLICE_LITERAL("message"), &first[i]));
    }
    assert_memory_not_equal(first[0].bytes, first[1].bytes, sizeof(first[0].bytes));
    assert_ok(lh_crypto_forget_keys(*state));
    for (size_t i = 0; i < 2; i++) {
        assert_ok(lh_mac(prepared[i], LH_SLICE_LITERAL("message"), &again));
        assert_memory_equal(again.bytes, first[i].bytes, sizeof(again.bytes));
        lh_mac_key_free(prepared[i]);
    }
}

static void test_mac__key_outlives_the_engine_it_was_made_with(void **state)
{
    (void)state;
    struct lh_crypto *crypto = NULL;
    struct lh_mac_key *prepared = NULL;
    struct lh_key key = {{9}};
    struct lh_digest mac;
    assert_ok(lh_crypto_new(&crypto));
    assert_ok(lh_mac_key_new(crypto, &key, &prepared));
    lh_crypto_free(crypto);
    assert_ok(lh_mac(prepared, LH_SLICE_LITERAL("message"), &mac));
    lh_mac_key_free(prepared);
}

/* --- HKDF --- */

static void test_hkdf__matches_rfc_5869(void **state)
{
    /* Appendix A.3, the case without salt and info; the first 32 of its 42 bytes. */
    uint8_t ikm[22];
    struct lh_key key;
    assert_ok(lh_hkdf(*state, hex_bytes("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", ikm),
                      LH_SLICE_EMPTY, &key));
    assert_slice_hex(LH_SLICE_OF(key.bytes),
                     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

static void test_hkdf__matches_with_info(void **state)
{
    /* Computed with an independent implementation from A.1's key and info, without its salt. */
    uint8_t ikm[22];
    uint8_t label[10];
    struct lh_key key;
    assert_ok(lh_hkdf(*state, hex_bytes("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", ikm),
                      hex_bytes("f0f1f2f3f4f5f6f7f8f9", label), &key));
    assert_slice_hex(LH_SLICE_OF(key.bytes),
                     "abbafb13f5c1bc489d4203135817956dd521b39e3bd61d1cc85cef884d1f8e2e");
}

static void test_hkdf__gives_unrelated_keys_for_each_label(void **state)
{
    struct lh_key first;
    struct lh_key second;
    lh_slice ikm = LH_SLICE_LITERAL("0123456789abcdef0123456789abcdef");
    assert_ok(lh_hkdf(*state, ikm, LH_SLICE_LITERAL("leasehold a"), &first));
    assert_ok(lh_hkdf(*state, ikm, LH_SLICE_LITERAL("leasehold b"), &second));
    assert_memory_not_equal(first.bytes, second.bytes, sizeof(first.bytes));
    assert_ok(lh_hkdf(*state, ikm, LH_SLICE_LITERAL("leasehold a"), &second));
    assert_memory_equal(first.bytes, second.bytes, sizeof(first.bytes));
}

static void test_crypto__leaves_no_error_behind(void **state)
{
    (void)state;
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256__matches_fips_180_4),
        cmocka_unit_test(test_sha256__matches_a_million_letters),
        cmocka_unit_test(test_hmac__matches_rfc_4231),
        cmocka_unit_test(test_hmac__refuses_keys_that_have_a_twin),
        cmocka_unit_test(test_mac__equals_hmac_however_often_it_is_used),
        cmocka_unit_test(test_mac_key_import__takes_the_secrets_that_hmac_takes),
        cmocka_unit_test(test_mac__keys_do_not_mix),
        cmocka_unit_test(test_mac__key_outlives_the_engine_it_was_made_with),
        cmocka_unit_test(test_hkdf__matches_rfc_5869),
        cmocka_unit_test(test_hkdf__matches_with_info),
        cmocka_unit_test(test_hkdf__gives_unrelated_keys_for_each_label),
        cmocka_unit_test(test_crypto__leaves_no_error_behind),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
