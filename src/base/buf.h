/*
 * Bytes that we own and write: grows to a hard maximum, fails instead of cutting. Every wire and
 * file format is written through it. Integers are big-endian, as the cursor reads them.
 */
#ifndef LH_BASE_BUF_H
#define LH_BASE_BUF_H

#include "base/slice.h"

struct lh_buf {
    uint8_t *ptr; /* owned */
    size_t len;   /* bytes written */
    size_t cap;   /* bytes that fit; one more is allocated, for a terminating NUL */
    size_t max;   /* bytes it may ever hold; 0 means LH_BUF_MAX_BYTES */
};

/* What any buffer may hold, whatever its max says: larger than any format of ours. */
#define LH_BUF_MAX_BYTES ((size_t)16 * 1024 * 1024)

#define LH_BUF_EMPTY     ((struct lh_buf){NULL, 0, 0, 0})

/* An empty buffer that will never hold more than max_bytes. */
static inline struct lh_buf lh_buf_bounded(size_t max_bytes)
{
    return (struct lh_buf){NULL, 0, 0, max_bytes};
}

/* Wipes and frees; accepts an empty buffer; leaves it empty, under the same maximum. */
void lh_buf_fini(struct lh_buf *buf);

/* Makes room for more_bytes without changing len. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_buf_reserve(struct lh_buf *buf, size_t more_bytes);

/* Appends a copy of the slice. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_buf_add(struct lh_buf *buf, lh_slice bytes);
/* Appends a NUL-terminated text without its NUL. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_buf_add_text(struct lh_buf *buf, const char *text);
/* Appends formatted text (printf rules, no data as the format). Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_buf_add_format(struct lh_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends one byte. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_buf_add_u8(struct lh_buf *buf, uint8_t value);
/* Appends a 16-bit number. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_buf_add_u16(struct lh_buf *buf, uint16_t value);
/* Appends a 32-bit number. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_buf_add_u32(struct lh_buf *buf, uint32_t value);
/* Appends a 64-bit number. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_buf_add_u64(struct lh_buf *buf, uint64_t value);

/*
 * Appends len bytes that the caller fills.
 * out_room  where they lie; valid until the next call on buf.
 * Errors: TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_buf_add_room(struct lh_buf *buf, size_t len, uint8_t **out_room);

/* Forgets the content, keeps the memory. */
static inline void lh_buf_clear(struct lh_buf *buf)
{
    buf->len = 0;
}

/*
 * Wipes the content and keeps the memory for the next one, unless it has grown beyond kept_bytes.
 * NULL is not accepted.
 */
void lh_buf_wipe(struct lh_buf *buf, size_t kept_bytes);

/* What is written, borrowed until the next call on buf. */
static inline lh_slice lh_buf_view(const struct lh_buf *buf)
{
    return lh_slice_of(buf->ptr, buf->len);
}

/*
 * Puts a NUL behind the bytes, which counts neither in len nor towards the maximum; valid until
 * the next call on buf. Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_buf_terminate(struct lh_buf *buf);

#endif
