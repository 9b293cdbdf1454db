/*
 * X-Request-ID and the W3C Trace Context (Recommendation 2021): the request's id is always ours;
 * a trace that comes in well-formed goes on, any other is begun.
 *
 * A trace begun here is marked "sampled": what is behind would otherwise take the mark of a
 * caller that records nothing for a decision against recording.
 */
#include "gate/call.h"

#include "codec/hex.h"

#include "base/banned.h"

#define TRACE_ID_BYTES  16U
#define PARENT_ID_BYTES 8U
/* Offsets in "00-<32 hex>-<16 hex>-<2 hex>". */
#define TRACE_ID_AT  3U
#define PARENT_ID_AT 36U
#define FLAGS_AT     53U
/* W3C Trace Context §3.3.1.5: at least this much is passed on; longer ones may be dropped. */
#define TRACESTATE_MAX_BYTES 512U

static bool is_hex(lh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f'))) {
            return false;
        }
    }
    return true;
}

static bool is_all_zero(lh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '0') {
            return false;
        }
    }
    return true;
}

static bool is_id(lh_slice text)
{
    return is_hex(text) && !is_all_zero(text);
}

/* Version 00 only: of a later one we could not say that it is well-formed. */
static bool is_traceparent(lh_slice text)
{
    return text.len == LH_TRACEPARENT_BYTES &&
           lh_slice_is_equal(lh_slice_cut(text, 0, TRACE_ID_AT), LH_SLICE_LITERAL("00-")) &&
           is_id(lh_slice_cut(text, TRACE_ID_AT, 2 * TRACE_ID_BYTES)) &&
           text.ptr[PARENT_ID_AT - 1] == '-' &&
           is_id(lh_slice_cut(text, PARENT_ID_AT, 2 * PARENT_ID_BYTES)) &&
           text.ptr[FLAGS_AT - 1] == '-' && is_hex(lh_slice_cut(text, FLAGS_AT, 2));
}

/* One header of printable ASCII; a list that came in several is dropped, which is allowed. */
static bool find_tracestate(const struct lh_gate_call *call, lh_slice *out_value)
{
    if (!lh_is_ok(lh_call_header(call, LH_HEADER_TRACESTATE, out_value)) || out_value->len == 0 ||
        out_value->len > TRACESTATE_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < out_value->len; i++) {
        if (out_value->ptr[i] < 0x20 || out_value->ptr[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

lh_status lh_call_choose_request_id(struct lh_gate_call *call, lh_slice *out_id)
{
    if (call->request->request_id.len > 0 || call->gate == NULL) {
        *out_id = call->request->request_id;
        return lh_ok();
    }
    if (call->texts->request_id[0] == '\0') {
        uint8_t bytes[LH_REQUEST_ID_BYTES / 2];
        LH_TRY(lh_random(call->gate->parts.crypto, bytes, sizeof(bytes)));
        bytes[0] |= 1U; /* it may become a trace's id, and of zeros only it would be none */
        lh_hex_write(LH_SLICE_OF(bytes), call->texts->request_id);
    }
    *out_id = lh_slice_of(call->texts->request_id, sizeof(call->texts->request_id));
    return lh_ok();
}

/* Whether the request's id can name a trace: one that was made here can. */
static bool is_fit_for_trace(const struct lh_gate_call *call, lh_slice request_id)
{
    return request_id.ptr == (const uint8_t *)call->texts->request_id ||
           (request_id.len == 2 * TRACE_ID_BYTES && is_id(request_id));
}

/* Random bytes that are not all zero, as text. Errors: CRYPTO. */
static lh_status write_fresh_id(const struct lh_gate_call *call, size_t bytes_len, char *out_text)
{
    uint8_t fresh[TRACE_ID_BYTES];
    LH_TRY(lh_random(call->gate->parts.crypto, fresh, bytes_len));
    fresh[0] |= 1U;
    lh_hex_write(lh_slice_of(fresh, bytes_len), out_text);
    return lh_ok();
}

/* Begins a trace, named by the request's id where that is fit for it. */
static lh_status begin_trace(struct lh_gate_call *call, lh_slice request_id)
{
    char *text = call->texts->traceparent;
    memcpy(text, "00-", TRACE_ID_AT);
    if (is_fit_for_trace(call, request_id)) {
        memcpy(text + TRACE_ID_AT, request_id.ptr, request_id.len);
    } else {
        LH_TRY(write_fresh_id(call, TRACE_ID_BYTES, text + TRACE_ID_AT));
    }
    text[PARENT_ID_AT - 1] = '-';
    LH_TRY(write_fresh_id(call, PARENT_ID_BYTES, text + PARENT_ID_AT));
    memcpy(text + FLAGS_AT - 1, "-01", 3);
    return lh_ok();
}

static lh_status inject_traceparent(struct lh_gate_call *call, lh_slice request_id)
{
    lh_slice parent, trace_state;
    if (lh_is_ok(lh_call_header(call, LH_HEADER_TRACEPARENT, &parent)) && is_traceparent(parent)) {
        lh_call_inject(call, LH_SLICE_LITERAL("traceparent"), parent);
        if (find_tracestate(call, &trace_state)) {
            lh_call_inject(call, LH_SLICE_LITERAL("tracestate"), trace_state);
        }
        return lh_ok();
    }
    if (call->gate != NULL) {
        LH_TRY(begin_trace(call, request_id));
        lh_call_inject(call, LH_SLICE_LITERAL("traceparent"),
                       lh_slice_of(call->texts->traceparent, sizeof(call->texts->traceparent)));
    }
    return lh_ok();
}

lh_status lh_call_inject_trace(struct lh_gate_call *call)
{
    lh_slice request_id;
    LH_TRY(lh_call_choose_request_id(call, &request_id));
    if (request_id.len > 0) {
        lh_call_inject(call, LH_SLICE_LITERAL("X-Request-ID"), request_id);
    }
    return inject_traceparent(call, request_id);
}
