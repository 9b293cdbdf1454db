/*
 * Ed25519 against RFC 8032 §7.1, and the choices that the RFC leaves open, frozen: verification is
 * without the cofactor (what OpenSSL does), so that batch and single agree with nobody but us.
 */
#include "public_key_fixture.h"

struct vector {
    const char *key;
    const char *message;
    const char *signature;
};

/* RFC 8032 §7.1: TEST 1 to 3. */
static const struct vector rfc_vectors[] = {
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "659"
     "4a7c15e9716ed28dc027beceea1ec40a"},
};

/*
 * An honest key A = aB, computed from RFC 8032 §5.1 for these tests, as all numbers below: a is
 * SHA-256("leasehold test key") modulo the order L, r = 12345678901234567890, T a point of order 8.
 */
static const char honest_key[] = "a92460bc7d433b8e9056192b3195f087042bd7b814a070be3b02009f2c5fca4a";
/* Of "message". */
static const char honest[] = "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca57206375"
                             "1b70d04364f15a1d273eac7508d"
                             "8def086e980f7c495db8c333fcdc510c";
/* The same R, and S + L. */
static const char s_plus_l[] = "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca572f30"
                               "a4714286748a7eb3dca16c9c12fa2"
                               "8def086e980f7c495db8c333fcdc511c";
/* R + T: holds with the cofactor alone. */
static const char r_plus_t[] = "6a84d583f06569edb3f5ed77df65544b27d6948b4f0b2cb76f33dd8413b207194fc"
                               "69849739ff38f18717cae76029e01"
                               "7b2057dcff39a4dd9d7cc6dfa42a3c07";
/* R is the neutral point, once as RFC 8032 writes it, once with y = p + 1. */
static const char r_neutral[] = "010000000000000000000000000000000000000000000000000000000000000020"
                                "a16a6f4b05eac37985b2ae45399c2c"
                                "e277d25c281ab2119010ed406f7f3609";
static const char r_not_reduced[] = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                                    "7f3386392f0f3501d659d1b1bb53e87644"
                                    "2681046f7cc3bb3b0a3853dbbd0b420b";
/* A + T, and two signatures: SHA-512(R ‖ A + T ‖ message) is divisible by 8, and is not. */
static const char mixed_key[] = "ebd67a992b5a0eda802009687706df425c3d854855149228466766000b47f72e";
static const char mixed_message_7[] = "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dc"
                                      "a5720984088e11806cf701c53a4b03cd2057"
                                      "791ff100f17ecae52ea18472ed21d708";
static const char mixed_message_0[] = "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dc"
                                      "a572a1c90fbdc7da2c86f1d9564773544cca"
                                      "8ed6250978c9450cef63dbdd6910fc09";

#define MESSAGE LH_SLICE_LITERAL("message")

static struct lh_public_key *key_of(struct lh_crypto *crypto, const char *hexadecimal)
{
    uint8_t bytes[LH_ED25519_KEY_BYTES];
    return new_key(crypto, LH_EDDSA, hex_bytes(hexadecimal, bytes));
}

/* --- Signatures ------------------------------------------------------------------------------- */

static void test_eddsa_verify__accepts_rfc_8032(void **state)
{
    for (size_t i = 0; i < sizeof(rfc_vectors) / sizeof(rfc_vectors[0]); i++) {
        LH_CLEANUP(drop_key) struct lh_public_key *key = key_of(*state, rfc_vectors[i].key);
        uint8_t message[8];
        uint8_t signature[64];
        lh_slice text = hex_bytes(rfc_vectors[i].message, message);
        lh_slice view = hex_bytes(rfc_vectors[i].signature, signature);
        for (unsigned again = 0; again < 3; again++) { /* the context is reused */
            assert_holds(key, text, view);
            assert_refused(key, MESSAGE, view);
        }
    }
}

static void test_eddsa_verify__refuses_each_flipped_bit(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = key_of(*state, honest_key);
    uint8_t signature[64];
    lh_slice view = hex_bytes(honest, signature);
    for (size_t bit = 0; bit < sizeof(signature) * 8; bit++) {
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_refused(key, MESSAGE, view);
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_holds(key, MESSAGE, view);
    assert_refused(key, LH_SLICE_EMPTY, view);
}

static void test_eddsa_verify__refuses_every_other_length(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = key_of(*state, honest_key);
    uint8_t signature[130] = {0};
    hex_bytes(honest, signature);
    for (size_t len = 0; len < sizeof(signature); len++) {
        if (len != 64) {
            assert_refused(key, MESSAGE, lh_slice_of(signature, len));
        }
    }
}

static void test_eddsa_verify__refuses_a_twin_of_s(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = key_of(*state, honest_key);
    uint8_t signature[64];
    assert_holds(key, MESSAGE, hex_bytes(honest, signature));
    assert_refused(key, MESSAGE, hex_bytes(s_plus_l, signature));
}

static void test_eddsa_verify__is_without_the_cofactor(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = key_of(*state, honest_key);
    LH_CLEANUP(drop_key) struct lh_public_key *mixed = key_of(*state, mixed_key);
    uint8_t signature[64];
    assert_refused(key, MESSAGE, hex_bytes(r_plus_t, signature));
    assert_holds(mixed, LH_SLICE_LITERAL("message 7"), hex_bytes(mixed_message_7, signature));
    assert_refused(mixed, LH_SLICE_LITERAL("message 0"), hex_bytes(mixed_message_0, signature));
}

static void test_eddsa_verify__takes_only_the_one_writing_of_r(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = key_of(*state, honest_key);
    uint8_t signature[64];
    assert_holds(key, MESSAGE, hex_bytes(r_neutral, signature));
    assert_refused(key, MESSAGE, hex_bytes(r_not_reduced, signature));
}

/* --- Keys ------------------------------------------------------------------------------------- */

static void assert_bytes_refused(struct lh_crypto *crypto, const char *hexadecimal,
                                 enum lh_code expected)
{
    uint8_t bytes[LH_ED25519_KEY_BYTES];
    assert_key_refused(crypto, LH_EDDSA, hex_bytes(hexadecimal, bytes), expected);
}

static void test_eddsa_key__refuses_the_eight_points_of_small_order(void **state)
{
    static const char *const points[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        /* with a sign that x = 0 does not have */
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        assert_bytes_refused(*state, points[i], LH_FORBIDDEN);
    }
}

static void test_eddsa_key__refuses_what_is_not_reduced(void **state)
{
    /* y = p to p + 18, with either sign: all that fit into 255 bits. */
    for (unsigned above = 0; above <= 18; above++) {
        uint8_t bytes[LH_ED25519_KEY_BYTES];
        hex_bytes("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", bytes);
        bytes[0] = (uint8_t)(bytes[0] + above);
        assert_key_refused(*state, LH_EDDSA, LH_SLICE_OF(bytes), LH_MALFORMED);
        bytes[31] |= 0x80;
        assert_key_refused(*state, LH_EDDSA, LH_SLICE_OF(bytes), LH_MALFORMED);
    }
}

static void test_eddsa_key__refuses_what_is_no_point(void **state)
{
    assert_bytes_refused(*state, "0200000000000000000000000000000000000000000000000000000000000000",
                         LH_MALFORMED);
    assert_bytes_refused(*state, "0200000000000000000000000000000000000000000000000000000000000080",
                         LH_MALFORMED);
    /* About half of all numbers are none, and OpenSSL would take each. */
    unsigned points = 0;
    for (unsigned y = 3; y < 203; y++) {
        uint8_t bytes[LH_ED25519_KEY_BYTES] = {(uint8_t)y};
        struct lh_public_key *key = NULL;
        points += lh_is_ok(lh_public_key_new(*state, LH_EDDSA, LH_SLICE_OF(bytes), &key));
        lh_public_key_free(key);
    }
    assert_in_range(points, 70, 130);
}

static void test_eddsa_key__refuses_every_other_length(void **state)
{
    uint8_t bytes[65] = {0};
    hex_bytes(honest_key, bytes);
    for (size_t len = 0; len < sizeof(bytes); len++) {
        if (len != LH_ED25519_KEY_BYTES) {
            assert_key_refused(*state, LH_EDDSA, lh_slice_of(bytes, len), LH_MALFORMED);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eddsa_verify__accepts_rfc_8032),
        cmocka_unit_test(test_eddsa_verify__refuses_each_flipped_bit),
        cmocka_unit_test(test_eddsa_verify__refuses_every_other_length),
        cmocka_unit_test(test_eddsa_verify__refuses_a_twin_of_s),
        cmocka_unit_test(test_eddsa_verify__is_without_the_cofactor),
        cmocka_unit_test(test_eddsa_verify__takes_only_the_one_writing_of_r),
        cmocka_unit_test(test_eddsa_key__refuses_the_eight_points_of_small_order),
        cmocka_unit_test(test_eddsa_key__refuses_what_is_not_reduced),
        cmocka_unit_test(test_eddsa_key__refuses_what_is_no_point),
        cmocka_unit_test(test_eddsa_key__refuses_every_other_length),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
