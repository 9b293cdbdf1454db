/*
 * What somebody else does to a session between the moment when a rotation has read it and the one
 * when it has the registry's lock: what was read is judged again, and nothing ended comes back.
 */
#include "acts.h"

#include "setup/home.h"

/* --- Between the two moments ------------------------------------------------------------------ */

static void (*between)(struct made_home *made);
static struct made_home *home_between;
static struct made_session session;

lh_status __real_lh_registry_begin(struct lh_registry *registry, struct lh_registry_txn **out_txn);
lh_status __wrap_lh_registry_begin(struct lh_registry *registry, struct lh_registry_txn **out_txn);

lh_status __wrap_lh_registry_begin(struct lh_registry *registry, struct lh_registry_txn **out_txn)
{
    void (*act)(struct made_home *) = between;
    between = NULL; /* the act begins transactions too */
    if (act != NULL) {
        act(home_between);
    }
    return __real_lh_registry_begin(registry, out_txn);
}

/* --- Acts and what is left of them ------------------------------------------------------------ */

static char given[128];

static void keep(void *context, const struct lh_admin_credential *made)
{
    *(int *)context += 1;
    (void)snprintf(given, sizeof(given), "%.*s", LH_SLICE_ARG(made->cookie_value));
}

static lh_status rotate(struct made_home *made, bool has_roles)
{
    lh_slice role = LH_SLICE_LITERAL("auditor");
    const struct lh_admin_rotation wish = {
        .tenant = S("acme"), .ref = S(session.ref), .has_roles = has_roles, .roles = {&role, 1}};
    int calls = 0;
    lh_status status = lh_admin_session_rotate(made->admin, &wish, keep, &calls);
    assert_int_equal(calls, lh_is_ok(status) ? 1 : 0);
    return status;
}

static lh_status show(struct made_home *made)
{
    struct shown_session shown;
    return show_session(made, "acme", session.ref, &shown);
}

/* Alice's session is rotated, with or without other roles, and this happens meanwhile. */
static void rotate_while(struct made_home *made, bool has_roles, void (*act)(struct made_home *),
                         enum lh_code expected)
{
    assert_ok(make_session(made, "acme", "alice", &session));
    home_between = made;
    between = act;
    lh_status status = rotate(made, has_roles);
    assert_null(between); /* it did happen */
    assert_status(status, expected);
}

static struct lh_session_key key_of_session(struct made_home *made)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S("acme"), &found));
    uint16_t bucket;
    struct lh_lease_id lease;
    assert_ok(lh_session_ref_parse(S(session.ref), &bucket, &lease));
    return (struct lh_session_key){found->uid, bucket, lease};
}

/* --- Scenes ----------------------------------------------------------------------------------- */

static void revoke(struct made_home *made)
{
    assert_ok(lh_admin_session_revoke(made->admin, S("acme"), S(session.ref)));
}

static void revoke_of_user(struct made_home *made)
{
    uint64_t ended;
    assert_ok(lh_admin_session_revoke_user(made->admin, S("acme"), S("alice"), &ended));
}

static void revoke_all(struct made_home *made)
{
    assert_ok(lh_admin_session_revoke_all(made->admin, S("acme")));
}

static void test_rotate_races__a_logout_meanwhile_stays_one(void **state)
{
    static void (*const logouts[])(struct made_home *) = {revoke, revoke_of_user, revoke_all};
    for (size_t i = 0; i < 2 * sizeof(logouts) / sizeof(logouts[0]); i++) {
        rotate_while(*state, i % 2 == 1, logouts[i / 2], LH_REVOKED);
        assert_status(show(*state), LH_REVOKED);
        struct shown_session shown;
        assert_ok(list_sessions(*state, "acme", "alice", &shown));
        assert_int_equal(shown.calls, 0);
    }
    assert_int_equal(made_home_logged(*state, "audit session_rotated"), 0);
}

static char of_the_other[128];

static void rotate_first(struct made_home *made)
{
    assert_ok(rotate(made, false));
    (void)snprintf(of_the_other, sizeof(of_the_other), "%s", given);
}

/* Only one of them gets a cookie, and it is the one that lives. */
static void test_rotate_races__of_two_the_one_that_was_first_stands(void **state)
{
    for (int has_roles = 0; has_roles < 2; has_roles++) {
        rotate_while(*state, has_roles == 1, rotate_first, LH_TAMPERED);
        assert_string_equal(given, of_the_other);
        assert_ok(show(*state));
    }
    assert_int_equal(made_home_logged(*state, "audit session_rotated"), 2);
    assert_int_equal(made_home_logged(*state, "audit session_revoked"), 0);
}

static void give_other_roles(struct made_home *made)
{
    assert_ok(rotate(made, true));
}

static void test_rotate_races__a_session_that_was_replaced_meanwhile_is_over(void **state)
{
    rotate_while(*state, false, give_other_roles, LH_REVOKED);
    rotate_while(*state, true, give_other_roles, LH_REVOKED);
    assert_status(show(*state), LH_REVOKED);
    struct shown_session shown;
    assert_ok(list_sessions(*state, "acme", "alice", &shown));
    assert_int_equal(shown.calls, 2); /* one for each that was given */
}

/* Another has rotated it, and somebody who can write to the store puts the old record back. */
static void rotate_and_put_back(struct made_home *made)
{
    struct lh_session_key key = key_of_session(made);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_buf_fini) struct lh_buf old = LH_BUF_EMPTY;
    struct lh_store_row row;
    assert_ok(lh_store_load(made->home->store, &op, &key, &old, &row));
    assert_ok(rotate(made, false));
    for (size_t handled = 1; handled > 0;) {
        assert_ok(lh_store_sweep(made->home->store, UINT64_MAX / 2, LH_STORE_BATCH_ROWS, &handled));
    }
    assert_ok(lh_store_create(made->home->store, NULL, &key, &row));
}

static void test_rotate_races__a_record_put_back_meanwhile_is_not_made_the_newest(void **state)
{
    struct made_home *made = *state;
    for (int has_roles = 0; has_roles < 2; has_roles++) {
        rotate_while(made, has_roles == 1, rotate_and_put_back, LH_TAMPERED);
        struct shown_session shown;
        assert_ok(show_session(made, "acme", session.ref, &shown));
        assert_string_equal(shown.standing, "tampered");
    }
}

static void remove_tenant(struct made_home *made)
{
    assert_ok(lh_admin_tenant_remove(made->admin, S("acme")));
}

static void test_rotate_races__of_a_tenant_removed_meanwhile_nothing_is_made(void **state)
{
    rotate_while(*state, false, remove_tenant, LH_ABSENT);
    assert_int_equal(made_home_logged(*state, "audit session_rotated"), 0);
}

static void time_passes(struct made_home *made)
{
    fake_host_advance(&made->fake, UINT64_C(15) * 24 * 3600 * 1000);
}

static void test_rotate_races__one_whose_time_is_over_meanwhile_gets_no_new_one(void **state)
{
    rotate_while(*state, false, time_passes, LH_EXPIRED);
    rotate_while(*state, true, time_passes, LH_EXPIRED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_rotate_races__a_logout_meanwhile_stays_one),
        WITH_HOME(test_rotate_races__of_two_the_one_that_was_first_stands),
        WITH_HOME(test_rotate_races__a_session_that_was_replaced_meanwhile_is_over),
        WITH_HOME(test_rotate_races__a_record_put_back_meanwhile_is_not_made_the_newest),
        WITH_HOME(test_rotate_races__of_a_tenant_removed_meanwhile_nothing_is_made),
        WITH_HOME(test_rotate_races__one_whose_time_is_over_meanwhile_gets_no_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
