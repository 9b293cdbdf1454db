/*
 * Periodic jobs on the write lane. What one process does for all is claimed by a lock file: a
 * lock, and not a worker's number, for while a reload drains old workers two processes have the
 * same number.
 */
#include "setup/jobs.h"

#include "host/log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/banned.h"

/* Ticks come a little early or late; what is due in this time would wait for a whole tick. */
#define TICK_SLACK_MS 50U

static const struct job_row {
    const char *name;
    const char *lock_name; /* NULL: each process does it for itself */
} job_rows[LH_JOB_COUNT] = {
    [LH_JOB_SYNC] = {"sync", "sync.lock"},
    [LH_JOB_SWEEP] = {"sweep", "sweep.lock"},
    [LH_JOB_MAINTAIN] = {"maintenance", NULL},
};

static lh_status sweep(struct lh_job *job)
{
    size_t handled = 0;
    LH_TRY(lh_store_sweep(job->jobs->store, job->now_ms, LH_STORE_BATCH_ROWS, &handled));
    job->has_more = handled > 0;
    return lh_ok();
}

/* On the lane's thread. */
static void run_job(struct lh_task *task)
{
    struct lh_job *job = (struct lh_job *)(void *)task;
    switch (job->kind) {
    case LH_JOB_SYNC:
        job->result = lh_store_sync(job->jobs->store);
        break;
    case LH_JOB_SWEEP:
        job->result = sweep(job);
        break;
    case LH_JOB_MAINTAIN:
        job->result = lh_store_maintain(job->jobs->store);
        break;
    case LH_JOB_COUNT:
    default:
        job->result = lh_status_of(LH_INVALID);
        break;
    }
}

/* On the loop. */
static void finish_job(struct lh_task *task)
{
    struct lh_job *job = (struct lh_job *)(void *)task;
    job->is_running = false;
    job->due_ms = job->has_more ? 0 : job->due_ms;
    bool has_failed = !lh_is_ok(job->result);
    if (has_failed && !job->has_failed) {
        lh_log(job->jobs->host, LH_LOG_ERROR, "leasehold: %s of the session store fails: %s",
               job_rows[job->kind].name, lh_status_text(job->result));
    }
    job->has_failed = has_failed;
}

lh_status lh_jobs_open(struct lh_jobs *jobs, struct lh_store *store, const struct lh_host *host,
                       const struct lh_clock *clock, const char *run_path,
                       const uint64_t intervals[LH_JOB_COUNT])
{
    int run_fd = open(run_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LH_ENSURE(run_fd >= 0, LH_UNREADABLE);
    *jobs = (struct lh_jobs){.store = store, .host = host, .clock = clock, .run_fd = run_fd};
    for (size_t i = 0; i < LH_JOB_COUNT; i++) {
        jobs->job[i] = (struct lh_job){.task = {.run = run_job, .done = finish_job},
                                       .jobs = jobs,
                                       .kind = (enum lh_job_kind)i,
                                       .lock_fd = -1,
                                       .interval_ms = intervals[i]};
    }
    return lh_ok();
}

/* Takes the job if nobody has it. The lock lives as long as the descriptor. */
static bool claim_job(struct lh_job *job)
{
    if (job->lock_fd >= 0 || job_rows[job->kind].lock_name == NULL) {
        return true;
    }
    int fd = openat(job->jobs->run_fd, job_rows[job->kind].lock_name,
                    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return false;
    }
    job->lock_fd = fd;
    return true;
}

void lh_jobs_tick(struct lh_jobs *jobs)
{
    uint64_t boot_ms = lh_clock_boot_ms(jobs->clock);
    for (size_t i = 0; i < LH_JOB_COUNT; i++) {
        struct lh_job *job = &jobs->job[i];
        if (job->is_running || boot_ms + TICK_SLACK_MS < job->due_ms || !claim_job(job)) {
            continue;
        }
        job->due_ms = boot_ms + job->interval_ms;
        job->now_ms = lh_clock_at(jobs->clock, boot_ms);
        job->has_more = false;
        job->is_running = true;
        if (!lh_is_ok(jobs->host->offload(jobs->host->self, LH_LANE_WRITE, &job->task))) {
            job->is_running = false; /* the lane is full: the next tick tries again */
            job->due_ms = 0;
        }
    }
}

bool lh_jobs_is_busy(const struct lh_jobs *jobs)
{
    for (size_t i = 0; i < LH_JOB_COUNT; i++) {
        if (jobs->job[i].is_running) {
            return true;
        }
    }
    return false;
}

void lh_jobs_close(struct lh_jobs *jobs)
{
    if (jobs->store == NULL) {
        return;
    }
    for (size_t i = 0; i < LH_JOB_COUNT; i++) {
        if (jobs->job[i].lock_fd >= 0) {
            (void)close(jobs->job[i].lock_fd);
        }
    }
    (void)close(jobs->run_fd);
    *jobs = (struct lh_jobs){.store = NULL};
}
