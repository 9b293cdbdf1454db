/*
 * JSON behind limits: what hostile documents do, what is read from them and what is written.
 */
#include "support/test.h"

#include "codec/json.h"
#include "codec/utf8.h"

#define MAX_BYTES 4096U

static void assert_parse(lh_slice text, enum lh_code expected)
{
    LH_CLEANUP(lh_json_fini) json_t *value = NULL;
    lh_status status = lh_json_parse(text, MAX_BYTES, &value);
    if (status.code != expected) {
        fail_msg("%.*s: got %s", LH_SLICE_ARG(text), lh_status_name(status));
    }
    assert_true((value != NULL) == (expected == LH_OK));
}

static void assert_all_malformed(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_parse(lh_slice_from_text(texts[i]), LH_MALFORMED);
    }
}

#define ASSERT_ALL_MALFORMED(texts) assert_all_malformed(texts, sizeof(texts) / sizeof((texts)[0]))

/* --- What is refused --- */

static void test_json_parse__refuses_what_is_no_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "[1,]",
        "{'a':1}",
        "{a:1}",
        "[01]",
        "[-01]",
        "[00]",
        "[01.5]",
        "[-01e1]",
        "[+1]",
        "[.5]",
        "[1.]",
        "[NaN]",
        "[Infinity]",
        "[1e]",
        "[0x10]",
        "// x\n{}",
        "/* x */{}",
        "{}{}",
        "{} x",
        "[1] 2",
        "\xef\xbb\xbf{}",
        "{}\x0c",
        "[\"\x01\"]",
        "[\"a\nb\"]",
        "[\"\\x41\"]",
        "[\"\\u12\"]",
        "[\"unfinished",
        "[\"\\\"]",
        "\"text\"",
        "1",
        "null",
        "true",
    };
    ASSERT_ALL_MALFORMED(texts);
}

static void test_json_parse__refuses_duplicate_members(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"b\":2,\"a\":3}",
        "{\"x\":{\"a\":1,\"a\":2}}",
        "[{\"a\":1,\"a\":2}]",
        "{\"\":1,\"\":2}",
        /* the same member, escaped */
        "{\"a\":1,\"\\u0061\":2}",
        "{\"\\u0061\":1,\"\\u0061\":2}",
        "{\"/\":1,\"\\/\":2}",
        "{\"\\u00e9\":1,\"\xc3\xa9\":2}",
        "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
    };
    ASSERT_ALL_MALFORMED(texts);
    assert_parse(LH_SLICE_LITERAL("{\"a\":{\"a\":1},\"A\":[{\"a\":1},{\"a\":2}]}"), LH_OK);
}

static void test_json_parse__refuses_nul_everywhere(void **state)
{
    (void)state;
    assert_parse(LH_SLICE_LITERAL("{\"a\":1\0}"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("{\"a\":1}\0"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("\0{\"a\":1}"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("[1\0]"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("[1.5\0]"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("[tru\0e]"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("[\"a\0b\"]"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("[\"a\\u0000b\"]"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("{\"a\\u0000b\":1}"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("{\"a\":1}\0{\"a\":2}"), LH_MALFORMED);
}

static void test_json_parse__refuses_lone_surrogates(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[\"\\ud800\"]",        "[\"\\udc00\"]",      "[\"\\udfff\\ud800\"]",
        "[\"\\ud800x\"]",       "[\"\\ud800\\n\"]",   "[\"\\ud800\\u0041\"]",
        "[\"\\ud800\\ud800\"]", "[\"\xed\xa0\x80\"]", /* and as bytes */
    };
    ASSERT_ALL_MALFORMED(texts);
    assert_parse(LH_SLICE_LITERAL("[\"\\ud83d\\ude00\"]"), LH_OK);
}

static void test_json_parse__refuses_what_is_no_utf8(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[\"\x80\"]",
        "[\"\xc3\"]",
        "[\"\xc0\xaf\"]",
        "[\"\xc1\xbf\"]",
        "[\"\xe0\x80\xaf\"]",
        "[\"\xf5\x80\x80\x80\"]",
        "[\"\xf4\x90\x80\x80\"]",
        "[\"\xf0\x80\x80\xaf\"]",
        "[\"\xff\"]",
        "[\"\xe2\x82\"]",
    };
    ASSERT_ALL_MALFORMED(texts);
}

/* Writes depth times the opening text, then depth times the closing one. */
static size_t nest(char *out_text, size_t depth, const char *open, const char *close)
{
    size_t len = 0;
    for (size_t i = 0; i < depth * 2; i++) {
        const char *part = i < depth ? open : close;
        memcpy(out_text + len, part, strlen(part));
        len += strlen(part);
    }
    return len;
}

static void test_json_parse__bounds_nesting(void **state)
{
    (void)state;
    char text[MAX_BYTES];
    size_t max = LH_JSON_MAX_DEPTH;
    assert_parse(lh_slice_of(text, nest(text, max, "[", "]")), LH_OK);
    assert_parse(lh_slice_of(text, nest(text, max + 1, "[", "]")), LH_MALFORMED);
    assert_parse(lh_slice_of(text, nest(text, max / 2, "[{\"a\":", "0}]")), LH_MALFORMED);
    assert_parse(lh_slice_of(text, nest(text, max / 2, "{\"a\":[", "]}")), LH_OK);
    assert_parse(lh_slice_of(text, nest(text, max / 2 + 1, "{\"a\":[", "]}")), LH_MALFORMED);
    assert_parse(lh_slice_of(text, nest(text, MAX_BYTES / 2, "[", "]")), LH_MALFORMED);
    memset(text, '[', sizeof(text));
    assert_parse(LH_SLICE_OF(text), LH_MALFORMED);
}

static void test_json_parse__counts_no_brackets_in_strings(void **state)
{
    (void)state;
    assert_parse(LH_SLICE_LITERAL("[\"[[[[[[[[[[[[[[[[[[[[[[[[\"]"), LH_OK);
    assert_parse(LH_SLICE_LITERAL("[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[\"]"), LH_OK);
    assert_parse(LH_SLICE_LITERAL("[\"\\\\\",\"{{{{{{{{{{{{{{{{{{{{{{{\"]"), LH_OK);
    assert_parse(LH_SLICE_LITERAL("[\"\\\\\",[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"),
                 LH_OK);
}

static void test_json_parse__bounds_size_and_numbers(void **state)
{
    (void)state;
    LH_CLEANUP(lh_json_fini) json_t *value = NULL;
    assert_status(lh_json_parse(LH_SLICE_LITERAL("[1,2]"), 4, &value), LH_TOO_LARGE);
    assert_null(value);
    assert_ok(lh_json_parse(LH_SLICE_LITERAL("[1,2]"), 5, &value));
    assert_parse(LH_SLICE_LITERAL("[9223372036854775807,-9223372036854775808]"), LH_OK);
    assert_parse(LH_SLICE_LITERAL("[9223372036854775808]"), LH_MALFORMED);
    assert_parse(LH_SLICE_LITERAL("[1e999]"), LH_MALFORMED);
}

/* --- Reading members --- */

static json_t *parse(const char *text)
{
    json_t *value = NULL;
    assert_ok(lh_json_parse(lh_slice_from_text(text), MAX_BYTES, &value));
    return value;
}

static void test_json_get_string__tells_absent_from_wrong(void **state)
{
    (void)state;
    LH_CLEANUP(lh_json_fini)
    json_t *object = parse("{\"text\":\"v\\u00e9\",\"empty\":\"\",\"n\":1,\"none\":null}");
    lh_slice text = LH_SLICE_EMPTY;
    assert_ok(lh_json_get_string(object, "text", &text));
    assert_slice_text(text, "v\xc3\xa9");
    assert_ok(lh_json_get_string(object, "empty", &text));
    assert_int_equal(text.len, 0);
    assert_status(lh_json_get_string(object, "missing", &text), LH_ABSENT);
    assert_status(lh_json_get_string(object, "n", &text), LH_MALFORMED);
    assert_status(lh_json_get_string(object, "none", &text), LH_MALFORMED);
    assert_status(lh_json_get_string(NULL, "text", &text), LH_MALFORMED);
    LH_CLEANUP(lh_json_fini) json_t *array = parse("[\"text\"]");
    assert_status(lh_json_get_string(array, "text", &text), LH_MALFORMED);
}

static void test_json_get_u64__takes_whole_numbers_up_to_max(void **state)
{
    (void)state;
    LH_CLEANUP(lh_json_fini)
    json_t *object = parse("{\"n\":7,\"zero\":0,\"neg\":-1,\"real\":7.0,\"exp\":1e2,\"text\":\"7\","
                           "\"top\":9223372036854775807,\"t\":true}");
    uint64_t value = 99;
    assert_ok(lh_json_get_u64(object, "n", 7, &value));
    assert_int_equal(value, 7);
    assert_ok(lh_json_get_u64(object, "zero", 0, &value));
    assert_int_equal(value, 0);
    assert_ok(lh_json_get_u64(object, "top", UINT64_MAX, &value));
    assert_true(value == INT64_MAX);
    assert_status(lh_json_get_u64(object, "n", 6, &value), LH_TOO_LARGE);
    assert_status(lh_json_get_u64(object, "missing", 9, &value), LH_ABSENT);
    static const char *const wrong[] = {"neg", "real", "exp", "text", "t"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_status(lh_json_get_u64(object, wrong[i], UINT64_MAX, &value), LH_MALFORMED);
    }
    assert_true(value == INT64_MAX);
}

/* --- Writing --- */

static void test_json_write__is_compact_and_sorted(void **state)
{
    (void)state;
    LH_CLEANUP(lh_json_fini)
    json_t *value = parse("{ \"b\" : [ 1, true ], \"a\" : { \"z\" : null, \"y\" : \"\\u00e9\" } }");
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_text(&text, "> "));
    assert_ok(lh_json_write(value, &text));
    assert_slice_text(lh_buf_view(&text),
                      "> {\"a\":{\"y\":\"\xc3\xa9\",\"z\":null},\"b\":[1,true]}");
}

static void test_json_write__leaves_a_full_buffer_as_it_was(void **state)
{
    (void)state;
    LH_CLEANUP(lh_json_fini) json_t *value = parse("{\"a\":[1,2,3]}");
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(12);
    assert_ok(lh_buf_add_u8(&text, 'x'));
    assert_status(lh_json_write(value, &text), LH_TOO_LARGE);
    assert_slice_text(lh_buf_view(&text), "x");
    lh_buf_clear(&text);
    assert_status(lh_json_write(value, &text), LH_TOO_LARGE); /* 13 bytes */
    text.max = 13;
    assert_ok(lh_json_write(value, &text));
    assert_slice_text(lh_buf_view(&text), "{\"a\":[1,2,3]}");
}

static void assert_string(lh_slice text, const char *expected)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf out = LH_BUF_EMPTY;
    assert_ok(lh_json_add_string(&out, text));
    assert_slice_text(lh_buf_view(&out), expected);
}

static void test_json_add_string__escapes(void **state)
{
    (void)state;
    assert_string(LH_SLICE_EMPTY, "\"\"");
    assert_string(LH_SLICE_LITERAL("plain /"), "\"plain /\"");
    assert_string(LH_SLICE_LITERAL("a\"b\\c"), "\"a\\\"b\\\\c\"");
    assert_string(LH_SLICE_LITERAL("\n\r\t\x01\x1f\x7f"),
                  "\"\\u000a\\u000d\\u0009\\u0001\\u001f\\u007f\"");
    assert_string(LH_SLICE_LITERAL("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
                  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void assert_not_written(lh_slice text)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf out = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_u8(&out, 'x'));
    assert_status(lh_json_add_string(&out, text), LH_MALFORMED);
    assert_slice_text(lh_buf_view(&out), "x");
}

static void test_utf8_sequence__ends_with_its_text(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
        lh_slice whole = lh_slice_from_text(characters[i]);
        assert_int_equal(lh_utf8_sequence(whole), whole.len);
        for (size_t len = 0; len < whole.len; len++) {
            /* What follows in memory would make it whole. */
            assert_int_equal(lh_utf8_sequence(lh_slice_cut(whole, 0, len)), 0);
        }
    }
}

static void test_json_add_string__refuses_what_is_no_utf8(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x80",
        "\xbf",
        "\xc3",
        "\xc3(",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe2\x82",
        "\xe2(\xa1",
        "\xe2\x82(",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf0\x9f\x98",
        "\xff",
        "good \xfe",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_not_written(lh_slice_from_text(texts[i]));
    }
    assert_not_written(LH_SLICE_LITERAL("a\0b"));
}

static void test_json_add_string__every_code_point_reads_back(void **state)
{
    (void)state;
    for (unsigned long point = 1; point <= 0x10ffff; point += point < 0x3000 ? 1 : 61) {
        if (point >= 0xd800 && point <= 0xdfff) {
            continue;
        }
        uint8_t utf8[4];
        size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        static const uint8_t lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
        for (size_t i = 0; i < len; i++) {
            unsigned long bits = point >> (6 * (len - 1 - i));
            utf8[i] = (uint8_t)(i == 0 ? lead[len] | bits : 0x80 | (bits & 0x3f));
        }
        LH_CLEANUP(lh_buf_fini) struct lh_buf out = LH_BUF_EMPTY;
        assert_ok(lh_buf_add_u8(&out, '['));
        assert_ok(lh_json_add_string(&out, lh_slice_of(utf8, len)));
        assert_ok(lh_buf_add_u8(&out, ']'));
        LH_CLEANUP(lh_json_fini) json_t *array = NULL;
        assert_ok(lh_json_parse(lh_buf_view(&out), MAX_BYTES, &array));
        const json_t *text = json_array_get(array, 0);
        assert_int_equal(json_string_length(text), len);
        assert_memory_equal(json_string_value(text), utf8, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_parse__refuses_what_is_no_json),
        cmocka_unit_test(test_json_parse__refuses_duplicate_members),
        cmocka_unit_test(test_json_parse__refuses_nul_everywhere),
        cmocka_unit_test(test_json_parse__refuses_lone_surrogates),
        cmocka_unit_test(test_json_parse__refuses_what_is_no_utf8),
        cmocka_unit_test(test_json_parse__bounds_nesting),
        cmocka_unit_test(test_json_parse__counts_no_brackets_in_strings),
        cmocka_unit_test(test_json_parse__bounds_size_and_numbers),
        cmocka_unit_test(test_json_get_string__tells_absent_from_wrong),
        cmocka_unit_test(test_json_get_u64__takes_whole_numbers_up_to_max),
        cmocka_unit_test(test_json_write__is_compact_and_sorted),
        cmocka_unit_test(test_json_write__leaves_a_full_buffer_as_it_was),
        cmocka_unit_test(test_json_add_string__escapes),
        cmocka_unit_test(test_utf8_sequence__ends_with_its_text),
        cmocka_unit_test(test_json_add_string__refuses_what_is_no_utf8),
        cmocka_unit_test(test_json_add_string__every_code_point_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
