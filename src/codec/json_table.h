/*
 * A JSON object on the path of a request: its members in a table of fixed size, read in place by
 * one pass, without allocation. Kept are members and their kinds, and the elements of arrays among
 * them. Everything in the text is checked as lh_json_parse does, also what lies too deep to be
 * kept; only numbers may be of any size.
 */
#ifndef LH_CODEC_JSON_TABLE_H
#define LH_CODEC_JSON_TABLE_H

#include "codec/json_reader.h"

/* Longest text: places in it are kept in 16 bits. */
#define LH_JSON_TABLE_MAX_BYTES 16384U
/* Members, and elements of arrays among them. */
#define LH_JSON_TABLE_CELLS 256U
/* Members of all objects that are open at one place: they are compared for doubles. */
#define LH_JSON_TABLE_NAMES 128U

/* A part of the text. */
struct lh_json_span {
    uint16_t at;
    uint16_t len;
};

/* A member or an element. */
struct lh_json_cell {
    struct lh_json_span name;
    struct lh_json_span text; /* as in struct lh_json_piece */
    uint16_t elements;        /* of an array; they are the cells that follow this one */
    uint8_t kind;             /* enum lh_json_kind */
};

struct lh_json_table {
    const uint8_t *text; /* borrowed */
    size_t count;
    struct lh_json_cell cells[LH_JSON_TABLE_CELLS];
};

/*
 * Reads an object of len bytes, which are changed and borrowed for the table's life.
 * Errors: MALFORMED (no JSON, no object, two members of one name at any depth), TOO_LARGE (the
 * text, more members than a table holds).
 */
LH_MUST_USE lh_status lh_json_table_read(struct lh_json_table *table, uint8_t *text, size_t len);

/* The member of a name; borrowed, NULL if there is none. */
const struct lh_json_cell *lh_json_table_find(const struct lh_json_table *table, lh_slice name);

/* The text of a string or number; a view. */
static inline lh_slice lh_json_table_text(const struct lh_json_table *table,
                                          const struct lh_json_cell *cell)
{
    return lh_slice_of(table->text + cell->text.at, cell->text.len);
}

/* The name of a member; a view. */
static inline lh_slice lh_json_table_name(const struct lh_json_table *table,
                                          const struct lh_json_cell *cell)
{
    return lh_slice_of(table->text + cell->name.at, cell->name.len);
}

/* A string member; a view. Errors: ABSENT (no such member), MALFORMED (it is no string). */
LH_MUST_USE lh_status lh_json_table_string(const struct lh_json_table *table, lh_slice name,
                                           lh_slice *out_text);

/*
 * The whole part of a number as JSON writes it: of "1.7e9" 1700000000, of "1.9" 1.
 * number  digits, point and exponent as a reader has found them; max: largest value accepted.
 * Errors: MALFORMED (negative), TOO_LARGE.
 */
LH_MUST_USE lh_status lh_json_number_floor(lh_slice number, uint64_t max, uint64_t *out_value);

/* A number member likewise. Errors: ABSENT, MALFORMED (no number, negative), TOO_LARGE. */
LH_MUST_USE lh_status lh_json_table_floor(const struct lh_json_table *table, lh_slice name,
                                          uint64_t max, uint64_t *out_value);

#endif
