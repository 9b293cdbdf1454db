/*
 * Fields as JSON, as a table and as a record; whole, empty, failed in the midst, unwritable.
 */
#include "support/test.h"

#include "output.h"

static char *text;
static size_t text_bytes;

static struct output open_output(bool is_json)
{
    free(text);
    text = NULL;
    FILE *file = open_memstream(&text, &text_bytes);
    assert_non_null(file);
    return output_on(file, is_json);
}

static void assert_printed(struct output *output, const char *expected)
{
    assert_true(output_flush(output));
    output_fini(output);
    assert_int_equal(fclose(output->file), 0);
    assert_string_equal(text, expected);
    free(text);
    text = NULL;
}

static const lh_slice words[] = {{(const uint8_t *)"b", 1}, {(const uint8_t *)"a\"", 2}};

static size_t fill(struct field fields[5], const char *name, uint64_t life_s)
{
    fields[0] = FIELD_OF_TEXT("id", SHOW_BOTH, lh_slice_from_text(name));
    fields[1] = FIELD_OF_LIFE("idle", SHOW_RECORD, life_s);
    fields[2] = FIELD_OF_LIST("roles", SHOW_BOTH, ((struct lh_admin_texts){words, 2}));
    fields[3] = FIELD_OF_TIME("created", SHOW_TABLE, 4102444800000U); /* 2100, after 2038 */
    fields[4] = FIELD_OF_BOOL("is_open", SHOW_JSON, true);
    return 5;
}

static void test_item__as_json_has_every_field_with_its_unit(void **state)
{
    (void)state;
    struct field fields[5];
    struct output output = open_output(true);
    output_item(&output, fields, fill(fields, "a\n", 90));
    assert_printed(&output, "{\"id\":\"a\\n\",\"idle_s\":90,\"roles\":[\"b\",\"a\\\"\"],"
                            "\"created_ms\":4102444800000,\"is_open\":true}\n");
}

static void test_item__as_a_record_has_one_line_a_field(void **state)
{
    (void)state;
    struct field fields[5];
    struct output output = open_output(false);
    output_item(&output, fields, fill(fields, "", 7200));
    assert_printed(&output, "id     -\nidle   2 h\nroles  b, a\"\n");
}

static void test_life__is_said_in_the_largest_whole_unit(void **state)
{
    (void)state;
    static const struct {
        uint64_t seconds;
        const char *said;
    } lives[] = {{0, "l  0 s\n"},     {59, "l  59 s\n"},    {60, "l  1 min\n"},
                 {90, "l  90 s\n"},   {3600, "l  1 h\n"},   {5400, "l  90 min\n"},
                 {86400, "l  1 d\n"}, {90000, "l  25 h\n"}, {UINT32_MAX, "l  4294967295 s\n"}};
    for (size_t i = 0; i < FIELD_COUNT(lives); i++) {
        struct field field = FIELD_OF_LIFE("l", SHOW_BOTH, lives[i].seconds);
        struct output output = open_output(false);
        output_item(&output, &field, 1);
        assert_printed(&output, lives[i].said);
    }
}

static void test_list__columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct field fields[5];
    struct output output = open_output(false);
    output_list_begin(&output, "things", "nothing");
    output_list_item(&output, fields, fill(fields, "x", 1));
    output_list_item(&output, fields, fill(fields, "longer", 1));
    output_list_end(&output);
    assert_printed(&output, "ID      ROLES  CREATED\n"
                            "x       b, a\"  2100-01-01 00:00:00Z\n"
                            "longer  b, a\"  2100-01-01 00:00:00Z\n");
}

static void test_list__empty_is_said_to_people_and_empty_to_programs(void **state)
{
    (void)state;
    struct output output = open_output(false);
    output_list_begin(&output, "things", "nothing");
    output_list_end(&output);
    assert_printed(&output, "nothing\n");
    output = open_output(true);
    output_list_begin(&output, "things", "nothing");
    output_list_end(&output);
    assert_printed(&output, "{\"things\":[]}\n");
}

static void test_list__longer_than_what_is_measured_loses_no_row(void **state)
{
    (void)state;
    struct field fields[5];
    struct output output = open_output(false);
    output_list_begin(&output, "things", "nothing");
    for (size_t i = 0; i < 2 * ROWS_MEASURED + 3; i++) {
        output_list_item(&output, fields, fill(fields, "x", 1));
    }
    output_list_end(&output);
    assert_true(output_flush(&output));
    size_t lines = 0;
    for (size_t i = 0; i < text_bytes; i++) {
        lines += text[i] == '\n';
    }
    assert_int_equal(lines, 2 * ROWS_MEASURED + 4);
    output_fini(&output);
    assert_int_equal(fclose(output.file), 0);
    free(text);
    text = NULL;
}

static void test_error__inside_a_list_still_makes_one_document(void **state)
{
    (void)state;
    struct field field = FIELD_OF_NUMBER("n", SHOW_BOTH, 1);
    struct output output = open_output(true);
    output_list_begin(&output, "things", "nothing");
    output_list_item(&output, &field, 1);
    output_error(&output, lh_status_of(LH_ABSENT), "gone \"away\"");
    output_error(&output, lh_status_of(LH_ABSENT), "once more");
    assert_printed(&output, "{\"things\":[\n{\"n\":1}],\"error\":{\"status\":\"ABSENT\","
                            "\"message\":\"gone \\\"away\\\"\"}}\n");
}

static void test_error__after_a_whole_document_adds_nothing_to_it(void **state)
{
    (void)state;
    struct field field = FIELD_OF_NUMBER("n", SHOW_BOTH, 1);
    struct output output = open_output(true);
    output_item(&output, &field, 1);
    output_error(&output, lh_status_of(LH_ABSENT), "late");
    assert_printed(&output, "{\"n\":1}\n");
}

static void test_error__for_people_keeps_the_rows_that_were_read(void **state)
{
    (void)state;
    struct field field = FIELD_OF_NUMBER("n", SHOW_BOTH, 1);
    struct output output = open_output(false);
    output_list_begin(&output, "things", "nothing");
    output_list_item(&output, &field, 1);
    output_error(&output, lh_status_of(LH_ABSENT), "gone");
    assert_printed(&output, "N\n1\n");
}

/* A path may hold any bytes; JSON is UTF-8 (RFC 8259 §8.1). */
static void test_json__of_bytes_that_are_no_utf8_is_still_a_document(void **state)
{
    (void)state;
    struct field field = FIELD_OF_TEXT("t", SHOW_BOTH, LH_SLICE_LITERAL("h\xff\xc3\xa4"));
    struct output output = open_output(true);
    output_item(&output, &field, 1);
    assert_printed(&output, "{\"t\":\"h\?\?\?\"}\n");
    output = open_output(true);
    output_error(&output, lh_status_of(LH_INVALID), "no \"\xff\"");
    assert_printed(&output, "{\"error\":{\"status\":\"INVALID\",\"message\":\"no \\\"?\\\"\"}}\n");
    field = FIELD_OF_TEXT("t", SHOW_BOTH, LH_SLICE_LITERAL("\xc3\xa4"));
    output = open_output(true);
    output_item(&output, &field, 1);
    assert_printed(&output, "{\"t\":\"\xc3\xa4\"}\n");
}

static void test_flush__knows_of_a_write_that_failed_before(void **state)
{
    (void)state;
    struct field field = FIELD_OF_NUMBER("n", SHOW_BOTH, 1);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    struct output output = output_on(full, true);
    output_item(&output, &field, 1);
    assert_false(output_flush(&output));
    assert_false(output_flush(&output));
    output_fini(&output);
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_item__as_json_has_every_field_with_its_unit),
        cmocka_unit_test(test_item__as_a_record_has_one_line_a_field),
        cmocka_unit_test(test_life__is_said_in_the_largest_whole_unit),
        cmocka_unit_test(test_list__columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(test_list__empty_is_said_to_people_and_empty_to_programs),
        cmocka_unit_test(test_list__longer_than_what_is_measured_loses_no_row),
        cmocka_unit_test(test_error__inside_a_list_still_makes_one_document),
        cmocka_unit_test(test_error__after_a_whole_document_adds_nothing_to_it),
        cmocka_unit_test(test_error__for_people_keeps_the_rows_that_were_read),
        cmocka_unit_test(test_json__of_bytes_that_are_no_utf8_is_still_a_document),
        cmocka_unit_test(test_flush__knows_of_a_write_that_failed_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
