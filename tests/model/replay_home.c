/*
 * The two environments of a walk.
 */
#include "replay.h"

#include <sys/stat.h>

#define COPY_BYTES ((size_t)64 * 1024)

/* --- Files ------------------------------------------------------------------------------------ */

static void copy_file(const char *from, const char *to)
{
    static char bytes[COPY_BYTES];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t len = 1; len > 0;) {
        len = fread(bytes, 1, sizeof(bytes), in);
        assert_int_equal(fwrite(bytes, 1, len, out), len);
    }
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0600), 0);
}

static void path_of(const struct replay *replay, const char *name, char path[SCRATCH_PATH_BYTES])
{
    scratch_dir_path(&replay->dir, name, path);
}

static struct lh_store *open_store(struct replay *replay, const char *name, bool is_read_only)
{
    char path[SCRATCH_PATH_BYTES];
    path_of(replay, name, path);
    const struct lh_store_options options = {.path = path,
                                             .may_create = !is_read_only,
                                             .is_read_only = is_read_only,
                                             .host = &replay->session->fake.host};
    struct lh_store *store;
    assert_ok(lh_store_open(getenv("LH_REPLAY_DRIVER"), &options, &store));
    return store;
}

/* --- Set up ----------------------------------------------------------------------------------- */

int replay_set_up(void **state)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    void *session = NULL;
    void *registry = NULL;
    fixture_set_up(&session);
    registry_fixture_set_up(&registry);
    replay->session = session;
    replay->registry = registry;
    fixture_add(replay->registry, 0, "acme");
    replay->session->acme->uid = fixture_uid(0);
    replay->turned = LH_LOADED_SESSION_EMPTY;
    scratch_dir_init(&replay->dir);
    replay->is_lmdb = strcmp(getenv("LH_REPLAY_DRIVER"), "lmdb") == 0;
    fixture_use_store(replay->session, open_store(replay, "sessions", false));
    *state = replay;
    return 0;
}

int replay_tear_down(void **state)
{
    struct replay *replay = *state;
    void *session = replay->session;
    void *registry = replay->registry;
    lh_loaded_session_fini(&replay->turned);
    lh_buf_fini(&replay->patched.record);
    lh_buf_fini(&replay->stolen.record);
    lh_buf_fini(&replay->aside.record);
    fixture_tear_down(&session);
    registry_fixture_tear_down(&registry);
    scratch_dir_fini(&replay->dir);
    free(replay);
    return 0;
}

void record_copy_fini(struct record_copy **copy)
{
    lh_buf_fini(&(*copy)->record);
}

/* --- The session store ------------------------------------------------------------------------ */

void replay_flush(struct replay *replay)
{
    assert_ok(lh_store_sync(replay->session->store));
    if (replay->is_lmdb) {
        char file[SCRATCH_PATH_BYTES];
        char kept[SCRATCH_PATH_BYTES];
        path_of(replay, replay->has_crashed ? "fresh/data.mdb" : "sessions/data.mdb", file);
        path_of(replay, "kept.mdb", kept);
        copy_file(file, kept);
    }
}

void replay_crash(struct replay *replay)
{
    assert_true(replay->is_lmdb);
    char kept[SCRATCH_PATH_BYTES];
    char aside[SCRATCH_PATH_BYTES];
    char file[SCRATCH_PATH_BYTES];
    path_of(replay, "kept.mdb", kept);
    path_of(replay, "aside", aside);
    path_of(replay, "aside/data.mdb", file);
    assert_int_equal(mkdir(aside, 0700), 0);
    copy_file(kept, file);
    fixture_use_store(replay->session, open_store(replay, "fresh", false));
    lh_store_set_partial(replay->session->store, true);
    replay->has_crashed = true;
}

static bool keep_row(void *context, const struct lh_session_key *key,
                     const struct lh_store_row *row)
{
    struct record_copy *copy = context;
    (void)key;
    lh_slice header_bytes;
    lh_slice body;
    assert_ok(lh_buf_add(&copy->record, row->record));
    copy->row = *row;
    copy->row.record = LH_SLICE_EMPTY;
    assert_ok(
        lh_session_header_read(lh_buf_view(&copy->record), &copy->header, &header_bytes, &body));
    return true;
}

bool replay_read_aside(struct replay *replay)
{
    struct lh_store *old = open_store(replay, "aside", true);
    struct lh_store_page page = LH_STORE_PAGE_FIRST;
    lh_buf_clear(&replay->aside.record);
    while (!page.is_last) {
        assert_ok(lh_store_list(old, &replay->handle.uid, replay->handle.bucket, NULL, &page,
                                keep_row, &replay->aside));
        assert_int_equal(page.misplaced, 0);
    }
    lh_store_close(old);
    return replay->aside.record.len > 0;
}

/* --- The registry ----------------------------------------------------------------------------- */

struct lh_session_facts replay_facts(struct replay *replay, const struct lh_session_header *header,
                                     bool has_epochs, bool has_marks)
{
    struct lh_registry *registry = replay->registry->registry;
    struct lh_revocation revocation = {.is_revoked = false};
    struct lh_session_facts facts = {.user_epoch = 0};
    if (has_marks) {
        assert_ok(lh_registry_read_revocation(registry, &header->uid, &header->lease, &revocation));
    }
    if (has_epochs) {
        assert_ok(lh_registry_read_user_epoch(registry, &header->uid, &header->user_tag,
                                              &facts.user_epoch));
    }
    facts.is_revoked = revocation.is_revoked;
    facts.least_generation = revocation.least_generation;
    return facts;
}

void replay_put_revocation(struct replay *replay, const struct lh_revocation *revocation,
                           uint64_t keep_until_ms)
{
    struct lh_registry_txn *txn = fixture_begin(replay->registry);
    assert_ok(lh_registry_put_revocation(txn, &replay->handle.uid, &replay->handle.lease,
                                         revocation, keep_until_ms));
    fixture_commit(txn);
}

void replay_raise_epoch(struct replay *replay)
{
    struct lh_registry_txn *txn = fixture_begin(replay->registry);
    uint64_t now_ms = lh_clock_now_ms(&replay->session->fake.clock);
    uint64_t epoch;
    assert_ok(lh_registry_raise_user_epoch(txn, &replay->handle.uid, &replay->user_tag, now_ms,
                                           UINT64_MAX / 2, &epoch));
    fixture_commit(txn);
}

void replay_sweep_registry(struct replay *replay)
{
    struct lh_registry_txn *txn = fixture_begin(replay->registry);
    size_t removed = 0;
    assert_ok(lh_registry_sweep(txn, lh_clock_now_ms(&replay->session->fake.clock), 16, &removed));
    assert_int_equal(removed, 1);
    fixture_commit(txn);
}
