/*
 * Signing with ES256: pairs made, exported and imported, and signatures that their public halves
 * take.
 */
#include "support/hex.h"
#include "support/public_half.h"
#include "support/test.h"

#include <openssl/err.h>

/* RFC 7515 A.3.1: the key. */
static const char rfc_d[] = "8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2";
static const char rfc_x[] = "7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445";
static const char rfc_y[] = "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad";

/* SEC 2 §2.4.2. */
static const char curve_order[] =
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

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

static void drop_public(struct lh_public_key **key)
{
    lh_public_key_free(*key);
}

/* --- Signing --- */

static void test_es256_sign__verifies_under_the_public_half_alone(void **state)
{
    LH_CLEANUP(drop_key) struct lh_signing_key *pair = NULL;
    LH_CLEANUP(drop_public) struct lh_public_key *public = NULL;
    uint8_t signature[64];
    assert_ok(lh_signing_key_generate(*state, &pair));
    assert_ok(public_half(*state, pair, &public));
    for (unsigned i = 0; i < 300; i++) { /* some with leading zeros in r or s */
        lh_slice message = LH_SLICE_OF(i);
        assert_ok(lh_es256_sign(pair, message, signature));
        assert_ok(lh_public_key_verify(public, message, LH_SLICE_OF(signature)));
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
    assert_ok(verify_by_half(*state, key, LH_SLICE_LITERAL("message"), LH_SLICE_OF(signature)));
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
        cmocka_unit_test(test_es256_sign__verifies_under_the_public_half_alone),
        cmocka_unit_test(test_es256_sign__never_uses_a_nonce_twice),
        cmocka_unit_test(test_signing_key_import__computes_the_public_half),
        cmocka_unit_test(test_signing_key_import__refuses_scalars_out_of_range),
        cmocka_unit_test(test_signing_key_import__accepts_both_ends_of_the_range),
        cmocka_unit_test(test_signing_key_generate__makes_different_keys),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
