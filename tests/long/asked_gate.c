/*
 * Asking a gate.
 */
#include "asked_gate.h"

#include "base/arena.h"
#include "base/slice.h"

#include <stdlib.h>

lh_status asked_gate_open(struct asked_gate *asked, const char *path, const struct lh_host *log,
                          char out_why[LH_HOME_ERROR_BYTES])
{
    asked->state = LH_GATE_STATE_CLAIMS;
    lh_blocking_host_init(&asked->host, log);
    asked->host.host.nonces = asked->nonces;
    asked->host.host.nonces_len = asked->nonces_len;
    return lh_home_open_worker(path, &asked->host.host, &asked->home, out_why);
}

void asked_gate_close(struct asked_gate *asked)
{
    lh_home_close(asked->home);
}

static void *take_memory(void *memory, size_t len)
{
    void *room;
    return lh_is_ok(lh_arena_take(memory, len, &room)) ? room : NULL;
}

static void wake(void *context)
{
    *(bool *)context = true;
}

static void wait_for(struct asked_gate *asked, struct lh_gate_call *call, bool *is_awake)
{
    lh_status status = lh_status_of(LH_PENDING);
    while (status.code == LH_PENDING) {
        *is_awake = false;
        lh_blocking_host_run(&asked->host);
        if (!*is_awake) {
            abort();
        }
        status = lh_gate_continue(call);
    }
}

enum lh_reason asked_gate_decide(struct asked_gate *asked, const struct lh_gate_policy *policy,
                                 const struct lh_request *request)
{
    struct lh_arena memory = lh_arena_bounded(1U << 20);
    struct lh_request own = *request;
    own.alloc = take_memory;
    own.memory = &memory;
    struct lh_decision decision;
    struct lh_gate_call *call = NULL;
    bool is_awake = false;
    lh_status status =
        lh_gate_decide(lh_home_gate(asked->home), policy, &own, wake, &is_awake, &decision, &call);
    if (status.code == LH_PENDING) {
        wait_for(asked, call, &is_awake);
    }
    lh_blocking_host_run(&asked->host);
    lh_arena_fini(&memory);
    return decision.reason;
}

enum lh_reason asked_gate_ask(struct asked_gate *asked, const char *tenant, const char *cookie)
{
    const struct lh_request_header headers[] = {
        {lh_gate_header_kind(LH_SLICE_LITERAL("X-Tenant-ID")), lh_slice_from_text(tenant)},
        {lh_gate_header_kind(LH_SLICE_LITERAL("Cookie")), lh_slice_from_text(cookie)},
    };
    const struct lh_request request = {.method = LH_SLICE_LITERAL("GET"),
                                       .host = LH_SLICE_LITERAL("localhost"),
                                       .authority = LH_SLICE_LITERAL("localhost"),
                                       .path = LH_SLICE_LITERAL("/"),
                                       .target = LH_SLICE_LITERAL("/"),
                                       .headers = headers,
                                       .header_count = 2};
    const struct lh_gate_policy policy = {.mode = LH_GATE_ON,
                                          .tenant_from = LH_GATE_TENANT_HEADER,
                                          .state = asked->state,
                                          .cookie = asked->cookie,
                                          .credentials = LH_GATE_CREDENTIAL_COOKIE,
                                          .budget_ms = 60000,
                                          .cold_budget_ms = 60000};
    return asked_gate_decide(asked, &policy, &request);
}
