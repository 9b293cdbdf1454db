/*
 * JSON: accepted is what jansson's own parser accepts, without NUL and no deeper than promised;
 * both make the same value of it, which survives writing and reading; a table of its members says
 * the same; and any bytes become a string literal that reads back as the same bytes, or are refused
 * because they are not UTF-8.
 */
#include "fuzz.h"

#include "codec/json.h"
#include "codec/json_table.h"

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

/* Whether the cell holds what the tree has in its place. */
static void check_cell(const struct lh_json_table *table, const struct lh_json_cell *cell,
                       const json_t *value)
{
    lh_slice text = lh_json_table_text(table, cell);
    switch (cell->kind) {
    case LH_JSON_STRING:
        FUZZ_CHECK(json_is_string(value) &&
                   lh_slice_is_equal(
                       text, lh_slice_of(json_string_value(value), json_string_length(value))));
        break;
    case LH_JSON_INTEGER:
        FUZZ_CHECK(json_is_integer(value));
        break;
    case LH_JSON_REAL:
        FUZZ_CHECK(json_is_real(value));
        break;
    case LH_JSON_OBJECT:
        FUZZ_CHECK(json_is_object(value));
        break;
    case LH_JSON_ARRAY:
        FUZZ_CHECK(json_is_array(value));
        break;
    default:
        FUZZ_CHECK(cell->kind == LH_JSON_TRUE    ? json_is_true(value)
                   : cell->kind == LH_JSON_FALSE ? json_is_false(value)
                                                 : json_is_null(value));
    }
}

static void check_number(const struct lh_json_table *table, const struct lh_json_cell *cell,
                         const json_t *value)
{
    uint64_t whole;
    if (!lh_is_ok(
            lh_json_number_floor(lh_json_table_text(table, cell), UINT64_C(1) << 53, &whole))) {
        return;
    }
    double real = json_number_value(value);
    /* A fraction near one is a one where a double has no room for it. */
    FUZZ_CHECK(real >= 0 && (double)whole <= real && real <= (double)whole + 1);
}

static void check_members(const struct lh_json_table *table, const json_t *tree)
{
    size_t members = 0;
    for (size_t i = 0; i < table->count; i += 1U + table->cells[i].elements, members++) {
        const struct lh_json_cell *cell = &table->cells[i];
        lh_slice name = lh_json_table_name(table, cell);
        const json_t *value = json_object_get(tree, name.len > 0 ? (const char *)name.ptr : "");
        FUZZ_CHECK(value != NULL && lh_json_table_find(table, name) == cell);
        check_cell(table, cell, value);
        FUZZ_CHECK(cell->elements == (json_is_array(value) ? json_array_size(value) : 0));
        if (json_is_number(value)) {
            check_number(table, cell, value);
        }
        for (size_t j = 0; j < cell->elements; j++) {
            check_cell(table, cell + 1 + j, json_array_get(value, j));
        }
    }
    FUZZ_CHECK(members == json_object_size(tree));
}

/* Numbers that jansson finds too large for its types are texts to us. */
static bool may_overflow(lh_slice text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        digits = text.ptr[i] >= '0' && text.ptr[i] <= '9' ? digits + 1 : 0;
        if (digits >= 19 || text.ptr[i] == 'e' || text.ptr[i] == 'E') {
            return true;
        }
    }
    return false;
}

static void check_table(lh_slice text)
{
    LH_CLEANUP(lh_json_fini) json_t *tree = ask_jansson(text);
    uint8_t *copy = fuzz_room(text.len);
    memcpy(copy, text.ptr, text.len);
    struct lh_json_table table;
    lh_status status = lh_json_table_read(&table, copy, text.len);
    if (lh_is_ok(status)) {
        FUZZ_CHECK(json_is_object(tree) || may_overflow(text));
        if (tree != NULL) {
            check_members(&table, tree);
        }
    } else {
        FUZZ_CHECK(status.code == LH_TOO_LARGE || !json_is_object(tree));
    }
    free(copy);
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
    check_table(lh_slice_of(bytes, len));
    check_string(lh_slice_of(bytes, len));
    return 0;
}
