/*
 * Log lines: bounded, and printable whatever a client sends.
 */
#include "host/log.h"

#include "support/test.h"

struct sink {
    char line[8192];
    size_t len;
    enum lh_log_level level;
    int lines;
};

static void keep_line(void *self, enum lh_log_level level, lh_slice line)
{
    struct sink *sink = self;
    assert_true(line.len < sizeof(sink->line));
    memcpy(sink->line, line.ptr, line.len);
    sink->line[line.len] = 0;
    sink->len = line.len;
    sink->level = level;
    sink->lines++;
}

static void test_log__formats_and_passes_the_level(void **state)
{
    (void)state;
    struct sink sink = {.lines = 0};
    struct lh_host host = {.self = &sink, .log = keep_line};
    lh_log(&host, LH_LOG_WARN, "tenant \"%s\": %d of %zu", "acme", -3, (size_t)7);
    assert_string_equal(sink.line, "tenant \"acme\": -3 of 7");
    assert_int_equal(sink.level, LH_LOG_WARN);
    assert_int_equal(sink.lines, 1);
}

static void test_log__nothing_ends_a_line_or_moves_a_terminal(void **state)
{
    (void)state;
    struct sink sink = {.lines = 0};
    struct lh_host host = {.self = &sink, .log = keep_line};
    lh_log(&host, LH_LOG_ERROR, "%s", "a\r\nb\tc\x1b[2J\x7f\x01\xc2\x85\xe2\x80\xa8");
    assert_string_equal(sink.line, "a\\x0d\\x0ab\\x09c\\x1b[2J\\x7f\\x01\\xc2\\x85\\xe2\\x80\\xa8");
}

static void test_log__every_byte_is_printable(void **state)
{
    (void)state;
    struct sink sink = {.lines = 0};
    struct lh_host host = {.self = &sink, .log = keep_line};
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = {(char)byte, 0};
        lh_log(&host, LH_LOG_ERROR, "%s", text);
        for (size_t i = 0; i < sink.len; i++) {
            assert_in_range(sink.line[i], 0x20, 0x7e);
        }
    }
}

static void test_log__a_long_line_is_cut(void **state)
{
    (void)state;
    struct sink sink = {.lines = 0};
    struct lh_host host = {.self = &sink, .log = keep_line};
    static char text[100001];
    memset(text, 'x', sizeof(text) - 1);
    lh_log(&host, LH_LOG_ERROR, "%s", text);
    assert_int_equal(sink.len, LH_LOG_LINE_BYTES - 1);
    memset(text, '\n', sizeof(text) - 1);
    lh_log(&host, LH_LOG_ERROR, "%s", text);
    assert_int_equal(sink.len, (LH_LOG_LINE_BYTES - 1) * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__formats_and_passes_the_level),
        cmocka_unit_test(test_log__nothing_ends_a_line_or_moves_a_terminal),
        cmocka_unit_test(test_log__every_byte_is_printable),
        cmocka_unit_test(test_log__a_long_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
