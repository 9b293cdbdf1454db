/*
 * Content-Digest: the example of RFC 9530, and that a body is held against every hash that counts,
 * however it is cut.
 */
#include "support/test.h"

#include "token/content_digest.h"

#define BODY LH_SLICE_LITERAL("{\"hello\": \"world\"}")
/* RFC 9421 appendix B.2 and RFC 9530 appendix D: of BODY. */
#define SHA256 "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
#define SHA512                                                                                     \
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWX"   \
    "vJwew==:"
/* Of something else. */
#define OTHER256 "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static lh_status read_field(const char *line, struct lh_content_digest *digest)
{
    lh_slice text = lh_slice_from_text(line);
    return lh_content_digest_read(&text, 1, digest);
}

/* What a body in two pieces comes to. */
static lh_status hold(struct lh_crypto *crypto, const char *field, lh_slice body, size_t cut)
{
    struct lh_content_digest expected;
    LH_TRY(read_field(field, &expected));
    LH_CLEANUP(lh_body_digest_fini) struct lh_body_digest digest = LH_BODY_DIGEST_EMPTY;
    LH_TRY(lh_body_digest_begin(crypto, &expected, &digest));
    LH_TRY(lh_body_digest_update(&digest, lh_slice_cut(body, 0, cut)));
    LH_TRY(lh_body_digest_update(&digest, lh_slice_cut(body, cut, body.len)));
    return lh_body_digest_finish(&digest);
}

static void test_content_digest__of_the_standard_holds_however_the_body_is_cut(void **state)
{
    static const char *const fields[] = {SHA256, SHA512, SHA256 ", " SHA512, SHA512 "," SHA256,
                                         "md5=:Sd/dVLAcvNLSq16eXua5uQ==:, " SHA256 ", x=(1 2)"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        for (size_t cut = 0; cut <= BODY.len; cut++) {
            assert_ok(hold(*state, fields[i], BODY, cut));
        }
    }
}

static void test_content_digest__lines_are_one_field(void **state)
{
    lh_slice lines[] = {LH_SLICE_LITERAL(SHA256), LH_SLICE_LITERAL(SHA512)};
    struct lh_content_digest expected;
    assert_ok(lh_content_digest_read(lines, 2, &expected));
    assert_true(expected.has_sha256 && expected.has_sha512);
    LH_CLEANUP(lh_body_digest_fini) struct lh_body_digest digest = LH_BODY_DIGEST_EMPTY;
    assert_ok(lh_body_digest_begin(*state, &expected, &digest));
    assert_ok(lh_body_digest_update(&digest, BODY));
    assert_ok(lh_body_digest_finish(&digest));
}

static void test_content_digest__of_another_body_does_not_hold(void **state)
{
    static const char *const fields[] = {SHA256, SHA512, OTHER256, OTHER256 ", " SHA512};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        bool is_of_other = i >= 2;
        assert_status(hold(*state, fields[i], is_of_other ? BODY : LH_SLICE_LITERAL("{}"), 0),
                      LH_MISMATCH);
    }
    assert_status(hold(*state, SHA256, lh_slice_cut(BODY, 0, BODY.len - 1), 3), LH_MISMATCH);
    assert_status(hold(*state, SHA256, LH_SLICE_EMPTY, 0), LH_MISMATCH);
    assert_ok(hold(*state, OTHER256, LH_SLICE_EMPTY, 0));
}

static void test_content_digest__without_a_hash_that_counts_is_none(void **state)
{
    (void)state;
    struct lh_content_digest digest;
    assert_status(read_field("md5=:Sd/dVLAcvNLSq16eXua5uQ==:", &digest), LH_ABSENT);
    assert_status(read_field("SHA-256=:AA==:", &digest), LH_MALFORMED);
    assert_status(lh_content_digest_read(NULL, 0, &digest), LH_ABSENT);
}

static void test_content_digest__of_another_form_is_malformed(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "",
        "sha-256",
        "sha-256=1",
        "sha-256=\"X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=\"",
        "sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE",
        "sha-256=(:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:)",
        SHA256 ";q=1",
        "sha-256=::",
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBA==:", /* 31 bytes */
        "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPEA:", /* 33 bytes */
        "sha-512=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", /* 32 bytes */
        SHA512 ", sha-256=:AA==:",
    };
    struct lh_content_digest digest;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        assert_status(read_field(fields[i], &digest), LH_MALFORMED);
    }
    assert_status(read_field(SHA256 ", " OTHER256, &digest), LH_DUPLICATE);
}

static void test_body_digest__never_holds_without_a_question(void **state)
{
    struct lh_content_digest nothing = {.has_sha256 = false};
    struct lh_body_digest digest = LH_BODY_DIGEST_EMPTY;
    assert_status(lh_body_digest_begin(*state, &nothing, &digest), LH_INVALID);
    assert_status(lh_body_digest_finish(&digest), LH_INVALID);
    lh_body_digest_fini(&digest);
}

static void test_body_digest__ends_once_and_may_be_dropped_anywhere(void **state)
{
    struct lh_content_digest expected;
    assert_ok(read_field(SHA256, &expected));
    struct lh_body_digest digest;
    assert_ok(lh_body_digest_begin(*state, &expected, &digest));
    assert_ok(lh_body_digest_update(&digest, BODY));
    assert_ok(lh_body_digest_finish(&digest));
    assert_status(lh_body_digest_finish(&digest), LH_INVALID);
    lh_body_digest_fini(&digest);
    lh_body_digest_fini(&digest);
    assert_ok(lh_body_digest_begin(*state, &expected, &digest));
    lh_body_digest_fini(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_digest__of_the_standard_holds_however_the_body_is_cut),
        cmocka_unit_test(test_content_digest__lines_are_one_field),
        cmocka_unit_test(test_content_digest__of_another_body_does_not_hold),
        cmocka_unit_test(test_content_digest__without_a_hash_that_counts_is_none),
        cmocka_unit_test(test_content_digest__of_another_form_is_malformed),
        cmocka_unit_test(test_body_digest__never_holds_without_a_question),
        cmocka_unit_test(test_body_digest__ends_once_and_may_be_dropped_anywhere),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
