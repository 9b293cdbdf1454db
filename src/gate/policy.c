/*
 * What a location asks of a live session: where the request comes from, roles, scopes.
 */
#include "gate/call.h"

#include "base/banned.h"

static bool has_role(const struct lh_gate_call *call, lh_slice role)
{
    const struct lh_text_list *roles = &call->principal->roles;
    for (size_t i = 0; i < roles->count; i++) {
        if (lh_slice_is_equal(roles->items[i], role)) {
            return true;
        }
    }
    return false;
}

/* Any one of them, if there are some. */
static bool has_required_role(const struct lh_gate_call *call)
{
    const struct lh_gate_list *required = &call->policy->require_roles;
    for (size_t i = 0; i < required->count; i++) {
        if (has_role(call, required->items[i])) {
            return true;
        }
    }
    return required->count == 0;
}

/* Each of them. */
static bool has_required_scopes(const struct lh_gate_call *call)
{
    const struct lh_gate_list *required = &call->policy->require_scopes;
    for (size_t i = 0; i < required->count; i++) {
        if (!lh_scope_has(call->scope, required->items[i])) {
            return false;
        }
    }
    return true;
}

enum lh_step_flow lh_step_check_policy(struct lh_gate_call *call)
{
    if (!lh_is_ok(lh_call_name_session(call))) {
        return lh_call_refuse(call, LH_REASON_INTERNAL);
    }
    /* No page can make a browser send a token that it does not have. */
    if (call->has_credential && !lh_call_is_origin_allowed(call)) {
        return lh_call_refuse(call, LH_REASON_ORIGIN);
    }
    if (!has_required_role(call)) {
        return lh_call_refuse(call, LH_REASON_ROLE);
    }
    lh_status status = lh_call_grant_scopes(call);
    if (!lh_is_ok(status)) {
        return lh_call_refuse(call, status.code == LH_TOO_LARGE ? LH_REASON_SCOPES_TOO_LARGE
                                                                : LH_REASON_INTERNAL);
    }
    return has_required_scopes(call) ? LH_STEP_NEXT : lh_call_refuse(call, LH_REASON_SCOPE);
}
