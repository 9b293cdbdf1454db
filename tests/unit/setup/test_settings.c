/*
 * The settings table, its parser and its template.
 */
#include "support/test.h"

#include "setup/settings.h"

static struct lh_settings_mistake mistake;

static lh_status parse(const char *text, struct lh_settings *settings)
{
    memset(&mistake, 0, sizeof(mistake));
    return lh_settings_parse(lh_slice_from_text(text), settings, &mistake);
}

static void refuses(const char *text, size_t line, const char *what)
{
    struct lh_settings settings;
    assert_status(parse(text, &settings), LH_MALFORMED);
    assert_int_equal(mistake.line, line);
    if (strstr(mistake.text, what) == NULL) {
        fail_msg("got \"%s\", expected something with \"%s\"", mistake.text, what);
    }
}

static void test_settings_parse__empty_file_is_all_defaults(void **state)
{
    (void)state;
    struct lh_settings settings, defaults;
    lh_settings_init(&defaults);
    assert_ok(parse("", &settings));
    assert_memory_equal(&settings, &defaults, sizeof(settings));
    assert_ok(parse("\n# comment\n   \n\t# another = one", &settings));
    assert_memory_equal(&settings, &defaults, sizeof(settings));
}

static void test_settings_parse__values_have_their_units(void **state)
{
    (void)state;
    struct lh_settings settings;
    assert_ok(parse("sessions_map_size = 2g\n"
                    "sync_interval=250ms\n"
                    "  datakey_max_age\t=\t2h  \n"
                    "tenant_entries = 99\n"
                    "locked_memory = best_effort",
                    &settings));
    assert_int_equal(settings.sessions_map_bytes, 2 * LH_GIB);
    assert_int_equal(settings.sync_interval_ms, 250);
    assert_int_equal(settings.datakey_max_age_ms, 2 * LH_HOUR_MS);
    assert_int_equal(settings.tenant_entries, 99);
    assert_int_equal(settings.locked_memory, 1);
}

static void test_settings_parse__unknown_name_gets_a_suggestion(void **state)
{
    (void)state;
    refuses("\nsync_intervall = 1s", 2, "did you mean \"sync_interval\"?");
    refuses("colour = red", 1, "unknown setting \"colour\"");
}

static void test_settings_parse__a_value_without_unit_or_out_of_range_is_refused(void **state)
{
    (void)state;
    refuses("sync_interval = 500", 1, "100ms to 1m, with its unit");
    refuses("sync_interval = 1ms", 1, "100ms to 1m");
    refuses("sync_interval = 2m", 1, "100ms to 1m");
    refuses("tenant_entries = 4k", 1, "16 to 262144");
    refuses("tenant_entries = -1", 1, "16 to 262144");
    refuses("tenant_entries =", 1, "16 to 262144");
    refuses("sessions_map_size = 99999999999999999999g", 1, "64m to 1t");
    refuses("sessions_map_size = 18014398509481985k", 1, "64m to 1t");
    refuses("locked_memory = yes", 1, "required|best_effort");
    refuses("locked_memory = required|best_effort", 1, "required|best_effort");
}

static void test_settings_parse__a_setting_is_given_once(void **state)
{
    (void)state;
    refuses("tenant_entries = 20\n\ntenant_entries = 20", 3, "already on line 1");
}

static void test_settings_parse__anything_else_on_a_line_is_refused(void **state)
{
    (void)state;
    refuses("tenant_entries", 1, "name = value");
    refuses("= 3", 1, "name = value");
    refuses("Tenant_Entries = 20", 1, "name = value");
    refuses("tenant_entries = 20 # few", 1, "16 to 262144");
    refuses("tenant entries = 20", 1, "name = value");
}

static void test_settings_parse__settings_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    refuses("\n\ndatakey_max_age = 1m\n", 3, "datakey_refresh must be less");
    refuses("sessions_map_size = 64m\nsessions_reserve = 32m", 2, "a quarter");
    refuses("sessions_reserve = 32m\n\nsessions_map_size = 64m\n#", 3, "a quarter");
}

static void test_settings_parse__bytes_that_are_no_text_do_not_reach_the_message(void **state)
{
    (void)state;
    struct lh_settings settings;
    static const uint8_t hostile[] = "\x1b[31m\x00 = 1\n";
    assert_status(lh_settings_parse(lh_slice_of(hostile, sizeof(hostile) - 1), &settings, &mistake),
                  LH_MALFORMED);
    assert_null(strchr(mistake.text, '\x1b'));
}

static void test_settings_parse__a_huge_file_is_refused(void **state)
{
    (void)state;
    static uint8_t huge[LH_SETTINGS_MAX_BYTES + 1];
    memset(huge, '\n', sizeof(huge));
    struct lh_settings settings;
    assert_status(lh_settings_parse(LH_SLICE_OF(huge), &settings, &mistake), LH_TOO_LARGE);
}

static void test_settings_parse__a_failure_writes_nothing(void **state)
{
    (void)state;
    struct lh_settings settings;
    memset(&settings, 0x5a, sizeof(settings));
    struct lh_settings before = settings;
    assert_status(parse("tenant_entries = 20\nnonsense", &settings), LH_MALFORMED);
    assert_memory_equal(&settings, &before, sizeof(settings));
}

static void test_settings_table__defaults_are_in_range_and_explained(void **state)
{
    (void)state;
    size_t count;
    const struct lh_setting *rows = lh_settings_table(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(rows[i].least <= rows[i].standard && rows[i].standard <= rows[i].most);
        assert_true(strlen(rows[i].manual) > 40);
    }
}

/* Takes the "#" off every setting of the template. */
static void uncomment(struct lh_buf *text)
{
    for (size_t i = 0; i + 1 < text->len; i++) {
        bool is_line = i == 0 || text->ptr[i - 1] == '\n';
        if (is_line && text->ptr[i] == '#' && text->ptr[i + 1] != ' ') {
            text->ptr[i] = ' ';
        }
    }
}

static void test_settings_write_template__is_a_file_of_the_defaults(void **state)
{
    (void)state;
    struct lh_buf text = LH_BUF_EMPTY;
    struct lh_settings settings, defaults;
    lh_settings_init(&defaults);
    assert_ok(lh_settings_write_template(&text));
    assert_ok(lh_settings_parse(lh_buf_view(&text), &settings, &mistake));
    assert_memory_equal(&settings, &defaults, sizeof(settings));
    uncomment(&text);
    assert_ok(lh_settings_parse(lh_buf_view(&text), &settings, &mistake));
    assert_memory_equal(&settings, &defaults, sizeof(settings));
    lh_buf_fini(&text);
}

static void test_settings_write_template__lines_fit_a_screen(void **state)
{
    (void)state;
    struct lh_buf text = LH_BUF_EMPTY;
    assert_ok(lh_settings_write_template(&text));
    lh_slice rest = lh_buf_view(&text);
    while (rest.len > 0) {
        size_t len = lh_slice_find(rest, '\n');
        assert_true(len <= 100);
        rest = lh_slice_cut(rest, len + 1, rest.len);
    }
    lh_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_parse__empty_file_is_all_defaults),
        cmocka_unit_test(test_settings_parse__values_have_their_units),
        cmocka_unit_test(test_settings_parse__unknown_name_gets_a_suggestion),
        cmocka_unit_test(test_settings_parse__a_value_without_unit_or_out_of_range_is_refused),
        cmocka_unit_test(test_settings_parse__a_setting_is_given_once),
        cmocka_unit_test(test_settings_parse__anything_else_on_a_line_is_refused),
        cmocka_unit_test(test_settings_parse__settings_that_contradict_each_other_are_refused),
        cmocka_unit_test(test_settings_parse__bytes_that_are_no_text_do_not_reach_the_message),
        cmocka_unit_test(test_settings_parse__a_huge_file_is_refused),
        cmocka_unit_test(test_settings_parse__a_failure_writes_nothing),
        cmocka_unit_test(test_settings_table__defaults_are_in_range_and_explained),
        cmocka_unit_test(test_settings_write_template__is_a_file_of_the_defaults),
        cmocka_unit_test(test_settings_write_template__lines_fit_a_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
