/*
 * What may be an issuer, and which two tenants of one issuer are told apart.
 */
#include "support/test.h"

#include "tenant/issuer.h"

#define TEXT(text) lh_slice_from_text(text)

struct subject {
    struct lh_issuer issuer;
    struct lh_verify_key keys[LH_ISSUER_KEYS_MAX + 1];
    lh_slice audiences[LH_ISSUER_AUDIENCES_MAX + 1];
    uint8_t bytes[LH_PUBLIC_MATERIAL_MAX_BYTES + 1];
};

static void make(struct subject *subject)
{
    memset(subject, 0, sizeof(*subject));
    subject->keys[0] = (struct lh_verify_key){
        .kid = TEXT("k"), .algorithm = LH_ES256, .material = lh_slice_of(subject->bytes, 64)};
    subject->issuer = (struct lh_issuer){.iss = TEXT("https://idp.example"),
                                         .bind_claim = TEXT("tenant_id"),
                                         .audiences = subject->audiences,
                                         .skew_s = LH_TOKEN_SKEW_MAX_S,
                                         .keys = subject->keys,
                                         .key_count = 1};
}

static void test_issuer_check__texts_have_bounds_and_no_control_characters(void **state)
{
    (void)state;
    static char text[LH_ISSUER_TEXT_MAX_BYTES + 2];
    memset(text, 'x', LH_ISSUER_TEXT_MAX_BYTES + 1);
    static const char *const bad[] = {"a\nb",
                                      "a\x7f",
                                      "\xff",
                                      "\xc3",
                                      "a\xc2\x85",
                                      "a\xc2\x9b"
                                      "31m",
                                      "a\u061c",
                                      "a\xe2\x80\x8e",
                                      "a\xe2\x80\xa8",
                                      "a\xe2\x80\xae",
                                      "a\u2066",
                                      "a\u2069",
                                      text};
    struct subject subject;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        lh_slice *const places[] = {&subject.issuer.iss, &subject.issuer.bind_claim,
                                    &subject.issuer.bind_value, &subject.issuer.typ,
                                    &subject.audiences[0]};
        for (size_t j = 0; j < sizeof(places) / sizeof(places[0]); j++) {
            make(&subject);
            subject.audiences[0] = TEXT("api");
            subject.issuer.audience_count = 1;
            assert_ok(lh_issuer_check(&subject.issuer));
            *places[j] = TEXT(bad[i]);
            assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
        }
    }
    make(&subject);
    subject.issuer.iss = LH_SLICE_EMPTY;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
    subject.issuer.iss = TEXT("https://\xc3\xbc.example/\u20ac\U0001f511\u00a0");
    assert_ok(lh_issuer_check(&subject.issuer));
    subject.issuer.iss = lh_slice_of(text, LH_ISSUER_TEXT_MAX_BYTES);
    assert_ok(lh_issuer_check(&subject.issuer));
    subject.issuer.is_own = true;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
    make(&subject);
    subject.issuer.skew_s++;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
}

static void test_issuer_check__tokens_are_bound_by_a_claim_or_an_audience(void **state)
{
    (void)state;
    struct subject subject;
    make(&subject);
    subject.issuer.bind_claim = LH_SLICE_EMPTY;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
    subject.audiences[0] = TEXT("api");
    subject.issuer.audience_count = 1;
    assert_ok(lh_issuer_check(&subject.issuer));
    subject.issuer.bind_value = TEXT("acme"); /* of which claim? */
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
}

static void test_issuer_check__audiences_are_few_and_each_is_there_once(void **state)
{
    (void)state;
    static const char names[] = "abcdefghijklmnopqrstuvwxyz";
    struct subject subject;
    make(&subject);
    for (size_t i = 0; i <= LH_ISSUER_AUDIENCES_MAX; i++) {
        subject.audiences[i] = lh_slice_of(names + i, 1);
    }
    subject.issuer.audience_count = LH_ISSUER_AUDIENCES_MAX;
    assert_ok(lh_issuer_check(&subject.issuer));
    subject.issuer.audience_count++;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
    subject.issuer.audience_count = 3;
    subject.audiences[2] = subject.audiences[0];
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
    subject.audiences[2] = LH_SLICE_EMPTY;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
}

static void test_issuer_check__keys_are_few_and_each_kid_is_there_once(void **state)
{
    (void)state;
    static const char kids[LH_ISSUER_KEYS_MAX + 2] = "abcdefghijklmnopqrstuvwxyzABCDEFG";
    struct subject subject;
    make(&subject);
    for (size_t i = 0; i <= LH_ISSUER_KEYS_MAX; i++) {
        subject.keys[i] = subject.keys[0];
        subject.keys[i].kid = lh_slice_of(kids + i, 1);
    }
    subject.issuer.key_count = 0;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
    subject.issuer.key_count = LH_ISSUER_KEYS_MAX;
    assert_ok(lh_issuer_check(&subject.issuer));
    subject.issuer.key_count++;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
    subject.issuer.key_count = 2;
    subject.keys[1].kid = subject.keys[0].kid;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
    subject.keys[1].kid = LH_SLICE_EMPTY;
    assert_status(lh_issuer_check(&subject.issuer), LH_INVALID);
}

static void assert_material(enum lh_algorithm algorithm, size_t len, uint16_t modulus,
                            enum lh_code expected)
{
    struct subject subject;
    make(&subject);
    subject.bytes[0] = (uint8_t)(modulus >> 8);
    subject.bytes[1] = (uint8_t)modulus;
    subject.keys[0].algorithm = algorithm;
    subject.keys[0].material = lh_slice_of(subject.bytes, len);
    assert_status(lh_issuer_check(&subject.issuer), expected);
}

static void test_issuer_check__material_has_the_length_of_its_algorithm(void **state)
{
    (void)state;
    assert_material(LH_ES256, 63, 0, LH_INVALID);
    assert_material(LH_ES256, 65, 0, LH_INVALID);
    assert_material(LH_EDDSA, 32, 0, LH_OK);
    assert_material(LH_EDDSA, 64, 0, LH_INVALID);
    assert_material((enum lh_algorithm)5, 64, 0, LH_INVALID);
    assert_material((enum lh_algorithm)0, 64, 0, LH_INVALID);
    assert_material(LH_RS256, 2 + 256 + 3, 256, LH_OK);
    assert_material(LH_PS256, 2 + 1024 + 5, 1024, LH_OK);
    assert_material(LH_RS256, 2 + 255 + 3, 255, LH_INVALID);
    assert_material(LH_RS256, 2 + 1025 + 4, 1025, LH_INVALID);
    assert_material(LH_RS256, 2 + 256 + 2, 256, LH_INVALID);
    assert_material(LH_RS256, 2 + 256 + 6, 256, LH_INVALID);
    assert_material(LH_RS256, 1, 256, LH_INVALID);
    assert_material(LH_RS256, 258, 300, LH_INVALID);
}

/* Two rows of one iss: claim, value, audience. */
static bool are_told_apart(const char *claim_one, const char *value_one, const char *audience_one,
                           const char *claim_two, const char *value_two, const char *audience_two)
{
    lh_slice audience[2] = {TEXT(audience_one), TEXT(audience_two)};
    const struct lh_issuer one = {.is_shared = true,
                                  .bind_claim = TEXT(claim_one),
                                  .bind_value = TEXT(value_one),
                                  .audiences = &audience[0],
                                  .audience_count = audience[0].len > 0 ? 1 : 0};
    const struct lh_issuer two = {.is_shared = true,
                                  .bind_claim = TEXT(claim_two),
                                  .bind_value = TEXT(value_two),
                                  .audiences = &audience[1],
                                  .audience_count = audience[1].len > 0 ? 1 : 0};
    bool is_told = lh_issuer_is_told_from(&one, &two);
    assert_int_equal(is_told, lh_issuer_is_told_from(&two, &one));
    return is_told;
}

static void test_issuer_is_told_from__by_one_claim_or_by_audiences(void **state)
{
    (void)state;
    assert_true(are_told_apart("org", "a", "", "org", "b", ""));
    assert_true(are_told_apart("org", "", "", "org", "", ""));
    assert_true(are_told_apart("", "", "x", "", "", "y"));
    assert_true(are_told_apart("org", "a", "x", "org", "b", "x"));
    assert_false(are_told_apart("org", "a", "x", "org", "a", "y"));
    assert_false(are_told_apart("org", "a", "", "org", "", "")); /* somebody may be called "a" */
    assert_false(are_told_apart("org", "a", "x", "sub", "b", "y"));
    assert_false(are_told_apart("org", "a", "x", "", "", "y"));
    assert_false(are_told_apart("", "", "x", "", "", "x"));
    assert_false(are_told_apart("", "", "", "", "", "y"));
}

static void test_issuer_is_told_from__both_must_say_that_they_share(void **state)
{
    (void)state;
    struct lh_issuer one = {.is_shared = true, .bind_claim = TEXT("org"), .bind_value = TEXT("a")};
    struct lh_issuer two = {.bind_claim = TEXT("org"), .bind_value = TEXT("b")};
    assert_false(lh_issuer_is_told_from(&one, &two));
    assert_false(lh_issuer_is_told_from(&two, &one));
    two.is_shared = true;
    assert_true(lh_issuer_is_told_from(&one, &two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issuer_check__texts_have_bounds_and_no_control_characters),
        cmocka_unit_test(test_issuer_check__tokens_are_bound_by_a_claim_or_an_audience),
        cmocka_unit_test(test_issuer_check__audiences_are_few_and_each_is_there_once),
        cmocka_unit_test(test_issuer_check__keys_are_few_and_each_kid_is_there_once),
        cmocka_unit_test(test_issuer_check__material_has_the_length_of_its_algorithm),
        cmocka_unit_test(test_issuer_is_told_from__by_one_claim_or_by_audiences),
        cmocka_unit_test(test_issuer_is_told_from__both_must_say_that_they_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
