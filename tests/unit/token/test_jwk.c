/*
 * Keys as issuers publish them: J04, J22, J25, J26 and J28 of the abuse cases at unit level.
 */
#include "support/test.h"

#include "rfc_vectors.h"
#include "token/jwk.h"

static struct lh_crypto *crypto;

static int make_crypto(void **state)
{
    (void)state;
    return lh_is_ok(lh_crypto_new(&crypto)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    (void)state;
    lh_crypto_free(crypto);
    return 0;
}

/* Coordinates of RFC 7515 A.3, the key of RFC 8037 A.2, a modulus of RFC 7515 A.2 in its JWK. */
#define X  "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y  "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""
#define ED                                                                                         \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define UNUSED ((enum lh_algorithm)0)

/* What an import answered; the key lives in the arena. */
struct imported {
    struct lh_arena arena;
    struct lh_verify_key key;
    struct lh_jwk_fault fault;
    lh_status status;
};

static void finish(struct imported *imported)
{
    lh_arena_fini(&imported->arena);
}

static void import_as(struct imported *imported, enum lh_algorithm algorithm, const char *jwk)
{
    memset(imported, 0, sizeof(*imported));
    imported->arena = lh_arena_bounded(16384);
    struct lh_jwk_import import = {
        .crypto = crypto, .arena = &imported->arena, .algorithm = algorithm};
    imported->status =
        lh_jwk_import(&import, lh_slice_from_text(jwk), &imported->key, &imported->fault);
}

static void assert_import_as(enum lh_algorithm algorithm, const char *jwk, enum lh_code expected)
{
    LH_CLEANUP(finish) struct imported imported;
    import_as(&imported, algorithm, jwk);
    if (imported.status.code != expected) {
        fail_msg("%.400s: got %s (%s), expected %s", jwk, lh_status_name(imported.status),
                 imported.fault.what, lh_status_name(lh_status_of(expected)));
    }
    if (expected != LH_OK) {
        assert_non_null(imported.fault.what);
    }
}

static void assert_import(const char *jwk, enum lh_code expected)
{
    assert_import_as(UNUSED, jwk, expected);
}

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

/* The RSA key of RFC 7638 with another "alg", or without one. */
static const char *rsa_jwk(const char *alg)
{
    static char text[2048];
    const char *at = strstr(rfc_7638_jwk, "\"alg\":\"RS256\"");
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - rfc_7638_jwk), rfc_7638_jwk, alg,
                   at + strlen("\"alg\":\"RS256\""));
    return text;
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

struct set {
    struct lh_arena arena;
    struct lh_verify_key *keys;
    size_t count;
    struct lh_jwk_fault fault;
    lh_status status;
};

static void finish_set(struct set *set)
{
    lh_arena_fini(&set->arena);
}

static void import_set(struct set *set, enum lh_algorithm algorithm, const char *text)
{
    memset(set, 0, sizeof(*set));
    set->arena = lh_arena_bounded(65536);
    struct lh_jwk_import import = {.crypto = crypto, .arena = &set->arena, .algorithm = algorithm};
    set->status =
        lh_jwks_import(&import, lh_slice_from_text(text), &set->keys, &set->count, &set->fault);
}

static void assert_set(const char *text, enum lh_code expected, size_t expected_index)
{
    LH_CLEANUP(finish_set) struct set set;
    import_set(&set, UNUSED, text);
    if (set.status.code != expected) {
        fail_msg("%.300s: got %s (%s), expected %s", text, lh_status_name(set.status),
                 set.fault.what, lh_status_name(lh_status_of(expected)));
    }
    if (expected != LH_OK) {
        assert_int_equal(set.fault.index, expected_index);
        assert_non_null(set.fault.what);
    }
}

static void test_jwks_import__takes_what_is_for_us_and_passes_over_the_rest(void **state)
{
    (void)state;
    LH_CLEANUP(finish_set) struct set set;
    import_set(&set, UNUSED,
               "{\"extra\":1,\"keys\":["
               "{" EC ",\"kid\":\"enc\",\"use\":\"enc\"},"
               "{" EC ",\"kid\":\"a\"},"
               "{\"kty\":\"EC\",\"crv\":\"P-384\",\"kid\":\"b\"},"
               "{" ED ",\"kid\":\"c\",\"use\":\"sig\"},"
               "{\"kty\":\"RSA\",\"alg\":\"RS512\",\"kid\":\"d\",\"n\":\"AA\",\"e\":\"AQAB\"},"
               "{\"kty\":\"new\",\"kid\":\"a\"}]}");
    assert_ok(set.status);
    assert_int_equal(set.count, 2);
    assert_slice_text(set.keys[0].kid, "a");
    assert_slice_text(set.keys[1].kid, "c");
    assert_int_equal(set.keys[1].algorithm, LH_EDDSA);
}

static void test_jwks_import__one_wrong_key_refuses_the_set(void **state)
{
    (void)state;
    assert_set("{\"keys\":[{" EC ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\",\"d\":\"AA\"}]}",
               LH_FORBIDDEN, 1);
    assert_set("{\"keys\":[{" EC ",\"kid\":\"a\"},{\"kty\":\"oct\",\"k\":\"AA\"}]}", LH_FORBIDDEN,
               1);
    assert_set("{\"keys\":[{" EC ",\"kid\":\"a\"},{" EC ",\"kid\":\"\"}]}", LH_MALFORMED, 1);
    assert_set("{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"RS256\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
               LH_FORBIDDEN, 0);
    assert_set("{\"keys\":[{" EC ",\"kid\":\"a\"},1]}", LH_MALFORMED, 1);
}

static void test_jwks_import__kids_differ(void **state)
{
    (void)state;
    assert_set("{\"keys\":[{" EC ",\"kid\":\"a\"},{" ED ",\"kid\":\"a\"}]}", LH_DUPLICATE, 1);
    assert_set("{\"keys\":[{" EC "},{" EC "}]}", LH_DUPLICATE, 1); /* one thumbprint */
    assert_set("{\"keys\":[{" EC ",\"kid\":\"a\"},{" EC ",\"kid\":\"A\"}]}", LH_OK, 0);
}

static void test_jwks_import__is_an_object_with_keys(void **state)
{
    (void)state;
    assert_set("{\"keys\":[]}", LH_ABSENT, 0);
    assert_set("{\"keys\":[{\"kty\":\"new\"}]}", LH_ABSENT, 1);
    assert_set("{}", LH_MALFORMED, 0);
    assert_set("{\"keys\":{}}", LH_MALFORMED, 0);
    assert_set("{\"keys\":null}", LH_MALFORMED, 0);
    assert_set("[{" EC "}]", LH_MALFORMED, 0);
    assert_set("{" EC "}", LH_MALFORMED, 0);
    assert_set("{\"keys\":[{" EC "}],\"keys\":[]}", LH_MALFORMED, 0);
}

static void test_jwks_import__takes_32_keys(void **state)
{
    (void)state;
    static char text[16384];
    for (unsigned count = LH_ISSUER_KEYS_MAX; count <= LH_ISSUER_KEYS_MAX + 1; count++) {
        size_t len = (size_t)snprintf(text, sizeof(text), "{\"keys\":[");
        for (unsigned i = 0; i < count; i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s{" EC ",\"kid\":\"k%u\"}",
                                    i > 0 ? "," : "", i);
        }
        (void)snprintf(text + len, sizeof(text) - len, "]}");
        assert_set(text, count == LH_ISSUER_KEYS_MAX ? LH_OK : LH_TOO_LARGE, LH_ISSUER_KEYS_MAX);
    }
}

/* --- Writing ---------------------------------------------------------------------------------- */

static void test_jwks_write__is_canonical_and_reads_back(void **state)
{
    (void)state;
    LH_CLEANUP(finish_set) struct set set;
    LH_CLEANUP(finish_set) struct set again;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf rewritten = LH_BUF_EMPTY;
    static char source[4096];
    (void)snprintf(source, sizeof(source),
                   "{ \"keys\" : [ {\"y\":\"" Y "\",\"x\":\"" X
                   "\",\"kid\":\"a\\\"\\u00e9\",\"crv\":"
                   "\"P-256\",\"kty\":\"EC\",\"x5t\":\"z\"} , %s , {" ED "} ] }",
                   rsa_jwk("\"alg\":\"PS256\""));
    import_set(&set, UNUSED, source);
    assert_ok(set.status);
    assert_ok(lh_jwks_write(set.keys, set.count, &text));
    static char expected[4096];
    const char *n = strstr(rfc_7638_jwk, "\"n\":\"") + 5;
    (void)snprintf(
        expected, sizeof(expected),
        "{\"keys\":[{\"alg\":\"ES256\",\"crv\":\"P-256\",\"kid\":\"a\\\"\xc3\xa9\",\"kty\":"
        "\"EC\",\"use\":\"sig\",\"x\":\"" X "\",\"y\":\"" Y "\"},"
        "{\"alg\":\"PS256\",\"e\":\"AQAB\",\"kid\":\"2011-04-29\",\"kty\":\"RSA\","
        "\"n\":\"%.*s\",\"use\":\"sig\"},"
        "{\"alg\":\"EdDSA\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"kty\":\"OKP\",\"use\":"
        "\"sig\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
        (int)(strchr(n, '"') - n), n, rfc_8037_thumbprint);
    assert_slice_text(lh_buf_view(&text), expected);

    assert_ok(lh_buf_terminate(&text));
    import_set(&again, UNUSED, (const char *)text.ptr);
    assert_ok(again.status);
    assert_ok(lh_jwks_write(again.keys, again.count, &rewritten));
    assert_true(lh_slice_is_equal(lh_buf_view(&text), lh_buf_view(&rewritten)));
}

static void test_jwks_write__refuses_what_is_no_key(void **state)
{
    (void)state;
    static const uint8_t bytes[64] = {0xff, 0xff};
    const struct lh_verify_key wrong[] = {
        {.kid = LH_SLICE_LITERAL("a"),
         .algorithm = (enum lh_algorithm)0,
         .material = LH_SLICE_OF(bytes)},
        {.kid = LH_SLICE_LITERAL("a"),
         .algorithm = (enum lh_algorithm)9,
         .material = LH_SLICE_OF(bytes)},
        {.kid = LH_SLICE_LITERAL("a"), .algorithm = LH_RS256, .material = LH_SLICE_OF(bytes)},
        {.kid = LH_SLICE_LITERAL("a"), .algorithm = LH_PS256, .material = {bytes, 1}},
        {.kid = LH_SLICE_LITERAL("a"), .algorithm = LH_ES256, .material = {bytes, 63}},
        {.kid = LH_SLICE_LITERAL("a"), .algorithm = LH_EDDSA, .material = {bytes, 64}},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
        assert_ok(lh_buf_add_text(&text, "before"));
        assert_status(lh_jwks_write(&wrong[i], 1, &text), LH_INVALID);
        assert_slice_text(lh_buf_view(&text), "before");
    }
    struct lh_verify_key unwritable = {
        .kid = LH_SLICE_OF(bytes), .algorithm = LH_ES256, .material = LH_SLICE_OF(bytes)};
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_status(lh_jwks_write(&unwritable, 1, &text), LH_MALFORMED);
    assert_int_equal(text.len, 0);
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
        cmocka_unit_test(test_jwks_import__takes_what_is_for_us_and_passes_over_the_rest),
        cmocka_unit_test(test_jwks_import__one_wrong_key_refuses_the_set),
        cmocka_unit_test(test_jwks_import__kids_differ),
        cmocka_unit_test(test_jwks_import__is_an_object_with_keys),
        cmocka_unit_test(test_jwks_import__takes_32_keys),
        cmocka_unit_test(test_jwks_write__is_canonical_and_reads_back),
        cmocka_unit_test(test_jwks_write__refuses_what_is_no_key),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
