/*
 * Whose key verifies what: J02, J03, J09 to J11, J14, J20, J21, J31, J32, J37, J41 and J44 of the
 * abuse cases at unit level.
 */
#include "token_fixture.h"

#include "codec/base64url.h"

static struct text text;

/* --- The four algorithms ---------------------------------------------------------------------- */

static void test_token_verify__takes_each_algorithm_under_its_key(void **state)
{
    const struct world *world = *state;
    for (enum signer signer = RS256; signer < SIGNERS; signer++) {
        struct lh_verified_token token;
        sign_claims(world, signer, NULL, 0, &text);
        assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
        assert_slice_text(token.iss, IDP);
        assert_slice_text(token.sub, "alice");
        assert_slice_text(token.jti, "id-1");
        assert_int_equal(token.kind, LH_TOKEN_ACCESS);
        assert_false(token.is_own);
        assert_int_equal(token.audiences.count, 1);
        assert_slice_text(token.audiences.items[0], "api");
        assert_int_equal(token.issued_ms, NOW);
        assert_int_equal(token.skew_ms, 30000);
        assert_int_equal(token.ends_ms, NOW + 630000);
        assert_int_equal(token.begins_ms, NOW - 30000);
        assert_int_equal(token.generation, 5);
        assert_int_equal(token.sid.len, 0);
    }
}

static void test_token_verify__a_changed_byte_anywhere_is_refused(void **state)
{
    const struct world *world = *state;
    for (enum signer signer = RS256; signer < SIGNERS; signer++) {
        sign_claims(world, signer, NULL, 0, &text);
        for (size_t i = 0; i < text.len; i++) {
            char before = text.bytes[i];
            text.bytes[i] = before == 'A' ? 'B' : 'A';
            assert_int_equal(lh_status_class(verify(world, &text)), LH_CLASS_DENY);
            text.bytes[i] = before;
        }
        assert_ok(verify(world, &text));
    }
}

static void test_token_verify__parts_of_two_tokens_make_none(void **state)
{
    const struct world *world = *state;
    static struct text other;
    static struct text spliced;
    struct member change = {"sub", "\"mallory\""};
    sign_claims(world, ES256, NULL, 0, &text);
    sign_claims(world, ES256, &change, 1, &other);
    size_t dot = lh_slice_find(text_view(&text), '.');
    size_t signature =
        dot + 1 + lh_slice_find(lh_slice_cut(text_view(&text), dot + 1, text.len), '.');
    size_t other_signature =
        dot + 1 + lh_slice_find(lh_slice_cut(text_view(&other), dot + 1, other.len), '.');
    memcpy(spliced.bytes, other.bytes, other_signature);
    memcpy(spliced.bytes + other_signature, text.bytes + signature, text.len - signature);
    spliced.len = other_signature + text.len - signature;
    assert_status(verify(world, &spliced), LH_BAD_SIGNATURE);
}

/* --- Algorithms and keys ---------------------------------------------------------------------- */

static void test_token_verify__j03_the_header_must_name_the_keys_algorithm(void **state)
{
    const struct world *world = *state;
    for (enum signer signer = RS256; signer < SIGNERS; signer++) {
        for (enum signer key = RS256; key < SIGNERS; key++) {
            char kid[16];
            (void)snprintf(kid, sizeof(kid), "\"%s\"", signer_kids[key]);
            struct member change = {"kid", kid};
            sign_header(world, signer, &change, 1, &text);
            assert_status(verify(world, &text), signer == key ? LH_OK : LH_MISMATCH);
        }
    }
    /* RS256's key asked for what the same numbers have signed as PS256. */
    struct member swapped[] = {{"alg", "\"RS256\""}, {"kid", "\"rsa-1\""}};
    sign_header(world, PS256, swapped, 2, &text);
    assert_status(verify(world, &text), LH_BAD_SIGNATURE);
    static const char *const others[] = {"\"RS512\"", "\"ES384\"", "\"HS256\"", "\"none\"",
                                         "\"None\""};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct member change = {"alg", others[i]};
        sign_header(world, RS256, &change, 1, &text);
        assert_status(verify(world, &text), LH_MALFORMED);
        sign_header(world, ES256, &change, 1, &text);
        assert_status(verify(world, &text), LH_MALFORMED);
    }
}

/* A token whose "signature" is the HMAC of it under bytes that everybody knows. */
static void sign_with_public_bytes(const struct world *world, lh_slice secret, const char *alg)
{
    static struct text claims;
    struct lh_digest mac;
    char header[64];
    (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"rsa-1\"}", alg);
    write_claims(&claims, NULL, 0);
    sign_raw(world, RS256, lh_slice_from_text(header), text_view(&claims), &text);
    while (text.bytes[text.len - 1] != '.') {
        text.len--;
    }
    assert_ok(lh_hmac_sha256(world->crypto, lh_slice_cut(secret, 0, LH_HMAC_KEY_MAX_BYTES),
                             lh_slice_of(text.bytes, text.len - 1), &mac));
    lh_base64url_write(LH_SLICE_OF(mac.bytes), text.bytes + text.len);
    text.len += LH_BASE64URL_TEXT_LEN(sizeof(mac.bytes));
}

static void test_token_verify__j02_a_public_key_is_no_secret(void **state)
{
    const struct world *world = *state;
    static const char *const algorithms[] = {"HS256", "RS256", "PS256", "ES256", "EdDSA", "hs256"};
    lh_slice secrets[] = {world->foreign_keys[RS256].material,
                          LH_SLICE_LITERAL("-----BEGIN PUBLIC KEY-----"),
                          LH_SLICE_LITERAL("\n -----BEGIN RSA PUBLIC KEY-----"),
                          LH_SLICE_LITERAL("{\"kty\":\"RSA\""), LH_SLICE_LITERAL("\0")};
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        for (size_t j = 0; j < sizeof(secrets) / sizeof(secrets[0]); j++) {
            sign_with_public_bytes(world, secrets[j], algorithms[i]);
            assert_int_equal(lh_status_class(verify(world, &text)), LH_CLASS_DENY);
        }
    }
}

/* Puts another signature behind header and payload. */
static void replace_signature(lh_slice signature)
{
    while (text.bytes[text.len - 1] != '.') {
        text.len--;
    }
    lh_base64url_write(signature, text.bytes + text.len);
    text.len += LH_BASE64URL_TEXT_LEN(signature.len);
}

static void test_token_verify__j20_j21_signatures_that_are_none(void **state)
{
    const struct world *world = *state;
    static const uint8_t zeros[512];
    static const size_t lens[] = {1, 31, 32, 63, 64, 65, 70, 71, 72, 128, 255, 256, 257, 512};
    for (enum signer signer = RS256; signer < SIGNERS; signer++) {
        for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            sign_claims(world, signer, NULL, 0, &text);
            replace_signature(lh_slice_of(zeros, lens[i]));
            assert_status(verify(world, &text), LH_BAD_SIGNATURE);
        }
        replace_signature(LH_SLICE_EMPTY);
        assert_status(verify(world, &text), LH_MALFORMED);
    }
}

static void test_token_verify__j10_keys_are_looked_for_inside_the_tenant(void **state)
{
    struct world *world = *state;
    struct lh_verified_token token;
    struct member kid = {"kid", "\"other\""};
    /* globex has a key "other", which is the one that signs; acme has not. */
    struct lh_verify_key other = world->foreign_keys[ES256];
    other.kid = LH_SLICE_LITERAL("other");
    world->globex_issuers[0].keys = &other;
    world->globex_issuers[0].key_count = 1;
    sign_header(world, ES256, &kid, 1, &text);
    assert_status(verify(world, &text), LH_ABSENT);
    /* And there it holds, and means acme. */
    assert_status(verify_at(world, &world->globex, text_view(&text), NOW, &token), LH_WRONG_TENANT);
    struct member claims = {"tenant_id", "\"globex\""};
    sign_claims(world, ES256, &claims, 1, &text);
    assert_status(verify(world, &text), LH_WRONG_TENANT);
    assert_status(verify_at(world, &world->globex, text_view(&text), NOW, &token), LH_ABSENT);
}

static void test_token_verify__j10_keys_are_looked_for_inside_the_issuer(void **state)
{
    const struct world *world = *state;
    /* The tenant's own issuer has a key "own-1", and "ec-1" is another's. */
    struct member header = {"kid", "\"own-1\""};
    sign_header(world, ES256, &header, 1, &text);
    assert_status(verify(world, &text), LH_ABSENT);
    struct member claim = {"iss", "\"" OWN "\""};
    sign_claims(world, ES256, &claim, 1, &text);
    assert_status(verify(world, &text), LH_ABSENT);
}

static void test_token_verify__j09_an_unknown_kid_finds_no_key(void **state)
{
    const struct world *world = *state;
    static const char *const kids[] = {
        "\"../../dev/null\"", "\"' OR 1=1\"", "\"a\\r\\nGET x\"", "\"{tag}:x\"",
        "\"EC-1\"",           "\"ec-1 \"",    "\"ec-\"",          "\"ec-10\""};
    for (size_t i = 0; i < sizeof(kids) / sizeof(kids[0]); i++) {
        struct member change = {"kid", kids[i]};
        sign_header(world, ES256, &change, 1, &text);
        assert_status(verify(world, &text), LH_ABSENT);
    }
}

static void test_token_verify__j11_without_kid_there_must_be_one_key(void **state)
{
    struct world *world = *state;
    struct member change = {"kid", NULL};
    sign_header(world, ES256, &change, 1, &text);
    assert_status(verify(world, &text), LH_ABSENT); /* there are four */
    world->acme_issuers[1].keys = &world->foreign_keys[ES256];
    world->acme_issuers[1].key_count = 1;
    assert_ok(verify(world, &text));
    world->acme_issuers[1].keys = &world->foreign_keys[RS256];
    assert_status(verify(world, &text), LH_MISMATCH); /* of the right algorithm */
    world->acme_issuers[1].key_count = 0;
    assert_status(verify(world, &text), LH_ABSENT);
}

static void test_token_verify__a_key_that_has_ended_verifies_nothing(void **state)
{
    struct world *world = *state;
    sign_claims(world, ES256, NULL, 0, &text);
    world->foreign_keys[ES256].until_ms = NOW + 1;
    struct lh_verified_token token;
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_int_equal(token.key_until_ms, NOW + 1);
    assert_status(verify_at(world, &world->acme, text_view(&text), NOW + 1, &token), LH_ABSENT);
}

static void test_token_verify__another_key_of_the_same_name_verifies_nothing(void **state)
{
    struct world *world = *state;
    sign_claims(world, ES256, NULL, 0, &text);
    assert_ok(verify(world, &text));
    world->foreign_keys[ES256].material = world->own_key.material;
    assert_status(verify(world, &text), LH_BAD_SIGNATURE);
}

static void test_token_verify__a_row_that_is_no_key_says_nothing_of_the_token(void **state)
{
    struct world *world = *state;
    sign_claims(world, EDDSA, NULL, 0, &text);
    static const uint8_t zeros[32];
    world->foreign_keys[EDDSA].material = LH_SLICE_OF(zeros);
    assert_status(verify(world, &text), LH_REGISTRY_DOWN);
    world->foreign_keys[EDDSA].material = LH_SLICE_EMPTY;
    assert_status(verify(world, &text), LH_REGISTRY_DOWN);
}

/* --- Issuers ---------------------------------------------------------------------------------- */

static void test_token_verify__j37_iss_is_exactly_one_of_the_tenants(void **state)
{
    const struct world *world = *state;
    static const char *const unknown[] = {
        "\"" IDP "/\"",
        "\"https://IDP.example\"",
        "\"HTTPS://idp.example\"",
        "\"http://idp.example\"",
        "\" " IDP "\"",
        "\"" IDP " \"",
        "\"https://idp.example:443\"",
        "\"https://idp.exampl\"",
        "\"https://evil.example\"",
        "\"urn:leasehold:home:globex\"",
    };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_claim(world, "iss", unknown[i], LH_ABSENT);
    }
    static const char *const malformed[] = {
        "[\"" IDP "\",\"https://evil.example\"]",
        "[\"" IDP "\"]",
        "\"\"",
        "null",
        "1",
        "{}",
        "true",
        "\"" IDP "\\n\"",
    };
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_claim(world, "iss", malformed[i], LH_MALFORMED);
    }
    assert_claim(world, "iss", NULL, LH_MALFORMED);
    assert_claim(world, "iss", "\"https:\\/\\/idp.example\"", LH_OK);
}

static void test_token_verify__j41_a_subject_belongs_to_its_issuer(void **state)
{
    struct world *world = *state;
    struct lh_issuer issuers[2] = {world->acme_issuers[1], world->acme_issuers[1]};
    struct lh_verified_token token;
    struct member other = {"iss", "\"https://other.example\""};
    issuers[1].iss = LH_SLICE_LITERAL("https://other.example");
    world->acme.issuers = issuers;
    sign_claims(world, ES256, &other, 1, &text);
    assert_ok(verify_at(world, &world->acme, text_view(&text), NOW, &token));
    assert_slice_text(token.iss, "https://other.example");
    assert_slice_text(token.sub, "alice");
}

/* --- What is told before anything is verified ------------------------------------------------- */

static void test_raw_token__j44_says_no_more_than_what_finds_tenant_and_key(void **state)
{
    const struct world *world = *state;
    const struct lh_raw_token *raw;
    lh_slice said;
    struct member change = {"tid", "\"0aff\""};
    sign_claims(world, PS256, &change, 1, &text);
    void *room = malloc(lh_raw_token_room_bytes(text.len));
    struct lh_token_question question = ask(world, &world->acme, text_view(&text), NOW);
    assert_ok(lh_raw_token_read(&question.text, room, &raw));
    assert_int_equal(lh_raw_token_algorithm(raw), LH_PS256);
    assert_slice_text(lh_raw_token_kid(raw), "pss-1");
    assert_ok(lh_raw_token_iss(raw, &said));
    assert_slice_text(said, IDP);
    assert_ok(lh_raw_token_tenant(raw, LH_SLICE_LITERAL("tenant_id"), &said));
    assert_slice_text(said, "acme");
    assert_ok(lh_raw_token_tenant(raw, LH_SLICE_LITERAL("tid"), &said));
    assert_slice_text(said, "0aff");
    assert_status(lh_raw_token_tenant(raw, LH_SLICE_LITERAL("Tenant_id"), &said), LH_ABSENT);
    assert_status(lh_raw_token_tenant(raw, LH_SLICE_LITERAL("exp"), &said), LH_MALFORMED);
    free(room);
}

static void assert_payload(const struct world *world, lh_slice payload, enum lh_code expected)
{
    sign_raw(world, ES256, LH_SLICE_LITERAL("{\"alg\":\"ES256\",\"kid\":\"ec-1\"}"), payload,
             &text);
    assert_status(verify(world, &text), expected);
}

static void test_raw_token__j14_j31_j32_a_payload_is_one_object(void **state)
{
    const struct world *world = *state;
    static const char *const payloads[] = {
        "null",
        "[]",
        "\"text\"",
        "1",
        "true",
        "{",
        "{}{}",
        "{} x",
        "\xef\xbb\xbf{}",
        "{\"sub\":\"a\",\"sub\":\"b\"}",
        "{\"sub\":\"a\",\"\\u0073ub\":\"b\"}",
        "{\"x\":{\"a\":1,\"a\":1}}",
        "{\"x\":\"\xff\"}",
        "{\"x\":\"\\ud800\"}",
        "{\"x\":NaN}",
        "It\xe2\x80\x99s a dangerous business",
    };
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        assert_payload(world, lh_slice_from_text(payloads[i]), LH_MALFORMED);
    }
    assert_payload(world, LH_SLICE_LITERAL("{\"x\":1\0}"), LH_MALFORMED);
    static char deep[10000];
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "{\"x\":", 5);
    assert_payload(world, lh_slice_of(deep, sizeof(deep)), LH_MALFORMED);
    /* A thousand members. */
    size_t len = (size_t)snprintf(deep, sizeof(deep), "{\"m\":1");
    for (unsigned i = 0; i < 1000; i++) {
        len += (size_t)snprintf(deep + len, sizeof(deep) - len, ",\"%u\":1", i);
    }
    deep[len++] = '}';
    assert_payload(world, lh_slice_of(deep, len), LH_TOO_LARGE);
}

#define EACH(test) cmocka_unit_test_setup(test, reset_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_token_verify__takes_each_algorithm_under_its_key),
        EACH(test_token_verify__a_changed_byte_anywhere_is_refused),
        EACH(test_token_verify__parts_of_two_tokens_make_none),
        EACH(test_token_verify__j03_the_header_must_name_the_keys_algorithm),
        EACH(test_token_verify__j02_a_public_key_is_no_secret),
        EACH(test_token_verify__j20_j21_signatures_that_are_none),
        EACH(test_token_verify__j10_keys_are_looked_for_inside_the_tenant),
        EACH(test_token_verify__j10_keys_are_looked_for_inside_the_issuer),
        EACH(test_token_verify__j09_an_unknown_kid_finds_no_key),
        EACH(test_token_verify__j11_without_kid_there_must_be_one_key),
        EACH(test_token_verify__a_key_that_has_ended_verifies_nothing),
        EACH(test_token_verify__another_key_of_the_same_name_verifies_nothing),
        EACH(test_token_verify__a_row_that_is_no_key_says_nothing_of_the_token),
        EACH(test_token_verify__j37_iss_is_exactly_one_of_the_tenants),
        EACH(test_token_verify__j41_a_subject_belongs_to_its_issuer),
        EACH(test_raw_token__j44_says_no_more_than_what_finds_tenant_and_key),
        EACH(test_raw_token__j14_j31_j32_a_payload_is_one_object),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
