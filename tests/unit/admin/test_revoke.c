/*
 * Ending sessions: one, of a user, of a tenant; and what stands when the store cannot be told.
 */
#include "acts.h"

#include "setup/home.h"

static lh_status revoke(struct made_home *made, const char *tenant, const char *ref)
{
    return lh_admin_session_revoke(made->admin, S(tenant), S(ref));
}

static void test_session_revoke__ends_it_and_no_other(void **state)
{
    struct made_home *made = *state;
    struct made_session ended, stays;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &ended));
    assert_ok(make_session(made, "acme", "alice", &stays));
    assert_ok(revoke(made, "acme", ended.ref));
    assert_status(show_session(made, "acme", ended.ref, &shown), LH_REVOKED);
    assert_ok(show_session(made, "acme", stays.ref, &shown));
    assert_int_equal(made_home_logged(made, "audit session_revoked tenant=acme ref="), 1);
    assert_ok(revoke(made, "acme", ended.ref));
    made_home_reopen(made);
    assert_status(show_session(made, "acme", ended.ref, &shown), LH_REVOKED);
}

static void test_session_revoke__raises_the_tenants_counter_before_and_after(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_tenant tenant;
    uint64_t before, after;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(show_tenant(made, "acme", &tenant));
    struct lh_counters *counters = lh_registry_counters(made->home->registry);
    assert_ok(lh_counters_read(counters, 1, &before));
    assert_ok(revoke(made, "acme", session.ref));
    assert_ok(lh_counters_read(counters, 1, &after));
    assert_true(after >= before + 2);
}

static void test_session_revoke__of_another_tenant_finds_nothing(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_status(revoke(made, "globex", session.ref), LH_ABSENT);
    assert_status(revoke(made, "nobody", session.ref), LH_ABSENT);
    assert_status(revoke(made, "acme", "nonsense"), LH_MALFORMED);
    assert_ok(show_session(made, "acme", session.ref, &shown));
}

/* What the registry holds against a session. */
static struct lh_revocation revocation_of(struct made_home *made, const char *ref)
{
    struct shown_tenant tenant;
    struct lh_tenant_uid uid;
    struct lh_lease_id lease;
    struct lh_revocation revocation;
    uint16_t bucket;
    assert_ok(show_tenant(made, "acme", &tenant));
    assert_ok(lh_tenant_uid_parse(S(tenant.uid), &uid));
    assert_ok(lh_session_ref_parse(S(ref), &bucket, &lease));
    assert_ok(lh_registry_read_revocation(made->home->registry, &uid, &lease, &revocation));
    return revocation;
}

static void test_session_revoke__stands_even_if_the_store_cannot_be_told(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_false(revocation_of(made, session.ref).is_revoked);
    char path[SCRATCH_PATH_BYTES];
    made_home_close(made);
    made_home_path(made, "sessions/data.mdb", path);
    assert_int_equal(remove(path), 0);
    made_home_reopen(made);
    made->fake.log[0] = '\0';
    assert_status(revoke(made, "acme", session.ref), LH_STORE_DOWN);
    assert_why(made, "revoked in the registry");
    assert_why(made, "the session store");
    assert_true(revocation_of(made, session.ref).is_revoked);
    assert_int_equal(made_home_logged(made, "audit session_revoked"), 1);
}

/* What no session can need any more is removed in passing by whoever writes. */
static void test_session_revoke__is_forgotten_when_the_session_would_be_over(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(revoke(made, "acme", session.ref));
    uint64_t left_ms = session.absolute_end_ms - lh_clock_now_ms(&made->fake.clock);
    fake_host_advance(&made->fake, left_ms + LH_TOMBSTONE_MARGIN_MS - 1);
    assert_ok(lh_admin_tenant_disable(made->admin, S("globex")));
    assert_true(revocation_of(made, session.ref).is_revoked);
    fake_host_advance(&made->fake, 1);
    assert_ok(lh_admin_tenant_enable(made->admin, S("globex")));
    assert_false(revocation_of(made, session.ref).is_revoked);
}

static void test_session_revoke__of_a_removed_tenants_session_is_no_question(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(lh_admin_tenant_remove(made->admin, S("acme")));
    assert_status(revoke(made, "acme", session.ref), LH_ABSENT);
}

static void test_session_revoke_user__ends_all_of_his_and_of_nobody_else(void **state)
{
    struct made_home *made = *state;
    struct made_session session, other, foreign;
    struct shown_session shown;
    uint64_t ended = 99;
    for (int i = 0; i < 100; i++) {
        assert_ok(make_session(made, "acme", "alice", &session));
    }
    assert_ok(make_session(made, "acme", "bob", &other));
    assert_ok(make_session(made, "globex", "alice", &foreign));
    made->fake.log[0] = '\0';
    assert_ok(lh_admin_session_revoke_user(made->admin, S("acme"), S("alice"), &ended));
    assert_int_equal(ended, 100);
    assert_status(show_session(made, "acme", session.ref, &shown), LH_REVOKED);
    assert_ok(show_session(made, "acme", other.ref, &shown));
    assert_ok(show_session(made, "globex", foreign.ref, &shown));
    assert_int_equal(made_home_logged(made, "audit user_sessions_revoked tenant=acme user="), 1);
    assert_int_equal(made_home_logged(made, "alice"), 0);
}

static void test_session_revoke_user__he_may_come_back(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    uint64_t ended;
    assert_ok(lh_admin_session_revoke_user(made->admin, S("acme"), S("alice"), &ended));
    assert_int_equal(ended, 0);
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(show_session(made, "acme", session.ref, &shown));
    assert_status(lh_admin_session_revoke_user(made->admin, S("acme"), S("a b"), &ended),
                  LH_MALFORMED);
}

/* What was done must not be told as not done. */
static void test_session_revoke_user__stands_even_if_the_store_cannot_be_told(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    uint64_t ended;
    assert_ok(make_session(made, "acme", "alice", &session));
    lh_store_set_partial(made->home->store, true); /* as after an unclean boot */
    assert_status(lh_admin_session_revoke_user(made->admin, S("acme"), S("alice"), &ended),
                  LH_STORE_DOWN);
    assert_why(made, "revoked in the registry");
    assert_null(strstr(lh_admin_why(made->admin), "nothing was changed"));
    lh_store_set_partial(made->home->store, false);
    assert_status(show_session(made, "acme", session.ref, &shown), LH_REVOKED);
}

static void test_session_revoke_all__ends_a_tenants_and_nobody_elses(void **state)
{
    struct made_home *made = *state;
    struct made_session session, foreign;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(make_session(made, "globex", "alice", &foreign));
    assert_ok(lh_admin_session_revoke_all(made->admin, S("acme")));
    assert_status(show_session(made, "acme", session.ref, &shown), LH_REVOKED);
    assert_ok(list_sessions(made, "acme", NULL, &shown));
    assert_int_equal(shown.calls, 0);
    assert_ok(show_session(made, "globex", foreign.ref, &shown));
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(show_session(made, "acme", session.ref, &shown));
}

static void test_session_revoke_all__needs_no_session_store(void **state)
{
    struct made_home *made = *state;
    char path[SCRATCH_PATH_BYTES];
    made_home_close(made);
    made_home_path(made, "sessions/data.mdb", path);
    assert_int_equal(remove(path), 0);
    made_home_reopen(made);
    assert_ok(lh_admin_session_revoke_all(made->admin, S("acme")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_session_revoke__ends_it_and_no_other),
        WITH_HOME(test_session_revoke__raises_the_tenants_counter_before_and_after),
        WITH_HOME(test_session_revoke__of_another_tenant_finds_nothing),
        WITH_HOME(test_session_revoke__stands_even_if_the_store_cannot_be_told),
        WITH_HOME(test_session_revoke__is_forgotten_when_the_session_would_be_over),
        WITH_HOME(test_session_revoke__of_a_removed_tenants_session_is_no_question),
        WITH_HOME(test_session_revoke_user__ends_all_of_his_and_of_nobody_else),
        WITH_HOME(test_session_revoke_user__he_may_come_back),
        WITH_HOME(test_session_revoke_user__stands_even_if_the_store_cannot_be_told),
        WITH_HOME(test_session_revoke_all__ends_a_tenants_and_nobody_elses),
        WITH_HOME(test_session_revoke_all__needs_no_session_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
