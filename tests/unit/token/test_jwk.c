/*
 * Keys as issuers publish them: J04, J22, J25, J26 and J28 of the abuse cases at unit level.
 */
#include "jwk_fixture.h"

/* --- Which algorithm -------------------------------------------------------------------------- */

static void test_jwk_import__a_curve_has_one_algorithm(void **state)
{
    (void)state;
    LH_CLEANUP(finish) struct imported ec;
    LH_CLEANUP(finish) struct imported ed;
    import_as(&ec, UNUSED, "{" EC ",\"kid\":\"a\"}");
    assert_ok(ec.status);
    assert_int_equal(ec.key.algorithm, LH_ES256);
    assert_int_equal(ec.key.material.len, 64);
    assert_slice_text(ec.key.kid, "a");
    assert_int_equal(ec.key.until_ms, 0);
    import_as(&ed, UNUSED, "{" ED "}");
    assert_ok(ed.status);
    assert_int_equal(ed.key.algorithm, LH_EDDSA);
    assert_int_equal(ed.key.material.len, 32);
}

static void test_jwk_import__j04_an_rsa_key_is_for_what_it_or_the_operator_says(void **state)
{
    (void)state;
    static const char without[] = "\"x\":1";
    assert_import(rsa_jwk("\"alg\":\"RS256\""), LH_OK);
    assert_import(rsa_jwk("\"alg\":\"PS256\""), LH_OK);
    assert_import(rsa_jwk(without), LH_MALFORMED); /* a header shall not decide it */
    LH_CLEANUP(finish) struct imported rs;
    LH_CLEANUP(finish) struct imported ps;
    import_as(&rs, LH_RS256, rsa_jwk(without));
    import_as(&ps, LH_PS256, rsa_jwk(without));
    assert_int_equal(rs.key.algorithm, LH_RS256);
    assert_int_equal(ps.key.algorithm, LH_PS256);
    assert_true(lh_slice_is_equal(rs.key.material, ps.key.material));
    /* Both say, and differ. */
    assert_import_as(LH_PS256, rsa_jwk("\"alg\":\"RS256\""), LH_MISMATCH);
    assert_import_as(LH_RS256, rsa_jwk("\"alg\":\"PS256\""), LH_MISMATCH);
    assert_import_as(LH_RS256, rsa_jwk("\"alg\":\"RS256\""), LH_OK);
}

static void test_jwk_import__j28_alg_fits_the_type(void **state)
{
    (void)state;
    static const char *const others[] = {"RS256", "PS256", "EdDSA", "ES384", "ES512",  "ES256K",
                                         "HS256", "none",  "es256", "",      "ECDH-ES"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char jwk[512];
        (void)snprintf(jwk, sizeof(jwk), "{" EC ",\"alg\":\"%s\"}", others[i]);
        assert_import(jwk, LH_MISMATCH);
    }
    assert_import("{" EC ",\"alg\":\"ES256\"}", LH_OK);
    assert_import("{" ED ",\"alg\":\"EdDSA\"}", LH_OK);
    assert_import("{" ED ",\"alg\":\"ES256\"}", LH_MISMATCH);
    assert_import_as(LH_EDDSA, "{" EC "}", LH_MISMATCH);
    assert_import_as(LH_ES256, "{" ED "}", LH_MISMATCH);
    assert_import_as(LH_RS256, "{" EC "}", LH_MISMATCH);
    assert_import(rsa_jwk("\"alg\":\"ES256\""), LH_MISMATCH);
    assert_import(rsa_jwk("\"alg\":\"RS512\""), LH_MISMATCH);
    assert_import(rsa_jwk("\"alg\":\"RSA-OAEP\""), LH_MISMATCH);
    assert_import("{" EC ",\"alg\":null}", LH_MALFORMED);
    assert_import("{" EC ",\"alg\":[\"ES256\"]}", LH_MALFORMED);
}

static void test_jwk_import__j25_types_and_curves_are_three(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"p-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" X "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}",
        "{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" X "\"}",
        "{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}",
        "{\"kty\":\"oct\"}",
        "{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AAAA\"}",
        "{}",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_import(others[i], LH_MISMATCH);
    }
}

/* --- What it is for --------------------------------------------------------------------------- */

static void test_jwk_import__j28_is_for_verifying_alone(void **state)
{
    (void)state;
    static const struct {
        const char *member;
        enum lh_code expected;
    } rows[] = {
        {"\"use\":\"sig\"", LH_OK},
        {"\"use\":\"enc\"", LH_MISMATCH},
        {"\"use\":\"SIG\"", LH_MISMATCH},
        {"\"use\":\"\"", LH_MISMATCH},
        {"\"use\":null", LH_MALFORMED},
        {"\"use\":[\"sig\"]", LH_MALFORMED},
        {"\"key_ops\":[\"verify\"]", LH_OK},
        {"\"use\":\"sig\",\"key_ops\":[\"verify\"]", LH_OK},
        {"\"use\":\"enc\",\"key_ops\":[\"verify\"]", LH_MISMATCH},
        {"\"use\":\"sig\",\"key_ops\":[\"encrypt\"]", LH_MISMATCH},
        {"\"key_ops\":[\"encrypt\"]", LH_MISMATCH},
        {"\"key_ops\":[\"sign\"]", LH_MISMATCH},
        {"\"key_ops\":[\"verify\",\"encrypt\"]", LH_MISMATCH},
        {"\"key_ops\":[\"verify\",\"verify\"]", LH_MISMATCH},
        {"\"key_ops\":[]", LH_MISMATCH},
        {"\"key_ops\":\"verify\"", LH_MISMATCH},
        {"\"key_ops\":[1]", LH_MISMATCH},
        {"\"key_ops\":null", LH_MISMATCH},
        {"\"x5c\":[\"MII\"],\"x5t\":\"abc\",\"x5u\":\"https://evil.example\"", LH_OK}, /* ignored */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char jwk[512];
        (void)snprintf(jwk, sizeof(jwk), "{" EC ",%s}", rows[i].member);
        assert_import(jwk, rows[i].expected);
    }
}

static void test_jwk_import__refuses_a_private_half(void **state)
{
    (void)state;
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char jwk[512];
        (void)snprintf(jwk, sizeof(jwk), "{" EC ",\"%s\":\"AA\"}", names[i]);
        assert_import(jwk, LH_FORBIDDEN);
        (void)snprintf(jwk, sizeof(jwk), "{\"kty\":\"oct\",\"%s\":null}", names[i]);
        assert_import(jwk, LH_FORBIDDEN);
    }
}

/* --- The numbers ------------------------------------------------------------------------------ */

static void test_jwk_import__j22_points_are_whole_and_on_the_curve(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" Y "\",\"y\":\"" X "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" X "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":1}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV\","
        "\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA\","
        "\"y\":\"" Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\",\"y\":\"\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
        "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
        "\"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHUQ\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_import(wrong[i], LH_MALFORMED);
    }
    assert_import("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "=\",\"y\":\"" Y "\"}",
                  LH_TOO_LARGE);
    /* A zero in front of a coordinate makes it 33 bytes. */
    assert_import(
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF\","
        "\"y\":\"" Y "\"}",
        LH_TOO_LARGE);
    /* Order 4: no signature under it says anything. */
    assert_import("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
                  "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
                  LH_FORBIDDEN);
}

/* An RSA key of so many bytes of modulus, all ones but the last. */
static const char *rsa_of(size_t modulus_bytes, const char *exponent)
{
    static char text[8192];
    size_t len =
        (size_t)snprintf(text, sizeof(text), "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"n\":\"");
    memset(text + len, '_', modulus_bytes / 3 * 4);
    len += modulus_bytes / 3 * 4;
    (void)snprintf(text + len, sizeof(text) - len, "\",\"e\":\"%s\"}", exponent);
    return text;
}

static void test_jwk_import__j26_weak_rsa_keys_are_refused(void **state)
{
    (void)state;
    assert_import(rsa_of(64 / 3 * 3, "AQAB"), LH_FORBIDDEN);
    assert_import(rsa_of(128 / 3 * 3, "AQAB"), LH_FORBIDDEN);
    assert_import(rsa_of(255, "AQAB"), LH_FORBIDDEN);
    assert_import(rsa_of(2048, "AQAB"), LH_TOO_LARGE);
    static const struct {
        const char *exponent;
        enum lh_code expected;
    } rows[] = {
        {"AQ", LH_FORBIDDEN},           {"Aw", LH_FORBIDDEN}, {"AQAA", LH_FORBIDDEN},
        {"AAEAAQ", LH_MALFORMED},       {"", LH_MALFORMED},   {"AQAB=", LH_MALFORMED},
        {"AQABAQABAQAB", LH_FORBIDDEN}, {"AQAB", LH_OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static char jwk[2048];
        const char *at = strstr(rfc_7638_jwk, "\"AQAB\"");
        (void)snprintf(jwk, sizeof(jwk), "%.*s\"%s\"%s", (int)(at - rfc_7638_jwk), rfc_7638_jwk,
                       rows[i].exponent, at + strlen("\"AQAB\""));
        assert_import(jwk, rows[i].expected);
    }
}

static void test_jwk_import__j26_a_modulus_has_no_leading_zeros(void **state)
{
    (void)state;
    /* 257 bytes, the first of them zero. */
    static char jwk[2048];
    (void)snprintf(jwk, sizeof(jwk),
                   "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":\"AP");
    size_t len = strlen(jwk);
    memset(jwk + len, '_', 340);
    memcpy(jwk + len + 340, "8\"}", 4);
    assert_import(jwk, LH_MALFORMED);
}

/* --- kid -------------------------------------------------------------------------------------- */

static void test_jwk_import__kid_is_1_to_255_bytes(void **state)
{
    (void)state;
    char jwk[1024];
    char kid[257] = {0};
    for (size_t len = 254; len <= 256; len++) {
        memset(kid, 'k', len);
        (void)snprintf(jwk, sizeof(jwk), "{" EC ",\"kid\":\"%s\"}", kid);
        assert_import(jwk, len <= 255 ? LH_OK : LH_MALFORMED);
    }
    assert_import("{" EC ",\"kid\":\"\"}", LH_MALFORMED);
    assert_import("{" EC ",\"kid\":1}", LH_MALFORMED);
    assert_import("{" EC ",\"kid\":null}", LH_MALFORMED);
}

static void assert_thumbprint(const char *jwk, const char *expected)
{
    LH_CLEANUP(finish) struct imported imported;
    char text[LH_JWK_THUMBPRINT_TEXT_BYTES];
    import_as(&imported, UNUSED, jwk);
    assert_ok(imported.status);
    assert_ok(lh_jwk_thumbprint(crypto, &imported.key, text));
    assert_slice_text(lh_slice_of(text, sizeof(text)), expected);
}

static void test_jwk_thumbprint__is_that_of_rfc_7638_and_rfc_8037(void **state)
{
    (void)state;
    assert_thumbprint(rfc_7638_jwk, rfc_7638_thumbprint);
    assert_thumbprint(rfc_8037_a4.jwk, rfc_8037_thumbprint);
    /* Of EC: computed from RFC 7638 §3.2 for this key. */
    assert_thumbprint("{" EC "}", "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

static void test_jwk_import__without_kid_it_is_the_thumbprint(void **state)
{
    (void)state;
    LH_CLEANUP(finish) struct imported imported;
    import_as(&imported, UNUSED, rfc_8037_a4.jwk);
    assert_ok(imported.status);
    assert_slice_text(imported.key.kid, rfc_8037_thumbprint);
}

/* --- Documents -------------------------------------------------------------------------------- */

static void test_jwk_import__is_one_object_of_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "[{" EC "}]",
        "{" EC "",
        "{" EC "}{}",
        "{" EC ",\"kty\":\"EC\"}",
        "{" EC ",\"\\u0078\":\"" X "\"}",
        "{" EC ",\"a\":{\"b\":1,\"b\":1}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_import(texts[i], LH_MALFORMED);
    }
    static char text[LH_JWK_MAX_BYTES + 64];
    memset(text, ' ', LH_JWK_MAX_BYTES + 1);
    memcpy(text, "{" EC "}", strlen("{" EC "}"));
    assert_import(text, LH_TOO_LARGE);
    text[LH_JWK_MAX_BYTES] = 0;
    assert_import(text, LH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jwk_import__a_curve_has_one_algorithm),
        cmocka_unit_test(test_jwk_import__j04_an_rsa_key_is_for_what_it_or_the_operator_says),
        cmocka_unit_test(test_jwk_import__j28_alg_fits_the_type),
        cmocka_unit_test(test_jwk_import__j25_types_and_curves_are_three),
        cmocka_unit_test(test_jwk_import__j28_is_for_verifying_alone),
        cmocka_unit_test(test_jwk_import__refuses_a_private_half),
        cmocka_unit_test(test_jwk_import__j22_points_are_whole_and_on_the_curve),
        cmocka_unit_test(test_jwk_import__j26_weak_rsa_keys_are_refused),
        cmocka_unit_test(test_jwk_import__j26_a_modulus_has_no_leading_zeros),
        cmocka_unit_test(test_jwk_import__kid_is_1_to_255_bytes),
        cmocka_unit_test(test_jwk_thumbprint__is_that_of_rfc_7638_and_rfc_8037),
        cmocka_unit_test(test_jwk_import__without_kid_it_is_the_thumbprint),
        cmocka_unit_test(test_jwk_import__is_one_object_of_json),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
