/*
 * Reading members of jansson's values, and writing them. Reading a text is in json_parse.c.
 */
#include "codec/json.h"

#include "codec/utf8.h"

#include "base/banned.h"

void lh_json_fini(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

/* Where dumped text goes, and why it stopped. */
struct dump_target {
    struct lh_buf *out;
    lh_status status;
};

static int add_dumped(const char *text, size_t len, void *context)
{
    struct dump_target *target = context;
    target->status = lh_buf_add(target->out, lh_slice_of(text, len));
    return lh_is_ok(target->status) ? 0 : -1;
}

lh_status lh_json_write(const json_t *value, struct lh_buf *out)
{
    size_t len_before = out->len;
    struct dump_target target = {out, lh_ok()};
    int result = json_dump_callback(value, add_dumped, &target,
                                    JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (result == 0) {
        return lh_ok();
    }
    out->len = len_before;
    return lh_is_ok(target.status) ? lh_status_of(LH_NO_MEMORY) : target.status;
}

static lh_status get_member(const json_t *object, const char *name, json_t **out_member)
{
    LH_ENSURE(json_is_object(object), LH_MALFORMED);
    *out_member = json_object_get(object, name);
    LH_ENSURE(*out_member != NULL, LH_ABSENT);
    return lh_ok();
}

lh_status lh_json_get_string(const json_t *object, const char *name, lh_slice *out_text)
{
    json_t *member;
    LH_TRY(get_member(object, name, &member));
    LH_ENSURE(json_is_string(member), LH_MALFORMED);
    *out_text = lh_slice_of(json_string_value(member), json_string_length(member));
    return lh_ok();
}

lh_status lh_json_get_u64(const json_t *object, const char *name, uint64_t max, uint64_t *out_value)
{
    json_t *member;
    LH_TRY(get_member(object, name, &member));
    LH_ENSURE(json_is_integer(member) && json_integer_value(member) >= 0, LH_MALFORMED);
    uint64_t value = (uint64_t)json_integer_value(member);
    LH_ENSURE(value <= max, LH_TOO_LARGE);
    *out_value = value;
    return lh_ok();
}

static lh_status add_ascii(struct lh_buf *out, uint8_t byte)
{
    if (byte == '"' || byte == '\\') {
        LH_TRY(lh_buf_add_u8(out, '\\'));
        return lh_buf_add_u8(out, byte);
    }
    if (byte < 0x20 || byte == 0x7f) {
        return lh_buf_add_format(out, "\\u%04x", byte);
    }
    return lh_buf_add_u8(out, byte);
}

static lh_status add_characters(struct lh_buf *out, lh_slice text)
{
    for (size_t i = 0; i < text.len;) {
        uint8_t byte = text.ptr[i];
        LH_ENSURE(byte != 0, LH_MALFORMED); /* no reader of ours would take it back */
        if (byte < 0x80) {
            LH_TRY(add_ascii(out, byte));
            i++;
            continue;
        }
        size_t len = lh_utf8_sequence(lh_slice_cut(text, i, LH_UTF8_MAX_BYTES));
        LH_ENSURE(len > 0, LH_MALFORMED);
        LH_TRY(lh_buf_add(out, lh_slice_cut(text, i, len)));
        i += len;
    }
    return lh_ok();
}

static lh_status add_quoted(struct lh_buf *out, lh_slice text)
{
    LH_TRY(lh_buf_add_u8(out, '"'));
    LH_TRY(add_characters(out, text));
    return lh_buf_add_u8(out, '"');
}

lh_status lh_json_add_string(struct lh_buf *out, lh_slice text)
{
    size_t len_before = out->len;
    lh_status status = add_quoted(out, text);
    if (!lh_is_ok(status)) {
        out->len = len_before;
    }
    return status;
}
