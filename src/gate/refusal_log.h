/*
 * One line per failed request, limited per process, with a keyed fingerprint in place of any id.
 */
#ifndef LH_GATE_REFUSAL_LOG_H
#define LH_GATE_REFUSAL_LOG_H

#include <leasehold/gate.h>

#include "base/siphash.h"

/* Lines per second: enough to see what is going on, too few for a flood to fill a disk. */
#define LH_REFUSAL_LINES_PER_S 20U

struct lh_refusal_log {
    struct lh_siphash_key fingerprint_key;
    uint64_t window_ms;  /* when the present second began */
    unsigned written;    /* lines in it */
    uint64_t suppressed; /* lines not written since the last one that was */
};

/* What a line says beside the reason; empty slices are left out. */
struct lh_refusal {
    enum lh_reason reason;
    const char *step; /* where it failed */
    lh_slice tenant;  /* its id */
    lh_slice session; /* what the fingerprint is made of: the lease id; never logged itself */
    lh_slice request_id;
    bool is_passed; /* as anonymous all the same */
};

/* Whether a line of now_ms (session time) would still be written. */
bool lh_refusal_log_has_room(const struct lh_refusal_log *log, uint64_t now_ms);

/*
 * Writes the line of a refusal: an audit event where the reason has one, else a plain line.
 * A leak is always written; what else is over the limit is counted and told later.
 * now_ms  session time.
 */
void lh_refusal_log_write(struct lh_refusal_log *log, const struct lh_host *host,
                          const struct lh_refusal *refusal, uint64_t now_ms);

#endif
