/*
 * Texts that may stand in a header.
 */
#include "support/test.h"

#include "base/text_list.h"

static void test_text_is_token__every_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool is_safe = byte > 0x20 && byte < 0x7f && byte != ',' && byte != '"' && byte != '\\';
        for (size_t place = 0; place < 3; place++) {
            uint8_t text[] = {'a', 'b', 'c'};
            text[place] = (uint8_t)byte;
            assert_int_equal(lh_text_is_token(LH_SLICE_OF(text)), is_safe);
        }
    }
}

static void test_text_is_token__is_1_to_255_bytes(void **state)
{
    (void)state;
    static char text[LH_TEXT_MAX_BYTES + 1];
    memset(text, 'x', sizeof(text));
    assert_false(lh_text_is_token(LH_SLICE_EMPTY));
    assert_true(lh_text_is_token(lh_slice_of(text, 1)));
    assert_true(lh_text_is_token(lh_slice_of(text, LH_TEXT_MAX_BYTES)));
    assert_false(lh_text_is_token(LH_SLICE_OF(text)));
}

static void test_text_list_has__exact_bytes(void **state)
{
    (void)state;
    struct lh_text_list list = {{LH_SLICE_LITERAL("api"), LH_SLICE_LITERAL("Web")}, 2};
    assert_true(lh_text_list_has(&list, LH_SLICE_LITERAL("api")));
    assert_true(lh_text_list_has(&list, LH_SLICE_LITERAL("Web")));
    static const char *const others[] = {"", "ap", "api2", "API", "web", "apiWeb", "api "};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(lh_text_list_has(&list, lh_slice_from_text(others[i])));
    }
    list.count = 1;
    assert_false(lh_text_list_has(&list, LH_SLICE_LITERAL("Web")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_token__every_byte_at_every_place),
        cmocka_unit_test(test_text_is_token__is_1_to_255_bytes),
        cmocka_unit_test(test_text_list_has__exact_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
