/*
 * Keys of request signatures in the registry: rows, snapshots, and the counter that tells workers.
 */
#include "support/test.h"

#include "registry_fixture.h"

#include "base/text_list.h"
#include "registry/registry_env.h"
#include "registry/signature_codec.h"

static struct lh_arena arena;

struct made_key {
    struct lh_signature_key key;
    lh_slice roles[LH_TEXT_LIST_MAX + 1];
    lh_slice scopes[LH_TEXT_LIST_MAX + 1];
    uint8_t material[LH_SIGNATURE_MATERIAL_MAX_BYTES + 1];
};

/* A secret with one role, or a public key with none. */
static void make_key(struct made_key *made, const char *id, bool is_public)
{
    memset(made, 0, sizeof(*made));
    memset(made->material, 0x42, sizeof(made->material));
    for (size_t i = 0; i < LH_TEXT_LIST_MAX + 1; i++) {
        made->roles[i] = LH_SLICE_LITERAL("admin");
        made->scopes[i] = LH_SLICE_LITERAL("orders:write");
    }
    made->key = (struct lh_signature_key){
        .key_id = lh_slice_from_text(id),
        .algorithm = is_public ? LH_HTTP_ED25519 : LH_HTTP_HMAC_SHA256,
        .material = lh_slice_of(made->material, is_public ? 32 : 104),
        .dek_id = is_public ? 0 : 3,
        .created_ms = 5,
        .until_ms = is_public ? 77 : 0,
        .subject = LH_SLICE_LITERAL("billing"),
        .roles = made->roles,
        .role_count = is_public ? 0 : 1,
        .scopes = made->scopes,
    };
}

static int set_up(void **state)
{
    (void)registry_fixture_set_up(state);
    arena = lh_arena_bounded((size_t)1024 * 1024);
    fixture_add(*state, 1, "acme");
    fixture_add(*state, 2, "globex");
    return 0;
}

static int tear_down(void **state)
{
    lh_arena_fini(&arena);
    return registry_fixture_tear_down(state);
}

/* --- Rows ------------------------------------------------------------------------------------- */

static void test_signature_row__reads_back_as_it_was_written(void **state)
{
    (void)state;
    for (unsigned is_public = 0; is_public < 2; is_public++) {
        struct made_key made;
        struct lh_signature_key back;
        make_key(&made, "k", is_public == 1);
        LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY, again = LH_BUF_EMPTY;
        assert_ok(lh_signature_row_write(&made.key, &row));
        assert_ok(lh_signature_row_read(made.key.key_id, lh_buf_view(&row), &arena, &back));
        assert_int_equal(back.algorithm, made.key.algorithm);
        assert_int_equal(back.dek_id, made.key.dek_id);
        assert_true(back.created_ms == 5 && back.until_ms == made.key.until_ms);
        assert_slice_text(back.key_id, "k");
        assert_slice_text(back.subject, "billing");
        assert_int_equal(back.role_count, made.key.role_count);
        assert_ok(lh_signature_row_write(&back, &again));
        assert_true(lh_slice_is_equal(lh_buf_view(&row), lh_buf_view(&again)));
    }
}

static void test_signature_row_read__takes_no_cut_or_longer_one(void **state)
{
    (void)state;
    struct made_key made;
    struct lh_signature_key back;
    make_key(&made, "k", false);
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_signature_row_write(&made.key, &row));
    for (size_t len = 0; len < row.len; len++) {
        assert_status(
            lh_signature_row_read(made.key.key_id, lh_slice_of(row.ptr, len), &arena, &back),
            LH_MALFORMED);
    }
    assert_ok(lh_buf_add_u8(&row, 0));
    assert_status(lh_signature_row_read(made.key.key_id, lh_buf_view(&row), &arena, &back),
                  LH_MALFORMED);
}

static void test_signature_row_read__judges_as_if_a_stranger_had_written(void **state)
{
    (void)state;
    struct made_key made;
    struct lh_signature_key back;
    make_key(&made, "k", true);
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_signature_row_write(&made.key, &row));
    /* version, algorithm, DEK id (4), created (8), until (8), 32 "material", 7 "billing", 0, 0 */
    static const struct {
        size_t at;
        uint8_t byte;
        enum lh_code expected;
    } changes[] = {
        {0, 0, LH_MALFORMED},   {0, 2, LH_FUTURE_FORMAT}, {1, 0, LH_MALFORMED},
        {1, 1, LH_MALFORMED},   {1, 3, LH_MALFORMED},     {5, 1, LH_MALFORMED},
        {22, 31, LH_MALFORMED}, {55, 0, LH_MALFORMED},    {56, ' ', LH_MALFORMED},
        {63, 33, LH_MALFORMED}, {64, 1, LH_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        uint8_t before = row.ptr[changes[i].at];
        row.ptr[changes[i].at] = changes[i].byte;
        lh_status status = lh_signature_row_read(made.key.key_id, lh_buf_view(&row), &arena, &back);
        row.ptr[changes[i].at] = before;
        if (status.code != changes[i].expected) {
            fail_msg("change %zu: got %s", i, lh_status_name(status));
        }
    }
    assert_ok(lh_signature_row_read(made.key.key_id, lh_buf_view(&row), &arena, &back));
    assert_status(lh_signature_row_read(LH_SLICE_LITERAL("a b"), lh_buf_view(&row), &arena, &back),
                  LH_MALFORMED);
}

static void test_signature_row__the_largest_fits_and_no_larger_one_is_written(void **state)
{
    (void)state;
    static char text[LH_TEXT_MAX_BYTES];
    struct made_key made;
    struct lh_signature_key back;
    make_key(&made, "k", false);
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < LH_TEXT_LIST_MAX + 1; i++) {
        made.roles[i] = made.scopes[i] = LH_SLICE_OF(text);
    }
    made.key.subject = LH_SLICE_OF(text);
    made.key.material = lh_slice_of(made.material, LH_SIGNATURE_MATERIAL_MAX_BYTES);
    made.key.role_count = made.key.scope_count = LH_TEXT_LIST_MAX;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = lh_buf_bounded(LH_SIGNATURE_ROW_MAX_BYTES);
    assert_ok(lh_signature_row_write(&made.key, &row));
    assert_ok(lh_signature_row_read(made.key.key_id, lh_buf_view(&row), &arena, &back));
    lh_buf_clear(&row);
    made.key.scope_count++;
    assert_status(lh_signature_row_write(&made.key, &row), LH_INVALID);
    made.key.scope_count--;
    made.key.material.len++;
    assert_status(lh_signature_row_write(&made.key, &row), LH_INVALID);
    make_key(&made, "k", true);
    made.key.dek_id = 1;
    assert_status(lh_signature_row_write(&made.key, &row), LH_INVALID);
    make_key(&made, "k", false);
    made.key.dek_id = 0;
    assert_status(lh_signature_row_write(&made.key, &row), LH_INVALID);
    make_key(&made, "k", false);
    made.key.subject = LH_SLICE_EMPTY;
    assert_status(lh_signature_row_write(&made.key, &row), LH_INVALID);
    assert_int_equal(row.len, 0);
}

/* --- Snapshots -------------------------------------------------------------------------------- */

static lh_status put(struct registry_fixture *fixture, unsigned n, const char *id, bool is_public)
{
    struct made_key made;
    make_key(&made, id, is_public);
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(n);
    lh_status status = lh_registry_put_signature_key(txn, &uid, &made.key);
    if (lh_is_ok(status)) {
        fixture_commit(txn);
    } else {
        lh_registry_end(&txn);
    }
    return status;
}

static lh_status drop(struct registry_fixture *fixture, unsigned n, const char *id)
{
    struct lh_registry_txn *txn = fixture_begin(fixture);
    struct lh_tenant_uid uid = fixture_uid(n);
    lh_status status = lh_registry_drop_signature_key(txn, &uid, lh_slice_from_text(id));
    if (lh_is_ok(status)) {
        fixture_commit(txn);
    } else {
        lh_registry_end(&txn);
    }
    return status;
}

static void test_put_signature_key__is_in_the_snapshot_of_its_tenant_alone(void **state)
{
    struct registry_fixture *fixture = *state;
    uint64_t before = fixture_counter(fixture, 1), others_before = fixture_counter(fixture, 2);
    assert_ok(put(fixture, 1, "b", false));
    assert_ok(put(fixture, 1, "a", true));
    assert_ok(put(fixture, 1, "b", true)); /* in the place of the first */
    assert_true(fixture_counter(fixture, 1) == before + 6);
    assert_true(fixture_counter(fixture, 2) == others_before);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = fixture_load_uid(fixture, 2);
    assert_int_equal(globex->signature_key_count, 0);
    assert_int_equal(acme->signature_key_count, 2);
    assert_slice_text(acme->signature_keys[0].key_id, "a");
    assert_slice_text(acme->signature_keys[1].key_id, "b");
    assert_int_equal(acme->signature_keys[1].algorithm, LH_HTTP_ED25519);
    assert_non_null(lh_signature_keys_find(acme->signature_keys, 2, LH_SLICE_LITERAL("a"), 76));
    assert_null(lh_signature_keys_find(acme->signature_keys, 2, LH_SLICE_LITERAL("a"), 77));
    assert_status(put(fixture, 3, "a", true), LH_ABSENT);
    assert_status(put(fixture, 1, "a b", true), LH_INVALID);
}

static void test_drop_signature_key__is_told_to_workers(void **state)
{
    struct registry_fixture *fixture = *state;
    assert_ok(put(fixture, 1, "a", true));
    assert_ok(put(fixture, 2, "a", true));
    uint64_t before = fixture_counter(fixture, 1);
    assert_status(drop(fixture, 1, "b"), LH_ABSENT);
    assert_status(drop(fixture, 1, ""), LH_ABSENT);
    assert_true(fixture_counter(fixture, 1) == before);
    assert_ok(drop(fixture, 1, "a"));
    assert_true(fixture_counter(fixture, 1) == before + 2);
    assert_status(drop(fixture, 1, "a"), LH_ABSENT);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *globex = fixture_load_uid(fixture, 2);
    assert_int_equal(acme->signature_key_count, 0);
    assert_int_equal(globex->signature_key_count, 1);
}

static void test_put_signature_key__refuses_one_too_many(void **state)
{
    struct registry_fixture *fixture = *state;
    char id[16];
    for (unsigned i = 0; i < LH_SIGNATURE_KEYS_MAX; i++) {
        (void)snprintf(id, sizeof(id), "key-%u", i);
        assert_ok(put(fixture, 1, id, true));
    }
    assert_status(put(fixture, 1, "key-x", true), LH_LIMITED);
    assert_ok(put(fixture, 1, "key-0", true)); /* none more than before */
    assert_ok(put(fixture, 2, "key-x", true));
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *acme = fixture_load_uid(fixture, 1);
    assert_int_equal(acme->signature_key_count, LH_SIGNATURE_KEYS_MAX);
}

static void test_load__a_damaged_key_makes_its_tenant_unknown_and_nobody_else(void **state)
{
    struct registry_fixture *fixture = *state;
    struct lh_signature_row_key key;
    struct lh_tenant_uid uid = fixture_uid(1);
    struct lh_tenant *tenant = NULL;
    assert_ok(lh_signature_row_key_init(&uid, LH_SLICE_LITERAL("a"), &key));
    struct lh_registry_txn *txn = fixture_begin(fixture);
    assert_ok(lh_registry_put_row(txn, LH_TABLE_SIGNATURES, lh_signature_row_key_view(&key),
                                  LH_SLICE_LITERAL("\x01\x09")));
    fixture_commit(txn);
    assert_status(fixture_load(fixture, "acme", &tenant), LH_REGISTRY_DOWN);
    assert_ok(fixture_load(fixture, "globex", &tenant));
    lh_tenant_unref(tenant);
}

#define KEY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEY_TEST(test_signature_row__reads_back_as_it_was_written),
        KEY_TEST(test_signature_row_read__takes_no_cut_or_longer_one),
        KEY_TEST(test_signature_row_read__judges_as_if_a_stranger_had_written),
        KEY_TEST(test_signature_row__the_largest_fits_and_no_larger_one_is_written),
        KEY_TEST(test_put_signature_key__is_in_the_snapshot_of_its_tenant_alone),
        KEY_TEST(test_drop_signature_key__is_told_to_workers),
        KEY_TEST(test_put_signature_key__refuses_one_too_many),
        KEY_TEST(test_load__a_damaged_key_makes_its_tenant_unknown_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
