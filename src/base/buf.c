/*
 * The owned, bounded byte buffer.
 */
#include "base/buf.h"

#include "base/secret.h"

#include <stdarg.h>

#include "base/banned.h"

/* The first allocation: most of our formats fit, so that most buffers allocate once. */
#define FIRST_CAP_BYTES ((size_t)256)
/* Room behind the last byte that fits, so that formatting and terminating need no exception. */
#define NUL_BYTES ((size_t)1)

void lh_buf_fini(struct lh_buf *buf)
{
    if (buf == NULL || buf->ptr == NULL) {
        return;
    }
    lh_wipe(buf->ptr, buf->cap + NUL_BYTES);
    free(buf->ptr);
    *buf = lh_buf_bounded(buf->max);
}

void lh_buf_wipe(struct lh_buf *buf, size_t kept_bytes)
{
    if (buf->cap > kept_bytes) {
        lh_buf_fini(buf);
    } else if (buf->ptr != NULL) {
        lh_wipe(buf->ptr, buf->cap + NUL_BYTES);
        buf->len = 0;
    }
}

static size_t maximum(const struct lh_buf *buf)
{
    return buf->max == 0 || buf->max > LH_BUF_MAX_BYTES ? LH_BUF_MAX_BYTES : buf->max;
}

/* A copy instead of realloc: the old bytes may be secret and must be wiped. */
static lh_status grow(struct lh_buf *buf, size_t new_cap)
{
    uint8_t *fresh = malloc(new_cap + NUL_BYTES);
    LH_ENSURE(fresh != NULL, LH_NO_MEMORY);
    if (buf->len > 0) {
        memcpy(fresh, buf->ptr, buf->len);
    }
    if (buf->ptr != NULL) {
        lh_wipe(buf->ptr, buf->cap + NUL_BYTES);
        free(buf->ptr);
    }
    buf->ptr = fresh;
    buf->cap = new_cap;
    return lh_ok();
}

lh_status lh_buf_reserve(struct lh_buf *buf, size_t more_bytes)
{
    size_t max = maximum(buf);
    LH_ENSURE(buf->len <= max && more_bytes <= max - buf->len, LH_TOO_LARGE);
    size_t need = buf->len + more_bytes;
    if (need <= buf->cap && buf->ptr != NULL) {
        return lh_ok();
    }
    size_t new_cap = buf->cap == 0 ? FIRST_CAP_BYTES : buf->cap;
    while (new_cap < need) {
        new_cap *= 2; /* need is at most LH_BUF_MAX_BYTES */
    }
    return grow(buf, new_cap < max ? new_cap : max);
}

lh_status lh_buf_add_room(struct lh_buf *buf, size_t len, uint8_t **out_room)
{
    LH_TRY(lh_buf_reserve(buf, len));
    *out_room = buf->ptr + buf->len;
    buf->len += len;
    return lh_ok();
}

lh_status lh_buf_add(struct lh_buf *buf, lh_slice bytes)
{
    if (bytes.len == 0) {
        return lh_ok();
    }
    uint8_t *room;
    LH_TRY(lh_buf_add_room(buf, bytes.len, &room));
    memcpy(room, bytes.ptr, bytes.len);
    return lh_ok();
}

lh_status lh_buf_add_text(struct lh_buf *buf, const char *text)
{
    return lh_buf_add(buf, lh_slice_from_text(text));
}

lh_status lh_buf_add_format(struct lh_buf *buf, const char *format, ...)
{
    va_list measured;
    va_start(measured, format);
    int len = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    LH_ENSURE(len >= 0, LH_INVALID);
    LH_TRY(lh_buf_reserve(buf, (size_t)len));

    va_list written;
    va_start(written, format);
    (void)vsnprintf((char *)buf->ptr + buf->len, (size_t)len + NUL_BYTES, format, written);
    va_end(written);
    buf->len += (size_t)len;
    return lh_ok();
}

static lh_status add_number(struct lh_buf *buf, uint64_t value, size_t width)
{
    uint8_t *room;
    LH_TRY(lh_buf_add_room(buf, width, &room));
    for (size_t i = 0; i < width; i++) {
        room[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
    return lh_ok();
}

lh_status lh_buf_add_u8(struct lh_buf *buf, uint8_t value)
{
    return add_number(buf, value, sizeof(value));
}

lh_status lh_buf_add_u16(struct lh_buf *buf, uint16_t value)
{
    return add_number(buf, value, sizeof(value));
}

lh_status lh_buf_add_u32(struct lh_buf *buf, uint32_t value)
{
    return add_number(buf, value, sizeof(value));
}

lh_status lh_buf_add_u64(struct lh_buf *buf, uint64_t value)
{
    return add_number(buf, value, sizeof(value));
}

lh_status lh_buf_terminate(struct lh_buf *buf)
{
    LH_TRY(lh_buf_reserve(buf, 0));
    buf->ptr[buf->len] = 0;
    return lh_ok();
}
