/*
 * Bringing back the sessions of a store that was set aside. The store is asked tenant by tenant,
 * and the tenants come from the registry, which is synced at each commit: what an old page says
 * decides nothing that the registry decides. Reads are done in pages that are copied before
 * anything is written, so that a crash in the old store leaves no write behind in the new one; what
 * was read and waits to be put is lost with it.
 */
#include "setup/home.h"

#include "audit/audit_event.h"
#include "session/session.h"
#include "setup/home_file.h"
#include "setup/set_aside.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/banned.h"

/* Bytes of records that wait to be put at most, beside the one that went over. */
#define BATCH_MAX_BYTES ((size_t)1024 * 1024)

/* Sessions that wait to be put, many in one transaction. */
struct batch {
    struct lh_store_new rows[LH_STORE_BATCH_ROWS];
    size_t count;
    struct lh_buf bytes; /* of their records, one after the other */
};

struct import {
    struct lh_home *home;
    struct lh_store *old;
    struct lh_recovery *recovery;
    struct batch *batch;
    const struct lh_tenant *tenant; /* whose sessions are read */
    lh_status status;               /* of the new store; ends the import */
    bool is_damaged;                /* the old store contradicts itself */
};

/* --- One session ------------------------------------------------------------------------------ */

/* What the registry holds against it. Errors: REGISTRY_DOWN. */
static lh_status read_facts(struct import *import, const struct lh_session_header *header,
                            struct lh_session_facts *out_facts)
{
    struct lh_registry *registry = import->home->registry;
    const struct lh_tenant *tenant = import->tenant;
    struct lh_revocation revocation;
    LH_TRY(lh_registry_read_revocation(registry, &tenant->uid, &header->lease, &revocation));
    uint64_t user_epoch = 0;
    if (header->has_user) {
        LH_TRY(lh_registry_read_user_epoch(registry, &tenant->uid, &header->user_tag, &user_epoch));
    }
    *out_facts = (struct lh_session_facts){
        .is_revoked = revocation.is_revoked,
        .least_generation = revocation.least_generation,
        .platform_epoch = tenant->platform_epoch,
        .tenant_epoch = tenant->epoch,
        .user_epoch = user_epoch,
    };
    return lh_ok();
}

/* A later store, or an import that was stopped, may have brought it already: that one is newer. */
static lh_status count_row(struct lh_recovery *recovery, lh_status result)
{
    if (lh_is_ok(result)) {
        recovery->imported++;
    } else if (result.code == LH_REVOKED) {
        recovery->ended++;
    } else {
        LH_ENSURE(result.code == LH_EXISTS, result.code);
    }
    return lh_ok();
}

/* Puts what waits. */
static lh_status put_batch(struct import *import)
{
    struct batch *batch = import->batch;
    size_t from = 0;
    for (size_t i = 0; i < batch->count; i++) {
        size_t len = batch->rows[i].row.record.len;
        batch->rows[i].row.record = lh_slice_cut(lh_buf_view(&batch->bytes), from, len);
        from += len;
    }
    size_t count = batch->count;
    batch->count = 0;
    lh_status status =
        count == 0 ? lh_ok() : lh_store_create_many(import->home->store, batch->rows, count);
    lh_buf_clear(&batch->bytes);
    LH_TRY(status);
    for (size_t i = 0; i < count; i++) {
        LH_TRY(count_row(import->recovery, batch->rows[i].result));
    }
    return lh_ok();
}

static lh_status put_row(struct import *import, const struct lh_session_key *key,
                         const struct lh_store_row *row)
{
    struct batch *batch = import->batch;
    LH_TRY(lh_buf_add(&batch->bytes, row->record));
    batch->rows[batch->count++] = (struct lh_store_new){.key = *key, .row = *row};
    bool is_full = batch->count == LH_STORE_BATCH_ROWS || batch->bytes.len >= BATCH_MAX_BYTES;
    return is_full ? put_batch(import) : lh_ok();
}

/* Errors: of the registry and the new store. */
static lh_status import_session(struct import *import, const struct lh_session_key *key,
                                const struct lh_store_row *row)
{
    struct lh_session_header header;
    lh_slice header_bytes;
    lh_slice body;
    lh_status status = lh_session_header_read(row->record, &header, &header_bytes, &body);
    if (status.code == LH_FUTURE_FORMAT) {
        return put_row(import, key, row); /* not ours to judge, nor to lose; the gate judges it */
    }
    if (!lh_is_ok(status) || !lh_session_is_at_home(&header, key) ||
        !lh_session_is_row_true(row, &header)) {
        import->recovery->unreadable++;
        return lh_ok();
    }
    struct lh_session_facts facts;
    LH_TRY(read_facts(import, &header, &facts));
    if (!lh_is_ok(lh_session_judge(&header, &facts)) ||
        lh_session_is_over(&header, row->last_touch_ms, lh_clock_now_ms(&import->home->clock))) {
        import->recovery->ended++;
        return lh_ok();
    }
    return put_row(import, key, row);
}

static bool import_row(void *context, const struct lh_session_key *key,
                       const struct lh_store_row *row)
{
    struct import *import = context;
    import->status = import_session(import, key, row);
    return lh_is_ok(import->status);
}

/* --- One store -------------------------------------------------------------------------------- */

static void import_bucket(struct import *import, uint32_t bucket)
{
    struct lh_store_page page = LH_STORE_PAGE_FIRST;
    do {
        lh_status status = lh_store_list(import->old, &import->tenant->uid, bucket, NULL, &page,
                                         import_row, import);
        import->recovery->unreadable += page.misplaced;
        import->is_damaged = !lh_is_ok(status);
    } while (!page.is_last && !import->is_damaged && lh_is_ok(import->status));
}

/* Removed tenants too: their epoch ended what they had, and it is counted. */
static bool import_tenant(void *context, const struct lh_tenant *tenant)
{
    struct import *import = context;
    uint32_t most = 1;
    for (size_t i = 0; i < tenant->bucket_counts_len; i++) {
        most = tenant->bucket_counts[i] > most ? tenant->bucket_counts[i] : most;
    }
    import->tenant = tenant;
    for (uint32_t bucket = 0; bucket < most; bucket++) {
        import_bucket(import, bucket);
        if (import->is_damaged || !lh_is_ok(import->status)) {
            return false;
        }
    }
    return true;
}

/* Errors: of the new store and the registry. What is wrong with the old one is in is_damaged. */
static lh_status walk_store(struct import *import)
{
    LH_TRY(lh_registry_each_tenant(import->home->registry, import_tenant, import));
    LH_TRY(import->status);
    LH_TRY(put_batch(import));
    return lh_store_sync(import->home->store);
}

/* Errors: STORE_DOWN (damaged), and what helps to wait for. */
static lh_status open_old(struct lh_home *home, unsigned number, struct lh_store **out_store)
{
    char path[LH_HOME_FILE_BYTES];
    LH_TRY(lh_aside_path(&home->layout, number, path));
    struct lh_store_options options = lh_home_store_options(home);
    options.path = path;
    options.is_read_only = true;
    return lh_store_open("lmdb", &options, out_store);
}

static lh_status give_up(struct lh_home *home, unsigned number, struct lh_recovery *recovery)
{
    LH_TRY(lh_aside_set_damaged(&home->layout, number));
    recovery->damaged++;
    return lh_ok();
}

static void free_batch(struct batch **batch)
{
    if (*batch != NULL) {
        lh_buf_fini(&(*batch)->bytes);
        free(*batch);
    }
}

static lh_status import_store(struct lh_home *home, unsigned number, struct lh_recovery *recovery)
{
    LH_CLEANUP(free_batch) struct batch *batch = calloc(1, sizeof(*batch));
    LH_ENSURE(batch != NULL, LH_NO_MEMORY);
    struct import import = {.home = home, .recovery = recovery, .batch = batch, .status = lh_ok()};
    recovery->walking = number;
    lh_status status = open_old(home, number, &import.old);
    if (status.code == LH_STORE_DOWN) {
        recovery->walking = 0;
        return give_up(home, number, recovery);
    }
    LH_TRY(status);
    status = walk_store(&import);
    lh_store_close(import.old);
    recovery->walking = 0;
    LH_TRY(status);
    return import.is_damaged ? give_up(home, number, recovery)
                             : lh_aside_remove(&home->layout, number);
}

/* --- All of them ------------------------------------------------------------------------------ */

/* The latest first: what it brings is newer than the same session in an earlier one. */
static lh_status import_all(struct lh_home *home, struct lh_recovery *recovery)
{
    LH_CLEANUP(lh_home_fd_close)
    int fd = open(home->layout.import_lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    LH_ENSURE(fd >= 0 && flock(fd, LOCK_EX) == 0, LH_UNREADABLE);
    recovery->is_nothing_to_do = lh_boot_is_recovered(&home->layout);
    unsigned number = lh_aside_latest(&home->layout);
    while (!recovery->is_nothing_to_do && number > 0) {
        LH_TRY(import_store(home, number, recovery));
        number = lh_aside_latest(&home->layout);
    }
    return recovery->is_nothing_to_do ? lh_ok() : lh_boot_set_recovered(&home->layout, true);
}

static void audit_recovered(const struct lh_home *home, const struct lh_recovery *recovery)
{
    char counts[3][24];
    const uint64_t numbers[] = {recovery->imported, recovery->ended, recovery->unreadable};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(counts[i], sizeof(counts[i]), "%llu", (unsigned long long)numbers[i]);
    }
    const struct lh_audit_field fields[] = {{"imported", lh_slice_from_text(counts[0])},
                                            {"ended", lh_slice_from_text(counts[1])},
                                            {"unreadable", lh_slice_from_text(counts[2])},
                                            {"actor", lh_slice_from_text(home->admin.actor)}};
    lh_audit_write(home->host, LH_AUDIT_sessions_recovered, fields, 4);
}

static lh_status recover(struct lh_home *home, struct lh_recovery *recovery)
{
    if (home->vault == NULL) {
        (void)snprintf(recovery->why, sizeof(recovery->why), "%s", home->store_problem);
        return lh_status_of(LH_STORE_DOWN);
    }
    lh_status status = import_all(home, recovery);
    if (!lh_is_ok(status)) {
        return lh_home_explain(home, status, "the sessions that were set aside", recovery->why);
    }
    if (!recovery->is_nothing_to_do) {
        audit_recovered(home, recovery);
    }
    return status;
}

lh_status lh_home_recover(const char *path, const struct lh_host *log, const char *actor,
                          struct lh_recovery *recovery)
{
    struct lh_home *home = NULL;
    recovery->status = lh_home_open_operator(path, log, actor, true, &home, recovery->why);
    if (lh_is_ok(recovery->status)) {
        recovery->status = recover(home, recovery);
        lh_home_close(home);
    }
    return recovery->status;
}

lh_status lh_home_give_up_store(const char *path, unsigned number)
{
    struct lh_home_layout layout;
    LH_TRY(lh_home_layout_init(path, &layout));
    return lh_aside_set_damaged(&layout, number);
}
