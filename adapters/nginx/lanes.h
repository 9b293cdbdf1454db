/*
 * Two threads for blocking work, and the way back to the loop. Plain POSIX, no nginx: the worker's
 * glue is in host.c.
 */
#ifndef NGX_HTTP_LEASEHOLD_LANES_H
#define NGX_HTTP_LEASEHOLD_LANES_H

#include <pthread.h>

#include <leasehold/host.h>

/* Tasks that wait on one lane at most. The library keeps queues of its own and hands over one
 * batch at a time, so this bounds mistakes, not traffic. */
#define LH_LANE_TASKS_MAX 1024U

struct lh_lane_queue {
    struct lh_task *first;
    struct lh_task **last; /* where the next one is linked */
    size_t count;
};

/* A log line from a lane's thread, on its way to the loop. */
struct lh_lane_line {
    struct lh_lane_line *next;
    enum lh_log_level level;
    size_t len;
    char text[];
};

struct lh_lanes;

struct lh_lane_thread {
    struct lh_lanes *lanes;
    pthread_t id;
    bool is_started; /* and not joined yet */
    pthread_cond_t has_work;
    struct lh_lane_queue urgent;
    struct lh_lane_queue normal;
};

/* Lives until the process ends: a stuck thread may come back to it at any time. */
struct lh_lanes {
    pthread_mutex_t lock;
    pthread_cond_t has_ended;
    struct lh_lane_thread threads[LH_LANE_COUNT];
    struct lh_lane_queue done;       /* ran; their done() is for the loop */
    struct lh_lane_line *lines;      /* newest first */
    unsigned running;                /* threads that have not ended */
    bool is_stopping;
    pthread_t loop;
    int wake_fd;                     /* readable when there is something to collect */
};

/*
 * Starts the threads, with all signals blocked.
 * lanes  zeroed; borrowed for the life of the process.
 * returns  0, or the error number of the call that failed.
 */
int lh_lanes_start(struct lh_lanes *lanes);

/* Hands a task to a lane; loop thread only. Errors: QUEUE_FULL (also once stopping). */
lh_status lh_lanes_offload(struct lh_lanes *lanes, enum lh_lane lane, struct lh_task *task);

/*
 * On the loop, when wake_fd is readable: calls done of what has run, and log for lines.
 * log  may be NULL: lines are dropped.
 */
void lh_lanes_collect(struct lh_lanes *lanes,
                      void (*log)(void *context, enum lh_log_level level, lh_slice line),
                      void *context);

/* Keeps a line for the loop if the caller is not on it. returns: false on the loop's thread. */
bool lh_lanes_keep_line(struct lh_lanes *lanes, enum lh_log_level level, lh_slice line);

/*
 * Tells the threads to finish what is queued and end.
 * wait_ms  how long to wait for that.
 * returns  whether both have ended, to the last thing that a library frees of a thread; else one
 *          is stuck and nothing it may use can be freed.
 */
bool lh_lanes_stop(struct lh_lanes *lanes, unsigned wait_ms);

/*
 * After a stop that returned false: the process will end without its exit handlers, which free
 * what a stuck thread uses (those of OpenSSL do) and would race with it if it comes back just then.
 * Its exit status is 0, as nginx ends its workers.
 * returns  false without memory: then the handlers will run.
 */
bool lh_lanes_abandon(void);

#endif
