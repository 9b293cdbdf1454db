/*
 * Sessions that their cookies hold: what the steps know of one instead of asking a store.
 */
#include "gate/call.h"

#include "base/banned.h"

lh_status lh_call_verify_sealed(struct lh_gate_call *call)
{
    const lh_slice text = call->credential;
    LH_ENSURE(text.len <= LH_SEALED_COOKIE_TEXT_MAX_BYTES, LH_TOO_LARGE);
    void *room;
    LH_TRY(lh_call_alloc(call, lh_sealed_cookie_room_bytes(text.len), &room));
    struct lh_raw_sealed_cookie raw;
    LH_TRY(lh_sealed_cookie_parse(text, room, &raw));
    call->raw.bucket = raw.bucket;
    call->raw.lease = raw.lease;
    call->has_lease = true;
    LH_TRY(lh_sealed_cookie_verify(call->gate->parts.cell, lh_call_uid(call), &raw, &call->sealed));
    call->header = &call->sealed.header;
    call->is_sealed = true;
    return lh_ok();
}

/* No use of a sealed cookie prolongs its session; a touch may prolong any other. */
uint64_t lh_call_session_end_ms(const struct lh_gate_call *call)
{
    return call->is_sealed ? lh_sealed_cookie_end_ms(&call->sealed) : call->header->absolute_end_ms;
}
