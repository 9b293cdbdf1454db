/*
 * Objects as tables: what is kept, that everything is checked, and numbers without their fraction.
 */
#include "support/test.h"

#include "codec/json_table.h"

/* A table over a copy of a text; fails the test if the text is longer than it may be here. */
struct read {
    uint8_t text[LH_JSON_TABLE_MAX_BYTES + 1];
    struct lh_json_table table;
};

static lh_status read_table(struct read *read, lh_slice text)
{
    assert_true(text.len <= sizeof(read->text));
    memcpy(read->text, text.ptr, text.len);
    return lh_json_table_read(&read->table, read->text, text.len);
}

static void read_ok(struct read *read, const char *text)
{
    assert_ok(read_table(read, lh_slice_from_text(text)));
}

static void assert_read(const char *text, enum lh_code expected)
{
    static struct read read;
    lh_status status = read_table(&read, lh_slice_from_text(text));
    if (status.code != expected) {
        fail_msg("%s: got %s", text, lh_status_name(status));
    }
}

static void assert_string(const struct read *read, const char *name, const char *expected)
{
    lh_slice text;
    assert_ok(lh_json_table_string(&read->table, lh_slice_from_text(name), &text));
    assert_slice_text(text, expected);
}

static const struct lh_json_cell *member(const struct read *read, const char *name)
{
    return lh_json_table_find(&read->table, lh_slice_from_text(name));
}

/* --- What is kept ----------------------------------------------------------------------------- */

static void test_json_table__keeps_members_and_their_kinds(void **state)
{
    (void)state;
    static struct read read;
    read_ok(&read, " { \"a\" : \"x\" ,\"b\":1,\"c\":-2.5e3,\"d\":true,\"e\":false,\"f\":null,"
                   "\"g\":{\"a\":\"inner\"},\"h\":[],\"\":\"nameless\"}\n");
    static const struct {
        const char *name;
        enum lh_json_kind kind;
        const char *text;
    } rows[] = {
        {"a", LH_JSON_STRING, "x"}, {"b", LH_JSON_INTEGER, "1"}, {"c", LH_JSON_REAL, "-2.5e3"},
        {"d", LH_JSON_TRUE, ""},    {"e", LH_JSON_FALSE, ""},    {"f", LH_JSON_NULL, ""},
        {"g", LH_JSON_OBJECT, ""},  {"h", LH_JSON_ARRAY, ""},    {"", LH_JSON_STRING, "nameless"},
    };
    assert_int_equal(read.table.count, sizeof(rows) / sizeof(rows[0]));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct lh_json_cell *cell = member(&read, rows[i].name);
        assert_non_null(cell);
        assert_int_equal(cell->kind, rows[i].kind);
        assert_slice_text(lh_json_table_text(&read.table, cell), rows[i].text);
        assert_slice_text(lh_json_table_name(&read.table, cell), rows[i].name);
    }
    assert_null(member(&read, "A"));
    assert_null(member(&read, "inner"));
    assert_null(member(&read, "aa"));
}

static void test_json_table__keeps_elements_of_arrays_one_deep(void **state)
{
    (void)state;
    static struct read read;
    read_ok(&read, "{\"list\":[\"a\",2,[\"deep\",\"er\"],{\"x\":[1,2]},\"b\"],\"after\":\"z\","
                   "\"object\":{\"list\":[\"not kept\"]},\"last\":[\"c\"]}");
    const struct lh_json_cell *list = member(&read, "list");
    assert_int_equal(list->elements, 5);
    assert_slice_text(lh_json_table_text(&read.table, list + 1), "a");
    assert_int_equal(list[2].kind, LH_JSON_INTEGER);
    assert_int_equal(list[3].kind, LH_JSON_ARRAY);
    assert_int_equal(list[3].elements, 0);
    assert_int_equal(list[4].kind, LH_JSON_OBJECT);
    assert_slice_text(lh_json_table_text(&read.table, list + 5), "b");
    assert_string(&read, "after", "z");
    assert_int_equal(member(&read, "object")->elements, 0);
    assert_int_equal(member(&read, "last")->elements, 1);
    /* An element is no member, whatever it says. */
    assert_null(member(&read, "a"));
    assert_null(member(&read, "x"));
}

static void test_json_table__unescapes_in_place(void **state)
{
    (void)state;
    static struct read read;
    read_ok(&read, "{\"https:\\/\\/a.example\\/b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac"
                   "\\ud83d\\ude00!\",\"\\u0061\":\"plain\\u0020and\\u0020not\",\"z\":\"\"}");
    assert_string(&read, "https://a.example/b",
                  "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80!");
    assert_string(&read, "a", "plain and not");
    assert_string(&read, "z", "");
}

static void test_json_table__says_what_is_no_string(void **state)
{
    (void)state;
    static struct read read;
    read_ok(&read, "{\"n\":1,\"l\":[\"x\"],\"o\":{},\"t\":true,\"z\":null}");
    static const char *const names[] = {"n", "l", "o", "t", "z"};
    lh_slice text;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_status(lh_json_table_string(&read.table, lh_slice_from_text(names[i]), &text),
                      LH_MALFORMED);
    }
    assert_status(lh_json_table_string(&read.table, LH_SLICE_LITERAL("x"), &text), LH_ABSENT);
}

/* --- What is refused -------------------------------------------------------------------------- */

static void test_json_table__refuses_what_is_no_object(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "null",
        "1",
        "\"text\"",
        "true",
        "[]",
        "[{}]",
        "{",
        "}",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1}{}",
        "{} x",
        "{,}",
        "{\"a\":tru}",
        "{\"a\":NaN}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\" 1}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u00\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{\"a\":\"\xed\xa0\x80\"}",
        "\xef\xbb\xbf{}",
        "{\"a\":[}",
        "{\"a\":{]}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":{\"b\"}}",
        "// {}",
        "{}//",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_read(texts[i], LH_MALFORMED);
    }
    static struct read read;
    assert_status(read_table(&read, LH_SLICE_LITERAL("{\"a\":1\0}")), LH_MALFORMED);
    assert_status(read_table(&read, LH_SLICE_LITERAL("{\"a\":\"x\0y\"}")), LH_MALFORMED);
    assert_status(read_table(&read, LH_SLICE_LITERAL("{}\0")), LH_MALFORMED);
}

static void test_json_table__refuses_doubles_at_every_depth_and_in_every_spelling(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"b\":{},\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"s\\u0075b\":\"a\",\"\\u0073ub\":\"b\"}",
        "{\"/\":1,\"\\/\":2}",
        "{\"\":1,\"\":2}",
        "{\"x\":{\"a\":1,\"a\":2}}",
        "{\"x\":{\"y\":{\"a\":1,\"b\":{},\"a\":2}}}",
        "{\"x\":[{\"a\":1,\"a\":2}]}",
        "{\"x\":[[{\"b\":{\"c\":1},\"b\":2}]]}",
        "{\"x\":{\"a\":1},\"y\":[{\"b\":1}],\"x\":2}",
        "{\"\xc3\xa9\":1,\"\\u00e9\":2}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_read(texts[i], LH_MALFORMED);
    }
    assert_read("{\"a\":{\"a\":{\"a\":1}},\"A\":[{\"a\":1},{\"a\":2}],\"b\":{\"a\":1}}", LH_OK);
}

/* Adds text to what lies in a buffer; returns its new length. */
static size_t append(uint8_t *buffer, size_t len, const char *text)
{
    memcpy(buffer + len, text, strlen(text));
    return len + strlen(text);
}

static void test_json_table__nests_sixteen_deep(void **state)
{
    (void)state;
    static struct read read;
    for (size_t depth = LH_JSON_MAX_DEPTH; depth <= LH_JSON_MAX_DEPTH + 1; depth++) {
        uint8_t text[256];
        size_t len = append(text, 0, "{\"a\":");
        for (size_t i = 1; i < depth; i++) {
            len = append(text, len, "[");
        }
        for (size_t i = 1; i < depth; i++) {
            len = append(text, len, "]");
        }
        len = append(text, len, "}");
        assert_status(read_table(&read, lh_slice_of(text, len)),
                      depth == LH_JSON_MAX_DEPTH ? LH_OK : LH_MALFORMED);
    }
}

/* An object with so many members, each of a name of its own and with this value. */
static size_t write_members(uint8_t *out, unsigned count, const char *value)
{
    size_t len = append(out, 0, "{");
    for (unsigned i = 0; i < count; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%s\"m%u\":%s", i > 0 ? "," : "", i, value);
        len = append(out, len, text);
    }
    return append(out, len, "}");
}

static void test_json_table__holds_so_many_members_and_no_more(void **state)
{
    (void)state;
    static struct read read;
    static uint8_t text[LH_JSON_TABLE_MAX_BYTES];
    size_t len = write_members(text, LH_JSON_TABLE_NAMES, "1");
    assert_ok(read_table(&read, lh_slice_of(text, len)));
    assert_int_equal(read.table.count, LH_JSON_TABLE_NAMES);
    assert_non_null(member(&read, "m127"));
    len = write_members(text, LH_JSON_TABLE_NAMES + 1, "1");
    assert_status(read_table(&read, lh_slice_of(text, len)), LH_TOO_LARGE);
    /* Names of an object that is closed make room for those of the next. */
    len = write_members(text, LH_JSON_TABLE_NAMES - 2, "{\"a\":1,\"b\":2}");
    assert_ok(read_table(&read, lh_slice_of(text, len)));
    /* Cells are elements, too. */
    len = write_members(text, LH_JSON_TABLE_CELLS / 4, "[1,2,3]");
    assert_ok(read_table(&read, lh_slice_of(text, len)));
    len = write_members(text, LH_JSON_TABLE_CELLS / 4, "[1,2,3,[]]");
    assert_status(read_table(&read, lh_slice_of(text, len)), LH_TOO_LARGE);
}

static void test_json_table__reads_so_many_bytes_and_no_more(void **state)
{
    (void)state;
    static struct read read;
    static uint8_t text[LH_JSON_TABLE_MAX_BYTES + 1];
    memset(text, 'x', sizeof(text));
    (void)append(text, 0, "{\"a\":\"");
    (void)append(text, LH_JSON_TABLE_MAX_BYTES - 2, "\"}");
    assert_ok(read_table(&read, lh_slice_of(text, LH_JSON_TABLE_MAX_BYTES)));
    assert_int_equal(member(&read, "a")->text.len, LH_JSON_TABLE_MAX_BYTES - 8);
    (void)append(text, LH_JSON_TABLE_MAX_BYTES - 2, "x\"}");
    assert_status(read_table(&read, LH_SLICE_OF(text)), LH_TOO_LARGE);
}

/* --- Numbers ---------------------------------------------------------------------------------- */

#define NUMBER_MAX (UINT64_C(1) << 53)

static void assert_floor(const char *number, enum lh_code expected, uint64_t expected_value)
{
    uint64_t value = 77;
    lh_status status = lh_json_number_floor(lh_slice_from_text(number), NUMBER_MAX, &value);
    if (status.code != expected || value != (expected == LH_OK ? expected_value : 77)) {
        fail_msg("%s: got %s, %llu", number, lh_status_name(status), (unsigned long long)value);
    }
}

static void test_json_number_floor__is_exact(void **state)
{
    (void)state;
    assert_floor("0", LH_OK, 0);
    assert_floor("1700000000", LH_OK, 1700000000);
    assert_floor("9007199254740992", LH_OK, NUMBER_MAX);
    assert_floor("9007199254740992.999", LH_OK, NUMBER_MAX);
    assert_floor("9007199254740993", LH_TOO_LARGE, 0);
    assert_floor("18446744073709551616", LH_TOO_LARGE, 0);
    assert_floor("18446744073709551617", LH_TOO_LARGE, 0);
    assert_floor("9223372036854775808", LH_TOO_LARGE, 0);
    assert_floor("1.9", LH_OK, 1);
    assert_floor("1700000000.999999999999", LH_OK, 1700000000);
    assert_floor("0.99999999999999999999999999", LH_OK, 0);
    assert_floor("1.7e9", LH_OK, 1700000000);
    assert_floor("1.7E+9", LH_OK, 1700000000);
    assert_floor("17e8", LH_OK, 1700000000);
    assert_floor("17000000001e-1", LH_OK, 1700000000);
    assert_floor("1.23456e2", LH_OK, 123);
    assert_floor("123.456e1", LH_OK, 1234);
    assert_floor("123.456e-2", LH_OK, 1);
    assert_floor("123.456e-3", LH_OK, 0);
    assert_floor("123.456e-9", LH_OK, 0);
    assert_floor("1e300", LH_TOO_LARGE, 0);
    assert_floor("1e16", LH_TOO_LARGE, 0);
    assert_floor("0e99999999999999999999", LH_OK, 0);
    assert_floor("0.0e99999999999999999999", LH_OK, 0);
    assert_floor("1e99999999999999999999", LH_TOO_LARGE, 0);
    assert_floor("1e-99999999999999999999", LH_OK, 0);
    assert_floor("0.000001e6", LH_OK, 1);
    assert_floor("-1", LH_MALFORMED, 0);
    assert_floor("-0", LH_MALFORMED, 0);
    assert_floor("-0.5", LH_MALFORMED, 0);
    assert_floor("-1e-9", LH_MALFORMED, 0);
}

static void test_json_table_floor__asks_for_a_number(void **state)
{
    (void)state;
    static struct read read;
    read_ok(&read, "{\"i\":5,\"r\":5.5,\"s\":\"5\",\"t\":true,\"l\":[5],\"z\":null,\"m\":-5,"
                   "\"big\":1e300}");
    static const struct {
        const char *name;
        enum lh_code expected;
    } rows[] = {
        {"i", LH_OK},        {"r", LH_OK},          {"s", LH_MALFORMED},
        {"t", LH_MALFORMED}, {"l", LH_MALFORMED},   {"z", LH_MALFORMED},
        {"m", LH_MALFORMED}, {"big", LH_TOO_LARGE}, {"x", LH_ABSENT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 0;
        assert_status(
            lh_json_table_floor(&read.table, lh_slice_from_text(rows[i].name), NUMBER_MAX, &value),
            rows[i].expected);
        assert_int_equal(value, rows[i].expected == LH_OK ? 5 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_table__keeps_members_and_their_kinds),
        cmocka_unit_test(test_json_table__keeps_elements_of_arrays_one_deep),
        cmocka_unit_test(test_json_table__unescapes_in_place),
        cmocka_unit_test(test_json_table__says_what_is_no_string),
        cmocka_unit_test(test_json_table__refuses_what_is_no_object),
        cmocka_unit_test(test_json_table__refuses_doubles_at_every_depth_and_in_every_spelling),
        cmocka_unit_test(test_json_table__nests_sixteen_deep),
        cmocka_unit_test(test_json_table__holds_so_many_members_and_no_more),
        cmocka_unit_test(test_json_table__reads_so_many_bytes_and_no_more),
        cmocka_unit_test(test_json_number_floor__is_exact),
        cmocka_unit_test(test_json_table_floor__asks_for_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
