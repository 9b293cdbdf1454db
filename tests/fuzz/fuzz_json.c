/*
 * JSON: accepted is what jansson's own parser accepts, without NUL and no deeper than promised;
 * both make the same value of it, which survives writing and reading; and any
 * bytes become a string literal that reads back as the same bytes, or are refused because they
 * are not UTF-8.
 */
#include "fuzz.h"

#include "codec/json.h"

#define TEXT_MAX_BYTES ((size_t)1024 * 1024)

/* Whether a value nests at most levels deep; the recursion is bounded by that, too. */
static bool is_shallow(json_t *value, size_t levels)
{
    if (!json_is_object(value) && !json_is_array(value)) {
        return true;
    }
    const char *name;
    json_t *member;
    size_t index;
    bool is_fine = levels > 0;
    json_object_foreach(value, name, member)
    {
        is_fine = is_fine && is_shallow(member, levels - 1);
    }
    json_array_foreach(value, index, member)
    {
        is_fine = is_fine && is_shallow(member, levels - 1);
    }
    return is_fine;
}

/* What jansson makes of the text, or NULL. */
static json_t *ask_jansson(lh_slice text)
{
    json_t *value = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (value != NULL &&
        (lh_slice_find(text, 0) < text.len || !is_shallow(value, LH_JSON_MAX_DEPTH))) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static void check_document(lh_slice text)
{
    LH_CLEANUP(lh_json_fini) json_t *value = NULL;
    LH_CLEANUP(lh_json_fini) json_t *oracle = ask_jansson(text);
    lh_status status = lh_json_parse(text, TEXT_MAX_BYTES, &value);
    FUZZ_CHECK(lh_is_ok(status) == (oracle != NULL));
    FUZZ_CHECK(lh_is_ok(status) == (value != NULL));
    if (value == NULL) {
        FUZZ_CHECK(status.code == LH_MALFORMED);
        return;
    }
    FUZZ_CHECK(json_equal(value, oracle));

    LH_CLEANUP(lh_json_fini) json_t *again = NULL;
    LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf rewritten = LH_BUF_EMPTY;
    FUZZ_CHECK(lh_is_ok(lh_json_write(value, &written)));
    FUZZ_CHECK(lh_is_ok(lh_json_parse(lh_buf_view(&written), LH_BUF_MAX_BYTES, &again)));
    FUZZ_CHECK(json_equal(value, again));
    FUZZ_CHECK(lh_is_ok(lh_json_write(again, &rewritten)));
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&written), lh_buf_view(&rewritten)));
}

static bool is_text(lh_slice bytes)
{
    LH_CLEANUP(lh_json_fini) json_t *oracle = json_stringn((const char *)bytes.ptr, bytes.len);
    return oracle != NULL && lh_slice_find(bytes, 0) == bytes.len;
}

static void check_string(lh_slice bytes)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf document = LH_BUF_EMPTY;
    FUZZ_CHECK(lh_is_ok(lh_buf_add_text(&document, "[")));
    lh_status status = lh_json_add_string(&document, bytes);
    FUZZ_CHECK(lh_is_ok(status) == is_text(bytes));
    if (!lh_is_ok(status)) {
        FUZZ_CHECK(document.len == 1);
        return;
    }
    FUZZ_CHECK(lh_is_ok(lh_buf_add_text(&document, "]")));
    LH_CLEANUP(lh_json_fini) json_t *array = NULL;
    FUZZ_CHECK(lh_is_ok(lh_json_parse(lh_buf_view(&document), LH_BUF_MAX_BYTES, &array)));
    const json_t *string = json_array_get(array, 0);
    FUZZ_CHECK(lh_slice_is_equal(lh_slice_of(json_string_value(string), json_string_length(string)),
                                 bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    check_document(lh_slice_of(bytes, len));
    check_string(lh_slice_of(bytes, len));
    return 0;
}
