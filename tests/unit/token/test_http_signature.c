/*
 * Which signatures hold: what they must cover and say, their times, their algorithm, and that
 * nothing that is covered may change.
 */
#include "signed_request.h"

#include "codec/base64url.h"

#include <openssl/evp.h>

#define NOW_S      UINT64_C(1700000000)
#define COVERED    "(\"@method\" \"@authority\" \"@path\" \"@query\" \"x-tenant-id\")"
#define PARAMETERS ";created=1700000000;expires=1700000060;nonce=\"n-1\";keyid=\"k-1\""
#define TEXT_BYTES 1024

struct fixture {
    struct lh_crypto *crypto;
    struct lh_mac_key *mac;
    EVP_PKEY *pair; /* of ed25519 */
    struct lh_public_key *public_key;
    struct lh_buf base;
    struct lh_http_signature_rules rules;
    struct lh_http_signature_key key;
    struct test_request request;
    char input[TEXT_BYTES];
    char signature[TEXT_BYTES];
};

static void make_pair(struct fixture *fixture)
{
    static const uint8_t seed[LH_ED25519_KEY_BYTES] = {42};
    uint8_t material[LH_ED25519_KEY_BYTES];
    size_t len = sizeof(material);
    fixture->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
    assert_non_null(fixture->pair);
    assert_int_equal(EVP_PKEY_get_raw_public_key(fixture->pair, material, &len), 1);
    assert_ok(
        lh_public_key_new(fixture->crypto, LH_EDDSA, LH_SLICE_OF(material), &fixture->public_key));
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_ok(lh_crypto_new(&fixture->crypto));
    assert_ok(lh_mac_key_import(fixture->crypto, LH_SLICE_LITERAL("a secret of two services"),
                                &fixture->mac));
    make_pair(fixture);
    fixture->base = lh_buf_bounded(LH_HTTP_SIGNATURE_BASE_MAX_BYTES);
    fixture->rules = (struct lh_http_signature_rules){.life_max_s = 300, .skew_s = 30};
    fixture->key = (struct lh_http_signature_key){
        .algorithm = LH_HTTP_HMAC_SHA256, .mac = fixture->mac, .public_key = fixture->public_key};
    fixture->request = (struct test_request){.method = "POST",
                                             .scheme = "https",
                                             .authority = "acme.example.com",
                                             .target = "/orders?id=1",
                                             .headers = {{"X-Tenant-ID", "acme"},
                                                         {"Signature-Input", fixture->input},
                                                         {"Signature", fixture->signature},
                                                         {"Content-Type", "application/json"}}};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    lh_buf_fini(&fixture->base);
    lh_mac_key_free(fixture->mac);
    lh_public_key_free(fixture->public_key);
    EVP_PKEY_free(fixture->pair);
    lh_crypto_free(fixture->crypto);
    free(fixture);
    return 0;
}

static lh_status read_raw(struct fixture *fixture, struct lh_raw_http_signature *raw)
{
    struct lh_signed_request request = signed_request_of(&fixture->request);
    return lh_http_signature_read(&request, LH_SLICE_EMPTY, raw);
}

/* returns: the length of the signature under the key's algorithm. */
static size_t sign_base(struct fixture *fixture, lh_slice base, uint8_t signature[64])
{
    if (fixture->key.algorithm == LH_HTTP_ED25519) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        size_t len = 64;
        assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, fixture->pair), 1);
        assert_int_equal(EVP_DigestSign(context, signature, &len, base.ptr, base.len), 1);
        EVP_MD_CTX_free(context);
        return len;
    }
    struct lh_digest mac;
    assert_ok(lh_mac(fixture->mac, base, &mac));
    memcpy(signature, mac.bytes, sizeof(mac.bytes));
    return sizeof(mac.bytes);
}

static void write_signature(struct fixture *fixture, lh_slice bytes)
{
    char text[LH_BASE64URL_TEXT_LEN(64) + 1] = {0};
    lh_base64url_write(bytes, text);
    for (char *at = text; *at != 0; at++) {
        *at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
    }
    static const char *const padding[] = {"", "==", "="};
    (void)snprintf(fixture->signature, sizeof(fixture->signature), "sig=:%s%s:", text,
                   padding[bytes.len % 3]);
}

/* Signs the request as it stands: Signature-Input is sig=<covered><parameters>. */
static void sign(struct fixture *fixture, const char *covered, const char *parameters)
{
    (void)snprintf(fixture->input, sizeof(fixture->input), "sig=%s%s", covered, parameters);
    (void)snprintf(fixture->signature, sizeof(fixture->signature), "sig=:AA==:");
    struct lh_raw_http_signature raw;
    assert_ok(read_raw(fixture, &raw));
    struct lh_signed_request request = signed_request_of(&fixture->request);
    LH_CLEANUP(lh_buf_fini) struct lh_buf base = LH_BUF_EMPTY;
    assert_ok(lh_http_signature_base(&request, &raw, &base));
    uint8_t signature[64];
    size_t len = sign_base(fixture, lh_buf_view(&base), signature);
    write_signature(fixture, lh_slice_of(signature, len));
}

static lh_status verify_at(struct fixture *fixture, uint64_t now_ms,
                           struct lh_verified_http_signature *verified)
{
    struct lh_signed_request request = signed_request_of(&fixture->request);
    struct lh_raw_http_signature raw;
    LH_TRY(lh_http_signature_read(&request, LH_SLICE_EMPTY, &raw));
    struct lh_http_signature_check check = {.request = &request,
                                            .rules = &fixture->rules,
                                            .key = &fixture->key,
                                            .now_ms = now_ms,
                                            .base = &fixture->base};
    return lh_http_signature_verify(&check, &raw, verified);
}

static lh_status verify(struct fixture *fixture)
{
    struct lh_verified_http_signature verified;
    return verify_at(fixture, NOW_S * 1000, &verified);
}

/* --- What holds ------------------------------------------------------------------------------- */

static void test_http_signature__says_what_it_proved(void **state)
{
    struct fixture *fixture = *state;
    sign(fixture, COVERED, PARAMETERS ";alg=\"hmac-sha256\";tag=\"orders\"");
    struct lh_verified_http_signature verified;
    assert_ok(verify_at(fixture, NOW_S * 1000, &verified));
    assert_slice_text(verified.key_id, "k-1");
    assert_slice_text(verified.nonce, "n-1");
    assert_int_equal(verified.created_s, NOW_S);
    assert_int_equal(verified.expires_s, NOW_S + 60);
    assert_false(verified.has_digest);
}

static void test_http_signature__nothing_that_is_covered_may_change(void **state)
{
    struct fixture *fixture = *state;
    sign(fixture, COVERED, PARAMETERS);
    assert_ok(verify(fixture));
    const struct test_request kept = fixture->request;
    for (unsigned change = 0; change < 6; change++) {
        struct test_request *request = &fixture->request;
        switch (change) {
        case 0:
            request->method = "post";
            break;
        case 1:
            request->authority = "globex.example.com";
            break;
        case 2:
            request->target = "/orders/?id=1";
            break;
        case 3:
            request->target = "/orders?id=2";
            break;
        case 4:
            set_header(request, "X-Tenant-ID", "globex");
            break;
        default:
            add_header(request, "x-tenant-id", "globex");
            break;
        }
        assert_status(verify(fixture), LH_BAD_SIGNATURE);
        fixture->request = kept;
    }
    set_header(&fixture->request, "Content-Type", "text/plain"); /* is not covered */
    assert_ok(verify(fixture));
}

static void test_http_signature__no_parameter_may_change(void **state)
{
    struct fixture *fixture = *state;
    static const char *const others[] = {
        ";created=1700000001;expires=1700000060;nonce=\"n-1\";keyid=\"k-1\"",
        ";created=1700000000;expires=1700000061;nonce=\"n-1\";keyid=\"k-1\"",
        ";created=1700000000;expires=1700000060;nonce=\"n-2\";keyid=\"k-1\"",
        ";created=1700000000;expires=1700000060;nonce=\"n-1\";keyid=\"k-2\"",
        ";created=1700000000;expires=1700000060;keyid=\"k-1\";nonce=\"n-1\"",
        PARAMETERS ";alg=\"hmac-sha256\"",
        PARAMETERS ";tag=\"x\"",
    };
    sign(fixture, COVERED, PARAMETERS);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(fixture->input, sizeof(fixture->input), "sig=%s%s", COVERED, others[i]);
        assert_status(verify(fixture), LH_BAD_SIGNATURE);
    }
    (void)snprintf(fixture->input, sizeof(fixture->input),
                   "sig=(\"@authority\" \"@method\" \"@path\" \"@query\" \"x-tenant-id\")%s",
                   PARAMETERS);
    assert_status(verify(fixture), LH_BAD_SIGNATURE);
    /* Another spelling of the same parameters is the same signature (RFC 9421 §2.3). */
    (void)snprintf(fixture->input, sizeof(fixture->input),
                   "sig=( \"@method\" \"@authority\"  \"@path\" \"@query\" \"x-tenant-id\" )"
                   "; created=1700000000; expires=1700000060;nonce=\"n-1\";keyid=\"k-1\"");
    assert_ok(verify(fixture));
}

static void test_http_signature__of_other_bytes_does_not_hold(void **state)
{
    struct fixture *fixture = *state;
    static const char *const others[] = {
        "sig=::",
        "sig=:AA==:",
        "sig=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:",
        /* the length of an ed25519 signature */
        ("sig=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
         "AAAA==:"),
    };
    sign(fixture, COVERED, PARAMETERS);
    char kept[TEXT_BYTES];
    memcpy(kept, fixture->signature, sizeof(kept));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(fixture->signature, sizeof(fixture->signature), "%s", others[i]);
        assert_status(verify(fixture), LH_BAD_SIGNATURE);
    }
    for (size_t i = strlen("sig=:"); i < strlen(kept) - 2; i++) {
        memcpy(fixture->signature, kept, sizeof(kept));
        fixture->signature[i] = kept[i] == 'A' ? 'E' : 'A'; /* no slack bits in either */
        assert_status(verify(fixture), LH_BAD_SIGNATURE);
    }
}

static void test_http_signature__of_another_key_does_not_hold(void **state)
{
    struct fixture *fixture = *state;
    sign(fixture, COVERED, PARAMETERS);
    struct lh_mac_key *other;
    assert_ok(lh_mac_key_import(fixture->crypto, LH_SLICE_LITERAL("another"), &other));
    fixture->key.mac = other;
    assert_status(verify(fixture), LH_BAD_SIGNATURE);
    fixture->key.mac = fixture->mac;
    assert_ok(verify(fixture));
    lh_mac_key_free(other);
}

/* --- What it must cover and say --------------------------------------------------------------- */

static void test_http_signature__must_cover_what_decides(void **state)
{
    struct fixture *fixture = *state;
    static const char *const less[] = {
        "()",
        "(\"@authority\" \"@path\" \"@query\" \"x-tenant-id\")",
        "(\"@method\" \"@path\" \"@query\" \"x-tenant-id\")",
        "(\"@method\" \"@authority\" \"@query\" \"x-tenant-id\")",
        "(\"@method\" \"@authority\" \"@path\" \"x-tenant-id\")",
        "(\"@method\" \"@authority\" \"@path\" \"@query\")",
        "(\"@method\" \"@target-uri\" \"x-tenant-id\")",
    };
    for (size_t i = 0; i < sizeof(less) / sizeof(less[0]); i++) {
        sign(fixture, less[i], PARAMETERS);
        assert_status(verify(fixture), LH_FORBIDDEN);
    }
    fixture->request.target = "/orders";
    sign(fixture, "(\"@method\" \"@authority\" \"@path\" \"x-tenant-id\")", PARAMETERS);
    assert_ok(verify(fixture));
    fixture->request.target = "/orders?";
    sign(fixture, "(\"@method\" \"@authority\" \"@path\" \"x-tenant-id\")", PARAMETERS);
    assert_status(verify(fixture), LH_FORBIDDEN);
}

static void test_http_signature__must_say_when_and_who_and_be_used_once(void **state)
{
    struct fixture *fixture = *state;
    static const char *const less[] = {
        "",
        ";expires=1700000060;nonce=\"n-1\";keyid=\"k-1\"",
        ";created=1700000000;nonce=\"n-1\";keyid=\"k-1\"",
        ";created=1700000000;expires=1700000060;keyid=\"k-1\"",
        ";created=1700000000;expires=1700000060;nonce=\"n-1\"",
    };
    for (size_t i = 0; i < sizeof(less) / sizeof(less[0]); i++) {
        sign(fixture, COVERED, less[i]);
        assert_status(verify(fixture), LH_FORBIDDEN);
    }
}

static void test_http_signature__must_cover_the_digest_of_a_body(void **state)
{
    struct fixture *fixture = *state;
    static const char covered[] =
        "(\"@method\" \"@authority\" \"@path\" \"@query\" \"x-tenant-id\" "
        "\"content-digest\")";
    add_header(&fixture->request, "Content-Digest",
               "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    fixture->request.has_body = true;
    sign(fixture, COVERED, PARAMETERS);
    assert_status(verify(fixture), LH_FORBIDDEN);
    sign(fixture, covered, PARAMETERS);
    struct lh_verified_http_signature verified;
    assert_ok(verify_at(fixture, NOW_S * 1000, &verified));
    assert_true(verified.has_digest && verified.digest.has_sha256);
    assert_int_equal(verified.digest.sha256[0], 0x5f);
    /* One that is covered counts whether or not there is a body. */
    fixture->request.has_body = false;
    assert_ok(verify_at(fixture, NOW_S * 1000, &verified));
    assert_true(verified.has_digest);

    static const char *const bad[] = {"md5=:Sd/dVLAcvNLSq16eXua5uQ==:", "sha-256=:AA==:", "x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        set_header(&fixture->request, "Content-Digest", bad[i]);
        sign(fixture, covered, PARAMETERS);
        assert_status(verify(fixture), LH_MALFORMED);
    }
}

/* --- Times ------------------------------------------------------------------------------------ */

static lh_status verify_times(struct fixture *fixture, long long created, long long expires)
{
    char parameters[256];
    (void)snprintf(parameters, sizeof(parameters),
                   ";created=%lld;expires=%lld;nonce=\"n-1\";keyid=\"k-1\"", created, expires);
    sign(fixture, COVERED, parameters);
    return verify(fixture);
}

static void test_http_signature__lives_between_its_times(void **state)
{
    struct fixture *fixture = *state;
    const long long now = (long long)NOW_S;
    assert_ok(verify_times(fixture, now, now + 1));
    assert_ok(verify_times(fixture, now, now + 300));
    assert_ok(verify_times(fixture, now - 299, now + 1));
    assert_status(verify_times(fixture, now - 300, now), LH_EXPIRED);
    assert_status(verify_times(fixture, now - 10, now - 9), LH_EXPIRED);
    assert_ok(verify_times(fixture, now + 30, now + 60));
    assert_status(verify_times(fixture, now + 31, now + 60), LH_EARLY);
    assert_status(verify_times(fixture, now, now), LH_FORBIDDEN);
    assert_status(verify_times(fixture, now + 2, now + 1), LH_FORBIDDEN);
    assert_status(verify_times(fixture, now, now + 301), LH_FORBIDDEN);
    assert_status(verify_times(fixture, 0, now + 1), LH_FORBIDDEN);
    assert_status(verify_times(fixture, now, 999999999999999), LH_FORBIDDEN);
}

static void test_http_signature__expires_with_the_second(void **state)
{
    struct fixture *fixture = *state;
    struct lh_verified_http_signature verified;
    sign(fixture, COVERED, PARAMETERS);
    assert_ok(verify_at(fixture, (NOW_S + 60) * 1000 - 1, &verified));
    assert_status(verify_at(fixture, (NOW_S + 60) * 1000, &verified), LH_EXPIRED);
    assert_ok(verify_at(fixture, (NOW_S - 30) * 1000, &verified));
    assert_status(verify_at(fixture, (NOW_S - 30) * 1000 - 1, &verified), LH_EARLY);
}

static void test_http_signature__rules_have_bounds_of_their_own(void **state)
{
    struct fixture *fixture = *state;
    sign(fixture, COVERED, PARAMETERS);
    static const struct lh_http_signature_rules bad[] = {{.life_max_s = 0, .skew_s = 30},
                                                         {.life_max_s = 301, .skew_s = 30},
                                                         {.life_max_s = 300, .skew_s = 31}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fixture->rules = bad[i];
        assert_status(verify(fixture), LH_INVALID);
    }
    fixture->rules = (struct lh_http_signature_rules){.life_max_s = 59, .skew_s = 0};
    assert_status(verify(fixture), LH_FORBIDDEN);
    fixture->rules.life_max_s = 60;
    assert_ok(verify(fixture));
}

/* --- ed25519 ---------------------------------------------------------------------------------- */

static void test_http_signature__of_ed25519_holds_under_its_public_key(void **state)
{
    struct fixture *fixture = *state;
    fixture->key.algorithm = LH_HTTP_ED25519;
    sign(fixture, COVERED, PARAMETERS);
    assert_ok(verify(fixture));
    sign(fixture, COVERED, PARAMETERS ";alg=\"ed25519\"");
    assert_ok(verify(fixture));
    fixture->request.method = "DELETE";
    assert_status(verify(fixture), LH_BAD_SIGNATURE);
}

/* A public key is no secret: nobody may take it for one. */
static void test_http_signature__one_algorithm_s_bytes_are_no_other_s(void **state)
{
    struct fixture *fixture = *state;
    sign(fixture, COVERED, PARAMETERS);
    fixture->key.algorithm = LH_HTTP_ED25519;
    assert_status(verify(fixture), LH_BAD_SIGNATURE);
    sign(fixture, COVERED, PARAMETERS);
    fixture->key.algorithm = LH_HTTP_HMAC_SHA256;
    assert_status(verify(fixture), LH_BAD_SIGNATURE);
}

static void test_http_signature__no_flipped_bit_of_ed25519_holds(void **state)
{
    struct fixture *fixture = *state;
    fixture->key.algorithm = LH_HTTP_ED25519;
    sign(fixture, COVERED, PARAMETERS);
    struct lh_raw_http_signature raw;
    assert_ok(read_raw(fixture, &raw));
    assert_int_equal(raw.len, 64);
    for (size_t bit = 0; bit < 8 * raw.len; bit++) {
        raw.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        write_signature(fixture, lh_slice_of(raw.bytes, raw.len));
        assert_status(verify(fixture), LH_BAD_SIGNATURE);
        raw.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

/* --- Algorithm and tag ------------------------------------------------------------------------ */

static void test_http_signature__algorithm_is_the_key_s(void **state)
{
    struct fixture *fixture = *state;
    static const char *const others[] = {"ed25519", "HMAC-SHA256", "hmac-sha512", "none",
                                         "rsa-v1_5-sha256"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char parameters[256];
        (void)snprintf(parameters, sizeof(parameters), "%s;alg=\"%s\"", PARAMETERS, others[i]);
        sign(fixture, COVERED, parameters);
        assert_status(verify(fixture), LH_MISMATCH);
    }
    fixture->key.algorithm = (enum lh_http_signature_algorithm)9;
    sign(fixture, COVERED, PARAMETERS);
    assert_status(verify(fixture), LH_INVALID);
}

static void test_http_signature__tag_is_what_the_rules_say(void **state)
{
    struct fixture *fixture = *state;
    fixture->rules.tag = LH_SLICE_LITERAL("orders");
    sign(fixture, COVERED, PARAMETERS);
    assert_status(verify(fixture), LH_MISMATCH);
    sign(fixture, COVERED, PARAMETERS ";tag=\"Orders\"");
    assert_status(verify(fixture), LH_MISMATCH);
    sign(fixture, COVERED, PARAMETERS ";tag=\"orders\"");
    assert_ok(verify(fixture));
}

#define WITH_KEY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_KEY(test_http_signature__says_what_it_proved),
        WITH_KEY(test_http_signature__nothing_that_is_covered_may_change),
        WITH_KEY(test_http_signature__no_parameter_may_change),
        WITH_KEY(test_http_signature__of_other_bytes_does_not_hold),
        WITH_KEY(test_http_signature__of_another_key_does_not_hold),
        WITH_KEY(test_http_signature__must_cover_what_decides),
        WITH_KEY(test_http_signature__must_say_when_and_who_and_be_used_once),
        WITH_KEY(test_http_signature__must_cover_the_digest_of_a_body),
        WITH_KEY(test_http_signature__lives_between_its_times),
        WITH_KEY(test_http_signature__expires_with_the_second),
        WITH_KEY(test_http_signature__rules_have_bounds_of_their_own),
        WITH_KEY(test_http_signature__of_ed25519_holds_under_its_public_key),
        WITH_KEY(test_http_signature__one_algorithm_s_bytes_are_no_other_s),
        WITH_KEY(test_http_signature__no_flipped_bit_of_ed25519_holds),
        WITH_KEY(test_http_signature__algorithm_is_the_key_s),
        WITH_KEY(test_http_signature__tag_is_what_the_rules_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
