/*
 * Keys of request signatures: registered names, ids that need no escapes, and keys whose time is
 * over.
 */
#include "support/test.h"

#include "tenant/signature_key.h"

static void test_signature_key__algorithms_have_their_registered_names(void **state)
{
    (void)state;
    enum lh_http_signature_algorithm algorithm;
    assert_string_equal(lh_http_signature_algorithm_name(LH_HTTP_HMAC_SHA256), "hmac-sha256");
    assert_string_equal(lh_http_signature_algorithm_name(LH_HTTP_ED25519), "ed25519");
    assert_null(lh_http_signature_algorithm_name((enum lh_http_signature_algorithm)0));
    assert_ok(lh_http_signature_algorithm_parse(LH_SLICE_LITERAL("ed25519"), &algorithm));
    assert_int_equal(algorithm, LH_HTTP_ED25519);
    assert_ok(lh_http_signature_algorithm_parse(LH_SLICE_LITERAL("hmac-sha256"), &algorithm));
    assert_int_equal(algorithm, LH_HTTP_HMAC_SHA256);
    static const char *const others[] = {"",     "Ed25519",  "HMAC-SHA256",    "hmac-sha256 ",
                                         "none", "ed255190", "rsa-pss-sha512", "EdDSA"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_status(lh_http_signature_algorithm_parse(lh_slice_from_text(others[i]), &algorithm),
                      LH_MALFORMED);
    }
}

static void test_signature_key__ids_need_no_escapes(void **state)
{
    (void)state;
    char longest[LH_SIGNATURE_KEY_ID_MAX_BYTES + 2];
    memset(longest, 'k', sizeof(longest));
    assert_true(lh_signature_key_id_is_valid(lh_slice_of(longest, sizeof(longest) - 2)));
    assert_false(lh_signature_key_id_is_valid(lh_slice_of(longest, sizeof(longest) - 1)));
    static const char *const good[] = {"k", "sig-abc234", "urn:x:y/z?#'{}~!"};
    static const char *const bad[] = {"", "a b", "a\"b", "a\\b", "a\x7f", "a\n", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(lh_signature_key_id_is_valid(lh_slice_from_text(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(lh_signature_key_id_is_valid(lh_slice_from_text(bad[i])));
    }
    assert_false(lh_signature_key_id_is_valid(LH_SLICE_LITERAL("a\0b")));
}

static void test_signature_key__is_found_by_its_exact_id_until_its_time_is_over(void **state)
{
    (void)state;
    const struct lh_signature_key keys[] = {
        {.key_id = LH_SLICE_LITERAL("old"), .until_ms = 1000},
        {.key_id = LH_SLICE_LITERAL("open")},
    };
    assert_ptr_equal(lh_signature_keys_find(keys, 2, LH_SLICE_LITERAL("open"), UINT64_MAX),
                     &keys[1]);
    assert_ptr_equal(lh_signature_keys_find(keys, 2, LH_SLICE_LITERAL("old"), 999), &keys[0]);
    assert_null(lh_signature_keys_find(keys, 2, LH_SLICE_LITERAL("old"), 1000));
    assert_null(lh_signature_keys_find(keys, 2, LH_SLICE_LITERAL("Open"), 0));
    assert_null(lh_signature_keys_find(keys, 2, LH_SLICE_LITERAL("ope"), 0));
    assert_null(lh_signature_keys_find(keys, 1, LH_SLICE_LITERAL("open"), 0));
    assert_null(lh_signature_keys_find(NULL, 0, LH_SLICE_EMPTY, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature_key__algorithms_have_their_registered_names),
        cmocka_unit_test(test_signature_key__ids_need_no_escapes),
        cmocka_unit_test(test_signature_key__is_found_by_its_exact_id_until_its_time_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
