/*
 * The environment under the registry: opening it, views, rows and walks. All that LMDB says comes
 * through here and leaves as a status.
 */
#include "registry/registry_env.h"

#include "base/bug.h"
#include "host/log.h"

#include <errno.h>

#include "base/banned.h"

/* Workers before and after a reload, the command line, the daemon: far more than will ever be. */
#define READERS_MAX 1024U
/* How often a map that another process has grown is adopted before we give up. */
#define RESIZE_TRIES 3U

static const char *const table_names[LH_TABLE_COUNT] = {
#define TABLE_NAME(name, text) [LH_TABLE_##name] = text,
    LH_REGISTRY_TABLES(TABLE_NAME)
#undef TABLE_NAME
};

lh_status lh_registry_status(int mdb_answer)
{
    switch (mdb_answer) {
    case MDB_SUCCESS:
        return lh_ok();
    case MDB_NOTFOUND:
        return lh_status_of(LH_ABSENT);
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
        return lh_status_of(LH_NO_SPACE);
    case ENOMEM:
        return lh_status_of(LH_NO_MEMORY);
    default:
        return lh_status_of(LH_REGISTRY_DOWN);
    }
}

/* Where ABSENT is no possible answer, it is a broken environment. */
static lh_status status_or_down(int mdb_answer)
{
    lh_status status = lh_registry_status(mdb_answer);
    return status.code == LH_ABSENT ? lh_status_of(LH_REGISTRY_DOWN) : status;
}

static MDB_val to_mdb(lh_slice slice)
{
    /* LMDB takes what it only reads through the same type as what it hands out. */
    return (MDB_val){slice.len, (void *)(uintptr_t)slice.ptr};
}

static lh_slice from_mdb(MDB_val value)
{
    return lh_slice_of(value.mv_data, value.mv_size);
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* out_is_missing: a later table is not there, and may not be made. */
static lh_status open_tables(struct lh_registry *registry, bool may_create, bool *out_is_missing)
{
    MDB_txn *txn = NULL;
    *out_is_missing = false;
    LH_TRY(status_or_down(mdb_txn_begin(registry->env, NULL, may_create ? 0 : MDB_RDONLY, &txn)));
    for (unsigned i = 0; i < LH_TABLE_COUNT; i++) {
        int answer =
            mdb_dbi_open(txn, table_names[i], may_create ? MDB_CREATE : 0, &registry->tables[i]);
        if (answer == MDB_NOTFOUND && i >= LH_TABLE_FIRST_LATER) {
            registry->tables[i] = LH_TABLE_NOT_THERE;
            *out_is_missing = true;
        } else if (answer != MDB_SUCCESS) {
            mdb_txn_abort(txn);
            return status_or_down(answer);
        }
    }
    return status_or_down(mdb_txn_commit(txn));
}

static lh_status open_env(struct lh_registry *registry, const char *path)
{
    unsigned flags = MDB_NOTLS | (registry->is_read_only ? MDB_RDONLY : 0);
    LH_TRY(status_or_down(mdb_env_set_mapsize(registry->env, registry->map_bytes)));
    LH_TRY(status_or_down(mdb_env_set_maxdbs(registry->env, LH_TABLE_COUNT)));
    LH_TRY(status_or_down(mdb_env_set_maxreaders(registry->env, READERS_MAX)));
    return status_or_down(mdb_env_open(registry->env, path, flags, 0600));
}

lh_status lh_registry_env_open(struct lh_registry *registry, const char *path, bool may_create)
{
    LH_TRY(status_or_down(mdb_env_create(&registry->env)));
    LH_TRY(open_env(registry, path));
    bool is_missing = false;
    LH_TRY(open_tables(registry, may_create, &is_missing));
    /* Only tables of later versions: the older ones were all there. */
    return is_missing && !registry->is_read_only ? open_tables(registry, true, &is_missing)
                                                 : lh_ok();
}

lh_status lh_registry_env_complete(struct lh_registry *registry)
{
    if (registry->tables[LH_TABLE_COUNT - 1] != LH_TABLE_NOT_THERE) {
        return lh_ok(); /* they are made in their order, in one transaction */
    }
    LH_BUG_IF(registry->is_viewed || registry->is_written);
    /* A view takes a map over that another process has grown. */
    struct lh_registry_view view;
    LH_TRY(lh_registry_view_open(registry, &view));
    lh_registry_view_close(&view);
    bool is_missing;
    return open_tables(registry, false, &is_missing);
}

void lh_registry_env_close(struct lh_registry *registry)
{
    LH_BUG_IF(registry->is_viewed || registry->is_written);
    mdb_txn_abort(registry->reader);
    registry->reader = NULL;
    if (registry->env != NULL) {
        mdb_env_close(registry->env);
        registry->env = NULL;
    }
}

/* --- Views ------------------------------------------------------------------------------------ */

/* Another process has grown the map: let the old one go and take its size. */
static int adopt_map(struct lh_registry *registry)
{
    mdb_txn_abort(registry->reader);
    registry->reader = NULL;
    return mdb_env_set_mapsize(registry->env, 0);
}

/*
 * Our slot may be gone: another process of this number, in another PID namespace, has closed the
 * environment. The old transaction is left behind then: ending it would free a slot that may be
 * another's by now.
 */
static int renew_reader(struct lh_registry *registry)
{
    int answer = registry->reader == NULL ? MDB_BAD_RSLOT : mdb_txn_renew(registry->reader);
    if (answer == MDB_BAD_RSLOT) {
        registry->reader = NULL;
        answer = mdb_txn_begin(registry->env, NULL, MDB_RDONLY, &registry->reader);
    }
    return answer;
}

lh_status lh_registry_view_open(struct lh_registry *registry, struct lh_registry_view *out_view)
{
    LH_BUG_IF(registry->is_viewed);
    int answer = renew_reader(registry);
    for (unsigned i = 0; i < RESIZE_TRIES && answer == MDB_MAP_RESIZED; i++) {
        answer = adopt_map(registry);
        answer = answer == MDB_SUCCESS ? renew_reader(registry) : answer;
    }
    LH_TRY(status_or_down(answer));
    registry->is_viewed = true;
    *out_view = (struct lh_registry_view){registry, registry->reader, true};
    return lh_ok();
}

lh_status lh_registry_begin_mdb(struct lh_registry *registry, MDB_txn **out_mdb)
{
    int answer = mdb_txn_begin(registry->env, NULL, 0, out_mdb);
    for (unsigned i = 0; i < RESIZE_TRIES && answer == MDB_MAP_RESIZED; i++) {
        answer = adopt_map(registry);
        answer = answer == MDB_SUCCESS ? mdb_txn_begin(registry->env, NULL, 0, out_mdb) : answer;
    }
    return status_or_down(answer);
}

void lh_registry_view_close(struct lh_registry_view *view)
{
    if (view->is_owned) {
        mdb_txn_reset(view->mdb);
        view->registry->is_viewed = false;
        view->is_owned = false;
    }
}

struct lh_registry_view lh_registry_txn_view(const struct lh_registry_txn *txn)
{
    LH_BUG_IF(txn->mdb == NULL);
    return (struct lh_registry_view){txn->registry, txn->mdb, false};
}

/* --- Rows ------------------------------------------------------------------------------------- */

lh_status lh_registry_get_row(const struct lh_registry_view *view, enum lh_registry_table table,
                              lh_slice key, lh_slice *out_row)
{
    MDB_val mdb_key = to_mdb(key);
    MDB_val value;
    LH_ENSURE(view->registry->tables[table] != LH_TABLE_NOT_THERE, LH_ABSENT);
    LH_TRY(lh_registry_status(mdb_get(view->mdb, view->registry->tables[table], &mdb_key, &value)));
    *out_row = from_mdb(value);
    return lh_ok();
}

lh_status lh_registry_put_row(struct lh_registry_txn *txn, enum lh_registry_table table,
                              lh_slice key, lh_slice row)
{
    LH_BUG_IF(txn->mdb == NULL);
    MDB_val mdb_key = to_mdb(key);
    MDB_val value = to_mdb(row);
    return status_or_down(mdb_put(txn->mdb, txn->registry->tables[table], &mdb_key, &value, 0));
}

lh_status lh_registry_delete_row(struct lh_registry_txn *txn, enum lh_registry_table table,
                                 lh_slice key)
{
    LH_BUG_IF(txn->mdb == NULL);
    MDB_val mdb_key = to_mdb(key);
    lh_status status =
        lh_registry_status(mdb_del(txn->mdb, txn->registry->tables[table], &mdb_key, NULL));
    return status.code == LH_ABSENT ? lh_ok() : status;
}

lh_status lh_registry_row_status(const struct lh_registry_view *view, enum lh_registry_table table,
                                 lh_status status)
{
    if (status.code != LH_MALFORMED && status.code != LH_TOO_LARGE &&
        status.code != LH_FUTURE_FORMAT) {
        return status;
    }
    lh_log(view->registry->host, LH_LOG_DEBUG, "registry: a row of \"%s\" cannot be read: %s",
           table_names[table], lh_status_text(status));
    return lh_status_of(status.code == LH_FUTURE_FORMAT ? LH_FUTURE_FORMAT : LH_REGISTRY_DOWN);
}

lh_status lh_registry_get_number(const struct lh_registry_view *view, lh_slice name,
                                 uint64_t *out_value)
{
    lh_slice row;
    lh_status status = lh_registry_get_row(view, LH_TABLE_META, name, &row);
    LH_ENSURE(status.code != LH_ABSENT, LH_REGISTRY_DOWN);
    LH_TRY(status);
    struct lh_cursor cursor = lh_cursor_over(row);
    uint64_t value;
    LH_ENSURE(lh_is_ok(lh_cursor_u64(&cursor, &value)) && lh_is_ok(lh_cursor_finish(&cursor)),
              LH_REGISTRY_DOWN);
    *out_value = value;
    return lh_ok();
}

lh_status lh_registry_put_number(struct lh_registry_txn *txn, lh_slice name, uint64_t value)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = lh_buf_bounded(sizeof(value));
    LH_TRY(lh_buf_add_u64(&row, value));
    return lh_registry_put_row(txn, LH_TABLE_META, name, lh_buf_view(&row));
}

/* --- Walks ------------------------------------------------------------------------------------ */

lh_status lh_registry_walk_open(const struct lh_registry_view *view, enum lh_registry_table table,
                                lh_slice from, struct lh_registry_walk *out_walk)
{
    MDB_cursor *cursor;
    LH_TRY(status_or_down(mdb_cursor_open(view->mdb, view->registry->tables[table], &cursor)));
    *out_walk = (struct lh_registry_walk){.cursor = cursor, .from = from};
    return lh_ok();
}

lh_status lh_registry_walk_next(struct lh_registry_walk *walk)
{
    MDB_val key = to_mdb(walk->from);
    MDB_val value;
    bool is_first = !walk->is_started;
    MDB_cursor_op step = !is_first ? MDB_NEXT : walk->from.len > 0 ? MDB_SET_RANGE : MDB_FIRST;
    walk->is_started = true;
    LH_TRY(lh_registry_status(mdb_cursor_get(walk->cursor, &key, &value, step)));
    walk->key = from_mdb(key);
    walk->row = from_mdb(value);
    return lh_ok();
}

void lh_registry_walk_close(struct lh_registry_walk *walk)
{
    if (walk->cursor != NULL) {
        mdb_cursor_close(walk->cursor);
        walk->cursor = NULL;
    }
}
