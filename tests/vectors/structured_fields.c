/*
 * The HTTP working group's cases for structured fields: what must be read is read and written in
 * its canonical form, what must fail fails. Ours reads dictionaries; an item is read as the value
 * of a key, and where the standard leaves a choice the stricter one is right.
 */
#include "vectors.h"

#include "codec/structured_field.h"

#define KEY       "key"
#define LINES_MAX 8

static const char not_ours[] = "lists, dates, display strings, keys given twice and very large "
                               "fields are in none of our fields, empty ones are refused";

struct sf_case {
    const json_t *json;
    const char *name;
    const char *type;
    struct lh_buf first_line; /* of an item: KEY=, and the item without the spaces around it */
    lh_slice lines[LINES_MAX];
    size_t line_count;
};

static lh_slice text_of(const json_t *string)
{
    return lh_slice_of(json_string_value(string), json_string_length(string));
}

static lh_slice without_spaces(lh_slice text)
{
    while (text.len > 0 && text.ptr[0] == ' ') {
        text = lh_slice_cut(text, 1, text.len);
    }
    while (text.len > 0 && text.ptr[text.len - 1] == ' ') {
        text.len--;
    }
    return text;
}

/* Whether the case can be put to us. */
static bool take_lines(struct sf_case *this_case)
{
    const json_t *raw = json_object_get(this_case->json, "raw");
    size_t index;
    const json_t *line;
    json_array_foreach(raw, index, line)
    {
        if (index == LINES_MAX || text_of(line).len == 0) {
            return false;
        }
        this_case->lines[index] = text_of(line);
        this_case->line_count = index + 1;
    }
    if (strcmp(this_case->type, "item") != 0) {
        return strcmp(this_case->type, "dictionary") == 0;
    }
    lh_slice item = without_spaces(this_case->lines[0]);
    /* Behind a member there may be tabs, behind an item not. */
    bool is_other = item.len > 0 &&
                    (item.ptr[0] == '@' || item.ptr[0] == '%' || item.ptr[item.len - 1] == '\t');
    bool is_written = lh_is_ok(lh_buf_add_text(&this_case->first_line, KEY "=")) &&
                      lh_is_ok(lh_buf_add(&this_case->first_line, item));
    this_case->lines[0] = lh_buf_view(&this_case->first_line);
    return is_written && this_case->line_count == 1 && !is_other;
}

/* The canonical form that is expected: of one line, or as it came. */
static lh_slice expected_text(const struct sf_case *this_case)
{
    const json_t *canonical = json_object_get(this_case->json, "canonical");
    const json_t *raw = json_object_get(this_case->json, "raw");
    return without_spaces(text_of(json_array_get(canonical != NULL ? canonical : raw, 0)));
}

static bool writes_member(const struct lh_sf_member *member, struct lh_buf *out)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf item = LH_BUF_EMPTY;
    if (!lh_is_ok(lh_sf_item_write(&member->item, &item))) {
        return false;
    }
    bool is_true = lh_slice_has_prefix(lh_buf_view(&item), LH_SLICE_LITERAL("?1"));
    lh_slice text = lh_slice_cut(lh_buf_view(&item), is_true ? 2 : 0, item.len);
    return lh_is_ok(lh_buf_add_text(out, out->len > 0 ? ", " : "")) &&
           lh_is_ok(lh_buf_add(out, member->key)) &&
           lh_is_ok(lh_buf_add_text(out, is_true ? "" : "=")) && lh_is_ok(lh_buf_add(out, text));
}

static bool is_canonical(const struct sf_case *this_case, const struct lh_sf_dictionary *dictionary)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf written = LH_BUF_EMPTY;
    if (strcmp(this_case->type, "item") == 0) {
        return lh_is_ok(lh_sf_item_write(&dictionary->members[0].item, &written)) &&
               lh_slice_is_equal(lh_buf_view(&written), expected_text(this_case));
    }
    for (size_t i = 0; i < dictionary->count; i++) {
        if (!writes_member(&dictionary->members[i], &written)) {
            return false;
        }
    }
    return lh_slice_is_equal(lh_buf_view(&written), expected_text(this_case));
}

static void judge_case(const struct sf_case *this_case, struct tally *tally)
{
    bool must_fail = json_is_true(json_object_get(this_case->json, "must_fail"));
    bool can_fail = json_is_true(json_object_get(this_case->json, "can_fail"));
    struct lh_sf_dictionary dictionary;
    lh_status status = lh_sf_dictionary_read(this_case->lines, this_case->line_count, &dictionary);
    if (lh_is_ok(status) && strcmp(this_case->type, "item") == 0 && dictionary.count > 1) {
        status = lh_status_of(LH_MALFORMED); /* the item went on behind a comma */
    }
    if (lh_is_ok(status)) {
        vector_count(tally, !must_fail && is_canonical(this_case, &dictionary), this_case->name);
    } else if (status.code == LH_MALFORMED) {
        vector_count(tally, must_fail || can_fail, this_case->name);
    } else {
        vector_skip(tally, not_ours);
    }
}

void run_structured_fields(struct lh_crypto *crypto, const json_t *file, struct tally *tally)
{
    (void)crypto;
    size_t index;
    const json_t *json;
    json_array_foreach(file, index, json)
    {
        struct sf_case this_case = {.json = json,
                                    .name = vector_text(json, "name"),
                                    .type = vector_text(json, "header_type")};
        if (take_lines(&this_case)) {
            judge_case(&this_case, tally);
        } else {
            vector_skip(tally, not_ours);
        }
        lh_buf_fini(&this_case.first_line);
    }
}
