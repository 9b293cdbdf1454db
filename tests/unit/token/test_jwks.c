/*
 * Sets of keys as issuers publish them, and as we publish ours.
 */
#include "jwk_fixture.h"

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
