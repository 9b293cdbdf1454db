/*
 * Whole decisions of a worker on a real home, with every call to memory, LMDB, OpenSSL, files and
 * host failing in turn, once and for good, in a worker that knows everything and in one that knows
 * nothing yet. No crash, no leak (the sanitizers look); nobody passes who would not pass otherwise;
 * who would pass is never sent away as unknown (401), only put off (503); and when the fault is
 * over all is as before.
 */
#include "gate/call.h"
#include "support/made_home.h"
#include "support/test.h"
#include "torture/faults.h"
#include "unit/admin/acts.h"

#include "base/arena.h"
#include "setup/home.h"

/* More than any decision takes; more would mean that failures are tried again for ever. */
#define CALLS_MAX 2000U

/* Snapshots, cached sessions and remembered failures are all older after it. */
#define FORGET_MS 2000U

struct scene {
    struct made_home made;
    struct lh_home *worker;
    struct made_session session;
    const char *tenant; /* as the header names it */
    char cookie[256];   /* empty: none */
    struct lh_gate_policy policy;
    enum lh_reason expected;
    enum lh_reason later; /* what it may become as upkeep goes on; else as expected */
    size_t calls;         /* that have failed in turn */
};

/* --- One decision ----------------------------------------------------------------------------- */

static void *take_memory(void *memory, size_t len)
{
    void *room;
    return lh_is_ok(lh_arena_take(memory, len, &room)) ? room : NULL;
}

static void wake(void *context)
{
    *(bool *)context = true;
}

static void run_lanes(struct scene *scene)
{
    (void)fake_host_run(&scene->made.fake, LH_LANE_FETCH);
    (void)fake_host_run(&scene->made.fake, LH_LANE_WRITE);
}

/* As an adapter waits: for the wake, or until the call has waited long enough. */
static void wait_for(struct scene *scene, struct lh_gate_call *call, bool *is_awake)
{
    lh_status status = lh_status_of(LH_PENDING);
    for (unsigned turns = 0; status.code == LH_PENDING; turns++) {
        assert_true(turns < 20);
        *is_awake = false;
        run_lanes(scene);
        if (!*is_awake) {
            fake_host_advance(&scene->made.fake, lh_gate_wait_ms(call));
        }
        status = lh_gate_continue(call);
    }
    assert_ok(status);
}

static void decide(struct scene *scene, struct lh_decision *decision, struct lh_arena *memory)
{
    const struct lh_request_header headers[] = {
        {LH_HEADER_TENANT, lh_slice_from_text(scene->tenant)},
        {LH_HEADER_COOKIE, lh_slice_from_text(scene->cookie)},
    };
    const struct lh_request request = {.method = LH_SLICE_LITERAL("GET"),
                                       .host = LH_SLICE_LITERAL("localhost"),
                                       .authority = LH_SLICE_LITERAL("localhost"),
                                       .path = LH_SLICE_LITERAL("/"),
                                       .target = LH_SLICE_LITERAL("/"),
                                       .headers = headers,
                                       .header_count = scene->cookie[0] == '\0' ? 1 : 2,
                                       .alloc = take_memory,
                                       .memory = memory};
    bool is_awake = false;
    struct lh_gate_call *call = NULL;
    memset(decision, 0xa5, sizeof(*decision));
    lh_status status = lh_gate_decide(lh_home_gate(scene->worker), &scene->policy, &request, wake,
                                      &is_awake, decision, &call);
    if (status.code == LH_PENDING) {
        wait_for(scene, call, &is_awake);
    } else {
        assert_ok(status);
    }
    lh_home_tick(scene->worker);
    run_lanes(scene);
}

/* --- What must hold --------------------------------------------------------------------------- */

static bool is_expected(const struct scene *scene, enum lh_reason reason)
{
    return reason == scene->expected || (scene->later != 0 && reason == scene->later);
}

static void judge(const struct scene *scene, const struct lh_decision *decision, size_t nth)
{
    if (is_expected(scene, decision->reason)) {
        return;
    }
    bool is_refused = decision->http_status >= 400 && decision->http_status <= 599;
    bool would_pass = lh_reason_http_status(scene->expected) == 0;
    if (!is_refused || (would_pass && decision->http_status != 503) ||
        decision->inject_count != 0 || decision->watch.is_set) {
        fail_msg("call %zu (%s) failed: %s (%u) instead of %s", nth, faults_first(),
                 lh_reason_name(decision->reason), decision->http_status,
                 lh_reason_name(scene->expected));
    }
}

static void assert_unharmed(struct scene *scene, size_t nth, const char *fault)
{
    struct lh_decision decision;
    struct lh_arena memory = lh_arena_bounded(1U << 20);
    fake_host_advance(&scene->made.fake, FORGET_MS);
    decide(scene, &decision, &memory);
    if (!is_expected(scene, decision.reason)) {
        fail_msg("after call %zu (%s) had failed: %s instead of %s", nth, fault,
                 lh_reason_name(decision.reason), lh_reason_name(scene->expected));
    }
    lh_arena_fini(&memory);
}

static void restart_worker(struct scene *scene)
{
    char why[LH_HOME_ERROR_BYTES];
    lh_home_close(scene->worker);
    scene->worker = NULL;
    assert_ok(lh_home_open_worker(scene->made.path, &scene->made.fake.host, &scene->worker, why));
}

/* returns: whether there was an nth call. */
static bool fail_at(struct scene *scene, size_t nth, bool is_lasting, bool is_cold)
{
    struct lh_decision decision;
    struct lh_arena memory = lh_arena_bounded(1U << 20);
    fake_host_advance(&scene->made.fake, FORGET_MS);
    if (is_cold) {
        restart_worker(scene);
    }
    faults_at(nth, is_lasting);
    decide(scene, &decision, &memory);
    bool has_failed = faults_counted() >= nth;
    const char *fault = faults_first();
    judge(scene, &decision, nth);
    faults_at(0, false);
    lh_arena_fini(&memory);
    assert_unharmed(scene, nth, fault);
    return has_failed;
}

static void torture(struct scene *scene)
{
    restart_worker(scene);
    assert_unharmed(scene, 0, "nothing");
    for (unsigned kind = 0; kind < 4; kind++) {
        size_t nth = 1;
        while (fail_at(scene, nth, (kind & 1) != 0, (kind & 2) != 0)) {
            nth++;
            assert_true(nth < CALLS_MAX);
        }
        scene->calls += nth - 1;
    }
    assert_true(scene->calls > 20);
    print_message("%zu calls have failed\n", scene->calls);
}

/* --- Scenes ----------------------------------------------------------------------------------- */

/* A home with acme and globex, and alice's session at acme. */
static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    made_home_init(&scene->made);
    made_home_set(&scene->made, "locked_memory = best_effort");
    made_home_reopen(&scene->made);
    assert_ok(add_tenant(&scene->made, "acme", "premium", NULL, NULL));
    assert_ok(add_tenant(&scene->made, "globex", "free", NULL, NULL));
    assert_ok(make_session(&scene->made, "acme", "alice", &scene->session));
    (void)snprintf(scene->cookie, sizeof(scene->cookie), "%s=%s", scene->session.name,
                   scene->session.value);
    scene->tenant = "acme";
    scene->policy = (struct lh_gate_policy){.mode = LH_GATE_ON,
                                            .tenant_from = LH_GATE_TENANT_HEADER,
                                            .state = LH_GATE_STATE_FULL,
                                            .credentials = LH_GATE_CREDENTIAL_COOKIE,
                                            .budget_ms = 5,
                                            .cold_budget_ms = 250};
    scene->expected = LH_REASON_OK;
    faults_lend(&scene->made.fake);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    lh_home_close(scene->worker);
    made_home_fini(&scene->made);
    free(scene);
    return 0;
}

/* Ends the operator's part: a process opens an environment once. */
static void torture_worker(struct scene *scene)
{
    made_home_close(&scene->made);
    torture(scene);
}

static void ignore_key(void *context, const struct lh_admin_key *key)
{
    (void)context;
    (void)key;
}

static void test_decisions__a_live_session(void **state)
{
    torture_worker(*state);
}

static void test_decisions__a_live_session_under_a_rotated_key(void **state)
{
    struct scene *scene = *state;
    assert_ok(lh_admin_key_rotate(scene->made.admin, S("acme"), ignore_key, NULL));
    torture_worker(scene);
}

static void test_decisions__a_live_session_beside_a_revoked_one(void **state)
{
    struct scene *scene = *state;
    struct made_session other;
    uint64_t ended;
    assert_ok(make_session(&scene->made, "acme", "bob", &other));
    assert_ok(lh_admin_session_revoke(scene->made.admin, S("acme"), S(other.ref)));
    assert_ok(lh_admin_session_revoke_user(scene->made.admin, S("acme"), S("bob"), &ended));
    torture_worker(scene);
}

static void test_decisions__a_forged_cookie(void **state)
{
    struct scene *scene = *state;
    char *last = scene->cookie + strlen(scene->cookie) - 2;
    *last = *last == 'A' ? 'B' : 'A';
    scene->expected = LH_REASON_BAD_MAC;
    torture_worker(scene);
}

static void test_decisions__a_session_of_another_tenant(void **state)
{
    struct scene *scene = *state;
    struct shown_tenant globex;
    assert_ok(show_tenant(&scene->made, "globex", &globex));
    (void)snprintf(scene->cookie, sizeof(scene->cookie), "%s=%s", globex.cookie,
                   scene->session.value);
    scene->tenant = "globex";
    scene->expected = LH_REASON_BAD_MAC;
    torture_worker(scene);
}

static void test_decisions__a_revoked_session(void **state)
{
    struct scene *scene = *state;
    assert_ok(lh_admin_session_revoke(scene->made.admin, S("acme"), S(scene->session.ref)));
    scene->expected = LH_REASON_SESSION_REVOKED;
    torture_worker(scene);
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    char bytes[4096];
    for (size_t len; (len = fread(bytes, 1, sizeof(bytes), in)) > 0;) {
        assert_int_equal(fwrite(bytes, 1, len, out), len);
    }
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
}

/* The registry alone knows of it: the sessions were put back to what they were before. */
static void test_decisions__a_session_that_only_the_registry_knows_to_be_revoked(void **state)
{
    struct scene *scene = *state;
    char sessions[SCRATCH_PATH_BYTES], kept[SCRATCH_PATH_BYTES];
    made_home_path(&scene->made, "sessions/data.mdb", sessions);
    scratch_dir_path(&scene->made.dir, "kept", kept);
    made_home_close(&scene->made);
    copy_file(sessions, kept);
    made_home_reopen(&scene->made);
    assert_ok(lh_admin_session_revoke(scene->made.admin, S("acme"), S(scene->session.ref)));
    made_home_close(&scene->made);
    copy_file(kept, sessions);
    scene->expected = LH_REASON_SESSION_REVOKED;
    torture(scene);
}

static void test_decisions__a_session_of_a_user_who_was_logged_out(void **state)
{
    struct scene *scene = *state;
    uint64_t ended;
    assert_ok(lh_admin_session_revoke_user(scene->made.admin, S("acme"), S("alice"), &ended));
    scene->expected = LH_REASON_SESSION_REVOKED;
    torture_worker(scene);
}

static void test_decisions__a_session_before_the_tenant_s_epoch(void **state)
{
    struct scene *scene = *state;
    assert_ok(lh_admin_session_revoke_all(scene->made.admin, S("acme")));
    scene->expected = LH_REASON_SESSION_REVOKED;
    torture_worker(scene);
}

static void test_decisions__an_expired_session(void **state)
{
    struct scene *scene = *state;
    fake_host_advance(&scene->made.fake, scene->session.absolute_end_ms);
    scene->expected = LH_REASON_SESSION_EXPIRED;
    scene->later = LH_REASON_SESSION_ABSENT;
    torture_worker(scene);
}

static void test_decisions__a_session_of_a_disabled_tenant(void **state)
{
    struct scene *scene = *state;
    assert_ok(lh_admin_tenant_disable(scene->made.admin, S("acme")));
    scene->expected = LH_REASON_TENANT_DISABLED;
    torture_worker(scene);
}

static void test_decisions__a_tenant_that_nobody_knows(void **state)
{
    struct scene *scene = *state;
    scene->tenant = "nobody";
    scene->expected = LH_REASON_TENANT_UNKNOWN;
    torture_worker(scene);
}

static void test_decisions__a_session_without_the_role(void **state)
{
    static const lh_slice roles[] = {{(const uint8_t *)"admin", 5}};
    struct scene *scene = *state;
    scene->policy.require_roles = (struct lh_gate_list){roles, 1};
    scene->expected = LH_REASON_ROLE;
    torture_worker(scene);
}

static void test_decisions__nobody_where_it_is_optional(void **state)
{
    struct scene *scene = *state;
    scene->cookie[0] = '\0';
    scene->policy.mode = LH_GATE_OPTIONAL;
    scene->expected = LH_REASON_ANONYMOUS;
    torture_worker(scene);
}

static void test_decisions__a_revoked_session_where_it_is_optional(void **state)
{
    struct scene *scene = *state;
    assert_ok(lh_admin_session_revoke(scene->made.admin, S("acme"), S(scene->session.ref)));
    scene->policy.mode = LH_GATE_OPTIONAL;
    scene->policy.is_stale_passed = true;
    scene->expected = LH_REASON_ANONYMOUS_STALE;
    torture_worker(scene);
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* returns: whether there was an nth call. */
static bool fail_opening_at(struct scene *scene, size_t nth)
{
    char why[LH_HOME_ERROR_BYTES];
    struct lh_home *home = NULL;
    faults_at(nth, false);
    lh_status status = lh_home_open_worker(scene->made.path, &scene->made.fake.host, &home, why);
    bool has_failed = faults_counted() >= nth;
    const char *fault = faults_first();
    faults_at(0, false);
    if (lh_is_ok(status)) {
        assert_non_null(home);
        lh_home_close(home);
    } else {
        assert_true(has_failed);
        assert_null(home);
        if (why[0] == '\0') {
            fail_msg("call %zu (%s) failed, and nobody says so", nth, fault);
        }
    }
    return has_failed;
}

static void test_decisions__a_home_that_cannot_be_opened(void **state)
{
    struct scene *scene = *state;
    made_home_close(&scene->made);
    size_t nth = 1;
    while (fail_opening_at(scene, nth)) {
        nth++;
        assert_true(nth < CALLS_MAX);
    }
    assert_true(nth > 100);
    restart_worker(scene);
    assert_unharmed(scene, 0, "nothing");
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_decisions__a_live_session),
        SCENE(test_decisions__a_live_session_under_a_rotated_key),
        SCENE(test_decisions__a_live_session_beside_a_revoked_one),
        SCENE(test_decisions__a_forged_cookie),
        SCENE(test_decisions__a_session_of_another_tenant),
        SCENE(test_decisions__a_revoked_session),
        SCENE(test_decisions__a_session_that_only_the_registry_knows_to_be_revoked),
        SCENE(test_decisions__a_session_of_a_user_who_was_logged_out),
        SCENE(test_decisions__a_session_before_the_tenant_s_epoch),
        SCENE(test_decisions__an_expired_session),
        SCENE(test_decisions__a_session_of_a_disabled_tenant),
        SCENE(test_decisions__a_tenant_that_nobody_knows),
        SCENE(test_decisions__a_session_without_the_role),
        SCENE(test_decisions__nobody_where_it_is_optional),
        SCENE(test_decisions__a_revoked_session_where_it_is_optional),
        SCENE(test_decisions__a_home_that_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
