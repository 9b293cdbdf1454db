/*
 * PEM, of one block.
 */
#include "codec/pem.h"

#include "base/buf.h"
#include "codec/base64url.h"

#include "base/banned.h"

/* Longer than any line that frames a block. */
#define FRAME_MAX_BYTES 64U

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static lh_slice trim(lh_slice text)
{
    while (text.len > 0 && is_space(text.ptr[0])) {
        text = lh_slice_cut(text, 1, text.len);
    }
    while (text.len > 0 && is_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* "-----BEGIN label-----". returns: its length. */
static size_t write_frame(const char *word, const char *label, char out_frame[FRAME_MAX_BYTES])
{
    int len = snprintf(out_frame, FRAME_MAX_BYTES, "-----%s %s-----", word, label);
    return len < 0 || (size_t)len >= FRAME_MAX_BYTES ? 0 : (size_t)len;
}

static lh_status strip_lines(lh_slice body, struct lh_buf *out_text)
{
    for (size_t i = 0; i < body.len; i++) {
        if (body.ptr[i] != '\n' && body.ptr[i] != '\r') {
            LH_TRY(lh_buf_add_u8(out_text, body.ptr[i]));
        }
    }
    return lh_ok();
}

lh_status lh_pem_decode(lh_slice text, const char *label, uint8_t *out_bytes, size_t max_bytes,
                        size_t *out_len)
{
    char frame[FRAME_MAX_BYTES];
    text = trim(text);
    lh_slice begin = lh_slice_of(frame, write_frame("BEGIN", label, frame));
    LH_ENSURE(begin.len > 0 && lh_slice_has_prefix(text, begin), LH_ABSENT);
    text = lh_slice_cut(text, begin.len, text.len);

    lh_slice end = lh_slice_of(frame, write_frame("END", label, frame));
    LH_ENSURE(text.len >= end.len, LH_MALFORMED);
    lh_slice body = lh_slice_cut(text, 0, text.len - end.len);
    LH_ENSURE(lh_slice_is_equal(lh_slice_cut(text, body.len, text.len), end), LH_MALFORMED);

    LH_CLEANUP(lh_buf_fini) struct lh_buf line = lh_buf_bounded(4 * max_bytes + FRAME_MAX_BYTES);
    LH_TRY(strip_lines(body, &line));
    return lh_base64_decode(lh_buf_view(&line), out_bytes, max_bytes, out_len);
}
