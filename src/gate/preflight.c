/*
 * CORS preflights (Fetch Standard, "CORS-preflight request"): a browser asks before a page of
 * another origin may send what no form could. Answered here for listed origins only, for no
 * preflight carries a credential by which anything else could decide.
 */
#include "gate/call.h"

#include "base/banned.h"

/* RFC 9110 §5.6.2, with what separates tokens in a list. */
static bool is_list_byte(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || (byte != 0 && strchr("!#$%&'*+-.^_`|~, ", byte) != NULL);
}

/* Whether the text may be repeated in an answer. */
static bool is_token_list(lh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_list_byte(text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

static void answer_preflight(struct lh_gate_call *call, lh_slice origin, lh_slice method)
{
    lh_slice headers;
    lh_decision_init(call->decision);
    call->decision->reason = LH_REASON_PREFLIGHT;
    call->decision->http_status = lh_reason_http_status(LH_REASON_PREFLIGHT);
    call->decision->body = LH_SLICE_EMPTY;
    call->decision->retry_after_s = 0;
    lh_call_answer(call, LH_SLICE_LITERAL("Access-Control-Allow-Origin"), origin);
    lh_call_answer(call, LH_SLICE_LITERAL("Access-Control-Allow-Credentials"),
                   LH_SLICE_LITERAL("true"));
    lh_call_answer(call, LH_SLICE_LITERAL("Access-Control-Allow-Methods"), method);
    if (lh_is_ok(lh_call_header(call, LH_HEADER_CORS_HEADERS, &headers)) &&
        is_token_list(headers)) {
        lh_call_answer(call, LH_SLICE_LITERAL("Access-Control-Allow-Headers"), headers);
    }
    lh_call_answer(call, LH_SLICE_LITERAL("Access-Control-Max-Age"), LH_SLICE_LITERAL("600"));
    lh_call_answer(call, LH_SLICE_LITERAL("Vary"),
                   LH_SLICE_LITERAL("Origin, Access-Control-Request-Method, "
                                    "Access-Control-Request-Headers"));
}

bool lh_call_answer_preflight(struct lh_gate_call *call)
{
    lh_slice origin, method;
    if (call->policy->preflight.count == 0 ||
        !lh_slice_is_equal(call->request->method, LH_SLICE_LITERAL("OPTIONS")) ||
        !lh_is_ok(lh_call_header(call, LH_HEADER_ORIGIN, &origin)) ||
        !lh_is_ok(lh_call_header(call, LH_HEADER_CORS_METHOD, &method)) || !is_token_list(method) ||
        !lh_origin_is_listed(&call->policy->preflight, origin)) {
        return false;
    }
    answer_preflight(call, origin, method);
    return true;
}
