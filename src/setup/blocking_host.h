/*
 * A host for programs that may block: tasks wait in a list until the program runs them, one
 * after the other, on its only thread. Log lines go on to another host.
 */
#ifndef LH_SETUP_BLOCKING_HOST_H
#define LH_SETUP_BLOCKING_HOST_H

#include <leasehold/host.h>

struct lh_blocking_host {
    struct lh_host host;       /* what the library gets; its self is this object */
    const struct lh_host *log; /* borrowed */
    struct lh_task *first;
    struct lh_task *last;
};

/* Makes a host in place; the object may not move afterwards. log: borrowed. */
void lh_blocking_host_init(struct lh_blocking_host *blocking, const struct lh_host *log);

/* Runs and completes tasks until none is left; tasks may add tasks. context: the blocking host. */
void lh_blocking_host_run(void *context);

#endif
