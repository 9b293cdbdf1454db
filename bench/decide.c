/*
 * What a decision costs without a server around it: CPU per decision over a home, for sessions and
 * tokens that the worker remembers, for those that it must look up or verify, and for forged ones.
 *
 *     decide HOME TENANT CREDENTIALS [ROUNDS]
 *
 * CREDENTIALS is what fill_sessions prints, or tokens ("Bearer …" a line, for the audience
 * "bench"). More of them than the worker's caches take are needed to measure what they cost anew;
 * contexts are left out there, for signing one costs more than all the rest.
 */
#include <leasehold/gate.h>
#include <leasehold/setup.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define CREDENTIALS_MAX  200000U
#define CREDENTIAL_BYTES 2048U
#define MEMORY_BYTES     65536U
#define SHARED_BYTES     ((size_t)8 * 1024 * 1024)
#define ROUNDS_DEFAULT   300000U
#define CREDENTIALS_HOT  100U
/* Prime, so that a walk by it meets every one and no two neighbours. */
#define STRIDE   7919U
#define NS_PER_S 1e9

/* The memory of one request, taken anew for each. */
struct memory {
    size_t used;
    _Alignas(16) uint8_t room[MEMORY_BYTES];
};

struct bench {
    struct lh_gate *gate;
    struct lh_gate_policy policy;
    struct lh_request request;
    struct lh_request_header headers[3];
    struct memory memory;
    char **credentials;
    size_t count;
    bool are_tokens;
    size_t refused;
};

static void print_line(void *self, enum lh_log_level level, lh_slice line)
{
    (void)self;
    if (level < LH_LOG_ERROR) {
        (void)fprintf(stderr, "%.*s\n", (int)line.len, (const char *)line.ptr);
    }
}

/* Blocking work is done at once: nobody else waits. */
static lh_status run_at_once(void *self, enum lh_lane lane, struct lh_task *task)
{
    (void)self;
    (void)lane;
    task->run(task);
    task->done(task);
    return lh_status_of(LH_OK);
}

static void *take(void *context, size_t len)
{
    struct memory *memory = context;
    size_t rounded = (len + 15U) & ~(size_t)15U;
    if (rounded > sizeof(memory->room) - memory->used) {
        return NULL;
    }
    void *room = memory->room + memory->used;
    memory->used += rounded;
    return room;
}

static void ignore_wake(void *context)
{
    (void)context;
}

static lh_slice slice_of(const char *text)
{
    return (lh_slice){(const uint8_t *)text, strlen(text)};
}

static void decide(struct bench *bench, const char *credential)
{
    struct lh_decision decision;
    struct lh_gate_call *call = NULL;
    enum lh_header_kind kind = bench->are_tokens ? LH_HEADER_AUTHORIZATION : LH_HEADER_COOKIE;
    bench->headers[2] = (struct lh_request_header){kind, slice_of(credential)};
    bench->memory.used = 0;
    lh_status status = lh_gate_decide(bench->gate, &bench->policy, &bench->request, ignore_wake,
                                      NULL, &decision, &call);
    if (!lh_is_ok(status)) {
        lh_gate_cancel(call);
    }
    bench->refused += !lh_is_ok(status) || decision.http_status != 0;
}

static double cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * NS_PER_S + (double)now.tv_nsec;
}

/* Decides rounds times over the first count credentials, and prints what one cost. */
static void measure(struct bench *bench, const char *name, size_t count, size_t rounds)
{
    for (size_t i = 0; i < count; i++) {
        decide(bench, bench->credentials[i]);
    }
    bench->refused = 0;
    double began_ns = cpu_ns();
    for (size_t i = 0; i < rounds; i++) {
        decide(bench, bench->credentials[i * STRIDE % count]);
    }
    double each_ns = (cpu_ns() - began_ns) / (double)rounds;
    (void)printf("%-28s %8.0f ns %8zu refused\n", name, each_ns, bench->refused);
}

static void prepare(struct bench *bench, const char *tenant)
{
    static const uint8_t client[] = {127, 0, 0, 1};
    static lh_slice audience;
    audience = slice_of("bench");
    bench->policy = (struct lh_gate_policy){
        .mode = LH_GATE_ON,
        .tenant_from = LH_GATE_TENANT_HEADER,
        .state = LH_GATE_STATE_CLAIMS,
        .credentials = bench->are_tokens ? LH_GATE_CREDENTIAL_BEARER : LH_GATE_CREDENTIAL_COOKIE,
        .token_mode = LH_GATE_TOKEN_STATELESS,
        .audiences = {&audience, 1},
        .budget_ms = 1000,
        .cold_budget_ms = 1000};
    bench->headers[0] = (struct lh_request_header){LH_HEADER_ACCEPT, slice_of("*/*")};
    bench->headers[1] = (struct lh_request_header){LH_HEADER_TENANT, slice_of(tenant)};
    bench->request = (struct lh_request){.method = slice_of("GET"),
                                         .host = slice_of("gateway.example"),
                                         .authority = slice_of("gateway.example"),
                                         .path = slice_of("/"),
                                         .target = slice_of("/"),
                                         .headers = bench->headers,
                                         .header_count = 3,
                                         .client = {client, sizeof(client)},
                                         .request_id = slice_of("4bf92f3577b34da6a3ce929d0e0e4736"),
                                         .alloc = take,
                                         .memory = &bench->memory};
}

static int read_credentials(struct bench *bench, const char *path)
{
    char line[CREDENTIAL_BYTES];
    FILE *file = fopen(path, "r");
    bench->credentials = calloc(CREDENTIALS_MAX, sizeof(*bench->credentials));
    if (file == NULL || bench->credentials == NULL) {
        return -1;
    }
    while (bench->count < CREDENTIALS_MAX && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        bench->credentials[bench->count] = strdup(line);
        if (bench->credentials[bench->count++] == NULL) {
            return -1;
        }
    }
    (void)fclose(file);
    bench->are_tokens = bench->count > 0 && strncmp(bench->credentials[0], "Bearer ", 7) == 0;
    return bench->count > CREDENTIALS_HOT ? 0 : -1;
}

static void forget_credentials(struct bench *bench)
{
    for (size_t i = 0; bench->credentials != NULL && i < bench->count; i++) {
        free(bench->credentials[i]);
    }
    free(bench->credentials);
}

static void run(struct bench *bench, size_t rounds)
{
    measure(bench, "remembered, claims", CREDENTIALS_HOT, rounds);
    bench->policy.state = LH_GATE_STATE_NONE;
    measure(bench, "remembered, none", CREDENTIALS_HOT, rounds);
    if (bench->are_tokens) {
        bench->policy.tenant_from |= LH_GATE_TENANT_CLAIM;
        measure(bench, "remembered, tenant by claim", CREDENTIALS_HOT, rounds);
        bench->policy.tenant_from = LH_GATE_TENANT_HEADER;
    }
    measure(bench, bench->are_tokens ? "verified, none" : "looked up, none", bench->count, rounds);
    bench->policy.state = LH_GATE_STATE_CLAIMS;
    char *last = bench->credentials[0] + strlen(bench->credentials[0]) - 1;
    *last = *last == 'A' ? 'Q' : 'A';
    measure(bench, "forged", 1, rounds);
}

/* Where rates are counted. returns: 0, or -1. */
static int share_memory(struct lh_host *host)
{
    void *memory =
        mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || !lh_is_ok(lh_shared_prepare(memory, SHARED_BYTES))) {
        return -1;
    }
    host->shared = memory;
    host->shared_len = SHARED_BYTES;
    return 0;
}

int main(int count, char **arguments)
{
    static struct bench bench;
    struct lh_host host = {.log = print_line, .offload = run_at_once};
    char why[LH_HOME_ERROR_BYTES] = "";
    if (count < 4 || read_credentials(&bench, arguments[3]) != 0) {
        (void)fprintf(stderr, "decide HOME TENANT CREDENTIALS [ROUNDS]: more than %u of these\n",
                      CREDENTIALS_HOT);
        return EXIT_FAILURE;
    }
    struct lh_home *home = NULL;
    if (share_memory(&host) != 0) {
        (void)fprintf(stderr, "decide: no memory for rates\n");
        return EXIT_FAILURE;
    }
    if (!lh_is_ok(lh_home_open_worker(arguments[1], &host, &home, why))) {
        (void)fprintf(stderr, "decide: %s\n", why);
        return EXIT_FAILURE;
    }
    bench.gate = lh_home_gate(home);
    prepare(&bench, arguments[2]);
    run(&bench, count > 4 ? strtoull(arguments[4], NULL, 10) : ROUNDS_DEFAULT);
    lh_home_close(home);
    forget_credentials(&bench);
    return EXIT_SUCCESS;
}
