/*
 * New credentials: a new secret under the same lease with a grace, and a new lease without one.
 */
#include "session_fixture.h"

static lh_status load(struct fixture *fixture, const struct lh_handle *handle,
                      struct lh_loaded_session *loaded)
{
    struct lh_op op = lh_op_idle(0, NULL);
    return lh_vault_load(fixture->vault, &op, handle, loaded);
}

/* Rotates by the handle; fails the test on errors. */
static void rotate(struct fixture *fixture, const struct lh_handle *handle,
                   struct lh_handle *out_handle, struct lh_session_header *out_header)
{
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->acts, &op, handle, &loaded));
    assert_ok(lh_vault_rotate(fixture->acts, &op, fixture->acme, &loaded, out_handle, out_header));
}

static void test_rotate__keeps_lease_life_and_content(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fake_host_advance(&fixture->fake, 5000);
    struct lh_handle next;
    struct lh_session_header header;
    rotate(fixture, &made.handle, &next, &header);
    assert_int_equal(header.generation, 2);
    assert_memory_equal(&header.lease, &made.header.lease, sizeof(header.lease));
    assert_int_equal(header.absolute_end_ms, made.header.absolute_end_ms);
    assert_int_equal(header.created_ms, made.header.created_ms);
    assert_memory_not_equal(next.secret, made.handle.secret, sizeof(next.secret));
    assert_memory_equal(&header.previous_hash, &made.header.secret_hash,
                        sizeof(header.previous_hash));
    assert_ok(load_and_open(fixture, fixture->acme, &next));
}

static void test_rotate__the_previous_secret_passes_for_ten_seconds_at_most(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_handle next;
    struct lh_session_header header;
    rotate(fixture, &made.handle, &next, &header);
    fake_host_advance(&fixture->fake, LH_ROTATION_GRACE_MS - 1);
    assert_ok(load_only(fixture, &made.handle));
    assert_int_equal(fixture->queue.grace_ends, 0); /* the old one ends nothing */
    fake_host_advance(&fixture->fake, 1);
    assert_status(load_only(fixture, &made.handle), LH_BAD_SECRET);
    assert_ok(load_only(fixture, &next));
    assert_int_equal(fixture->queue.grace_ends, 0); /* nothing is left to be ended */
}

static void test_rotate__the_new_secret_ends_the_previous_one_s_grace(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_handle next;
    struct lh_session_header header;
    rotate(fixture, &made.handle, &next, &header);
    assert_ok(load_only(fixture, &next));
    assert_int_equal(fixture->queue.grace_ends, 1);
    assert_true(lh_session_key_is_equal(&fixture->queue.graced[0], &made.key));
    assert_int_equal(fixture->queue.grace_generation, 2);
    assert_ok(load_only(fixture, &made.handle)); /* it is queued, not written */
    assert_ok(lh_store_end_grace(fixture->store, NULL, &made.key, 2));
    assert_status(load_only(fixture, &made.handle), LH_BAD_SECRET);
    assert_ok(load_only(fixture, &next));
    assert_int_equal(fixture->queue.grace_ends, 1); /* and is not queued again */
}

static void test_rotate__who_may_write_ends_the_grace_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_handle next;
    struct lh_session_header header;
    rotate(fixture, &made.handle, &next, &header);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(lh_vault_load(fixture->acts, &op, &next, &loaded));
    assert_status(load_only(fixture, &made.handle), LH_BAD_SECRET);
}

static void test_rotate__gives_nothing_to_who_holds_the_previous_secret(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_handle next, stolen;
    struct lh_session_header header;
    struct lh_store_evicted evicted;
    rotate(fixture, &made.handle, &next, &header);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(load(fixture, &made.handle, &loaded));
    assert_status(lh_vault_rotate(fixture->acts, &op, fixture->acme, &loaded, &stolen, &header),
                  LH_FORBIDDEN);
    spec.replaces = &loaded;
    assert_status(
        lh_vault_create(fixture->acts, &op, fixture->acme, &spec, &stolen, &header, &evicted),
        LH_FORBIDDEN);
    assert_ok(load_only(fixture, &next));
}

static void test_rotate__twice_leaves_only_the_last_two_secrets(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_handle second, third;
    struct lh_session_header header;
    rotate(fixture, &made.handle, &second, &header);
    rotate(fixture, &second, &third, &header);
    assert_int_equal(header.generation, 3);
    assert_status(load_only(fixture, &made.handle), LH_BAD_SECRET);
    assert_ok(load_only(fixture, &second));
    assert_ok(load_only(fixture, &third));
    assert_ok(lh_store_end_grace(fixture->store, NULL, &made.key, 2)); /* late, of the one before */
    assert_ok(load_only(fixture, &second));
}

static void test_rotate__of_two_at_once_one_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(load(fixture, &made.handle, &loaded));
    struct lh_handle first, late;
    struct lh_session_header header;
    assert_ok(lh_vault_rotate(fixture->acts, &op, fixture->acme, &loaded, &first, &header));
    assert_status(lh_vault_rotate(fixture->acts, &op, fixture->acme, &loaded, &late, &header),
                  LH_CONFLICT);
    assert_ok(load_only(fixture, &first));
}

static void test_rotate__loses_against_a_revocation(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(load(fixture, &made.handle, &loaded));
    assert_ok(lh_vault_revoke(fixture->acts, &op, &made.key, made.header.absolute_end_ms));
    struct lh_handle next;
    struct lh_session_header header;
    struct lh_store_evicted evicted;
    assert_status(lh_vault_rotate(fixture->acts, &op, fixture->acme, &loaded, &next, &header),
                  LH_REVOKED);
    spec.replaces = &loaded;
    assert_status(
        lh_vault_create(fixture->acts, &op, fixture->acme, &spec, &next, &header, &evicted),
        LH_REVOKED);
    assert_status(load_only(fixture, &made.handle), LH_REVOKED);
}

/* --- A new lease ------------------------------------------------------------------------------ */

/* Replaces a session at once. */
static lh_status replace(struct fixture *fixture, const struct lh_handle *old,
                         struct lh_session_spec *spec, struct lh_handle *out_handle,
                         struct lh_session_header *out_header)
{
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_evicted evicted;
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    assert_ok(load(fixture, old, &loaded));
    spec->replaces = &loaded;
    lh_status status =
        lh_vault_create(fixture->acts, &op, fixture->acme, spec, out_handle, out_header, &evicted);
    assert_int_equal(evicted.count, 0);
    return status;
}

static void test_replace__a_sign_in_ends_the_anonymous_session_in_the_same_step(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec nobody = {.absolute_s = 0};
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &nobody, &made);
    struct lh_handle next;
    struct lh_session_header header;
    assert_ok(replace(fixture, &made.handle, &spec, &next, &header));
    assert_true(header.has_user);
    assert_memory_not_equal(&header.lease, &made.header.lease, sizeof(header.lease));
    assert_memory_not_equal(next.secret, made.handle.secret, sizeof(next.secret));
    assert_status(load_only(fixture, &made.handle), LH_REVOKED);
    assert_ok(load_and_open(fixture, fixture->acme, &next));
}

static void test_replace__keeps_end_and_epochs_of_the_old_one_where_it_shall(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fake_host_advance(&fixture->fake, 60000);
    fixture->acme->epoch += 7; /* everybody was logged out meanwhile */
    spec.user_epoch += 7;
    spec.keeps_end = true;
    struct lh_handle next;
    struct lh_session_header header;
    assert_ok(replace(fixture, &made.handle, &spec, &next, &header));
    assert_int_equal(header.absolute_end_ms, made.header.absolute_end_ms);
    assert_int_equal(header.tenant_epoch, made.header.tenant_epoch);
    assert_int_equal(header.user_epoch, made.header.user_epoch);
    assert_int_equal(header.created_ms, made.header.created_ms + 60000);
    spec.keeps_end = false;
    struct lh_handle last;
    assert_ok(replace(fixture, &next, &spec, &last, &header));
    assert_int_equal(header.absolute_end_ms, made.header.absolute_end_ms + 60000);
    assert_int_equal(header.tenant_epoch, made.header.tenant_epoch);
}

/* --- Ends that stick -------------------------------------------------------------------------- */

/* Seen to be over once, over for good: also if the clock goes back before anybody looks again. */
static void test_expiry__sticks_when_the_clock_goes_back(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    fake_host_advance(&fixture->fake, (uint64_t)IDLE_S * 1000 - 1);
    assert_ok(load(fixture, &made.handle, &loaded));
    lh_loaded_session_fini(&loaded);
    fake_host_advance(&fixture->fake, 1);
    assert_status(lh_vault_load(fixture->acts, &op, &made.handle, &loaded), LH_EXPIRED);
    fixture->fake.boot_ms -= (uint64_t)IDLE_S * 1000 / 2;
    fixture->fake.wall_ms -= (uint64_t)IDLE_S * 1000 / 2;
    assert_status(load_only(fixture, &made.handle), LH_REVOKED);
}

#define ROTATE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROTATE_TEST(test_rotate__keeps_lease_life_and_content),
        ROTATE_TEST(test_rotate__the_previous_secret_passes_for_ten_seconds_at_most),
        ROTATE_TEST(test_rotate__the_new_secret_ends_the_previous_one_s_grace),
        ROTATE_TEST(test_rotate__who_may_write_ends_the_grace_at_once),
        ROTATE_TEST(test_rotate__gives_nothing_to_who_holds_the_previous_secret),
        ROTATE_TEST(test_rotate__twice_leaves_only_the_last_two_secrets),
        ROTATE_TEST(test_rotate__of_two_at_once_one_is_refused),
        ROTATE_TEST(test_rotate__loses_against_a_revocation),
        ROTATE_TEST(test_replace__a_sign_in_ends_the_anonymous_session_in_the_same_step),
        ROTATE_TEST(test_replace__keeps_end_and_epochs_of_the_old_one_where_it_shall),
        ROTATE_TEST(test_expiry__sticks_when_the_clock_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
