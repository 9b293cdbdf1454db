/*
 * Strict YAML: what is read, what is refused, and where the mistake is.
 */
#include "support/test.h"

#include "codec/yaml.h"

static struct lh_arena arena;
static struct lh_yaml_mistake mistake;

static lh_status parse(const char *text, struct lh_yaml_node **out_roots)
{
    arena = lh_arena_bounded(LH_YAML_TREE_MAX_BYTES);
    *out_roots = NULL;
    return lh_yaml_parse(lh_slice_from_text(text), &arena, out_roots, &mistake);
}

static void refuses(const char *text, size_t line, size_t column, const char *what)
{
    struct lh_yaml_node *roots;
    assert_status(parse(text, &roots), LH_MALFORMED);
    assert_null(roots);
    if (mistake.at.line != line || mistake.at.column != column ||
        strstr(mistake.text, what) == NULL) {
        fail_msg("got %zu:%zu \"%s\", expected %zu:%zu \"%s\"", mistake.at.line, mistake.at.column,
                 mistake.text, line, column, what);
    }
    lh_arena_fini(&arena);
}

static void test_yaml_parse__maps_lists_and_scalars_with_their_places(void **state)
{
    (void)state;
    struct lh_yaml_node *root;
    assert_ok(parse("a: 1\n"
                    "list:\n"
                    "  - x\n"
                    "  - \"y\"\n"
                    "map: {inner: [p, q]}\n",
                    &root));
    assert_int_equal(root->kind, LH_YAML_MAP);
    assert_int_equal(root->count, 3);
    const struct lh_yaml_node *list = lh_yaml_find(root, LH_SLICE_LITERAL("list"));
    assert_int_equal(list->kind, LH_YAML_LIST);
    assert_int_equal(list->key_at.line, 2);
    assert_slice_text(list->first->text, "x");
    assert_false(list->first->is_quoted);
    assert_slice_text(list->first->next->text, "y");
    assert_true(list->first->next->is_quoted);
    assert_int_equal(list->first->next->at.line, 4);
    assert_int_equal(list->first->next->at.column, 5);
    const struct lh_yaml_node *inner =
        lh_yaml_find(lh_yaml_find(root, LH_SLICE_LITERAL("map")), LH_SLICE_LITERAL("inner"));
    assert_int_equal(inner->count, 2);
    assert_null(lh_yaml_find(root, LH_SLICE_LITERAL("inner")));
    assert_null(lh_yaml_find(inner, LH_SLICE_LITERAL("p")));
    lh_arena_fini(&arena);
}

static void test_yaml_parse__scalars_stay_texts(void **state)
{
    (void)state;
    struct lh_yaml_node *root;
    assert_ok(parse("[no, 0x10, 1e3, 2001-01-01, ~, '']", &root));
    static const char *const expected[] = {"no", "0x10", "1e3", "2001-01-01", "~", ""};
    const struct lh_yaml_node *node = root->first;
    for (size_t i = 0; i < 6; i++, node = node->next) {
        assert_slice_text(node->text, expected[i]);
    }
    lh_arena_fini(&arena);
}

static void test_yaml_parse__several_documents_are_a_list_of_roots(void **state)
{
    (void)state;
    struct lh_yaml_node *root;
    assert_ok(parse("a: 1\n---\nb: 2\n---\n", &root));
    assert_non_null(lh_yaml_find(root, LH_SLICE_LITERAL("a")));
    assert_non_null(lh_yaml_find(root->next, LH_SLICE_LITERAL("b")));
    assert_null(root->next->next->next);
    lh_arena_fini(&arena);
    assert_ok(parse("", &root));
    assert_null(root);
    assert_ok(parse("# only a comment\n", &root));
    assert_null(root);
    lh_arena_fini(&arena);
}

static void test_yaml_parse__what_means_more_than_it_says_is_refused(void **state)
{
    (void)state;
    refuses("a: &x 1", 1, 4, "anchors");
    refuses("a: [1]\nb: *x", 2, 4, "aliases");
    refuses("a: !!str 1", 1, 4, "tags");
    refuses("a: !mine {x: 1}", 1, 4, "tags");
    refuses("a: {b: 1}\nc:\n  <<: {d: 1}", 3, 3, "merge keys");
    refuses("%YAML 1.1\n---\na: 1", 1, 1, "directives");
    refuses("%TAG ! tag:example.com,2000:\n---\na: 1", 1, 1, "directives");
}

static void test_yaml_parse__a_key_is_given_once(void **state)
{
    (void)state;
    refuses("a: 1\nb: 2\n\"a\": 3", 3, 1, "\"a\" is given already on line 1");
    refuses("x: {k: 1, l: 2, k: 3}", 1, 17, "\"k\" is given already on line 1");
}

static void test_yaml_parse__a_key_is_plain_text(void **state)
{
    (void)state;
    refuses("? [a, b]\n: 1", 1, 3, "plain text");
    refuses("? {a: b}\n: 1", 1, 3, "plain text");
    refuses("\"\": 1", 1, 1, "must not be empty");
}

static void test_yaml_parse__broken_text_has_its_place(void **state)
{
    (void)state;
    refuses("a: [1, 2\nb: 3", 2, 2, "");
    refuses("a: \"open", 1, 9, "");
    refuses("\ta: 1", 1, 1, "");
    refuses("a: 1\n  b: 2", 2, 4, "");
    refuses("a: \xff", 0 + 1, 1, "");
}

static void test_yaml_parse__nesting_ends_at_its_limit(void **state)
{
    (void)state;
    char text[2 * LH_YAML_DEPTH_MAX + 4];
    struct lh_yaml_node *root;
    memset(text, '[', LH_YAML_DEPTH_MAX);
    memset(text + LH_YAML_DEPTH_MAX, ']', LH_YAML_DEPTH_MAX);
    text[2 * LH_YAML_DEPTH_MAX] = '\0';
    assert_ok(parse(text, &root));
    lh_arena_fini(&arena);
    memset(text, '[', LH_YAML_DEPTH_MAX + 1);
    text[LH_YAML_DEPTH_MAX + 1] = '\0';
    refuses(text, 1, LH_YAML_DEPTH_MAX + 1, "nested deeper");
}

static void test_yaml_parse__deep_and_wide_texts_end_soon(void **state)
{
    (void)state;
    static char deep[100001];
    memset(deep, '[', sizeof(deep) - 1);
    struct lh_yaml_node *root;
    assert_status(parse(deep, &root), LH_MALFORMED);
    lh_arena_fini(&arena);
    static char wide[40001];
    for (size_t i = 0; i + 4 <= sizeof(wide) - 1; i += 4) {
        memcpy(wide + i, "- a\n", 4);
    }
    assert_ok(parse(wide, &root));
    assert_int_equal(root->count, 10000);
    lh_arena_fini(&arena);
}

static void test_yaml_parse__a_tree_larger_than_its_arena_is_refused(void **state)
{
    (void)state;
    struct lh_yaml_node *root = NULL;
    struct lh_arena small = lh_arena_bounded(2048);
    static char text[4001];
    for (size_t i = 0; i + 4 <= sizeof(text) - 1; i += 4) {
        memcpy(text + i, "- a\n", 4);
    }
    assert_status(lh_yaml_parse(lh_slice_from_text(text), &small, &root, &mistake), LH_TOO_LARGE);
    assert_non_null(strstr(mistake.text, "more than can be kept"));
    lh_arena_fini(&small);
}

static void test_yaml_parse__a_text_over_its_limit_is_not_read(void **state)
{
    (void)state;
    struct lh_yaml_node *root = NULL;
    char *text = malloc(LH_YAML_MAX_BYTES + 1);
    assert_non_null(text);
    memset(text, '\n', LH_YAML_MAX_BYTES + 1);
    arena = lh_arena_bounded(LH_YAML_TREE_MAX_BYTES);
    assert_ok(lh_yaml_parse(lh_slice_of(text, LH_YAML_MAX_BYTES), &arena, &root, &mistake));
    assert_status(lh_yaml_parse(lh_slice_of(text, LH_YAML_MAX_BYTES + 1), &arena, &root, &mistake),
                  LH_TOO_LARGE);
    assert_non_null(strstr(mistake.text, "larger than"));
    lh_arena_fini(&arena);
    free(text);
}

static void test_yaml_parse__nul_and_control_characters_are_refused(void **state)
{
    (void)state;
    struct lh_yaml_node *root = NULL;
    static const char with_nul[] = "a: \"b\0c\"\n";
    arena = lh_arena_bounded(LH_YAML_TREE_MAX_BYTES);
    assert_status(
        lh_yaml_parse(lh_slice_of(with_nul, sizeof(with_nul) - 1), &arena, &root, &mistake),
        LH_MALFORMED);
    lh_arena_fini(&arena);
    refuses("a: \"b\\0c\"\n", 1, 4, "NUL");
    refuses("a: b\x1b", 1, 1, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_parse__maps_lists_and_scalars_with_their_places),
        cmocka_unit_test(test_yaml_parse__scalars_stay_texts),
        cmocka_unit_test(test_yaml_parse__several_documents_are_a_list_of_roots),
        cmocka_unit_test(test_yaml_parse__what_means_more_than_it_says_is_refused),
        cmocka_unit_test(test_yaml_parse__a_key_is_given_once),
        cmocka_unit_test(test_yaml_parse__a_key_is_plain_text),
        cmocka_unit_test(test_yaml_parse__broken_text_has_its_place),
        cmocka_unit_test(test_yaml_parse__nesting_ends_at_its_limit),
        cmocka_unit_test(test_yaml_parse__deep_and_wide_texts_end_soon),
        cmocka_unit_test(test_yaml_parse__a_tree_larger_than_its_arena_is_refused),
        cmocka_unit_test(test_yaml_parse__a_text_over_its_limit_is_not_read),
        cmocka_unit_test(test_yaml_parse__nul_and_control_characters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
