/*
 * Each allocation of ours and of jansson fails in turn: parsing and writing then say so, leave
 * nothing behind, and never make another value of a text.
 */
#include "support/failing_alloc.h"
#include "support/test.h"

#include "codec/base64url.h"
#include "codec/json.h"

/* Wrappers, because only calls from here go through the failing allocator. */
static void *json_malloc(size_t len)
{
    return malloc(len);
}

static void json_release(void *ptr)
{
    free(ptr);
}

static lh_status use_json(void)
{
    LH_CLEANUP(lh_json_fini) json_t *value = NULL;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    LH_TRY(lh_json_parse(
        LH_SLICE_LITERAL("{\"text\":\"\\u00e9 and more than a few bytes\",\"n\":[1,2.5,true,null],"
                         "\"a\":{},\"b\":1,\"c\":2,\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":7}"),
        4096, &value));
    LH_TRY(lh_json_write(value, &text));
    assert_slice_text(
        lh_buf_view(&text),
        "{\"a\":{},\"b\":1,\"c\":2,\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":7,\"n\":[1,2.5,true,"
        "null],\"text\":\"\xc3\xa9 and more than a few bytes\"}");
    return lh_json_add_string(&text, LH_SLICE_LITERAL("text"));
}

static lh_status use_base64url(void)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    return lh_base64url_add(&text, LH_SLICE_LITERAL("bytes"));
}

/* Fails each allocation of the scenario; returns how many times that was noticed. */
static unsigned exhaust(lh_status (*scenario)(void))
{
    unsigned failures = 0;
    for (size_t nth = 1;; nth++) {
        failing_alloc_at(nth);
        lh_status status = scenario();
        bool is_spent = failing_alloc_count() >= nth;
        failing_alloc_at(0);
        if (status.code != LH_OK && status.code != LH_NO_MEMORY) {
            fail_msg("allocation %zu: %s", nth, lh_status_name(status));
        }
        failures += !lh_is_ok(status);
        if (!is_spent) {
            assert_ok(status);
            return failures;
        }
    }
}

static void test_json__survives_each_failing_allocation(void **state)
{
    (void)state;
    assert_true(exhaust(use_json) > 20);
}

static void test_base64url__survives_each_failing_allocation(void **state)
{
    (void)state;
    assert_true(exhaust(use_base64url) == 1);
}

int main(void)
{
    json_set_alloc_funcs(json_malloc, json_release);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__survives_each_failing_allocation),
        cmocka_unit_test(test_base64url__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
