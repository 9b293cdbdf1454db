/*
 * A host under the test's control: clocks that move when they are told to, a log that can be
 * read, and lanes whose tasks run when the test says so (on a thread of their own, as on a real
 * host), at once, or not at all.
 */
#ifndef LH_TESTS_SUPPORT_FAKE_HOST_H
#define LH_TESTS_SUPPORT_FAKE_HOST_H

#include <leasehold/host.h>

#include "host/clock.h"

enum fake_host_mode {
    FAKE_HOST_QUEUES,  /* tasks wait for fake_host_run */
    FAKE_HOST_AT_ONCE, /* run and done from inside offload, as a command line does */
    FAKE_HOST_REFUSES  /* QUEUE_FULL */
};

#define FAKE_HOST_LOG_BYTES 8192

struct fake_host {
    struct lh_host host;   /* hand out &host */
    struct lh_clock clock; /* over that host; session time = boot time + offset */
    enum fake_host_mode mode;
    uint64_t boot_ms;
    uint64_t wall_ms;
    struct lh_task *queued[LH_LANE_COUNT]; /* in order */
    size_t offloaded;                      /* tasks taken so far */
    size_t log_lines;
    char log[FAKE_HOST_LOG_BYTES]; /* lines, each with its end */
};

/* What the clock of a new fake host says: some day in 2023. */
#define FAKE_HOST_NOW_MS UINT64_C(1700000000000)

/* An idle host in mode QUEUES. */
void fake_host_init(struct fake_host *fake);

/* Moves the clocks on. */
void fake_host_advance(struct fake_host *fake, uint64_t ms);

/*
 * Runs what is queued on a lane until nothing is left: each task's run on another thread, then
 * its done on this one. returns: how many.
 */
size_t fake_host_run(struct fake_host *fake, enum lh_lane lane);

/* The same without the last step: the task is handed back instead of being done. */
struct lh_task *fake_host_run_one(struct fake_host *fake, enum lh_lane lane);

#endif
