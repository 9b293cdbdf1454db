/*
 * A bearer token and the session that it names, once that is open: they must belong together.
 */
#include "gate/call.h"

#include "base/banned.h"

/*
 * The token names the session; the session must be the token's too: of the same subject, and with
 * this token as its own. Beside a cookie a token that would speak for itself needs not be that one;
 * nor beside one that holds its session, for no record could say which it is.
 */
static enum lh_reason match(struct lh_gate_call *call)
{
    struct lh_call_bearer *bearer = &call->bearer;
    lh_slice subject = call->principal->subject;
    if (subject.len == 0 || !lh_slice_is_equal(subject, bearer->token->sub)) {
        return LH_REASON_TOKEN_SESSION;
    }
    if (call->policy->token_mode == LH_GATE_TOKEN_STATELESS || call->is_sealed) {
        return LH_REASON_OK;
    }
    if (!lh_is_ok(lh_token_tag_of(call->gate->parts.crypto, bearer->token->jti, &bearer->tag))) {
        return LH_REASON_INTERNAL;
    }
    bearer->has_tag = true;
    return lh_session_has_token(call->header, &bearer->tag) ? LH_REASON_OK
                                                            : LH_REASON_TOKEN_REPLACED;
}

/*
 * Without a cookie it is the token that says what may be done: it may have been given less than its
 * session has.
 */
enum lh_step_flow lh_step_match_token(struct lh_gate_call *call)
{
    if (!call->bearer.is_there || call->is_sessionless) {
        return LH_STEP_NEXT;
    }
    enum lh_reason reason = match(call);
    if (reason != LH_REASON_OK) {
        return lh_call_refuse(call, reason);
    }
    if (!call->has_credential) {
        lh_call_adopt_token(call);
    }
    return LH_STEP_NEXT;
}
