/*
 * The Cookie header as attackers write it. The numbers in the names are those of the list of
 * abuse cases.
 */
#include "support/test.h"

#include "codec/cookie.h"

#define SESSION "__Host-lh"

/* The rule of the real caller: the session's name, and everything that begins with it and "-". */
static bool is_session(lh_slice name)
{
    return lh_slice_is_equal(name, LH_SLICE_LITERAL(SESSION)) ||
           lh_slice_has_prefix(name, LH_SLICE_LITERAL(SESSION "-"));
}

static size_t count_named(lh_slice header, const char *name)
{
    struct lh_cookie_walk walk = lh_cookie_walk_over(header);
    struct lh_cookie_pair pair;
    size_t count = 0;
    while (lh_cookie_next(&walk, &pair)) {
        count += lh_slice_is_equal(pair.name, lh_slice_from_text(name));
    }
    return count;
}

static void assert_pair(struct lh_cookie_walk *walk, const char *name, const char *value)
{
    struct lh_cookie_pair pair;
    assert_true(lh_cookie_next(walk, &pair));
    assert_slice_text(pair.name, name);
    assert_slice_text(pair.value, value);
}

static void assert_end(struct lh_cookie_walk *walk)
{
    struct lh_cookie_pair pair;
    assert_false(lh_cookie_next(walk, &pair));
    assert_false(lh_cookie_next(walk, &pair)); /* and it stays the end */
}

/* Adds what is not the session's to a line with exactly the promised room. */
static void keep_others(const char *const *headers, size_t count, struct lh_cookie_line *line)
{
    size_t room = 0;
    for (size_t i = 0; i < count; i++) {
        room += lh_cookie_line_room(lh_slice_from_text(headers[i]));
    }
    *line = (struct lh_cookie_line){.text = malloc(room)};
    assert_non_null(line->text);
    for (size_t i = 0; i < count; i++) {
        struct lh_cookie_walk walk = lh_cookie_walk_over(lh_slice_from_text(headers[i]));
        struct lh_cookie_pair pair;
        while (lh_cookie_next(&walk, &pair)) {
            if (!is_session(pair.name)) {
                lh_cookie_line_add(line, pair.whole);
            }
        }
    }
    assert_true(line->len <= room);
}

static void assert_kept(const char *const *headers, size_t count, const char *expected)
{
    struct lh_cookie_line line;
    keep_others(headers, count, &line);
    assert_slice_text(lh_slice_of(line.text, line.len), expected);
    free(line.text);
}

static void assert_filtered(const char *header, const char *expected)
{
    assert_kept(&header, 1, expected);
}

/* --- The walk --- */

static void test_cookie_next__splits_pairs(void **state)
{
    (void)state;
    struct lh_cookie_walk walk = lh_cookie_walk_over(LH_SLICE_LITERAL("a=1; b=2;c=3"));
    assert_pair(&walk, "a", "1");
    assert_pair(&walk, "b", "2");
    assert_pair(&walk, "c", "3");
    assert_end(&walk);
}

static void test_cookie_next__takes_only_the_first_equals_sign(void **state)
{
    (void)state;
    struct lh_cookie_walk walk = lh_cookie_walk_over(LH_SLICE_LITERAL("a==b=; c="));
    assert_pair(&walk, "a", "=b=");
    assert_pair(&walk, "c", "");
    assert_end(&walk);
}

static void test_cookie_next__trims_the_name_and_leaves_the_value(void **state)
{
    (void)state;
    struct lh_cookie_walk walk = lh_cookie_walk_over(LH_SLICE_LITERAL(" \ta \t= 1 ;\tb=2\t"));
    assert_pair(&walk, "a", " 1");
    assert_pair(&walk, "b", "2");
    assert_end(&walk);
}

static void test_cookie_next__c01_shows_every_duplicate_in_order(void **state)
{
    (void)state;
    struct lh_cookie_walk walk =
        lh_cookie_walk_over(LH_SLICE_LITERAL("__Host-lh=shadow; x=1; __Host-lh=real"));
    assert_pair(&walk, SESSION, "shadow");
    assert_pair(&walk, "x", "1");
    assert_pair(&walk, SESSION, "real");
    assert_end(&walk);
}

static void test_cookie_next__c02_c03_c04_match_no_look_alike(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "lh=x",
        "Host-lh=x",
        "__host-lh=x",
        "__HOST-LH=x",
        "__Secure-lh=x",
        "%5f%5fHost-lh=x",
        "__Host%2dlh=x",
        "\xe2\x80\x80__Host-lh=x",
        "__Host-lh\xe2\x80\x80=x",
        "\x85__Host-lh=x",
        "\xa0__Host-lh=x",
        "\xc2\xa0__Host-lh=x",
        "\x0b__Host-lh=x",
        "\x0c__Host-lh=x",
        "\r__Host-lh=x",
        "\n__Host-lh=x",
        "\"__Host-lh\"=x",
        "__Host-lh:x",
        "x,__Host-lh=x",
        "x&__Host-lh=x",
        "x __Host-lh=x",
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_int_equal(count_named(lh_slice_from_text(headers[i]), SESSION), 0);
    }
    assert_int_equal(count_named(LH_SLICE_LITERAL("\0__Host-lh=x"), SESSION), 0);
    assert_int_equal(count_named(LH_SLICE_LITERAL("__Host-lh\0=x"), SESSION), 0);
}

static void test_cookie_next__c05_knows_no_legacy_syntax(void **state)
{
    (void)state;
    struct lh_cookie_walk walk =
        lh_cookie_walk_over(LH_SLICE_LITERAL("$Version=1; a=\"x; __Host-lh=\\163; b=y\"; $Path=/"));
    assert_pair(&walk, "$Version", "1");
    assert_pair(&walk, "a", "\"x"); /* a quote is a byte of the value and hides nothing */
    assert_pair(&walk, SESSION, "\\163");
    assert_pair(&walk, "b", "y\"");
    assert_pair(&walk, "$Path", "/");
    assert_end(&walk);
}

static void test_cookie_next__c06_nameless_cookies_have_no_name(void **state)
{
    (void)state;
    struct lh_cookie_walk walk =
        lh_cookie_walk_over(LH_SLICE_LITERAL("=__Host-lh=x; __Host-lh; = y; \t=z"));
    assert_pair(&walk, "", "__Host-lh=x");
    assert_pair(&walk, "", "");
    assert_pair(&walk, "", " y");
    assert_pair(&walk, "", "z");
    assert_end(&walk);
}

static void test_cookie_next__c10_survives_odd_headers(void **state)
{
    (void)state;
    static const char *const empty[] = {"", ";", ";;", " ", "\t", " ; ;\t;", "; "};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        struct lh_cookie_walk walk = lh_cookie_walk_over(lh_slice_from_text(empty[i]));
        assert_end(&walk);
        assert_filtered(empty[i], "");
    }
    struct lh_cookie_walk walk = lh_cookie_walk_over(LH_SLICE_LITERAL("="));
    assert_pair(&walk, "", "");
    assert_end(&walk);
    walk = lh_cookie_walk_over(LH_SLICE_EMPTY);
    assert_end(&walk);
}

static void test_cookie_next__c08_walks_long_headers(void **state)
{
    (void)state;
    enum { LEN = 65536 };
    static uint8_t header[LEN];
    struct lh_cookie_pair pair;

    memset(header, ';', LEN);
    struct lh_cookie_walk walk = lh_cookie_walk_over(LH_SLICE_OF(header));
    assert_end(&walk);

    memset(header, 'a', LEN);
    walk = lh_cookie_walk_over(LH_SLICE_OF(header));
    assert_true(lh_cookie_next(&walk, &pair));
    assert_int_equal(pair.whole.len, LEN);
    assert_end(&walk);

    for (size_t i = 0; i < LEN; i++) {
        header[i] = (uint8_t) "a=;"[i % 3];
    }
    assert_int_equal(count_named(LH_SLICE_OF(header), "a"), LEN / 3);
}

/* --- What is left --- */

static void test_cookie_line__c13_drops_ours_and_keeps_others_byte_for_byte(void **state)
{
    (void)state;
    assert_filtered("__Host-lh=v", "");
    assert_filtered("a=1; __Host-lh=v; b=2", "a=1; b=2");
    assert_filtered("__Host-lh=v; a=1", "a=1");
    assert_filtered("a=1; __Host-lh-0a1b2c3d=v", "a=1");
    assert_filtered("__Host-lh=1; __Host-lh-ffffffff=2; __Host-lh=3; __Host-lh-=4", "");
    assert_filtered("a=\"q; w\"; b= x ; c", "a=\"q; w\"; b= x; c");
    assert_filtered("a =1;b\t=2", "a =1; b\t=2");
    assert_filtered("\xff\xfe=\x80", "\xff\xfe=\x80");
    assert_filtered("__Host-lhx=1; __Host-l=2", "__Host-lhx=1; __Host-l=2");
}

static void test_cookie_line__drops_ours_in_every_spelling_that_a_server_may_trim(void **state)
{
    (void)state;
    assert_filtered("__Host-lh =v; a=1", "a=1");
    assert_filtered("\t __Host-lh\t=v ;a=1", "a=1");
    assert_filtered("x=\"; __Host-lh=v; y=\"", "x=\"; y=\"");
}

static void test_cookie_line__keeps_nameless_cookies(void **state)
{
    (void)state;
    assert_filtered("__Host-lh; =__Host-lh=v; a", "__Host-lh; =__Host-lh=v; a");
}

static void test_cookie_line__c07_joins_several_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"a=1", "__Host-lh=v", "", "b=2; __Host-lh=w", "c=3"};
    assert_kept(headers, sizeof(headers) / sizeof(headers[0]), "a=1; b=2; c=3");
}

static void test_cookie_line__has_room_for_the_shortest_pairs(void **state)
{
    (void)state;
    static const char *const headers[] = {"a;b;c;d;e", "f", ";g;", "h;i"};
    assert_filtered("a;b;c;d;e", "a; b; c; d; e");
    assert_kept(headers, sizeof(headers) / sizeof(headers[0]), "a; b; c; d; e; f; g; h; i");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cookie_next__splits_pairs),
        cmocka_unit_test(test_cookie_next__takes_only_the_first_equals_sign),
        cmocka_unit_test(test_cookie_next__trims_the_name_and_leaves_the_value),
        cmocka_unit_test(test_cookie_next__c01_shows_every_duplicate_in_order),
        cmocka_unit_test(test_cookie_next__c02_c03_c04_match_no_look_alike),
        cmocka_unit_test(test_cookie_next__c05_knows_no_legacy_syntax),
        cmocka_unit_test(test_cookie_next__c06_nameless_cookies_have_no_name),
        cmocka_unit_test(test_cookie_next__c10_survives_odd_headers),
        cmocka_unit_test(test_cookie_next__c08_walks_long_headers),
        cmocka_unit_test(test_cookie_line__c13_drops_ours_and_keeps_others_byte_for_byte),
        cmocka_unit_test(test_cookie_line__drops_ours_in_every_spelling_that_a_server_may_trim),
        cmocka_unit_test(test_cookie_line__keeps_nameless_cookies),
        cmocka_unit_test(test_cookie_line__c07_joins_several_headers),
        cmocka_unit_test(test_cookie_line__has_room_for_the_shortest_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
