/*
 * The registry in one process: making and opening it, tenants, names, keys, tiers.
 */
#include "support/test.h"

#include "registry_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS (24U * 3600U * 1000U)

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

/* --- Names ------------------------------------------------------------------------------------ */

static lh_status claim(struct lh_registry_txn *txn, enum lh_name_kind kind, const char *name,
                       unsigned n, uint64_t now_ms, bool may_reclaim)
{
    struct lh_tenant_uid uid = fixture_uid(n);
    return lh_registry_claim_name(txn, kind, lh_slice_from_text(name), &uid, now_ms, may_reclaim);
}

static lh_status release(struct lh_registry_txn *txn, const char *name, uint64_t until_ms)
{
    return lh_registry_release_name(txn, LH_NAME_TENANT, lh_slice_from_text(name), until_ms);
}

static void test_registry_names__belong_to_one_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(claim(txn, LH_NAME_TENANT, "acme", 1, FIXTURE_NOW_MS, false));
    assert_status(claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, false), LH_EXISTS);
    assert_status(claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, true), LH_EXISTS);
    assert_ok(claim(txn, LH_NAME_DOMAIN, "acme", 2, FIXTURE_NOW_MS, false)); /* another space */
    assert_status(claim(txn, LH_NAME_TENANT, "", 2, FIXTURE_NOW_MS, false), LH_INVALID);
}

static void test_registry_names__alias_and_domain_lead_to_the_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(claim(txn, LH_NAME_TENANT, "acme-eu", 1, FIXTURE_NOW_MS, false));
    assert_ok(claim(txn, LH_NAME_DOMAIN, "portal.acme.test", 1, FIXTURE_NOW_MS, false));
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_alias = load(fixture, "acme-eu");
    assert_slice_text(lh_tenant_id_view(&by_alias->id), "acme");
    const struct lh_directory_source *source = lh_registry_source(fixture->registry);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *by_domain = NULL;
    assert_ok(
        source->load_by_domain(source->self, LH_SLICE_LITERAL("portal.acme.test"), &by_domain));
    assert_slice_text(lh_tenant_id_view(&by_domain->id), "acme");
    struct lh_tenant *nobody = NULL;
    assert_status(source->load_by_domain(source->self, LH_SLICE_LITERAL("acme"), &nobody),
                  LH_ABSENT);
    assert_absent(fixture, "portal.acme.test");
}

static void test_registry_names__a_rename_stops_and_reserves_the_old_name(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(1);
    struct lh_tenant *tenant;
    assert_ok(lh_registry_get_tenant(txn, &uid, &tenant));
    assert_ok(claim(txn, LH_NAME_TENANT, "acme-corp", 1, FIXTURE_NOW_MS, false));
    assert_ok(release(txn, "acme", FIXTURE_NOW_MS + 400 * (uint64_t)DAY_MS));
    assert_ok(lh_tenant_id_parse(LH_SLICE_LITERAL("acme-corp"), &tenant->id));
    assert_ok(lh_registry_put_tenant(txn, tenant));
    lh_tenant_unref(tenant);
    fixture_commit(txn);
    assert_absent(fixture, "acme");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme-corp");
    assert_slice_text(lh_tenant_id_view(&found->id), "acme-corp");
    assert_true(lh_tenant_uid_is_equal(&found->uid, &uid));
}

static void test_registry_names__a_reserved_name_waits_for_its_time(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(release(txn, "acme", FIXTURE_NOW_MS + DAY_MS));
    assert_status(claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS + DAY_MS - 1, false),
                  LH_RESERVED);
    assert_ok(claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS + DAY_MS, false));
    assert_status(claim(txn, LH_NAME_TENANT, "acme", 1, FIXTURE_NOW_MS, false), LH_EXISTS);
}

static void test_registry_names__a_reserved_name_is_its_owners_or_reclaimed(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(release(txn, "acme", FIXTURE_NOW_MS + DAY_MS));
    assert_ok(claim(txn, LH_NAME_TENANT, "acme", 1, FIXTURE_NOW_MS, false));
    assert_ok(release(txn, "acme", FIXTURE_NOW_MS + DAY_MS));
    assert_status(claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, false), LH_RESERVED);
    assert_ok(claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, true));
    assert_status(claim(txn, LH_NAME_TENANT, "acme", 1, FIXTURE_NOW_MS, false), LH_EXISTS);
}

static void test_registry_release_name__only_prolongs_a_reservation(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_status(release(txn, "nobody", FIXTURE_NOW_MS), LH_ABSENT);
    assert_ok(release(txn, "acme", FIXTURE_NOW_MS + 2 * (uint64_t)DAY_MS));
    assert_ok(release(txn, "acme", FIXTURE_NOW_MS + DAY_MS));
    assert_status(claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS + DAY_MS, false),
                  LH_RESERVED);
}

/* --- Keys and tiers --------------------------------------------------------------------------- */

static void put_dek(struct lh_registry_txn *txn, unsigned n, uint32_t id, enum lh_dek_state state)
{
    struct lh_tenant_uid uid = fixture_uid(n);
    const struct lh_wrapped_dek dek = {.id = id,
                                       .state = state,
                                       .created_ms = 100 + id,
                                       .retire_ms = 200 + id,
                                       .blob = LH_SLICE_LITERAL("wrapped key")};
    assert_ok(lh_registry_put_dek(txn, &uid, &dek));
}

static void test_registry_put_dek__keys_come_in_order_and_stay_with_their_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    fixture_add(fixture, 2, "globex");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    put_dek(txn, 1, 300, LH_DEK_PENDING);
    put_dek(txn, 1, 2, LH_DEK_ACTIVE);
    put_dek(txn, 1, 1, LH_DEK_DECRYPT_ONLY);
    put_dek(txn, 2, 9, LH_DEK_ACTIVE);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = load(fixture, "acme");
    assert_int_equal(acme->dek_count, 3);
    assert_int_equal(acme->deks[0].id, 1);
    assert_int_equal(acme->deks[1].id, 2);
    assert_int_equal(acme->deks[2].id, 300);
    assert_int_equal(acme->deks[0].state, LH_DEK_DECRYPT_ONLY);
    assert_int_equal(acme->deks[0].created_ms, 101);
    assert_int_equal(acme->deks[0].retire_ms, 201);
    assert_slice_text(acme->deks[2].blob, "wrapped key");
    assert_int_equal(acme->active_dek, 2);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = load(fixture, "globex");
    assert_int_equal(globex->dek_count, 1);
    assert_int_equal(globex->active_dek, 9);
}

static void test_registry_put_dek__a_rotation_moves_the_active_key(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    put_dek(txn, 1, 1, LH_DEK_ACTIVE);
    put_dek(txn, 1, 2, LH_DEK_PENDING);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *before = load(fixture, "acme");
    assert_int_equal(before->active_dek, 1);
    txn = fixture_begin(fixture);
    put_dek(txn, 1, 2, LH_DEK_ACTIVE);
    put_dek(txn, 1, 1, LH_DEK_DECRYPT_ONLY);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *after = load(fixture, "acme");
    assert_int_equal(after->active_dek, 2);
    assert_int_equal(after->dek_count, 2);
    assert_int_not_equal(after->counter, before->counter);
    struct lh_tenant_uid uid = fixture_uid(1);
    const struct lh_wrapped_dek nameless = {.id = 0};
    txn = fixture_begin(fixture);
    assert_status(lh_registry_put_dek(txn, &uid, &nameless), LH_INVALID);
    lh_registry_end(&txn);
}

static void test_registry_put_tier__changes_every_tenant_of_it(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tier tier;
    assert_ok(lh_registry_get_tier(txn, LH_SLICE_LITERAL("free"), &tier));
    assert_int_equal(tier.idle_s, 1800);
    tier.idle_s = 60;
    tier.sessions_max = UINT64_MAX;
    assert_ok(lh_registry_put_tier(txn, &tier));
    tier.idle_s = 0;
    assert_status(lh_registry_put_tier(txn, &tier), LH_INVALID);
    assert_status(lh_registry_get_tier(txn, LH_SLICE_LITERAL("gold"), &tier), LH_ABSENT);
    assert_status(lh_registry_get_tier(txn, LH_SLICE_EMPTY, &tier), LH_ABSENT);
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme");
    assert_int_equal(found->tier.idle_s, 60);
    assert_true(found->tier.sessions_max == UINT64_MAX);
}

/* --- Marks ------------------------------------------------------------------------------------ */

static void test_registry_mark__raises_at_once_and_again_at_the_end(void **state)
{
    struct registry_fixture *fixture = *state;
    uint64_t before = fixture_counter(fixture, 500);
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_mark(txn, 500));
    assert_ok(lh_registry_mark(txn, 500));
    assert_int_equal(fixture_counter(fixture, 500), before + 1);
    assert_ok(lh_registry_commit(txn));
    assert_int_equal(fixture_counter(fixture, 500), before + 1);
    lh_registry_end(&txn);
    assert_int_equal(fixture_counter(fixture, 500), before + 2);
    assert_int_equal(fixture_counter(fixture, 499), 0);
    assert_int_equal(fixture_counter(fixture, 501), 0);
    txn = fixture_begin(fixture);
    assert_status(lh_registry_mark(txn, LH_COUNTER_SLOTS), LH_COUNTERS_DOWN);
    assert_ok(lh_registry_mark(txn, LH_COUNTER_SLOTS - 1));
    lh_registry_end(&txn);
    assert_int_equal(fixture_counter(fixture, LH_COUNTER_SLOTS - 1), 2);
}

/* What a write raises: the tenant's counter, the platform's, both or none. */
static void assert_raises(struct registry_fixture *fixture, struct lh_registry_txn *txn,
                          const uint64_t before[2], bool tenants, bool platforms)
{
    assert_int_equal(fixture_counter(fixture, 1), before[0] + tenants);
    assert_int_equal(fixture_counter(fixture, 0), before[1] + platforms);
    lh_registry_end(&txn);
    assert_int_equal(fixture_counter(fixture, 1), before[0] + 2U * tenants);
    assert_int_equal(fixture_counter(fixture, 0), before[1] + 2U * platforms);
}

#define ASSERT_RAISES(write, tenants, platforms)                                                   \
    do {                                                                                           \
        const uint64_t before[2] = {fixture_counter(fixture, 1), fixture_counter(fixture, 0)};     \
        struct lh_registry_txn *txn = fixture_begin(fixture);                                      \
        write;                                                                                     \
        assert_raises(fixture, txn, before, tenants, platforms);                                   \
    } while (0)

static void test_registry_writes__mark_what_they_change(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    struct lh_tenant_uid uid = fixture_uid(1);
    struct lh_lease_id lease = fixture_lease(1);
    struct lh_user_tag tag = fixture_tag(1);
    const struct lh_revocation revocation = {.is_revoked = true};
    struct lh_tier tier;
    uint64_t epoch;
    ASSERT_RAISES(fixture_set_state(txn, 1, LH_TENANT_DISABLED), true, false);
    ASSERT_RAISES(put_dek(txn, 1, 1, LH_DEK_ACTIVE), true, false);
    ASSERT_RAISES(assert_ok(lh_registry_put_revocation(txn, &uid, &lease, &revocation, 5)), true,
                  false);
    ASSERT_RAISES(assert_ok(lh_registry_raise_user_epoch(txn, &uid, &tag, 5, 5, &epoch)), true,
                  false);
    ASSERT_RAISES(assert_ok(lh_registry_raise_tenant_epoch(txn, &uid, 5, &epoch)), true, false);
    ASSERT_RAISES(assert_ok(lh_registry_raise_platform_epoch(txn, 5, &epoch)), false, true);
    ASSERT_RAISES(assert_ok(claim(txn, LH_NAME_TENANT, "acme-eu", 1, 5, false)), false, true);
    ASSERT_RAISES(assert_ok(release(txn, "acme", 5)), false, true);
    ASSERT_RAISES(
        {
            assert_ok(lh_registry_get_tier(txn, LH_SLICE_LITERAL("free"), &tier));
            assert_ok(lh_registry_put_tier(txn, &tier));
        },
        false, true);
}

static void test_registry_source__notes_counters_and_reads_them(void **state)
{
    struct registry_fixture *fixture = *state;
    fixture_add(fixture, 1, "acme");
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = load(fixture, "acme");
    assert_int_equal(found->counter, fixture_counter(fixture, found->slot));
    assert_int_equal(found->platform_counter, fixture_counter(fixture, 0));
    const struct lh_directory_source *source = lh_registry_source(fixture->registry);
    uint64_t value;
    assert_ok(source->read_counter(source->self, found->slot, &value));
    assert_int_equal(value, found->counter);
    assert_status(source->read_counter(source->self, LH_COUNTER_SLOTS, &value), LH_COUNTERS_DOWN);
    struct lh_tenant_uid nobody = fixture_uid(5);
    struct lh_tenant *tenant = NULL;
    assert_status(source->load_by_uid(source->self, &nobody, &tenant), LH_ABSENT);
    assert_null(tenant);
}

/* --- Lists ------------------------------------------------------------------------------------ */

#define MANY 10000U

struct listing {
    struct registry_fixture *fixture;
    unsigned seen;
    unsigned stop_after; /* 0: never */
    char last[40];
};

static bool list_tenant(void *context, const struct lh_tenant *tenant)
{
    struct listing *listing = context;
    char text[40];
    (void)snprintf(text, sizeof(text), "%.*s", LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)));
    assert_true(listing->seen == 0 || strcmp(listing->last, text) <= 0);
    memcpy(listing->last, text, sizeof(text));
    listing->seen++;
    return listing->seen != listing->stop_after;
}

static void test_registry_each_tenant__lists_ten_thousand_in_order(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = fixture_begin(fixture);
    for (unsigned i = 0; i < MANY; i++) {
        char id[20];
        (void)snprintf(id, sizeof(id), "tenant-%u", i * 7919U % MANY);
        assert_ok(fixture_put_new(txn, i, id));
    }
    fixture_commit(txn);
    struct listing listing = {.fixture = fixture};
    assert_ok(lh_registry_each_tenant(fixture->registry, list_tenant, &listing));
    assert_int_equal(listing.seen, MANY);
    listing = (struct listing){.fixture = fixture, .stop_after = 3};
    assert_ok(lh_registry_each_tenant(fixture->registry, list_tenant, &listing));
    assert_int_equal(listing.seen, 3);
    assert_string_equal(listing.last, "tenant-10");
}

static bool list_and_look(void *context, const struct lh_tenant *tenant)
{
    struct listing *listing = context;
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *again = NULL;
    assert_ok(fixture_load(listing->fixture, "globex", &again));
    listing->seen += tenant->state == LH_TENANT_REMOVED ? 10 : 1;
    return true;
}

static void
test_registry_each_tenant__shows_removed_ones_and_lets_the_registry_be_used(void **state)
{
    struct registry_fixture *fixture = *state;
    struct listing listing = {.fixture = fixture};
    assert_ok(lh_registry_each_tenant(fixture->registry, list_tenant, &listing));
    assert_int_equal(listing.seen, 0);
    fixture_add(fixture, 1, "acme");
    fixture_add(fixture, 2, "globex");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    fixture_set_state(txn, 1, LH_TENANT_REMOVED);
    assert_ok(release(txn, "acme", FIXTURE_NOW_MS));
    assert_ok(fixture_put_new(txn, 3, "acme")); /* its successor */
    fixture_commit(txn);
    assert_ok(lh_registry_each_tenant(fixture->registry, list_and_look, &listing));
    assert_int_equal(listing.seen, 12);
}

static bool list_tier(void *context, const struct lh_tier *tier)
{
    struct listing *listing = context;
    (void)snprintf(listing->last, sizeof(listing->last), "%.*s", LH_SLICE_ARG(lh_tier_name(tier)));
    listing->seen++;
    return listing->seen != listing->stop_after;
}

static void test_registry_each_tier__lists_the_defaults(void **state)
{
    struct registry_fixture *fixture = *state;
    struct listing listing = {.seen = 0};
    assert_ok(lh_registry_each_tier(fixture->registry, list_tier, &listing));
    assert_int_equal(listing.seen, 3);
    assert_string_equal(listing.last, "standard");
    listing = (struct listing){.stop_after = 2};
    assert_ok(lh_registry_each_tier(fixture->registry, list_tier, &listing));
    assert_string_equal(listing.last, "premium");
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
        WITH_REGISTRY(test_registry_names__belong_to_one_tenant),
        WITH_REGISTRY(test_registry_names__alias_and_domain_lead_to_the_tenant),
        WITH_REGISTRY(test_registry_names__a_rename_stops_and_reserves_the_old_name),
        WITH_REGISTRY(test_registry_names__a_reserved_name_waits_for_its_time),
        WITH_REGISTRY(test_registry_names__a_reserved_name_is_its_owners_or_reclaimed),
        WITH_REGISTRY(test_registry_release_name__only_prolongs_a_reservation),
        WITH_REGISTRY(test_registry_put_dek__keys_come_in_order_and_stay_with_their_tenant),
        WITH_REGISTRY(test_registry_put_dek__a_rotation_moves_the_active_key),
        WITH_REGISTRY(test_registry_put_tier__changes_every_tenant_of_it),
        WITH_REGISTRY(test_registry_mark__raises_at_once_and_again_at_the_end),
        WITH_REGISTRY(test_registry_writes__mark_what_they_change),
        WITH_REGISTRY(test_registry_source__notes_counters_and_reads_them),
        WITH_REGISTRY(test_registry_each_tenant__lists_ten_thousand_in_order),
        WITH_REGISTRY(test_registry_each_tenant__shows_removed_ones_and_lets_the_registry_be_used),
        WITH_REGISTRY(test_registry_each_tier__lists_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
