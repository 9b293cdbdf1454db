/*
 * Reading JSON piece by piece, in place: no allocation, no recursion, one pass. The text lies in
 * memory of the caller's that is changed: texts are unescaped where they lie. What is accepted is
 * RFC 8259, an object or an array, in UTF-8 without NUL, at most LH_JSON_MAX_DEPTH deep.
 *
 * Members of one name are not noticed here: lh_json_parse and lh_json_table_read refuse them, and
 * are what others read with.
 */
#ifndef LH_CODEC_JSON_READER_H
#define LH_CODEC_JSON_READER_H

#include "base/slice.h"

/* Deeper than any document of ours; hostile nesting stops here. */
#define LH_JSON_MAX_DEPTH 16U

enum lh_json_kind {
    LH_JSON_OBJECT, /* begins */
    LH_JSON_ARRAY,  /* begins */
    LH_JSON_CLOSED, /* the innermost of those ends */
    LH_JSON_STRING,
    LH_JSON_INTEGER, /* a number without fraction and exponent */
    LH_JSON_REAL,
    LH_JSON_TRUE,
    LH_JSON_FALSE,
    LH_JSON_NULL
};

/* One piece. Views into the text, good as long as it. */
struct lh_json_piece {
    enum lh_json_kind kind;
    bool has_name; /* it is a member of an object */
    lh_slice name; /* unescaped; a NUL follows it */
    lh_slice text; /* of a string: unescaped, a NUL follows it; of a number: as it was written */
};

struct lh_json_reader {
    uint8_t *at; /* borrowed, changed */
    uint8_t *end;
    unsigned depth;       /* open containers; 0 before the first piece and after the last */
    uint32_t objects;     /* bit n: the container at depth n + 1 is an object */
    uint32_t has_members; /* bit n: something was read in it */
};

_Static_assert(LH_JSON_MAX_DEPTH <= 32, "one bit for each level");

/* A reader over len bytes, which are the reader's until it has read the last piece. */
static inline struct lh_json_reader lh_json_reader_over(uint8_t *text, size_t len)
{
    return (struct lh_json_reader){.at = text, .end = text + len};
}

/*
 * Reads the next piece. The last one closes the root: reader->depth is 0 then, and nothing but
 * white space was behind it.
 * Errors: MALFORMED (read no further).
 */
LH_MUST_USE lh_status lh_json_reader_next(struct lh_json_reader *reader,
                                          struct lh_json_piece *out_piece);

#endif
