/*
 * Tenant ids and uids: T12-T15, T26 of the abuse cases at unit level.
 */
#include "support/test.h"

#include "tenant/tenant_id.h"

static lh_status parse(const char *text, struct lh_tenant_id *out_id)
{
    return lh_tenant_id_parse(lh_slice_from_text(text), out_id);
}

static lh_status parse_new(const char *text)
{
    struct lh_tenant_id id;
    return lh_tenant_id_parse_new(lh_slice_from_text(text), &id);
}

static void test_tenant_id_parse__takes_the_grammar(void **state)
{
    (void)state;
    static const char *const good[] = {"acme",
                                       "a-b-c",
                                       "0000",
                                       "----",
                                       "-abc",
                                       "xn--abc",
                                       "abcdefghijklmnopqrstuvwxyz0123456789",
                                       "123e4567-e89b-12d3-a456-426614174000"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct lh_tenant_id id;
        assert_ok(parse(good[i], &id));
        assert_slice_text(lh_tenant_id_view(&id), good[i]);
    }
}

static void test_tenant_id_parse__folds_ascii_case_once(void **state)
{
    (void)state;
    struct lh_tenant_id upper, lower;
    assert_ok(parse("ACME-North9", &upper));
    assert_ok(parse("acme-north9", &lower));
    assert_true(lh_tenant_id_is_equal(&upper, &lower));
    assert_slice_text(lh_tenant_id_view(&upper), "acme-north9");
}

static void test_tenant_id_parse__refuses_lengths_outside_4_to_36(void **state)
{
    (void)state;
    struct lh_tenant_id id;
    assert_status(parse("", &id), LH_MALFORMED);
    assert_status(parse("abc", &id), LH_MALFORMED);
    assert_status(parse("abcdefghijklmnopqrstuvwxyz01234567890", &id), LH_MALFORMED);
    assert_status(lh_tenant_id_parse(LH_SLICE_EMPTY, &id), LH_MALFORMED);
}

static void test_tenant_id_parse__refuses_a_mebibyte_without_reading_it(void **state)
{
    (void)state;
    struct lh_tenant_id id;
    /* The pointer would fault if a single byte were read. */
    assert_status(lh_tenant_id_parse(lh_slice_of((const void *)(uintptr_t)1, 1U << 20), &id),
                  LH_MALFORMED);
}

static void test_tenant_id_parse__refuses_every_other_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool is_good = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-';
        for (size_t at = 0; at < 4; at++) {
            uint8_t text[4] = {'a', 'c', 'm', 'e'};
            text[at] = (uint8_t)byte;
            struct lh_tenant_id id;
            assert_status(lh_tenant_id_parse(LH_SLICE_OF(text), &id),
                          is_good ? LH_OK : LH_MALFORMED);
        }
    }
}

static void test_tenant_id_parse__decodes_and_trims_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"%61cme",
                                      "a%2fbcd",
                                      "acme%00",
                                      " acme",
                                      "acme ",
                                      "acme\t",
                                      "ac me",
                                      "\xef\xbd\x81"
                                      "cme",
                                      "\xd0\xb0"
                                      "cme",
                                      "acme\xe2\x80\x8b",
                                      "acme\xc2\x85",
                                      "acme\r\n b",
                                      "acme,acme",
                                      "acme;",
                                      "..acme",
                                      "a.acme",
                                      "_system",
                                      "acme/..",
                                      "*acme"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lh_tenant_id id;
        assert_status(parse(bad[i], &id), LH_MALFORMED);
    }
    struct lh_tenant_id id;
    assert_status(lh_tenant_id_parse(LH_SLICE_LITERAL("acme\0x"), &id), LH_MALFORMED);
}

static void test_tenant_id_parse__leaves_the_output_alone_on_failure(void **state)
{
    (void)state;
    struct lh_tenant_id id;
    assert_ok(parse("acme", &id));
    assert_status(parse("glob_x", &id), LH_MALFORMED);
    assert_slice_text(lh_tenant_id_view(&id), "acme");
}

static void test_tenant_id_parse_new__refuses_hyphens_at_the_ends_and_a_labels(void **state)
{
    (void)state;
    assert_ok(parse_new("ac-me"));
    assert_status(parse_new("-acme"), LH_MALFORMED);
    assert_status(parse_new("acme-"), LH_MALFORMED);
    assert_status(parse_new("xn--acme"), LH_MALFORMED);
    assert_status(parse_new("XN--acme"), LH_MALFORMED);
    assert_ok(parse_new("axn--acme"));
    assert_status(parse_new("abc"), LH_MALFORMED);
}

static void test_tenant_id_parse_new__refuses_what_could_be_a_uid(void **state)
{
    (void)state;
    assert_status(parse_new("0123456789abcdef0123456789abcdef"), LH_MALFORMED);
    assert_status(parse_new("0123456789ABCDEF0123456789ABCDEF"), LH_MALFORMED);
    assert_ok(parse_new("0123456789abcdef0123456789abcde"));
    assert_ok(parse_new("0123456789abcdef0123456789abcdef0"));
    assert_ok(parse_new("0123456789abcdef0123456789abcdeg"));
}

static void test_tenant_id_parse_new__refuses_reserved_words_in_any_case(void **state)
{
    (void)state;
    static const char *const reserved[] = {"default", "admin",   "system", "localhost",
                                           "wpad",    "Default", "ROOT",   "null"};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        assert_status(parse_new(reserved[i]), LH_RESERVED);
    }
    assert_ok(parse_new("default-1"));
    assert_ok(parse_new("acme"));
    assert_ok(parse_new("globex"));
}

static void test_tenant_id_reserved_reason__tells_why(void **state)
{
    (void)state;
    struct lh_tenant_id id;
    assert_ok(parse("default", &id));
    assert_string_equal(lh_tenant_id_reserved_reason(&id), "there is no default tenant");
    assert_ok(parse("acme", &id));
    assert_null(lh_tenant_id_reserved_reason(&id));
}

static void test_tenant_uid__survives_writing_and_reading(void **state)
{
    (void)state;
    struct lh_tenant_uid uid, back;
    for (size_t i = 0; i < sizeof(uid.bytes); i++) {
        uid.bytes[i] = (uint8_t)(i * 17U);
    }
    char text[LH_TENANT_UID_TEXT_BYTES];
    lh_tenant_uid_write(&uid, text);
    assert_slice_text(lh_slice_of(text, sizeof(text)), "00112233445566778899aabbccddeeff");
    assert_ok(lh_tenant_uid_parse(lh_slice_of(text, sizeof(text)), &back));
    assert_true(lh_tenant_uid_is_equal(&uid, &back));
    back.bytes[15] ^= 1;
    assert_false(lh_tenant_uid_is_equal(&uid, &back));
}

static void test_tenant_uid_parse__is_canonical(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "00112233445566778899aabbccddeef",
                                      "00112233445566778899aabbccddeeff0",
                                      "00112233445566778899AABBCCDDEEFF",
                                      "0011223344556677-899aabbccddeeff",
                                      "g0112233445566778899aabbccddeeff",
                                      "0g112233445566778899aabbccddeeff",
                                      "00112233445566778899aabbccddeefg"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lh_tenant_uid uid;
        assert_status(lh_tenant_uid_parse(lh_slice_from_text(bad[i]), &uid), LH_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tenant_id_parse__takes_the_grammar),
        cmocka_unit_test(test_tenant_id_parse__folds_ascii_case_once),
        cmocka_unit_test(test_tenant_id_parse__refuses_lengths_outside_4_to_36),
        cmocka_unit_test(test_tenant_id_parse__refuses_a_mebibyte_without_reading_it),
        cmocka_unit_test(test_tenant_id_parse__refuses_every_other_byte_at_every_place),
        cmocka_unit_test(test_tenant_id_parse__decodes_and_trims_nothing),
        cmocka_unit_test(test_tenant_id_parse__leaves_the_output_alone_on_failure),
        cmocka_unit_test(test_tenant_id_parse_new__refuses_hyphens_at_the_ends_and_a_labels),
        cmocka_unit_test(test_tenant_id_parse_new__refuses_what_could_be_a_uid),
        cmocka_unit_test(test_tenant_id_parse_new__refuses_reserved_words_in_any_case),
        cmocka_unit_test(test_tenant_id_reserved_reason__tells_why),
        cmocka_unit_test(test_tenant_uid__survives_writing_and_reading),
        cmocka_unit_test(test_tenant_uid_parse__is_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
