/*
 * ES256 keys and signatures against RFC 7515 appendix A.3, and all ways in which they can be wrong.
 */
#include "public_key_fixture.h"

#include <openssl/bn.h>

/* RFC 7515 A.3.1: the key, the signing input and its signature. */
static const char rfc_x[] = "7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445";
static const char rfc_y[] = "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad";
static const char rfc_signature[] =
    "0ed1215379636c483c2f7f155807d402a3b228033af97c7e17819ac3169ea665"
    "c50a07d38c3c70e5d8f12daf084a5480a66590c5f293509a8f3f7f8a83a354d5";
static const char rfc_input[] = "eyJhbGciOiJFUzI1NiJ9"
                                "."
                                "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                                "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/* SEC 2 §2.4.2. */
static const char curve_order[] =
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
static const char field_prime[] =
    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";

/* The point of which x is 5. */
static const char five[] = "0000000000000000000000000000000000000000000000000000000000000005";
static const char y_of_5[] = "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc";

static struct lh_public_key *key_at(struct lh_crypto *crypto, const char *x, const char *y)
{
    uint8_t material[64];
    hex_bytes(x, material);
    hex_bytes(y, material + 32);
    return new_key(crypto, LH_ES256, LH_SLICE_OF(material));
}

static struct lh_public_key *rfc_key(struct lh_crypto *crypto)
{
    return key_at(crypto, rfc_x, rfc_y);
}

/* --- Signatures ------------------------------------------------------------------------------- */

static void test_es256_verify__accepts_rfc_7515_a_3(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = rfc_key(*state);
    uint8_t signature[64];
    lh_slice view = hex_bytes(rfc_signature, signature);
    for (unsigned i = 0; i < 3; i++) { /* the context is reused */
        assert_ok(lh_public_key_verify(key, lh_slice_from_text(rfc_input), view));
    }
}

static void test_es256_verify__refuses_each_flipped_bit(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = rfc_key(*state);
    uint8_t signature[64];
    lh_slice view = hex_bytes(rfc_signature, signature);
    for (size_t bit = 0; bit < sizeof(signature) * 8; bit++) {
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_refused(key, lh_slice_from_text(rfc_input), view);
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_refused(key, LH_SLICE_EMPTY, view);
    assert_refused(key, lh_slice_cut(lh_slice_from_text(rfc_input), 1, sizeof(rfc_input)), view);
    assert_ok(lh_public_key_verify(key, lh_slice_from_text(rfc_input), view));
}

static void test_es256_verify__refuses_every_other_length(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = rfc_key(*state);
    uint8_t signature[130] = {0};
    hex_bytes(rfc_signature, signature);
    for (size_t len = 0; len < sizeof(signature); len++) {
        if (len != 64) {
            assert_refused(key, lh_slice_from_text(rfc_input), lh_slice_of(signature, len));
        }
    }
}

static void test_es256_verify__refuses_der(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = rfc_key(*state);
    uint8_t der[71] = {0x30, 0x45, 0x02, 0x20};
    hex_bytes(rfc_signature, der + 4);
    memmove(der + 39, der + 36, 32);
    memcpy(der + 36, "\x02\x21\x00", 3);
    assert_refused(key, lh_slice_from_text(rfc_input), LH_SLICE_OF(der));
    assert_refused(key, lh_slice_from_text(rfc_input), lh_slice_of(der, 64));
}

/* Writes number as one half of a signature. */
static void put_half(const BIGNUM *number, uint8_t out_half[32])
{
    assert_int_equal(BN_bn2binpad(number, out_half, 32), 32);
}

static void test_es256_verify__refuses_numbers_out_of_range(void **state)
{
    LH_CLEANUP(drop_key) struct lh_public_key *key = rfc_key(*state);
    static const char *const bad_numbers[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        curve_order,
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    for (size_t i = 0; i < sizeof(bad_numbers) / sizeof(bad_numbers[0]); i++) {
        for (size_t half = 0; half <= 2; half++) { /* r, s, both */
            uint8_t signature[64];
            lh_slice view = hex_bytes(rfc_signature, signature);
            hex_bytes(bad_numbers[i], signature + (half == 1 ? 32 : 0));
            hex_bytes(bad_numbers[i], signature + (half == 0 ? 0 : 32));
            assert_refused(key, lh_slice_from_text(rfc_input), view);
        }
    }
}

static void test_es256_verify__has_exactly_one_twin_and_it_is_known(void **state)
{
    /* (r, n - s) verifies wherever (r, s) does: a property of ECDSA which RFC 7518 leaves in.
       So nothing may be remembered or refused under a signature's bytes alone. (r + n, s) and
       (r, s + n), the twins of a careless reader, are out of range for this r and s. */
    LH_CLEANUP(drop_key) struct lh_public_key *key = rfc_key(*state);
    uint8_t signature[64];
    lh_slice view = hex_bytes(rfc_signature, signature);
    BIGNUM *order = NULL;
    BIGNUM *number = BN_bin2bn(signature + 32, 32, NULL);
    assert_int_not_equal(BN_hex2bn(&order, curve_order), 0);
    assert_int_equal(BN_sub(number, order, number), 1);
    put_half(number, signature + 32);
    assert_ok(lh_public_key_verify(key, lh_slice_from_text(rfc_input), view));
    assert_int_equal(BN_add_word(number, 1), 1);
    put_half(number, signature + 32);
    assert_refused(key, lh_slice_from_text(rfc_input), view);
    BN_free(order);
    BN_free(number);
}

static void test_es256_verify__refuses_another_key(void **state)
{
    uint8_t signature[64];
    lh_slice view = hex_bytes(rfc_signature, signature);
    LH_CLEANUP(drop_key) struct lh_public_key *other = key_at(*state, five, y_of_5);
    assert_refused(other, lh_slice_from_text(rfc_input), view);
}

/* --- Keys ------------------------------------------------------------------------------------- */

static void assert_point_refused(struct lh_crypto *crypto, const char *x, const char *y)
{
    uint8_t material[64];
    hex_bytes(x, material);
    hex_bytes(y, material + 32);
    assert_key_refused(crypto, LH_ES256, LH_SLICE_OF(material), LH_MALFORMED);
}

static void test_es256_key__refuses_points_off_the_curve(void **state)
{
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
    assert_point_refused(*state, zero, zero);
    assert_point_refused(*state, rfc_y, rfc_x);
    assert_point_refused(*state, rfc_x, zero);
    assert_point_refused(*state, rfc_x, rfc_x);
    assert_point_refused(*state, field_prime, rfc_y);
    assert_point_refused(*state, rfc_x, field_prime);
    assert_point_refused(*state, field_prime, field_prime);
}

static void test_es256_key__refuses_coordinates_that_are_not_reduced(void **state)
{
    /* x = 5 has a point; x = p + 5 is the same residue and must not be the same key. */
    lh_public_key_free(key_at(*state, five, y_of_5));
    assert_point_refused(*state, "ffffffff00000001000000000000000000000001000000000000000000000004",
                         y_of_5);
}

static void test_es256_key__refuses_every_other_length(void **state)
{
    uint8_t material[130] = {0};
    hex_bytes(rfc_x, material);
    hex_bytes(rfc_y, material + 32);
    for (size_t len = 0; len < sizeof(material); len++) {
        if (len != 64) {
            assert_key_refused(*state, LH_ES256, lh_slice_of(material, len), LH_MALFORMED);
        }
    }
}

static void test_es256_key__refuses_compressed_points_and_those_with_their_prefix(void **state)
{
    uint8_t material[65] = {0x02};
    hex_bytes(rfc_x, material + 1);
    assert_key_refused(*state, LH_ES256, lh_slice_of(material, 33), LH_MALFORMED);
    material[0] = 0x04;
    hex_bytes(rfc_y, material + 33);
    assert_key_refused(*state, LH_ES256, lh_slice_of(material, 65), LH_MALFORMED);
}

/* --- Algorithms ------------------------------------------------------------------------------- */

static void test_algorithm_parse__takes_four_names_exactly(void **state)
{
    (void)state;
    static const char *const names[] = {"RS256", "PS256", "ES256", "EdDSA"};
    for (size_t i = 0; i < 4; i++) {
        enum lh_algorithm algorithm;
        assert_ok(lh_algorithm_parse(lh_slice_from_text(names[i]), &algorithm));
        assert_int_equal(algorithm, i + 1); /* stored */
        assert_string_equal(lh_algorithm_name(algorithm), names[i]);
    }
    static const char *const others[] = {
        "",      "none",   "None",   "NONE",  "nOnE",   "HS256",   "HS384", "HS512",  "RS384",
        "RS512", "PS384",  "PS512",  "ES384", "ES512",  "ES256K",  "rs256", "es256",  "EDDSA",
        "eddsa", "RS256 ", " RS256", "RS25",  "RS2566", "Ed25519", "dir",   "RSA1_5", "RSA-OAEP"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        enum lh_algorithm algorithm = LH_RS256;
        assert_status(lh_algorithm_parse(lh_slice_from_text(others[i]), &algorithm), LH_MALFORMED);
        assert_int_equal(algorithm, LH_RS256);
    }
    assert_null(lh_algorithm_name((enum lh_algorithm)0));
    assert_null(lh_algorithm_name((enum lh_algorithm)5));
}

static void test_public_key_new__refuses_what_is_no_algorithm(void **state)
{
    uint8_t material[64] = {0};
    assert_key_refused(*state, (enum lh_algorithm)0, LH_SLICE_OF(material), LH_INVALID);
    assert_key_refused(*state, (enum lh_algorithm)5, LH_SLICE_OF(material), LH_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_es256_verify__accepts_rfc_7515_a_3),
        cmocka_unit_test(test_es256_verify__refuses_each_flipped_bit),
        cmocka_unit_test(test_es256_verify__refuses_every_other_length),
        cmocka_unit_test(test_es256_verify__refuses_der),
        cmocka_unit_test(test_es256_verify__refuses_numbers_out_of_range),
        cmocka_unit_test(test_es256_verify__has_exactly_one_twin_and_it_is_known),
        cmocka_unit_test(test_es256_verify__refuses_another_key),
        cmocka_unit_test(test_es256_key__refuses_points_off_the_curve),
        cmocka_unit_test(test_es256_key__refuses_coordinates_that_are_not_reduced),
        cmocka_unit_test(test_es256_key__refuses_every_other_length),
        cmocka_unit_test(test_es256_key__refuses_compressed_points_and_those_with_their_prefix),
        cmocka_unit_test(test_algorithm_parse__takes_four_names_exactly),
        cmocka_unit_test(test_public_key_new__refuses_what_is_no_algorithm),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
