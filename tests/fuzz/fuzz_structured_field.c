/*
 * Structured fields: what is read lies inside its line, can be walked to its end, and has one
 * canonical form, which reads back as itself; and it makes no difference whether members came in
 * one line or in two.
 */
#include "fuzz.h"

#include "codec/structured_field.h"

static bool is_inside(lh_slice part, lh_slice whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_value(const struct lh_sf_value *value)
{
    uint8_t *room = fuzz_room(value->text.len);
    size_t len = 0;
    lh_status status = lh_sf_bytes_decode(value, room, value->text.len, &len);
    FUZZ_CHECK(lh_is_ok(status) == (value->type == LH_SF_BYTES));
    FUZZ_CHECK(len <= value->text.len);
    free(room);
}

static void check_parameters(lh_slice parameters)
{
    struct lh_sf_parameter parameter;
    size_t count = 0;
    for (; lh_sf_parameter_next(&parameters, &parameter); count++) {
        FUZZ_CHECK(parameter.key.len > 0);
        check_value(&parameter.value);
    }
    FUZZ_CHECK(count <= LH_SF_PARAMETERS_MAX && parameters.len == 0);
}

static void check_item(const struct lh_sf_item *item, lh_slice line)
{
    FUZZ_CHECK(is_inside(item->list, line) && is_inside(item->parameters, line));
    check_parameters(item->parameters);
    if (!item->is_list) {
        check_value(&item->value);
        return;
    }
    lh_slice rest = item->list;
    struct lh_sf_item inner;
    size_t count = 0;
    for (; lh_sf_list_next(&rest, &inner); count++) {
        FUZZ_CHECK(!inner.is_list && is_inside(inner.value.text, item->list));
        check_value(&inner.value);
        check_parameters(inner.parameters);
    }
    FUZZ_CHECK(count <= LH_SF_LIST_MAX);
}

static void write_line(const struct lh_sf_member *member, struct lh_buf *line)
{
    lh_buf_clear(line);
    FUZZ_CHECK(lh_is_ok(lh_buf_add(line, member->key)) && lh_is_ok(lh_buf_add_u8(line, '=')) &&
               lh_is_ok(lh_sf_item_write(&member->item, line)));
}

/* Reading the canonical form and writing it again changes nothing. */
static void check_canonical(const struct lh_sf_member *member)
{
    struct lh_buf line = LH_BUF_EMPTY;
    struct lh_buf again = LH_BUF_EMPTY;
    write_line(member, &line);
    lh_slice text = lh_buf_view(&line);
    struct lh_sf_dictionary dictionary;
    FUZZ_CHECK(lh_is_ok(lh_sf_dictionary_read(&text, 1, &dictionary)) && dictionary.count == 1);
    write_line(&dictionary.members[0], &again);
    FUZZ_CHECK(lh_slice_is_equal(lh_buf_view(&again), text));
    lh_buf_fini(&line);
    lh_buf_fini(&again);
}

/* Cut at a comma between members, the two lines are the same dictionary. */
static void check_two_lines(lh_slice line, const struct lh_sf_dictionary *whole)
{
    if (whole->count < 2) {
        return;
    }
    size_t cut = (size_t)(whole->members[1].key.ptr - line.ptr);
    size_t comma = cut;
    while (line.ptr[comma - 1] != ',') {
        comma--;
    }
    lh_slice lines[] = {lh_slice_cut(line, 0, comma - 1), lh_slice_cut(line, cut, line.len)};
    struct lh_sf_dictionary again;
    FUZZ_CHECK(lh_is_ok(lh_sf_dictionary_read(lines, 2, &again)) && again.count == whole->count);
    for (size_t i = 0; i < again.count; i++) {
        FUZZ_CHECK(lh_slice_is_equal(again.members[i].key, whole->members[i].key));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lh_slice line = lh_slice_of(bytes, len);
    struct lh_sf_dictionary dictionary;
    if (!lh_is_ok(lh_sf_dictionary_read(&line, 1, &dictionary))) {
        return 0;
    }
    for (size_t i = 0; i < dictionary.count; i++) {
        const struct lh_sf_member *member = &dictionary.members[i];
        FUZZ_CHECK(is_inside(member->key, line));
        FUZZ_CHECK(lh_sf_dictionary_find(&dictionary, member->key) == member);
        check_item(&member->item, line);
        check_canonical(member);
    }
    check_two_lines(line, &dictionary);
    return 0;
}
