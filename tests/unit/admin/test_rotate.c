/*
 * Giving a session a new credential.
 */
#include "acts.h"

#include "setup/home.h"

struct given {
    int calls;
    char name[64], value[128], ref[64];
};

static void keep(void *context, const struct lh_admin_credential *made)
{
    struct given *given = context;
    given->calls++;
    (void)snprintf(given->name, sizeof(given->name), "%.*s", LH_SLICE_ARG(made->cookie_name));
    (void)snprintf(given->value, sizeof(given->value), "%.*s", LH_SLICE_ARG(made->cookie_value));
    (void)snprintf(given->ref, sizeof(given->ref), "%.*s", LH_SLICE_ARG(made->ref));
}

/* role NULL: the rights stay. */
static lh_status rotate(struct made_home *made, const char *tenant, const char *ref,
                        const char *role, struct given *out_given)
{
    lh_slice roles[1] = {S(role == NULL ? "" : role)};
    const struct lh_admin_rotation wish = {
        .tenant = S(tenant), .ref = S(ref), .has_roles = role != NULL, .roles = {roles, 1}};
    *out_given = (struct given){.calls = 0};
    lh_status status = lh_admin_session_rotate(made->admin, &wish, keep, out_given);
    assert_int_equal(out_given->calls, lh_is_ok(status) ? 1 : 0);
    return status;
}

/* What a cookie is worth at the vault. */
static lh_status try_cookie(struct made_home *made, const char *tenant, const char *value)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S(tenant), &found));
    struct lh_raw_handle raw;
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    assert_ok(lh_handle_parse(S(value), &raw));
    assert_ok(lh_handle_verify(made->home->cell, &found->uid, &raw, &handle));
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    return lh_vault_load(made->home->vault, &op, &handle, &loaded);
}

static struct lh_revocation revocation_of(struct made_home *made, const char *tenant,
                                          const char *ref)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S(tenant), &found));
    uint16_t bucket;
    struct lh_lease_id lease;
    struct lh_revocation revocation;
    assert_ok(lh_session_ref_parse(S(ref), &bucket, &lease));
    assert_ok(lh_registry_read_revocation(made->home->registry, &found->uid, &lease, &revocation));
    return revocation;
}

static void test_session_rotate__keeps_the_session_and_changes_the_cookie(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session before, after;
    struct given given;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(show_session(made, "acme", session.ref, &before));
    assert_ok(rotate(made, "acme", session.ref, NULL, &given));
    assert_string_equal(given.ref, session.ref);
    assert_string_equal(given.name, session.name);
    assert_string_not_equal(given.value, session.value);
    assert_ok(show_session(made, "acme", session.ref, &after));
    assert_string_equal(after.subject, "alice");
    assert_int_equal(after.absolute_end_ms, before.absolute_end_ms);
    struct lh_revocation kept = revocation_of(made, "acme", session.ref);
    assert_false(kept.is_revoked);
    assert_int_equal(kept.least_generation, 2);
    assert_int_equal(made_home_logged(made, "audit session_rotated tenant=acme"), 1);
    assert_int_equal(made_home_logged(made, given.value), 0);
    assert_ok(try_cookie(made, "acme", session.value)); /* in its grace */
    assert_ok(try_cookie(made, "acme", given.value));
    assert_status(try_cookie(made, "acme", session.value), LH_BAD_SECRET);
}

static void test_session_rotate__other_roles_are_another_session_at_once(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session before, after;
    struct given given;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(show_session(made, "acme", session.ref, &before));
    fake_host_advance(&made->fake, 60000);
    assert_ok(rotate(made, "acme", session.ref, "auditor", &given));
    assert_string_not_equal(given.ref, session.ref);
    assert_status(show_session(made, "acme", session.ref, &after), LH_REVOKED);
    assert_status(try_cookie(made, "acme", session.value), LH_REVOKED);
    assert_true(revocation_of(made, "acme", session.ref).is_revoked);
    assert_ok(try_cookie(made, "acme", given.value));
    assert_ok(show_session(made, "acme", given.ref, &after));
    assert_string_equal(after.subject, "alice");
    assert_string_equal(after.roles, "auditor");
    assert_string_equal(after.scopes, before.scopes);
    assert_int_equal(after.absolute_end_ms, before.absolute_end_ms);
    assert_int_equal(made_home_logged(made, "audit session_revoked tenant=acme"), 1);
    assert_int_equal(made_home_logged(made, "audit session_created tenant=acme"), 2);
}

static void test_session_rotate__moves_the_counter_of_its_tenant_alone(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct given given;
    uint64_t before[4], after[4];
    const struct lh_counters *counters = lh_registry_counters(made->home->registry);
    assert_ok(make_session(made, "acme", "alice", &session));
    for (uint32_t slot = 0; slot < 4; slot++) {
        assert_ok(lh_counters_read(counters, slot, &before[slot]));
    }
    assert_ok(rotate(made, "acme", session.ref, NULL, &given));
    unsigned moved = 0;
    for (uint32_t slot = 0; slot < 4; slot++) {
        assert_ok(lh_counters_read(counters, slot, &after[slot]));
        moved += after[slot] != before[slot] ? 1 : 0;
        assert_true(after[slot] == before[slot] || after[slot] == before[slot] + 2);
    }
    assert_int_equal(moved, 1);
}

static void test_session_rotate__revives_nothing(void **state)
{
    struct made_home *made = *state;
    struct made_session session, other;
    struct given given;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_status(rotate(made, "globex", session.ref, NULL, &given), LH_ABSENT);
    assert_status(rotate(made, "acme", "0.aaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, &given), LH_ABSENT);
    assert_status(rotate(made, "acme", "x", NULL, &given), LH_MALFORMED);
    assert_status(rotate(made, "acme", session.ref, "no role", &given), LH_MALFORMED);
    assert_ok(try_cookie(made, "acme", session.value));
    assert_ok(lh_admin_session_revoke(made->admin, S("acme"), S(session.ref)));
    assert_status(rotate(made, "acme", session.ref, NULL, &given), LH_REVOKED);
    assert_status(rotate(made, "acme", session.ref, "admin", &given), LH_REVOKED);
    assert_ok(make_session(made, "acme", "bob", &other));
    assert_ok(lh_admin_session_revoke_all(made->admin, S("acme")));
    assert_status(rotate(made, "acme", other.ref, NULL, &given), LH_REVOKED);
    assert_status(rotate(made, "acme", other.ref, "admin", &given), LH_REVOKED);
    assert_int_equal(made_home_logged(made, "audit session_rotated"), 0);
}

static void demand(struct made_home *made, const char *tenant, const char *ref, uint64_t generation)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *found = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S(tenant), &found));
    uint16_t bucket;
    struct lh_lease_id lease;
    const struct lh_revocation demand = {.least_generation = generation};
    LH_CLEANUP(lh_registry_end) struct lh_registry_txn *txn = NULL;
    assert_ok(lh_session_ref_parse(S(ref), &bucket, &lease));
    assert_ok(lh_registry_begin(made->home->registry, &txn));
    assert_ok(lh_registry_put_revocation(txn, &found->uid, &lease, &demand, UINT64_MAX >> 2));
    assert_ok(lh_registry_commit(txn));
}

/* A record that was put back does not become the newest by being rotated. */
static void test_session_rotate__is_judged_by_what_the_registry_demands(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct given given;
    assert_ok(make_session(made, "acme", "alice", &session));
    demand(made, "acme", session.ref, 2);
    assert_status(rotate(made, "acme", session.ref, NULL, &given), LH_TAMPERED);
    assert_status(rotate(made, "acme", session.ref, "auditor", &given), LH_TAMPERED);
    assert_int_equal(revocation_of(made, "acme", session.ref).least_generation, 2);
    assert_ok(try_cookie(made, "acme", session.value)); /* as it lies in the store */
}

static void test_session_rotate__needs_an_active_tenant(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct given given;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(lh_admin_tenant_disable(made->admin, S("acme")));
    assert_status(rotate(made, "acme", session.ref, NULL, &given), LH_DISABLED);
    assert_ok(lh_admin_tenant_enable(made->admin, S("acme")));
    fake_host_advance(&made->fake, UINT64_C(12) * 3600 * 1000);
    assert_status(rotate(made, "acme", session.ref, NULL, &given), LH_EXPIRED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_session_rotate__keeps_the_session_and_changes_the_cookie),
        WITH_HOME(test_session_rotate__other_roles_are_another_session_at_once),
        WITH_HOME(test_session_rotate__moves_the_counter_of_its_tenant_alone),
        WITH_HOME(test_session_rotate__revives_nothing),
        WITH_HOME(test_session_rotate__is_judged_by_what_the_registry_demands),
        WITH_HOME(test_session_rotate__needs_an_active_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
