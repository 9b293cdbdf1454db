/*
 * The registry in one process: making and opening it, and tenants.
 */
#include "support/test.h"

#include "registry_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct lh_tenant *load(struct registry_fixture *fixture, const char *name)
{
    struct lh_tenant *tenant;
    assert_ok(fixture_load(fixture, name, &tenant));
    return tenant;
}

static void assert_absent(struct registry_fixture *fixture, const char *name)
{
    struct lh_tenant *tenant;
    assert_status(fixture_load(fixture, name, &tenant), LH_ABSENT);
}

/* --- Making and opening ----------------------------------------------------------------------- */

static void test_registry_create__makes_private_files(void **state)
{
    struct registry_fixture *fixture = *state;
    static const char *const names[] = {"registry/data.mdb", "registry/lock.mdb",
                                        "registry/generation", "changes"};
    struct stat file;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[SCRATCH_PATH_BYTES];
        scratch_dir_path(&fixture->dir, names[i], path);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 07777, 0600);
    }
    assert_int_equal(stat(fixture->path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0700);
}

static void test_registry_create__never_overwrites(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    const struct lh_registry_founding founding = {.platform_epoch = 1};
    registry_fixture_close(fixture);
    assert_status(lh_registry_create(&fixture->options, &founding), LH_EXISTS);
    registry_fixture_open(fixture);
    lh_tenant_unref(load(fixture, "acme"));
}

static void test_registry_create__leaves_nothing_behind_when_it_fails(void **state)
{
    struct registry_fixture *fixture = *state;
    registry_fixture_close(fixture);
    struct lh_registry_options options = fixture->options;
    char path[SCRATCH_PATH_BYTES], file_path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "second", path);
    options.path = path;
    const struct lh_registry_founding founding = {.platform_epoch = 1};
    /* Its counters are there already. */
    assert_status(lh_registry_create(&options, &founding), LH_EXISTS);
    scratch_dir_path(&fixture->dir, "second/data.mdb", file_path);
    assert_int_equal(access(file_path, F_OK), -1);
    scratch_dir_path(&fixture->dir, "second/generation", file_path);
    assert_int_equal(access(file_path, F_OK), -1);
    scratch_dir_path(&fixture->dir, "changes-2", file_path);
    options.counters_path = file_path;
    assert_ok(lh_registry_create(&options, &founding));
}

static void test_registry_open__makes_nothing(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_options options = fixture->options;
    struct lh_registry *registry = NULL;
    char path[SCRATCH_PATH_BYTES], file_path[SCRATCH_PATH_BYTES];
    scratch_dir_path(&fixture->dir, "nowhere", path);
    options.path = path;
    assert_status(lh_registry_open(&options, &registry), LH_REGISTRY_DOWN);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_status(lh_registry_open(&options, &registry), LH_REGISTRY_DOWN);
    scratch_dir_path(&fixture->dir, "nowhere/data.mdb", file_path);
    assert_int_equal(access(file_path, F_OK), -1);
    int fd = open(file_path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "not a database, not at all", 26), 26);
    close(fd);
    assert_status(lh_registry_open(&options, &registry), LH_REGISTRY_DOWN);
    assert_null(registry);
}

static void test_registry_open__needs_its_counters(void **state)
{
    struct registry_fixture *fixture = *state;
    registry_fixture_close(fixture);
    struct lh_registry *registry = NULL;
    assert_int_equal(unlink(fixture->counters_path), 0);
    assert_status(lh_registry_open(&fixture->options, &registry), LH_COUNTERS_DOWN);
    const uint8_t other_id[LH_COUNTER_ID_BYTES] = {1};
    assert_ok(lh_counters_create(fixture->counters_path, other_id, 0600));
    assert_status(lh_registry_open(&fixture->options, &registry), LH_COUNTERS_DOWN);
    assert_null(registry);
}

static void test_registry_read_cell__appends_the_blob(void **state)
{
    struct registry_fixture *fixture = *state;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    uint8_t key_id = 0;
    assert_ok(lh_registry_read_cell(fixture->registry, &key_id, &blob));
    assert_int_equal(key_id, 1);
    assert_slice_text(lh_buf_view(&blob), "wrapped");
}

static void test_registry_begin__is_refused_on_a_read_only_registry(void **state)
{
    struct registry_fixture *fixture = *state;
    registry_fixture_close(fixture);
    fixture->options.is_read_only = true;
    registry_fixture_open(fixture);
    struct lh_registry_txn *txn = NULL;
    assert_status(lh_registry_begin(fixture->registry, &txn), LH_REGISTRY_DOWN);
    assert_null(txn);
    assert_absent(fixture, "acme");
}

/* --- Tenants ---------------------------------------------------------------------------------- */

static void add_texts(struct lh_tenant *tenant, const char *first, const char *second,
                      lh_slice **out_items)
{
    void *memory;
    assert_ok(lh_arena_take(&tenant->arena, 2 * sizeof(lh_slice), &memory));
    *out_items = memory;
    assert_ok(lh_arena_dup(&tenant->arena, lh_slice_from_text(first), &(*out_items)[0]));
    assert_ok(lh_arena_dup(&tenant->arena, lh_slice_from_text(second), &(*out_items)[1]));
}

static void give_everything(struct lh_tenant *tenant)
{
    void *memory;
    add_texts(tenant, "acme-old", "acme-eu", &tenant->aliases);
    tenant->alias_count = 2;
    add_texts(tenant, "acme.test", "portal.acme.test", &tenant->domains);
    tenant->domain_count = 2;
    assert_ok(lh_arena_take(&tenant->arena, sizeof(struct lh_role), &memory));
    tenant->roles = memory;
    tenant->role_count = 1;
    assert_ok(lh_arena_dup(&tenant->arena, LH_SLICE_LITERAL("editor"), &tenant->roles[0].name));
    add_texts(tenant, "orders:read", "orders:write", &tenant->roles[0].scopes);
    tenant->roles[0].scope_count = 2;
    tenant->bucket_counts[0] = 4;
    tenant->bucket_counts[1] = 2;
    tenant->bucket_counts_len = 2;
    memset(&tenant->bucket_key, 0xab, sizeof(tenant->bucket_key));
    memset(&tenant->index_key, 0xcd, sizeof(tenant->index_key));
    tenant->tier = (struct lh_tier){.name_len = 7, .name = "premium"};
}

static void test_registry_put_tenant__survives_a_reopening(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(1);
    struct lh_tenant *tenant;
    assert_ok(lh_registry_get_tenant(txn, &uid, &tenant));
    give_everything(tenant);
    assert_ok(lh_registry_put_tenant(txn, tenant));
    fixture_commit(txn);
    lh_tenant_unref(tenant);
    registry_fixture_close(fixture);
    registry_fixture_open(fixture);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme");
    assert_true(lh_tenant_uid_is_equal(&found->uid, &uid));
    assert_slice_text(lh_tenant_id_view(&found->id), "acme");
    assert_int_equal(found->state, LH_TENANT_ACTIVE);
    assert_int_equal(found->slot, 1);
    assert_int_equal(found->epoch, FIXTURE_NOW_MS);
    assert_int_equal(found->platform_epoch, 77);
    assert_int_equal(found->created_ms, FIXTURE_NOW_MS);
    assert_int_equal(found->bucket_counts_len, 2);
    assert_int_equal(found->bucket_counts[0], 4);
    assert_int_equal(found->bucket_counts[1], 2);
    assert_int_equal(found->bucket_key.bytes[15], 0xab);
    assert_int_equal(found->index_key.bytes[31], 0xcd);
    assert_int_equal(found->tier.absolute_s, 14 * 24 * 3600);
    assert_int_equal(found->alias_count, 2);
    assert_slice_text(found->aliases[1], "acme-eu");
    assert_int_equal(found->domain_count, 2);
    assert_slice_text(found->domains[0], "acme.test");
    const struct lh_role *role = lh_tenant_find_role(found, LH_SLICE_LITERAL("editor"));
    assert_non_null(role);
    assert_int_equal(role->scope_count, 2);
    assert_slice_text(role->scopes[1], "orders:write");
    assert_false(found->has_revocations);
    assert_false(found->has_user_epochs);
    assert_int_equal(found->active_dek, 0);
}

static void test_registry_put_tenant__gives_each_its_own_slot_for_good(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    fixture_add(fixture, 2, "globex");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    fixture_set_state(txn, 1, LH_TENANT_REMOVED);
    fixture_commit(txn);
    fixture_add(fixture, 3, "initech");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = load(fixture, "globex");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *initech = load(fixture, "initech");
    assert_int_equal(acme->slot, 1);
    assert_int_equal(globex->slot, 2);
    assert_int_equal(initech->slot, 3);
}

static void test_registry_put_tenant__refuses_what_cannot_be(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    assert_ok(lh_registry_get_tenant(txn, &uid, &tenant));
    tenant->slot = 0;
    assert_status(lh_registry_put_tenant(txn, tenant), LH_EXISTS);
    tenant->slot = 2;
    assert_status(lh_registry_put_tenant(txn, tenant), LH_INVALID);
    tenant->slot = 1;
    tenant->bucket_counts[0] = 3;
    assert_status(lh_registry_put_tenant(txn, tenant), LH_INVALID);
    tenant->bucket_counts[0] = 4096;
    assert_status(lh_registry_put_tenant(txn, tenant), LH_INVALID);
    tenant->bucket_counts[0] = 1;
    tenant->bucket_counts_len = 0;
    assert_status(lh_registry_put_tenant(txn, tenant), LH_INVALID);
    tenant->bucket_counts_len = 1;
    tenant->tier = (struct lh_tier){.name_len = 4, .name = "gold"};
    assert_status(lh_registry_put_tenant(txn, tenant), LH_ABSENT);
    tenant->tier.name_len = 0;
    assert_status(lh_registry_put_tenant(txn, tenant), LH_ABSENT);
    tenant->tier = (struct lh_tier){.name_len = 4, .name = "free"};
    assert_ok(lh_registry_put_tenant(txn, tenant));
    tenant->uid = fixture_uid(9); /* unknown, but with a slot */
    assert_status(lh_registry_put_tenant(txn, tenant), LH_INVALID);
}

static void test_registry_put_tenant__refuses_texts_that_are_not_utf8(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    assert_ok(lh_registry_get_tenant(txn, &uid, &tenant));
    struct lh_role role = {.name = LH_SLICE_LITERAL("ed\xff")};
    tenant->roles = &role;
    tenant->role_count = 1;
    assert_status(lh_registry_put_tenant(txn, tenant), LH_MALFORMED);
}

static void test_registry_put_tenant__never_lowers_an_epoch(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *stale = NULL;
    assert_ok(lh_registry_get_tenant(txn, &uid, &stale));
    uint64_t epoch;
    assert_ok(lh_registry_raise_tenant_epoch(txn, &uid, FIXTURE_NOW_MS + 5000, &epoch));
    assert_int_equal(epoch, FIXTURE_NOW_MS + 5000);
    assert_ok(lh_registry_put_tenant(txn, stale));
    assert_int_equal(stale->epoch, epoch);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme");
    assert_int_equal(found->epoch, epoch);
}

static void test_registry_end__without_commit_nothing_was_written(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(fixture_put_new(txn, 1, "acme"));
    lh_registry_end(&txn);
    assert_null(txn);
    lh_registry_end(&txn);
    assert_absent(fixture, "acme");
    fixture_add(fixture, 2, "acme"); /* neither name nor slot was taken */
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme");
    assert_int_equal(found->slot, 1);
}

static void test_registry_get_tenant__sees_its_own_transaction(void **state)
{
    struct registry_fixture *fixture = *state;
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(fixture_put_new(txn, 1, "acme"));
    struct lh_tenant_id name;
    struct lh_tenant_uid uid, expected = fixture_uid(1);
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme"), &name));
    assert_ok(lh_registry_find_uid(txn, &name, &uid));
    assert_true(lh_tenant_uid_is_equal(&uid, &expected));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    assert_ok(lh_registry_get_tenant(txn, &uid, &tenant));
    assert_int_equal(tenant->references, 1);
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("globex"), &name));
    assert_status(lh_registry_find_uid(txn, &name, &uid), LH_ABSENT);
    uid = fixture_uid(2);
    struct lh_tenant *nobody = NULL;
    assert_status(lh_registry_get_tenant(txn, &uid, &nobody), LH_ABSENT);
}

#define WITH_REGISTRY(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, registry_fixture_set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REGISTRY(test_registry_create__makes_private_files),
        WITH_REGISTRY(test_registry_create__never_overwrites),
        WITH_REGISTRY(test_registry_create__leaves_nothing_behind_when_it_fails),
        WITH_REGISTRY(test_registry_open__makes_nothing),
        WITH_REGISTRY(test_registry_open__needs_its_counters),
        WITH_REGISTRY(test_registry_read_cell__appends_the_blob),
        WITH_REGISTRY(test_registry_begin__is_refused_on_a_read_only_registry),
        WITH_REGISTRY(test_registry_put_tenant__survives_a_reopening),
        WITH_REGISTRY(test_registry_put_tenant__gives_each_its_own_slot_for_good),
        WITH_REGISTRY(test_registry_put_tenant__refuses_what_cannot_be),
        WITH_REGISTRY(test_registry_put_tenant__refuses_texts_that_are_not_utf8),
        WITH_REGISTRY(test_registry_put_tenant__never_lowers_an_epoch),
        WITH_REGISTRY(test_registry_end__without_commit_nothing_was_written),
        WITH_REGISTRY(test_registry_get_tenant__sees_its_own_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
