/*
 * The one parser of JSON. It is not jansson's: version 2.14 drops a byte of a text without a word
 * when it cannot grow its buffer (strbuffer_append_byte in lex_save), and so makes another value
 * of it; nor does it bound nesting below 2048 or see a NUL behind a number. What is accepted is
 * otherwise the same, which the fuzz target checks.
 */
#include "codec/json_reader.h"

#include "codec/utf8.h"

#include "base/banned.h"

/* The byte at a distance, or 0 behind the end: nothing in JSON begins with NUL or holds one. */
static uint8_t peek(const struct lh_json_reader *reader, size_t ahead)
{
    return ahead < (size_t)(reader->end - reader->at) ? reader->at[ahead] : 0;
}

static lh_slice rest_of(const struct lh_json_reader *reader)
{
    return lh_slice_of(reader->at, (size_t)(reader->end - reader->at));
}

static void skip_blanks(struct lh_json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r')) {
        reader->at++;
    }
}

static lh_status expect(struct lh_json_reader *reader, uint8_t byte)
{
    LH_ENSURE(peek(reader, 0) == byte, LH_MALFORMED);
    reader->at++;
    return lh_ok();
}

/* --- Texts ------------------------------------------------------------------------------------ */

static unsigned hexadecimal_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - (unsigned)'0';
    }
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - (unsigned)'a' + 10U : UINT8_MAX;
}

/* Four digits, as behind "\u". */
static lh_status read_unit(struct lh_json_reader *reader, uint32_t *out_unit)
{
    uint32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        unsigned digit = hexadecimal_digit(peek(reader, i));
        LH_ENSURE(digit != UINT8_MAX, LH_MALFORMED);
        unit = unit << 4 | digit;
    }
    reader->at += 4;
    *out_unit = unit;
    return lh_ok();
}

static bool is_surrogate(uint32_t unit, uint32_t first)
{
    return unit >= first && unit < first + 0x400;
}

/* RFC 8259 §7: one unit, or a pair of surrogates; never half a pair, and no NUL. */
static lh_status read_code_point(struct lh_json_reader *reader, uint8_t **out)
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
    *out += lh_utf8_write(unit, *out); /* shorter than its escape, in any case */
    return lh_ok();
}

/* What stands behind a backslash. */
static lh_status read_escape(struct lh_json_reader *reader, uint8_t **out)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t escape = peek(reader, 0);
    LH_ENSURE(escape != 0, LH_MALFORMED);
    reader->at++;
    if (escape == 'u') {
        return read_code_point(reader, out);
    }
    size_t at = lh_slice_find(lh_slice_from_text(escapes), escape);
    LH_ENSURE(at < sizeof(escapes) - 1, LH_MALFORMED);
    *(*out)++ = (uint8_t)meanings[at];
    return lh_ok();
}

/* Whether a byte stands for itself in a text, without a look at its neighbours. */
static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* Passes over what needs no change: up to a quote, a backslash or the end. */
static lh_status skip_plain(struct lh_json_reader *reader)
{
    while (reader->at < reader->end) {
        uint8_t byte = *reader->at;
        if (is_plain(byte)) {
            reader->at++;
        } else if (byte < 0x80) {
            LH_ENSURE(byte == '"' || byte == '\\', LH_MALFORMED);
            return lh_ok();
        } else {
            size_t len = lh_utf8_sequence(rest_of(reader));
            LH_ENSURE(len > 0, LH_MALFORMED);
            reader->at += len;
        }
    }
    return lh_status_of(LH_MALFORMED); /* no quote came */
}

/* Reads a text with its quotes and leaves it unescaped in its place, with a NUL behind. */
static lh_status read_text(struct lh_json_reader *reader, lh_slice *out_text)
{
    LH_TRY(expect(reader, '"'));
    uint8_t *begin = reader->at;
    LH_TRY(skip_plain(reader));
    uint8_t *out = reader->at;
    while (*reader->at == '\\') {
        reader->at++;
        LH_TRY(read_escape(reader, &out));
        const uint8_t *plain = reader->at;
        LH_TRY(skip_plain(reader));
        size_t len = (size_t)(reader->at - plain);
        memmove(out, plain, len);
        out += len;
    }
    *out = 0; /* at the quote, or before it */
    reader->at++;
    *out_text = lh_slice_of(begin, (size_t)(out - begin));
    return lh_ok();
}

/* --- Numbers and names ------------------------------------------------------------------------ */

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Length of the digits at a distance. */
static size_t digits_at(const struct lh_json_reader *reader, size_t at)
{
    size_t len = 0;
    while (is_digit(peek(reader, at + len))) {
        len++;
    }
    return len;
}

/* RFC 8259 §6. out_len: of the whole number; out_is_real: it has a fraction or an exponent. */
static lh_status measure_number(const struct lh_json_reader *reader, size_t *out_len,
                                bool *out_is_real)
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

static lh_status read_number(struct lh_json_reader *reader, struct lh_json_piece *piece)
{
    size_t len;
    bool is_real;
    LH_TRY(measure_number(reader, &len, &is_real));
    piece->kind = is_real ? LH_JSON_REAL : LH_JSON_INTEGER;
    piece->text = lh_slice_of(reader->at, len);
    reader->at += len;
    return lh_ok();
}

static lh_status read_literal(struct lh_json_reader *reader, enum lh_json_kind *out_kind)
{
    static const struct {
        const char *name;
        enum lh_json_kind kind;
    } literals[] = {{"true", LH_JSON_TRUE}, {"false", LH_JSON_FALSE}, {"null", LH_JSON_NULL}};
    lh_slice rest = rest_of(reader);
    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
        lh_slice name = lh_slice_from_text(literals[i].name);
        if (lh_slice_has_prefix(rest, name)) {
            reader->at += name.len;
            *out_kind = literals[i].kind;
            return lh_ok();
        }
    }
    return lh_status_of(LH_MALFORMED);
}

/* --- Containers ------------------------------------------------------------------------------- */

static uint32_t level_bit(const struct lh_json_reader *reader)
{
    return UINT32_C(1) << (reader->depth - 1);
}

static lh_status open_container(struct lh_json_reader *reader, struct lh_json_piece *piece)
{
    piece->kind = *reader->at == '{' ? LH_JSON_OBJECT : LH_JSON_ARRAY;
    LH_ENSURE(reader->depth < LH_JSON_MAX_DEPTH, LH_MALFORMED);
    reader->at++;
    reader->depth++;
    reader->has_members &= ~level_bit(reader);
    reader->objects &= ~level_bit(reader);
    reader->objects |= piece->kind == LH_JSON_OBJECT ? level_bit(reader) : 0;
    return lh_ok();
}

static lh_status read_value(struct lh_json_reader *reader, struct lh_json_piece *piece)
{
    uint8_t byte = peek(reader, 0);
    if (byte == '"') {
        piece->kind = LH_JSON_STRING;
        return read_text(reader, &piece->text);
    }
    if (byte == '{' || byte == '[') {
        return open_container(reader, piece);
    }
    return byte == '-' || is_digit(byte) ? read_number(reader, piece)
                                         : read_literal(reader, &piece->kind);
}

static lh_status close_container(struct lh_json_reader *reader, struct lh_json_piece *piece)
{
    piece->kind = LH_JSON_CLOSED;
    reader->at++;
    reader->depth--;
    if (reader->depth == 0) {
        skip_blanks(reader);
        LH_ENSURE(reader->at == reader->end, LH_MALFORMED);
    }
    return lh_ok();
}

/* The comma between two members, if there was one before. */
static lh_status read_separator(struct lh_json_reader *reader)
{
    if ((reader->has_members & level_bit(reader)) != 0) {
        LH_TRY(expect(reader, ','));
        skip_blanks(reader);
    }
    reader->has_members |= level_bit(reader);
    return lh_ok();
}

static lh_status read_name(struct lh_json_reader *reader, struct lh_json_piece *piece)
{
    piece->has_name = true;
    LH_TRY(read_text(reader, &piece->name));
    skip_blanks(reader);
    LH_TRY(expect(reader, ':'));
    skip_blanks(reader);
    return lh_ok();
}

static lh_status read_inside(struct lh_json_reader *reader, struct lh_json_piece *piece)
{
    bool is_object = (reader->objects & level_bit(reader)) != 0;
    skip_blanks(reader);
    if (peek(reader, 0) == (is_object ? '}' : ']')) {
        return close_container(reader, piece);
    }
    LH_TRY(read_separator(reader));
    if (is_object) {
        LH_TRY(read_name(reader, piece));
    }
    return read_value(reader, piece);
}

static lh_status read_root(struct lh_json_reader *reader, struct lh_json_piece *piece)
{
    skip_blanks(reader);
    LH_ENSURE(peek(reader, 0) == '{' || peek(reader, 0) == '[', LH_MALFORMED);
    return open_container(reader, piece);
}

lh_status lh_json_reader_next(struct lh_json_reader *reader, struct lh_json_piece *out_piece)
{
    struct lh_json_piece piece = {.has_name = false};
    LH_TRY(reader->depth == 0 ? read_root(reader, &piece) : read_inside(reader, &piece));
    *out_piece = piece;
    return lh_ok();
}
