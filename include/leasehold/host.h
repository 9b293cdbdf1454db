/*
 * What a host (nginx worker, daemon, CLI, test) lends the library. The library itself never
 * blocks, sleeps, forks or starts threads; what may block is a task for one of the host's lanes.
 */
#ifndef LEASEHOLD_HOST_H
#define LEASEHOLD_HOST_H

#include <leasehold/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum lh_log_level { LH_LOG_ERROR, LH_LOG_WARN, LH_LOG_NOTICE, LH_LOG_INFO, LH_LOG_DEBUG };

/*
 * Lanes on which blocking work runs off the loop. Each is served in order by one thread of the
 * host (or at once, on the caller's thread, by hosts that may block). A write that is stuck
 * behind another process's transaction must not hold up a key fetch: hence two.
 */
enum lh_lane {
    LH_LANE_WRITE, /* write transactions on the session store */
    LH_LANE_FETCH, /* reading key files, talking to key managers */
    LH_LANE_COUNT
};

/*
 * A piece of blocking work. Owned by whoever submits it, and untouched by him between offload
 * and done.
 */
struct lh_task {
    void (*run)(struct lh_task *task);  /* on the lane's thread; touches nothing of the loop */
    void (*done)(struct lh_task *task); /* later, on the loop; never from inside offload on
                                           hosts with a loop */
    bool is_urgent;                     /* goes ahead of tasks that are not */
    struct lh_task *next;               /* the host's while queued */
};

struct lh_host {
    void *self;

    /* Required. One line without its end; never a secret (fingerprints only). Any thread. */
    void (*log)(void *self, enum lh_log_level level, lh_slice line);

    /*
     * Required. Hands a task to a lane. Loop thread only.
     * Errors: QUEUE_FULL (the task was not taken and done will not be called).
     */
    lh_status (*offload)(void *self, enum lh_lane lane, struct lh_task *task);

    /*
     * Optional. Memory that all processes of the host share, made ready by lh_shared_prepare;
     * NULL = none: nobody is limited.
     */
    void *shared;
    size_t shared_len;

    /*
     * Optional. Memory for the nonces of request signatures, that all processes of the host share:
     * zero when it is new, aligned to 64 bytes, LH_NONCES_LEAST_BYTES at least; NULL = none:
     * nobody's signature is accepted. What takes its place is another memory, and this one is
     * retired first (lh_nonces_retire).
     */
    void *nonces;
    size_t nonces_len;

    /* Optional. Milliseconds of CLOCK_BOOTTIME; NULL = the system's clock. Tests inject here. */
    uint64_t (*boot_ms)(void *self);

    /* Optional. Milliseconds of CLOCK_REALTIME; NULL = the system's clock. */
    uint64_t (*wall_ms)(void *self);
};

#ifdef __cplusplus
}
#endif

#endif
