/*
 * Listing and counting. A page is copied inside one short read transaction and handed out after
 * it, so that the one who lists may take his time, and may write.
 */
#include "store/drivers/lmdb_space.h"
#include "store/drivers/lmdb_walk.h"

#include "base/banned.h"

/* One page at most: rows passed on, rows looked at, bytes of records. */
#define PAGE_ROWS      64U
#define PAGE_VISITS    1024U
#define PAGE_MAX_BYTES ((size_t)256 * 1024)

/* Rows that a count looks at in one read transaction: about a tenth of a millisecond. */
#define COUNT_STEP 1024U

struct item {
    struct lh_session_key key;
    struct lh_store_row row;
    size_t offset; /* of the record in the page's bytes */
};

/* A page that is being copied. */
struct page_copy {
    struct lh_lmdb *lmdb;
    const struct lh_user_tag *user_tag;
    uint8_t prefix[LH_LMDB_KEY_BYTES]; /* what all keys of the listing begin with */
    size_t prefix_len;
    struct lh_session_key last; /* looked at */
    bool has_last;
    bool is_complete; /* nothing follows */
    size_t misplaced;
    struct lh_buf bytes;
    struct item *items; /* owned */
    size_t count;
};

static void fini_copy(struct page_copy *copy)
{
    lh_buf_fini(&copy->bytes);
    free(copy->items);
}

static void close_cursor(MDB_cursor **cursor)
{
    mdb_cursor_close(*cursor);
}

/* --- Keys of a listing ----------------------------------------------------------------------- */

static size_t write_key(const struct page_copy *copy, const struct lh_session_key *key,
                        uint8_t out_bytes[LH_LMDB_KEY_BYTES])
{
    if (copy->user_tag == NULL) {
        lh_lmdb_write_session_key(key, out_bytes);
        return 1 + LH_SESSION_KEY_BYTES;
    }
    out_bytes[0] = LH_LMDB_USER;
    lh_store_key_user(key, copy->user_tag, out_bytes + 1);
    return 1 + LH_USER_INDEX_KEY_BYTES;
}

static lh_status parse_key(const struct page_copy *copy, lh_slice bytes,
                           struct lh_session_key *out_key)
{
    lh_slice rest = lh_slice_cut(bytes, 1, bytes.len);
    struct lh_user_tag tag;
    return copy->user_tag == NULL ? lh_store_key_parse_session(rest, out_key)
                                  : lh_store_key_parse_user(rest, out_key, &tag);
}

/* --- Copying a page -------------------------------------------------------------------------- */

static lh_status copy_row(struct page_copy *copy, const struct lh_session_key *key,
                          const struct lh_store_row *row)
{
    struct item *item = &copy->items[copy->count];
    *item = (struct item){*key, *row, copy->bytes.len};
    LH_TRY(lh_buf_add(&copy->bytes, row->record));
    copy->count++;
    return lh_ok();
}

static bool is_wanted(const struct page_copy *copy, const struct lh_store_row *row)
{
    if (row->kind != LH_PLACE_RECORD) {
        return false;
    }
    return copy->user_tag == NULL ||
           (row->has_user && lh_slice_is_equal(LH_SLICE_OF(row->user_tag.bytes),
                                               LH_SLICE_OF(copy->user_tag->bytes)));
}

/* Looks at one entry of the listing. What is no row, or of a newer version, is left out. */
static lh_status visit(struct page_copy *copy, MDB_txn *txn, lh_slice key_bytes)
{
    struct lh_session_key key;
    if (!lh_is_ok(parse_key(copy, key_bytes, &key))) {
        copy->misplaced++;
        return lh_ok();
    }
    copy->last = key;
    copy->has_last = true;
    struct lh_lmdb_row found;
    lh_status status = lh_lmdb_get_row(copy->lmdb, txn, &key, &found);
    if (status.code == LH_TAMPERED || status.code == LH_FUTURE_FORMAT) {
        copy->misplaced++;
        return lh_ok();
    }
    LH_TRY(status);
    return is_wanted(copy, &found.row) ? copy_row(copy, &key, &found.row) : lh_ok();
}

static bool is_full(const struct page_copy *copy)
{
    return copy->count == PAGE_ROWS || copy->bytes.len >= PAGE_MAX_BYTES;
}

/* Puts the cursor on the first entry of the page. */
static int seek(const struct page_copy *copy, const struct lh_store_page *page, MDB_cursor *cursor,
                MDB_val *key)
{
    uint8_t start[LH_LMDB_KEY_BYTES];
    size_t len = copy->prefix_len;
    memcpy(start, copy->prefix, len);
    if (!page->is_first) {
        len = write_key(copy, &page->after, start);
    }
    MDB_val value;
    *key = (MDB_val){.mv_size = len, .mv_data = start};
    int result = mdb_cursor_get(cursor, key, &value, MDB_SET_RANGE);
    bool is_after =
        !page->is_first && result == MDB_SUCCESS &&
        lh_slice_is_equal(lh_slice_of(key->mv_data, key->mv_size), lh_slice_of(start, len));
    return is_after ? mdb_cursor_get(cursor, key, &value, MDB_NEXT) : result;
}

static lh_status copy_page(struct page_copy *copy, MDB_txn *txn, const struct lh_store_page *page)
{
    MDB_cursor *raw;
    LH_TRY(lh_lmdb_status(copy->lmdb, mdb_cursor_open(txn, copy->lmdb->rows, &raw), "list"));
    LH_CLEANUP(close_cursor) MDB_cursor *cursor = raw;
    MDB_val key;
    MDB_val value;
    int result = seek(copy, page, cursor, &key);
    for (size_t visits = 0; result == MDB_SUCCESS; visits++) {
        lh_slice bytes = lh_slice_of(key.mv_data, key.mv_size);
        if (!lh_slice_has_prefix(bytes, lh_slice_of(copy->prefix, copy->prefix_len))) {
            break;
        }
        if (visits == PAGE_VISITS || is_full(copy)) {
            return lh_ok();
        }
        LH_TRY(visit(copy, txn, bytes));
        result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    LH_ENSURE(result == MDB_SUCCESS || result == MDB_NOTFOUND, LH_STORE_DOWN);
    copy->is_complete = true;
    return lh_ok();
}

/* --- Handing it out -------------------------------------------------------------------------- */

static void hand_out(struct page_copy *copy, struct lh_store_page *page,
                     bool (*each)(void *context, const struct lh_session_key *key,
                                  const struct lh_store_row *row),
                     void *context)
{
    for (size_t i = 0; i < copy->count; i++) {
        struct item *item = &copy->items[i];
        item->row.record = lh_slice_of(copy->bytes.ptr + item->offset, item->row.record.len);
        if (!each(context, &item->key, &item->row)) {
            page->after = item->key;
            page->is_first = false;
            return;
        }
    }
    if (copy->has_last) {
        page->after = copy->last;
        page->is_first = false;
    }
    page->is_last = copy->is_complete;
}

lh_status lh_lmdb_list(struct lh_lmdb *lmdb, const struct lh_tenant_uid *uid, uint32_t bucket,
                       const struct lh_user_tag *user_tag, struct lh_store_page *page,
                       bool (*each)(void *context, const struct lh_session_key *key,
                                    const struct lh_store_row *row),
                       void *context)
{
    LH_CLEANUP(fini_copy) struct page_copy copy = {.lmdb = lmdb, .user_tag = user_tag};
    struct lh_session_key first = {.uid = *uid, .bucket = bucket};
    copy.prefix_len = write_key(&copy, &first, copy.prefix) - LH_LEASE_ID_BYTES;
    copy.items = calloc(PAGE_ROWS, sizeof(*copy.items));
    LH_ENSURE(copy.items != NULL, LH_NO_MEMORY);
    {
        LH_CLEANUP(lh_lmdb_end_read) struct lh_lmdb_read read = LH_LMDB_READ_NONE;
        LH_TRY(lh_lmdb_begin_read(lmdb, &read));
        LH_TRY(copy_page(&copy, read.txn, page));
    }
    page->misplaced += copy.misplaced;
    hand_out(&copy, page, each, context);
    return lh_ok();
}

/* --- Counting -------------------------------------------------------------------------------- */

struct count_walk {
    struct lh_lmdb *lmdb;
    uint8_t at[1 + LH_SESSION_KEY_BYTES]; /* the first key that is not counted yet */
    size_t at_len;
    bool is_done;
    struct lh_store_counts counts;
};

static void count_value(struct count_walk *walk, const MDB_val *value)
{
    struct lh_lmdb_row row;
    lh_status status = lh_lmdb_row_read(lh_slice_of(value->mv_data, value->mv_size), &row);
    if (lh_is_ok(status) && row.row.kind == LH_PLACE_TOMBSTONE) {
        walk->counts.tombstones++;
    } else {
        walk->counts.records++; /* what cannot be read takes room like one */
    }
}

static lh_status count_step(struct count_walk *walk)
{
    LH_CLEANUP(lh_lmdb_end_read) struct lh_lmdb_read read = LH_LMDB_READ_NONE;
    LH_TRY(lh_lmdb_begin_read(walk->lmdb, &read));
    MDB_cursor *raw;
    LH_TRY(lh_lmdb_status(walk->lmdb, mdb_cursor_open(read.txn, walk->lmdb->rows, &raw), "count"));
    LH_CLEANUP(close_cursor) MDB_cursor *cursor = raw;
    MDB_val key = {.mv_size = walk->at_len, .mv_data = walk->at};
    MDB_val value;
    int result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (size_t seen = 0; result == MDB_SUCCESS; seen++) {
        const uint8_t *bytes = key.mv_data;
        if (key.mv_size != sizeof(walk->at) || bytes[0] != LH_LMDB_SESSION) {
            break;
        }
        if (seen == COUNT_STEP) {
            memcpy(walk->at, bytes, sizeof(walk->at));
            walk->at_len = sizeof(walk->at);
            return lh_ok();
        }
        count_value(walk, &value);
        result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    LH_ENSURE(result == MDB_SUCCESS || result == MDB_NOTFOUND, LH_STORE_DOWN);
    walk->is_done = true;
    return lh_lmdb_used_bytes(walk->lmdb, read.txn, &walk->counts.used_bytes);
}

lh_status lh_lmdb_count(struct lh_lmdb *lmdb, struct lh_store_counts *out_counts)
{
    struct count_walk walk = {.lmdb = lmdb, .at = {LH_LMDB_SESSION}, .at_len = 1};
    while (!walk.is_done) {
        LH_TRY(count_step(&walk));
    }
    walk.counts.capacity_bytes = walk.lmdb->ceiling_bytes;
    *out_counts = walk.counts;
    return lh_ok();
}
