/*
 * RS256 and PS256: against RFC 7515 appendix A.2, signatures that only look right, and keys that
 * nobody should hang a tenant on.
 */
#include "public_key_fixture.h"

#include "codec/base64url.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

/* RFC 7515 A.2.1: the modulus, the signing input and its signature. */
static const char rfc_n[] = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"
                            "4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql"
                            "L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
                            "bSf63kpaSHSXndS5z5rexMdbBYUs"
                            "LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
                            "I5IhlJH7aGhyxXFvUK-DWNmoud"
                            "F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
static const char rfc_input[] = "eyJhbGciOiJSUzI1NiJ9"
                                "."
                                "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                                "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
static const char rfc_signature[] =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujG"
    "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
    "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
    "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

#define MESSAGE LH_SLICE_LITERAL("message")

/* Everything one of these tests needs: crypto of ours, and a key pair of OpenSSL's. */
struct fixture {
    struct lh_crypto *crypto;
    EVP_PKEY *pair;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.pair = EVP_RSA_gen(LH_RSA_MIN_BITS);
    *state = &fixture;
    return fixture.pair != NULL && lh_is_ok(lh_crypto_new(&fixture.crypto)) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    EVP_PKEY_free(fixture->pair);
    lh_crypto_free(fixture->crypto);
    return 0;
}

/* --- Material --------------------------------------------------------------------------------- */

struct material {
    uint8_t bytes[4096];
    size_t len;
};

static const uint8_t f4[] = {1, 0, 1};
#define F4 LH_SLICE_OF(f4)

static struct material material_of(lh_slice n, lh_slice e)
{
    struct material material = {.len = 2 + n.len + e.len};
    assert_true(material.len <= sizeof(material.bytes));
    material.bytes[0] = (uint8_t)(n.len >> 8);
    material.bytes[1] = (uint8_t)n.len;
    if (n.len > 0) {
        memcpy(material.bytes + 2, n.ptr, n.len);
    }
    if (e.len > 0) {
        memcpy(material.bytes + 2 + n.len, e.ptr, e.len);
    }
    return material;
}

static lh_slice view(const struct material *material)
{
    return lh_slice_of(material->bytes, material->len);
}

static struct material rfc_material(void)
{
    uint8_t n[256];
    size_t len;
    assert_ok(lh_base64url_decode(lh_slice_from_text(rfc_n), n, sizeof(n), &len));
    return material_of(LH_SLICE_OF(n), F4);
}

static struct material pair_material(const struct fixture *fixture)
{
    BIGNUM *n = NULL;
    uint8_t bytes[LH_RSA_MIN_BITS / 8];
    assert_int_equal(EVP_PKEY_get_bn_param(fixture->pair, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_bn2binpad(n, bytes, sizeof(bytes)), sizeof(bytes));
    BN_free(n);
    return material_of(LH_SLICE_OF(bytes), F4);
}

static struct lh_public_key *pair_key(const struct fixture *fixture, enum lh_algorithm algorithm)
{
    struct material material = pair_material(fixture);
    return new_key(fixture->crypto, algorithm, view(&material));
}

/* How a signature of the pair is made. */
struct signing {
    int padding;
    int salt_len; /* PSS */
    const char *digest;
    const char *mgf1;
};

/* Signs the message; returns a view of out_signature. */
static lh_slice sign(const struct fixture *fixture, const struct signing *how,
                     uint8_t out_signature[LH_RSA_MIN_BITS / 8])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *settings;
    size_t len = LH_RSA_MIN_BITS / 8;
    assert_int_equal(
        EVP_DigestSignInit_ex(context, &settings, how->digest, NULL, NULL, fixture->pair, NULL), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(settings, how->padding), 1);
    if (how->padding == RSA_PKCS1_PSS_PADDING) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, how->salt_len), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md_name(settings, how->mgf1, NULL), 1);
    }
    assert_int_equal(EVP_DigestSign(context, out_signature, &len, MESSAGE.ptr, MESSAGE.len), 1);
    EVP_MD_CTX_free(context);
    return lh_slice_of(out_signature, len);
}

static const struct signing rs256 = {.padding = RSA_PKCS1_PADDING, .digest = "SHA256"};
static const struct signing ps256 = {
    .padding = RSA_PKCS1_PSS_PADDING, .salt_len = 32, .digest = "SHA256", .mgf1 = "SHA256"};

/* --- Signatures ------------------------------------------------------------------------------- */

static void test_rs256_verify__accepts_appendix_a_2_of_rfc_7515(void **state)
{
    const struct fixture *fixture = *state;
    struct material material = rfc_material();
    LH_CLEANUP(drop_key)
    struct lh_public_key *key = new_key(fixture->crypto, LH_RS256, view(&material));
    uint8_t signature[256];
    size_t len;
    assert_ok(
        lh_base64url_decode(lh_slice_from_text(rfc_signature), signature, sizeof(signature), &len));
    for (unsigned i = 0; i < 3; i++) { /* the context is reused */
        assert_holds(key, lh_slice_from_text(rfc_input), LH_SLICE_OF(signature));
        assert_refused(key, MESSAGE, LH_SLICE_OF(signature));
    }
}

static void test_ps256_verify__accepts_what_openssl_signs(void **state)
{
    const struct fixture *fixture = *state;
    LH_CLEANUP(drop_key) struct lh_public_key *key = pair_key(fixture, LH_PS256);
    uint8_t signature[LH_RSA_MIN_BITS / 8];
    lh_slice made = sign(fixture, &ps256, signature);
    for (unsigned i = 0; i < 3; i++) {
        assert_holds(key, MESSAGE, made);
        assert_refused(key, LH_SLICE_LITERAL("another message"), made);
    }
}

/* Each byte changed, cut, lengthened, the modulus added. */
static void assert_no_other_holds(const struct fixture *fixture, struct lh_public_key *key,
                                  lh_slice made)
{
    uint8_t changed[LH_RSA_MIN_BITS / 8 + 1] = {0};
    memcpy(changed, made.ptr, made.len);
    for (size_t i = 0; i < made.len; i++) {
        changed[i] ^= 0x10;
        assert_refused(key, MESSAGE, lh_slice_of(changed, made.len));
        changed[i] ^= 0x10;
    }
    for (size_t len = 0; len < sizeof(changed); len++) {
        if (len != made.len) {
            assert_refused(key, MESSAGE, lh_slice_of(changed, len));
        }
    }
    assert_refused(key, MESSAGE, lh_slice_of(changed, sizeof(changed)));
    memmove(changed + 1, made.ptr, made.len); /* the same number, with a zero in front */
    changed[0] = 0;
    assert_refused(key, MESSAGE, lh_slice_of(changed, sizeof(changed)));
    BIGNUM *n = NULL;
    BIGNUM *twin = BN_bin2bn(made.ptr, (int)made.len, NULL);
    assert_int_equal(EVP_PKEY_get_bn_param(fixture->pair, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_add(twin, twin, n), 1);
    if (BN_num_bytes(twin) == (int)made.len) {
        assert_int_equal(BN_bn2binpad(twin, changed, (int)made.len), made.len);
        assert_refused(key, MESSAGE, lh_slice_of(changed, made.len));
    }
    BN_free(twin);
    BN_free(n);
    assert_holds(key, MESSAGE, made);
}

static void test_rsa_verify__refuses_every_other_signature(void **state)
{
    const struct fixture *fixture = *state;
    LH_CLEANUP(drop_key) struct lh_public_key *pkcs1 = pair_key(fixture, LH_RS256);
    LH_CLEANUP(drop_key) struct lh_public_key *pss = pair_key(fixture, LH_PS256);
    uint8_t signature[LH_RSA_MIN_BITS / 8];
    assert_no_other_holds(fixture, pkcs1, sign(fixture, &rs256, signature));
    assert_no_other_holds(fixture, pss, sign(fixture, &ps256, signature));
}

static void test_rsa_verify__one_algorithm_is_not_the_other(void **state)
{
    const struct fixture *fixture = *state;
    LH_CLEANUP(drop_key) struct lh_public_key *pkcs1 = pair_key(fixture, LH_RS256);
    LH_CLEANUP(drop_key) struct lh_public_key *pss = pair_key(fixture, LH_PS256);
    uint8_t signature[LH_RSA_MIN_BITS / 8];
    assert_refused(pss, MESSAGE, sign(fixture, &rs256, signature));
    assert_refused(pkcs1, MESSAGE, sign(fixture, &ps256, signature));
}

static void test_rs256_verify__refuses_other_digests(void **state)
{
    const struct fixture *fixture = *state;
    LH_CLEANUP(drop_key) struct lh_public_key *key = pair_key(fixture, LH_RS256);
    static const char *const digests[] = {"SHA1", "SHA224", "SHA384", "SHA512", "SHA3-256"};
    uint8_t signature[LH_RSA_MIN_BITS / 8];
    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
        struct signing how = {.padding = RSA_PKCS1_PADDING, .digest = digests[i]};
        assert_refused(key, MESSAGE, sign(fixture, &how, signature));
    }
}

static void test_ps256_verify__refuses_other_salts_and_digests(void **state)
{
    const struct fixture *fixture = *state;
    LH_CLEANUP(drop_key) struct lh_public_key *key = pair_key(fixture, LH_PS256);
    static const struct signing others[] = {
        {RSA_PKCS1_PSS_PADDING, 0, "SHA256", "SHA256"},
        {RSA_PKCS1_PSS_PADDING, 20, "SHA256", "SHA256"},
        {RSA_PKCS1_PSS_PADDING, 31, "SHA256", "SHA256"},
        {RSA_PKCS1_PSS_PADDING, 33, "SHA256", "SHA256"},
        {RSA_PKCS1_PSS_PADDING, 222, "SHA256", "SHA256"}, /* as much as fits */
        {RSA_PKCS1_PSS_PADDING, 32, "SHA256", "SHA1"},
        {RSA_PKCS1_PSS_PADDING, 32, "SHA384", "SHA384"},
        {RSA_PKCS1_PSS_PADDING, 32, "SHA512", "SHA256"},
    };
    uint8_t signature[LH_RSA_MIN_BITS / 8];
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_refused(key, MESSAGE, sign(fixture, &others[i], signature));
    }
}

/* --- Keys ------------------------------------------------------------------------------------- */

/* An odd modulus of as many bits, that no small prime divides. */
static struct material modulus_of(unsigned bits, lh_slice e)
{
    uint8_t bytes[2100] = {0};
    int len = (int)((bits + 7) / 8);
    BIGNUM *n = BN_new();
    BIGNUM *primorial = BN_new();
    assert_int_equal(BN_one(primorial), 1);
    for (BN_ULONG word = 3; word < 168; word += 2) {
        assert_int_equal(BN_mul_word(primorial, word), 1);
    }
    /* 2^(bits - 1) + d, the first with nothing in common with the product. */
    assert_int_equal(BN_set_bit(n, (int)bits - 1), 1);
    assert_int_equal(BN_add_word(n, 1), 1);
    BN_CTX *room = BN_CTX_new();
    BIGNUM *divisor = BN_new();
    while (BN_gcd(divisor, n, primorial, room) == 1 && !BN_is_one(divisor)) {
        assert_int_equal(BN_add_word(n, 2), 1);
    }
    assert_int_equal(BN_bn2binpad(n, bytes, len), len);
    BN_free(divisor);
    BN_CTX_free(room);
    BN_free(primorial);
    BN_free(n);
    return material_of(lh_slice_of(bytes, (size_t)len), e);
}

static void assert_modulus(const struct fixture *fixture, unsigned bits, bool is_taken)
{
    struct material material = modulus_of(bits, F4);
    for (enum lh_algorithm algorithm = LH_RS256; algorithm <= LH_PS256; algorithm++) {
        if (is_taken) {
            lh_public_key_free(new_key(fixture->crypto, algorithm, view(&material)));
        } else {
            assert_key_refused(fixture->crypto, algorithm, view(&material), LH_FORBIDDEN);
        }
    }
}

static void test_rsa_key__takes_2048_to_8192_bits(void **state)
{
    static const unsigned refused[] = {512, 1024, 2040, 2047, 8193, 8200, 16384};
    static const unsigned taken[] = {2048, 2049, 2055, 2056, 3072, 4096, 8191, 8192};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_modulus(*state, refused[i], false);
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        assert_modulus(*state, taken[i], true);
    }
}

static void test_rsa_key__takes_odd_exponents_from_65537_to_33_bits(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *exponent;
        enum lh_code expected;
    } rows[] = {
        {"01", LH_FORBIDDEN},
        {"02", LH_FORBIDDEN},
        {"03", LH_FORBIDDEN},
        {"11", LH_FORBIDDEN},
        {"ffff", LH_FORBIDDEN},
        {"010000", LH_FORBIDDEN},
        {"010001", LH_OK},
        {"010002", LH_FORBIDDEN},
        {"ffffffff", LH_OK},
        {"0100000001", LH_OK},
        {"01ffffffff", LH_OK},
        {"0200000001", LH_FORBIDDEN},
        {"010000000000000001", LH_FORBIDDEN},   /* 65 bits: the low word is 1 */
        {"01000000000000010001", LH_FORBIDDEN}, /* 73 bits: the low word is 65537 */
        {"", LH_MALFORMED},
        {"00", LH_MALFORMED},
        {"00010001", LH_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t exponent[16];
        struct material material = modulus_of(2048, hex_bytes(rows[i].exponent, exponent));
        struct lh_public_key *key = NULL;
        assert_status(lh_public_key_new(fixture->crypto, LH_RS256, view(&material), &key),
                      rows[i].expected);
        lh_public_key_free(key);
    }
}

static void test_rsa_key__refuses_an_exponent_as_long_as_the_modulus(void **state)
{
    const struct fixture *fixture = *state;
    uint8_t exponent[256];
    memset(exponent, 0xff, sizeof(exponent));
    struct material material = modulus_of(2048, LH_SLICE_OF(exponent));
    assert_key_refused(fixture->crypto, LH_RS256, view(&material), LH_FORBIDDEN);
}

static void test_rsa_key__refuses_an_even_modulus_and_small_factors(void **state)
{
    const struct fixture *fixture = *state;
    struct material material = modulus_of(2048, F4);
    material.bytes[2 + 255] ^= 1;
    assert_key_refused(fixture->crypto, LH_RS256, view(&material), LH_FORBIDDEN);

    /* 2^2047 + 2^1 + 1 is divisible by one of the small primes, as most numbers are. */
    static const unsigned primes[] = {3, 5, 7, 101, 131, 163, 167};
    for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++) {
        struct material multiple = modulus_of(2048, F4);
        BIGNUM *n = BN_bin2bn(multiple.bytes + 2, 256, NULL);
        while (BN_mod_word(n, primes[i]) != 0) {
            assert_int_equal(BN_add_word(n, 2), 1);
        }
        assert_int_equal(BN_bn2binpad(n, multiple.bytes + 2, 256), 256);
        BN_free(n);
        assert_key_refused(fixture->crypto, LH_RS256, view(&multiple), LH_FORBIDDEN);
    }
}

/* k × M + (65537^a mod M), M the product of the primes below 168: what the library behind
   CVE-2017-15361 made its moduli congruent to. */
static struct material roca_modulus(unsigned a)
{
    uint8_t bytes[256];
    BN_CTX *room = BN_CTX_new();
    BIGNUM *n = BN_new();
    BIGNUM *product = BN_new();
    BIGNUM *power = BN_new();
    BIGNUM *exponent = BN_new();
    assert_int_equal(BN_set_word(product, 2), 1);
    for (unsigned candidate = 3; candidate < 168; candidate += 2) {
        BIGNUM *number = BN_new();
        assert_int_equal(BN_set_word(number, candidate), 1);
        if (BN_check_prime(number, room, NULL) == 1) {
            assert_int_equal(BN_mul_word(product, candidate), 1);
        }
        BN_free(number);
    }
    assert_int_equal(BN_set_word(power, 65537), 1);
    assert_int_equal(BN_set_word(exponent, a), 1);
    assert_int_equal(BN_mod_exp(power, power, exponent, product, room), 1);
    assert_int_equal(BN_set_bit(n, 2047), 1);
    assert_int_equal(BN_add_word(n, 12345), 1);
    assert_int_equal(BN_div(n, NULL, n, product, room), 1);
    assert_int_equal(BN_add_word(n, 1), 1);
    assert_int_equal(BN_mul(n, n, product, room), 1);
    assert_int_equal(BN_add(n, n, power), 1);
    assert_int_equal(BN_bn2binpad(n, bytes, sizeof(bytes)), sizeof(bytes));
    BN_free(exponent);
    BN_free(power);
    BN_free(product);
    BN_free(n);
    BN_CTX_free(room);
    return material_of(LH_SLICE_OF(bytes), F4);
}

static void test_rsa_key__refuses_the_fingerprint_of_roca(void **state)
{
    const struct fixture *fixture = *state;
    for (unsigned a = 0; a < 40; a++) {
        struct material material = roca_modulus(a);
        assert_key_refused(fixture->crypto, LH_RS256, view(&material), LH_FORBIDDEN);
    }
    /* Two further on it is another residue, and an honest modulus as far as anybody knows. */
    unsigned taken = 0;
    for (unsigned a = 0; a < 40; a++) {
        struct material material = roca_modulus(a);
        struct lh_public_key *key = NULL;
        material.bytes[2 + 255] = (uint8_t)(material.bytes[2 + 255] + 2);
        taken += lh_is_ok(lh_public_key_new(fixture->crypto, LH_RS256, view(&material), &key));
        lh_public_key_free(key);
    }
    assert_true(taken > 0);
}

static void test_rsa_key__refuses_material_of_another_form(void **state)
{
    const struct fixture *fixture = *state;
    struct material right = modulus_of(2048, F4);
    for (size_t len = 0; len < right.len; len++) {
        struct lh_public_key *key = NULL;
        assert_false(lh_is_ok(
            lh_public_key_new(fixture->crypto, LH_RS256, lh_slice_of(right.bytes, len), &key)));
        assert_null(key);
    }
    /* A modulus behind zeros is the same number in another writing. */
    uint8_t zeros[257] = {0};
    memcpy(zeros + 1, right.bytes + 2, 256);
    struct material padded = material_of(LH_SLICE_OF(zeros), F4);
    assert_key_refused(fixture->crypto, LH_RS256, view(&padded), LH_MALFORMED);
    struct material empty = material_of(LH_SLICE_EMPTY, F4);
    assert_key_refused(fixture->crypto, LH_RS256, view(&empty), LH_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rs256_verify__accepts_appendix_a_2_of_rfc_7515),
        cmocka_unit_test(test_ps256_verify__accepts_what_openssl_signs),
        cmocka_unit_test(test_rsa_verify__refuses_every_other_signature),
        cmocka_unit_test(test_rsa_verify__one_algorithm_is_not_the_other),
        cmocka_unit_test(test_rs256_verify__refuses_other_digests),
        cmocka_unit_test(test_ps256_verify__refuses_other_salts_and_digests),
        cmocka_unit_test(test_rsa_key__takes_2048_to_8192_bits),
        cmocka_unit_test(test_rsa_key__takes_odd_exponents_from_65537_to_33_bits),
        cmocka_unit_test(test_rsa_key__refuses_an_exponent_as_long_as_the_modulus),
        cmocka_unit_test(test_rsa_key__refuses_an_even_modulus_and_small_factors),
        cmocka_unit_test(test_rsa_key__refuses_the_fingerprint_of_roca),
        cmocka_unit_test(test_rsa_key__refuses_material_of_another_form),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
