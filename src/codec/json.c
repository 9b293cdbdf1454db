/*
 * jansson behind limits. It already refuses duplicate members (after unescaping), NUL in strings,
 * lone surrogates and bytes behind the text; what it does not refuse is refused here before it
 * sees the text: a NUL after a number, and nesting up to its own limit of 2048.
 */
#include "codec/json.h"

#include "base/banned.h"

void lh_json_fini(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

/*
 * Whether arrays and objects nest no deeper than LH_JSON_MAX_DEPTH. Judges the text up to its
 * first error, which is as far as the parser will go.
 */
static bool is_shallow(lh_slice text)
{
    size_t depth = 0;
    bool is_in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (is_in_string) {
            i += byte == '\\'; /* what it escapes is no quote */
            is_in_string = byte != '"';
        } else if (byte == '[' || byte == '{') {
            if (++depth > LH_JSON_MAX_DEPTH) {
                return false;
            }
        } else if (byte == ']' || byte == '}') {
            depth -= depth > 0;
        } else {
            is_in_string = byte == '"';
        }
    }
    return true;
}

lh_status lh_json_parse(lh_slice text, size_t max_bytes, json_t **out_value)
{
    LH_ENSURE(text.len <= max_bytes, LH_TOO_LARGE);
    LH_ENSURE(text.len > 0 && lh_slice_find(text, 0) == text.len && is_shallow(text), LH_MALFORMED);
    json_object_seed(0); /* the first call takes it from the kernel, later ones do nothing */
    json_error_t error;
    json_t *value = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL) {
        bool is_out_of_memory = json_error_code(&error) == json_error_out_of_memory;
        return lh_status_of(is_out_of_memory ? LH_NO_MEMORY : LH_MALFORMED);
    }
    *out_value = value;
    return lh_ok();
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

/* First and last second byte that may follow a lead byte (Unicode 15, table 3-7), and how many
   bytes follow; length 0 for bytes that lead nothing. */
struct utf8_lead {
    uint8_t followers, second_min, second_max;
};

static struct utf8_lead utf8_lead_of(uint8_t byte)
{
    if (byte >= 0xc2 && byte <= 0xdf) {
        return (struct utf8_lead){1, 0x80, 0xbf};
    }
    if (byte >= 0xe0 && byte <= 0xef) {
        return (struct utf8_lead){2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf};
    }
    if (byte >= 0xf0 && byte <= 0xf4) {
        return (struct utf8_lead){3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf};
    }
    return (struct utf8_lead){0, 0, 0};
}

/* Length of the UTF-8 sequence of a byte >= 0x80 at the front, or 0 if it is none. */
static size_t utf8_sequence(lh_slice text)
{
    struct utf8_lead lead = utf8_lead_of(text.ptr[0]);
    if (lead.followers == 0 || text.len <= lead.followers || text.ptr[1] < lead.second_min ||
        text.ptr[1] > lead.second_max) {
        return 0;
    }
    for (size_t i = 2; i <= lead.followers; i++) {
        if ((text.ptr[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return lead.followers + 1U;
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
        size_t len = utf8_sequence(lh_slice_cut(text, i, text.len));
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
