/*
 * Issuers and signing keys in the registry: into snapshots, and never two tenants that a token
 * could not tell apart.
 */
#include "support/test.h"

#include "registry_fixture.h"

#include "issuer_fixture.h"
#include "registry/issuer_codec.h"
#include "registry/registry_env.h"

#include <sys/wait.h>
#include <unistd.h>

#define IDP "https://idp.example"

static int set_up(void **state)
{
    (void)registry_fixture_set_up(state);
    fixture_add(*state, 1, "acme");
    fixture_add(*state, 2, "globex");
    return 0;
}

/* Puts one issuer in a transaction of its own, committed if it was taken. */
static lh_status put(struct registry_fixture *fixture, unsigned n, const struct lh_issuer *issuers,
                     size_t count, struct lh_issuer_conflict *conflict)
{
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(n);
    lh_status status = lh_registry_put_issuers(txn, &uid, issuers, count, conflict);
    if (lh_is_ok(status)) {
        fixture_commit(txn);
    } else {
        lh_registry_end(&txn);
    }
    return status;
}

static void put_ok(struct registry_fixture *fixture, unsigned n, const struct lh_issuer *issuers,
                   size_t count)
{
    struct lh_issuer_conflict conflict;
    assert_ok(put(fixture, n, issuers, count, &conflict));
}

static void put_key(struct registry_fixture *fixture, unsigned n, uint32_t id, uint64_t from_ms)
{
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(n);
    struct lh_wrapped_signing_key key = {.id = id,
                                         .created_ms = 5,
                                         .from_ms = from_ms,
                                         .life_s = 60,
                                         .blob = LH_SLICE_LITERAL("wrapped")};
    memset(key.x, 0x10, sizeof(key.x));
    memset(key.y, 0x20, sizeof(key.y));
    assert_ok(lh_registry_put_signing_key(txn, &uid, &key));
    fixture_commit(txn);
}

static void test_put_issuers__are_in_the_snapshot_of_their_tenant_alone(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer first, second;
    make_issuer(&first, IDP);
    make_issuer(&second, IDP "/two");
    second.issuer.key_count = 2;
    struct lh_issuer issuers[] = {first.issuer, second.issuer};
    uint64_t before = fixture_counter(fixture, 1);
    uint64_t others_before = fixture_counter(fixture, 2);
    put_ok(fixture, 1, issuers, 2);
    assert_true(fixture_counter(fixture, 1) == before + 2);
    assert_true(fixture_counter(fixture, 2) == others_before);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = fixture_load_uid(fixture, 2);
    assert_int_equal(acme->issuer_count, 2);
    assert_int_equal(acme->signing_key_count, 0);
    assert_slice_text(acme->issuers[0].iss, IDP);
    assert_slice_text(acme->issuers[1].iss, IDP "/two");
    assert_int_equal(acme->issuers[1].key_count, 2);
    assert_true(acme->issuers[0].generation == acme->issuers[1].generation);
    assert_int_equal(globex->issuer_count, 0);
    assert_null(globex->issuers);
}

static void test_put_issuers__take_the_place_of_those_before(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer first, second;
    make_issuer(&first, IDP);
    make_issuer(&second, IDP "/two");
    struct lh_issuer issuers[] = {first.issuer, second.issuer};
    put_ok(fixture, 1, issuers, 2);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *before = fixture_load_uid(fixture, 1);
    put_ok(fixture, 1, &second.issuer, 1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *after = fixture_load_uid(fixture, 1);
    assert_int_equal(after->issuer_count, 1);
    assert_slice_text(after->issuers[0].iss, IDP "/two");
    assert_true(after->issuers[0].generation > before->issuers[0].generation);
    put_ok(fixture, 2, &first.issuer, 1); /* nobody has it any more */
    put_ok(fixture, 1, NULL, 0);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *none = fixture_load_uid(fixture, 1);
    assert_int_equal(none->issuer_count, 0);
    put_ok(fixture, 1, NULL, 0);
}

static void assert_conflict(struct registry_fixture *fixture, const struct lh_issuer *issuer)
{
    struct lh_issuer_conflict conflict = {.index = 9};
    struct lh_tenant_uid acme = fixture_uid(1);
    assert_status(put(fixture, 2, issuer, 1, &conflict), LH_CONFLICT);
    assert_int_equal(conflict.index, 0);
    assert_true(lh_tenant_uid_is_equal(&conflict.other, &acme));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = fixture_load_uid(fixture, 2);
    assert_int_equal(globex->issuer_count, 0);
}

static void test_put_issuers__two_tenants_of_one_token_are_refused(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer acme, globex;
    make_issuer(&acme, IDP);
    make_issuer(&globex, IDP);
    put_ok(fixture, 1, &acme.issuer, 1);
    assert_conflict(fixture, &globex.issuer);
    globex.issuer.is_shared = true; /* the other one does not say so */
    assert_conflict(fixture, &globex.issuer);
    acme.issuer.is_shared = true;
    acme.issuer.bind_claim = LH_SLICE_EMPTY;
    acme.issuer.audience_count = 1;
    put_ok(fixture, 1, &acme.issuer, 1);
    globex.issuer.bind_claim = LH_SLICE_EMPTY;
    globex.issuer.audience_count = 2;
    assert_conflict(fixture, &globex.issuer); /* both have "api" */
    globex.audiences[0] = TEXT("app");
    put_ok(fixture, 2, &globex.issuer, 1);
}

static void test_put_issuers__what_tells_tenants_apart_is_compared_with_each(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer made;
    fixture_add(fixture, 3, "initech");
    make_issuer(&made, IDP);
    made.issuer.is_shared = true;
    made.issuer.bind_claim = TEXT("org");
    made.issuer.bind_value = TEXT("o-1");
    put_ok(fixture, 1, &made.issuer, 1);
    made.issuer.bind_value = TEXT("o-3");
    put_ok(fixture, 3, &made.issuer, 1);
    struct lh_issuer_conflict conflict;
    struct lh_tenant_uid initech = fixture_uid(3);
    assert_status(put(fixture, 2, &made.issuer, 1, &conflict), LH_CONFLICT);
    assert_true(lh_tenant_uid_is_equal(&conflict.other, &initech));
    made.issuer.bind_value = TEXT("o-2");
    put_ok(fixture, 2, &made.issuer, 1);
}

static void test_put_issuers__the_longest_iss_is_one_iss(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer made;
    char iss[LH_ISSUER_TEXT_MAX_BYTES + 1] = "";
    memset(iss, 'i', LH_ISSUER_TEXT_MAX_BYTES);
    make_issuer(&made, iss);
    put_ok(fixture, 1, &made.issuer, 1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    assert_slice_text(acme->issuers[0].iss, iss);
    assert_conflict(fixture, &made.issuer);
}

static void test_put_issuers__says_which_one_is_wrong(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer good, bad;
    struct lh_issuer_conflict conflict;
    make_issuer(&good, IDP);
    make_issuer(&bad, IDP);
    struct lh_issuer issuers[LH_ISSUERS_MAX];
    issuers[0] = good.issuer;
    issuers[1] = bad.issuer;
    assert_status(put(fixture, 1, issuers, 2, &conflict), LH_DUPLICATE);
    assert_int_equal(conflict.index, 1);
    make_issuer(&bad, IDP "/two");
    bad.issuer.skew_s = LH_TOKEN_SKEW_MAX_S + 1;
    issuers[1] = bad.issuer;
    assert_status(put(fixture, 1, issuers, 2, &conflict), LH_INVALID);
    assert_int_equal(conflict.index, 1);
    assert_status(put(fixture, 1, issuers, LH_ISSUERS_MAX, &conflict), LH_TOO_LARGE);
    assert_status(put(fixture, 9, issuers, 1, &conflict), LH_ABSENT);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    assert_int_equal(acme->issuer_count, 0);
}

static void test_put_signing_key__makes_the_own_issuer_the_first(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer made;
    make_issuer(&made, "a");
    put_ok(fixture, 1, &made.issuer, 1);
    put_key(fixture, 1, 1, 10);
    put_key(fixture, 1, 2, 20);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    assert_int_equal(acme->signing_key_count, 2);
    assert_true(acme->signing_keys[1].id == 2 && acme->signing_keys[1].from_ms == 20);
    assert_slice_text(acme->signing_keys[0].blob, "wrapped");
    assert_int_equal(acme->issuer_count, 2);
    const struct lh_issuer *own = &acme->issuers[0];
    assert_true(own->is_own && !own->is_shared);
    assert_true(lh_slice_has_prefix(own->iss, TEXT("urn:leasehold:")));
    char uid[LH_TENANT_UID_TEXT_BYTES];
    lh_tenant_uid_write(&acme->uid, uid);
    assert_int_equal(own->iss.len, strlen("urn:leasehold:") + 32 + 1 + 32);
    assert_true(lh_slice_has_suffix_nocase(own->iss, LH_SLICE_OF(uid)));
    assert_slice_text(own->bind_claim, "tenant_id");
    assert_int_equal(own->key_count, 2);
    assert_int_equal(own->keys[0].algorithm, LH_ES256);
    assert_int_equal(own->keys[0].material.ptr[31], 0x10);
    assert_int_equal(own->keys[0].material.ptr[32], 0x20);
    char kid[LH_SIGNING_KID_MAX_BYTES];
    size_t kid_len = lh_signing_kid_write(&acme->uid, &acme->signing_keys[1], kid);
    assert_true(lh_slice_is_equal(own->keys[1].kid, lh_slice_of(kid, kid_len)));
    assert_false(acme->issuers[1].is_own);
    assert_true(acme->issuers[1].generation == own->generation);
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_drop_signing_key(txn, &acme->uid, 1));
    fixture_commit(txn);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *after = fixture_load_uid(fixture, 1);
    assert_int_equal(after->issuers[0].key_count, 1);
    assert_true(after->issuers[0].generation > own->generation);
}

/* The first of two may have been published by a rotation that was killed before its commit. */
static void test_signing_kid__tells_two_keys_of_one_number_apart(void **state)
{
    (void)state;
    const struct lh_tenant_uid uid = {.bytes = {0xac, 0x3e, 0x00, 0x01}};
    struct lh_wrapped_signing_key key = {.id = UINT32_MAX, .x = {0xab, 0xcd, 0xef, 0x01}};
    char first[LH_SIGNING_KID_MAX_BYTES], second[LH_SIGNING_KID_MAX_BYTES];
    size_t len = lh_signing_kid_write(&uid, &key, first);
    assert_slice_text(lh_slice_of(first, len), "ac3e0001-4294967295-abcdef01");
    key.x[3] = 0x02;
    assert_int_equal(lh_signing_kid_write(&uid, &key, second), len);
    assert_memory_not_equal(first, second, len);
}

static void test_put_issuers__nobody_else_is_an_own_issuer(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer made;
    struct lh_issuer_conflict conflict;
    char iss[LH_ISSUER_TEXT_MAX_BYTES + 1];
    put_key(fixture, 1, 1, 10);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    (void)snprintf(iss, sizeof(iss), "%.*s", LH_SLICE_ARG(acme->issuers[0].iss));
    make_issuer(&made, iss);
    assert_status(put(fixture, 2, &made.issuer, 1, &conflict), LH_RESERVED);
    assert_status(put(fixture, 1, &made.issuer, 1, &conflict), LH_RESERVED);
}

/* --- Damage ----------------------------------------------------------------------------------- */

static void put_row(struct registry_fixture *fixture, enum lh_registry_table table, lh_slice key,
                    lh_slice row)
{
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_put_row(txn, table, key, row));
    fixture_commit(txn);
}

static lh_status load(struct registry_fixture *fixture)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    return fixture_load(fixture, "acme", &tenant);
}

static void test_load__a_row_that_is_none_is_unknown(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer made;
    struct lh_issuer_key key;
    struct lh_tenant_uid uid = fixture_uid(1);
    make_issuer(&made, IDP);
    put_ok(fixture, 1, &made.issuer, 1);
    assert_ok(lh_issuer_key_init(&uid, TEXT(IDP), &key));
    put_row(fixture, LH_TABLE_ISSUERS, lh_issuer_key_view(&key), TEXT("\x01nonsense"));
    assert_status(load(fixture), LH_REGISTRY_DOWN);
    put_row(fixture, LH_TABLE_ISSUERS, lh_issuer_key_view(&key), TEXT("\x7f"));
    assert_status(load(fixture), LH_FUTURE_FORMAT);
    put_ok(fixture, 1, &made.issuer, 1);
    assert_ok(load(fixture));
    put_row(fixture, LH_TABLE_ISSUERS, lh_tenant_uid_view(&uid), TEXT("\x01"));
    assert_status(load(fixture), LH_REGISTRY_DOWN);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = fixture_load_uid(fixture, 2);
    assert_int_equal(globex->issuer_count, 0);
}

static void test_load__signing_keys_out_of_order_are_unknown(void **state)
{
    struct registry_fixture *fixture = *state;
    put_key(fixture, 1, 1, 10);
    put_key(fixture, 1, 2, 10);
    assert_status(load(fixture), LH_REGISTRY_DOWN);
    put_key(fixture, 1, 2, 11);
    assert_ok(load(fixture));
    for (uint32_t id = 3; id <= LH_SIGNING_KEYS_MAX + 1; id++) {
        put_key(fixture, 1, id, 10 + id);
    }
    assert_status(load(fixture), LH_REGISTRY_DOWN);
}

/* --- A home of an earlier version ------------------------------------------------------------- */

static void drop_table(struct registry_fixture *fixture, const char *name)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, LH_TABLE_COUNT), 0);
    assert_int_equal(mdb_env_open(env, fixture->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, name, 0, &dbi), 0);
    assert_int_equal(mdb_drop(txn, dbi, 1), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void drop_later_tables(struct registry_fixture *fixture)
{
    registry_fixture_close(fixture);
    drop_table(fixture, "issuers");
    drop_table(fixture, "shared_issuers");
    drop_table(fixture, "signing_keys");
    drop_table(fixture, "request_keys");
}

static void wait_for(int fd)
{
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
}

static void tell(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

/* A worker that was started before any writer has opened the home. Not a test of cmocka's own. */
static int run_early_worker(struct registry_fixture *fixture, int from_fd, int to_fd)
{
    fixture->options.is_read_only = true;
    registry_fixture_open(fixture);
    struct lh_tenant *before = fixture_load_uid(fixture, 1);
    bool has_none = before->issuer_count == 0;
    lh_tenant_unref(before);
    tell(to_fd);
    wait_for(from_fd);
    struct lh_tenant *after = fixture_load_uid(fixture, 1);
    bool has_both = after->issuer_count == 2;
    lh_tenant_unref(after);
    registry_fixture_close(fixture);
    return has_none && has_both ? 0 : 1;
}

static void test_load__a_worker_sees_tables_that_were_made_after_it_began(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer made;
    int to_worker[2], to_writer[2], status;
    make_issuer(&made, IDP);
    drop_later_tables(fixture);
    assert_int_equal(pipe(to_worker), 0);
    assert_int_equal(pipe(to_writer), 0);
    pid_t worker = fork();
    assert_true(worker >= 0);
    if (worker == 0) {
        _exit(run_early_worker(fixture, to_worker[0], to_writer[1]));
    }
    wait_for(to_writer[0]);
    registry_fixture_open(fixture);
    put_ok(fixture, 1, &made.issuer, 1);
    put_key(fixture, 1, 1, 10);
    tell(to_worker[1]);
    assert_int_equal(waitpid(worker, &status, 0), worker);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < 2; i++) {
        (void)close(to_worker[i]);
        (void)close(to_writer[i]);
    }
}

static void test_open__a_registry_without_later_tables_serves_and_is_completed(void **state)
{
    struct registry_fixture *fixture = *state;
    struct made_issuer made;
    make_issuer(&made, IDP);
    drop_later_tables(fixture);
    fixture->options.is_read_only = true;
    registry_fixture_open(fixture);
    assert_ok(load(fixture));
    registry_fixture_close(fixture);
    fixture->options.is_read_only = false;
    registry_fixture_open(fixture);
    put_ok(fixture, 1, &made.issuer, 1);
    put_key(fixture, 1, 1, 10);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    assert_int_equal(acme->issuer_count, 2);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, registry_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_put_issuers__are_in_the_snapshot_of_their_tenant_alone),
        TEST(test_put_issuers__take_the_place_of_those_before),
        TEST(test_put_issuers__two_tenants_of_one_token_are_refused),
        TEST(test_put_issuers__what_tells_tenants_apart_is_compared_with_each),
        TEST(test_put_issuers__the_longest_iss_is_one_iss),
        TEST(test_put_issuers__says_which_one_is_wrong),
        TEST(test_put_signing_key__makes_the_own_issuer_the_first),
        TEST(test_signing_kid__tells_two_keys_of_one_number_apart),
        TEST(test_put_issuers__nobody_else_is_an_own_issuer),
        TEST(test_load__a_row_that_is_none_is_unknown),
        TEST(test_load__signing_keys_out_of_order_are_unknown),
        TEST(test_load__a_worker_sees_tables_that_were_made_after_it_began),
        TEST(test_open__a_registry_without_later_tables_serves_and_is_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
