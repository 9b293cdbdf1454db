/*
 * Filling a table of members from the pieces of a text. Names of objects that are open lie on a
 * stack, the innermost object's last; what is compared is bounded by its size.
 */
#include "codec/json_table.h"

#include "base/banned.h"

struct names {
    struct lh_json_span items[LH_JSON_TABLE_NAMES];
    size_t count;
    size_t first[LH_JSON_MAX_DEPTH + 1]; /* of the container at each depth */
};

static struct lh_json_span span_of(const struct lh_json_table *table, lh_slice view)
{
    return view.len == 0
               ? (struct lh_json_span){0, 0}
               : (struct lh_json_span){(uint16_t)(view.ptr - table->text), (uint16_t)view.len};
}

static lh_slice view_of(const struct lh_json_table *table, struct lh_json_span span)
{
    return lh_slice_of(table->text + span.at, span.len);
}

/* Notes the name of a member of the container at a depth. */
static lh_status add_name(struct names *names, const struct lh_json_table *table, unsigned depth,
                          lh_slice name)
{
    for (size_t i = names->first[depth]; i < names->count; i++) {
        LH_ENSURE(names->items[i].len != name.len ||
                      !lh_slice_is_equal(view_of(table, names->items[i]), name),
                  LH_MALFORMED);
    }
    LH_ENSURE(names->count < LH_JSON_TABLE_NAMES, LH_TOO_LARGE);
    names->items[names->count++] = span_of(table, name);
    return lh_ok();
}

static lh_status add_cell(struct lh_json_table *table, const struct lh_json_piece *piece)
{
    LH_ENSURE(table->count < LH_JSON_TABLE_CELLS, LH_TOO_LARGE);
    table->cells[table->count++] = (struct lh_json_cell){
        .name = span_of(table, piece->name),
        .text = span_of(table, piece->text),
        .kind = (uint8_t)piece->kind,
    };
    return lh_ok();
}

/*
 * Keeps what a reader of the table can ask for.
 * member  the cell of the member that is open, if the piece lies in one.
 */
static lh_status keep(struct lh_json_table *table, const struct lh_json_piece *piece,
                      unsigned depth, size_t *member)
{
    if (depth == 1) {
        *member = table->count;
        return add_cell(table, piece);
    }
    if (depth == 2 && table->cells[*member].kind == LH_JSON_ARRAY) {
        table->cells[*member].elements++;
        return add_cell(table, piece);
    }
    return lh_ok();
}

/* Reads one piece that lies in a container. */
static lh_status read_piece(struct lh_json_table *table, struct lh_json_reader *reader,
                            struct names *names, size_t *member)
{
    unsigned depth = reader->depth;
    struct lh_json_piece piece;
    LH_TRY(lh_json_reader_next(reader, &piece));
    if (piece.kind == LH_JSON_CLOSED) {
        names->count = names->first[depth];
        return lh_ok();
    }
    if (piece.has_name) {
        LH_TRY(add_name(names, table, depth, piece.name));
    }
    LH_TRY(keep(table, &piece, depth, member));
    if (reader->depth > depth) {
        names->first[reader->depth] = names->count;
    }
    return lh_ok();
}

lh_status lh_json_table_read(struct lh_json_table *table, uint8_t *text, size_t len)
{
    LH_ENSURE(len <= LH_JSON_TABLE_MAX_BYTES, LH_TOO_LARGE);
    struct lh_json_reader reader = lh_json_reader_over(text, len);
    struct lh_json_piece root;
    LH_TRY(lh_json_reader_next(&reader, &root));
    LH_ENSURE(root.kind == LH_JSON_OBJECT, LH_MALFORMED);
    table->text = text;
    table->count = 0;
    struct names names;
    names.count = 0;
    names.first[1] = 0;
    size_t member = 0;
    while (reader.depth > 0) {
        LH_TRY(read_piece(table, &reader, &names, &member));
    }
    return lh_ok();
}

/* Most names differ in length or in their first byte: no call for these. */
static bool is_called(const struct lh_json_table *table, const struct lh_json_cell *cell,
                      lh_slice name)
{
    return cell->name.len == name.len &&
           (name.len == 0 || table->text[cell->name.at] == name.ptr[0]) &&
           lh_slice_is_equal(lh_json_table_name(table, cell), name);
}

const struct lh_json_cell *lh_json_table_find(const struct lh_json_table *table, lh_slice name)
{
    for (size_t i = 0; i < table->count; i += 1U + table->cells[i].elements) {
        const struct lh_json_cell *cell = &table->cells[i];
        if (is_called(table, cell, name)) {
            return cell;
        }
    }
    return NULL;
}

lh_status lh_json_table_string(const struct lh_json_table *table, lh_slice name, lh_slice *out_text)
{
    const struct lh_json_cell *cell = lh_json_table_find(table, name);
    LH_ENSURE(cell != NULL, LH_ABSENT);
    LH_ENSURE(cell->kind == LH_JSON_STRING, LH_MALFORMED);
    *out_text = lh_json_table_text(table, cell);
    return lh_ok();
}

/* --- Numbers ---------------------------------------------------------------------------------- */

/* Larger exponents are as good as this one: no text is so long that its digits make up for it. */
#define EXPONENT_MAX 100000L

/* Reads an exponent with its sign; nothing is 0. */
static long read_exponent(lh_slice text)
{
    long exponent = 0;
    for (size_t i = 0; i < text.len && exponent < EXPONENT_MAX; i++) {
        if (text.ptr[i] != '+' && text.ptr[i] != '-') {
            exponent = exponent * 10 + (text.ptr[i] - '0');
        }
    }
    return text.len > 0 && text.ptr[0] == '-' ? -exponent : exponent;
}

/* Errors: TOO_LARGE. */
static lh_status add_digit(uint64_t *value, unsigned digit, uint64_t max)
{
    LH_ENSURE(*value <= max / 10 && *value * 10 + digit <= max, LH_TOO_LARGE);
    *value = *value * 10 + digit;
    return lh_ok();
}

/*
 * The first digits of a decimal fraction as a number, with zeros behind its last one.
 * digits  with or without a point, which does not count.
 */
static lh_status read_digits(lh_slice digits, size_t point, long count, uint64_t max,
                             uint64_t *out_value)
{
    uint64_t value = 0;
    size_t at = 0;
    for (long i = 0; i < count && (at < digits.len || value > 0); i++) {
        at += at == point;
        LH_TRY(add_digit(&value, at < digits.len ? digits.ptr[at] - (unsigned)'0' : 0, max));
        at++;
    }
    *out_value = value;
    return lh_ok();
}

lh_status lh_json_number_floor(lh_slice number, uint64_t max, uint64_t *out_value)
{
    LH_ENSURE(number.len > 0 && number.ptr[0] != '-', LH_MALFORMED);
    size_t exponent_at = lh_slice_find(number, 'e');
    exponent_at = exponent_at < number.len ? exponent_at : lh_slice_find(number, 'E');
    lh_slice digits = lh_slice_cut(number, 0, exponent_at);
    size_t point = lh_slice_find(digits, '.');
    long exponent = read_exponent(lh_slice_cut(number, exponent_at + 1, number.len));
    return read_digits(digits, point, (long)point + exponent, max, out_value);
}

lh_status lh_json_table_floor(const struct lh_json_table *table, lh_slice name, uint64_t max,
                              uint64_t *out_value)
{
    const struct lh_json_cell *cell = lh_json_table_find(table, name);
    LH_ENSURE(cell != NULL, LH_ABSENT);
    LH_ENSURE(cell->kind == LH_JSON_INTEGER || cell->kind == LH_JSON_REAL, LH_MALFORMED);
    return lh_json_number_floor(lh_json_table_text(table, cell), max, out_value);
}
