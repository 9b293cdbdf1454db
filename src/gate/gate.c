/*
 * The gate: runs one request through the table of steps. The verdict is a refusal before the
 * first step and becomes a pass only in a step that lets pass.
 */
#include "gate/gate.h"

#include "base/bug.h"
#include "gate/call.h"

#include <time.h>

#include "base/banned.h"

#define GATE_MAGIC 0x67617465U
#define CALL_MAGIC 0x67636c6cU
#define IDLE_MAGIC 0x6769646cU

/* Calls kept for the next requests. More are under way only while many wait for keys. */
#define IDLE_CALLS_MAX 32U
/* What a buffer of an idle call may have grown to: records are half a KiB, states may be 64. */
#define IDLE_BUFFER_MAX_BYTES ((size_t)4096)

/* How often a call may begin again because the tenant changed under it. */
#define RESTARTS_MAX 3U

struct step {
    const char *name;
    enum lh_step_flow (*run)(struct lh_gate_call *call);
    enum lh_reason overdue; /* what it means when this step waits too long */
};

static const struct step steps[] = {
    {"admit", lh_step_admit, LH_REASON_BUDGET},
    {"read_bearer", lh_step_read_bearer, LH_REASON_BUDGET},
    {"read_signature", lh_step_read_signature, LH_REASON_BUDGET},
    {"find_tenant", lh_step_find_tenant, LH_REASON_BUDGET},
    {"read_credential", lh_step_read_credential, LH_REASON_BUDGET},
    {"verify_signature", lh_step_verify_signature, LH_REASON_KEY_DOWN},
    {"verify_bearer", lh_step_verify_bearer, LH_REASON_BUDGET},
    {"verify_credential", lh_step_verify_credential, LH_REASON_BUDGET},
    {"load_session", lh_step_load_session, LH_REASON_BUDGET},
    {"consult_registry", lh_step_consult_registry, LH_REASON_BUDGET},
    {"open_session", lh_step_open_session, LH_REASON_KEY_DOWN},
    {"match_token", lh_step_match_token, LH_REASON_BUDGET},
    {"charge_tenant", lh_step_charge_tenant, LH_REASON_BUDGET},
    {"check_policy", lh_step_check_policy, LH_REASON_BUDGET},
    {"inject_context", lh_step_inject_context, LH_REASON_BUDGET},
};

#define STEP_COUNT   (sizeof(steps) / sizeof(steps[0]))
#define STEP_RESTART 1U /* read_bearer */

const char *lh_call_step_name(const struct lh_gate_call *call)
{
    return call->step < STEP_COUNT ? steps[call->step].name : "";
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* Gives back all that a call holds, and forgets what it found out; buffers stay, wiped. */
static void release(struct lh_gate_call *call)
{
    lh_tenant_unref(call->tenant);
    call->tenant = NULL;
    lh_loaded_session_wipe(&call->loaded, IDLE_BUFFER_MAX_BYTES);
    lh_buf_wipe(&call->plain, IDLE_BUFFER_MAX_BYTES);
    lh_buf_wipe(&call->state, IDLE_BUFFER_MAX_BYTES);
    lh_wipe(&call->raw, sizeof(call->raw));
    lh_handle_fini(&call->handle);
    call->has_lease = false;
    call->has_credential = false;
    call->bearer = (struct lh_call_bearer){.is_there = false};
    call->signature = (struct lh_call_signature){.is_there = false};
    call->is_sessionless = false;
    call->is_unnamed = false;
    call->is_opened = false;
    call->is_sealed = false;
    call->cold_deadline_ms = 0;
    call->cached = NULL;
    call->header = NULL;
    call->principal = NULL;
}

static void free_call(struct lh_gate_call *call)
{
    lh_loaded_session_fini(&call->loaded);
    lh_buf_fini(&call->plain);
    lh_buf_fini(&call->state);
    call->magic = 0;
    free(call);
}

/* A call to begin with: an idle one, or a new one. returns: NULL when there is no memory. */
static struct lh_gate_call *take_call(struct lh_gate *gate, const struct lh_request *request)
{
    if (gate == NULL) {
        return request->alloc(request->memory, sizeof(struct lh_gate_call));
    }
    LH_MAGIC_CHECK(gate, GATE_MAGIC);
    struct lh_gate_call *call = gate->idle;
    if (call == NULL) {
        return calloc(1, sizeof(*call));
    }
    LH_MAGIC_CHECK(call, IDLE_MAGIC);
    gate->idle = call->next_idle;
    gate->idle_count--;
    return call;
}

/* Ends a call's life for its request. What holds no gate lies in request memory. */
static void give_back(struct lh_gate_call *call)
{
    struct lh_gate *gate = call->gate;
    release(call);
    if (gate == NULL) {
        call->magic = 0;
    } else if (gate->idle_count == IDLE_CALLS_MAX) {
        free_call(call);
    } else {
        call->magic = IDLE_MAGIC;
        call->next_idle = gate->idle;
        gate->idle = call;
        gate->idle_count++;
    }
}

/* --- Life ------------------------------------------------------------------------------------- */

/* The fingerprints of all processes of an installation agree: the key comes from the cell. */
static lh_status derive_log_key(struct lh_gate *gate)
{
    static const struct lh_tenant_uid no_tenant = {{0}};
    struct lh_digest digest;
    LH_TRY(lh_cell_mac(gate->parts.cell, &no_tenant, lh_cell_key_id(gate->parts.cell),
                       LH_SLICE_LITERAL("leasehold log fingerprint v1"), &digest));
    memcpy(gate->log.fingerprint_key.bytes, digest.bytes, sizeof(gate->log.fingerprint_key.bytes));
    gate->limited_log.fingerprint_key = gate->log.fingerprint_key;
    lh_wipe(&digest, sizeof(digest));
    return lh_ok();
}

static lh_status init_gate(struct lh_gate *gate, const struct lh_gate_parts *parts)
{
    gate->magic = GATE_MAGIC;
    gate->parts = *parts;
    gate->signature_base = lh_buf_bounded(LH_HTTP_SIGNATURE_BASE_MAX_BYTES);
    LH_TRY(lh_random(parts->crypto, &gate->nobody.uid, sizeof(gate->nobody.uid)));
    LH_TRY(lh_random(parts->crypto, &gate->hash_key, sizeof(gate->hash_key)));
    return derive_log_key(gate);
}

lh_status lh_gate_new(const struct lh_gate_parts *parts, struct lh_gate **out_gate)
{
    struct lh_gate *gate = calloc(1, sizeof(*gate));
    LH_ENSURE(gate != NULL, LH_NO_MEMORY);
    lh_status status = init_gate(gate, parts);
    if (!lh_is_ok(status)) {
        lh_gate_free(gate);
        return status;
    }
    *out_gate = gate;
    return lh_ok();
}

void lh_gate_free(struct lh_gate *gate)
{
    if (gate == NULL) {
        return;
    }
    LH_MAGIC_CHECK(gate, GATE_MAGIC);
    while (gate->idle != NULL) {
        struct lh_gate_call *call = gate->idle;
        gate->idle = call->next_idle;
        free_call(call);
    }
    lh_buf_fini(&gate->signature_base);
    lh_wipe(gate, sizeof(*gate));
    free(gate);
}

/* --- Running ---------------------------------------------------------------------------------- */

static uint64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

static lh_status finish(struct lh_gate_call *call)
{
    lh_call_redirect_to_signin(call);
    give_back(call);
    return lh_ok();
}

static enum lh_step_flow restart(struct lh_gate_call *call)
{
    if (call->restarts == RESTARTS_MAX) {
        return lh_call_refuse(call, LH_REASON_BUDGET);
    }
    call->restarts++;
    release(call);
    bool is_charged = call->decision->is_charged;
    lh_decision_init(call->decision);
    call->decision->is_charged = is_charged;
    call->now_ms = lh_clock_now_ms(call->gate->parts.clock);
    call->step = STEP_RESTART;
    return LH_STEP_RESTART;
}

static enum lh_step_flow run_steps(struct lh_gate_call *call)
{
    enum lh_step_flow flow = LH_STEP_NEXT;
    while (flow != LH_STEP_WAIT && flow != LH_STEP_END) {
        LH_BUG_IF(call->step >= STEP_COUNT); /* the last step always ends */
        flow = steps[call->step].run(call);
        if (flow == LH_STEP_RESTART) {
            flow = restart(call);
        } else if (flow == LH_STEP_NEXT) {
            call->step++;
        }
    }
    return flow;
}

/* Runs the steps, or gives up the one that still waits. */
static enum lh_step_flow advance(struct lh_gate_call *call)
{
    if (call->op.state != LH_OP_WAITING) {
        return run_steps(call);
    }
    lh_op_cancel(&call->op);
    return lh_call_refuse(call, steps[call->step].overdue);
}

static lh_status run(struct lh_gate_call *call)
{
    uint64_t began_us = monotonic_us();
    enum lh_step_flow flow = advance(call);
    call->time_us += monotonic_us() - began_us;
    call->decision->time_us = call->time_us;
    if (flow == LH_STEP_WAIT) {
        call->has_waited = true;
        return lh_status_of(LH_PENDING);
    }
    return finish(call);
}

/* --- For adapters ----------------------------------------------------------------------------- */

/* All but the buffers begins anew. */
static void init_call(struct lh_gate_call *call, struct lh_gate *gate)
{
    struct lh_buf bytes = gate == NULL ? LH_BUF_EMPTY : call->loaded.bytes;
    struct lh_buf plain = gate == NULL ? LH_BUF_EMPTY : call->plain;
    struct lh_buf state = gate == NULL ? LH_BUF_EMPTY : call->state;
    memset(call, 0, offsetof(struct lh_gate_call, opened));
    call->magic = CALL_MAGIC;
    call->gate = gate;
    call->loaded.bytes = bytes;
    call->plain = plain;
    call->state = state;
    if (gate != NULL) {
        call->began_boot_ms = lh_clock_boot_ms(gate->parts.clock);
        call->now_ms = lh_clock_at(gate->parts.clock, call->began_boot_ms);
    }
}

/* Errors: NO_MEMORY. */
static lh_status begin_call(struct lh_gate *gate, const struct lh_request *request,
                            struct lh_gate_call **out_call)
{
    struct lh_call_texts *texts = request->alloc(request->memory, sizeof(*texts));
    LH_ENSURE(texts != NULL, LH_NO_MEMORY);
    texts->request_id[0] = '\0';
    struct lh_gate_call *call = take_call(gate, request);
    LH_ENSURE(call != NULL, LH_NO_MEMORY);
    init_call(call, gate);
    call->request = request;
    call->texts = texts;
    *out_call = call;
    return lh_ok();
}

lh_status lh_gate_decide(struct lh_gate *gate, const struct lh_gate_policy *policy,
                         const struct lh_request *request, void (*wake)(void *context),
                         void *context, struct lh_decision *decision,
                         struct lh_gate_call **out_call)
{
    lh_decision_init(decision);
    struct lh_gate_call *call;
    if (!lh_is_ok(begin_call(gate, request, &call))) {
        lh_decision_refuse(decision, LH_REASON_INTERNAL);
        return lh_ok();
    }
    call->policy = policy;
    call->decision = decision;
    call->wake = wake;
    call->wake_context = context;
    lh_status status = run(call);
    if (status.code == LH_PENDING) {
        *out_call = call;
    }
    return status;
}

lh_status lh_gate_continue(struct lh_gate_call *call)
{
    LH_MAGIC_CHECK(call, CALL_MAGIC);
    LH_BUG_IF(call->step >= STEP_COUNT);
    if (call->op.state == LH_OP_WAITING && lh_gate_wait_ms(call) > 0) {
        return lh_status_of(LH_PENDING);
    }
    return run(call);
}

uint64_t lh_gate_wait_ms(const struct lh_gate_call *call)
{
    LH_MAGIC_CHECK(call, CALL_MAGIC);
    uint64_t now_ms = lh_clock_boot_ms(call->gate->parts.clock);
    return now_ms >= call->op.deadline_ms ? 0 : call->op.deadline_ms - now_ms;
}

void lh_gate_cancel(struct lh_gate_call *call)
{
    if (call == NULL) {
        return;
    }
    LH_MAGIC_CHECK(call, CALL_MAGIC);
    lh_op_cancel(&call->op);
    give_back(call);
}
