/*
 * Which texts are a signature at all: one label, nothing twice, nothing that we do not know.
 */
#include "signed_request.h"

#define SIGNATURE "sig=:AA==:"

/* Reads a request that has these two headers; NULL: it has none. */
static lh_status read_label(const char *input, const char *signature, const char *label,
                            struct lh_raw_http_signature *raw)
{
    struct test_request request = {
        .method = "GET", .scheme = "https", .authority = "example.com", .target = "/"};
    if (input != NULL) {
        add_header(&request, "signature-INPUT", input);
    }
    if (signature != NULL) {
        add_header(&request, "Signature", signature);
    }
    struct lh_signed_request signed_request = signed_request_of(&request);
    return lh_http_signature_read(&signed_request, lh_slice_from_text(label), raw);
}

static lh_status read_input(const char *input)
{
    struct lh_raw_http_signature raw;
    return read_label(input, SIGNATURE, "", &raw);
}

/* --- What is read ----------------------------------------------------------------------------- */

static void test_http_signature_read__gives_all_that_was_said(void **state)
{
    (void)state;
    struct lh_raw_http_signature raw;
    assert_ok(read_label("sig1=(\"@method\" \"x-a\");alg=\"ed25519\";keyid=\"k\";nonce=\"n\""
                         ";tag=\"t\";created=5;expires=6",
                         "sig1=:aGVsbG8=:", "", &raw));
    assert_slice_text(raw.label, "sig1");
    assert_int_equal(raw.component_count, 2);
    assert_slice_text(raw.components[0], "@method");
    assert_true(lh_http_signature_covers(&raw, LH_SLICE_LITERAL("x-a")));
    assert_false(lh_http_signature_covers(&raw, LH_SLICE_LITERAL("X-A")));
    assert_slice_text(raw.algorithm, "ed25519");
    assert_slice_text(raw.key_id, "k");
    assert_slice_text(raw.nonce, "n");
    assert_slice_text(raw.tag, "t");
    assert_true(raw.has_created && raw.has_expires);
    assert_int_equal(raw.created_s, 5);
    assert_int_equal(raw.expires_s, 6);
    assert_slice_text(lh_slice_of(raw.bytes, raw.len), "hello");
}

static void test_http_signature_read__nothing_said_is_nothing_read(void **state)
{
    (void)state;
    struct lh_raw_http_signature raw;
    assert_ok(read_label("s=()", "s=:AA==:", "", &raw));
    assert_int_equal(raw.component_count, 0);
    assert_false(raw.has_created || raw.has_expires);
    assert_int_equal(raw.key_id.len + raw.nonce.len + raw.algorithm.len + raw.tag.len, 0);
}

/* --- Labels ----------------------------------------------------------------------------------- */

static void test_http_signature_read__without_a_label_there_is_one(void **state)
{
    (void)state;
    struct lh_raw_http_signature raw;
    assert_status(read_label("a=(), b=()", "a=:AA==:, b=:AA==:", "", &raw), LH_DUPLICATE);
    assert_status(read_label("a=(), b=()", "a=:AA==:", "", &raw), LH_DUPLICATE);
    assert_status(read_label("a=()", "a=:AA==:, b=:AA==:", "", &raw), LH_DUPLICATE);
    assert_status(read_label("a=()", "b=:AA==:", "", &raw), LH_MALFORMED);
    assert_status(read_label("a=(), a=()", "a=:AA==:", "", &raw), LH_DUPLICATE);
}

static void test_http_signature_read__with_a_label_others_do_not_count(void **state)
{
    (void)state;
    struct lh_raw_http_signature raw;
    assert_ok(read_label("a=(\"date\";sf);x=1, b=()", "c=:AA==:, b=:AQ==:", "b", &raw));
    assert_slice_text(raw.label, "b");
    assert_int_equal(raw.bytes[0], 1);
    assert_status(read_label("a=(), b=()", "a=:AA==:, b=:AA==:", "c", &raw), LH_ABSENT);
    assert_status(read_label("a=(), b=()", "a=:AA==:", "b", &raw), LH_MALFORMED);
    /* They are of the same field all the same. */
    assert_status(read_label("a=(, b=()", "b=:AA==:", "b", &raw), LH_MALFORMED);
}

static void test_http_signature_read__lines_are_one_field(void **state)
{
    (void)state;
    struct test_request request = {.method = "GET",
                                   .scheme = "https",
                                   .authority = "example.com",
                                   .target = "/",
                                   .headers = {{"Signature", "a=:AA==:"},
                                               {"Signature-Input", "a=()"},
                                               {"Signature-Input", "b=(\"date\")"},
                                               {"Signature", "b=:AQ==:"}}};
    struct lh_signed_request signed_request = signed_request_of(&request);
    struct lh_raw_http_signature raw;
    assert_ok(lh_http_signature_read(&signed_request, LH_SLICE_LITERAL("b"), &raw));
    assert_int_equal(raw.component_count, 1);
    assert_status(lh_http_signature_read(&signed_request, LH_SLICE_EMPTY, &raw), LH_DUPLICATE);
    for (size_t i = 0; i < LH_HTTP_SIGNATURE_LINES_MAX; i++) {
        add_header(&request, "Signature", "c=:AQ==:");
    }
    assert_status(lh_http_signature_read(&signed_request, LH_SLICE_LITERAL("b"), &raw),
                  LH_TOO_LARGE);
}

static void test_http_signature_read__one_header_alone_is_no_signature(void **state)
{
    (void)state;
    struct lh_raw_http_signature raw;
    assert_status(read_label(NULL, NULL, "", &raw), LH_ABSENT);
    assert_status(read_label(NULL, NULL, "a", &raw), LH_ABSENT);
    assert_status(read_label("a=()", NULL, "", &raw), LH_MALFORMED);
    assert_status(read_label(NULL, "a=:AA==:", "", &raw), LH_MALFORMED);
    assert_status(read_label("", "", "", &raw), LH_MALFORMED);
}

/* --- What is refused -------------------------------------------------------------------------- */

static void test_http_signature_read__components_have_no_parameters(void **state)
{
    (void)state;
    static const char *const inputs[] = {
        "sig=(\"@method\";req)",  "sig=(\"x-dict\";key=\"a\")",
        "sig=(\"x-list\";sf)",    "sig=(\"x-list\";bs)",
        "sig=(\"x-trailer\";tr)", "sig=(\"@query-param\";name=\"Pet\")",
        "sig=(\"date\";x=?0)",
    };
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        assert_status(read_input(inputs[i]), LH_MALFORMED);
    }
}

static void test_http_signature_read__components_are_lower_case_strings_and_come_once(void **state)
{
    (void)state;
    static const char *const inputs[] = {
        "sig=(date)",          "sig=(1)",
        "sig=(:AA==:)",        "sig=(\"\")",
        "sig=(\"Date\")",      "sig=(\"@\")",
        "sig=(\"da te\")",     "sig=(\"da:te\")",
        "sig=(\"signature\")", "sig=(\"signature-input\")",
    };
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        assert_status(read_input(inputs[i]), LH_MALFORMED);
    }
    assert_status(read_input("sig=(\"date\" \"host\" \"date\")"), LH_DUPLICATE);
    assert_status(read_input("sig=(\"@path\" \"@path\")"), LH_DUPLICATE);
}

static void test_http_signature_read__components_are_bounded(void **state)
{
    (void)state;
    char input[1024] = "sig=(";
    for (unsigned i = 0; i < LH_HTTP_SIGNATURE_COMPONENTS_MAX; i++) {
        (void)snprintf(input + strlen(input), 16, "\"x-%u\" ", i);
    }
    size_t len = strlen(input);
    memcpy(input + len, ")", 2);
    assert_ok(read_input(input));
    memcpy(input + len, "\"y\")", 5);
    assert_status(read_input(input), LH_TOO_LARGE);
}

static void test_http_signature_read__parameters_are_those_that_we_know(void **state)
{
    (void)state;
    static const char *const inputs[] = {
        "sig=();x=1",          "sig=();Created=1",  "sig=();created",    "sig=();created=\"1\"",
        "sig=();created=1.0",  "sig=();created=-1", "sig=();expires=?1", "sig=();nonce=n",
        "sig=();nonce=:AA==:", "sig=();nonce=\"\"", "sig=();keyid=k",    "sig=();keyid=\"\"",
        "sig=();alg=ed25519",  "sig=();tag=1",      "sig=\"@method\"",   "sig",
    };
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        assert_status(read_input(inputs[i]), LH_MALFORMED);
    }
    assert_status(read_input("sig=();created=1;created=2"), LH_DUPLICATE);
    assert_status(read_input("sig=();keyid=\"a\";keyid=\"a\""), LH_DUPLICATE);
}

static void test_http_signature_read__names_are_bounded(void **state)
{
    (void)state;
    char input[256];
    const int most = (int)LH_HTTP_SIGNATURE_NAME_MAX_BYTES;
    (void)snprintf(input, sizeof(input), "sig=();keyid=\"%0*d\"", most, 0);
    assert_ok(read_input(input));
    (void)snprintf(input, sizeof(input), "sig=();keyid=\"%0*d\"", most + 1, 0);
    assert_status(read_input(input), LH_TOO_LARGE);
    (void)snprintf(input, sizeof(input), "sig=();nonce=\"%0*d\"", most + 1, 0);
    assert_status(read_input(input), LH_TOO_LARGE);
}

static void test_http_signature_read__bytes_are_one_bare_sequence(void **state)
{
    (void)state;
    struct lh_raw_http_signature raw;
    static const char *const signatures[] = {"sig",          "sig=\"AA==\"", "sig=(:AA==:)",
                                             "sig=:AA==:;x", "sig=AA",       "sig=:AA:"};
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        assert_status(read_label("sig=()", signatures[i], "", &raw), LH_MALFORMED);
    }
    /* 66 bytes: longer than that of any algorithm of ours. */
    assert_status(
        read_label("sig=()",
                   "sig=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                   "AAAAAAAAAAAAAAAAAAAAAA:",
                   "", &raw),
        LH_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_signature_read__gives_all_that_was_said),
        cmocka_unit_test(test_http_signature_read__nothing_said_is_nothing_read),
        cmocka_unit_test(test_http_signature_read__without_a_label_there_is_one),
        cmocka_unit_test(test_http_signature_read__with_a_label_others_do_not_count),
        cmocka_unit_test(test_http_signature_read__lines_are_one_field),
        cmocka_unit_test(test_http_signature_read__one_header_alone_is_no_signature),
        cmocka_unit_test(test_http_signature_read__components_have_no_parameters),
        cmocka_unit_test(test_http_signature_read__components_are_lower_case_strings_and_come_once),
        cmocka_unit_test(test_http_signature_read__components_are_bounded),
        cmocka_unit_test(test_http_signature_read__parameters_are_those_that_we_know),
        cmocka_unit_test(test_http_signature_read__names_are_bounded),
        cmocka_unit_test(test_http_signature_read__bytes_are_one_bare_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
