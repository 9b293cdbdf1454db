/*
 * Asks the real gate of a home, as a worker opens it, about sessions: reads lines "tenant cookie"
 * from standard input, answers each with a line "status reason". Exit 3: the home cannot be opened.
 */
#include <leasehold/gate.h>
#include <leasehold/setup.h>

#include "base/arena.h"
#include "base/slice.h"
#include "setup/blocking_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 1024U

static void print_line(void *self, enum lh_log_level level, lh_slice line)
{
    (void)self;
    if (level <= LH_LOG_WARN) {
        (void)fprintf(stderr, "%.*s\n", LH_SLICE_ARG(line));
    }
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

static void decide(struct lh_gate *gate, struct lh_blocking_host *host, const char *tenant,
                   const char *cookie)
{
    struct lh_arena memory = lh_arena_bounded(1U << 20);
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
                                       .header_count = 2,
                                       .alloc = take_memory,
                                       .memory = &memory};
    const struct lh_gate_policy policy = {.mode = LH_GATE_ON,
                                          .tenant_from = LH_GATE_TENANT_HEADER,
                                          .state = LH_GATE_STATE_CLAIMS,
                                          .takes_cookie = true,
                                          .budget_ms = 5000,
                                          .cold_budget_ms = 5000};
    struct lh_decision decision;
    struct lh_gate_call *call = NULL;
    bool is_awake = false;
    lh_status status = lh_gate_decide(gate, &policy, &request, wake, &is_awake, &decision, &call);
    while (status.code == LH_PENDING) {
        is_awake = false;
        lh_blocking_host_run(host);
        if (!is_awake) {
            (void)fprintf(stderr, "the gate waits for nothing\n");
            exit(4);
        }
        status = lh_gate_continue(call);
    }
    (void)printf("%u %s\n", decision.http_status == 0 ? 200 : decision.http_status,
                 lh_reason_name(decision.reason));
    lh_blocking_host_run(host);
    lh_arena_fini(&memory);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    static const struct lh_host log = {.log = print_line};
    struct lh_blocking_host host;
    lh_blocking_host_init(&host, &log);
    struct lh_home *home = NULL;
    char why[LH_HOME_ERROR_BYTES];
    if (!lh_is_ok(lh_home_open_worker(argv[1], &host.host, &home, why))) {
        (void)fprintf(stderr, "%s\n", why);
        return 3;
    }
    char line[LINE_BYTES];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *space = strchr(line, ' ');
        if (space == NULL) {
            return 2;
        }
        *space = '\0';
        decide(lh_home_gate(home), &host, line, space + 1);
    }
    lh_home_close(home);
    return 0;
}
