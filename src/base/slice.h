/*
 * Reading lent bytes: comparing, cutting, and the one cursor through which every wire and file
 * format is read.
 */
#ifndef LH_BASE_SLICE_H
#define LH_BASE_SLICE_H

#include "base/status.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

/* A slice over a string literal, without its NUL. */
#define LH_SLICE_LITERAL(literal) ((lh_slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* A slice over an array or struct object, of its whole size. */
#define LH_SLICE_OF(object) ((lh_slice){(const uint8_t *)&(object), sizeof(object)})

#define LH_SLICE_EMPTY      ((lh_slice){NULL, 0})

/* printf arguments for "%.*s": LH_SLICE_ARG(s). For texts that are known to be printable. */
#define LH_SLICE_ARG(s) lh_slice_print_len(s), (const char *)(s).ptr

/* The length as printf takes it: a longer slice is cut, for a negative precision has no bound. */
static inline int lh_slice_print_len(lh_slice s)
{
    return s.len < INT_MAX ? (int)s.len : INT_MAX;
}

/* Borrows len bytes at ptr. */
static inline lh_slice lh_slice_of(const void *ptr, size_t len)
{
    return (lh_slice){(const uint8_t *)ptr, len};
}

/*
 * Borrows a NUL-terminated string of our own or of the system.
 * text  not NULL.
 */
lh_slice lh_slice_from_text(const char *text);

/*
 * Whether two slices hold the same bytes. Not constant in time: for names, never for secrets.
 */
bool lh_slice_is_equal(lh_slice a, lh_slice b);

/*
 * Whether two slices are the same ASCII text, letters compared without case. No locale.
 */
bool lh_slice_is_equal_nocase(lh_slice a, lh_slice b);

/*
 * Whether s begins with prefix (bytes, with case).
 */
bool lh_slice_has_prefix(lh_slice s, lh_slice prefix);

/*
 * Whether s ends with suffix, ASCII letters compared without case.
 */
bool lh_slice_has_suffix_nocase(lh_slice s, lh_slice suffix);

/*
 * Finds the first occurrence of a byte.
 * returns  its index, or s.len when there is none.
 */
size_t lh_slice_find(lh_slice s, uint8_t byte);

/*
 * The part [from, from + len), clipped to s.
 */
lh_slice lh_slice_cut(lh_slice s, size_t from, size_t len);

/*
 * Without leading and trailing SP and HTAB (RFC 9110 OWS).
 */
lh_slice lh_slice_trim(lh_slice s);

/*
 * Reads a decimal number: digits only, no sign, no leading zero but "0" itself.
 * max  largest value accepted.
 * Errors: MALFORMED, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_slice_parse_u64(lh_slice s, uint64_t max, uint64_t *out_value);

/*
 * Reads a wire or file format from front to back. A read that would pass the end fails with
 * MALFORMED and takes nothing. Integers are big-endian. Written out here, for every field of every
 * record of every request comes through it.
 */
struct lh_cursor {
    lh_slice rest; /* what is not read yet; borrowed */
};

/* A cursor at the beginning of s, borrowed for its life. */
static inline struct lh_cursor lh_cursor_over(lh_slice s)
{
    return (struct lh_cursor){s};
}

/* Takes len bytes as a view into the source. Errors: MALFORMED. */
LH_MUST_USE static inline lh_status lh_cursor_view(struct lh_cursor *cursor, size_t len,
                                                   lh_slice *out_view)
{
    if (cursor->rest.len < len) {
        return lh_status_of(LH_MALFORMED);
    }
    *out_view = lh_slice_of(cursor->rest.ptr, len);
    if (len > 0) {
        cursor->rest = lh_slice_of(cursor->rest.ptr + len, cursor->rest.len - len);
    }
    return lh_ok();
}

/* Copies len bytes to out_bytes. Errors: MALFORMED. */
LH_MUST_USE static inline lh_status lh_cursor_copy(struct lh_cursor *cursor, void *out_bytes,
                                                   size_t len)
{
    lh_slice view = LH_SLICE_EMPTY;
    lh_status status = lh_cursor_view(cursor, len, &view);
    if (lh_is_ok(status) && len > 0) {
        memcpy(out_bytes, view.ptr, len);
    }
    return status;
}

/* Takes one byte. Errors: MALFORMED. */
LH_MUST_USE static inline lh_status lh_cursor_u8(struct lh_cursor *cursor, uint8_t *out_value)
{
    return lh_cursor_copy(cursor, out_value, sizeof(*out_value));
}

/* Takes a 16-bit number. Errors: MALFORMED. */
LH_MUST_USE static inline lh_status lh_cursor_u16(struct lh_cursor *cursor, uint16_t *out_value)
{
    uint16_t wire = 0;
    lh_status status = lh_cursor_copy(cursor, &wire, sizeof(wire));
    if (lh_is_ok(status)) {
        *out_value = be16toh(wire);
    }
    return status;
}

/* Takes a 32-bit number. Errors: MALFORMED. */
LH_MUST_USE static inline lh_status lh_cursor_u32(struct lh_cursor *cursor, uint32_t *out_value)
{
    uint32_t wire = 0;
    lh_status status = lh_cursor_copy(cursor, &wire, sizeof(wire));
    if (lh_is_ok(status)) {
        *out_value = be32toh(wire);
    }
    return status;
}

/* Takes a 64-bit number. Errors: MALFORMED. */
LH_MUST_USE static inline lh_status lh_cursor_u64(struct lh_cursor *cursor, uint64_t *out_value)
{
    uint64_t wire = 0;
    lh_status status = lh_cursor_copy(cursor, &wire, sizeof(wire));
    if (lh_is_ok(status)) {
        *out_value = be64toh(wire);
    }
    return status;
}

/* OK if everything was read. Errors: MALFORMED. */
LH_MUST_USE static inline lh_status lh_cursor_finish(const struct lh_cursor *cursor)
{
    return lh_status_of(cursor->rest.len == 0 ? LH_OK : LH_MALFORMED);
}

#endif
