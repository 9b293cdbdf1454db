/*
 * ES256 against RFC 7515 appendix A.3, and every way in which a signature or a key can be wrong.
 */
#include "support/hex.h"
#include "support/test.h"

#include "crypto/signature.h"

#include <openssl/bn.h>
#include <openssl/err.h>

/* RFC 7515 A.3.1: the key, the signing input and its signature. */
static const char rfc_d[] = "8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2";
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

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static void drop_key(struct lh_signing_key **key)
{
    lh_signing_key_free(*key);
}

static struct lh_signing_key *rfc_key(struct lh_crypto *crypto)
{
    uint8_t x[32];
    uint8_t y[32];
    struct lh_signing_key *key = NULL;
    hex_bytes(rfc_x, x);
    hex_bytes(rfc_y, y);
    assert_ok(lh_signing_key_from_public(crypto, x, y, &key));
    return key;
}

static void assert_refused(struct lh_signing_key *key, lh_slice message, lh_slice signature)
{
    assert_status(lh_es256_verify(key, message, signature), LH_TAMPERED);
    assert_int_equal(ERR_peek_error(), 0);
}

/* --- Verifying --- */

static void test_es256_verify__accepts_rfc_7515_a_3(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *key = rfc_key(*state);
    uint8_t signature[64];
    lh_slice view = hex_bytes(rfc_signature, signature);
    for (unsigned i = 0; i < 3; i++) { /* the context is reused */
        assert_ok(lh_es256_verify(key, lh_slice_from_text(rfc_input), view));
    }
}

static void test_es256_verify__refuses_each_flipped_bit(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *key = rfc_key(*state);
    uint8_t signature[64];
    lh_slice view = hex_bytes(rfc_signature, signature);
    for (size_t bit = 0; bit < sizeof(signature) * 8; bit++) {
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_refused(key, lh_slice_from_text(rfc_input), view);
        signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_refused(key, LH_SLICE_EMPTY, view);
    assert_refused(key, lh_slice_cut(lh_slice_from_text(rfc_input), 1, sizeof(rfc_input)), view);
    assert_ok(lh_es256_verify(key, lh_slice_from_text(rfc_input), view));
}

static void test_es256_verify__refuses_every_other_length(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *key = rfc_key(*state);
    uint8_t signature[130] = {0};
    hex_bytes(rfc_signature, signature);
    for (size_t len = 0; len < sizeof(signature); len++) {
        if (len != LH_ES256_SIGNATURE_BYTES) {
            assert_refused(key, lh_slice_from_text(rfc_input), lh_slice_of(signature, len));
        }
    }
}

static void test_es256_verify__refuses_der(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *key = rfc_key(*state);
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
    LH_CLEANUP(drop_key) struct lh_signing_key *key = rfc_key(*state);
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
    LH_CLEANUP(drop_key) struct lh_signing_key *key = rfc_key(*state);
    uint8_t signature[64];
    lh_slice view = hex_bytes(rfc_signature, signature);
    BIGNUM *order = NULL;
    BIGNUM *number = BN_bin2bn(signature + 32, 32, NULL);
    assert_int_not_equal(BN_hex2bn(&order, curve_order), 0);
    assert_int_equal(BN_sub(number, order, number), 1);
    put_half(number, signature + 32);
    assert_ok(lh_es256_verify(key, lh_slice_from_text(rfc_input), view));
    assert_int_equal(BN_add_word(number, 1), 1);
    put_half(number, signature + 32);
    assert_refused(key, lh_slice_from_text(rfc_input), view);
    BN_free(order);
    BN_free(number);
}

static void test_es256_verify__refuses_another_key(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *first = NULL;
    LH_CLEANUP(drop_key) struct lh_signing_key *second = NULL;
    uint8_t signature[64];
    assert_ok(lh_signing_key_generate(*state, &first));
    assert_ok(lh_signing_key_generate(*state, &second));
    assert_ok(lh_es256_sign(first, LH_SLICE_LITERAL("message"), signature));
    assert_ok(lh_es256_verify(first, LH_SLICE_LITERAL("message"), LH_SLICE_OF(signature)));
    assert_refused(second, LH_SLICE_LITERAL("message"), LH_SLICE_OF(signature));
}

/* --- Signing --- */

static void test_es256_sign__verifies_under_the_public_half_alone(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *pair = NULL;
    LH_CLEANUP(drop_key) struct lh_signing_key *public = NULL;
    uint8_t x[32];
    uint8_t y[32];
    uint8_t signature[64];
    assert_ok(lh_signing_key_generate(*state, &pair));
    assert_ok(lh_signing_key_public(pair, x, y));
    assert_ok(lh_signing_key_from_public(*state, x, y, &public));
    for (unsigned i = 0; i < 300; i++) { /* some with leading zeros in r or s */
        lh_slice message = LH_SLICE_OF(i);
        assert_ok(lh_es256_sign(pair, message, signature));
        assert_ok(lh_es256_verify(public, message, LH_SLICE_OF(signature)));
    }
}

static void test_es256_sign__never_uses_a_nonce_twice(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *key = NULL;
    uint8_t first[64];
    uint8_t second[64];
    assert_ok(lh_signing_key_generate(*state, &key));
    assert_ok(lh_es256_sign(key, LH_SLICE_LITERAL("message"), first));
    assert_ok(lh_es256_sign(key, LH_SLICE_LITERAL("message"), second));
    assert_memory_not_equal(first, second, 32);
}

static void test_signing_key__of_a_public_half_cannot_sign(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *key = rfc_key(*state);
    struct lh_key scalar;
    uint8_t signature[64];
    assert_status(lh_es256_sign(key, LH_SLICE_LITERAL("message"), signature), LH_INVALID);
    assert_status(lh_signing_key_export(key, &scalar), LH_INVALID);
}

/* --- Keys --- */

static void test_signing_key_import__computes_the_public_half(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *key = NULL;
    uint8_t d[32];
    uint8_t x[32];
    uint8_t y[32];
    uint8_t signature[64];
    struct lh_key exported;
    assert_ok(lh_signing_key_import(*state, hex_bytes(rfc_d, d), &key));
    assert_ok(lh_signing_key_public(key, x, y));
    assert_slice_hex(LH_SLICE_OF(x), rfc_x);
    assert_slice_hex(LH_SLICE_OF(y), rfc_y);
    assert_ok(lh_signing_key_export(key, &exported));
    assert_slice_hex(LH_SLICE_OF(exported.bytes), rfc_d);
    assert_ok(lh_es256_sign(key, LH_SLICE_LITERAL("message"), signature));
    assert_ok(lh_es256_verify(key, LH_SLICE_LITERAL("message"), LH_SLICE_OF(signature)));
}

static void assert_scalar_refused(struct lh_crypto *crypto, lh_slice scalar)
{
    struct lh_signing_key *key = NULL;
    assert_status(lh_signing_key_import(crypto, scalar, &key), LH_MALFORMED);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_signing_key_import__refuses_scalars_out_of_range(void **state)
{
    uint8_t scalar[33] = {0};
    assert_scalar_refused(*state, lh_slice_of(scalar, 32));
    assert_scalar_refused(*state, hex_bytes(curve_order, scalar));
    memset(scalar, 0xff, sizeof(scalar));
    assert_scalar_refused(*state, lh_slice_of(scalar, 32));
    hex_bytes(rfc_d, scalar);
    assert_scalar_refused(*state, lh_slice_of(scalar, 31));
    assert_scalar_refused(*state, lh_slice_of(scalar, 33));
    assert_scalar_refused(*state, LH_SLICE_EMPTY);
}

static void test_signing_key_import__accepts_both_ends_of_the_range(void **state)
{
    static const char *const ends[] = {
        "0000000000000000000000000000000000000000000000000000000000000001",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550",
    };
    for (size_t i = 0; i < 2; i++) {
        LH_CLEANUP(drop_key) struct lh_signing_key *key = NULL;
        uint8_t scalar[32];
        struct lh_key exported;
        assert_ok(lh_signing_key_import(*state, hex_bytes(ends[i], scalar), &key));
        assert_ok(lh_signing_key_export(key, &exported));
        assert_slice_hex(LH_SLICE_OF(exported.bytes), ends[i]);
    }
}

static void assert_point_refused(struct lh_crypto *crypto, const char *x_text, const char *y_text)
{
    struct lh_signing_key *key = NULL;
    uint8_t x[32];
    uint8_t y[32];
    hex_bytes(x_text, x);
    hex_bytes(y_text, y);
    assert_status(lh_signing_key_from_public(crypto, x, y, &key), LH_MALFORMED);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_signing_key_from_public__refuses_points_off_the_curve(void **state)
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

static void test_signing_key_from_public__refuses_coordinates_that_are_not_reduced(void **state)
{
    /* x = 5 has a point; x = p + 5 is the same residue and must not be the same key. */
    static const char y_of_5[] = "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc";
    static const char five[] = "0000000000000000000000000000000000000000000000000000000000000005";
    LH_CLEANUP(drop_key) struct lh_signing_key *key = NULL;
    uint8_t x[32];
    uint8_t y[32];
    hex_bytes(five, x);
    hex_bytes(y_of_5, y);
    assert_ok(lh_signing_key_from_public(*state, x, y, &key));
    assert_point_refused(*state, "ffffffff00000001000000000000000000000001000000000000000000000004",
                         y_of_5);
}

static void test_signing_key_generate__makes_different_keys(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *first = NULL;
    LH_CLEANUP(drop_key) struct lh_signing_key *second = NULL;
    struct lh_key scalars[2];
    assert_ok(lh_signing_key_generate(*state, &first));
    assert_ok(lh_signing_key_generate(*state, &second));
    assert_ok(lh_signing_key_export(first, &scalars[0]));
    assert_ok(lh_signing_key_export(second, &scalars[1]));
    assert_memory_not_equal(scalars[0].bytes, scalars[1].bytes, LH_KEY_BYTES);
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
        cmocka_unit_test(test_es256_sign__verifies_under_the_public_half_alone),
        cmocka_unit_test(test_es256_sign__never_uses_a_nonce_twice),
        cmocka_unit_test(test_signing_key__of_a_public_half_cannot_sign),
        cmocka_unit_test(test_signing_key_import__computes_the_public_half),
        cmocka_unit_test(test_signing_key_import__refuses_scalars_out_of_range),
        cmocka_unit_test(test_signing_key_import__accepts_both_ends_of_the_range),
        cmocka_unit_test(test_signing_key_from_public__refuses_points_off_the_curve),
        cmocka_unit_test(test_signing_key_from_public__refuses_coordinates_that_are_not_reduced),
        cmocka_unit_test(test_signing_key_generate__makes_different_keys),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
