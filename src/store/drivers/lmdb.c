/*
 * Sessions in an LMDB environment on this machine's disk: the embedded store. Reads are made at
 * once, on the loop; everything else blocks and belongs on a lane. Of the threads see
 * lmdb_env.h, of what lies in the file lmdb_rows.h, of listing and sweeping lmdb_walk.h.
 */
#include "store/drivers/drivers.h"

#include "base/bug.h"
#include "store/drivers/lmdb_use.h"
#include "store/drivers/lmdb_walk.h"
#include "store/place.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/banned.h"

#define LMDB_MAGIC 0x4c6d6462U

/*
 * The map is address space and no memory; the file grows with its content. It begins with a
 * quarter of what it may grow to, so that it hardly ever moves.
 */
#define DEFAULT_CEILING_BYTES ((uint64_t)64 * 1024 * 1024 * 1024)
#define SMALLEST_MAP_BYTES    ((uint64_t)1024 * 1024)
#define DEFAULT_RESERVE_BYTES ((uint64_t)16 * 1024 * 1024)

/*
 * Pages that one change may take: five paths down the tree, split all the way, and free list. Whom
 * a creation evicts are ends of sessions, for which there is the reserve.
 */
#define CHANGE_PAGES    56U
#define PAGES_PER_TOUCH 2U

static struct lh_lmdb *self_of(void *self)
{
    struct lh_lmdb *lmdb = self;
    LH_MAGIC_CHECK(lmdb, LMDB_MAGIC);
    return lmdb;
}

/* --- Load ------------------------------------------------------------------------------------ */

static lh_status lmdb_load(void *self, struct lh_op *op, const struct lh_session_key *key,
                           struct lh_buf *scratch, struct lh_store_row *out_row)
{
    (void)op;
    struct lh_lmdb *lmdb = self_of(self);
    LH_CLEANUP(lh_lmdb_end_read) struct lh_lmdb_read read = LH_LMDB_READ_NONE;
    LH_TRY(lh_lmdb_begin_read(lmdb, &read));
    struct lh_lmdb_row found;
    LH_TRY(lh_lmdb_get_row(lmdb, read.txn, key, &found));
    lh_buf_clear(scratch);
    LH_TRY(lh_buf_add(scratch, found.row.record));
    *out_row = found.row;
    out_row->record = lh_buf_view(scratch);
    return lh_ok();
}

/* --- Changes of one place -------------------------------------------------------------------- */

/* The arguments of one change, for inside the transaction. */
struct change {
    const struct lh_session_key *key;
    const struct lh_store_row *row; /* create, swap */
    uint64_t generation;            /* swap: expected */
    uint64_t time_ms;               /* revoke: absolute end; expire: now */
    const struct lh_store_creation *creation;
    struct lh_store_evicted *evicted; /* create */
};

/* Ends the session that the new one replaces. */
static lh_status end_replaced(struct lh_lmdb *lmdb, MDB_txn *txn,
                              const struct lh_store_creation *creation)
{
    struct lh_lmdb_row present;
    struct lh_store_row tombstone;
    LH_TRY(lh_lmdb_get_row(lmdb, txn, creation->replaces, &present));
    LH_TRY(lh_place_judge_swap(&present.row, creation->replaces_generation));
    (void)lh_place_revoke(&present.row, 0, &tombstone);
    return lh_lmdb_replace_row(lmdb, txn, creation->replaces, &present, &tombstone);
}

static lh_status create_in(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    const struct change *change = context;
    const struct lh_store_creation *creation = change->creation;
    struct lh_lmdb_row present;
    change->evicted->count = 0; /* this may be the second try */
    LH_TRY(lh_lmdb_get_row(lmdb, txn, creation->key, &present));
    LH_TRY(lh_place_judge_create(&present.row));
    if (creation->replaces != NULL) {
        LH_TRY(end_replaced(lmdb, txn, creation));
    }
    if (creation->quota != NULL) {
        LH_TRY(lh_lmdb_make_room(lmdb, txn, creation, change->evicted));
    }
    return lh_lmdb_replace_row(lmdb, txn, creation->key, &present, creation->row);
}

static lh_status swap_in(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    const struct change *change = context;
    struct lh_lmdb_row present;
    LH_TRY(lh_lmdb_get_row(lmdb, txn, change->key, &present));
    LH_TRY(lh_place_judge_swap(&present.row, change->generation));
    struct lh_store_row next = lh_place_follow(&present.row, change->row);
    return lh_lmdb_replace_row(lmdb, txn, change->key, &present, &next);
}

/* Also over what is no row and over rows of a newer version: a revocation wins always. */
static lh_status revoke_in(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    const struct change *change = context;
    struct lh_lmdb_row present;
    lh_status status = lh_lmdb_get_row(lmdb, txn, change->key, &present);
    if (status.code == LH_TAMPERED || status.code == LH_FUTURE_FORMAT) {
        present = (struct lh_lmdb_row){.row = {.kind = LH_PLACE_EMPTY}};
        status = lh_ok();
    }
    LH_TRY(status);
    struct lh_store_row tombstone;
    if (!lh_place_revoke(&present.row, change->time_ms, &tombstone)) {
        return lh_ok();
    }
    return lh_lmdb_replace_row(lmdb, txn, change->key, &present, &tombstone);
}

static lh_status expire_in(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    const struct change *change = context;
    struct lh_lmdb_row present;
    LH_TRY(lh_lmdb_get_row(lmdb, txn, change->key, &present));
    struct lh_store_row tombstone;
    if (present.row.kind != LH_PLACE_RECORD || !lh_place_is_over(&present.row, change->time_ms) ||
        !lh_place_revoke(&present.row, 0, &tombstone)) {
        return lh_ok();
    }
    return lh_lmdb_replace_row(lmdb, txn, change->key, &present, &tombstone);
}

static lh_status quarantine_in(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    const struct change *change = context;
    struct lh_lmdb_row present;
    lh_status status = lh_lmdb_get_row(lmdb, txn, change->key, &present);
    if (status.code == LH_TAMPERED) {
        return lh_ok();
    }
    LH_TRY(status);
    if (present.row.kind != LH_PLACE_RECORD || present.row.is_quarantined) {
        return lh_ok();
    }
    struct lh_lmdb_row former = present;
    present.row.is_quarantined = true;
    present.used_ms = 0;
    LH_TRY(lh_lmdb_rewrite_row(lmdb, txn, change->key, &present));
    return lh_lmdb_unfile_use(lmdb, txn, change->key, &former);
}

static lh_status end_grace_in(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    const struct change *change = context;
    struct lh_lmdb_row present;
    lh_status status = lh_lmdb_get_row(lmdb, txn, change->key, &present);
    if (status.code == LH_TAMPERED) {
        return lh_ok();
    }
    LH_TRY(status);
    if (!lh_place_takes_grace_end(&present.row, change->generation)) {
        return lh_ok();
    }
    present.row.is_grace_over = true;
    return lh_lmdb_rewrite_row(lmdb, txn, change->key, &present);
}

static lh_status run_change(void *self, const struct change *change, bool uses_reserve,
                            lh_status (*work)(struct lh_lmdb *lmdb, MDB_txn *txn, void *context))
{
    struct lh_lmdb *lmdb = self_of(self);
    struct change copied = *change;
    size_t record_pages = change->row == NULL ? 0 : change->row->record.len / lmdb->page_bytes + 1;
    struct lh_lmdb_write write = {.work = work,
                                  .context = &copied,
                                  .pages = CHANGE_PAGES + record_pages,
                                  .uses_reserve = uses_reserve,
                                  .adds = change->row != NULL};
    return lh_lmdb_run_write(lmdb, &write);
}

static lh_status lmdb_create(void *self, struct lh_op *op, const struct lh_store_creation *creation,
                             struct lh_store_evicted *out_evicted)
{
    (void)op;
    struct change change = {
        .key = creation->key, .row = creation->row, .creation = creation, .evicted = out_evicted};
    lh_status status = run_change(self, &change, false, create_in);
    out_evicted->count = lh_is_ok(status) ? out_evicted->count : 0;
    return status;
}

static lh_status lmdb_swap(void *self, struct lh_op *op, const struct lh_session_key *key,
                           uint64_t expected_generation, const struct lh_store_row *row)
{
    (void)op;
    struct change change = {.key = key, .row = row, .generation = expected_generation};
    return run_change(self, &change, false, swap_in);
}

static lh_status lmdb_revoke(void *self, struct lh_op *op, const struct lh_session_key *key,
                             uint64_t absolute_end_ms)
{
    (void)op;
    struct change change = {.key = key, .time_ms = absolute_end_ms};
    return run_change(self, &change, true, revoke_in);
}

static lh_status lmdb_expire(void *self, struct lh_op *op, const struct lh_session_key *key,
                             uint64_t now_ms)
{
    (void)op;
    return run_change(self, &(struct change){.key = key, .time_ms = now_ms}, true, expire_in);
}

static lh_status lmdb_quarantine(void *self, struct lh_op *op, const struct lh_session_key *key)
{
    (void)op;
    return run_change(self, &(struct change){.key = key}, true, quarantine_in);
}

static lh_status lmdb_end_grace(void *self, struct lh_op *op, const struct lh_session_key *key,
                                uint64_t generation)
{
    (void)op;
    struct change change = {.key = key, .generation = generation};
    return run_change(self, &change, true, end_grace_in);
}

/* --- Many new ones --------------------------------------------------------------------------- */

/* Pages that one more of them may take beside its record's: leaves of the five paths, split. */
#define PAGES_PER_CREATE 9U

struct creating {
    struct lh_store_new *rows;
    size_t from; /* the first that is not committed */
    size_t to;   /* behind the last that this transaction may make or, afterwards, has made */
};

static lh_status create_one(struct lh_lmdb *lmdb, MDB_txn *txn, struct lh_store_new *row)
{
    struct lh_lmdb_row present;
    lh_status status = lh_lmdb_get_row(lmdb, txn, &row->key, &present);
    if (lh_is_ok(status)) {
        status = lh_place_judge_create(&present.row);
    }
    row->result = status;
    if (status.code == LH_EXISTS || status.code == LH_REVOKED || status.code == LH_TAMPERED) {
        return lh_ok();
    }
    LH_TRY(status);
    return lh_lmdb_replace_row(lmdb, txn, &row->key, &present, &row->row);
}

static lh_status create_many_in(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    struct creating *creating = context;
    uint64_t until_us = lh_lmdb_now_us() + LH_LMDB_WORK_US;
    for (size_t i = creating->from; i < creating->to; i++) {
        LH_TRY(create_one(lmdb, txn, &creating->rows[i]));
        if (lh_lmdb_now_us() >= until_us) {
            creating->to = i + 1;
        }
    }
    return lh_ok();
}

static lh_status write_new(struct lh_lmdb *lmdb, struct creating *creating)
{
    size_t pages = CHANGE_PAGES - PAGES_PER_CREATE; /* which has the first in it */
    for (size_t i = creating->from; i < creating->to; i++) {
        pages += PAGES_PER_CREATE + creating->rows[i].row.record.len / lmdb->page_bytes + 1;
    }
    struct lh_lmdb_write write = {
        .work = create_many_in, .context = creating, .pages = pages, .adds = true};
    return lh_lmdb_run_write(lmdb, &write);
}

/* Near the end of the space there may be room for one where there is none for many. */
static lh_status lmdb_create_many(void *self, struct lh_store_new *rows, size_t count)
{
    size_t at_most = count;
    struct creating creating = {.rows = rows};
    while (creating.from < count) {
        size_t left = count - creating.from;
        creating.to = creating.from + (left < at_most ? left : at_most);
        lh_status status = write_new(self_of(self), &creating);
        if (status.code == LH_NO_SPACE && at_most > 1) {
            at_most = 1;
            continue;
        }
        LH_TRY(status);
        creating.from = creating.to;
    }
    return lh_ok();
}

/* --- Touches --------------------------------------------------------------------------------- */

struct touching {
    const struct lh_store_touch *touches;
    size_t count;
    size_t from; /* the first that is not committed */
    size_t to;   /* behind the last that this transaction has made */
};

static lh_status touch_one(struct lh_lmdb *lmdb, MDB_txn *txn, const struct lh_store_touch *touch)
{
    struct lh_lmdb_row present;
    lh_status status = lh_lmdb_get_row(lmdb, txn, &touch->key, &present);
    if (status.code == LH_TAMPERED || status.code == LH_FUTURE_FORMAT) {
        return lh_ok(); /* no record of ours: nothing to touch, and no reason to fail the batch */
    }
    LH_TRY(status);
    if (!lh_place_takes_touch(&present.row, touch->touch_ms)) {
        return lh_ok();
    }
    present.row.last_touch_ms = touch->touch_ms;
    return lh_lmdb_rewrite_row(lmdb, txn, &touch->key, &present);
}

static lh_status touch_in(struct lh_lmdb *lmdb, MDB_txn *txn, void *context)
{
    struct touching *touching = context;
    uint64_t until_us = lh_lmdb_now_us() + LH_LMDB_WORK_US;
    touching->to = touching->from;
    while (touching->to < touching->count) {
        LH_TRY(touch_one(lmdb, txn, &touching->touches[touching->to]));
        touching->to++;
        if (lh_lmdb_now_us() >= until_us) {
            break;
        }
    }
    return lh_ok();
}

static lh_status lmdb_touch(void *self, const struct lh_store_touch *touches, size_t count)
{
    struct touching touching = {.touches = touches, .count = count};
    while (touching.from < count) {
        struct lh_lmdb_write write = {.work = touch_in,
                                      .context = &touching,
                                      .pages = CHANGE_PAGES + PAGES_PER_TOUCH * count};
        LH_TRY(lh_lmdb_run_write(self_of(self), &write));
        touching.from = touching.to;
    }
    return lh_ok();
}

/* --- Over many rows -------------------------------------------------------------------------- */

static lh_status lmdb_list(void *self, const struct lh_tenant_uid *uid, uint32_t bucket,
                           const struct lh_user_tag *user_tag, struct lh_store_page *page,
                           bool (*each)(void *context, const struct lh_session_key *key,
                                        const struct lh_store_row *row),
                           void *context)
{
    return lh_lmdb_list(self_of(self), uid, bucket, user_tag, page, each, context);
}

static lh_status lmdb_sweep(void *self, uint64_t now_ms, size_t max_rows, size_t *out_handled)
{
    return lh_lmdb_sweep(self_of(self), now_ms, max_rows, out_handled);
}

static lh_status lmdb_count(void *self, struct lh_store_counts *out_counts)
{
    return lh_lmdb_count(self_of(self), out_counts);
}

/* --- Upkeep and life ------------------------------------------------------------------------- */

static lh_status lmdb_sync(void *self)
{
    return lh_lmdb_sync(self_of(self));
}

static lh_status lmdb_maintain(void *self)
{
    return lh_lmdb_maintain(self_of(self));
}

static bool is_child(const struct lh_lmdb *lmdb)
{
    return lmdb->live_mark != NULL && *lmdb->live_mark == 0;
}

/* A forked child leaves the environment alone: it is the parent's, down to the reader's slot. */
static void free_lmdb(struct lh_lmdb *lmdb)
{
    if (!is_child(lmdb)) {
        lh_lmdb_close_env(lmdb);
    } else if (lmdb->join_fd >= 0) {
        (void)close(lmdb->join_fd);
    }
    if (lmdb->live_mark != NULL) {
        (void)munmap((void *)(uintptr_t)lmdb->live_mark, (size_t)sysconf(_SC_PAGESIZE));
    }
    (void)pthread_mutex_destroy(&lmdb->writing);
    (void)pthread_mutex_destroy(&lmdb->reading);
    lh_buf_fini(&lmdb->scratch);
    free(lmdb->path);
    lmdb->magic = 0;
    free(lmdb);
}

static void fini_lmdb(struct lh_lmdb **lmdb)
{
    if (*lmdb != NULL) {
        free_lmdb(*lmdb);
    }
}

static void lmdb_close(void *self)
{
    free_lmdb(self_of(self));
}

static const struct lh_store_driver lh_store_lmdb = {
    .name = "lmdb",
    .traits = LH_STORE_DURABLE | LH_STORE_SCANS | LH_STORE_SWAPS | LH_STORE_BLOCKS,
    .load = lmdb_load,
    .create = lmdb_create,
    .create_many = lmdb_create_many,
    .swap = lmdb_swap,
    .revoke = lmdb_revoke,
    .expire = lmdb_expire,
    .quarantine = lmdb_quarantine,
    .end_grace = lmdb_end_grace,
    .touch = lmdb_touch,
    .list = lmdb_list,
    .sweep = lmdb_sweep,
    .sync = lmdb_sync,
    .maintain = lmdb_maintain,
    .count = lmdb_count,
    .close = lmdb_close,
};

/* A page that reads 1 here and 0 in every child of a fork. */
static lh_status make_live_mark(const volatile uint8_t **out_mark)
{
    size_t len = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    LH_ENSURE(page != MAP_FAILED, LH_NO_MEMORY);
    (void)madvise(page, len, MADV_WIPEONFORK);
    page[0] = 1;
    *out_mark = page;
    return lh_ok();
}

static void set_sizes(struct lh_lmdb *lmdb, const struct lh_store_options *options)
{
    uint64_t ceiling = options->map_bytes == 0 ? DEFAULT_CEILING_BYTES : options->map_bytes;
    lmdb->ceiling_bytes = ceiling > SMALLEST_MAP_BYTES ? ceiling : SMALLEST_MAP_BYTES;
    uint64_t start = lmdb->ceiling_bytes / 4;
    lmdb->start_bytes = start > SMALLEST_MAP_BYTES ? start : SMALLEST_MAP_BYTES;
    uint64_t reserve = options->reserve_bytes == 0 ? DEFAULT_RESERVE_BYTES : options->reserve_bytes;
    uint64_t most = lmdb->ceiling_bytes / 4;
    lmdb->reserve_bytes = reserve < most ? reserve : most;
}

lh_status lh_store_open_lmdb(const struct lh_store_options *options,
                             const struct lh_store_driver **out_driver, void **out_self)
{
    LH_ENSURE(options->path != NULL, LH_INVALID);
    LH_CLEANUP(fini_lmdb) struct lh_lmdb *lmdb = calloc(1, sizeof(*lmdb));
    LH_ENSURE(lmdb != NULL, LH_NO_MEMORY);
    lmdb->magic = LMDB_MAGIC;
    lmdb->join_fd = -1;
    lmdb->host = options->host;
    lmdb->is_read_only = options->is_read_only;
    LH_BUG_IF(pthread_mutex_init(&lmdb->writing, NULL) != 0);
    LH_BUG_IF(pthread_mutex_init(&lmdb->reading, NULL) != 0);
    set_sizes(lmdb, options);
    lmdb->path = strdup(options->path);
    LH_ENSURE(lmdb->path != NULL, LH_NO_MEMORY);
    LH_TRY(make_live_mark(&lmdb->live_mark));
    LH_TRY(lh_lmdb_open_env(lmdb, options->may_create && !options->is_read_only));
    *out_driver = &lh_store_lmdb;
    *out_self = lmdb;
    lmdb = NULL;
    return lh_ok();
}
