/*
 * The grammar of RFC 8941 as its §4.2 reads it: one function per algorithm, each of which takes
 * what it knows off the front of a cursor. A member is checked whole before it is handed out; the
 * walks over its parts go through the same functions again.
 */
#include "codec/structured_field.h"

#include "base/bug.h"
#include "codec/base64url.h"

#include "base/banned.h"

/* RFC 8941 §3.3.1 and §3.3.2. */
#define INTEGER_DIGITS_MAX   15U
#define DECIMAL_WHOLE_MAX    12U
#define DECIMAL_FRACTION_MAX 3U
/* Byte sequences are checked in pieces of this many characters, without memory for all of them. */
#define BASE64_PIECE_CHARACTERS 64U
#define BASE64_PIECE_BYTES      48U

/* --- Characters ------------------------------------------------------------------------------- */

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_lower(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_letter(uint8_t byte)
{
    return is_lower(byte | 0x20);
}

static bool is_one_of(uint8_t byte, const char *set)
{
    return byte != '\0' && strchr(set, byte) != NULL;
}

/* RFC 8941 §3.1.2: key. */
static bool is_key_byte(uint8_t byte)
{
    return is_lower(byte) || is_digit(byte) || is_one_of(byte, "_-.*");
}

/* RFC 8941 §3.3.4: tchar, ":" and "/". */
static bool is_token_byte(uint8_t byte)
{
    return is_letter(byte) || is_digit(byte) || is_one_of(byte, "!#$%&'*+-.^_`|~:/");
}

/* --- Cursor ----------------------------------------------------------------------------------- */

/* The next byte, or NUL at the end, which no rule of the grammar asks for. */
static uint8_t peek(const struct lh_cursor *cursor)
{
    return cursor->rest.len > 0 ? cursor->rest.ptr[0] : '\0';
}

static void skip(struct lh_cursor *cursor, size_t len)
{
    cursor->rest = lh_slice_cut(cursor->rest, len, cursor->rest.len);
}

/* Takes the byte if it comes next. */
static bool take(struct lh_cursor *cursor, uint8_t byte)
{
    bool is_next = cursor->rest.len > 0 && cursor->rest.ptr[0] == byte;
    skip(cursor, is_next ? 1 : 0);
    return is_next;
}

static void skip_spaces(struct lh_cursor *cursor)
{
    while (take(cursor, ' ')) {
    }
}

/* Optional white space: SP and HTAB. */
static void skip_blanks(struct lh_cursor *cursor)
{
    while (take(cursor, ' ') || take(cursor, '\t')) {
    }
}

/* Takes what is_part holds for; perhaps nothing. */
static lh_slice take_run(struct lh_cursor *cursor, bool (*is_part)(uint8_t byte))
{
    size_t len = 0;
    while (len < cursor->rest.len && is_part(cursor->rest.ptr[len])) {
        len++;
    }
    lh_slice run = lh_slice_cut(cursor->rest, 0, len);
    skip(cursor, len);
    return run;
}

/* What was taken since the cursor stood at start. */
static lh_slice taken_since(lh_slice start, const struct lh_cursor *cursor)
{
    return lh_slice_cut(start, 0, start.len - cursor->rest.len);
}

/* --- Bare items ------------------------------------------------------------------------------- */

/* RFC 8941 §4.2.3.3. */
static lh_status read_key(struct lh_cursor *cursor, lh_slice *out_key)
{
    LH_ENSURE(is_lower(peek(cursor)) || peek(cursor) == '*', LH_MALFORMED);
    *out_key = take_run(cursor, is_key_byte);
    return lh_ok();
}

static int64_t integer_of(lh_slice digits)
{
    int64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        value = value * 10 + (digits.ptr[i] - '0');
    }
    return value;
}

/* RFC 8941 §4.2.4. */
static lh_status read_number(struct lh_cursor *cursor, struct lh_sf_value *out_value)
{
    lh_slice start = cursor->rest;
    bool is_negative = take(cursor, '-');
    lh_slice whole = take_run(cursor, is_digit);
    LH_ENSURE(whole.len > 0 && whole.len <= INTEGER_DIGITS_MAX, LH_MALFORMED);
    bool is_decimal = take(cursor, '.');
    if (is_decimal) {
        lh_slice fraction = take_run(cursor, is_digit);
        LH_ENSURE(whole.len <= DECIMAL_WHOLE_MAX && fraction.len > 0 &&
                      fraction.len <= DECIMAL_FRACTION_MAX,
                  LH_MALFORMED);
    }
    int64_t integer = integer_of(whole);
    *out_value = (struct lh_sf_value){.type = is_decimal ? LH_SF_DECIMAL : LH_SF_INTEGER,
                                      .text = taken_since(start, cursor),
                                      .integer = is_negative ? -integer : integer};
    return lh_ok();
}

/* RFC 8941 §4.2.5. Both characters that have an escape must be escaped, and no other may be: each
   string has one spelling. */
static lh_status read_string(struct lh_cursor *cursor, struct lh_sf_value *out_value)
{
    skip(cursor, 1);
    lh_slice start = cursor->rest;
    while (peek(cursor) != '"') {
        if (take(cursor, '\\')) {
            LH_ENSURE(is_one_of(peek(cursor), "\"\\"), LH_MALFORMED);
        }
        LH_ENSURE(peek(cursor) >= ' ' && peek(cursor) < 0x7f, LH_MALFORMED);
        skip(cursor, 1);
    }
    *out_value = (struct lh_sf_value){.type = LH_SF_STRING, .text = taken_since(start, cursor)};
    skip(cursor, 1);
    return lh_ok();
}

/* RFC 8941 §4.2.6; the caller has seen the first character. */
static lh_status read_token(struct lh_cursor *cursor, struct lh_sf_value *out_value)
{
    *out_value = (struct lh_sf_value){.type = LH_SF_TOKEN, .text = take_run(cursor, is_token_byte)};
    return lh_ok();
}

static bool is_base64(lh_slice text)
{
    while (text.len > 0) {
        uint8_t piece[BASE64_PIECE_BYTES];
        size_t len = 0;
        lh_slice characters = lh_slice_cut(text, 0, BASE64_PIECE_CHARACTERS);
        if (!lh_is_ok(lh_base64_decode(characters, piece, sizeof(piece), &len))) {
            return false;
        }
        text = lh_slice_cut(text, BASE64_PIECE_CHARACTERS, text.len);
        /* A shorter one was padded: only the last may be. */
        if (text.len > 0 && len < sizeof(piece)) {
            return false;
        }
    }
    return true;
}

/* RFC 8941 §4.2.7. */
static lh_status read_bytes(struct lh_cursor *cursor, struct lh_sf_value *out_value)
{
    skip(cursor, 1);
    size_t len = lh_slice_find(cursor->rest, ':');
    LH_ENSURE(len < cursor->rest.len, LH_MALFORMED);
    lh_slice text = lh_slice_cut(cursor->rest, 0, len);
    LH_ENSURE(is_base64(text), LH_MALFORMED);
    skip(cursor, len + 1);
    *out_value = (struct lh_sf_value){.type = LH_SF_BYTES, .text = text};
    return lh_ok();
}

/* RFC 8941 §4.2.8. */
static lh_status read_boolean(struct lh_cursor *cursor, struct lh_sf_value *out_value)
{
    skip(cursor, 1);
    LH_ENSURE(is_one_of(peek(cursor), "01"), LH_MALFORMED);
    *out_value =
        (struct lh_sf_value){.type = LH_SF_BOOLEAN, .text = lh_slice_cut(cursor->rest, 0, 1)};
    skip(cursor, 1);
    return lh_ok();
}

/* RFC 8941 §4.2.3.1: the first character tells the type. */
static lh_status read_value(struct lh_cursor *cursor, struct lh_sf_value *out_value)
{
    uint8_t first = peek(cursor);
    if (is_digit(first) || first == '-') {
        return read_number(cursor, out_value);
    }
    if (is_letter(first) || first == '*') {
        return read_token(cursor, out_value);
    }
    switch (first) {
    case '"':
        return read_string(cursor, out_value);
    case ':':
        return read_bytes(cursor, out_value);
    case '?':
        return read_boolean(cursor, out_value);
    default:
        return lh_status_of(LH_MALFORMED);
    }
}

/* --- Parameters, items, lists ----------------------------------------------------------------- */

/* What stands for a key without a value. */
static struct lh_sf_value true_value(void)
{
    return (struct lh_sf_value){.type = LH_SF_BOOLEAN, .text = LH_SLICE_LITERAL("1")};
}

/* One parameter behind its ";". */
static lh_status read_parameter(struct lh_cursor *cursor, struct lh_sf_parameter *out_parameter)
{
    skip_spaces(cursor);
    LH_TRY(read_key(cursor, &out_parameter->key));
    if (take(cursor, '=')) {
        return read_value(cursor, &out_parameter->value);
    }
    out_parameter->value = true_value();
    return lh_ok();
}

/* RFC 8941 §4.2.3.2, but a key comes once. */
static lh_status read_parameters(struct lh_cursor *cursor, lh_slice *out_parameters)
{
    lh_slice start = cursor->rest;
    lh_slice keys[LH_SF_PARAMETERS_MAX];
    for (size_t count = 0; take(cursor, ';'); count++) {
        LH_ENSURE(count < LH_SF_PARAMETERS_MAX, LH_TOO_LARGE);
        struct lh_sf_parameter parameter;
        LH_TRY(read_parameter(cursor, &parameter));
        for (size_t i = 0; i < count; i++) {
            LH_ENSURE(!lh_slice_is_equal(keys[i], parameter.key), LH_DUPLICATE);
        }
        keys[count] = parameter.key;
    }
    *out_parameters = taken_since(start, cursor);
    return lh_ok();
}

/* RFC 8941 §4.2.3. */
static lh_status read_item(struct lh_cursor *cursor, struct lh_sf_item *out_item)
{
    struct lh_sf_item item = {.is_list = false};
    LH_TRY(read_value(cursor, &item.value));
    LH_TRY(read_parameters(cursor, &item.parameters));
    *out_item = item;
    return lh_ok();
}

/* RFC 8941 §4.2.1.2. */
static lh_status read_list(struct lh_cursor *cursor, struct lh_sf_item *out_item)
{
    struct lh_sf_item list = {.is_list = true};
    skip(cursor, 1);
    lh_slice start = cursor->rest;
    skip_spaces(cursor);
    for (size_t count = 0; peek(cursor) != ')'; count++) {
        LH_ENSURE(count < LH_SF_LIST_MAX, LH_TOO_LARGE);
        struct lh_sf_item item;
        LH_TRY(read_item(cursor, &item));
        LH_ENSURE(peek(cursor) == ' ' || peek(cursor) == ')', LH_MALFORMED);
        skip_spaces(cursor);
    }
    list.list = taken_since(start, cursor);
    skip(cursor, 1);
    LH_TRY(read_parameters(cursor, &list.parameters));
    *out_item = list;
    return lh_ok();
}

bool lh_sf_list_next(lh_slice *rest, struct lh_sf_item *out_item)
{
    struct lh_cursor cursor = lh_cursor_over(*rest);
    skip_spaces(&cursor);
    if (cursor.rest.len == 0) {
        return false;
    }
    LH_BUG_IF(!lh_is_ok(read_item(&cursor, out_item)));
    *rest = cursor.rest;
    return true;
}

bool lh_sf_parameter_next(lh_slice *rest, struct lh_sf_parameter *out_parameter)
{
    if (rest->len == 0) {
        return false;
    }
    struct lh_cursor cursor = lh_cursor_over(*rest);
    LH_BUG_IF(!take(&cursor, ';') || !lh_is_ok(read_parameter(&cursor, out_parameter)));
    *rest = cursor.rest;
    return true;
}

/* --- Dictionaries ----------------------------------------------------------------------------- */

/* A key alone is a member too: true, with its parameters. */
static lh_status read_member_item(struct lh_cursor *cursor, struct lh_sf_item *out_item)
{
    if (take(cursor, '=')) {
        return peek(cursor) == '(' ? read_list(cursor, out_item) : read_item(cursor, out_item);
    }
    *out_item = (struct lh_sf_item){.value = true_value()};
    return read_parameters(cursor, &out_item->parameters);
}

static lh_status read_member(struct lh_cursor *cursor, struct lh_sf_dictionary *dictionary)
{
    LH_ENSURE(dictionary->count < LH_SF_MEMBERS_MAX, LH_TOO_LARGE);
    struct lh_sf_member *member = &dictionary->members[dictionary->count];
    LH_TRY(read_key(cursor, &member->key));
    LH_ENSURE(lh_sf_dictionary_find(dictionary, member->key) == NULL, LH_DUPLICATE);
    LH_TRY(read_member_item(cursor, &member->item));
    dictionary->count++;
    return lh_ok();
}

/* The members of one line; lines are as if joined by a comma (RFC 9110 §5.3). */
static lh_status read_line(lh_slice line, struct lh_sf_dictionary *dictionary)
{
    LH_ENSURE(line.len <= LH_SF_LINE_MAX_BYTES, LH_TOO_LARGE);
    struct lh_cursor cursor = lh_cursor_over(line);
    skip_spaces(&cursor);
    LH_TRY(read_member(&cursor, dictionary));
    skip_blanks(&cursor);
    while (take(&cursor, ',')) {
        skip_blanks(&cursor);
        LH_TRY(read_member(&cursor, dictionary));
        skip_blanks(&cursor);
    }
    return lh_cursor_finish(&cursor);
}

lh_status lh_sf_dictionary_read(const lh_slice *lines, size_t line_count,
                                struct lh_sf_dictionary *out_dictionary)
{
    out_dictionary->count = 0;
    for (size_t i = 0; i < line_count; i++) {
        LH_TRY(read_line(lines[i], out_dictionary));
    }
    return lh_ok();
}

const struct lh_sf_member *lh_sf_dictionary_find(const struct lh_sf_dictionary *dictionary,
                                                 lh_slice key)
{
    for (size_t i = 0; i < dictionary->count; i++) {
        if (lh_slice_is_equal(dictionary->members[i].key, key)) {
            return &dictionary->members[i];
        }
    }
    return NULL;
}

lh_status lh_sf_bytes_decode(const struct lh_sf_value *value, uint8_t *out_bytes, size_t max_bytes,
                             size_t *out_len)
{
    LH_ENSURE(value->type == LH_SF_BYTES, LH_MALFORMED);
    return lh_base64_decode(value->text, out_bytes, max_bytes, out_len);
}
