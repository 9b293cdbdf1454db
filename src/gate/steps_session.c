/*
 * The session itself: loaded from its store, held against the registry, opened under the key of
 * its tenant. A session that the worker remembers was all of this a moment ago, and nothing has
 * changed since.
 */
#include "gate/call.h"

#include "base/bug.h"

#include "base/banned.h"

static enum lh_reason reason_of_load(lh_status status)
{
    switch (status.code) {
    case LH_ABSENT:
        return LH_REASON_SESSION_ABSENT;
    case LH_REVOKED:
        return LH_REASON_SESSION_REVOKED;
    case LH_EXPIRED:
        return LH_REASON_SESSION_EXPIRED;
    case LH_BAD_SECRET:
        return LH_REASON_BAD_SECRET;
    case LH_TAMPERED:
        return LH_REASON_INTEGRITY;
    case LH_FOREIGN:
        return LH_REASON_LEAK;
    case LH_QUARANTINED:
        return LH_REASON_QUARANTINED;
    case LH_FUTURE_FORMAT:
        return LH_REASON_RECORD_FUTURE;
    case LH_TIMEOUT:
        return LH_REASON_BUDGET;
    case LH_STORE_DOWN:
        return LH_REASON_STORE_DOWN;
    default:
        return LH_REASON_INTERNAL;
    }
}

/* Ends the wait that a step's call took part in. */
static void disarm(struct lh_gate_call *call)
{
    call->op = lh_op_idle(0, NULL);
}

/* Nothing is to be loaded: it is remembered, or there is none. */
static bool is_known(const struct lh_gate_call *call)
{
    return call->cached != NULL || call->is_sessionless;
}

/* A session that lies in no store is there with its cookie. */
static bool is_at_hand(const struct lh_gate_call *call)
{
    return is_known(call) || call->is_sealed;
}

/* A token names its session; a cookie proves with a secret that it may. */
static lh_status load(struct lh_gate_call *call)
{
    struct lh_vault *vault = call->gate->parts.vault;
    if (call->has_credential) {
        return lh_vault_load(vault, &call->op, &call->handle, &call->loaded);
    }
    const struct lh_session_key key = {call->handle.uid, call->handle.bucket, call->handle.lease};
    return lh_vault_inspect(vault, &call->op, &key, &call->loaded);
}

enum lh_step_flow lh_step_load_session(struct lh_gate_call *call)
{
    if (is_at_hand(call)) {
        return LH_STEP_NEXT;
    }
    lh_call_arm(call, call->began_boot_ms + call->policy->budget_ms);
    lh_status status = load(call);
    if (status.code == LH_PENDING) {
        return LH_STEP_WAIT;
    }
    disarm(call);
    if (!lh_is_ok(status)) {
        return lh_call_refuse(call, reason_of_load(status));
    }
    call->header = &call->loaded.header;
    return LH_STEP_NEXT;
}

lh_status lh_gate_read_facts(struct lh_gate *gate, const struct lh_tenant *tenant,
                             const struct lh_session_header *header,
                             struct lh_session_facts *out_facts)
{
    struct lh_registry *registry = gate->parts.registry;
    struct lh_session_facts facts = {.platform_epoch = tenant->platform_epoch,
                                     .tenant_epoch = tenant->epoch};
    if (tenant->has_revocations) {
        struct lh_revocation revocation;
        LH_TRY(lh_registry_read_revocation(registry, &tenant->uid, &header->lease, &revocation));
        facts.is_revoked = revocation.is_revoked;
        facts.least_generation = revocation.least_generation;
    }
    if (tenant->has_user_epochs && header->has_user) {
        LH_TRY(lh_registry_read_user_epoch(registry, &tenant->uid, &header->user_tag,
                                           &facts.user_epoch));
    }
    *out_facts = facts;
    return lh_ok();
}

/* The ends of a loaded session were judged by its store. */
static lh_status judge(const struct lh_gate_call *call, const struct lh_session_facts *facts)
{
    return call->is_sealed ? lh_sealed_cookie_judge(&call->sealed, facts, call->now_ms)
                           : lh_session_judge(call->header, facts);
}

static enum lh_reason reason_of_judge(lh_status status)
{
    switch (status.code) {
    case LH_EXPIRED:
        return LH_REASON_SESSION_EXPIRED;
    case LH_REVOKED:
        return LH_REASON_SESSION_REVOKED;
    default:
        return LH_REASON_INTEGRITY;
    }
}

enum lh_step_flow lh_step_consult_registry(struct lh_gate_call *call)
{
    if (is_known(call)) {
        return LH_STEP_NEXT;
    }
    struct lh_session_facts facts;
    lh_status status = lh_gate_read_facts(call->gate, call->tenant, call->header, &facts);
    if (!lh_is_ok(status)) {
        return lh_call_refuse(call, LH_REASON_REGISTRY_DOWN);
    }
    status = judge(call, &facts);
    if (status.code == LH_TAMPERED &&
        !lh_is_ok(lh_directory_check_fresh(call->gate->parts.directory, call->tenant))) {
        return LH_STEP_RESTART; /* rotated since we loaded it */
    }
    return lh_is_ok(status) ? LH_STEP_NEXT : lh_call_refuse(call, reason_of_judge(status));
}

static enum lh_reason reason_of_open(lh_status status)
{
    switch (status.code) {
    case LH_TAMPERED:
        return LH_REASON_INTEGRITY;
    case LH_ABSENT:
        return LH_REASON_KEY_DESTROYED;
    case LH_KEY_DOWN:
    case LH_TIMEOUT:
    case LH_QUEUE_FULL:
        return LH_REASON_KEY_DOWN;
    default:
        return LH_REASON_INTERNAL;
    }
}

static lh_status open_seal(struct lh_gate_call *call)
{
    struct lh_vault *vault = call->gate->parts.vault;
    return call->is_sealed ? lh_vault_open_sealed(vault, &call->op, call->tenant, &call->sealed,
                                                  &call->plain, &call->opened)
                           : lh_vault_open(vault, &call->op, call->tenant, &call->loaded,
                                           &call->plain, &call->opened);
}

static lh_status open_principal(struct lh_gate_call *call)
{
    if (call->is_opened) {
        return lh_ok();
    }
    lh_call_arm(call, call->cold_deadline_ms);
    LH_TRY(open_seal(call));
    disarm(call);
    call->is_opened = true;
    return lh_ok();
}

static lh_status open_state(struct lh_gate_call *call)
{
    if (call->policy->state != LH_GATE_STATE_FULL || call->is_sealed ||
        call->loaded.envelope.sealed_state.len == 0) {
        return lh_ok();
    }
    lh_call_arm(call, call->cold_deadline_ms);
    return lh_vault_open_state(call->gate->parts.vault, &call->op, call->tenant, &call->loaded,
                               &call->state);
}

static lh_status open_parts(struct lh_gate_call *call)
{
    LH_TRY(open_principal(call));
    return open_state(call);
}

/*
 * Whether the record may name a key that is younger than what we know of the tenant. Then it is no
 * fault of the record. The registry is asked once more even if the counters stand: between a
 * rotation's commit and its second raise our snapshot may be older than it looks.
 */
static bool is_key_news(struct lh_gate_call *call)
{
    struct lh_directory *directory = call->gate->parts.directory;
    if (lh_tenant_find_dek(call->tenant, call->header->dek_id) != NULL) {
        return false;
    }
    if (!lh_is_ok(lh_directory_check_fresh(directory, call->tenant))) {
        return true;
    }
    bool is_first = !call->has_asked_again;
    call->has_asked_again = true;
    lh_directory_forget(directory, &call->tenant->uid);
    return is_first;
}

/* Keeps the principal for the next request, or at least for this one. */
static void remember(struct lh_gate_call *call)
{
    if (!call->has_credential || call->is_sealed) {
        call->principal = &call->opened; /* the cache answers cookies of the store only */
        return;
    }
    struct lh_session_question question = {.uid = &call->tenant->uid,
                                           .raw = &call->raw,
                                           .tenant_counter = call->tenant->counter,
                                           .platform_counter = call->tenant->platform_counter,
                                           .now_ms = call->now_ms};
    lh_session_cache_fill(call->gate->parts.session_cache, &question, &call->loaded,
                          call->loaded.last_touch_ms, lh_buf_view(&call->plain), &call->opened,
                          &call->cached);
    call->principal = call->cached != NULL ? &call->cached->principal : &call->opened;
}

bool lh_call_begin_opening(struct lh_gate_call *call)
{
    if (call->cold_deadline_ms == 0) {
        uint64_t now_ms = lh_clock_boot_ms(call->gate->parts.clock);
        if (now_ms > call->began_boot_ms + call->policy->budget_ms) {
            return false;
        }
        call->cold_deadline_ms = now_ms + call->policy->cold_budget_ms;
    }
    return true;
}

enum lh_step_flow lh_step_open_session(struct lh_gate_call *call)
{
    if (is_known(call)) {
        return LH_STEP_NEXT;
    }
    if (!lh_call_begin_opening(call)) {
        return lh_call_refuse(call, LH_REASON_BUDGET);
    }
    lh_status status = open_parts(call);
    if (status.code == LH_PENDING) {
        return LH_STEP_WAIT;
    }
    disarm(call);
    if (lh_is_ok(status)) {
        remember(call);
        return LH_STEP_NEXT;
    }
    return status.code == LH_TAMPERED && is_key_news(call)
               ? LH_STEP_RESTART
               : lh_call_refuse(call, reason_of_open(status));
}
