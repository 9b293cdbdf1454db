/*
 * How a loop writes without writing: a bounded queue of touches, expiries and marks (set aside, end
 * of a grace),
 * drained in batches on the host's write lane by at most one task at a time. A touch is dropped
 * and counted when the queue is full, and is then not remembered as made; the others go ahead of
 * touches and have room of their own.
 */
#ifndef LH_STORE_WRITE_QUEUE_H
#define LH_STORE_WRITE_QUEUE_H

#include "store/store.h"

struct lh_write_queue;

struct lh_write_queue_counts {
    uint64_t touches_made;
    uint64_t touches_dropped; /* the queue was full */
    uint64_t touches_failed;  /* the store refused the batch */
    uint64_t urgent_made;
    uint64_t urgent_failed; /* the queue was full or the store refused */
    lh_status last_failure; /* why the store refused last; OK: it never did */
};

/*
 * Makes a queue.
 * store, host  borrowed for its life. touches_max: touches waiting at most.
 * Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_write_queue_new(struct lh_store *store, const struct lh_host *host,
                                         size_t touches_max, struct lh_write_queue **out_queue);
/*
 * Frees an idle queue; what waits is dropped. If a batch is on the lane's thread, the queue is
 * abandoned: the end of the batch frees it, if the process still sees it; the store must live
 * until then. NULL is accepted.
 */
void lh_write_queue_free(struct lh_write_queue *queue);

/*
 * Queues a touch; of several touches of one session that wait, the latest is made. Loop thread
 * only, never blocks. Errors: QUEUE_FULL (dropped and counted).
 */
LH_MUST_USE lh_status lh_write_queue_touch(struct lh_write_queue *queue,
                                           const struct lh_session_key *key, uint64_t touch_ms);
/* Queues "this has expired". Errors: QUEUE_FULL. */
LH_MUST_USE lh_status lh_write_queue_expire(struct lh_write_queue *queue,
                                            const struct lh_session_key *key, uint64_t now_ms);
/* Queues the end of a grace. Errors: QUEUE_FULL. */
LH_MUST_USE lh_status lh_write_queue_end_grace(struct lh_write_queue *queue,
                                               const struct lh_session_key *key,
                                               uint64_t generation);
/* Queues a quarantine mark. Errors: QUEUE_FULL. */
LH_MUST_USE lh_status lh_write_queue_quarantine(struct lh_write_queue *queue,
                                                const struct lh_session_key *key);
/* What has happened so far. */
void lh_write_queue_read_counts(const struct lh_write_queue *queue,
                                struct lh_write_queue_counts *out_counts);

#endif
