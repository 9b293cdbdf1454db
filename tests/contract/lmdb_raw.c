/*
 * Behind the driver's back.
 */
#include "contract/lmdb_raw.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void raw_path(const struct fixture *fixture, const char *name, char out_path[RAW_PATH_BYTES])
{
    assert_true(snprintf(out_path, RAW_PATH_BYTES, "%s/%s", fixture->path, name) < RAW_PATH_BYTES);
}

MDB_env *raw_open(const char *path)
{
    MDB_env *env;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOTLS | MDB_NOSYNC, 0600), 0);
    return env;
}

void raw_change(struct fixture *fixture, void (*change)(MDB_txn *txn, MDB_dbi tree, void *context),
                void *context)
{
    lh_store_close(fixture->store);
    fixture->store = NULL;
    MDB_env *env = raw_open(fixture->path);
    MDB_txn *txn;
    MDB_dbi tree;
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &tree), 0);
    change(txn, tree, context);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    assert_ok(lh_store_open(fixture->driver_name, &fixture->options, &fixture->store));
}

static MDB_val value_of(lh_slice bytes)
{
    return (MDB_val){.mv_size = bytes.len, .mv_data = (void *)(uintptr_t)bytes.ptr};
}

void raw_put(MDB_txn *txn, MDB_dbi tree, lh_slice key, lh_slice value)
{
    MDB_val at = value_of(key);
    MDB_val bytes = value_of(value);
    assert_int_equal(mdb_put(txn, tree, &at, &bytes, 0), 0);
}

size_t raw_get(MDB_txn *txn, MDB_dbi tree, lh_slice key, uint8_t *out_value, size_t max)
{
    MDB_val at = value_of(key);
    MDB_val bytes;
    int result = mdb_get(txn, tree, &at, &bytes);
    if (result == MDB_NOTFOUND) {
        return 0;
    }
    assert_int_equal(result, 0);
    assert_true(bytes.mv_size <= max);
    memcpy(out_value, bytes.mv_data, bytes.mv_size);
    return bytes.mv_size;
}

size_t raw_count(MDB_txn *txn, MDB_dbi tree, uint8_t first)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    size_t count = 0;
    assert_int_equal(mdb_cursor_open(txn, tree, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        count += *(const uint8_t *)key.mv_data == first ? 1 : 0;
    }
    mdb_cursor_close(cursor);
    return count;
}

void raw_overwrite(const char *path, long offset, lh_slice bytes)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes.ptr, bytes.len, offset), bytes.len);
    assert_int_equal(close(fd), 0);
}

long raw_length(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}
