/*
 * What is signed, byte for byte: the examples of RFC 9421, and what no base may be made of.
 */
#include "signed_request.h"

#include "support/hex.h"

/* RFC 9421 appendix B.2, "test-request". */
static struct test_request rfc_request(void)
{
    return (struct test_request){
        .method = "POST",
        .scheme = "https",
        .authority = "example.com",
        .target = "/foo?param=Value&Pet=dog",
        .has_body = true,
        .headers = {
            {"Host", "example.com"},
            {"Date", "Tue, 20 Apr 2021 02:07:55 GMT"},
            {"Content-Type", "application/json"},
            {"Content-Digest", "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnr"
                               "IiYllu7BNNyealdVLvRwEmTHWXvJwew==:"},
            {"Content-Length", "18"},
        }};
}

/* RFC 9421 appendix B.1.5, "test-shared-secret". */
static const char rfc_secret[] = "bb3bc97c1e2edcdd09cb84fb359ef930355cafccd24c89de749b6481cbb8e985"
                                 "b85c1cb33498f105db635247493c1b5b9878480e2ea9725f23b1ab2395332d0d";

static lh_status base_of(struct test_request *request, struct lh_buf *base)
{
    struct lh_signed_request signed_request = signed_request_of(request);
    struct lh_raw_http_signature raw;
    LH_TRY(lh_http_signature_read(&signed_request, LH_SLICE_EMPTY, &raw));
    return lh_http_signature_base(&signed_request, &raw, base);
}

static void assert_base(struct test_request *request, const char *expected)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf base = LH_BUF_EMPTY;
    assert_ok(base_of(request, &base));
    assert_slice_text(lh_buf_view(&base), expected);
}

/* The base of a request that covers one component: its line. */
static lh_status line_of(struct test_request request, const char *component, struct lh_buf *base)
{
    char input[256];
    (void)snprintf(input, sizeof(input), "sig=(\"%s\")", component);
    add_header(&request, "signature-input", input);
    add_header(&request, "signature", "sig=:AA==:");
    return base_of(&request, base);
}

static void assert_line(struct test_request request, const char *component, const char *value)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf base = LH_BUF_EMPTY;
    assert_ok(line_of(request, component, &base));
    char expected[512];
    (void)snprintf(expected, sizeof(expected), "\"%s\": %s\n\"@signature-params\": (\"%s\")",
                   component, value, component);
    assert_slice_text(lh_buf_view(&base), expected);
}

static void assert_no_line(struct test_request request, const char *component)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf base = LH_BUF_EMPTY;
    assert_status(line_of(request, component, &base), LH_MALFORMED);
}

/* --- The standard's examples ------------------------------------------------------------------ */

static void test_signature_base__is_that_of_rfc_9421_b_2_1(void **state)
{
    (void)state;
    struct test_request request = rfc_request();
    add_header(&request, "Signature-Input",
               "sig-b21=();created=1618884473;keyid=\"test-key-rsa-pss\""
               ";nonce=\"b3k2pp5k7z-50gnwp.yemd\"");
    add_header(&request, "Signature", "sig-b21=:AA==:");
    assert_base(&request, "\"@signature-params\": ();created=1618884473"
                          ";keyid=\"test-key-rsa-pss\";nonce=\"b3k2pp5k7z-50gnwp.yemd\"");
}

static void test_signature_base__is_that_of_rfc_9421_b_2_3(void **state)
{
    (void)state;
    struct test_request request = rfc_request();
    add_header(&request, "Signature-Input",
               "sig-b23=(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" "
               "\"content-digest\" \"content-length\");created=1618884473"
               ";keyid=\"test-key-rsa-pss\"");
    add_header(&request, "Signature", "sig-b23=:AA==:");
    assert_base(&request,
                "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                "\"@method\": POST\n"
                "\"@path\": /foo\n"
                "\"@query\": ?param=Value&Pet=dog\n"
                "\"@authority\": example.com\n"
                "\"content-type\": application/json\n"
                "\"content-digest\": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAg"
                "BWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\n"
                "\"content-length\": 18\n"
                "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" "
                "\"content-type\" \"content-digest\" \"content-length\");created=1618884473"
                ";keyid=\"test-key-rsa-pss\"");
}

static void test_signature_base__and_mac_are_those_of_rfc_9421_b_2_5(void **state)
{
    (void)state;
    struct test_request request = rfc_request();
    add_header(&request, "Signature-Input",
               "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473"
               ";keyid=\"test-shared-secret\"");
    add_header(&request, "Signature", "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");
    struct lh_signed_request signed_request = signed_request_of(&request);
    struct lh_raw_http_signature raw;
    assert_ok(lh_http_signature_read(&signed_request, LH_SLICE_EMPTY, &raw));
    LH_CLEANUP(lh_buf_fini) struct lh_buf base = LH_BUF_EMPTY;
    assert_ok(lh_http_signature_base(&signed_request, &raw, &base));
    assert_slice_text(lh_buf_view(&base),
                      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                      "\"@authority\": example.com\n"
                      "\"content-type\": application/json\n"
                      "\"@signature-params\": (\"date\" \"@authority\" \"content-type\")"
                      ";created=1618884473;keyid=\"test-shared-secret\"");

    struct lh_crypto *crypto;
    struct lh_mac_key *key;
    struct lh_digest mac;
    uint8_t secret[LH_HMAC_KEY_MAX_BYTES];
    assert_ok(lh_crypto_new(&crypto));
    assert_ok(lh_mac_key_import(crypto, hex_bytes(rfc_secret, secret), &key));
    assert_ok(lh_mac(key, lh_buf_view(&base), &mac));
    assert_int_equal(raw.len, sizeof(mac.bytes));
    assert_memory_equal(raw.bytes, mac.bytes, sizeof(mac.bytes));
    lh_mac_key_free(key);
    lh_crypto_free(crypto);
}

/* RFC 9421 appendix B.1.4, "test-key-ed25519". */
static const char rfc_ed25519[] =
    "26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb";

static void test_signature_base__and_signature_are_those_of_rfc_9421_b_2_6(void **state)
{
    (void)state;
    struct test_request request = rfc_request();
    add_header(&request, "Signature-Input",
               "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" "
               "\"content-length\");created=1618884473;keyid=\"test-key-ed25519\"");
    add_header(&request, "Signature",
               "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5"
               "lIp5WPpBKRCw==:");
    assert_base(&request, "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                          "\"@method\": POST\n"
                          "\"@path\": /foo\n"
                          "\"@authority\": example.com\n"
                          "\"content-type\": application/json\n"
                          "\"content-length\": 18\n"
                          "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" "
                          "\"content-type\" \"content-length\");created=1618884473"
                          ";keyid=\"test-key-ed25519\"");

    struct lh_signed_request signed_request = signed_request_of(&request);
    struct lh_raw_http_signature raw;
    assert_ok(lh_http_signature_read(&signed_request, LH_SLICE_EMPTY, &raw));
    LH_CLEANUP(lh_buf_fini) struct lh_buf base = LH_BUF_EMPTY;
    assert_ok(lh_http_signature_base(&signed_request, &raw, &base));
    struct lh_crypto *crypto;
    struct lh_public_key *key;
    uint8_t material[LH_ED25519_KEY_BYTES];
    assert_ok(lh_crypto_new(&crypto));
    assert_ok(lh_public_key_new(crypto, LH_EDDSA, hex_bytes(rfc_ed25519, material), &key));
    assert_ok(lh_public_key_verify(key, lh_buf_view(&base), lh_slice_of(raw.bytes, raw.len)));
    base.ptr[0] ^= 1;
    assert_status(lh_public_key_verify(key, lh_buf_view(&base), lh_slice_of(raw.bytes, raw.len)),
                  LH_BAD_SIGNATURE);
    lh_public_key_free(key);
    lh_crypto_free(crypto);
}

/* --- Components ------------------------------------------------------------------------------- */

/* RFC 9421 §2.1. */
static void test_signature_base__fields_are_combined_and_trimmed(void **state)
{
    (void)state;
    struct test_request request = {.method = "GET",
                                   .scheme = "https",
                                   .authority = "www.example.com",
                                   .target = "/",
                                   .headers = {{"Host", "www.example.com"},
                                               {"X-OWS-Header", "   Leading and trailing.  \t"},
                                               {"Cache-Control", "max-age=60"},
                                               {"X-Empty-Header", ""},
                                               {"cache-CONTROL", "  must-revalidate"}}};
    assert_line(request, "host", "www.example.com");
    assert_line(request, "x-ows-header", "Leading and trailing.");
    assert_line(request, "cache-control", "max-age=60, must-revalidate");
    assert_line(request, "x-empty-header", "");
    assert_no_line(request, "x-absent");
    assert_no_line(request, "cache_control");
}

/* RFC 9421 §2.2. */
static void test_signature_base__derived_components_are_normalised(void **state)
{
    (void)state;
    struct test_request request = {.method = "POST",
                                   .scheme = "https",
                                   .authority = "WWW.Example.com:443",
                                   .target = "/Path%7e/x//y?param=Value",
                                   .headers = {{"Host", "WWW.Example.com:443"}}};
    assert_line(request, "@method", "POST");
    assert_line(request, "@authority", "www.example.com");
    assert_line(request, "@scheme", "https");
    assert_line(request, "@path", "/Path%7e/x//y");
    assert_line(request, "@query", "?param=Value");
    assert_line(request, "@target-uri", "https://www.example.com/Path%7e/x//y?param=Value");
    request.target = "/path";
    assert_line(request, "@query", "?");
    assert_line(request, "@target-uri", "https://www.example.com/path");
    request.target = "/path?";
    assert_line(request, "@query", "?");
    assert_line(request, "@path", "/path");
    request.target = "/?a?b";
    assert_line(request, "@query", "?a?b");
}

static void test_signature_base__only_the_scheme_s_port_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *scheme;
        const char *authority;
        const char *expected;
    } rows[] = {
        {"http", "example.com:80", "example.com"},
        {"HTTP", "example.com:80", "example.com"},
        {"https", "example.com:80", "example.com:80"},
        {"http", "example.com:443", "example.com:443"},
        {"https", "example.com:8443", "example.com:8443"},
        {"https", "example.com:", "example.com"},
        {"https", "[2001:DB8::1]:443", "[2001:db8::1]"},
        {"https", "[2001:db8::1]", "[2001:db8::1]"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct test_request request = {.method = "GET",
                                       .scheme = rows[i].scheme,
                                       .authority = rows[i].authority,
                                       .target = "/"};
        assert_line(request, "@authority", rows[i].expected);
    }
}

static void test_signature_base__other_components_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "@",
        "@status",
        "@request-target",
        "@query-param",
        "@signature-params",
        "@Method",
        "@METHOD",
        "Date",
        "x tenant",
        "x:y",
        "signature",
        "date\\\"",
        "signature-input",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_no_line(rfc_request(), names[i]);
    }
}

static void test_signature_base__no_value_can_pass_for_two_lines(void **state)
{
    (void)state;
    static const char *const values[] = {"a\nb", "a\r\nb", "a\rb", "a\x01", "a\x7f", "caf\xc3\xa9"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct test_request request = rfc_request();
        set_header(&request, "Date", values[i]);
        assert_no_line(request, "date");
        request.method = values[i];
        assert_no_line(request, "@method");
        request.authority = values[i];
        assert_no_line(request, "@authority");
        assert_no_line(request, "@target-uri");
        request.scheme = values[i];
        assert_no_line(request, "@scheme");
    }
}

static void test_signature_base__targets_of_other_forms_are_refused(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "",       "*",    "foo",   "?a",    "http://example.com/", "example.com:443", "/a#b",
        "/a?b#c", "/a b", "/a\tb", "/a\nb",
    };
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct test_request request = rfc_request();
        request.target = targets[i];
        assert_no_line(request, "@path");
        assert_no_line(request, "@target-uri");
    }
    struct test_request request = rfc_request();
    add_header(&request, "signature-input", "sig=(\"@path\")");
    add_header(&request, "signature", "sig=:AA==:");
    struct lh_signed_request without_target = signed_request_of(&request);
    without_target.target = LH_SLICE_EMPTY; /* and no byte that could be looked at */
    struct lh_raw_http_signature raw;
    assert_ok(lh_http_signature_read(&without_target, LH_SLICE_EMPTY, &raw));
    LH_CLEANUP(lh_buf_fini) struct lh_buf base = LH_BUF_EMPTY;
    assert_status(lh_http_signature_base(&without_target, &raw, &base), LH_MALFORMED);

    request = rfc_request();
    request.authority = "user@example.com";
    assert_no_line(request, "@authority");
    request.authority = "";
    assert_no_line(request, "@authority");
    request.method = "";
    assert_no_line(request, "@method");
}

static void test_signature_base__parameters_are_written_in_canonical_form(void **state)
{
    (void)state;
    struct test_request request = rfc_request();
    add_header(&request, "Signature-Input",
               "  a=(  \"@method\"   \"date\" ); created=0001;  tag=\"x\\\"y\"; expires=2");
    add_header(&request, "Signature", "a=:AA==:");
    assert_base(&request, "\"@method\": POST\n"
                          "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                          "\"@signature-params\": (\"@method\" \"date\");created=1;tag=\"x\\\"y\""
                          ";expires=2");
}

static void test_signature_base__has_a_bound(void **state)
{
    (void)state;
    struct test_request request = rfc_request();
    char long_value[2048];
    memset(long_value, 'x', sizeof(long_value) - 1);
    long_value[sizeof(long_value) - 1] = 0;
    add_header(&request, "X-Long", long_value);
    LH_CLEANUP(lh_buf_fini) struct lh_buf base = lh_buf_bounded(2048);
    assert_status(line_of(request, "x-long", &base), LH_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature_base__is_that_of_rfc_9421_b_2_1),
        cmocka_unit_test(test_signature_base__is_that_of_rfc_9421_b_2_3),
        cmocka_unit_test(test_signature_base__and_mac_are_those_of_rfc_9421_b_2_5),
        cmocka_unit_test(test_signature_base__and_signature_are_those_of_rfc_9421_b_2_6),
        cmocka_unit_test(test_signature_base__fields_are_combined_and_trimmed),
        cmocka_unit_test(test_signature_base__derived_components_are_normalised),
        cmocka_unit_test(test_signature_base__only_the_scheme_s_port_is_left_out),
        cmocka_unit_test(test_signature_base__other_components_are_refused),
        cmocka_unit_test(test_signature_base__no_value_can_pass_for_two_lines),
        cmocka_unit_test(test_signature_base__targets_of_other_forms_are_refused),
        cmocka_unit_test(test_signature_base__parameters_are_written_in_canonical_form),
        cmocka_unit_test(test_signature_base__has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
