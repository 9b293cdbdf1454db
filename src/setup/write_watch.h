/*
 * Says in the log what a worker could not write. A full store or disk costs last-use times and no
 * live session's answer; nobody would notice before sessions end early.
 */
#ifndef LH_SETUP_WRITE_WATCH_H
#define LH_SETUP_WRITE_WATCH_H

#include <leasehold/host.h>

#include "store/write_queue.h"

/* What has been said already; zero at first. */
struct lh_write_watch {
    bool is_losing;
    uint64_t lost;    /* when it was looked at last */
    uint64_t made;    /* when something was lost last */
    uint64_t next_ms; /* not before then is anything said again */
};

/* How often the log speaks of it while it lasts. */
#define LH_WRITE_WATCH_PAUSE_MS 60000U

/*
 * Looks at the counts of a queue and logs the first loss at once, all further ones with their
 * sums each LH_WRITE_WATCH_PAUSE_MS, and that it is over.
 * boot_ms  now, of the boot clock; host: whose log.
 */
void lh_write_watch_look(struct lh_write_watch *watch, const struct lh_write_queue_counts *counts,
                         uint64_t boot_ms, const struct lh_host *host);

#endif
