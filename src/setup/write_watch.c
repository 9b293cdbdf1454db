/*
 * Losses of the write queue, as lines of the log. The sums are those since the worker began, so
 * that the last line of a worker says them all.
 */
#include "setup/write_watch.h"

#include "host/log.h"

#include <inttypes.h>

#include "base/banned.h"

static void say_lost(const struct lh_write_queue_counts *counts, const struct lh_host *host)
{
    lh_log(
        host, LH_LOG_ERROR,
        "leasehold: last-use times are lost, so that sessions in use may end early; so far %" PRIu64
        " were refused by the session store, %" PRIu64 " dropped from a full queue, and %" PRIu64
        " marks of ended sessions lost (last reason: %s)",
        counts->touches_failed, counts->touches_dropped, counts->urgent_failed,
        lh_is_ok(counts->last_failure) ? "the queue is full"
                                       : lh_status_text(counts->last_failure));
}

void lh_write_watch_look(struct lh_write_watch *watch, const struct lh_write_queue_counts *counts,
                         uint64_t boot_ms, const struct lh_host *host)
{
    uint64_t lost = counts->touches_failed + counts->touches_dropped + counts->urgent_failed;
    uint64_t made = counts->touches_made + counts->urgent_made;
    bool is_worse = lost != watch->lost;
    if (is_worse) {
        watch->made = made;
    }
    if (boot_ms < watch->next_ms) {
        return;
    }
    if (is_worse) {
        say_lost(counts, host);
        watch->next_ms = boot_ms + LH_WRITE_WATCH_PAUSE_MS;
        watch->is_losing = true;
        watch->lost = lost;
    } else if (watch->is_losing && made > watch->made) {
        lh_log(host, LH_LOG_NOTICE, "leasehold: last-use times are written again");
        watch->is_losing = false;
    }
}
