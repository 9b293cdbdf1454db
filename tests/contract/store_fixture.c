/*
 * The stores that tests stand on.
 */
#include "contract/store_fixture.h"

#include <dirent.h>
#include <unistd.h>

static void no_log(void *self, enum lh_log_level level, lh_slice line)
{
    (void)self;
    (void)level;
    (void)line;
}

static const struct lh_host quiet_host = {.log = no_log};

void fixture_open(struct fixture *fixture, const char *driver_name, uint64_t map_bytes,
                  uint64_t reserve_bytes)
{
    const char *base = getenv("TMPDIR");
    char pattern[128];
    assert_true(snprintf(pattern, sizeof(pattern), "%s/lh-store-XXXXXX",
                         base == NULL ? "/tmp" : base) < (int)sizeof(pattern));
    assert_non_null(mkdtemp(pattern));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/sessions", pattern);
    fixture->driver_name = driver_name;
    fixture->options = (struct lh_store_options){.path = fixture->path,
                                                 .map_bytes = map_bytes,
                                                 .reserve_bytes = reserve_bytes,
                                                 .may_create = true,
                                                 .host = &quiet_host};
    assert_ok(lh_store_open(driver_name, &fixture->options, &fixture->store));
}

void fixture_reopen(struct fixture *fixture)
{
    lh_store_close(fixture->store);
    fixture->store = NULL;
    assert_ok(lh_store_open(fixture->driver_name, &fixture->options, &fixture->store));
}

static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (directory != NULL) {
        for (struct dirent *entry = readdir(directory); entry != NULL;
             entry = readdir(directory)) {
            if (entry->d_name[0] != '.') {
                (void)unlinkat(dirfd(directory), entry->d_name, 0);
            }
        }
        (void)closedir(directory);
    }
    (void)rmdir(path);
}

void fixture_close(struct fixture *fixture)
{
    lh_store_close(fixture->store);
    fixture->store = NULL;
    remove_directory(fixture->path);
    *strrchr(fixture->path, '/') = 0;
    remove_directory(fixture->path);
}

struct lh_session_key key_of(unsigned tenant, uint32_t bucket, unsigned n)
{
    struct lh_session_key key = {.bucket = bucket};
    memset(key.uid.bytes, (int)(0xA0 + tenant), sizeof(key.uid.bytes));
    key.lease.bytes[0] = (uint8_t)(n >> 24);
    key.lease.bytes[1] = (uint8_t)(n >> 16);
    key.lease.bytes[2] = (uint8_t)(n >> 8);
    key.lease.bytes[3] = (uint8_t)n;
    return key;
}

struct lh_user_tag tag_of(unsigned n)
{
    struct lh_user_tag tag;
    memset(tag.bytes, (int)(0x40 + n), sizeof(tag.bytes));
    return tag;
}

struct lh_store_row row_of(unsigned user, const char *content)
{
    return (struct lh_store_row){.kind = LH_PLACE_RECORD,
                                 .generation = 1,
                                 .absolute_end_ms = NOW_MS + 8 * HOUR_MS,
                                 .last_touch_ms = NOW_MS,
                                 .idle_s = 1800,
                                 .has_user = true,
                                 .user_tag = tag_of(user),
                                 .record = lh_slice_from_text(content)};
}

lh_slice long_record(size_t len, unsigned seed)
{
    static uint8_t bytes[LH_STORE_RECORD_MAX_BYTES + 1];
    assert_true(len <= sizeof(bytes));
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(i * 31 + seed);
    }
    return lh_slice_of(bytes, len);
}

struct lh_store_row load_row(struct lh_store *store, const struct lh_session_key *key)
{
    static uint8_t bytes[LH_STORE_RECORD_MAX_BYTES];
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_row row = {.kind = LH_PLACE_EMPTY};
    assert_ok(lh_store_load(store, &op, key, &scratch, &row));
    assert_true(row.record.len <= sizeof(bytes));
    if (row.record.len > 0) {
        memcpy(bytes, row.record.ptr, row.record.len);
        row.record.ptr = bytes;
    }
    return row;
}

enum lh_place_kind kind_in(struct lh_store *store, const struct lh_session_key *key)
{
    return load_row(store, key).kind;
}
