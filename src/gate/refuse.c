/*
 * What a refusal says to the client: one body for each status, so that nothing but the status
 * tells causes apart, and one set of headers for every 401.
 */
#include <leasehold/gate.h>

#include "base/bug.h"
#include "base/slice.h"
#include "gate/call.h"

#include "base/banned.h"

/* Long enough for a store to come back, short enough that a person waits for it. */
#define RETRY_AFTER_S 2U

#define PROBLEM(status_text, type, title)                                                          \
    LH_SLICE_LITERAL("{\"type\":\"urn:leasehold:problem:" type "\",\"title\":\"" title             \
                     "\",\"status\":" status_text "}\n")

static lh_slice body_of(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return PROBLEM("400", "bad-request", "The request is malformed");
    case 401:
        return PROBLEM("401", "unauthenticated", "A valid session is required");
    case 403:
        return PROBLEM("403", "forbidden", "The session does not allow this request");
    case 429:
        return PROBLEM("429", "too-many-requests", "Too many requests");
    case 503:
        return PROBLEM("503", "unavailable", "The request cannot be decided now");
    default:
        return LH_SLICE_EMPTY;
    }
}

static uint32_t retry_after_s(unsigned http_status)
{
    if (http_status == 429) {
        return 1; /* whoever knows better says more */
    }
    return http_status == 503 ? RETRY_AFTER_S : 0;
}

void lh_decision_init(struct lh_decision *decision)
{
    memset(decision, 0, offsetof(struct lh_decision, inject));
    lh_decision_refuse(decision, LH_REASON_UNDECIDED);
}

void lh_decision_refuse(struct lh_decision *decision, enum lh_reason reason)
{
    unsigned http_status = lh_reason_http_status(reason);
    LH_BUG_IF(http_status == 0);
    decision->reason = reason;
    decision->http_status = http_status;
    decision->is_redirect = false;
    decision->location = LH_SLICE_EMPTY;
    decision->body = body_of(http_status);
    decision->retry_after_s = retry_after_s(http_status);
    decision->inject_count = 0;
    decision->answer_count = 0;
    decision->is_private = true;
    decision->has_cookie = false;
    decision->is_authorization_cut = false;
    decision->is_signature_cut = false;
    decision->signed_body = NULL;
    decision->watch.is_set = false;
    if (http_status == 401) {
        /* RFC 9110 §11.6.1 asks for a challenge. */
        decision->answer[decision->answer_count++] = (struct lh_header){
            LH_SLICE_LITERAL("WWW-Authenticate"), LH_SLICE_LITERAL("Cookie realm=\"leasehold\"")};
    }
}

/* Of the location alone, so that it tells no cause (RFC 9110 §11.6.1, RFC 6750 §3). */
void lh_decision_challenge(struct lh_decision *decision, unsigned credentials)
{
#define COOKIE    "Cookie realm=\"leasehold\""
#define BEARER    "Bearer realm=\"leasehold\""
#define SIGNATURE "Signature realm=\"leasehold\""
    static const char *const challenges[] = {
        [0] = COOKIE,
        [LH_GATE_CREDENTIAL_COOKIE] = COOKIE,
        [LH_GATE_CREDENTIAL_BEARER] = BEARER,
        [LH_GATE_CREDENTIAL_COOKIE | LH_GATE_CREDENTIAL_BEARER] = COOKIE ", " BEARER,
        [LH_GATE_CREDENTIAL_SIGNATURE] = SIGNATURE,
        [LH_GATE_CREDENTIAL_COOKIE | LH_GATE_CREDENTIAL_SIGNATURE] = COOKIE ", " SIGNATURE,
        [LH_GATE_CREDENTIAL_BEARER | LH_GATE_CREDENTIAL_SIGNATURE] = BEARER ", " SIGNATURE,
        [LH_GATE_CREDENTIAL_COOKIE | LH_GATE_CREDENTIAL_BEARER | LH_GATE_CREDENTIAL_SIGNATURE] =
            COOKIE ", " BEARER ", " SIGNATURE,
    };
#undef COOKIE
#undef BEARER
#undef SIGNATURE
    LH_BUG_IF(credentials >= sizeof(challenges) / sizeof(challenges[0]));
    if (decision->http_status == 401) {
        decision->answer[0].value = lh_slice_from_text(challenges[credentials]);
    }
}
