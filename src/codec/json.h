/*
 * JSON as jansson's values, read and written with the limits that hostile input needs: size,
 * depth, duplicates, NUL.
 */
#ifndef LH_CODEC_JSON_H
#define LH_CODEC_JSON_H

#include "base/buf.h"
#include "codec/json_reader.h"

#include <jansson.h>

/* For LH_CLEANUP. */
void lh_json_fini(json_t **value);

/*
 * Parses one JSON text, an object or an array: UTF-8, no duplicate members, no NUL, depth <=
 * LH_JSON_MAX_DEPTH, nothing behind it but white space.
 * max_bytes  longest text accepted.
 * Errors: MALFORMED, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_json_parse(lh_slice text, size_t max_bytes, json_t **out_value);

/*
 * Appends value as compact text with sorted members.
 * Errors: TOO_LARGE, NO_MEMORY; out is then as long as before.
 */
LH_MUST_USE lh_status lh_json_write(const json_t *value, struct lh_buf *out);

/*
 * A string member as a view into object.
 * Errors: ABSENT (no such member), MALFORMED (object is none, or the member is no string).
 */
LH_MUST_USE lh_status lh_json_get_string(const json_t *object, const char *name,
                                         lh_slice *out_text);

/* A non-negative integer member up to max. Errors: ABSENT, MALFORMED, TOO_LARGE. */
LH_MUST_USE lh_status lh_json_get_u64(const json_t *object, const char *name, uint64_t max,
                                      uint64_t *out_value);

/*
 * Appends a JSON string literal with its quotes: for texts written without building a tree.
 * Bytes that are not UTF-8 fail, and so does NUL.
 * Errors: MALFORMED, TOO_LARGE, NO_MEMORY; out is then as long as before.
 */
LH_MUST_USE lh_status lh_json_add_string(struct lh_buf *out, lh_slice text);

#endif
