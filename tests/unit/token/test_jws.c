/*
 * Compact JWS, taken apart: the examples of the standards, and every other spelling refused. J01,
 * J02, J05 to J09, J12 to J18, J29 to J32 and J47 of the abuse cases at unit level.
 */
#include "support/test.h"

#include "codec/base64url.h"
#include "rfc_vectors.h"
#include "token/jwk.h"
#include "token/jws.h"

#define TEXT_BYTES ((size_t)1100000)

/* Reads from memory of exactly the size that it may need. */
static lh_status read_jws(lh_slice text, struct lh_raw_jws *out_jws)
{
    static uint8_t *room;
    free(room);
    room = malloc(lh_jws_room_bytes(text.len) + (text.len == 0));
    assert_non_null(room);
    return lh_jws_read(text, room, out_jws);
}

static void assert_read(lh_slice text, enum lh_code expected)
{
    struct lh_raw_jws jws;
    lh_status status = read_jws(text, &jws);
    if (status.code != expected) {
        fail_msg("%.*s: got %s, expected %s", lh_slice_print_len(lh_slice_cut(text, 0, 200)),
                 (const char *)text.ptr, lh_status_name(status),
                 lh_status_name(lh_status_of(expected)));
    }
}

/* header.payload.signature of these bytes. */
static lh_slice compact(lh_slice header, lh_slice payload)
{
    static char text[TEXT_BYTES];
    char *at = text;
    lh_base64url_write(header, at);
    at += LH_BASE64URL_TEXT_LEN(header.len);
    *at++ = '.';
    lh_base64url_write(payload, at);
    at += LH_BASE64URL_TEXT_LEN(payload.len);
    memcpy(at, ".c2ln", 5);
    return lh_slice_of(text, (size_t)(at + 5 - text));
}

static void assert_header(const char *header, enum lh_code expected)
{
    lh_slice text = compact(lh_slice_from_text(header), LH_SLICE_LITERAL("{}"));
    struct lh_raw_jws jws;
    lh_status status = read_jws(text, &jws);
    if (status.code != expected) {
        fail_msg("%.300s: got %s, expected %s", header, lh_status_name(status),
                 lh_status_name(lh_status_of(expected)));
    }
}

/* --- The standards' examples ------------------------------------------------------------------ */

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

/* Verifies an example under its own key, and not with another payload. */
static void assert_example_holds(const struct rfc_vector *vector)
{
    LH_CLEANUP(lh_arena_fini) struct lh_arena arena = lh_arena_bounded(8192);
    struct lh_jwk_import import = {.crypto = crypto, .arena = &arena};
    struct lh_jwk_fault fault;
    struct lh_verify_key row;
    struct lh_public_key *key = NULL;
    struct lh_raw_jws jws;
    assert_ok(lh_jwk_import(&import, lh_slice_from_text(vector->jwk), &row, &fault));
    assert_ok(lh_public_key_new(crypto, row.algorithm, row.material, &key));
    assert_ok(read_jws(lh_slice_from_text(vector->jws), &jws));
    assert_int_equal(jws.algorithm, row.algorithm);
    if (!lh_is_ok(lh_public_key_verify(key, jws.signing_input, jws.signature))) {
        fail_msg("%s does not hold", vector->from);
    }
    lh_slice cut = lh_slice_cut(jws.signing_input, 0, jws.signing_input.len - 1);
    assert_status(lh_public_key_verify(key, cut, jws.signature), LH_BAD_SIGNATURE);
    lh_public_key_free(key);
}

static void test_jws_read__takes_the_examples_that_it_should(void **state)
{
    (void)state;
    assert_example_holds(&rfc_7515_a2);
    assert_example_holds(&rfc_7515_a3);
    assert_example_holds(&rfc_7520_rs256);
    assert_example_holds(&rfc_8037_a4);
}

static void test_jws_read__says_what_the_example_says(void **state)
{
    (void)state;
    struct lh_raw_jws jws;
    assert_ok(read_jws(lh_slice_from_text(rfc_7520_rs256.jws), &jws));
    assert_slice_text(jws.kid, "bilbo.baggins@hobbiton.example");
    assert_int_equal(jws.typ.len, 0);
    assert_true(lh_slice_has_prefix(lh_slice_of(jws.payload, jws.payload_len),
                                    LH_SLICE_LITERAL("It\xe2\x80\x99s a dangerous business")));
    assert_int_equal(jws.signature.len, 256);
    assert_ok(read_jws(lh_slice_from_text(rfc_8037_a4.jws), &jws));
    assert_int_equal(jws.kid.len, 0);
    assert_slice_text(lh_slice_of(jws.payload, jws.payload_len), "Example of Ed25519 signing");
    assert_slice_text(jws.signing_input,
                      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
}

static void test_jws_read__refuses_the_examples_of_what_we_do_not_take(void **state)
{
    (void)state;
    assert_read(lh_slice_from_text(rfc_7515_a1.jws), LH_MALFORMED);    /* HS256 */
    assert_read(lh_slice_from_text(rfc_7515_a5.jws), LH_MALFORMED);    /* none */
    assert_read(lh_slice_from_text(rfc_7520_ps384.jws), LH_MALFORMED); /* PS384 */
    assert_read(lh_slice_from_text(rfc_7520_es512.jws), LH_MALFORMED); /* ES512 */
    assert_read(lh_slice_from_text(rfc_7520_hs256.jws), LH_MALFORMED); /* HS256 */
    assert_read(lh_slice_from_text(rfc_7520_json), LH_MALFORMED);      /* J15: JSON serialization */
    assert_read(lh_slice_from_text(rfc_7797_b64), LH_MALFORMED);       /* J13: b64 */
    assert_read(lh_slice_from_text(rfc_7516_a3), LH_MALFORMED);        /* J16: JWE */
}

/* --- Algorithms ------------------------------------------------------------------------------- */

static void test_jws_read__j01_j02_takes_no_other_algorithm(void **state)
{
    (void)state;
    static const char *const algorithms[] = {
        "none",  "None",  "NONE",   "nOnE",         "HS256",   "HS384",
        "HS512", "RS384", "RS512",  "PS384",        "PS512",   "ES384",
        "ES512", "RS1",   "dir",    "RSA-OAEP",     "A256GCM", "PBES2-HS256+A128KW",
        "",      "es256", "ES256 ", "ES256\\u0000", "Ed25519", "ES256K",
    };
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        char header[128];
        (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithms[i]);
        assert_header(header, LH_MALFORMED);
    }
    assert_header("{\"alg\":\"ES256\"}", LH_OK);
    assert_header("{\"alg\":\"E\\u0053256\"}", LH_OK); /* the same text, escaped */
}

static void test_jws_read__j05_alg_is_one_string(void **state)
{
    (void)state;
    assert_header("{}", LH_MALFORMED);
    assert_header("{\"alg\":null}", LH_MALFORMED);
    assert_header("{\"alg\":1}", LH_MALFORMED);
    assert_header("{\"alg\":true}", LH_MALFORMED);
    assert_header("{\"alg\":[\"ES256\"]}", LH_MALFORMED);
    assert_header("{\"alg\":{\"alg\":\"ES256\"}}", LH_MALFORMED);
    assert_header("{\"ALG\":\"ES256\"}", LH_MALFORMED);
    static char header[5000] = "{\"alg\":\"";
    memset(header + 8, 'E', 4096);
    memcpy(header + 8 + 4096, "\"}", 3);
    assert_header(header, LH_TOO_LARGE);
}

/* --- Members that ask for more ---------------------------------------------------------------- */

static void test_jws_read__refuses_what_it_would_have_to_obey(void **state)
{
    (void)state;
    static const char *const members[] = {
        /* J12, J13 */
        "\"crit\":[\"exp\"]",
        "\"crit\":[\"bork\"]",
        "\"crit\":[]",
        "\"crit\":\"b64\"",
        "\"crit\":[\"exp\",\"exp\"],\"exp\":1",
        "\"crit\":null",
        "\"b64\":false",
        "\"b64\":true",
        "\"b64\":false,\"crit\":[\"b64\"]",
        "\"cr\\u0069t\":[]",
        /* J06, J07, J08 */
        "\"jwk\":{\"kty\":\"EC\"}",
        "\"jku\":\"https://evil.example/jwks\"",
        "\"jku\":\"file:///etc/passwd\"",
        "\"x5u\":\"http://127.0.0.1:1/\"",
        "\"x5c\":[\"MII\"]",
        "\"jwk\":null",
        /* J16, J17 */
        "\"cty\":\"JWT\"",
        "\"cty\":\"jwt\"",
        "\"zip\":\"DEF\"",
        "\"enc\":\"A128GCM\"",
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        char header[256];
        (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",%s}", members[i]);
        assert_header(header, LH_MALFORMED);
        (void)snprintf(header, sizeof(header), "{%s,\"alg\":\"ES256\"}", members[i]);
        assert_header(header, LH_MALFORMED);
    }
}

static void test_jws_read__ignores_members_that_say_nothing(void **state)
{
    (void)state;
    /* RFC 7515 §4: what is not understood is ignored; a thumbprint of a certificate chooses no
       key here, and an iteration count counts nothing (J18). */
    assert_header("{\"alg\":\"ES256\",\"x5t\":\"abc\",\"nonce\":\"n\",\"p2c\":2147483647}", LH_OK);
}

/* --- kid and typ ------------------------------------------------------------------------------ */

static void test_jws_read__j09_kid_is_one_text_of_1_to_255_bytes(void **state)
{
    (void)state;
    static const char *const refused[] = {"\"\"",    "1",  "null",         "true",
                                          "[\"a\"]", "{}", "\"a\\u0000b\""};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char header[128];
        (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":%s}", refused[i]);
        assert_header(header, LH_MALFORMED);
        (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":%s}", refused[i]);
        assert_header(header, LH_MALFORMED);
    }
    for (size_t len = 255; len <= 256; len++) {
        char kid[257] = {0};
        char header[512];
        memset(kid, 'k', len);
        (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
        assert_header(header, len == 255 ? LH_OK : LH_MALFORMED);
    }
}

static void test_jws_read__j09_kid_is_any_bytes_and_only_bytes(void **state)
{
    (void)state;
    static const char *const kids[][2] = {
        {"../../dev/null", "../../dev/null"}, {"' OR 1=1", "' OR 1=1"},
        {"a\\r\\nGET x", "a\r\nGET x"},       {"{tag}:x", "{tag}:x"},
        {"https:\\/\\/a", "https://a"},
    };
    for (size_t i = 0; i < sizeof(kids) / sizeof(kids[0]); i++) {
        char header[128];
        struct lh_raw_jws jws;
        (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kids[i][0]);
        assert_ok(read_jws(compact(lh_slice_from_text(header), LH_SLICE_LITERAL("{}")), &jws));
        assert_slice_text(jws.kid, kids[i][1]);
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void test_jws_read__j14_j31_j32_the_header_is_one_object(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "",
        "null",
        "[]",
        "[\"alg\",\"ES256\"]",
        "\"ES256\"",
        "1",
        "{\"alg\":\"ES256\"",
        "{\"alg\":\"ES256\"}{}",
        "{\"alg\":\"ES256\"} x",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
        "{\"alg\":\"none\",\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}",
        "{\"alg\":\"ES256\",\"kid\":\"a\",\"kid\":\"b\"}",
        "{\"alg\":\"ES256\",\"x\":{\"a\":1,\"a\":2}}",
        "\xef\xbb\xbf{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\xff\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\\ud800\"}",
        "{'alg':'ES256'}",
        "{\"alg\":\"ES256\",}",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_header(headers[i], LH_MALFORMED);
    }
    static char nested[1000];
    memset(nested, '[', sizeof(nested));
    memcpy(nested, "{\"alg\":\"ES256\",\"x\":", 19);
    nested[999] = 0;
    assert_header(nested, LH_MALFORMED);
}

static void test_jws_read__j32_the_header_is_a_kilobyte_at_most(void **state)
{
    (void)state;
    char header[LH_JWS_HEADER_MAX_BYTES + 2];
    for (size_t len = LH_JWS_HEADER_MAX_BYTES; len <= LH_JWS_HEADER_MAX_BYTES + 1; len++) {
        memset(header, ' ', len);
        memcpy(header, "{\"alg\":\"ES256\"}", 15);
        header[len] = 0;
        assert_header(header, len == LH_JWS_HEADER_MAX_BYTES ? LH_OK : LH_TOO_LARGE);
    }
}

/* --- Spelling --------------------------------------------------------------------------------- */

#define HEADER    "eyJhbGciOiJFUzI1NiJ9" /* {"alg":"ES256"} */
#define PAYLOAD   "e30"                  /* {} */
#define SIGNATURE "c2ln"                 /* sig */

static void test_jws_read__j30_has_exactly_two_dots(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ".",
        "..",
        "...",
        "....",
        HEADER,
        HEADER ".",
        HEADER "." PAYLOAD,
        HEADER "." PAYLOAD ".",
        HEADER ".." SIGNATURE,
        "." PAYLOAD "." SIGNATURE,
        "." HEADER "." PAYLOAD "." SIGNATURE,
        HEADER "." PAYLOAD "." SIGNATURE ".",
        HEADER "." PAYLOAD "." SIGNATURE "." SIGNATURE,
        HEADER "." PAYLOAD "." SIGNATURE "." SIGNATURE "." SIGNATURE,
        HEADER "." PAYLOAD "..",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_read(lh_slice_from_text(texts[i]), LH_MALFORMED);
    }
    assert_read(LH_SLICE_LITERAL(HEADER "." PAYLOAD "." SIGNATURE), LH_OK);
    /* Found before anything is decoded: behind the dots the signature would be too long as well. */
    static char many[4096] = HEADER "." PAYLOAD ".";
    for (size_t at = strlen(many); at + 2 < sizeof(many); at += 2) {
        memcpy(many + at, "a.", 2);
    }
    assert_read(lh_slice_of(many, strlen(many) - 1), LH_MALFORMED);
    assert_read(lh_slice_of(many, strlen(many) - 3), LH_MALFORMED);
}

static void test_jws_read__j30_j47_is_bounded_before_any_work(void **state)
{
    (void)state;
    static uint8_t text[TEXT_BYTES];
    memset(text, '.', sizeof(text));
    assert_read(lh_slice_of(text, 1000000), LH_TOO_LARGE);
    assert_read(lh_slice_of(text, LH_JWS_MAX_BYTES + 1), LH_TOO_LARGE);
    assert_read(lh_slice_of(text, LH_JWS_MAX_BYTES), LH_MALFORMED);
    memset(text, 'A', sizeof(text));
    assert_read(lh_slice_of(text, 65536), LH_TOO_LARGE);
    /* Exactly as long as it may be: a payload of spaces around an object. */
    static uint8_t payload[16384];
    size_t payload_len = (LH_JWS_MAX_BYTES - 20 - 1 - 5) / 4 * 3;
    memset(payload, ' ', sizeof(payload));
    memcpy(payload, "{}", 2);
    lh_slice longest =
        compact(LH_SLICE_LITERAL("{\"alg\":\"ES256\"}"), lh_slice_of(payload, payload_len));
    assert_in_range(longest.len, LH_JWS_MAX_BYTES - 3, LH_JWS_MAX_BYTES);
    assert_read(longest, LH_OK);
    longest =
        compact(LH_SLICE_LITERAL("{\"alg\":\"ES256\"}"), lh_slice_of(payload, payload_len + 3));
    assert_read(longest, LH_TOO_LARGE);
}

/* Puts a change into each of the three parts in turn. */
static void assert_part_refused(const char *header, const char *payload, const char *signature)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "%s.%s.%s", header, payload, signature);
    assert_read(lh_slice_from_text(text), LH_MALFORMED);
}

static void test_jws_read__j29_each_part_is_canonical(void **state)
{
    (void)state;
    static const char *const ends[] = {"=", "==", "\n", " ", "\t", "\r\n", "%3D", "+", "/"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char changed[64];
        (void)snprintf(changed, sizeof(changed), HEADER "%s", ends[i]);
        assert_part_refused(changed, PAYLOAD, SIGNATURE);
        (void)snprintf(changed, sizeof(changed), PAYLOAD "%s", ends[i]);
        assert_part_refused(HEADER, changed, SIGNATURE);
        (void)snprintf(changed, sizeof(changed), SIGNATURE "%s", ends[i]);
        assert_part_refused(HEADER, PAYLOAD, changed);
        (void)snprintf(changed, sizeof(changed), "%s" PAYLOAD, ends[i]);
        assert_part_refused(HEADER, changed, SIGNATURE);
    }
    /* "e31", "e32", "e33": the same bytes with bits in the slack. */
    assert_part_refused(HEADER, "e31", SIGNATURE);
    assert_part_refused(HEADER, "e32", SIGNATURE);
    assert_part_refused(HEADER, "e33", SIGNATURE);
    assert_part_refused(HEADER, PAYLOAD, "c2l");   /* "c2k" is the canonical one */
    assert_part_refused(HEADER, PAYLOAD, "c2lnc"); /* no whole byte */
    assert_read(LH_SLICE_LITERAL(HEADER "." PAYLOAD ".c2\0n"), LH_MALFORMED);
    assert_read(LH_SLICE_LITERAL(HEADER "." PAYLOAD "." SIGNATURE "\0"), LH_MALFORMED);
    assert_read(LH_SLICE_LITERAL(" " HEADER "." PAYLOAD "." SIGNATURE), LH_MALFORMED);
}

static void test_jws_read__j29_every_byte_of_every_part_counts(void **state)
{
    (void)state;
    /* One character changed anywhere makes another token or none: never the same one again. */
    static const char token[] = HEADER "." PAYLOAD "." SIGNATURE;
    struct lh_raw_jws first;
    uint8_t bytes[64];
    size_t len;
    assert_ok(read_jws(lh_slice_from_text(token), &first));
    assert_ok(lh_base64url_decode(LH_SLICE_LITERAL(SIGNATURE), bytes, sizeof(bytes), &len));
    for (size_t i = 0; i < sizeof(token) - 1; i++) {
        for (unsigned character = 0; character < 256; character++) {
            char changed[sizeof(token)];
            struct lh_raw_jws jws;
            memcpy(changed, token, sizeof(token));
            changed[i] = (char)character;
            if (changed[i] == token[i] ||
                !lh_is_ok(read_jws(lh_slice_of(changed, sizeof(token) - 1), &jws))) {
                continue;
            }
            bool is_same_input =
                lh_slice_is_equal(jws.signing_input, LH_SLICE_LITERAL(HEADER "." PAYLOAD));
            bool is_same_signature = lh_slice_is_equal(jws.signature, lh_slice_of(bytes, len));
            assert_false(is_same_input && is_same_signature);
        }
    }
}

static void test_jws_read__takes_a_signature_of_the_largest_key(void **state)
{
    (void)state;
    static char text[4096] = HEADER "." PAYLOAD ".";
    size_t prefix = strlen(text);
    uint8_t signature[LH_SIGNATURE_MAX_BYTES + 1] = {1};
    struct lh_raw_jws jws;
    lh_base64url_write(lh_slice_of(signature, LH_SIGNATURE_MAX_BYTES), text + prefix);
    assert_ok(
        read_jws(lh_slice_of(text, prefix + LH_BASE64URL_TEXT_LEN(LH_SIGNATURE_MAX_BYTES)), &jws));
    assert_int_equal(jws.signature.len, LH_SIGNATURE_MAX_BYTES);
    lh_base64url_write(LH_SLICE_OF(signature), text + prefix);
    assert_read(lh_slice_of(text, prefix + LH_BASE64URL_TEXT_LEN(sizeof(signature))), LH_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jws_read__takes_the_examples_that_it_should),
        cmocka_unit_test(test_jws_read__says_what_the_example_says),
        cmocka_unit_test(test_jws_read__refuses_the_examples_of_what_we_do_not_take),
        cmocka_unit_test(test_jws_read__j01_j02_takes_no_other_algorithm),
        cmocka_unit_test(test_jws_read__j05_alg_is_one_string),
        cmocka_unit_test(test_jws_read__refuses_what_it_would_have_to_obey),
        cmocka_unit_test(test_jws_read__ignores_members_that_say_nothing),
        cmocka_unit_test(test_jws_read__j09_kid_is_one_text_of_1_to_255_bytes),
        cmocka_unit_test(test_jws_read__j09_kid_is_any_bytes_and_only_bytes),
        cmocka_unit_test(test_jws_read__j14_j31_j32_the_header_is_one_object),
        cmocka_unit_test(test_jws_read__j32_the_header_is_a_kilobyte_at_most),
        cmocka_unit_test(test_jws_read__j30_has_exactly_two_dots),
        cmocka_unit_test(test_jws_read__j30_j47_is_bounded_before_any_work),
        cmocka_unit_test(test_jws_read__j29_each_part_is_canonical),
        cmocka_unit_test(test_jws_read__j29_every_byte_of_every_part_counts),
        cmocka_unit_test(test_jws_read__takes_a_signature_of_the_largest_key),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
