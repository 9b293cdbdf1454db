/*
 * Making, listing and showing sessions.
 */
#include "acts.h"
#include "applying.h"

#include "registry/registry_env.h"
#include "registry/row_codec.h"
#include "setup/home.h"

static void keep_nothing(void *context, const struct lh_admin_credential *made)
{
    (void)made;
    ++*(int *)context;
}

static lh_status create(struct made_home *made, const struct lh_admin_session_spec *spec)
{
    int calls = 0;
    lh_status status = lh_admin_session_create(made->admin, spec, keep_nothing, &calls);
    assert_int_equal(calls, lh_is_ok(status) ? 1 : 0);
    return status;
}

static void test_session_create__hands_out_a_cookie_and_a_reference(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    struct shown_tenant tenant;
    assert_ok(make_session(made, "acme", "alice@example.com", &session));
    assert_int_equal(session.calls, 1);
    assert_ok(show_tenant(made, "acme", &tenant));
    assert_string_equal(session.name, tenant.cookie);
    assert_true(strlen(session.value) > 60);
    assert_int_equal(session.idle_s, 12 * 3600);
    assert_int_equal(session.absolute_end_ms,
                     lh_clock_now_ms(&made->fake.clock) + UINT64_C(14) * 86400 * 1000);
    assert_ok(show_session(made, "acme", session.ref, &shown));
    assert_string_equal(shown.subject, "alice@example.com");
    assert_string_equal(shown.standing, "live");
    assert_true(shown.has_user && shown.is_open);
}

/* Whether a text stands in a file of the home. */
static bool is_in_file(const struct made_home *made, const char *name, const char *text)
{
    char path[SCRATCH_PATH_BYTES];
    static char bytes[8 * 1024 * 1024];
    made_home_path(made, name, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    assert_int_equal(fclose(file), 0);
    assert_true(len > 0);
    return memmem(bytes, len, text, strlen(text)) != NULL;
}

static void test_session_create__neither_log_nor_store_hold_the_credential(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_ok(make_session(made, "acme", "alice@example.com", &session));
    assert_int_equal(made_home_logged(made, "audit session_created tenant=acme"), 1);
    assert_int_equal(made_home_logged(made, session.value), 0);
    assert_int_equal(made_home_logged(made, "alice"), 0);
    static const char *const files[] = {"sessions/data.mdb", "registry/data.mdb"};
    for (size_t i = 0; i < 2; i++) {
        assert_false(is_in_file(made, files[i], session.value));
        assert_false(is_in_file(made, files[i], "alice@example"));
        assert_true(is_in_file(made, files[1], "acme")); /* the search itself finds things */
    }
}

static void test_session_create__is_of_its_tenant_alone(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_status(show_session(made, "globex", session.ref, &shown), LH_ABSENT);
    assert_ok(list_sessions(made, "globex", NULL, &shown));
    assert_int_equal(shown.calls, 0);
    assert_ok(list_sessions(made, "globex", "alice", &shown));
    assert_int_equal(shown.calls, 0);
}

static void test_session_create__roles_scopes_and_state_are_kept(void **state)
{
    struct made_home *made = *state;
    lh_slice roles[] = {S("admin"), S("auditor")};
    lh_slice scopes[] = {S("orders:read")};
    const struct lh_admin_session_spec spec = {.tenant = S("acme"),
                                               .subject = S("alice"),
                                               .roles = {roles, 2},
                                               .scopes = {scopes, 1},
                                               .state = S("{ \"theme\" : \"dark\" }")};
    assert_ok(create(made, &spec));
    struct shown_session shown;
    assert_ok(list_sessions(made, "acme", "alice", &shown));
    assert_int_equal(shown.calls, 1);
    assert_string_equal(shown.roles, "admin,auditor");
    assert_string_equal(shown.scopes, "orders:read");
    assert_int_equal(shown.state_bytes, strlen("{\"theme\":\"dark\"}"));
}

static void test_session_create__an_anonymous_session_has_no_user(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", NULL, &session));
    assert_ok(show_session(made, "acme", session.ref, &shown));
    assert_false(shown.has_user);
    assert_true(shown.is_open);
}

/* Puts bytes that are no revocation where the registry keeps the session's. */
static void damage_revocation(struct made_home *made, const char *ref)
{
    struct shown_tenant tenant;
    struct lh_tenant_uid uid;
    struct lh_lease_id lease;
    uint16_t bucket;
    uint8_t key[LH_SUBJECT_KEY_BYTES];
    assert_ok(show_tenant(made, "acme", &tenant));
    assert_ok(lh_tenant_uid_parse(S(tenant.uid), &uid));
    assert_ok(lh_session_ref_parse(S(ref), &bucket, &lease));
    lh_subject_key_write(&uid, lease.bytes, key);
    struct lh_registry_txn *txn = NULL;
    assert_ok(lh_registry_begin(made->home->registry, &txn));
    assert_ok(lh_registry_put_row(txn, LH_TABLE_REVOCATIONS, LH_SLICE_OF(key), S("nonsense")));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
}

/* An outage says nothing of the session. */
static void test_session_show__a_registry_that_cannot_be_read_is_no_answer(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &session));
    damage_revocation(made, session.ref);
    assert_status(show_session(made, "acme", session.ref, &shown), LH_REGISTRY_DOWN);
    assert_int_equal(shown.calls, 0);
    assert_status(list_sessions(made, "acme", NULL, &shown), LH_REGISTRY_DOWN);
    assert_int_equal(shown.calls, 0);
}

static void test_session_create__lives_within_its_tier(void **state)
{
    struct made_home *made = *state;
    struct lh_admin_session_spec spec = {.tenant = S("globex"), .subject = S("bob")};
    spec.ttl_s = 8 * 3600 + 1;
    assert_status(create(made, &spec), LH_LIMITED);
    assert_why(made, "lives 28800 s at most");
    spec.ttl_s = 60;
    assert_ok(create(made, &spec));
    struct shown_session shown;
    assert_ok(list_sessions(made, "globex", "bob", &shown));
    assert_int_equal(shown.absolute_end_ms, lh_clock_now_ms(&made->fake.clock) + 60000);
    struct shown_session ended;
    fake_host_advance(&made->fake, 60001);
    assert_status(show_session(made, "globex", shown.ref, &ended), LH_EXPIRED);
    assert_ok(list_sessions(made, "globex", NULL, &shown));
    assert_int_equal(shown.calls, 0);
}

static void test_session_create__more_roles_than_a_principal_holds_are_refused(void **state)
{
    struct made_home *made = *state;
    lh_slice many[LH_PRINCIPAL_LIST_MAX + 1];
    for (size_t i = 0; i <= LH_PRINCIPAL_LIST_MAX; i++) {
        many[i] = S("r");
    }
    struct lh_admin_session_spec spec = {.tenant = S("acme"), .subject = S("alice")};
    struct lh_admin_texts *lists[] = {&spec.roles, &spec.scopes, &spec.groups};
    for (size_t i = 0; i < 3; i++) {
        *lists[i] = (struct lh_admin_texts){many, LH_PRINCIPAL_LIST_MAX + 1};
        assert_status(create(made, &spec), LH_TOO_LARGE);
        assert_why(made, "at most 32 of ");
        lists[i]->count--;
        assert_ok(create(made, &spec));
        lists[i]->count = 0;
    }
}

static void test_session_create__what_is_no_token_or_no_object_is_refused(void **state)
{
    struct made_home *made = *state;
    lh_slice bad[] = {S("a b")};
    struct lh_admin_session_spec spec = {.tenant = S("acme"), .subject = S("alice\r\nX: y")};
    assert_status(create(made, &spec), LH_MALFORMED);
    spec.subject = S("alice");
    spec.roles = (struct lh_admin_texts){bad, 1};
    assert_status(create(made, &spec), LH_MALFORMED);
    assert_why(made, "one of the roles");
    spec.roles.count = 0;
    static const char *const states[] = {"[1]", "\"text\"", "{\"a\":1,\"a\":2}", "{", "null", "1"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        spec.state = S(states[i]);
        assert_status(create(made, &spec), LH_MALFORMED);
        assert_why(made, "not one JSON object");
    }
}

static void test_session_create__state_over_the_tiers_limit_is_refused(void **state)
{
    struct made_home *made = *state;
    static char text[8192];
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + sizeof(text) - 3, "\"}", 3);
    struct lh_admin_session_spec spec = {
        .tenant = S("globex"), .subject = S("b"), .state = S(text)};
    assert_status(create(made, &spec), LH_TOO_LARGE);
    assert_why(made, "tier \"free\" allows 4096");
    spec.tenant = S("acme");
    assert_ok(create(made, &spec));
}

static void test_session_create__needs_an_active_tenant(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    assert_status(make_session(made, "nobody", "alice", &session), LH_ABSENT);
    assert_ok(lh_admin_tenant_disable(made->admin, S("acme")));
    assert_status(make_session(made, "acme", "alice", &session), LH_DISABLED);
    assert_ok(make_session(made, "globex", "alice", &session));
}

static void test_session_list__pages_of_many_sessions_come_whole(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    for (int i = 0; i < 150; i++) {
        char subject[16];
        (void)snprintf(subject, sizeof(subject), "user%d", i % 3);
        assert_ok(make_session(made, "acme", subject, &session));
    }
    assert_ok(make_session(made, "globex", "user1", &session));
    assert_ok(list_sessions(made, "acme", NULL, &shown));
    assert_int_equal(shown.calls, 150);
    assert_ok(list_sessions(made, "acme", "user1", &shown));
    assert_int_equal(shown.calls, 50);
    assert_string_equal(shown.subject, "user1");
}

static void test_session_show__a_key_that_is_gone_hides_the_subject_only(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    char path[SCRATCH_PATH_BYTES], aside[SCRATCH_PATH_BYTES];
    struct shown_tenant tenant;
    assert_ok(make_session(made, "acme", "alice", &session));
    assert_ok(show_tenant(made, "acme", &tenant));
    char name[128];
    (void)snprintf(name, sizeof(name), "keyring/tenants/%s.tkek", tenant.uid);
    made_home_path(made, name, path);
    scratch_dir_path(&made->dir, "aside", aside);
    assert_int_equal(rename(path, aside), 0);
    made_home_reopen(made);
    assert_ok(show_session(made, "acme", session.ref, &shown));
    assert_false(shown.is_open);
    assert_string_equal(shown.subject, "");
    assert_string_equal(shown.standing, "unknown");
    assert_status(make_session(made, "acme", "bob", &session), LH_KEY_DOWN);
}

static void test_session_acts__say_why_without_the_store(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    struct shown_session shown;
    assert_ok(make_session(made, "acme", "alice", &session));
    char path[SCRATCH_PATH_BYTES];
    made_home_close(made);
    made_home_path(made, "sessions/data.mdb", path);
    assert_int_equal(remove(path), 0);
    made_home_reopen(made);
    assert_status(make_session(made, "acme", "alice", &session), LH_STORE_DOWN);
    assert_why(made, "the session store");
    assert_status(list_sessions(made, "acme", NULL, &shown), LH_STORE_DOWN);
    assert_status(show_session(made, "acme", "0.abc", &shown), LH_STORE_DOWN);
}

static void test_session_show__a_reference_is_read_strictly(void **state)
{
    struct made_home *made = *state;
    struct shown_session shown;
    static const char *const refs[] = {"",   "0",    "x",
                                       "0.", "0.!!", "99999999.aaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
        assert_status(show_session(made, "acme", refs[i], &shown), LH_MALFORMED);
    }
    assert_status(show_session(made, "acme", "0.aaaaaaaaaaaaaaaaaaaaaaaaaa", &shown), LH_ABSENT);
}

/* --- Quotas ----------------------------------------------------------------------------------- */

static uint64_t counter_of(struct made_home *made, const char *tenant)
{
    struct lh_tenant *found = NULL;
    const struct lh_directory_source *source = lh_registry_source(made->home->registry);
    assert_ok(source->load_by_name(source->self, S(tenant), &found));
    uint32_t slot = found->slot;
    lh_tenant_unref(found);
    uint64_t value;
    assert_ok(lh_counters_read(lh_registry_counters(made->home->registry), slot, &value));
    return value;
}

/* globex is of the tier free: 10 sessions of a user. */
static void test_session_create__over_the_users_quota_ends_his_oldest(void **state)
{
    struct made_home *made = *state;
    struct made_session sessions[11], others, last;
    struct shown_session shown;
    assert_ok(make_session(made, "globex", "bob", &others));
    for (int i = 0; i < 10; i++) {
        assert_ok(make_session(made, "globex", "alice", &sessions[i]));
        fake_host_advance(&made->fake, 1000);
    }
    uint64_t acme = counter_of(made, "acme");
    uint64_t before = counter_of(made, "globex");
    assert_int_equal(made_home_logged(made, "audit session_evicted"), 0);
    assert_ok(make_session(made, "globex", "alice", &last));
    assert_true(counter_of(made, "globex") > before);
    assert_int_equal(counter_of(made, "acme"), acme);
    assert_status(show_session(made, "globex", sessions[0].ref, &shown), LH_REVOKED);
    assert_ok(show_session(made, "globex", sessions[1].ref, &shown));
    assert_ok(show_session(made, "globex", others.ref, &shown));
    char line[160];
    (void)snprintf(line, sizeof(line), "audit session_evicted tenant=globex ref=%s actor=cli:test",
                   sessions[0].ref);
    assert_int_equal(made_home_logged(made, line), 1);
    assert_int_equal(made_home_logged(made, "audit session_evicted"), 1);
}

static void test_session_create__no_counter_moves_while_nobody_must_go(void **state)
{
    struct made_home *made = *state;
    struct made_session session;
    uint64_t before = counter_of(made, "globex");
    assert_ok(make_session(made, "globex", "alice", &session));
    assert_int_equal(counter_of(made, "globex"), before);
}

static void test_session_create__an_anonymous_one_ends_no_user_of_a_full_tenant(void **state)
{
    struct made_home *made = *state;
    struct made_session first, second, session;
    struct shown_session shown;
    struct applied applied;
    assert_ok(apply_text(made,
                         "tiers: {tiny: {idle: 1h, absolute: 8h, sessions_max: 2}}\n"
                         "tenants: {globex: {tier: tiny}}\n",
                         false, false, &applied));
    assert_ok(make_session(made, "globex", NULL, &session));
    fake_host_advance(&made->fake, 1000);
    assert_ok(make_session(made, "globex", "alice", &first));
    fake_host_advance(&made->fake, 1000);
    assert_ok(make_session(made, "globex", "bob", &second));
    assert_status(show_session(made, "globex", session.ref, &shown), LH_REVOKED);
    assert_status(make_session(made, "globex", NULL, &session), LH_LIMITED);
    assert_why(made, "tier \"tiny\"");
    fake_host_advance(&made->fake, 1000);
    assert_ok(make_session(made, "globex", "carol", &session));
    assert_status(show_session(made, "globex", first.ref, &shown), LH_REVOKED);
    assert_ok(show_session(made, "globex", second.ref, &shown));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(test_session_create__hands_out_a_cookie_and_a_reference),
        WITH_HOME(test_session_create__neither_log_nor_store_hold_the_credential),
        WITH_HOME(test_session_create__is_of_its_tenant_alone),
        WITH_HOME(test_session_create__roles_scopes_and_state_are_kept),
        WITH_HOME(test_session_create__an_anonymous_session_has_no_user),
        WITH_HOME(test_session_show__a_registry_that_cannot_be_read_is_no_answer),
        WITH_HOME(test_session_create__lives_within_its_tier),
        WITH_HOME(test_session_create__more_roles_than_a_principal_holds_are_refused),
        WITH_HOME(test_session_create__what_is_no_token_or_no_object_is_refused),
        WITH_HOME(test_session_create__state_over_the_tiers_limit_is_refused),
        WITH_HOME(test_session_create__needs_an_active_tenant),
        WITH_HOME(test_session_list__pages_of_many_sessions_come_whole),
        WITH_HOME(test_session_show__a_key_that_is_gone_hides_the_subject_only),
        WITH_HOME(test_session_acts__say_why_without_the_store),
        WITH_HOME(test_session_show__a_reference_is_read_strictly),
        WITH_HOME(test_session_create__over_the_users_quota_ends_his_oldest),
        WITH_HOME(test_session_create__no_counter_moves_while_nobody_must_go),
        WITH_HOME(test_session_create__an_anonymous_one_ends_no_user_of_a_full_tenant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
