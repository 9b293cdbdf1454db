/*
 * The queue by which a loop writes without writing.
 *
 * Threads. The queue is the loop's alone. What is to be written is copied into the one batch; the
 * batch is the lane thread's from offload until done and nobody else looks at it meanwhile. The
 * host's own hand-over orders the memory, so there is no lock here, and none is held while
 * anything is written.
 *
 * At most one batch is under way. What comes meanwhile waits and makes the next batch larger, so
 * the queue needs no timer: the slower writing is, the more touches share one transaction.
 */
#include "store/write_queue.h"

#include "base/bug.h"
#include "base/map.h"

#include <sys/random.h>

#include "base/banned.h"

#define WRITE_QUEUE_MAGIC 0x57725175U

/* Urgent writes that may wait, and how many go in one batch: each is a transaction of its own. */
#define URGENT_MAX   256U
#define URGENT_BATCH 32U

_Static_assert(sizeof(struct lh_session_key) == LH_SESSION_KEY_BYTES,
               "a key without padding is its own bytes in the map");

enum urgent_kind { URGENT_EXPIRE, URGENT_QUARANTINE, URGENT_END_GRACE };

struct urgent {
    enum urgent_kind kind;
    struct lh_session_key key;
    uint64_t number; /* expire: now in ms; end of a grace: generation; the larger one counts */
};

enum batch_state {
    BATCH_EMPTY,
    BATCH_READY,    /* filled; the host has not taken it yet */
    BATCH_UNDER_WAY /* the host's */
};

struct batch {
    struct lh_task task; /* first: a task is its batch */
    struct lh_write_queue *queue;
    enum batch_state state;
    size_t touch_count;
    size_t urgent_count;
    struct lh_store_touch touches[LH_STORE_BATCH_ROWS];
    struct urgent urgents[URGENT_BATCH];
    size_t touches_failed; /* what run could not write */
    size_t urgents_failed;
    lh_status failure; /* the last of them */
};

struct lh_write_queue {
    uint32_t magic;
    struct lh_store *store;     /* borrowed */
    const struct lh_host *host; /* borrowed */

    struct lh_store_touch *touches; /* owned; a ring */
    size_t touches_max;
    size_t touch_first;
    size_t touch_count;
    struct lh_map waiting; /* session key -> its touch in the ring */

    struct urgent urgents[URGENT_MAX]; /* a ring */
    size_t urgent_first;
    size_t urgent_count;

    struct batch batch;
    bool is_submitting; /* a host that runs tasks at once calls done from inside offload */
    bool is_abandoned;  /* freed while its batch was under way */
    struct lh_write_queue_counts counts;
};

/* --- On the lane's thread -------------------------------------------------------------------- */

static lh_status write_urgent(struct lh_store *store, const struct urgent *urgent)
{
    switch (urgent->kind) {
    case URGENT_EXPIRE:
        return lh_store_expire(store, NULL, &urgent->key, urgent->number);
    case URGENT_END_GRACE:
        return lh_store_end_grace(store, NULL, &urgent->key, urgent->number);
    case URGENT_QUARANTINE:
        break;
    }
    return lh_store_quarantine(store, NULL, &urgent->key);
}

static void run_batch(struct lh_task *task)
{
    struct batch *batch = (struct batch *)task;
    struct lh_store *store = batch->queue->store;
    batch->urgents_failed = 0;
    batch->failure = lh_ok();
    for (size_t i = 0; i < batch->urgent_count; i++) {
        lh_status written = write_urgent(store, &batch->urgents[i]);
        batch->urgents_failed += lh_is_ok(written) ? 0 : 1;
        batch->failure = lh_is_ok(written) ? batch->failure : written;
    }
    lh_status touched = lh_store_touch(store, batch->touches, batch->touch_count);
    batch->touches_failed = lh_is_ok(touched) ? 0 : batch->touch_count;
    batch->failure = lh_is_ok(touched) ? batch->failure : touched;
}

/* --- Batches --------------------------------------------------------------------------------- */

static void free_queue(struct lh_write_queue *queue)
{
    lh_map_fini(&queue->waiting);
    free(queue->touches);
    queue->magic = 0;
    free(queue);
}

static void take_urgents(struct lh_write_queue *queue)
{
    struct batch *batch = &queue->batch;
    while (batch->urgent_count < URGENT_BATCH && queue->urgent_count > 0) {
        batch->urgents[batch->urgent_count++] = queue->urgents[queue->urgent_first];
        queue->urgent_first = (queue->urgent_first + 1) % URGENT_MAX;
        queue->urgent_count--;
    }
}

static void take_touches(struct lh_write_queue *queue)
{
    struct batch *batch = &queue->batch;
    while (batch->touch_count < LH_STORE_BATCH_ROWS && queue->touch_count > 0) {
        struct lh_store_touch *touch = &queue->touches[queue->touch_first];
        LH_BUG_IF(lh_map_remove(&queue->waiting, LH_SLICE_OF(touch->key)) != touch);
        batch->touches[batch->touch_count++] = *touch;
        queue->touch_first = (queue->touch_first + 1) % queue->touches_max;
        queue->touch_count--;
    }
}

/*
 * Urgent writes alone, or else touches: so the urgent batch is soon over. A batch of touches that
 * the host has not taken yet takes urgent writes along, which are then made first.
 */
static void fill_batch(struct lh_write_queue *queue)
{
    struct batch *batch = &queue->batch;
    take_urgents(queue);
    if (batch->urgent_count == 0) {
        take_touches(queue);
    }
    batch->task.is_urgent = batch->urgent_count > 0;
    batch->state = batch->urgent_count + batch->touch_count > 0 ? BATCH_READY : BATCH_EMPTY;
}

static void empty_batch(struct batch *batch)
{
    batch->touch_count = 0;
    batch->urgent_count = 0;
    batch->state = BATCH_EMPTY;
}

/*
 * Gives the host what waits, one batch at a time. A host that does not take it now is asked again
 * by the next write: then the batch waits, filled.
 */
static void submit(struct lh_write_queue *queue)
{
    struct batch *batch = &queue->batch;
    if (queue->is_submitting) {
        return;
    }
    queue->is_submitting = true;
    while (batch->state != BATCH_UNDER_WAY) {
        fill_batch(queue);
        if (batch->state == BATCH_EMPTY) {
            break;
        }
        batch->state = BATCH_UNDER_WAY;
        if (!lh_is_ok(queue->host->offload(queue->host->self, LH_LANE_WRITE, &batch->task))) {
            batch->state = BATCH_READY;
            break;
        }
    }
    queue->is_submitting = false;
}

static void count_batch(struct lh_write_queue *queue)
{
    const struct batch *batch = &queue->batch;
    struct lh_write_queue_counts *counts = &queue->counts;
    counts->urgent_made += batch->urgent_count - batch->urgents_failed;
    counts->urgent_failed += batch->urgents_failed;
    counts->touches_made += batch->touch_count - batch->touches_failed;
    counts->touches_failed += batch->touches_failed;
    if (!lh_is_ok(batch->failure)) {
        counts->last_failure = batch->failure;
    }
}

static void finish_batch(struct lh_task *task)
{
    struct lh_write_queue *queue = ((struct batch *)task)->queue;
    LH_MAGIC_CHECK(queue, WRITE_QUEUE_MAGIC);
    if (queue->is_abandoned) {
        free_queue(queue);
        return;
    }
    count_batch(queue);
    empty_batch(&queue->batch);
    submit(queue);
}

/* --- Queueing -------------------------------------------------------------------------------- */

static lh_status add_touch(struct lh_write_queue *queue, const struct lh_session_key *key,
                           uint64_t touch_ms)
{
    struct lh_store_touch *waiting = lh_map_find(&queue->waiting, LH_SLICE_OF(*key));
    if (waiting != NULL) {
        waiting->touch_ms = touch_ms > waiting->touch_ms ? touch_ms : waiting->touch_ms;
        return lh_ok();
    }
    LH_ENSURE(queue->touch_count < queue->touches_max, LH_QUEUE_FULL);
    size_t at = (queue->touch_first + queue->touch_count) % queue->touches_max;
    struct lh_store_touch *touch = &queue->touches[at];
    *touch = (struct lh_store_touch){*key, touch_ms};
    if (!lh_is_ok(lh_map_put(&queue->waiting, LH_SLICE_OF(touch->key), touch))) {
        return lh_status_of(LH_QUEUE_FULL); /* no memory for the table: as good as full */
    }
    queue->touch_count++;
    return lh_ok();
}

lh_status lh_write_queue_touch(struct lh_write_queue *queue, const struct lh_session_key *key,
                               uint64_t touch_ms)
{
    LH_MAGIC_CHECK(queue, WRITE_QUEUE_MAGIC);
    lh_status status = add_touch(queue, key, touch_ms);
    queue->counts.touches_dropped += lh_is_ok(status) ? 0 : 1;
    submit(queue);
    return status;
}

/* What waits already need not wait twice; of two expiries the later moment decides. */
static bool is_waiting(struct lh_write_queue *queue, const struct urgent *urgent)
{
    for (size_t i = 0; i < queue->urgent_count; i++) {
        struct urgent *other = &queue->urgents[(queue->urgent_first + i) % URGENT_MAX];
        if (other->kind == urgent->kind && lh_session_key_is_equal(&other->key, &urgent->key)) {
            other->number = urgent->number > other->number ? urgent->number : other->number;
            return true;
        }
    }
    return false;
}

static lh_status add_urgent(struct lh_write_queue *queue, const struct urgent *urgent)
{
    if (is_waiting(queue, urgent)) {
        return lh_ok();
    }
    LH_ENSURE(queue->urgent_count < URGENT_MAX, LH_QUEUE_FULL);
    queue->urgents[(queue->urgent_first + queue->urgent_count) % URGENT_MAX] = *urgent;
    queue->urgent_count++;
    return lh_ok();
}

static lh_status queue_urgent(struct lh_write_queue *queue, const struct urgent *urgent)
{
    LH_MAGIC_CHECK(queue, WRITE_QUEUE_MAGIC);
    lh_status status = add_urgent(queue, urgent);
    queue->counts.urgent_failed += lh_is_ok(status) ? 0 : 1;
    submit(queue);
    return status;
}

lh_status lh_write_queue_expire(struct lh_write_queue *queue, const struct lh_session_key *key,
                                uint64_t now_ms)
{
    return queue_urgent(queue, &(struct urgent){URGENT_EXPIRE, *key, now_ms});
}

lh_status lh_write_queue_end_grace(struct lh_write_queue *queue, const struct lh_session_key *key,
                                   uint64_t generation)
{
    return queue_urgent(queue, &(struct urgent){URGENT_END_GRACE, *key, generation});
}

lh_status lh_write_queue_quarantine(struct lh_write_queue *queue, const struct lh_session_key *key)
{
    return queue_urgent(queue, &(struct urgent){URGENT_QUARANTINE, *key, 0});
}

void lh_write_queue_read_counts(const struct lh_write_queue *queue,
                                struct lh_write_queue_counts *out_counts)
{
    LH_MAGIC_CHECK(queue, WRITE_QUEUE_MAGIC);
    *out_counts = queue->counts;
}

/* --- Life ------------------------------------------------------------------------------------ */

lh_status lh_write_queue_new(struct lh_store *store, const struct lh_host *host, size_t touches_max,
                             struct lh_write_queue **out_queue)
{
    LH_BUG_IF(touches_max == 0);
    struct lh_siphash_key hash_key;
    LH_ENSURE(getrandom(&hash_key, sizeof(hash_key), 0) == (ssize_t)sizeof(hash_key), LH_NO_MEMORY);
    struct lh_write_queue *queue = calloc(1, sizeof(*queue));
    LH_ENSURE(queue != NULL, LH_NO_MEMORY);
    queue->magic = WRITE_QUEUE_MAGIC;
    queue->store = store;
    queue->host = host;
    queue->touches_max = touches_max;
    queue->batch = (struct batch){.task = {.run = run_batch, .done = finish_batch}, .queue = queue};
    lh_map_init(&queue->waiting, touches_max, &hash_key);
    queue->touches = calloc(touches_max, sizeof(*queue->touches));
    if (queue->touches == NULL) {
        free_queue(queue);
        return lh_status_of(LH_NO_MEMORY);
    }
    *out_queue = queue;
    return lh_ok();
}

void lh_write_queue_free(struct lh_write_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    LH_MAGIC_CHECK(queue, WRITE_QUEUE_MAGIC);
    if (queue->batch.state == BATCH_UNDER_WAY) {
        queue->is_abandoned = true; /* the lane still reads it; its done frees it, if it comes */
        return;
    }
    free_queue(queue);
}
