/*
 * See registry_fixture.h.
 */
#include "support/test.h"

#include "registry_fixture.h"

#define SMALL_MAP_BYTES ((uint64_t)4 * 1024 * 1024)

static void keep_line(void *self, enum lh_log_level level, lh_slice line)
{
    struct registry_fixture *fixture = self;
    if (level == LH_LOG_ERROR || level == LH_LOG_WARN) {
        size_t len =
            line.len < sizeof(fixture->last_line) ? line.len : sizeof(fixture->last_line) - 1;
        memcpy(fixture->last_line, line.ptr, len);
        fixture->last_line[len] = '\0';
        fixture->last_level = level;
        fixture->lines++;
    }
}

static lh_status offload(void *self, enum lh_lane lane, struct lh_task *task)
{
    (void)self;
    (void)lane;
    (void)task;
    return lh_status_of(LH_QUEUE_FULL);
}

static struct registry_fixture *make_fixture(uint64_t map_bytes)
{
    struct registry_fixture *fixture = test_calloc(1, sizeof(*fixture));
    scratch_dir_init(&fixture->dir);
    scratch_dir_path(&fixture->dir, "registry", fixture->path);
    scratch_dir_path(&fixture->dir, "changes", fixture->counters_path);
    fixture->host = (struct lh_host){.self = fixture, .log = keep_line, .offload = offload};
    fixture->options = (struct lh_registry_options){.path = fixture->path,
                                                    .counters_path = fixture->counters_path,
                                                    .map_bytes = map_bytes,
                                                    .host = &fixture->host};
    const struct lh_registry_founding founding = {.home_id = {7},
                                                  .counters_id = {8, 8},
                                                  .platform_epoch = 77,
                                                  .wrapped_cell = LH_SLICE_LITERAL("wrapped")};
    assert_ok(lh_registry_create(&fixture->options, &founding));
    return fixture;
}

int registry_fixture_set_up(void **state)
{
    struct registry_fixture *fixture = make_fixture(0);
    registry_fixture_open(fixture);
    *state = fixture;
    return 0;
}

int registry_fixture_set_up_small(void **state)
{
    struct registry_fixture *fixture = make_fixture(SMALL_MAP_BYTES);
    registry_fixture_open(fixture);
    *state = fixture;
    return 0;
}

int registry_fixture_set_up_closed(void **state)
{
    *state = make_fixture(0);
    return 0;
}

int registry_fixture_tear_down(void **state)
{
    struct registry_fixture *fixture = *state;
    registry_fixture_close(fixture);
    scratch_dir_fini(&fixture->dir);
    test_free(fixture);
    return 0;
}

void registry_fixture_open(struct registry_fixture *fixture)
{
    assert_ok(lh_registry_open(&fixture->options, &fixture->registry));
}

void registry_fixture_close(struct registry_fixture *fixture)
{
    lh_registry_close(fixture->registry);
    fixture->registry = NULL;
}

/* Spreads n over all bytes, so that uids do not sort in the order of n. */
static void fill_bytes(unsigned n, uint8_t *out_bytes, size_t len)
{
    uint64_t value = n + 1U;
    for (size_t i = 0; i < len; i++) {
        value = value * 6364136223846793005U + 1442695040888963407U;
        out_bytes[i] = (uint8_t)(value >> 56);
    }
}

struct lh_tenant_uid fixture_uid(unsigned n)
{
    struct lh_tenant_uid uid;
    fill_bytes(n, uid.bytes, sizeof(uid.bytes));
    return uid;
}

struct lh_lease_id fixture_lease(unsigned n)
{
    struct lh_lease_id lease;
    fill_bytes(n + 1000000U, lease.bytes, sizeof(lease.bytes));
    return lease;
}

struct lh_user_tag fixture_tag(unsigned n)
{
    struct lh_user_tag tag;
    fill_bytes(n + 2000000U, tag.bytes, sizeof(tag.bytes));
    return tag;
}

struct lh_registry_txn *fixture_begin(struct registry_fixture *fixture)
{
    struct lh_registry_txn *txn;
    assert_ok(lh_registry_begin(fixture->registry, &txn));
    return txn;
}

void fixture_commit(struct lh_registry_txn *txn)
{
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
}

lh_status fixture_put_new(struct lh_registry_txn *txn, unsigned n, const char *id)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_tenant_new(64U * 1024U, &tenant));
    tenant->uid = fixture_uid(n);
    LH_TRY(lh_tenant_id_parse(lh_slice_from_text(id), &tenant->id));
    tenant->tier = (struct lh_tier){.name_len = 4, .name = "free"};
    tenant->bucket_counts[0] = 1;
    tenant->bucket_counts_len = 1;
    tenant->epoch = FIXTURE_NOW_MS;
    tenant->created_ms = FIXTURE_NOW_MS;
    LH_TRY(lh_registry_claim_name(txn, LH_NAME_TENANT, lh_slice_from_text(id), &tenant->uid,
                                  FIXTURE_NOW_MS, false));
    return lh_registry_put_tenant(txn, tenant);
}

void fixture_add(struct registry_fixture *fixture, unsigned n, const char *id)
{
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(fixture_put_new(txn, n, id));
    fixture_commit(txn);
}

void fixture_set_state(struct lh_registry_txn *txn, unsigned n, enum lh_tenant_state state)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    struct lh_tenant_uid uid = fixture_uid(n);
    assert_ok(lh_registry_get_tenant(txn, &uid, &tenant));
    tenant->state = state;
    assert_ok(lh_registry_put_tenant(txn, tenant));
}

lh_status fixture_claim(struct lh_registry_txn *txn, enum lh_name_kind kind, const char *name,
                        unsigned n, uint64_t now_ms, bool may_reclaim)
{
    struct lh_tenant_uid uid = fixture_uid(n);
    return lh_registry_claim_name(txn, kind, lh_slice_from_text(name), &uid, now_ms, may_reclaim);
}

lh_status fixture_release(struct lh_registry_txn *txn, const char *name, uint64_t until_ms)
{
    return lh_registry_release_name(txn, LH_NAME_TENANT, lh_slice_from_text(name), until_ms);
}

void fixture_put_dek(struct lh_registry_txn *txn, unsigned n, uint32_t id, enum lh_dek_state state)
{
    struct lh_tenant_uid uid = fixture_uid(n);
    const struct lh_wrapped_dek dek = {.id = id,
                                       .state = state,
                                       .created_ms = 100 + id,
                                       .retire_ms = 200 + id,
                                       .blob = LH_SLICE_LITERAL("wrapped key")};
    assert_ok(lh_registry_put_dek(txn, &uid, &dek));
}

lh_status fixture_load(struct registry_fixture *fixture, const char *name,
                       struct lh_tenant **out_tenant)
{
    const struct lh_directory_source *source = lh_registry_source(fixture->registry);
    return source->load_by_name(source->self, lh_slice_from_text(name), out_tenant);
}

struct lh_tenant *fixture_load_uid(struct registry_fixture *fixture, unsigned n)
{
    const struct lh_directory_source *source = lh_registry_source(fixture->registry);
    struct lh_tenant_uid uid = fixture_uid(n);
    struct lh_tenant *tenant;
    assert_ok(source->load_by_uid(source->self, &uid, &tenant));
    return tenant;
}

uint64_t fixture_counter(struct registry_fixture *fixture, uint32_t slot)
{
    uint64_t value;
    assert_ok(lh_counters_read(lh_registry_counters(fixture->registry), slot, &value));
    return value;
}
