/*
 * The credential: which cookie, and whether it is the tenant's. Tokens are in steps_bearer.c,
 * signatures in steps_signature.c.
 */
#include "gate/call.h"

#include "base/banned.h"

/* Where the host does not name the tenant, the plain name is nobody's. */
static void forget_plain_if_foreign(struct lh_gate_call *call)
{
    if (!call->is_host_named) {
        call->cookies.plain = LH_SLICE_EMPTY;
        call->cookies.plain_count = 0;
    }
}

/* One value, or none. Errors: DUPLICATE (one name twice), MISMATCH (two that disagree). */
static lh_status pick_cookie(struct lh_gate_call *call)
{
    const struct lh_call_cookies *cookies = &call->cookies;
    LH_ENSURE(cookies->plain_count <= 1 && cookies->suffixed_count <= 1, LH_DUPLICATE);
    call->has_credential = cookies->plain_count + cookies->suffixed_count > 0;
    call->credential = cookies->plain_count == 1 ? cookies->plain : cookies->suffixed;
    bool has_both = cookies->plain_count + cookies->suffixed_count == 2;
    LH_ENSURE(!has_both || lh_secret_slice_is_equal(cookies->plain, cookies->suffixed),
              LH_MISMATCH);
    return lh_ok();
}

static enum lh_step_flow go_without(struct lh_gate_call *call)
{
    if (call->tenant_fault != LH_REASON_OK && !call->is_unnamed) {
        return lh_call_refuse(call, call->tenant_fault);
    }
    return lh_call_may_be_anonymous(call) ? lh_call_pass_anonymous(call, LH_REASON_ANONYMOUS)
                                          : lh_call_refuse(call, LH_REASON_NO_CREDENTIAL);
}

enum lh_step_flow lh_step_read_credential(struct lh_gate_call *call)
{
    char suffixed_name[LH_COOKIE_SUFFIXED_NAME_BYTES];
    lh_cookie_suffixed_name(lh_call_uid(call), suffixed_name);
    if (!lh_is_ok(lh_call_read_cookies(call, lh_slice_of(suffixed_name, sizeof(suffixed_name))))) {
        return lh_call_refuse(call, LH_REASON_INTERNAL);
    }
    forget_plain_if_foreign(call);
    lh_status status = pick_cookie(call);
    if (!lh_is_ok(status)) {
        return lh_call_refuse(call, status.code == LH_DUPLICATE ? LH_REASON_COOKIE_DUPLICATE
                                                                : LH_REASON_COOKIE_CONFLICT);
    }
    bool has_any = call->has_credential || call->bearer.is_there || call->signature.is_there;
    return has_any ? LH_STEP_NEXT : go_without(call);
}

static enum lh_reason reason_of_verify(lh_status status)
{
    switch (status.code) {
    case LH_MALFORMED:
    case LH_TOO_LARGE:
        return LH_REASON_COOKIE_MALFORMED;
    case LH_BAD_MAC:
        return LH_REASON_BAD_MAC;
    case LH_TAMPERED:
        return LH_REASON_INTEGRITY;
    default:
        return LH_REASON_INTERNAL;
    }
}

static bool find_cached(struct lh_gate_call *call)
{
    const struct lh_tenant *tenant = call->tenant;
    struct lh_session_question question = {
        .uid = lh_call_uid(call),
        .raw = &call->raw,
        .tenant_counter = tenant != NULL ? tenant->counter : 0,
        .platform_counter = tenant != NULL ? tenant->platform_counter : 0,
        .now_ms = call->now_ms,
    };
    return call->policy->state != LH_GATE_STATE_FULL &&
           lh_is_ok(
               lh_session_cache_find(call->gate->parts.session_cache, &question, &call->cached));
}

/* A remembered session needs no MAC: its whole cookie was compared. */
static lh_status verify_handle(struct lh_gate_call *call)
{
    LH_TRY(lh_handle_parse(call->credential, &call->raw));
    call->has_lease = true;
    if (find_cached(call)) {
        call->header = &call->cached->header;
        call->principal = &call->cached->principal;
        return lh_ok();
    }
    return lh_handle_verify(call->gate->parts.cell, lh_call_uid(call), &call->raw, &call->handle);
}

/* By the version in their first byte the two kinds cannot be taken for each other. */
static lh_status verify(struct lh_gate_call *call)
{
    return call->policy->cookie == LH_GATE_COOKIE_SEALED ? lh_call_verify_sealed(call)
                                                         : verify_handle(call);
}

/* Two credentials must be of one session: otherwise the request speaks for two. */
static bool is_of_tokens_session(const struct lh_gate_call *call)
{
    struct lh_session_ref ref;
    lh_session_ref_write(call->raw.bucket, &call->raw.lease, &ref);
    return lh_slice_is_equal(call->bearer.token->sid, lh_slice_of(ref.text, ref.len));
}

enum lh_step_flow lh_step_verify_credential(struct lh_gate_call *call)
{
    if (!call->has_credential) {
        return LH_STEP_NEXT;
    }
    lh_status status = verify(call);
    if (call->tenant_fault != LH_REASON_OK) {
        return lh_call_refuse(call, call->tenant_fault);
    }
    if (!lh_is_ok(status)) {
        return lh_call_refuse(call, reason_of_verify(status));
    }
    return !call->bearer.is_there || is_of_tokens_session(call)
               ? LH_STEP_NEXT
               : lh_call_refuse(call, LH_REASON_CREDENTIAL_CONFLICT);
}
