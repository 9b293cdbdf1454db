/*
 * Taking headers out of nginx's list: the elements stay where they are, and no part but the first
 * is empty, whatever is taken out and wherever it stands. The pool is a fake; the list is nginx's.
 */
#include "support/test.h"

#include "ngx_http_leasehold.h"

#define HEADERS_MAX 64U

/* All memory that a test takes, freed at its end. */
struct fake_memory {
    struct fake_memory *next;
};

static struct fake_memory *taken;
/* What runs when the pool dies, as in nginx; the sanitizer build frees its memory by it. */
static ngx_pool_cleanup_t *cleanups;

static void *take(size_t size)
{
    struct fake_memory *memory = calloc(1, sizeof(*memory) + size);
    assert_non_null(memory);
    memory->next = taken;
    taken = memory;
    return memory + 1;
}

#undef ngx_palloc

void *ngx_palloc(ngx_pool_t *pool, size_t size)
{
    (void)pool;
    return take(size);
}

ngx_pool_cleanup_t *ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t *cleanup = take(sizeof(ngx_pool_cleanup_t) + size);
    (void)pool;
    cleanup->next = cleanups;
    cleanups = cleanup;
    return cleanup;
}

void *ngx_list_push(ngx_list_t *list)
{
    ngx_list_part_t *last = list->last;

    if (last->nelts == list->nalloc) {
        last = take(sizeof(ngx_list_part_t));
        last->elts = take(list->nalloc * list->size);
        list->last->next = last;
        list->last = last;
    }
    last->nelts++;
    return (char *)last->elts + list->size * (last->nelts - 1);
}

static int free_memory(void **state)
{
    (void)state;
    for (; cleanups != NULL; cleanups = cleanups->next) {
        if (cleanups->handler != NULL) {
            cleanups->handler(cleanups->data);
        }
    }
    while (taken != NULL) {
        struct fake_memory *next = taken->next;
        free(taken);
        taken = next;
    }
    return 0;
}

static ngx_uint_t is_dropped(ngx_table_elt_t *element)
{
    return element->key.data[0] == 'd';
}

/* A list as nginx's parser makes it: parts of capacity, one letter a header. */
static void fill(ngx_list_t *list, const char *letters, size_t capacity)
{
    memset(list, 0, sizeof(*list));
    list->part.elts = take(capacity * sizeof(ngx_table_elt_t));
    list->size = sizeof(ngx_table_elt_t);
    list->nalloc = capacity;
    list->last = &list->part;
    for (size_t i = 0; letters[i] != '\0'; i++) {
        ngx_table_elt_t *element = ngx_list_push(list);
        element->key.data = (u_char *)(uintptr_t)&letters[i];
        element->key.len = 1;
    }
}

/* As every loop in nginx reads it, down to the unasked first element of a part. */
static size_t read_as_nginx(ngx_list_t *list, char *letters, ngx_table_elt_t **elements)
{
    ngx_list_part_t *part = &list->part;
    ngx_table_elt_t *header = part->elts;
    size_t count = 0;

    for (ngx_uint_t i = 0;; i++) {
        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }
            part = part->next;
            header = part->elts;
            i = 0;
        }
        assert_true(count < HEADERS_MAX);
        elements[count] = &header[i];
        letters[count++] = (char)header[i].key.data[0];
    }
    letters[count] = '\0';
    return count;
}

static void assert_letters(ngx_list_t *list, const char *expected)
{
    char letters[HEADERS_MAX + 1];
    ngx_table_elt_t *elements[HEADERS_MAX];

    read_as_nginx(list, letters, elements);
    assert_string_equal(letters, expected);
}

static void rebuild(ngx_list_t *list, ngx_table_elt_t *extra, ngx_uint_t count,
                    ngx_table_elt_t **out_first)
{
    assert_int_equal(
        ngx_http_leasehold_list_rebuild(list, NULL, is_dropped, extra, count, out_first), NGX_OK);
}

static void test_header_list__takes_out_first_middle_last_and_only(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"dab", "ab"},   {"adb", "ab"},         {"abd", "ab"},   {"d", ""},
        {"", ""},        {"ab", "ab"},          {"addb", "ab"},  {"dddd", ""},
        {"dadbd", "ab"}, {"abcddddddd", "abc"}, {"ddddda", "a"}, {"adbdcdedf", "abcef"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t capacity = 1; capacity <= 5; capacity++) {
            ngx_list_t list;
            fill(&list, cases[i][0], capacity);
            rebuild(&list, NULL, 0, NULL);
            assert_letters(&list, cases[i][1]);
        }
    }
}

static void test_header_list__kept_elements_do_not_move(void **state)
{
    (void)state;
    char letters[HEADERS_MAX + 1];
    ngx_table_elt_t *before[HEADERS_MAX], *after[HEADERS_MAX];
    ngx_list_t list;

    fill(&list, "adbdcddde", 3);
    size_t count = read_as_nginx(&list, letters, before);
    rebuild(&list, NULL, 0, NULL);
    size_t kept = read_as_nginx(&list, letters, after);

    for (size_t i = 0, next = 0; i < count; i++) {
        if (!is_dropped(before[i])) {
            assert_ptr_equal(after[next++], before[i]);
        }
        assert_true(next <= kept);
    }
}

static void test_header_list__later_pushes_overwrite_nothing(void **state)
{
    (void)state;
    ngx_list_t list;
    char expected[] = "abpppppppppp";

    for (size_t capacity = 1; capacity <= 6; capacity++) {
        fill(&list, "adbd", capacity);
        ngx_table_elt_t *dropped = (ngx_table_elt_t *)list.part.elts + (capacity > 1);
        u_char *name = dropped->key.data;
        rebuild(&list, NULL, 0, NULL);
        for (size_t i = 0; i < 10; i++) {
            ngx_table_elt_t *element = ngx_list_push(&list);
            element->key.data = (u_char *)&expected[2];
            element->key.len = 1;
        }
        assert_letters(&list, expected);
        assert_ptr_equal(dropped->key.data, name);
    }
}

static void test_header_list__appends_extra_elements_and_says_where(void **state)
{
    (void)state;
    u_char x[] = "x", y[] = "y";
    ngx_table_elt_t extra[2], *first;
    ngx_list_t list;

    memset(extra, 0, sizeof(extra));
    extra[0].key.data = x;
    extra[1].key.data = y;
    for (size_t capacity = 1; capacity <= 5; capacity++) {
        fill(&list, "dadb", capacity);
        rebuild(&list, extra, 2, &first);
        assert_letters(&list, "abxy");
        assert_int_equal(first[0].key.data[0], 'x');
        fill(&list, "ddd", capacity);
        rebuild(&list, extra, 2, &first);
        assert_letters(&list, "xy");
    }
}

static void test_header_list__rebuilding_again_and_again_stays_right(void **state)
{
    (void)state;
    u_char dropped_name[] = "d", kept_name[] = "k";
    ngx_table_elt_t extra[2];
    ngx_list_t list;

    memset(extra, 0, sizeof(extra));
    extra[0].key.data = dropped_name;
    extra[1].key.data = kept_name;
    fill(&list, "adb", 20);
    rebuild(&list, extra, 2, NULL);
    assert_letters(&list, "abdk");
    rebuild(&list, extra, 2, NULL);
    assert_letters(&list, "abkdk");
    rebuild(&list, NULL, 0, NULL);
    assert_letters(&list, "abkk");
    rebuild(&list, NULL, 0, NULL);
    assert_letters(&list, "abkk");
}

static void test_header_list__a_copy_of_the_list_is_left_alone(void **state)
{
    (void)state;
    ngx_list_t list, copy;

    fill(&list, "adbdcdd", 2);
    copy = list;
    rebuild(&list, NULL, 0, NULL);
    assert_letters(&list, "abc");
    assert_letters(&copy, "adbdcdd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_header_list__takes_out_first_middle_last_and_only,
                                  free_memory),
        cmocka_unit_test_teardown(test_header_list__kept_elements_do_not_move, free_memory),
        cmocka_unit_test_teardown(test_header_list__later_pushes_overwrite_nothing, free_memory),
        cmocka_unit_test_teardown(test_header_list__appends_extra_elements_and_says_where,
                                  free_memory),
        cmocka_unit_test_teardown(test_header_list__rebuilding_again_and_again_stays_right,
                                  free_memory),
        cmocka_unit_test_teardown(test_header_list__a_copy_of_the_list_is_left_alone, free_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
