/*
 * Structured fields: what the three fields that we read may look like, where we are stricter than
 * the standard, and that nothing is read past a bound. The working group's own cases run as
 * vectors.
 */
#include "support/test.h"

#include "codec/structured_field.h"

static lh_status read_one(const char *line, struct lh_sf_dictionary *dictionary)
{
    lh_slice text = lh_slice_from_text(line);
    return lh_sf_dictionary_read(&text, 1, dictionary);
}

static const struct lh_sf_item *member_of(const struct lh_sf_dictionary *dictionary,
                                          const char *key)
{
    const struct lh_sf_member *member = lh_sf_dictionary_find(dictionary, lh_slice_from_text(key));
    assert_non_null(member);
    return &member->item;
}

static void assert_canonical(const struct lh_sf_item *item, const char *expected)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;
    assert_ok(lh_sf_item_write(item, &written));
    assert_slice_text(lh_buf_view(&written), expected);
}

/* --- What is read ----------------------------------------------------------------------------- */

static void test_structured_field__an_inner_list_is_walked_with_all_parameters(void **state)
{
    (void)state;
    struct lh_sf_dictionary dictionary;
    assert_ok(
        read_one("sig1=( \"@method\"  \"x-a\";req;n=\"q\\\"r\" );created=1618884473;keyid=\"k\"",
                 &dictionary));
    assert_int_equal(dictionary.count, 1);
    const struct lh_sf_item *list = member_of(&dictionary, "sig1");
    assert_true(list->is_list);

    lh_slice rest = list->list;
    struct lh_sf_item item;
    assert_true(lh_sf_list_next(&rest, &item));
    assert_int_equal(item.value.type, LH_SF_STRING);
    assert_slice_text(item.value.text, "@method");
    assert_int_equal(item.parameters.len, 0);
    assert_true(lh_sf_list_next(&rest, &item));
    assert_slice_text(item.value.text, "x-a");
    struct lh_sf_parameter parameter;
    assert_true(lh_sf_parameter_next(&item.parameters, &parameter));
    assert_slice_text(parameter.key, "req");
    assert_int_equal(parameter.value.type, LH_SF_BOOLEAN);
    assert_slice_text(parameter.value.text, "1");
    assert_true(lh_sf_parameter_next(&item.parameters, &parameter));
    assert_slice_text(parameter.value.text, "q\\\"r");
    assert_false(lh_sf_parameter_next(&item.parameters, &parameter));
    assert_false(lh_sf_list_next(&rest, &item));

    rest = list->parameters;
    assert_true(lh_sf_parameter_next(&rest, &parameter));
    assert_slice_text(parameter.key, "created");
    assert_int_equal(parameter.value.type, LH_SF_INTEGER);
    assert_int_equal(parameter.value.integer, 1618884473);
    assert_true(lh_sf_parameter_next(&rest, &parameter));
    assert_slice_text(parameter.key, "keyid");
    assert_false(lh_sf_parameter_next(&rest, &parameter));
}

static void test_structured_field__every_type_is_told_by_its_first_character(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum lh_sf_type type;
        const char *text;
    } rows[] = {
        {"k=-12", LH_SF_INTEGER, "-12"},    {"k=1.250", LH_SF_DECIMAL, "1.250"},
        {"k=\"a b\"", LH_SF_STRING, "a b"}, {"k=*a/b:c", LH_SF_TOKEN, "*a/b:c"},
        {"k=:aGk=:", LH_SF_BYTES, "aGk="},  {"k=?0", LH_SF_BOOLEAN, "0"},
        {"k", LH_SF_BOOLEAN, "1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lh_sf_dictionary dictionary;
        assert_ok(read_one(rows[i].line, &dictionary));
        const struct lh_sf_item *item = member_of(&dictionary, "k");
        assert_false(item->is_list);
        assert_int_equal(item->value.type, rows[i].type);
        assert_slice_text(item->value.text, rows[i].text);
    }
}

static void test_structured_field__lines_are_one_dictionary(void **state)
{
    (void)state;
    lh_slice lines[] = {LH_SLICE_LITERAL("a=1, b=()"), LH_SLICE_LITERAL("c=:aGk=:")};
    struct lh_sf_dictionary dictionary;
    assert_ok(lh_sf_dictionary_read(lines, 2, &dictionary));
    assert_int_equal(dictionary.count, 3);
    assert_true(member_of(&dictionary, "b")->is_list);
    assert_int_equal(member_of(&dictionary, "c")->value.type, LH_SF_BYTES);
    assert_null(lh_sf_dictionary_find(&dictionary, LH_SLICE_LITERAL("d")));
    assert_ok(lh_sf_dictionary_read(lines, 0, &dictionary));
    assert_int_equal(dictionary.count, 0);
}

static void test_structured_field__bytes_are_decoded_into_room_that_is_kept(void **state)
{
    (void)state;
    struct lh_sf_dictionary dictionary;
    assert_ok(read_one("a=:aGVsbG8=:, b=\"aGVsbG8=\", c=::", &dictionary));
    uint8_t room[5];
    size_t len = 99;
    assert_ok(lh_sf_bytes_decode(&member_of(&dictionary, "a")->value, room, sizeof(room), &len));
    assert_slice_text(lh_slice_of(room, len), "hello");
    assert_status(lh_sf_bytes_decode(&member_of(&dictionary, "a")->value, room, 4, &len),
                  LH_TOO_LARGE);
    assert_status(lh_sf_bytes_decode(&member_of(&dictionary, "b")->value, room, 5, &len),
                  LH_MALFORMED);
    assert_ok(lh_sf_bytes_decode(&member_of(&dictionary, "c")->value, room, 0, &len));
    assert_int_equal(len, 0);
}

/* --- One spelling ----------------------------------------------------------------------------- */

static void test_structured_field__what_is_written_is_canonical(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *canonical;
    } rows[] = {
        {"(  \"a\"   \"b\" ); created=1;  keyid=\"k\"", "(\"a\" \"b\");created=1;keyid=\"k\""},
        {"( )", "()"},
        {"(1;a 2)", "(1;a 2)"},
        {"()", "()"},
        {"007;x=-0", "7;x=0"},
        {"-012", "-12"},
        {"999999999999999", "999999999999999"},
        {"-999999999999999", "-999999999999999"},
        {"-00.500", "-0.5"},
        {"-0.0", "0.0"},
        {"010.10", "10.1"},
        {"123456789012.123", "123456789012.123"},
        {"1;a=?1;b;c=?0", "1;a;b;c=?0"},
        {"?1", "?1"},
        {"\"\\\\\\\"\";t=tok/en", "\"\\\\\\\"\";t=tok/en"},
        {":aGk=:", ":aGk=:"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "k=%s", rows[i].value);
        struct lh_sf_dictionary dictionary;
        assert_ok(read_one(line, &dictionary));
        assert_canonical(member_of(&dictionary, "k"), rows[i].canonical);
    }
}

static void test_structured_field__writing_stops_at_the_buffer_s_bound(void **state)
{
    (void)state;
    struct lh_sf_dictionary dictionary;
    assert_ok(read_one("k=(1 2);a=\"x\"", &dictionary));
    const size_t whole = strlen("(1 2);a=\"x\"");
    for (size_t max = 1; max <= whole; max++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf written = lh_buf_bounded(max);
        assert_status(lh_sf_item_write(member_of(&dictionary, "k"), &written),
                      max < whole ? LH_TOO_LARGE : LH_OK);
    }
}

/* --- What is refused -------------------------------------------------------------------------- */

static void assert_all_malformed(const char *const *lines, size_t count)
{
    struct lh_sf_dictionary dictionary;
    for (size_t i = 0; i < count; i++) {
        if (read_one(lines[i], &dictionary).code != LH_MALFORMED) {
            fail_msg("is not malformed: %s", lines[i]);
        }
    }
}

static void test_structured_field__other_structures_are_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        ",",
        "a=1,",
        ",a=1",
        "a=1,,b=2",
        "a=1 b=2",
        "a=1;",
        "a=1; ;b",
        "a=1;B",
        "a =1",
        "a= 1",
        "a=",
        "A=1",
        "1=1",
        "a=1\tb",
        "\ta=1",
        "a=(1",
        "a=1)",
        "a=(1 2",
        "a=(1,2)",
        "a=(1\t2)",
        "a=(\"a\"\"b\")",
        "a=((1))",
        "a=(1);b=(2)",
    };
    assert_all_malformed(bad, sizeof(bad) / sizeof(bad[0]));
}

static void test_structured_field__other_values_are_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a=\"",
        "a=\"x",
        "a=\"\\",
        "a=\"\\x\"",
        "a=\"\x7f\"",
        "a=\"\n\"",
        "a=\"\xc3\xa9\"",
        "a=:aGk",
        "a=:aGk:",  /* padding is missing */
        "a=:aGl=:", /* slack bits */
        "a=:aG=k:",
        "a=:aGk=aGk=:",
        "a=:aG k=:",
        "a=:_-Ah:", /* base64url */
        "a=:=:",
        "a=:====:",
        "a=?",
        "a=?2",
        "a=?true",
        "a=-",
        "a=--1",
        "a=+1",
        "a=.5",
        "a=1.",
        "a=1.2345",
        "a=1234567890123.1",
        "a=1234567890123456",
        "a=0x10",
        "a=1e3",
        "a=@1659578233",  /* a date (RFC 9651) */
        "a=%\"f%c3%bc\"", /* a display string (RFC 9651) */
        "a='x'",
        "a={}",
    };
    assert_all_malformed(bad, sizeof(bad) / sizeof(bad[0]));
}

static void test_structured_field__nul_is_no_end(void **state)
{
    (void)state;
    static const char *const lines[] = {"a=1\0", "a=tok\0", "a=\"x\0\"", "a=(1\0)", "a=?\0", "\0"};
    static const size_t lens[] = {4, 6, 6, 6, 4, 1};
    struct lh_sf_dictionary dictionary;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        lh_slice line = lh_slice_of(lines[i], lens[i]);
        assert_status(lh_sf_dictionary_read(&line, 1, &dictionary), LH_MALFORMED);
    }
}

static void test_structured_field__a_key_comes_once(void **state)
{
    (void)state;
    static const char *const twice[] = {
        "a=1, b=2, a=1", "a, a", "k=1;a=1;b=2;a=1", "k=(1;a;a)", "k=();a;b=1;a=?1",
    };
    struct lh_sf_dictionary dictionary;
    for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]); i++) {
        assert_status(read_one(twice[i], &dictionary), LH_DUPLICATE);
    }
    lh_slice lines[] = {LH_SLICE_LITERAL("a=1"), LH_SLICE_LITERAL("a=2")};
    assert_status(lh_sf_dictionary_read(lines, 2, &dictionary), LH_DUPLICATE);
    assert_ok(read_one("a=1;a=2, b=(1;a=1 2;a=1);a", &dictionary));
}

static void test_structured_field__a_member_ends_with_its_line(void **state)
{
    (void)state;
    lh_slice split[] = {LH_SLICE_LITERAL("a=\"x"), LH_SLICE_LITERAL("y\"")};
    lh_slice empty[] = {LH_SLICE_LITERAL("a=1"), LH_SLICE_EMPTY};
    struct lh_sf_dictionary dictionary;
    assert_status(lh_sf_dictionary_read(split, 2, &dictionary), LH_MALFORMED);
    assert_status(lh_sf_dictionary_read(empty, 2, &dictionary), LH_MALFORMED);
}

/* --- Bounds ----------------------------------------------------------------------------------- */

/* head, count times part with a number of its own, tail. */
static lh_status read_many(const char *head, const char *part, size_t count, const char *tail)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf line = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_text(&line, head));
    for (size_t i = 0; i < count; i++) {
        assert_ok(lh_buf_add_text(&line, part));
        assert_ok(lh_buf_add_format(&line, "%zu", i));
    }
    assert_ok(lh_buf_add_text(&line, tail));
    lh_slice text = lh_buf_view(&line);
    struct lh_sf_dictionary dictionary;
    return lh_sf_dictionary_read(&text, 1, &dictionary);
}

static void test_structured_field__more_than_the_bounds_is_too_large(void **state)
{
    (void)state;
    assert_ok(read_many("a", ",a", LH_SF_MEMBERS_MAX - 1, ""));
    assert_status(read_many("a", ",a", LH_SF_MEMBERS_MAX, ""), LH_TOO_LARGE);
    assert_ok(read_many("a=(", " ", LH_SF_LIST_MAX, ")"));
    assert_status(read_many("a=(", " ", LH_SF_LIST_MAX + 1, ")"), LH_TOO_LARGE);
    assert_ok(read_many("a=1", ";a", LH_SF_PARAMETERS_MAX, ""));
    assert_status(read_many("a=1", ";a", LH_SF_PARAMETERS_MAX + 1, ""), LH_TOO_LARGE);
}

static void test_structured_field__a_line_has_a_bound(void **state)
{
    (void)state;
    char *line = malloc(LH_SF_LINE_MAX_BYTES + 2);
    assert_non_null(line);
    memset(line, 'x', LH_SF_LINE_MAX_BYTES + 1);
    memcpy(line, "a=b", 3);
    line[LH_SF_LINE_MAX_BYTES + 1] = 0;
    struct lh_sf_dictionary dictionary;
    assert_status(read_one(line, &dictionary), LH_TOO_LARGE);
    line[LH_SF_LINE_MAX_BYTES] = 0;
    assert_ok(read_one(line, &dictionary));
    free(line);
}

static void test_structured_field__long_bytes_are_checked_to_their_end(void **state)
{
    (void)state;
    char line[512] = "a=:";
    memset(line + 3, 'A', 400);
    memcpy(line + 403, ":", 2);
    struct lh_sf_dictionary dictionary;
    assert_ok(read_one(line, &dictionary));
    for (size_t i = 3; i < 403; i++) {
        line[i] = '=';
        bool is_padding = i == 402;
        assert_int_equal(read_one(line, &dictionary).code, is_padding ? LH_OK : LH_MALFORMED);
        line[i] = '-';
        assert_status(read_one(line, &dictionary), LH_MALFORMED);
        line[i] = 'A';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structured_field__an_inner_list_is_walked_with_all_parameters),
        cmocka_unit_test(test_structured_field__every_type_is_told_by_its_first_character),
        cmocka_unit_test(test_structured_field__lines_are_one_dictionary),
        cmocka_unit_test(test_structured_field__bytes_are_decoded_into_room_that_is_kept),
        cmocka_unit_test(test_structured_field__what_is_written_is_canonical),
        cmocka_unit_test(test_structured_field__writing_stops_at_the_buffer_s_bound),
        cmocka_unit_test(test_structured_field__other_structures_are_malformed),
        cmocka_unit_test(test_structured_field__other_values_are_malformed),
        cmocka_unit_test(test_structured_field__nul_is_no_end),
        cmocka_unit_test(test_structured_field__a_key_comes_once),
        cmocka_unit_test(test_structured_field__a_member_ends_with_its_line),
        cmocka_unit_test(test_structured_field__more_than_the_bounds_is_too_large),
        cmocka_unit_test(test_structured_field__a_line_has_a_bound),
        cmocka_unit_test(test_structured_field__long_bytes_are_checked_to_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
