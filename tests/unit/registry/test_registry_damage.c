/*
 * A registry that somebody has damaged: the answer is "unknown", never a wrong one and never a
 * crash. Also the alarm of a registry that was set back.
 */
#include "support/test.h"

#include "registry_fixture.h"

#include "registry/registry_env.h"
#include "registry/row_codec.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAW_MAP_BYTES ((size_t)1024 * 1024 * 1024)

static void put_raw_once(struct registry_fixture *fixture, const char *table, lh_slice key,
                         const lh_slice *row)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val mdb_key = {key.len, (void *)(uintptr_t)key.ptr};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, LH_TABLE_COUNT), 0);
    assert_int_equal(mdb_env_set_mapsize(env, RAW_MAP_BYTES), 0);
    assert_int_equal(mdb_env_open(env, fixture->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
    if (row == NULL) {
        assert_int_equal(mdb_del(txn, dbi, &mdb_key, NULL), 0);
    } else {
        MDB_val value = {row->len, (void *)(uintptr_t)row->ptr};
        assert_int_equal(mdb_put(txn, dbi, &mdb_key, &value, 0), 0);
    }
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* Writes a row (NULL: removes it) past the registry, which is closed meanwhile. */
static void put_raw(struct registry_fixture *fixture, const char *table, lh_slice key,
                    const lh_slice *row)
{
    registry_fixture_close(fixture);
    put_raw_once(fixture, table, key, row);
    registry_fixture_open(fixture);
}

static const lh_slice garbage = {(const uint8_t *)"\x01garbage", 8};
static const lh_slice future = {(const uint8_t *)"\x7f\x00\x00\x00\x01\x04"
                                                 "acme",
                                10};

static int set_up(void **state)
{
    (void)registry_fixture_set_up(state);
    fixture_add(*state, 1, "acme");
    fixture_add(*state, 2, "globex");
    return 0;
}

static void assert_load(struct registry_fixture *fixture, const char *name, enum lh_code expected)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    assert_status(fixture_load(fixture, name, &tenant), expected);
}

static bool see_any(void *context, const struct lh_tenant *tenant)
{
    (void)context;
    (void)tenant;
    return true;
}

static bool see_any_tier(void *context, const struct lh_tier *tier)
{
    (void)context;
    (void)tier;
    return true;
}

/* --- Rows ------------------------------------------------------------------------------------- */

static void test_registry_damage__a_broken_tenant_is_unknown_and_alone(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_tenant_uid uid = fixture_uid(1);
    put_raw(fixture, "tenants", lh_tenant_uid_view(&uid), &garbage);
    assert_load(fixture, "acme", LH_REGISTRY_DOWN);
    assert_load(fixture, "globex", LH_OK);
    assert_status(lh_registry_each_tenant(fixture->registry, see_any, NULL), LH_REGISTRY_DOWN);
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant *tenant = NULL;
    uint64_t epoch;
    assert_status(lh_registry_get_tenant(txn, &uid, &tenant), LH_REGISTRY_DOWN);
    assert_status(lh_registry_raise_tenant_epoch(txn, &uid, 5, &epoch), LH_REGISTRY_DOWN);
    assert_null(tenant);
}

static void test_registry_damage__a_newer_tenant_row_is_named_as_such(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_tenant_uid uid = fixture_uid(1);
    put_raw(fixture, "tenants", lh_tenant_uid_view(&uid), &future);
    assert_load(fixture, "acme", LH_FUTURE_FORMAT);
    assert_load(fixture, "globex", LH_OK);
}

static void test_registry_damage__a_name_without_tenant_is_not_an_unknown_tenant(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_tenant_uid uid = fixture_uid(1);
    put_raw(fixture, "tenants", lh_tenant_uid_view(&uid), NULL);
    assert_load(fixture, "acme", LH_REGISTRY_DOWN);
}

static void test_registry_damage__a_broken_name_is_unknown(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_name_key key;
    assert_ok(lh_name_key_init(LH_NAME_TENANT, LH_SLICE_LITERAL("acme"), &key));
    put_raw(fixture, "names", lh_name_key_view(&key), &garbage);
    assert_load(fixture, "acme", LH_REGISTRY_DOWN);
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_status(fixture_claim(txn, LH_NAME_TENANT, "acme", 2, FIXTURE_NOW_MS, true),
                  LH_REGISTRY_DOWN);
    assert_status(fixture_release(txn, "acme", FIXTURE_NOW_MS), LH_REGISTRY_DOWN);
}

static void test_registry_damage__broken_keys_and_tiers_are_unknown(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_tenant_uid uid = fixture_uid(1);
    uint8_t key[LH_DEK_KEY_BYTES];
    lh_dek_key_write(&uid, 1, key);
    put_raw(fixture, "deks", LH_SLICE_OF(key), &garbage);
    assert_load(fixture, "acme", LH_REGISTRY_DOWN);
    assert_load(fixture, "globex", LH_OK);
    put_raw(fixture, "tiers", LH_SLICE_LITERAL("free"), &garbage);
    assert_load(fixture, "globex", LH_REGISTRY_DOWN);
    assert_status(lh_registry_each_tier(fixture->registry, see_any_tier, NULL), LH_REGISTRY_DOWN);
    put_raw(fixture, "tiers", LH_SLICE_LITERAL("free"), NULL);
    assert_load(fixture, "globex", LH_REGISTRY_DOWN);
    const struct lh_directory_source *source = lh_registry_source(fixture->registry);
    struct lh_tenant *tenant = NULL;
    uid = fixture_uid(2);
    assert_status(source->load_by_uid(source->self, &uid, &tenant), LH_REGISTRY_DOWN);
}

static void test_registry_damage__a_broken_revocation_never_passes_as_none(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_tenant_uid uid = fixture_uid(1);
    struct lh_lease_id lease = fixture_lease(1);
    struct lh_user_tag tag = fixture_tag(1);
    uint8_t key[LH_SUBJECT_KEY_BYTES];
    lh_subject_key_write(&uid, lease.bytes, key);
    put_raw(fixture, "revocations", LH_SLICE_OF(key), &garbage);
    struct lh_revocation revocation = {true, 1};
    assert_status(lh_registry_read_revocation(fixture->registry, &uid, &lease, &revocation),
                  LH_REGISTRY_DOWN);
    lh_subject_key_write(&uid, tag.bytes, key);
    put_raw(fixture, "user_epochs", LH_SLICE_OF(key), &garbage);
    uint64_t epoch;
    assert_status(lh_registry_read_user_epoch(fixture->registry, &uid, &tag, &epoch),
                  LH_REGISTRY_DOWN);
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_status(lh_registry_put_revocation(txn, &uid, &lease, &revocation, 5), LH_REGISTRY_DOWN);
    assert_status(lh_registry_raise_user_epoch(txn, &uid, &tag, 5, 5, &epoch), LH_REGISTRY_DOWN);
}

static void test_registry_damage__a_broken_end_stops_the_sweep(void **state)
{
    struct registry_fixture *fixture = *state;
    size_t removed;
    put_raw(fixture, "ends", garbage, &garbage);
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_status(lh_registry_sweep(txn, UINT64_MAX, 10, &removed), LH_REGISTRY_DOWN);
    lh_registry_end(&txn);
    put_raw(fixture, "ends", garbage, NULL);
    /* An entry that names another table must not remove tenants. */
    struct lh_end_key end = {.end_ms = 1, .table = LH_TABLE_TENANTS};
    uint8_t key[LH_END_KEY_BYTES];
    lh_end_key_write(&end, key);
    put_raw(fixture, "ends", LH_SLICE_OF(key), &garbage);
    txn = fixture_begin(fixture);
    assert_status(lh_registry_sweep(txn, UINT64_MAX, 10, &removed), LH_REGISTRY_DOWN);
    lh_registry_end(&txn);
}

/* --- What the whole registry stands on -------------------------------------------------------- */

static lh_status open_after(struct registry_fixture *fixture, lh_slice name, const lh_slice *row)
{
    registry_fixture_close(fixture);
    put_raw_once(fixture, "meta", name, row);
    return lh_registry_open(&fixture->options, &fixture->registry);
}

static void test_registry_open__refuses_another_format(void **state)
{
    struct registry_fixture *fixture = *state;
    const lh_slice newer = LH_SLICE_LITERAL("\0\0\0\0\0\0\0\x02");
    const lh_slice zero = LH_SLICE_LITERAL("\0\0\0\0\0\0\0\0");
    assert_status(open_after(fixture, LH_META_FORMAT, &newer), LH_FUTURE_FORMAT);
    assert_status(open_after(fixture, LH_META_FORMAT, &zero), LH_REGISTRY_DOWN);
    assert_status(open_after(fixture, LH_META_FORMAT, &future), LH_REGISTRY_DOWN);
    assert_status(open_after(fixture, LH_META_FORMAT, NULL), LH_REGISTRY_DOWN);
    assert_null(fixture->registry);
}

static void test_registry_open__refuses_a_registry_without_its_counters_id(void **state)
{
    struct registry_fixture *fixture = *state;
    assert_status(open_after(fixture, LH_META_COUNTERS, &garbage), LH_REGISTRY_DOWN);
    assert_status(open_after(fixture, LH_META_COUNTERS, NULL), LH_REGISTRY_DOWN);
}

static void test_registry_damage__missing_numbers_are_unknown(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = NULL;
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
    uint8_t key_id;
    put_raw(fixture, "meta", LH_META_PLATFORM_EPOCH, &garbage);
    assert_load(fixture, "acme", LH_OK); /* eight bytes are a number */
    put_raw(fixture, "meta", LH_META_PLATFORM_EPOCH, &future);
    assert_load(fixture, "acme", LH_REGISTRY_DOWN);
    put_raw(fixture, "meta", LH_META_CELL, NULL);
    assert_status(lh_registry_read_cell(fixture->registry, &key_id, &blob), LH_ABSENT);
    put_raw(fixture, "meta", LH_META_CELL, &LH_SLICE_EMPTY);
    assert_status(lh_registry_read_cell(fixture->registry, &key_id, &blob), LH_REGISTRY_DOWN);
    put_raw(fixture, "meta", LH_META_GENERATION, NULL);
    assert_status(lh_registry_begin(fixture->registry, &txn), LH_REGISTRY_DOWN);
    assert_null(txn);
}

/* --- Counters --------------------------------------------------------------------------------- */

static void test_registry_begin__needs_the_counters_file_in_its_place(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = NULL;
    assert_int_equal(unlink(fixture->counters_path), 0);
    assert_status(lh_registry_begin(fixture->registry, &txn), LH_COUNTERS_DOWN);
    assert_null(txn);
}

/* --- The generation --------------------------------------------------------------------------- */

static void generation_path(const struct registry_fixture *fixture,
                            char out_path[SCRATCH_PATH_BYTES])
{
    scratch_dir_path(&fixture->dir, "registry/generation", out_path);
}

static void read_generation(const struct registry_fixture *fixture, char out_text[32])
{
    char path[SCRATCH_PATH_BYTES];
    generation_path(fixture, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t len = read(fd, out_text, 31);
    assert_true(len > 0);
    out_text[len] = '\0';
    close(fd);
}

static void write_generation(const struct registry_fixture *fixture, const char *text)
{
    char path[SCRATCH_PATH_BYTES];
    generation_path(fixture, path);
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_registry_generation__counts_commits(void **state)
{
    struct registry_fixture *fixture = *state;
    char text[32];
    read_generation(fixture, text);
    assert_string_equal(text, "00000000000000000002\n");
    struct lh_registry_txn *txn = fixture_begin(fixture);
    lh_registry_end(&txn); /* no commit */
    read_generation(fixture, text);
    assert_string_equal(text, "00000000000000000002\n");
    fixture_add(fixture, 3, "initech");
    read_generation(fixture, text);
    assert_string_equal(text, "00000000000000000003\n");
    assert_int_equal(fixture->lines, 0);
}

static void test_registry_generation__a_registry_that_was_set_back_takes_no_write(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_registry_txn *txn = NULL;
    write_generation(fixture, "00000000000000000003\n");
    assert_status(lh_registry_begin(fixture->registry, &txn), LH_REGISTRY_DOWN);
    assert_null(txn);
    assert_int_equal(fixture->lines, 1);
    assert_int_equal(fixture->last_level, LH_LOG_ERROR);
    assert_non_null(strstr(fixture->last_line, "set back from generation 3 to 2"));
    assert_load(fixture, "acme", LH_OK); /* reading goes on */
    write_generation(fixture, "00000000000000000002\n");
    fixture_add(fixture, 3, "initech");
}

static void test_registry_generation__an_older_note_is_caught_up(void **state)
{
    struct registry_fixture *fixture = *state;
    char text[32];
    write_generation(fixture, "00000000000000000000\n"); /* a writer died before its note */
    fixture_add(fixture, 3, "initech");
    read_generation(fixture, text);
    assert_string_equal(text, "00000000000000000003\n");
}

static void test_registry_generation__notes_in_the_wrong_order_keep_the_later(void **state)
{
    struct registry_fixture *fixture = *state;
    char text[32];
    lh_registry_generation_note(fixture->registry, 9);
    lh_registry_generation_note(fixture->registry, 8);
    read_generation(fixture, text);
    assert_string_equal(text, "00000000000000000009\n");
    write_generation(fixture, "?");
    lh_registry_generation_note(fixture->registry, 10);
    assert_int_equal(fixture->last_level, LH_LOG_WARN);
    read_generation(fixture, text);
    assert_string_equal(text, "?"); /* nobody can tell what it held */
}

static void test_registry_generation__a_file_that_cannot_be_read_stops_writers(void **state)
{
    struct registry_fixture *fixture = *state;
    static const char *const bad[] = {"",
                                      "2\n",
                                      "0000000000000000000x\n",
                                      "99999999999999999999\n",
                                      "000000000000000000020\n",
                                      "00000000000000000002\n\n",
                                      "00000000000000000002"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lh_registry_txn *txn = NULL;
        write_generation(fixture, bad[i]);
        assert_status(lh_registry_begin(fixture->registry, &txn), LH_REGISTRY_DOWN);
        assert_int_equal(fixture->lines, i + 1);
    }
    char path[SCRATCH_PATH_BYTES];
    generation_path(fixture, path);
    registry_fixture_close(fixture);
    assert_int_equal(unlink(path), 0);
    assert_status(lh_registry_open(&fixture->options, &fixture->registry), LH_REGISTRY_DOWN);
    fixture->options.is_read_only = true;
    registry_fixture_open(fixture); /* workers do not need it */
    assert_load(fixture, "acme", LH_OK);
}

#define WITH_TENANTS(test) cmocka_unit_test_setup_teardown(test, set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TENANTS(test_registry_damage__a_broken_tenant_is_unknown_and_alone),
        WITH_TENANTS(test_registry_damage__a_newer_tenant_row_is_named_as_such),
        WITH_TENANTS(test_registry_damage__a_name_without_tenant_is_not_an_unknown_tenant),
        WITH_TENANTS(test_registry_damage__a_broken_name_is_unknown),
        WITH_TENANTS(test_registry_damage__broken_keys_and_tiers_are_unknown),
        WITH_TENANTS(test_registry_damage__a_broken_revocation_never_passes_as_none),
        WITH_TENANTS(test_registry_damage__a_broken_end_stops_the_sweep),
        WITH_TENANTS(test_registry_open__refuses_another_format),
        WITH_TENANTS(test_registry_open__refuses_a_registry_without_its_counters_id),
        WITH_TENANTS(test_registry_damage__missing_numbers_are_unknown),
        WITH_TENANTS(test_registry_begin__needs_the_counters_file_in_its_place),
        WITH_TENANTS(test_registry_generation__counts_commits),
        WITH_TENANTS(test_registry_generation__a_registry_that_was_set_back_takes_no_write),
        WITH_TENANTS(test_registry_generation__an_older_note_is_caught_up),
        WITH_TENANTS(test_registry_generation__notes_in_the_wrong_order_keep_the_later),
        WITH_TENANTS(test_registry_generation__a_file_that_cannot_be_read_stops_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
