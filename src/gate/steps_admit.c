/*
 * What is decided before anybody asks for a tenant.
 */
#include "gate/call.h"

#include "base/banned.h"

enum lh_step_flow lh_step_admit(struct lh_gate_call *call)
{
    if (call->request->has_too_many_headers) {
        return lh_call_refuse(call, LH_REASON_HEADERS_MALFORMED);
    }
    if (call->policy->mode != LH_GATE_OFF && lh_call_answer_preflight(call)) {
        return LH_STEP_END;
    }
    if (call->policy->mode == LH_GATE_OFF) {
        return lh_is_ok(lh_call_read_cookies(call, LH_SLICE_EMPTY))
                   ? lh_call_pass(call, LH_REASON_OFF)
                   : lh_call_refuse(call, LH_REASON_INTERNAL);
    }
    return call->gate == NULL ? lh_call_refuse(call, LH_REASON_HOME_DOWN) : LH_STEP_NEXT;
}
