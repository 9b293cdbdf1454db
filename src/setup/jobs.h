/*
 * What the session store needs now and then: sync, sweep, maintenance. Of all processes that
 * have the home open one syncs and one sweeps: the one that holds the job's lock file, for its
 * life. Reloads and second instances overlap; a job moves on when its holder is gone. Maintenance
 * is also about this process' own view of the store: each does it.
 */
#ifndef LH_SETUP_JOBS_H
#define LH_SETUP_JOBS_H

#include <leasehold/host.h>

#include "host/clock.h"
#include "store/store.h"

enum lh_job_kind { LH_JOB_SYNC, LH_JOB_SWEEP, LH_JOB_MAINTAIN, LH_JOB_COUNT };

struct lh_jobs;

struct lh_job {
    struct lh_task task; /* first: the lane hands it back */
    struct lh_jobs *jobs;
    enum lh_job_kind kind;
    int lock_fd; /* -1: not ours, or needs no lock */
    uint64_t interval_ms;
    uint64_t due_ms; /* boot clock */
    uint64_t now_ms; /* session time, for the lane */
    bool is_running; /* on the lane: nothing of it may be touched */
    bool has_more;   /* the last run did not finish its work */
    bool has_failed; /* so that a failure is logged once, not each second */
    lh_status result;
};

struct lh_jobs {
    struct lh_job job[LH_JOB_COUNT];
    struct lh_store *store; /* borrowed, as all below */
    const struct lh_host *host;
    const struct lh_clock *clock;
    int run_fd; /* the run directory; owned */
};

/*
 * Prepares the jobs in place; the object may not move afterwards.
 * run_path   the home's run directory.
 * intervals  in ms, by kind.
 * Errors: UNREADABLE.
 */
LH_MUST_USE lh_status lh_jobs_open(struct lh_jobs *jobs, struct lh_store *store,
                                   const struct lh_host *host, const struct lh_clock *clock,
                                   const char *run_path, const uint64_t intervals[LH_JOB_COUNT]);
/* Claims what nobody does and hands what is due to the write lane. Loop thread, never blocks. */
void lh_jobs_tick(struct lh_jobs *jobs);
/* Whether a job is on the lane: then neither jobs nor store may be freed. */
bool lh_jobs_is_busy(const struct lh_jobs *jobs);
/* Gives the jobs up to other processes. Accepts a zeroed object. */
void lh_jobs_close(struct lh_jobs *jobs);

#endif
