/*
 * Around every driver: which driver, whether the arguments can be, and whether the answer is the
 * answer to the question. Each record lies in the store behind the key of its place (the echo),
 * so that a row which a fault has moved or answered for another key is noticed without a key to
 * open it.
 */
#include "store/store.h"

#include "base/bug.h"
#include "store/drivers/drivers.h"

#include <stdatomic.h>

#include "base/banned.h"

#define STORE_MAGIC 0x53746f72U

struct lh_store {
    uint32_t magic;
    const struct lh_store_driver *driver;
    void *self;
    bool is_read_only;
    atomic_bool is_partial;
};

struct driver_row {
    const char *name;
    lh_status (*open)(const struct lh_store_options *options,
                      const struct lh_store_driver **out_driver, void **out_self);
};

static const struct driver_row driver_rows[] = {
#define LH_STORE_DRIVER_ROW(name) {#name, lh_store_open_##name},
    LH_STORE_DRIVERS(LH_STORE_DRIVER_ROW)
#undef LH_STORE_DRIVER_ROW
};

static const struct driver_row *find_driver(const char *name)
{
    for (size_t i = 0; i < sizeof(driver_rows) / sizeof(driver_rows[0]); i++) {
        if (strcmp(driver_rows[i].name, name) == 0) {
            return &driver_rows[i];
        }
    }
    return NULL;
}

lh_status lh_store_open(const char *driver_name, const struct lh_store_options *options,
                        struct lh_store **out_store)
{
    const struct driver_row *row = find_driver(driver_name);
    LH_ENSURE(row != NULL, LH_INVALID);
    struct lh_store *store = calloc(1, sizeof(*store));
    LH_ENSURE(store != NULL, LH_NO_MEMORY);
    store->magic = STORE_MAGIC;
    store->is_read_only = options->is_read_only;
    lh_status opened = row->open(options, &store->driver, &store->self);
    if (!lh_is_ok(opened)) {
        free(store);
        return opened;
    }
    *out_store = store;
    return lh_ok();
}

void lh_store_close(struct lh_store *store)
{
    if (store == NULL) {
        return;
    }
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    store->driver->close(store->self);
    store->magic = 0;
    free(store);
}

unsigned lh_store_traits(const struct lh_store *store)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    return store->driver->traits;
}

void lh_store_set_partial(struct lh_store *store, bool is_partial)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    atomic_store(&store->is_partial, is_partial);
}

bool lh_store_is_partial(const struct lh_store *store)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    return atomic_load(&store->is_partial);
}

/* --- The echo ---------------------------------------------------------------------------------*/

/* Takes the echo off a record. Errors: TAMPERED, FOREIGN. */
static lh_status check_echo(const struct lh_session_key *key, struct lh_store_row *row)
{
    if (row->kind != LH_PLACE_RECORD) {
        row->record = LH_SLICE_EMPTY;
        return lh_ok();
    }
    LH_ENSURE(row->record.len > LH_SESSION_KEY_BYTES, LH_TAMPERED);
    uint8_t expected[LH_SESSION_KEY_BYTES];
    lh_store_key_session(key, expected);
    LH_ENSURE(lh_slice_is_equal(lh_slice_cut(row->record, 0, LH_SESSION_KEY_BYTES),
                                LH_SLICE_OF(expected)),
              LH_FOREIGN);
    row->record = lh_slice_cut(row->record, LH_SESSION_KEY_BYTES, row->record.len);
    return lh_ok();
}

/* Puts the echo before a record; bytes owns the result. */
static lh_status add_echo(const struct lh_session_key *key, const struct lh_store_row *row,
                          struct lh_buf *bytes, struct lh_store_row *out_row)
{
    LH_TRY(lh_buf_reserve(bytes, LH_SESSION_KEY_BYTES + row->record.len));
    uint8_t *room;
    LH_TRY(lh_buf_add_room(bytes, LH_SESSION_KEY_BYTES, &room));
    lh_store_key_session(key, room);
    LH_TRY(lh_buf_add(bytes, row->record));
    *out_row = *row;
    out_row->record = lh_buf_view(bytes);
    return lh_ok();
}

/* --- Arguments ------------------------------------------------------------------------------- */

static lh_status check_key(const struct lh_store *store, const struct lh_session_key *key)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    LH_ENSURE(key->bucket < LH_STORE_BUCKETS_MAX, LH_INVALID);
    return lh_ok();
}

static lh_status check_write(const struct lh_store *store, const struct lh_session_key *key)
{
    LH_TRY(check_key(store, key));
    LH_ENSURE(!store->is_read_only, LH_INVALID);
    return lh_ok();
}

static lh_status check_row(const struct lh_store_row *row)
{
    LH_ENSURE(row->kind == LH_PLACE_RECORD && row->record.len > 0, LH_INVALID);
    LH_ENSURE(row->generation > 0 && row->absolute_end_ms > 0, LH_INVALID);
    LH_ENSURE(row->record.len <= LH_STORE_RECORD_MAX_BYTES, LH_TOO_LARGE);
    return lh_ok();
}

/* --- Operations ------------------------------------------------------------------------------ */

lh_status lh_store_load(struct lh_store *store, struct lh_op *op, const struct lh_session_key *key,
                        struct lh_buf *scratch, struct lh_store_row *out_row)
{
    LH_TRY(check_key(store, key));
    struct lh_store_row row;
    LH_TRY(store->driver->load(store->self, op, key, scratch, &row));
    LH_TRY(check_echo(key, &row));
    LH_ENSURE(row.kind != LH_PLACE_EMPTY || !atomic_load(&store->is_partial), LH_STORE_DOWN);
    *out_row = row;
    return lh_ok();
}

static lh_status check_replaced(const struct lh_store *store,
                                const struct lh_store_creation *creation)
{
    if (creation->replaces == NULL) {
        return lh_ok();
    }
    LH_TRY(check_write(store, creation->replaces));
    LH_ENSURE(lh_tenant_uid_is_equal(&creation->replaces->uid, &creation->key->uid) &&
                  !lh_session_key_is_equal(creation->replaces, creation->key),
              LH_INVALID);
    return lh_ok();
}

lh_status lh_store_admit(struct lh_store *store, struct lh_op *op,
                         const struct lh_store_creation *creation,
                         struct lh_store_evicted *out_evicted)
{
    out_evicted->count = 0;
    LH_TRY(check_write(store, creation->key));
    LH_TRY(check_row(creation->row));
    LH_TRY(check_replaced(store, creation));
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    struct lh_store_row echoed;
    LH_TRY(add_echo(creation->key, creation->row, &bytes, &echoed));
    struct lh_store_creation checked = *creation;
    checked.row = &echoed;
    lh_status status = store->driver->create(store->self, op, &checked, out_evicted);
    bool is_unknown = status.code == LH_ABSENT && atomic_load(&store->is_partial);
    return is_unknown ? lh_status_of(LH_STORE_DOWN) : status;
}

lh_status lh_store_create(struct lh_store *store, struct lh_op *op,
                          const struct lh_session_key *key, const struct lh_store_row *row)
{
    struct lh_store_evicted nobody;
    return lh_store_admit(store, op, &(struct lh_store_creation){.key = key, .row = row}, &nobody);
}

/* What one row says of itself, and not of the store. */
static bool is_of_row(lh_status status)
{
    return lh_is_ok(status) || status.code == LH_EXISTS || status.code == LH_REVOKED ||
           status.code == LH_TAMPERED;
}

static lh_status create_each(struct lh_store *store, struct lh_store_new *rows, size_t count)
{
    struct lh_op op = lh_op_idle(0, NULL);
    for (size_t i = 0; i < count; i++) {
        rows[i].result = lh_store_create(store, &op, &rows[i].key, &rows[i].row);
        LH_ENSURE(is_of_row(rows[i].result), rows[i].result.code);
    }
    return lh_ok();
}

/* Puts the echo before each record for the time of the call; bytes owns the results. */
static lh_status create_echoed(struct lh_store *store, struct lh_store_new *rows, size_t count,
                               struct lh_buf *bytes)
{
    struct lh_store_new echoed[LH_STORE_BATCH_ROWS];
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += LH_SESSION_KEY_BYTES + rows[i].row.record.len;
    }
    LH_TRY(lh_buf_reserve(bytes, total)); /* so that nothing moves any more */
    for (size_t i = 0; i < count; i++) {
        size_t from = bytes->len;
        uint8_t *room;
        LH_TRY(lh_buf_add_room(bytes, LH_SESSION_KEY_BYTES, &room));
        lh_store_key_session(&rows[i].key, room);
        LH_TRY(lh_buf_add(bytes, rows[i].row.record));
        echoed[i] = rows[i];
        echoed[i].row.record = lh_slice_cut(lh_buf_view(bytes), from, bytes->len - from);
    }
    LH_TRY(store->driver->create_many(store->self, echoed, count));
    for (size_t i = 0; i < count; i++) {
        rows[i].result = echoed[i].result;
    }
    return lh_ok();
}

lh_status lh_store_create_many(struct lh_store *store, struct lh_store_new *rows, size_t count)
{
    LH_ENSURE(count > 0 && count <= LH_STORE_BATCH_ROWS, LH_INVALID);
    for (size_t i = 0; i < count; i++) {
        LH_TRY(check_write(store, &rows[i].key));
        LH_TRY(check_row(&rows[i].row));
    }
    if (store->driver->create_many == NULL) {
        return create_each(store, rows, count);
    }
    LH_CLEANUP(lh_buf_fini)
    struct lh_buf bytes =
        lh_buf_bounded(count * (LH_SESSION_KEY_BYTES + LH_STORE_RECORD_MAX_BYTES));
    return create_echoed(store, rows, count, &bytes);
}

lh_status lh_store_swap(struct lh_store *store, struct lh_op *op, const struct lh_session_key *key,
                        uint64_t expected_generation, const struct lh_store_row *row)
{
    LH_TRY(check_write(store, key));
    LH_TRY(check_row(row));
    LH_ENSURE(expected_generation < UINT64_MAX && row->generation == expected_generation + 1,
              LH_INVALID);
    LH_CLEANUP(lh_buf_fini) struct lh_buf bytes = LH_BUF_EMPTY;
    struct lh_store_row echoed;
    LH_TRY(add_echo(key, row, &bytes, &echoed));
    lh_status status = store->driver->swap(store->self, op, key, expected_generation, &echoed);
    bool is_unknown = status.code == LH_ABSENT && atomic_load(&store->is_partial);
    return is_unknown ? lh_status_of(LH_STORE_DOWN) : status;
}

lh_status lh_store_revoke(struct lh_store *store, struct lh_op *op,
                          const struct lh_session_key *key, uint64_t absolute_end_ms)
{
    LH_TRY(check_write(store, key));
    return store->driver->revoke(store->self, op, key, absolute_end_ms);
}

lh_status lh_store_expire(struct lh_store *store, struct lh_op *op,
                          const struct lh_session_key *key, uint64_t now_ms)
{
    LH_TRY(check_write(store, key));
    return store->driver->expire(store->self, op, key, now_ms);
}

lh_status lh_store_quarantine(struct lh_store *store, struct lh_op *op,
                              const struct lh_session_key *key)
{
    LH_TRY(check_write(store, key));
    return store->driver->quarantine(store->self, op, key);
}

lh_status lh_store_end_grace(struct lh_store *store, struct lh_op *op,
                             const struct lh_session_key *key, uint64_t generation)
{
    LH_TRY(check_write(store, key));
    return store->driver->end_grace(store->self, op, key, generation);
}

lh_status lh_store_touch(struct lh_store *store, const struct lh_store_touch *touches, size_t count)
{
    LH_ENSURE(count <= LH_STORE_BATCH_ROWS, LH_INVALID);
    for (size_t i = 0; i < count; i++) {
        LH_TRY(check_write(store, &touches[i].key));
    }
    return count == 0 ? lh_ok() : store->driver->touch(store->self, touches, count);
}

/* --- Listing --------------------------------------------------------------------------------- */

struct listing {
    const struct lh_tenant_uid *uid;
    uint32_t bucket;
    const struct lh_user_tag *user_tag;
    size_t misplaced;
    bool (*each)(void *context, const struct lh_session_key *key, const struct lh_store_row *row);
    void *context;
};

static bool is_asked_for(const struct listing *listing, const struct lh_session_key *key,
                         const struct lh_store_row *row)
{
    if (!lh_tenant_uid_is_equal(&key->uid, listing->uid) || key->bucket != listing->bucket) {
        return false;
    }
    return listing->user_tag == NULL ||
           (row->has_user && lh_slice_is_equal(LH_SLICE_OF(row->user_tag.bytes),
                                               LH_SLICE_OF(listing->user_tag->bytes)));
}

static bool pass_on(void *context, const struct lh_session_key *key, const struct lh_store_row *row)
{
    struct listing *listing = context;
    struct lh_store_row checked = *row;
    if (!is_asked_for(listing, key, row) || !lh_is_ok(check_echo(key, &checked))) {
        listing->misplaced++;
        return true;
    }
    return listing->each(listing->context, key, &checked);
}

/* Keys that do not grow from page to page are damaged pages that lead in a circle. */
static bool has_moved(const struct lh_store_page *before, const struct lh_store_page *after)
{
    return !after->is_first &&
           (before->is_first || lh_session_key_compare(&before->after, &after->after) < 0);
}

lh_status lh_store_list(struct lh_store *store, const struct lh_tenant_uid *uid, uint32_t bucket,
                        const struct lh_user_tag *user_tag, struct lh_store_page *page,
                        bool (*each)(void *context, const struct lh_session_key *key,
                                     const struct lh_store_row *row),
                        void *context)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    LH_ENSURE(store->driver->list != NULL && bucket < LH_STORE_BUCKETS_MAX, LH_INVALID);
    LH_ENSURE(!atomic_load(&store->is_partial), LH_STORE_DOWN);
    LH_ENSURE(page->is_first ||
                  (lh_tenant_uid_is_equal(&page->after.uid, uid) && page->after.bucket == bucket),
              LH_INVALID);
    struct listing listing = {uid, bucket, user_tag, 0, each, context};
    struct lh_store_page before = *page;
    page->is_last = false;
    page->misplaced = 0;
    LH_TRY(store->driver->list(store->self, uid, bucket, user_tag, page, pass_on, &listing));
    page->misplaced += listing.misplaced;
    LH_ENSURE(page->is_last || has_moved(&before, page), LH_STORE_DOWN);
    return lh_ok();
}

/* --- Upkeep ---------------------------------------------------------------------------------- */

lh_status lh_store_sweep(struct lh_store *store, uint64_t now_ms, size_t max_rows,
                         size_t *out_handled)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    LH_ENSURE(!store->is_read_only, LH_INVALID);
    LH_ENSURE(max_rows > 0 && max_rows <= LH_STORE_BATCH_ROWS, LH_INVALID);
    return store->driver->sweep(store->self, now_ms, max_rows, out_handled);
}

lh_status lh_store_sync(struct lh_store *store)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    return store->driver->sync == NULL ? lh_ok() : store->driver->sync(store->self);
}

lh_status lh_store_maintain(struct lh_store *store)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    return store->driver->maintain == NULL ? lh_ok() : store->driver->maintain(store->self);
}

lh_status lh_store_count(struct lh_store *store, struct lh_store_counts *out_counts)
{
    LH_MAGIC_CHECK(store, STORE_MAGIC);
    return store->driver->count(store->self, out_counts);
}
