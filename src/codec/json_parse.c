/*
 * Reading JSON into jansson's values. The parser is not jansson's own: version 2.14 drops a byte
 * of a text without a word when it cannot grow its buffer (strbuffer_append_byte in lex_save), and
 * so makes another value of it; nor does it bound nesting below 2048 or see a NUL behind a number.
 * What it accepts is otherwise the same, which the fuzz target checks.
 *
 * No recursion: containers under construction lie on a stack of LH_JSON_MAX_DEPTH levels.
 */
#include "codec/json.h"

#include "codec/utf8.h"

#include <locale.h>
#include <math.h>

#include "base/banned.h"

/* A container that is not closed yet. */
struct level {
    json_t *container; /* borrowed; the root owns all */
    bool has_members;
};

struct reader {
    lh_slice rest;
    struct lh_buf token; /* the text or number being read, unescaped */
    struct lh_buf name;  /* of the member being read, with its NUL */
    struct level stack[LH_JSON_MAX_DEPTH];
    size_t depth;
};

static void finish_reader(struct reader *reader)
{
    lh_buf_fini(&reader->token);
    lh_buf_fini(&reader->name);
}

static void skip(struct reader *reader, size_t len)
{
    reader->rest = lh_slice_cut(reader->rest, len, reader->rest.len);
}

/* The byte at a distance, or 0 behind the end: nothing in JSON begins with NUL or holds one. */
static uint8_t peek(const struct reader *reader, size_t ahead)
{
    return ahead < reader->rest.len ? reader->rest.ptr[ahead] : 0;
}

static void skip_blanks(struct reader *reader)
{
    size_t len = 0;
    while (peek(reader, len) == ' ' || peek(reader, len) == '\t' || peek(reader, len) == '\n' ||
           peek(reader, len) == '\r') {
        len++;
    }
    skip(reader, len);
}

static lh_status expect(struct reader *reader, uint8_t byte)
{
    LH_ENSURE(peek(reader, 0) == byte, LH_MALFORMED);
    skip(reader, 1);
    return lh_ok();
}

/* --- Texts --- */

static unsigned hexadecimal_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - (unsigned)'0';
    }
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - (unsigned)'a' + 10U : UINT8_MAX;
}

/* Four digits, as behind "\u". */
static lh_status read_unit(struct reader *reader, uint32_t *out_unit)
{
    uint32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        unsigned digit = hexadecimal_digit(peek(reader, i));
        LH_ENSURE(digit != UINT8_MAX, LH_MALFORMED);
        unit = unit << 4 | digit;
    }
    skip(reader, 4);
    *out_unit = unit;
    return lh_ok();
}

static bool is_surrogate(uint32_t unit, uint32_t first)
{
    return unit >= first && unit < first + 0x400;
}

/* RFC 8259 §7: one unit, or a pair of surrogates; never half a pair, and no NUL. */
static lh_status read_code_point(struct reader *reader)
{
    uint32_t unit;
    LH_TRY(read_unit(reader, &unit));
    LH_ENSURE(unit != 0 && !is_surrogate(unit, 0xdc00), LH_MALFORMED);
    if (is_surrogate(unit, 0xd800)) {
        uint32_t low;
        LH_TRY(expect(reader, '\\'));
        LH_TRY(expect(reader, 'u'));
        LH_TRY(read_unit(reader, &low));
        LH_ENSURE(is_surrogate(low, 0xdc00), LH_MALFORMED);
        unit = 0x10000U + ((unit - 0xd800U) << 10) + (low - 0xdc00U);
    }
    uint8_t bytes[LH_UTF8_MAX_BYTES];
    size_t len = lh_utf8_write(unit, bytes);
    return lh_buf_add(&reader->token, lh_slice_of(bytes, len));
}

static lh_status read_escape(struct reader *reader)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (peek(reader, 0) == 'u') {
        skip(reader, 1);
        return read_code_point(reader);
    }
    size_t at = lh_slice_find(lh_slice_from_text(escapes), peek(reader, 0));
    LH_ENSURE(at < sizeof(escapes) - 1, LH_MALFORMED);
    skip(reader, 1);
    return lh_buf_add_u8(&reader->token, (uint8_t)meanings[at]);
}

/* Length of the well-formed character at a distance, or 0 if there is none that may stand bare. */
static size_t character_at(const struct reader *reader, size_t at)
{
    uint8_t byte = reader->rest.ptr[at];
    if (byte < 0x80) {
        return byte >= 0x20;
    }
    return lh_utf8_sequence(lh_slice_cut(reader->rest, at, LH_UTF8_MAX_BYTES));
}

/* Takes what needs no change: up to a quote, a backslash or the end. */
static lh_status read_plain(struct reader *reader)
{
    size_t len = 0;
    while (len < reader->rest.len && peek(reader, len) != '"' && peek(reader, len) != '\\') {
        size_t character = character_at(reader, len);
        LH_ENSURE(character > 0, LH_MALFORMED);
        len += character;
    }
    LH_TRY(lh_buf_add(&reader->token, lh_slice_cut(reader->rest, 0, len)));
    skip(reader, len);
    return lh_ok();
}

/* Reads a text with its quotes into reader->token. */
static lh_status read_text(struct reader *reader)
{
    lh_buf_clear(&reader->token);
    LH_TRY(expect(reader, '"'));
    for (;;) {
        LH_TRY(read_plain(reader));
        if (peek(reader, 0) == '"') {
            skip(reader, 1);
            return lh_ok();
        }
        LH_TRY(expect(reader, '\\')); /* or the end came first */
        LH_TRY(read_escape(reader));
    }
}

static lh_status made(json_t *value, json_t **out_value)
{
    LH_ENSURE(value != NULL, LH_NO_MEMORY);
    *out_value = value;
    return lh_ok();
}

static lh_status read_string(struct reader *reader, json_t **out_value)
{
    LH_TRY(read_text(reader));
    LH_TRY(lh_buf_terminate(&reader->token)); /* so that it has memory, even if it is empty */
    return made(json_stringn_nocheck((const char *)reader->token.ptr, reader->token.len),
                out_value);
}

/* --- Numbers and names --- */

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Length of the digits at a distance. */
static size_t digits_at(const struct reader *reader, size_t at)
{
    size_t len = 0;
    while (is_digit(peek(reader, at + len))) {
        len++;
    }
    return len;
}

/* RFC 8259 §6. out_len: of the whole number; out_is_real: it has a fraction or an exponent. */
static lh_status measure_number(const struct reader *reader, size_t *out_len, bool *out_is_real)
{
    size_t at = peek(reader, 0) == '-';
    size_t digits = digits_at(reader, at);
    LH_ENSURE(digits > 0 && (digits == 1 || peek(reader, at) != '0'), LH_MALFORMED);
    at += digits;
    bool has_fraction = peek(reader, at) == '.';
    if (has_fraction) {
        digits = digits_at(reader, at + 1);
        LH_ENSURE(digits > 0, LH_MALFORMED);
        at += 1 + digits;
    }
    bool has_exponent = (peek(reader, at) | 0x20) == 'e';
    if (has_exponent) {
        at += 1 + (size_t)(peek(reader, at + 1) == '+' || peek(reader, at + 1) == '-');
        digits = digits_at(reader, at);
        LH_ENSURE(digits > 0, LH_MALFORMED);
        at += digits;
    }
    *out_len = at;
    *out_is_real = has_fraction || has_exponent;
    return lh_ok();
}

static lh_status make_integer(lh_slice text, json_t **out_value)
{
    bool is_negative = text.ptr[0] == '-';
    uint64_t magnitude;
    LH_ENSURE(lh_is_ok(lh_slice_parse_u64(lh_slice_cut(text, is_negative, text.len),
                                          (uint64_t)INT64_MAX + is_negative, &magnitude)),
              LH_MALFORMED);
    /* Two's complement, and the one magnitude that has no positive twin. */
    json_int_t value = is_negative ? (json_int_t)(0 - magnitude) : (json_int_t)magnitude;
    return made(json_integer(value), out_value);
}

/* strtod reads what the process's locale says, so it is given the one that JSON means. */
static lh_status make_real(const char *text, json_t **out_value)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    LH_ENSURE(plain != (locale_t)0, LH_NO_MEMORY);
    double value = strtod_l(text, NULL, plain);
    freelocale(plain);
    LH_ENSURE(isfinite(value), LH_MALFORMED);
    return made(json_real(value), out_value);
}

static lh_status read_number(struct reader *reader, json_t **out_value)
{
    size_t len;
    bool is_real;
    LH_TRY(measure_number(reader, &len, &is_real));
    lh_slice text = lh_slice_cut(reader->rest, 0, len);
    skip(reader, len);
    if (!is_real) {
        return make_integer(text, out_value);
    }
    lh_buf_clear(&reader->token);
    LH_TRY(lh_buf_add(&reader->token, text));
    LH_TRY(lh_buf_terminate(&reader->token));
    return make_real((const char *)reader->token.ptr, out_value);
}

static bool take_literal(struct reader *reader, lh_slice name)
{
    bool is_next = lh_slice_has_prefix(reader->rest, name);
    skip(reader, is_next ? name.len : 0);
    return is_next;
}

static lh_status read_literal(struct reader *reader, json_t **out_value)
{
    if (take_literal(reader, LH_SLICE_LITERAL("true"))) {
        return made(json_true(), out_value);
    }
    if (take_literal(reader, LH_SLICE_LITERAL("false"))) {
        return made(json_false(), out_value);
    }
    LH_ENSURE(take_literal(reader, LH_SLICE_LITERAL("null")), LH_MALFORMED);
    return made(json_null(), out_value);
}

static lh_status read_scalar(struct reader *reader, json_t **out_value)
{
    uint8_t byte = peek(reader, 0);
    if (byte == '"') {
        return read_string(reader, out_value);
    }
    return byte == '-' || is_digit(byte) ? read_number(reader, out_value)
                                         : read_literal(reader, out_value);
}

/* --- Containers --- */

/* Makes the container whose bracket comes next, and goes down into it. */
static lh_status open_container(struct reader *reader, json_t **out_container)
{
    bool is_object = peek(reader, 0) == '{';
    LH_TRY(expect(reader, is_object ? '{' : '['));
    LH_ENSURE(reader->depth < LH_JSON_MAX_DEPTH, LH_MALFORMED);
    LH_TRY(made(is_object ? json_object() : json_array(), out_container));
    reader->stack[reader->depth++] = (struct level){.container = *out_container};
    return lh_ok();
}

/* Reads the name of a member and its colon into reader->name. */
static lh_status read_name(struct reader *reader, json_t *object)
{
    LH_TRY(read_text(reader));
    lh_buf_clear(&reader->name);
    LH_TRY(lh_buf_add(&reader->name, lh_buf_view(&reader->token)));
    LH_TRY(lh_buf_terminate(&reader->name));
    LH_ENSURE(json_object_get(object, (const char *)reader->name.ptr) == NULL, LH_MALFORMED);
    skip_blanks(reader);
    LH_TRY(expect(reader, ':'));
    skip_blanks(reader);
    return lh_ok();
}

/* Takes value over, also on failure. */
static lh_status attach(struct reader *reader, json_t *container, json_t *value)
{
    int result = json_is_object(container)
                     ? json_object_set_new_nocheck(container, (const char *)reader->name.ptr, value)
                     : json_array_append_new(container, value);
    LH_ENSURE(result == 0, LH_NO_MEMORY);
    return lh_ok();
}

static lh_status read_member(struct reader *reader)
{
    json_t *container = reader->stack[reader->depth - 1].container;
    if (json_is_object(container)) {
        LH_TRY(read_name(reader, container));
    }
    json_t *value = NULL;
    uint8_t byte = peek(reader, 0);
    LH_TRY(byte == '{' || byte == '[' ? open_container(reader, &value)
                                      : read_scalar(reader, &value));
    return attach(reader, container, value);
}

/* Closes the innermost container, or reads its next member. */
static lh_status read_step(struct reader *reader)
{
    struct level *level = &reader->stack[reader->depth - 1];
    skip_blanks(reader);
    if (peek(reader, 0) == (json_is_object(level->container) ? '}' : ']')) {
        skip(reader, 1);
        reader->depth--;
        return lh_ok();
    }
    if (level->has_members) {
        LH_TRY(expect(reader, ','));
        skip_blanks(reader);
    }
    level->has_members = true;
    return read_member(reader);
}

lh_status lh_json_parse(lh_slice text, size_t max_bytes, json_t **out_value)
{
    LH_ENSURE(text.len <= max_bytes && text.len <= LH_BUF_MAX_BYTES, LH_TOO_LARGE);
    json_object_seed(0); /* the first call takes it from the kernel, later ones do nothing */
    LH_CLEANUP(finish_reader) struct reader reader = {.rest = text};
    LH_CLEANUP(lh_json_fini) json_t *root = NULL;
    skip_blanks(&reader);
    LH_TRY(open_container(&reader, &root));
    while (reader.depth > 0) {
        LH_TRY(read_step(&reader));
    }
    skip_blanks(&reader);
    LH_ENSURE(reader.rest.len == 0, LH_MALFORMED);
    *out_value = root;
    root = NULL;
    return lh_ok();
}
