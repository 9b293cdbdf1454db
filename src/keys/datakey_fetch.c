/*
 * A fetch is a task on the fetch lane. It belongs to the tenant, not to a request: those who wait
 * for it may go away at any time. What the lane's thread touches (the driver, its crypto, the
 * slot that it fills) lives until the last task is done, even if the cache is gone.
 */
#include "keys/datakey_fetch.h"

#include "base/bug.h"
#include "base/map.h"
#include "keys/keys_share.h"

#include <stdatomic.h>

#include "base/banned.h"

#define FETCHER_MAGIC 0x4c484446U /* "LHDF" */
#define FETCH_MAGIC   0x4c484644U /* "LHFD" */
#define RECORD_LABEL  "leasehold record v1"
#define COOKIE_LABEL  "leasehold sealed cookie v1"

struct lh_datakey_fetcher {
    uint32_t magic;
    uint32_t references; /* the cache's, and one per fetch; loop thread only */
    struct lh_datakey_fetcher_parts parts;
    struct lh_secret_pool *pool;   /* owned */
    struct lh_map under_way;       /* id → fetch */
    struct lh_crypto *lane_crypto; /* owned; made and used on the lane's thread */
    atomic_bool is_abandoned;      /* read on the lane's thread: do not begin any more */
};

struct fetch {
    struct lh_task task; /* first */
    uint32_t magic;
    struct lh_datakey_fetcher *fetcher;
    struct lh_datakey_id id;
    struct lh_datakey *key; /* slot of the pool, filled on the lane's thread */
    lh_status status;
    struct lh_op *waiters;
    size_t blob_len;
    uint8_t blob[LH_WRAPPED_MAX_BYTES];
};

static struct fetch *fetch_of(struct lh_task *task)
{
    struct fetch *fetch = (struct fetch *)task;
    LH_MAGIC_CHECK(fetch, FETCH_MAGIC);
    return fetch;
}

/* --- On the lane's thread --------------------------------------------------------------------- */

static lh_status derive_keys(struct lh_crypto *crypto, const struct lh_datakey_id *id,
                             const struct lh_key *dek, struct lh_datakey *out_key)
{
    LH_TRY(lh_sealing_key_derive(crypto, dek, LH_SLICE_LITERAL(RECORD_LABEL), &id->uid,
                                 &out_key->record));
    LH_TRY(lh_sealing_key_derive(crypto, dek, LH_SLICE_LITERAL(COOKIE_LABEL), &id->uid,
                                 &out_key->cookie));
    LH_TRY(lh_sealing_key_derive(crypto, dek, LH_SLICE_LITERAL(LH_SHARED_SECRET_LABEL), &id->uid,
                                 &out_key->secret));
    out_key->dek_id = id->dek_id;
    return lh_ok();
}

/* A caller of the cache can do nothing about these but wait. */
static lh_status as_seen_by_callers(lh_status status)
{
    bool is_fault_of_driver = status.code == LH_UNSAFE_FILE || status.code == LH_INVALID;
    return is_fault_of_driver ? lh_status_of(LH_KEY_DOWN) : status;
}

static lh_status unwrap_key(struct fetch *fetch, struct lh_crypto *crypto)
{
    struct lh_wrap_scope scope = {
        .purpose = LH_WRAP_DEK, .uid = fetch->id.uid, .key_id = fetch->id.dek_id};
    LH_CLEANUP(lh_key_fini) struct lh_key dek;
    LH_TRY(lh_keys_unwrap(fetch->fetcher->parts.keys, crypto, &scope,
                          lh_slice_of(fetch->blob, fetch->blob_len), &dek));
    return derive_keys(crypto, &fetch->id, &dek, fetch->key);
}

static lh_status run_on_lane(struct fetch *fetch)
{
    struct lh_datakey_fetcher *fetcher = fetch->fetcher;
    LH_ENSURE(!atomic_load(&fetcher->is_abandoned), LH_KEY_DOWN);
    if (fetcher->lane_crypto == NULL) {
        LH_TRY(lh_crypto_new(&fetcher->lane_crypto));
    }
    lh_status status = unwrap_key(fetch, fetcher->lane_crypto);
    LH_TRY(lh_crypto_forget_keys(fetcher->lane_crypto));
    return status;
}

static void run_fetch(struct lh_task *task)
{
    struct fetch *fetch = fetch_of(task);
    fetch->status = as_seen_by_callers(run_on_lane(fetch));
}

/* --- On the loop ------------------------------------------------------------------------------ */

static void release_fetcher(struct lh_datakey_fetcher *fetcher)
{
    fetcher->references--;
    if (fetcher->references > 0) {
        return;
    }
    lh_secret_pool_free(fetcher->pool);
    lh_crypto_free(fetcher->lane_crypto);
    lh_keys_close(fetcher->parts.keys);
    lh_map_fini(&fetcher->under_way);
    fetcher->magic = 0;
    free(fetcher);
}

/* One by one from the list: whoever wakes may cancel others that wait here. */
static void wake_waiters(struct fetch *fetch, lh_status result)
{
    while (fetch->waiters != NULL) {
        struct lh_op *op = fetch->waiters;
        fetch->waiters = op->next;
        op->next = NULL;
        lh_op_complete(op, result);
    }
}

static void detach_waiter(struct lh_op *op)
{
    struct fetch *fetch = op->holder;
    for (struct lh_op **at = &fetch->waiters; *at != NULL; at = &(*at)->next) {
        if (*at == op) {
            *at = op->next;
            op->next = NULL;
            return;
        }
    }
}

static void free_fetch(struct fetch *fetch)
{
    struct lh_datakey_fetcher *fetcher = fetch->fetcher;
    lh_secret_pool_give(fetcher->pool, fetch->key);
    fetch->magic = 0;
    free(fetch);
    release_fetcher(fetcher);
}

static void end_fetch(struct lh_task *task)
{
    struct fetch *fetch = fetch_of(task);
    struct lh_datakey_fetcher *fetcher = fetch->fetcher;
    if (!atomic_load(&fetcher->is_abandoned)) {
        (void)lh_map_remove(&fetcher->under_way, LH_SLICE_OF(fetch->id));
        struct lh_datakey *key = NULL;
        if (lh_is_ok(fetch->status)) {
            key = fetch->key;
            fetch->key = NULL;
        }
        lh_status told =
            fetcher->parts.receive(fetcher->parts.receiver, &fetch->id, fetch->status, key);
        wake_waiters(fetch, told);
    }
    free_fetch(fetch);
}

static lh_status new_fetch(struct lh_datakey_fetcher *fetcher, const struct lh_datakey_id *id,
                           lh_slice blob, struct fetch **out_fetch)
{
    LH_ENSURE(blob.len > 0 && blob.len <= LH_WRAPPED_MAX_BYTES, LH_TAMPERED);
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    LH_ENSURE(fetch != NULL, LH_NO_MEMORY);
    fetch->task = (struct lh_task){.run = run_fetch, .done = end_fetch, .is_urgent = true};
    fetch->magic = FETCH_MAGIC;
    fetch->fetcher = fetcher;
    fetch->id = *id;
    fetch->blob_len = blob.len;
    memcpy(fetch->blob, blob.ptr, blob.len);
    fetcher->references++;
    void *slot;
    lh_status status = lh_secret_pool_take(fetcher->pool, &slot);
    if (!lh_is_ok(status)) {
        free_fetch(fetch);
        return status;
    }
    fetch->key = slot;
    *out_fetch = fetch;
    return lh_ok();
}

/* Errors: KEY_DOWN (the lane takes no more). */
static lh_status submit(struct lh_datakey_fetcher *fetcher, struct fetch *fetch)
{
    if ((lh_keys_traits(fetcher->parts.keys) & LH_KEYS_BLOCKS) == 0) {
        fetch->status = as_seen_by_callers(unwrap_key(fetch, fetcher->parts.crypto));
        end_fetch(&fetch->task);
        return lh_ok();
    }
    const struct lh_host *host = fetcher->parts.host;
    if (lh_is_ok(host->offload(host->self, LH_LANE_FETCH, &fetch->task))) {
        return lh_ok(); /* fetch may be gone already */
    }
    (void)lh_map_remove(&fetcher->under_way, LH_SLICE_OF(fetch->id));
    free_fetch(fetch);
    return lh_status_of(LH_KEY_DOWN);
}

bool lh_datakey_fetcher_is_under_way(const struct lh_datakey_fetcher *fetcher,
                                     const struct lh_datakey_id *id)
{
    LH_MAGIC_CHECK(fetcher, FETCHER_MAGIC);
    return lh_map_find(&fetcher->under_way, LH_SLICE_OF(*id)) != NULL;
}

lh_status lh_datakey_fetcher_start(struct lh_datakey_fetcher *fetcher,
                                   const struct lh_datakey_id *id, lh_slice blob)
{
    LH_MAGIC_CHECK(fetcher, FETCHER_MAGIC);
    LH_BUG_IF(lh_datakey_fetcher_is_under_way(fetcher, id));
    LH_ENSURE(fetcher->under_way.count < LH_DATAKEY_FETCHES_MAX, LH_KEY_DOWN);
    struct fetch *fetch;
    LH_TRY(new_fetch(fetcher, id, blob, &fetch));
    lh_status status = lh_map_put(&fetcher->under_way, LH_SLICE_OF(fetch->id), fetch);
    if (!lh_is_ok(status)) {
        free_fetch(fetch);
        return status;
    }
    return submit(fetcher, fetch);
}

lh_status lh_datakey_fetcher_wait(struct lh_datakey_fetcher *fetcher,
                                  const struct lh_datakey_id *id, struct lh_op *op)
{
    LH_MAGIC_CHECK(fetcher, FETCHER_MAGIC);
    struct fetch *fetch = lh_map_find(&fetcher->under_way, LH_SLICE_OF(*id));
    LH_ENSURE(fetch != NULL, LH_ABSENT);
    lh_op_wait(op, detach_waiter, fetch);
    op->next = fetch->waiters;
    fetch->waiters = op;
    return lh_status_of(LH_PENDING);
}

void lh_datakey_fetcher_give_back(struct lh_datakey_fetcher *fetcher, struct lh_datakey *key)
{
    LH_MAGIC_CHECK(fetcher, FETCHER_MAGIC);
    lh_secret_pool_give(fetcher->pool, key);
}

bool lh_datakey_fetcher_is_locked(const struct lh_datakey_fetcher *fetcher)
{
    LH_MAGIC_CHECK(fetcher, FETCHER_MAGIC);
    return lh_secret_pool_is_locked(fetcher->pool);
}

lh_status lh_datakey_fetcher_new(const struct lh_datakey_fetcher_parts *parts,
                                 struct lh_datakey_fetcher **out_fetcher)
{
    LH_ENSURE(parts->keys_max > 0 && parts->keys_max < SIZE_MAX / 2, LH_INVALID);
    struct lh_datakey_fetcher *fetcher = calloc(1, sizeof(*fetcher));
    LH_ENSURE(fetcher != NULL, LH_NO_MEMORY);
    fetcher->magic = FETCHER_MAGIC;
    fetcher->references = 1;
    fetcher->parts = *parts;
    lh_map_init(&fetcher->under_way, LH_DATAKEY_FETCHES_MAX, &parts->hash_key);
    lh_status status =
        lh_secret_pool_new(sizeof(struct lh_datakey), parts->keys_max + LH_DATAKEY_FETCHES_MAX,
                           parts->lock_policy, &fetcher->pool);
    if (!lh_is_ok(status)) {
        free(fetcher);
        return status;
    }
    (void)lh_keys_ref(parts->keys);
    *out_fetcher = fetcher;
    return lh_ok();
}

void lh_datakey_fetcher_free(struct lh_datakey_fetcher *fetcher)
{
    if (fetcher == NULL) {
        return;
    }
    LH_MAGIC_CHECK(fetcher, FETCHER_MAGIC);
    size_t position = 0;
    for (struct fetch *fetch; (fetch = lh_map_next(&fetcher->under_way, &position)) != NULL;) {
        while (fetch->waiters != NULL) {
            lh_op_cancel(fetch->waiters);
        }
    }
    atomic_store(&fetcher->is_abandoned, true);
    release_fetcher(fetcher);
}
