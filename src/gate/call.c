/*
 * What more than one step does with a call: ending it, and small look-ups in its request.
 */
#include "gate/call.h"

#include "base/bug.h"

#include "base/banned.h"

#define NS_PER_S 1000000000U

lh_status lh_call_alloc(const struct lh_gate_call *call, size_t len, void **out_memory)
{
    void *memory = call->request->alloc(call->request->memory, len == 0 ? 1 : len);
    LH_ENSURE(memory != NULL, LH_NO_MEMORY);
    *out_memory = memory;
    return lh_ok();
}

const struct lh_tenant *lh_call_tenant(const struct lh_gate_call *call)
{
    return call->tenant != NULL ? call->tenant : &call->gate->nobody;
}

const struct lh_tenant_uid *lh_call_uid(const struct lh_gate_call *call)
{
    return &lh_call_tenant(call)->uid;
}

static void wake_call(struct lh_op *op)
{
    struct lh_gate_call *call =
        (struct lh_gate_call *)((char *)op - offsetof(struct lh_gate_call, op));
    call->wake(call->wake_context);
}

void lh_call_arm(struct lh_gate_call *call, uint64_t deadline_ms)
{
    if (call->op.state == LH_OP_IDLE) {
        call->op = lh_op_idle(deadline_ms, wake_call);
    }
}

lh_status lh_call_header(const struct lh_gate_call *call, enum lh_header_kind kind,
                         lh_slice *out_value)
{
    const struct lh_request_header *found = NULL;
    for (size_t i = 0; i < call->request->header_count; i++) {
        if (call->request->headers[i].kind == kind) {
            LH_ENSURE(found == NULL, LH_DUPLICATE);
            found = &call->request->headers[i];
        }
    }
    LH_ENSURE(found != NULL, LH_ABSENT);
    *out_value = found->value;
    return lh_ok();
}

void lh_call_inject(struct lh_gate_call *call, lh_slice name, lh_slice value)
{
    struct lh_decision *decision = call->decision;
    LH_BUG_IF(decision->inject_count == LH_DECISION_INJECT_MAX);
    decision->inject[decision->inject_count++] = (struct lh_header){name, value};
}

void lh_call_answer(struct lh_gate_call *call, lh_slice name, lh_slice value)
{
    struct lh_decision *decision = call->decision;
    LH_BUG_IF(decision->answer_count == LH_DECISION_ANSWER_MAX);
    decision->answer[decision->answer_count++] = (struct lh_header){name, value};
}

/* --- Refusing --------------------------------------------------------------------------------- */

static void log_refusal(struct lh_gate_call *call, enum lh_reason reason, bool is_passed)
{
    if (call->gate == NULL) {
        return; /* whoever failed to open the home has said why */
    }
    /* An id costs randomness: none for a line that a flood leaves out. */
    lh_slice request_id = LH_SLICE_EMPTY;
    struct lh_refusal_log *log =
        lh_reason_http_status(reason) == 429 ? &call->gate->limited_log : &call->gate->log;
    if (lh_refusal_log_has_room(log, call->now_ms) &&
        !lh_is_ok(lh_call_choose_request_id(call, &request_id))) {
        request_id = LH_SLICE_EMPTY;
    }
    struct lh_refusal refusal = {
        .reason = reason,
        .step = lh_call_step_name(call),
        .tenant = call->decision->tenant,
        .session = call->has_lease ? lh_lease_id_view(&call->raw.lease) : LH_SLICE_EMPTY,
        .request_id = request_id,
        .is_passed = is_passed,
    };
    lh_refusal_log_write(log, call->gate->parts.host, &refusal, call->now_ms);
}

bool lh_call_may_be_anonymous(const struct lh_gate_call *call)
{
    const struct lh_gate_policy *policy = call->policy;
    return policy->mode == LH_GATE_OPTIONAL && policy->require_roles.count == 0 &&
           policy->require_scopes.count == 0;
}

/* Whether it is the cookie alone that is not good enough, where that may be overlooked. */
static bool is_stale_cookie(const struct lh_gate_call *call, enum lh_reason reason)
{
    return lh_call_may_be_anonymous(call) && call->policy->is_stale_passed &&
           call->has_credential && !call->bearer.is_there && !call->signature.is_there &&
           call->tenant_fault == LH_REASON_OK && lh_reason_http_status(reason) == 401;
}

/* In whole seconds, as Retry-After is, and not before there is room. */
static void say_when(struct lh_gate_call *call)
{
    uint64_t seconds = (call->retry_ns + NS_PER_S - 1) / NS_PER_S;
    if (seconds > call->decision->retry_after_s) {
        call->decision->retry_after_s = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
    }
}

enum lh_step_flow lh_call_refuse(struct lh_gate_call *call, enum lh_reason reason)
{
    reason = lh_call_charge_refusal(call, reason);
    if (is_stale_cookie(call, reason)) {
        log_refusal(call, reason, true);
        return lh_call_pass_anonymous(call, LH_REASON_ANONYMOUS_STALE);
    }
    log_refusal(call, reason, false);
    lh_decision_refuse(call->decision, reason);
    lh_decision_challenge(call->decision, call->policy->credentials);
    if (call->decision->http_status == 429) {
        say_when(call);
    }
    return LH_STEP_END;
}

/* --- Passing ---------------------------------------------------------------------------------- */

enum lh_step_flow lh_call_pass(struct lh_gate_call *call, enum lh_reason reason)
{
    struct lh_decision *decision = call->decision;
    LH_BUG_IF(lh_reason_http_status(reason) != 0);
    lh_status status = lh_call_inject_trace(call);
    if (!lh_is_ok(status)) {
        lh_decision_refuse(decision, LH_REASON_INTERNAL);
        return LH_STEP_END;
    }
    decision->has_cookie = call->cookies.rest.len > 0;
    decision->cookie = call->cookies.rest;
    decision->is_authorization_cut =
        reason == LH_REASON_OK && call->bearer.is_there && !call->policy->passes_authorization;
    decision->is_signature_cut =
        reason == LH_REASON_OK && call->signature.is_there && !call->policy->passes_authorization;
    decision->body = LH_SLICE_EMPTY;
    decision->retry_after_s = 0;
    decision->is_private = reason != LH_REASON_OFF;
    decision->reason = reason;
    decision->http_status = 0;
    return LH_STEP_END;
}

/* RFC 6265bis: a "__Host-" cookie is deleted only by the attributes that set it (C12). */
#define COOKIE_DELETION "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"

static lh_status delete_cookie(struct lh_gate_call *call, lh_slice name)
{
    static const char attributes[] = COOKIE_DELETION;
    void *memory;
    LH_TRY(lh_call_alloc(call, name.len + sizeof(attributes) - 1, &memory));
    memcpy(memory, name.ptr, name.len);
    memcpy((char *)memory + name.len, attributes, sizeof(attributes) - 1);
    lh_call_answer(call, LH_SLICE_LITERAL("Set-Cookie"),
                   lh_slice_of(memory, name.len + sizeof(attributes) - 1));
    return lh_ok();
}

static lh_status delete_cookies(struct lh_gate_call *call)
{
    if (call->cookies.plain_count > 0) {
        LH_TRY(delete_cookie(call, LH_SLICE_LITERAL(LH_COOKIE_NAME)));
    }
    if (call->cookies.suffixed_count > 0) {
        char name[LH_COOKIE_SUFFIXED_NAME_BYTES];
        lh_cookie_suffixed_name(&call->tenant->uid, name);
        LH_TRY(delete_cookie(call, lh_slice_of(name, sizeof(name))));
    }
    return lh_ok();
}

/* What all who are not signed in at this tenant may share. */
static lh_status anonymous_cache_key(struct lh_gate_call *call, lh_slice *out_key)
{
    void *memory;
    const size_t uid_len = sizeof(call->texts->uid);
    LH_TRY(lh_call_alloc(call, uid_len + 2, &memory));
    char *key = memory;
    memcpy(key, call->texts->uid, uid_len);
    key[uid_len] = ':';
    key[uid_len + 1] = LH_CACHE_KEY_END;
    *out_key = lh_slice_of(key, uid_len + 2);
    return lh_ok();
}

/* Only host and subdomain may name the tenant of somebody who has proved nothing. */
static lh_status inject_named_tenant(struct lh_gate_call *call)
{
    struct lh_decision *decision = call->decision;
    if (!call->is_host_named) {
        decision->tenant = LH_SLICE_EMPTY;
        decision->uid = LH_SLICE_EMPTY;
        decision->cache_key = LH_SLICE_LITERAL("anonymous,");
        return lh_ok();
    }
    lh_call_inject(call, LH_SLICE_LITERAL("X-Tenant-ID"), decision->tenant);
    lh_call_inject(call, LH_SLICE_LITERAL("X-Tenant-UID"), decision->uid);
    return anonymous_cache_key(call, &decision->cache_key);
}

static lh_status prepare_anonymous(struct lh_gate_call *call, enum lh_reason reason)
{
    if (reason == LH_REASON_ANONYMOUS_STALE) {
        LH_TRY(delete_cookies(call));
    }
    call->decision->mode = LH_SLICE_LITERAL("anonymous");
    lh_call_inject(call, LH_SLICE_LITERAL("X-Session-Mode"), call->decision->mode);
    return inject_named_tenant(call);
}

enum lh_step_flow lh_call_pass_anonymous(struct lh_gate_call *call, enum lh_reason reason)
{
    if (!lh_is_ok(prepare_anonymous(call, reason))) {
        lh_decision_refuse(call->decision, LH_REASON_INTERNAL);
        return LH_STEP_END;
    }
    return lh_call_pass(call, reason);
}
