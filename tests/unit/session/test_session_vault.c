/*
 * Loading and opening: who gets in, and in which order the vault says no.
 */
#include "session_fixture.h"

static void test_vault__a_created_session_loads_and_opens(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fake_host_advance(&fixture->fake, 1000);

    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->vault, &op, &made.handle, &loaded));
    assert_int_equal(loaded.last_touch_ms, FAKE_HOST_NOW_MS);
    assert_false(loaded.is_previous_secret);
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_principal principal;
    assert_ok(lh_vault_open(fixture->vault, &op, fixture->acme, &loaded, &plain, &principal));
    assert_slice_text(principal.subject, "alice");
    assert_int_equal(principal.roles.count, 1);
    assert_slice_text(principal.roles.items[0], "admin");
    assert_slice_text(principal.scopes.items[0], "orders:read");
    assert_slice_text(principal.groups.items[0], "staff");
    LH_CLEANUP(lh_buf_fini) struct lh_buf opened = LH_BUF_EMPTY;
    assert_ok(lh_vault_open_state(fixture->vault, &op, fixture->acme, &loaded, &opened));
    assert_slice_text(lh_buf_view(&opened), "{\"cart\":[1,2]}");
}

static void test_vault__opening_again_into_the_same_buffer_replaces_it(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->vault, &op, &made.handle, &loaded));
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_principal principal;
    assert_ok(lh_vault_open(fixture->vault, &op, fixture->acme, &loaded, &plain, &principal));
    size_t len = plain.len;
    assert_ok(lh_vault_open(fixture->vault, &op, fixture->acme, &loaded, &plain, &principal));
    assert_int_equal(plain.len, len);
    assert_slice_text(principal.subject, "alice");
}

static void test_vault__a_session_without_state_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    spec.state = LH_SLICE_EMPTY;
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->vault, &op, &made.handle, &loaded));
    LH_CLEANUP(lh_buf_fini) struct lh_buf opened = LH_BUF_EMPTY;
    assert_status(lh_vault_open_state(fixture->vault, &op, fixture->acme, &loaded, &opened),
                  LH_ABSENT);
}

/* --- Places ----------------------------------------------------------------------------------- */

static void test_vault__an_unknown_lease_bucket_or_tenant_is_absent(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_handle other = made.handle;
    other.lease.bytes[0] ^= 1;
    assert_status(load_only(fixture, &other), LH_ABSENT);
    other = made.handle;
    other.bucket ^= 1;
    assert_status(load_only(fixture, &other), LH_ABSENT);
    other = made.handle;
    other.uid = fixture->globex->uid;
    assert_status(load_only(fixture, &other), LH_ABSENT);
    assert_ok(load_only(fixture, &made.handle));
}

static void test_vault__a_revoked_session_is_revoked(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    LH_CLEANUP(made_session_fini) struct made_session other;
    make_session(fixture, fixture->acme, &spec, &made);
    make_session(fixture, fixture->acme, &spec, &other);
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_vault_revoke(fixture->acts, &op, &made.key, made.header.absolute_end_ms));
    assert_status(load_only(fixture, &made.handle), LH_REVOKED);
    assert_ok(load_only(fixture, &other.handle));
}

static void test_vault__a_record_that_is_set_aside_is_not_read(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_store_quarantine(fixture->store, &op, &made.key));
    assert_status(load_only(fixture, &made.handle), LH_QUARANTINED);
    assert_int_equal(fixture->queue.quarantines, 0);
}

static void test_vault__a_refused_load_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_handle wrong = made.handle;
    wrong.secret[0] ^= 1;
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->vault, &op, &made.handle, &loaded));
    assert_status(lh_vault_load(fixture->vault, &op, &wrong, &loaded), LH_BAD_SECRET);
    const struct lh_loaded_session empty = LH_LOADED_SESSION_EMPTY;
    assert_memory_equal(&loaded, &empty, sizeof(empty));
}

/* --- The secret ------------------------------------------------------------------------------- */

static void test_vault__no_other_secret_gets_in(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    for (unsigned bit = 0; bit < 8 * LH_SESSION_SECRET_BYTES; bit++) {
        struct lh_handle guess = made.handle;
        guess.secret[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_status(load_only(fixture, &guess), LH_BAD_SECRET);
    }
    struct lh_handle zero = made.handle;
    memset(zero.secret, 0, sizeof(zero.secret));
    assert_status(load_only(fixture, &zero), LH_BAD_SECRET);
}

/* A session of two secrets, the previous one in its grace. */
static void put_rotated(struct fixture *fixture, struct made_session *made, uint64_t grace_end_ms,
                        struct lh_handle *out_previous)
{
    struct lh_session_spec spec = spec_of_alice();
    make_session(fixture, fixture->acme, &spec, made);
    *out_previous = made->handle;
    memset(out_previous->secret, 0x77, sizeof(out_previous->secret));
    made->header.generation = made->row.generation = 2;
    made->header.grace_end_ms = grace_end_ms;
    assert_ok(
        lh_sha256(fixture->crypto, LH_SLICE_OF(out_previous->secret), &made->header.previous_hash));
    LH_CLEANUP(lh_buf_fini) struct lh_buf principal = LH_BUF_EMPTY;
    assert_ok(lh_principal_write(&spec.principal, &principal));
    lh_buf_clear(&made->record);
    seal_record(fixture, fixture->acme, &made->header, lh_buf_view(&principal), spec.state,
                &made->record);
    put_row(fixture, &made->key, &made->row, lh_buf_view(&made->record));
}

static void test_vault__the_previous_secret_passes_within_its_grace_and_is_told(void **state)
{
    struct fixture *fixture = *state;
    LH_CLEANUP(made_session_fini) struct made_session made;
    struct lh_handle previous;
    put_rotated(fixture, &made, FAKE_HOST_NOW_MS + 10000, &previous);

    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->vault, &op, &made.handle, &loaded));
    assert_false(loaded.is_previous_secret);
    lh_loaded_session_fini(&loaded);
    fake_host_advance(&fixture->fake, 9999);
    assert_ok(lh_vault_load(fixture->vault, &op, &previous, &loaded));
    assert_true(loaded.is_previous_secret);
    fake_host_advance(&fixture->fake, 1);
    assert_status(load_only(fixture, &previous), LH_BAD_SECRET);
    assert_ok(load_and_open(fixture, fixture->acme, &made.handle));
}

/* --- Ends ------------------------------------------------------------------------------------- */

static void test_vault__the_absolute_end_is_to_the_millisecond(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    fixture->acme->tier.idle_s = 0;
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fake_host_advance(&fixture->fake, (uint64_t)ABSOLUTE_S * 1000 - 1);
    assert_ok(load_only(fixture, &made.handle));
    assert_int_equal(fixture->queue.expiries, 0);
    fake_host_advance(&fixture->fake, 1);
    assert_status(load_only(fixture, &made.handle), LH_EXPIRED);
    assert_int_equal(fixture->queue.expiries, 1);
    assert_true(lh_session_key_is_equal(&fixture->queue.expired[0], &made.key));
}

static void test_vault__the_idle_end_is_to_the_millisecond_and_a_touch_moves_it(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    const uint64_t idle_ms = (uint64_t)IDLE_S * 1000;
    fake_host_advance(&fixture->fake, idle_ms - 1);
    assert_ok(load_only(fixture, &made.handle));
    struct lh_store_touch touch = {made.key, lh_clock_now_ms(&fixture->fake.clock)};
    assert_ok(lh_store_touch(fixture->store, &touch, 1));
    fake_host_advance(&fixture->fake, idle_ms - 1);
    assert_ok(load_only(fixture, &made.handle));
    fake_host_advance(&fixture->fake, 1);
    assert_status(load_only(fixture, &made.handle), LH_EXPIRED);
}

static void test_vault__a_wrong_secret_ends_no_session(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fake_host_advance(&fixture->fake, (uint64_t)ABSOLUTE_S * 1000);
    made.handle.secret[0] ^= 1;
    assert_status(load_only(fixture, &made.handle), LH_BAD_SECRET);
    assert_int_equal(fixture->queue.expiries, 0);
}

static void test_vault__whoever_may_block_buries_an_expired_session_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fake_host_advance(&fixture->fake, (uint64_t)IDLE_S * 1000);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_status(lh_vault_inspect(fixture->acts, &op, &made.key, &loaded), LH_EXPIRED);
    assert_status(lh_vault_inspect(fixture->acts, &op, &made.key, &loaded), LH_REVOKED);
}

static void test_vault__a_forged_last_touch_keeps_no_session_beyond_its_absolute_end(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    made.row.last_touch_ms = UINT64_MAX;
    put_row(fixture, &made.key, &made.row, lh_buf_view(&made.record));
    fake_host_advance(&fixture->fake, (uint64_t)ABSOLUTE_S * 1000 - 1);
    assert_ok(load_only(fixture, &made.handle));
    fake_host_advance(&fixture->fake, 1);
    assert_status(load_only(fixture, &made.handle), LH_EXPIRED);
}

static void test_vault__a_last_touch_before_birth_counts_as_birth(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    made.row.last_touch_ms = 0;
    put_row(fixture, &made.key, &made.row, lh_buf_view(&made.record));
    fake_host_advance(&fixture->fake, (uint64_t)IDLE_S * 1000 - 1);
    assert_ok(load_only(fixture, &made.handle));
}

/* --- Inspecting ------------------------------------------------------------------------------- */

static void test_vault__an_operator_reads_without_the_secret(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_inspect(fixture->acts, &op, &made.key, &loaded));
    assert_int_equal(loaded.header.generation, 1);
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_principal principal;
    assert_ok(lh_vault_open(fixture->acts, &op, fixture->acme, &loaded, &plain, &principal));
    assert_slice_text(principal.subject, "alice");
    assert_ok(lh_vault_revoke(fixture->acts, &op, &made.key, 0));
    lh_loaded_session_fini(&loaded);
    assert_status(lh_vault_inspect(fixture->acts, &op, &made.key, &loaded), LH_REVOKED);
}

/* --- Keys ------------------------------------------------------------------------------------- */

static void test_vault__a_key_that_is_not_warm_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fixture_renew_datakeys(fixture);
    fixture->fake.mode = FAKE_HOST_QUEUES;
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->vault, &op, &made.handle, &loaded));
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_principal principal;
    assert_status(lh_vault_open(fixture->vault, &op, fixture->acme, &loaded, &plain, &principal),
                  LH_PENDING);
    assert_int_equal(fake_host_run(&fixture->fake, LH_LANE_FETCH), 1);
    assert_int_equal(op.state, LH_OP_COMPLETED);
    assert_ok(lh_vault_open(fixture->vault, &op, fixture->acme, &loaded, &plain, &principal));
    assert_slice_text(principal.subject, "alice");
}

static void test_vault__warm_tenants_go_on_without_a_kms_and_cold_ones_are_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session warm;
    LH_CLEANUP(made_session_fini) struct made_session cold;
    make_session(fixture, fixture->globex, &spec, &cold);
    fixture_renew_datakeys(fixture);
    make_session(fixture, fixture->acme, &spec, &warm);
    fixture->kms.answer = LH_KEY_DOWN;
    assert_ok(load_and_open(fixture, fixture->acme, &warm.handle));
    assert_status(load_and_open(fixture, fixture->globex, &cold.handle), LH_KEY_DOWN);
    assert_int_equal(fixture->queue.expiries + fixture->queue.quarantines, 0);
    fixture->kms.answer = LH_OK;
    fake_host_advance(&fixture->fake, LH_DATAKEY_BACKOFF_MS);
    assert_ok(load_and_open(fixture, fixture->globex, &cold.handle));
}

static void test_vault__a_destroyed_key_is_absent(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fixture->acme->deks[0].state = LH_DEK_DESTROYED;
    assert_status(load_and_open(fixture, fixture->acme, &made.handle), LH_ABSENT);
}

static void test_vault__a_refused_cookie_asks_for_no_key(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fixture_renew_datakeys(fixture);
    size_t before = fixture->kms.unwraps;
    struct lh_handle guess = made.handle;
    guess.secret[3] ^= 1;
    assert_status(load_and_open(fixture, fixture->acme, &guess), LH_BAD_SECRET);
    guess.lease.bytes[3] ^= 1;
    assert_status(load_and_open(fixture, fixture->acme, &guess), LH_ABSENT);
    assert_int_equal(fixture->kms.unwraps, before);
}

#define VAULT_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VAULT_TEST(test_vault__a_created_session_loads_and_opens),
        VAULT_TEST(test_vault__opening_again_into_the_same_buffer_replaces_it),
        VAULT_TEST(test_vault__a_session_without_state_says_so),
        VAULT_TEST(test_vault__an_unknown_lease_bucket_or_tenant_is_absent),
        VAULT_TEST(test_vault__a_revoked_session_is_revoked),
        VAULT_TEST(test_vault__a_record_that_is_set_aside_is_not_read),
        VAULT_TEST(test_vault__a_refused_load_leaves_nothing_behind),
        VAULT_TEST(test_vault__no_other_secret_gets_in),
        VAULT_TEST(test_vault__the_previous_secret_passes_within_its_grace_and_is_told),
        VAULT_TEST(test_vault__the_absolute_end_is_to_the_millisecond),
        VAULT_TEST(test_vault__the_idle_end_is_to_the_millisecond_and_a_touch_moves_it),
        VAULT_TEST(test_vault__a_wrong_secret_ends_no_session),
        VAULT_TEST(test_vault__whoever_may_block_buries_an_expired_session_at_once),
        VAULT_TEST(test_vault__a_forged_last_touch_keeps_no_session_beyond_its_absolute_end),
        VAULT_TEST(test_vault__a_last_touch_before_birth_counts_as_birth),
        VAULT_TEST(test_vault__an_operator_reads_without_the_secret),
        VAULT_TEST(test_vault__a_key_that_is_not_warm_is_waited_for),
        VAULT_TEST(test_vault__warm_tenants_go_on_without_a_kms_and_cold_ones_are_unknown),
        VAULT_TEST(test_vault__a_destroyed_key_is_absent),
        VAULT_TEST(test_vault__a_refused_cookie_asks_for_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
