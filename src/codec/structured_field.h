/*
 * Structured fields (RFC 8941, whose types RFC 9651 keeps): as much of them as Signature-Input,
 * Signature and Content-Digest are made of. A dictionary is read at once into views of its text;
 * inner lists and parameters are checked with it and walked afterwards.
 *
 * Stricter than the standard where it leaves two readers a choice: a key may not come twice (the
 * standard lets the last one win), base64 has its padding and no slack bits, a line of a field is
 * not empty, and a member does not continue in the next line. Dates and display strings (RFC
 * 9651) are in none of the three fields and are malformed.
 */
#ifndef LH_CODEC_STRUCTURED_FIELD_H
#define LH_CODEC_STRUCTURED_FIELD_H

#include "base/buf.h"

/* Longest line of a field: what servers take as one header line by default. */
#define LH_SF_LINE_MAX_BYTES 8192U
/* Most members of a dictionary: one signature of ours beside those of some intermediaries. */
#define LH_SF_MEMBERS_MAX 16U
/* Most items of an inner list. */
#define LH_SF_LIST_MAX 64U
/* Most parameters of one item or inner list. */
#define LH_SF_PARAMETERS_MAX 16U

enum lh_sf_type {
    LH_SF_INTEGER,
    LH_SF_DECIMAL,
    LH_SF_STRING,
    LH_SF_TOKEN,
    LH_SF_BYTES,
    LH_SF_BOOLEAN
};

/* A bare item. */
struct lh_sf_value {
    enum lh_sf_type type;
    /* INTEGER, DECIMAL, TOKEN: as it lies. STRING: between the quotes, escapes kept: two strings
       are equal if these texts are. BYTES: the base64 between the colons. BOOLEAN: its digit. */
    lh_slice text;
    int64_t integer; /* INTEGER */
};

/* An item or an inner list, with the text of its parameters. */
struct lh_sf_item {
    bool is_list;
    struct lh_sf_value value; /* of an item */
    lh_slice list;            /* of a list: what stands between the parentheses */
    lh_slice parameters;      /* from the first ";" on; may be empty */
};

struct lh_sf_member {
    lh_slice key;
    struct lh_sf_item item;
};

struct lh_sf_dictionary {
    struct lh_sf_member members[LH_SF_MEMBERS_MAX];
    size_t count;
};

struct lh_sf_parameter {
    lh_slice key;
    struct lh_sf_value value; /* BOOLEAN "1" where none is written */
};

/*
 * Reads the lines of one field as one dictionary (RFC 8941 §4.2.2).
 * lines           as they came, in order; the dictionary's views point into them.
 * out_dictionary  written in part before a failure is found.
 * Errors: MALFORMED, DUPLICATE (a key comes twice), TOO_LARGE (a bound of this header).
 */
LH_MUST_USE lh_status lh_sf_dictionary_read(const lh_slice *lines, size_t line_count,
                                            struct lh_sf_dictionary *out_dictionary);

/* The member of that key, or NULL. */
const struct lh_sf_member *lh_sf_dictionary_find(const struct lh_sf_dictionary *dictionary,
                                                 lh_slice key);

/*
 * Takes the next item off an inner list. returns: false at the end.
 * rest  at first the list of an item that was read; afterwards what is left of it.
 */
bool lh_sf_list_next(lh_slice *rest, struct lh_sf_item *out_item);

/*
 * Takes the next parameter off the text of parameters. returns: false at the end.
 * rest  at first the parameters of an item that was read; afterwards what is left of them.
 */
bool lh_sf_parameter_next(lh_slice *rest, struct lh_sf_parameter *out_parameter);

/*
 * Appends an item or inner list and its parameters in their one canonical form (RFC 8941 §4.1).
 * item  as it was read.
 * Errors: TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_sf_item_write(const struct lh_sf_item *item, struct lh_buf *out);

/*
 * Decodes a byte sequence.
 * value      of type BYTES.
 * out_bytes  room for max_bytes; out_len: bytes written.
 * Errors: MALFORMED (another type), TOO_LARGE (more than max_bytes).
 */
LH_MUST_USE lh_status lh_sf_bytes_decode(const struct lh_sf_value *value, uint8_t *out_bytes,
                                         size_t max_bytes, size_t *out_len);

#endif
