/*
 * Whether a bearer token is what its issuer signed: from a cache, or by its signature, as far as
 * there is a budget for that.
 */
#include "gate/call.h"

#include "token/verified_cache.h"

#include "base/banned.h"

enum lh_reason lh_call_reason_of_token(lh_status status)
{
    switch (status.code) {
    case LH_ABSENT:
        return LH_REASON_TOKEN_ISSUER;
    case LH_MISMATCH:
        return LH_REASON_TOKEN_ALGORITHM;
    case LH_BAD_SIGNATURE:
        return LH_REASON_TOKEN_SIGNATURE;
    case LH_MALFORMED:
        return LH_REASON_TOKEN_MALFORMED;
    case LH_TOO_LARGE:
        return LH_REASON_TOKEN_TOO_LARGE;
    case LH_FORBIDDEN:
        return LH_REASON_TOKEN_TYPE;
    case LH_EXPIRED:
        return LH_REASON_TOKEN_EXPIRED;
    case LH_EARLY:
        return LH_REASON_TOKEN_EARLY;
    case LH_LIMITED:
        return LH_REASON_RATE_SIGNATURE;
    case LH_WRONG_TENANT:
        return LH_REASON_TOKEN_TENANT;
    case LH_REGISTRY_DOWN:
    case LH_COUNTERS_DOWN:
        return LH_REASON_REGISTRY_DOWN;
    default:
        return LH_REASON_INTERNAL;
    }
}

/* A call that pays for a signature, and since when it works on it. */
struct payment {
    struct lh_gate_call *call;
    uint64_t began_ns;
};

static lh_status ask(void *self)
{
    struct payment *payment = self;
    LH_TRY(lh_call_may_verify(payment->call));
    payment->began_ns = lh_call_worked_ns();
    return lh_ok();
}

static void charge(void *self, bool has_held)
{
    struct payment *payment = self;
    uint64_t spent_ns = lh_call_worked_ns() - payment->began_ns;
    lh_call_charge_verify(payment->call, spent_ns, has_held);
}

/*
 * Verifies what no cache knows; what is made of it lies in request memory. A signature is paid for
 * from the budget of the client and the tenant, which is asked beforehand: who only sends
 * inventions spends no other's time. Errors: LIMITED, and as lh_token_verify.
 */
static lh_status verify_anew(struct lh_gate_call *call, const struct lh_token_question *question)
{
    const struct lh_gate_parts *parts = &call->gate->parts;
    struct payment payment = {.call = call};
    const struct lh_token_payer payer = {&payment, ask, charge};
    const struct lh_token_verifier verifier = {parts->crypto, parts->key_cache,
                                               parts->verified_cache, &payer};
    void *memory;
    LH_TRY(lh_call_read_raw_token(call));
    LH_TRY(lh_call_alloc(call, sizeof(struct lh_verified_token), &memory));
    struct lh_verified_token *token = memory;
    LH_TRY(lh_token_verify(&verifier, question, call->bearer.raw, token));
    const struct lh_verified_token *kept;
    lh_verified_cache_fill(parts->verified_cache, question, token, &kept);
    call->bearer.token = token;
    call->bearer.is_kept = true;
    return lh_ok();
}

static lh_status verify(struct lh_gate_call *call, const struct lh_token_question *question)
{
    struct lh_verified_cache *cache = call->gate->parts.verified_cache;
    lh_status refusal;
    if (lh_is_ok(lh_verified_cache_find(cache, question, &call->bearer.token))) {
        return lh_ok();
    }
    if (lh_is_ok(lh_verified_cache_find_refusal(cache, question, &refusal))) {
        return refusal;
    }
    lh_status status = verify_anew(call, question);
    if (!lh_is_ok(status) && status.code != LH_LIMITED) { /* which says nothing of the token */
        lh_verified_cache_refuse(cache, question, status);
    }
    return status;
}

/* Where there is no tenant it is looked for among nobody's issuers, which takes as long. */
enum lh_reason lh_call_verify_token(struct lh_gate_call *call)
{
    struct lh_call_bearer *bearer = &call->bearer;
    if (bearer->fault != LH_REASON_OK && bearer->fault != LH_REASON_TOKEN_TENANT) {
        return bearer->fault;
    }
    const struct lh_tenant *tenant = lh_call_tenant(call);
    const struct lh_token_question question = {.tenant = tenant,
                                               .text = bearer->text,
                                               .tenant_counter = tenant->counter,
                                               .platform_counter = tenant->platform_counter,
                                               .now_ms = call->now_ms};
    lh_status status = verify(call, &question);
    return lh_is_ok(status) ? bearer->fault : lh_call_reason_of_token(status);
}
