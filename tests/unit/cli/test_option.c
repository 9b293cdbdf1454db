/*
 * A command line is taken apart, or the first mistake in it is named.
 */
#include "support/test.h"

#include "option.h"

#define WORDS_MAX 300

struct line {
    char *words[WORDS_MAX];
    int count;
    struct arguments arguments;
    char why[256];
};

static struct line line;

static bool parse(const char *const *words)
{
    memset(&line, 0, sizeof(line));
    line.words[line.count++] = (char *)(uintptr_t) "leasehold";
    for (size_t i = 0; words[i] != NULL; i++) {
        line.words[line.count++] = (char *)(uintptr_t)words[i];
    }
    return arguments_parse(line.count, line.words, &line.arguments, line.why, sizeof(line.why));
}

#define PARSE(...)       parse((const char *const[]){__VA_ARGS__, NULL})

#define assert_why(text) assert_string_equal(line.why, text)

static void test_parse__options_may_stand_anywhere(void **state)
{
    (void)state;
    assert_true(PARSE("--json", "tenant", "--home", "/a", "add", "acme", "--tier=free"));
    assert_int_equal(line.arguments.operand_count, 3);
    assert_slice_text(operand(&line.arguments, 0), "tenant");
    assert_slice_text(operand(&line.arguments, 2), "acme");
    assert_int_equal(operand(&line.arguments, 3).len, 0);
    assert_true(has_option(&line.arguments, OPTION_json));
    assert_false(has_option(&line.arguments, OPTION_yes));
    assert_slice_text(option_value(&line.arguments, OPTION_home), "/a");
    assert_slice_text(option_value(&line.arguments, OPTION_tier), "free");
    assert_int_equal(option_value(&line.arguments, OPTION_sub).len, 0);
}

static void test_parse__a_value_is_everything_after_the_first_equals_sign(void **state)
{
    (void)state;
    assert_true(PARSE("--sub=a=b", "--role", "--yes", "--scope", "-"));
    assert_slice_text(option_value(&line.arguments, OPTION_sub), "a=b");
    assert_slice_text(option_value(&line.arguments, OPTION_role), "--yes");
    assert_slice_text(option_value(&line.arguments, OPTION_scope), "-");
    assert_false(has_option(&line.arguments, OPTION_yes));
    assert_int_equal(line.arguments.operand_count, 0);
}

static void test_parse__two_dashes_end_the_options(void **state)
{
    (void)state;
    assert_true(PARSE("--yes", "--", "--json", "--", "-x"));
    assert_false(has_option(&line.arguments, OPTION_json));
    assert_int_equal(line.arguments.operand_count, 3);
    assert_slice_text(operand(&line.arguments, 0), "--json");
    assert_slice_text(operand(&line.arguments, 1), "--");
    assert_slice_text(operand(&line.arguments, 2), "-x");
}

static void test_parse__one_dash_alone_is_an_operand(void **state)
{
    (void)state;
    assert_true(PARSE("apply", "-", ""));
    assert_int_equal(line.arguments.operand_count, 3);
    assert_true(PARSE("-h"));
    assert_true(has_option(&line.arguments, OPTION_help));
}

static void test_parse__lists_keep_their_order_and_their_limit(void **state)
{
    (void)state;
    assert_true(PARSE("--role", "b", "--role=a", "--role", "b"));
    struct lh_admin_texts roles = option_values(&line.arguments, OPTION_role);
    assert_int_equal(roles.count, 3);
    assert_slice_text(roles.items[0], "b");
    assert_slice_text(roles.items[1], "a");

    const char *words[OPTION_REPEATS_MAX + 2] = {NULL};
    for (size_t i = 0; i < OPTION_REPEATS_MAX; i++) {
        words[i] = "--role=a";
    }
    assert_true(parse(words));
    words[OPTION_REPEATS_MAX] = "--role=a";
    assert_false(parse(words));
    assert_why("--role is given more than 64 times");
}

static void test_parse__operands_have_a_limit(void **state)
{
    (void)state;
    const char *words[OPERANDS_MAX + 2] = {NULL};
    for (size_t i = 0; i < OPERANDS_MAX; i++) {
        words[i] = "a";
    }
    assert_true(parse(words));
    words[OPERANDS_MAX] = "a";
    assert_false(parse(words));
    assert_why("more than 256 operands");
}

static void test_parse__mistakes_are_named(void **state)
{
    (void)state;
    assert_false(PARSE("--jsn"));
    assert_why("there is no option --jsn; did you mean --json?");
    assert_false(PARSE("--frobnicate"));
    assert_why("there is no option --frobnicate");
    assert_false(PARSE("--yes=no"));
    assert_why("--yes takes no value");
    assert_false(PARSE("--tier"));
    assert_why("--tier needs a TIER");
    assert_false(PARSE("--tier="));
    assert_why("--tier needs a TIER that is not empty");
    assert_false(PARSE("--tier", "a", "--tier", "a"));
    assert_why("--tier is given more than once");
    assert_false(PARSE("-x"));
    assert_why("there is no option -x; options begin with --");
    assert_false(PARSE("--=a"));
    assert_why("there is no option --");
}

static void test_parse__flags_may_be_repeated(void **state)
{
    (void)state;
    assert_true(PARSE("--yes", "--yes"));
    assert_true(has_option(&line.arguments, OPTION_yes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse__options_may_stand_anywhere),
        cmocka_unit_test(test_parse__a_value_is_everything_after_the_first_equals_sign),
        cmocka_unit_test(test_parse__two_dashes_end_the_options),
        cmocka_unit_test(test_parse__one_dash_alone_is_an_operand),
        cmocka_unit_test(test_parse__lists_keep_their_order_and_their_limit),
        cmocka_unit_test(test_parse__operands_have_a_limit),
        cmocka_unit_test(test_parse__mistakes_are_named),
        cmocka_unit_test(test_parse__flags_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
