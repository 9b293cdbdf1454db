/*
 * Rates as the gate charges them: a tenant's by requests that have proved to be his, a client's by
 * requests that are refused because they prove nothing. Once for each request of a client, however
 * often it is decided on its way through locations. And the time that signatures take, for each.
 */
#include "gate/call.h"

#include "gate/limits.h"

#include <time.h>

#include "base/banned.h"

#define NS_PER_MS 1000000U
#define NS_PER_S  1000000000U

/* Slots of tenants lie below. */
#define NO_TENANT 0x80000000U

_Static_assert(LH_COUNTER_SLOTS <= NO_TENANT, "no tenant has the slot of one that there is not");

/* --- Requests without proof ------------------------------------------------------------------- */

static uint64_t now_ns(const struct lh_gate_call *call)
{
    return call->began_boot_ms * NS_PER_MS;
}

/* Whether it may be charged at all; notes that it is. */
static bool take_charge(struct lh_gate_call *call)
{
    if (call->gate == NULL || call->gate->parts.limits == NULL || call->request->is_charged ||
        call->decision->is_charged) {
        return false;
    }
    call->decision->is_charged = true;
    return true;
}

uint32_t lh_call_slot_of_nobody(const struct lh_gate_call *call, lh_slice name)
{
    /* a key that all workers have: a budget of each would be larger than a tenant's */
    return NO_TENANT | (uint32_t)lh_siphash(&call->gate->log.fingerprint_key, name);
}

/*
 * A header is there when MAC and secret have held, or the MAC of a sealed cookie, a token when its
 * signature has, a key when its signature has for the first time; a session expires only then.
 */
static bool has_proved_nothing(const struct lh_gate_call *call, enum lh_reason reason)
{
    unsigned http_status = lh_reason_http_status(reason);
    return (http_status == 400 || http_status == 401) && call->header == NULL &&
           call->bearer.token == NULL && call->signature.key == NULL &&
           reason != LH_REASON_SESSION_EXPIRED && call->policy->mode != LH_GATE_OFF;
}

enum lh_reason lh_call_charge_refusal(struct lh_gate_call *call, enum lh_reason reason)
{
    if (!has_proved_nothing(call, reason) || !take_charge(call)) {
        return reason;
    }
    struct lh_client client = lh_client_of(call->request->client);
    lh_status status = lh_limits_charge_unproved(call->gate->parts.limits, call->budget_slot,
                                                 &client, now_ns(call), &call->retry_ns);
    return lh_is_ok(status) ? reason : LH_REASON_RATE_CLIENT;
}

/* --- Signatures ------------------------------------------------------------------------------- */

/* Not the time that passes: a worker that has to wait for a processor spends nothing meanwhile. */
uint64_t lh_call_worked_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

lh_status lh_call_may_verify(struct lh_gate_call *call)
{
    struct lh_limits *limits = call->gate->parts.limits;
    if (limits == NULL) {
        return lh_ok();
    }
    struct lh_client client = lh_client_of(call->request->client);
    return lh_limits_may_verify(limits, lh_call_tenant(call)->slot, &client, now_ns(call),
                                &call->retry_ns);
}

void lh_call_charge_verify(struct lh_gate_call *call, uint64_t spent_ns, bool has_held)
{
    struct lh_limits *limits = call->gate->parts.limits;
    if (limits != NULL) {
        struct lh_client client = lh_client_of(call->request->client);
        lh_limits_charge_verify(limits, lh_call_tenant(call)->slot, &client, now_ns(call), spent_ns,
                                has_held);
    }
}

/* Whoever has proved himself has his next signatures checked sooner, where such are taken. */
static void note_proved(struct lh_gate_call *call)
{
    const unsigned checked = LH_GATE_CREDENTIAL_BEARER | LH_GATE_CREDENTIAL_SIGNATURE;
    if ((call->policy->credentials & checked) != 0) {
        struct lh_client client = lh_client_of(call->request->client);
        lh_limits_note_proved(call->gate->parts.limits, call->tenant->slot, &client, now_ns(call));
    }
}

/* --- Proved requests -------------------------------------------------------------------------- */

enum lh_step_flow lh_step_charge_tenant(struct lh_gate_call *call)
{
    if (!take_charge(call)) {
        return LH_STEP_NEXT;
    }
    note_proved(call);
    struct lh_rate rate = lh_tier_rate(&call->tenant->tier);
    lh_status status = lh_limits_charge_tenant(call->gate->parts.limits, call->tenant->slot, &rate,
                                               now_ns(call), &call->retry_ns);
    if (lh_is_ok(status)) {
        return LH_STEP_NEXT;
    }
    return lh_call_refuse(call,
                          status.code == LH_LIMITED ? LH_REASON_RATE_TENANT : LH_REASON_INTERNAL);
}
