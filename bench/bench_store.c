/*
 * What one call of a session store costs: fills a store with N sessions and measures each
 * operation call by call. Prints microseconds.
 *
 *     bench_store DIRECTORY [SESSIONS [RECORD_BYTES [DRIVER]]]
 *
 * DIRECTORY must not exist; it is left behind.
 */
#include "host/op.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOADS      1000000U
#define WRITES     20000U
#define START_MS   ((uint64_t)1700000000000)
#define RECORD_MAX ((size_t)65536)
#define SPREAD_MS  ((uint64_t)3600 * 1000)
#define SEED       0x9E3779B97F4A7C15U

struct bench {
    struct lh_store *store;
    size_t sessions;
    size_t record_bytes;
    uint8_t record[RECORD_MAX];
    uint32_t *samples; /* nanoseconds; owned */
    size_t sample_count;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* splitmix64: keys are random to the store, and the same in every run. */
static uint64_t mix(uint64_t n)
{
    uint64_t z = n + SEED;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static struct lh_session_key key_of(size_t n)
{
    struct lh_session_key key = {.bucket = 0};
    uint64_t words[2] = {mix(n), mix(n + SEED / 3)};
    memcpy(key.lease.bytes, words, sizeof(key.lease.bytes));
    memset(key.uid.bytes, (int)(n % 16), sizeof(key.uid.bytes)); /* sixteen tenants */
    return key;
}

static void must(lh_status status, const char *what)
{
    if (!lh_is_ok(status)) {
        (void)fprintf(stderr, "bench_store: %s: %s\n", what, lh_status_name(status));
        exit(1);
    }
}

static int compare_samples(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void add_sample(struct bench *bench, uint64_t started_ns)
{
    uint64_t ns = now_ns() - started_ns;
    bench->samples[bench->sample_count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static double at(const struct bench *bench, double share)
{
    size_t index = (size_t)(share * (double)(bench->sample_count - 1));
    return (double)bench->samples[index] / 1000.0;
}

static void report(struct bench *bench, const char *what)
{
    double total = 0;
    for (size_t i = 0; i < bench->sample_count; i++) {
        total += bench->samples[i];
    }
    qsort(bench->samples, bench->sample_count, sizeof(*bench->samples), compare_samples);
    (void)printf("%-28s %9zu %9.2f %9.2f %9.2f %9.2f %11.2f\n", what, bench->sample_count,
                 total / 1000.0 / (double)bench->sample_count, at(bench, 0.5), at(bench, 0.99),
                 at(bench, 0.999), at(bench, 1.0));
    (void)fflush(stdout);
    bench->sample_count = 0;
}

static void create_sessions(struct bench *bench)
{
    for (size_t n = 0; n < bench->sessions; n++) {
        struct lh_session_key key = key_of(n);
        struct lh_store_row row = {.kind = LH_PLACE_RECORD,
                                   .generation = 1,
                                   .absolute_end_ms = START_MS + 24 * SPREAD_MS,
                                   .last_touch_ms = START_MS + mix(n) % SPREAD_MS,
                                   .idle_s = 7200,
                                   .has_user = true,
                                   .record = lh_slice_of(bench->record, bench->record_bytes)};
        uint64_t user = mix(n / 2); /* two sessions a user */
        memcpy(row.user_tag.bytes, &user, sizeof(user));
        uint64_t started_ns = now_ns();
        must(lh_store_create(bench->store, NULL, &key, &row), "create");
        if (bench->sample_count < LOADS) {
            add_sample(bench, started_ns);
        }
    }
    report(bench, "create");
}

static void load_sessions(struct bench *bench, const char *what, size_t offset)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    for (size_t i = 0; i < LOADS; i++) {
        struct lh_session_key key = key_of(offset + mix(i + offset) % bench->sessions);
        struct lh_store_row row;
        uint64_t started_ns = now_ns();
        must(lh_store_load(bench->store, NULL, &key, &scratch, &row), "load");
        add_sample(bench, started_ns);
    }
    report(bench, what);
}

static void touch_sessions(struct bench *bench, const char *what, size_t batch)
{
    static struct lh_store_touch touches[LH_STORE_BATCH_ROWS];
    for (size_t i = 0; i < WRITES; i += batch) {
        for (size_t j = 0; j < batch; j++) {
            size_t n = mix(i + j + batch) % bench->sessions;
            touches[j] = (struct lh_store_touch){key_of(n), START_MS + SPREAD_MS + batch};
        }
        uint64_t started_ns = now_ns();
        must(lh_store_touch(bench->store, touches, batch), "touch");
        add_sample(bench, started_ns);
    }
    report(bench, what);
}

static void revoke_sessions(struct bench *bench)
{
    for (size_t i = 0; i < WRITES && i < bench->sessions; i++) {
        struct lh_session_key key = key_of(i);
        uint64_t started_ns = now_ns();
        must(lh_store_revoke(bench->store, NULL, &key, 0), "revoke");
        add_sample(bench, started_ns);
    }
    report(bench, "revoke");
}

/* At a moment when a tenth of the sessions are over by idleness. */
static void sweep_sessions(struct bench *bench)
{
    uint64_t now_ms = START_MS + SPREAD_MS / 10 + 7200 * 1000;
    size_t handled = 1;
    size_t total = 0;
    while (handled > 0 && bench->sample_count < LOADS) {
        uint64_t started_ns = now_ns();
        must(lh_store_sweep(bench->store, now_ms, LH_STORE_BATCH_ROWS, &handled), "sweep");
        add_sample(bench, started_ns);
        total += handled;
    }
    report(bench, "sweep, 256 rows or 2 ms");
    (void)printf("  rows handled: %zu\n", total);
}

static void sync_store(struct bench *bench)
{
    uint64_t started_ns = now_ns();
    must(lh_store_sync(bench->store), "sync");
    add_sample(bench, started_ns);
    report(bench, "sync");
}

static void count_sessions(struct bench *bench)
{
    struct lh_store_counts counts;
    uint64_t started_ns = now_ns();
    must(lh_store_count(bench->store, &counts), "count");
    add_sample(bench, started_ns);
    report(bench, "count");
    (void)printf("  records %llu, tombstones %llu, %.1f MiB, %.0f bytes per row\n",
                 (unsigned long long)counts.records, (unsigned long long)counts.tombstones,
                 (double)counts.used_bytes / 1048576.0,
                 (double)counts.used_bytes / (double)(counts.records + counts.tombstones));
}

static void run(struct bench *bench)
{
    (void)printf("%-28s %9s %9s %9s %9s %9s %11s  (us)\n", "", "calls", "mean", "p50", "p99",
                 "p99.9", "max");
    create_sessions(bench);
    sync_store(bench);
    load_sessions(bench, "load, present", 0);
    load_sessions(bench, "load, absent", bench->sessions);
    touch_sessions(bench, "touch, one", 1);
    touch_sessions(bench, "touch, batch of 256", LH_STORE_BATCH_ROWS);
    load_sessions(bench, "load, present, after writes", 0);
    revoke_sessions(bench);
    count_sessions(bench);
    sweep_sessions(bench);
    sync_store(bench);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_store DIRECTORY [SESSIONS [RECORD_BYTES [DRIVER]]]\n");
        return 2;
    }
    bench.sessions = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
    bench.record_bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 500;
    if (bench.sessions == 0 || bench.record_bytes == 0 || bench.record_bytes > RECORD_MAX) {
        (void)fprintf(stderr, "bench_store: a number is out of range\n");
        return 2;
    }
    bench.samples = malloc(LOADS * sizeof(*bench.samples));
    if (bench.samples == NULL) {
        return 1;
    }
    struct lh_store_options options = {.path = argv[1], .may_create = true};
    must(lh_store_open(argc > 4 ? argv[4] : "lmdb", &options, &bench.store), "open");
    run(&bench);
    lh_store_close(bench.store);
    free(bench.samples);
    return 0;
}
