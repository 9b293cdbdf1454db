/*
 * The stores that tests stand on.
 */
#include "contract/store_fixture.h"

#include "store/drivers/drivers.h"

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
        for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
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

void create_row(struct lh_store *store, struct lh_session_key key, struct lh_store_row row)
{
    assert_ok(lh_store_create(store, NULL, &key, &row));
}

void touch_row(struct lh_store *store, struct lh_session_key key, uint64_t touch_ms)
{
    struct lh_store_touch one = {key, touch_ms};
    assert_ok(lh_store_touch(store, &one, 1));
}

lh_status swap_row(struct lh_store *store, struct lh_session_key key, uint64_t expected,
                   struct lh_store_row row)
{
    row.generation = expected + 1;
    return lh_store_swap(store, NULL, &key, expected, &row);
}

size_t sweep_all(struct lh_store *store, uint64_t now_ms)
{
    size_t total = 0;
    for (;;) {
        size_t handled = 0;
        assert_ok(lh_store_sweep(store, now_ms, LH_STORE_BATCH_ROWS, &handled));
        if (handled == 0) {
            return total;
        }
        total += handled;
    }
}

struct lh_store_counts count_rows(struct lh_store *store)
{
    struct lh_store_counts counts;
    assert_ok(lh_store_count(store, &counts));
    return counts;
}

bool is_long_run(void)
{
    return getenv("LH_TEST_LONG") != NULL;
}

static const char *present_driver;

const char *contract_driver(void)
{
    return present_driver;
}

struct lh_store *store_of(void **state)
{
    return ((struct fixture *)*state)->store;
}

int contract_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture_open(fixture, present_driver, 0, 0);
    *state = fixture;
    return 0;
}

int contract_teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

int contract_run(const struct CMUnitTest *tests, size_t count)
{
    static const char *const names[] = {
#define DRIVER_NAME(name) #name,
        LH_STORE_DRIVERS(DRIVER_NAME)
#undef DRIVER_NAME
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        present_driver = names[i];
        failed += _cmocka_run_group_tests(names[i], tests, count, NULL, NULL);
    }
    return failed == 0 ? 0 : 1;
}
