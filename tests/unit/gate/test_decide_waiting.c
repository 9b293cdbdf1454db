/*
 * Calls that must wait for a key: they wait once, give up in time, die quietly with their
 * request, and believe nothing that changed while they waited.
 */
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST "acme.example.test"

/* A request of a visitor whose tenant's key is cold. */
static void begin_cold(struct sent *sent, struct installation *all, const struct visitor *visitor,
                       const struct lh_gate_policy *policy)
{
    installation_restart_worker(all);
    all->host.mode = FAKE_HOST_QUEUES;
    sent_init(sent, ACME_HOST);
    sent_add_cookie(sent, visitor);
    sent_begin(sent, all, policy);
}

static void test_waiting__passes_when_the_key_is_there(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    assert_reason(sent.decision.reason, UNDECIDED);
    assert_int_equal(sent.decision.http_status, 503);
    assert_in_range(lh_gate_wait_ms(sent.call), 1, policy.cold_budget_ms);
    assert_status(lh_gate_continue(sent.call), LH_PENDING); /* nothing has happened yet */
    assert_int_equal(sent.wakes, 0);
    assert_int_equal(fake_host_run(&all->host, LH_LANE_FETCH), 1);
    assert_int_equal(sent.wakes, 1);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, OK);
    assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
    sent_fini(&sent);
}

static void test_waiting__with_the_state_as_well(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    policy.state = LH_GATE_STATE_FULL;
    struct visitor alice =
        sign_in(all, &all->acme, &(struct visit){.subject = "alice", .state = "{\"cart\":[1,2]}"});
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    (void)fake_host_run(&all->host, LH_LANE_FETCH);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, OK);
    assert_string_equal(sent_injected(&sent, "X-Session-State"), "eyJjYXJ0IjpbMSwyXX0");
    sent_fini(&sent);
}

static void test_waiting__many_wait_for_one_fetch(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent first, second;
    begin_cold(&first, all, &alice, &policy);
    sent_init(&second, ACME_HOST);
    sent_add_cookie(&second, &alice);
    sent_begin(&second, all, &policy);
    assert_int_equal(fake_host_run(&all->host, LH_LANE_FETCH), 1);
    assert_ok(lh_gate_continue(first.call));
    assert_ok(lh_gate_continue(second.call));
    assert_reason(first.decision.reason, OK);
    assert_reason(second.decision.reason, OK);
    sent_fini(&first);
    sent_fini(&second);
}

/* More than the gate keeps for later; ended in another order than begun. */
static void test_waiting__more_at_once_than_are_kept_are_each_answered_as_their_own(void **state)
{
    enum { CROWD = 40 };
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor visitors[2] = {
        sign_in_alice(all, &all->acme),
        sign_in(all, &all->acme, &(struct visit){.subject = "bob"}),
    };
    struct sent *crowd = calloc(CROWD, sizeof(*crowd));
    assert_non_null(crowd);
    for (unsigned round = 0; round < 2; round++) {
        begin_cold(&crowd[0], all, &visitors[0], &policy);
        for (unsigned i = 1; i < CROWD; i++) {
            sent_init(&crowd[i], ACME_HOST);
            sent_add_cookie(&crowd[i], &visitors[i % 2]);
            sent_begin(&crowd[i], all, &policy);
        }
        (void)fake_host_run(&all->host, LH_LANE_FETCH);
        for (unsigned i = 0; i < CROWD; i += 4) {
            lh_gate_cancel(crowd[i].call);
            sent_fini(&crowd[i]);
        }
        for (unsigned i = CROWD; i-- > 0;) {
            if (i % 4 != 0) {
                assert_ok(lh_gate_continue(crowd[i].call));
                assert_string_equal(sent_injected(&crowd[i], "X-Session-Subject"),
                                    i % 2 == 0 ? "alice" : "bob");
                sent_fini(&crowd[i]);
            }
        }
        assert_reason(visit_once(all, &policy, ACME_HOST, NULL), NO_CREDENTIAL);
        assert_reason(visit_once(all, &policy, ACME_HOST, &visitors[1]), OK);
    }
    free(crowd);
}

static void test_waiting__gives_up_when_its_time_is_over(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    fake_host_advance(&all->host, policy.cold_budget_ms - 1);
    assert_int_equal(lh_gate_wait_ms(sent.call), 1);
    assert_status(lh_gate_continue(sent.call), LH_PENDING);
    fake_host_advance(&all->host, 1);
    assert_int_equal(lh_gate_wait_ms(sent.call), 0);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, KEY_DOWN);
    assert_int_equal(sent.decision.http_status, 503);
    (void)fake_host_run(&all->host, LH_LANE_FETCH); /* the fetch is the tenant's, and goes on */
    assert_int_equal(sent.wakes, 0);
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), OK);
    sent_fini(&sent);
}

static void test_waiting__dies_with_its_request(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    lh_gate_cancel(sent.call);
    sent_fini(&sent);
    (void)fake_host_run(&all->host, LH_LANE_FETCH);
    assert_int_equal(sent.wakes, 0);
    lh_gate_cancel(NULL);
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), OK);
}

static void test_waiting__believes_no_session_that_was_revoked_meanwhile(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    revoke_in_registry(all, &alice);
    (void)fake_host_run(&all->host, LH_LANE_FETCH);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, SESSION_REVOKED);
    assert_int_equal(sent.decision.inject_count, 0);
    assert_int_equal(sent.decision.subject.len, 0); /* nobody is signed in */
    assert_int_equal(sent.decision.session_ref.len, 0);
    sent_fini(&sent);
}

static void rename_nothing(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    (void)tenant;
}

static void test_waiting__goes_on_after_a_change_that_does_not_concern_it(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    change_tenant(all, &all->acme, rename_nothing);
    (void)fake_host_run(&all->host, LH_LANE_FETCH);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, OK);
    sent_fini(&sent);
}

static void test_waiting__counters_that_are_gone_afterwards_are_503(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    (void)fake_host_run(&all->host, LH_LANE_FETCH);
    failing_calls_reset();
    failing_calls.read_counter = LH_COUNTERS_DOWN;
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, REGISTRY_DOWN);
    failing_calls_reset();
    sent_fini(&sent);
}

static void test_waiting__a_lane_that_takes_nothing_is_503_at_once(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    installation_restart_worker(all);
    assert_reason(visit_once(all, &policy, "globex.example.test", &bob), OK);
    all->host.mode = FAKE_HOST_REFUSES;
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), KEY_DOWN);
    assert_reason(visit_once(all, &policy, "globex.example.test", &bob), OK); /* warm */
}

static void test_waiting__a_slow_store_uses_the_budget_up(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = any_policy();
    struct visitor alice = sign_in_alice(all, &all->acme);
    failing_calls_reset();
    failing_calls.slow_host = &all->host;
    failing_calls.store_load_ms = policy.budget_ms;
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), OK);
    fake_host_advance(&all->host, LH_SESSION_CACHE_AGE_MS);
    failing_calls.store_load_ms = policy.budget_ms + 1;
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), BUDGET);
    failing_calls_reset();
}

/* --- News ------------------------------------------------------------------------------------- */

/* A registry whose tenants change as soon as they are read: a writer that is in the middle. */
struct busy_source {
    struct lh_directory_source real;
    struct installation *all;
    unsigned changes_left;
};

/* The tenant as it was before its youngest key was made; by now it is not so any more. */
static lh_status load_too_early(void *self, lh_slice name, struct lh_tenant **out_tenant)
{
    struct busy_source *busy = self;
    LH_TRY(busy->real.load_by_name(busy->real.self, name, out_tenant));
    if (busy->changes_left > 0) {
        busy->changes_left--;
        (*out_tenant)->dek_count = 1;
        change_tenant(busy->all, &(*out_tenant)->uid, rename_nothing);
    }
    return lh_ok();
}

static lh_status read_real_counter(void *self, uint32_t slot, uint64_t *out_value)
{
    struct busy_source *busy = self;
    return busy->real.read_counter(busy->real.self, slot, out_value);
}

/* The reason for alice, whose session is under the tenant's second key. */
static enum lh_reason visit_busy(struct installation *all, unsigned changes, unsigned *out_left)
{
    static const struct lh_siphash_key key = {"some hash key .."};
    struct lh_gate_policy policy = any_policy();
    policy.tenant_from = LH_GATE_TENANT_SUBDOMAIN;
    rotate_key(all, &all->acme);
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct busy_source busy = {*lh_registry_source(all->registry), all, changes};
    struct lh_directory_source source = busy.real;
    source.self = &busy;
    source.load_by_name = load_too_early;
    source.read_counter = read_real_counter;
    struct lh_gate_parts parts = installation_parts(all);
    struct lh_gate *gate;
    assert_ok(lh_directory_new(&source, 4, &key, &parts.directory));
    assert_ok(lh_gate_new(&parts, &gate));
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, &alice);
    assert_ok(sent_ask(&sent, gate, &policy));
    sent_fini(&sent);
    lh_gate_free(gate);
    lh_directory_free(parts.directory);
    *out_left = busy.changes_left;
    return sent.decision.reason;
}

static void test_news__a_key_younger_than_the_snapshot_is_no_fault_of_the_record(void **state)
{
    struct installation *all = *state;
    unsigned left;
    assert_reason(visit_busy(all, 0, &left), OK);
    assert_reason(visit_busy(all, 1, &left), OK);
    assert_reason(visit_busy(all, 3, &left), OK);
}

static void test_news__that_never_end_use_the_budget_up(void **state)
{
    struct installation *all = *state;
    unsigned left;
    assert_reason(visit_busy(all, 1000, &left), BUDGET);
    assert_int_equal(left, 1000 - 4); /* once, and three times again */
}

/* A worker beside the one of the installation, and somebody whom it knows. */
struct other_worker {
    struct lh_gate *gate;
    struct lh_gate_policy policy;
    struct visitor known;
};

static enum lh_reason ask_other(const struct other_worker *other, const struct visitor *visitor)
{
    struct sent sent;
    sent_init(&sent, ACME_HOST);
    sent_add_cookie(&sent, visitor);
    assert_ok(sent_ask(&sent, other->gate, &other->policy));
    sent_fini(&sent);
    return sent.decision.reason;
}

/* Its snapshot is now older than the change, under the counter of after its announcement. */
static void read_between(void *context)
{
    const struct other_worker *other = context;
    assert_reason(ask_other(other, &other->known), OK);
}

static void test_news__a_key_committed_and_not_yet_told_is_no_fault_of_the_record(void **state)
{
    static const struct lh_siphash_key key = {"some hash key .."};
    struct installation *all = *state;
    struct lh_gate_parts parts = installation_parts(all);
    struct other_worker other = {.policy = any_policy(), .known = sign_in_alice(all, &all->acme)};
    assert_ok(lh_directory_new(lh_registry_source(all->registry), 4, &key, &parts.directory));
    assert_ok(lh_gate_new(&parts, &other.gate));

    struct lh_registry_txn *txn = rotate_key_slowly(all, &all->acme, read_between, &other);
    struct visitor bob = sign_in(all, &all->acme, &(struct visit){.subject = "bob"});
    assert_reason(ask_other(&other, &bob), OK);
    lh_registry_end(&txn);
    assert_reason(ask_other(&other, &bob), OK);
    lh_gate_free(other.gate);
    lh_directory_free(parts.directory);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

/* Makes of a record the next generation, as a rotation does, and demands it. */
struct rotating {
    struct installation *all;
    const struct visitor *visitor;
};

static void rotate_behind(void *context)
{
    const struct rotating *rotating = context;
    struct installation *all = rotating->all;
    struct lh_tenant *tenant = NULL;
    const struct lh_directory_source *source = lh_registry_source(all->registry);
    assert_ok(source->load_by_uid(source->self, &all->acme, &tenant));
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    struct lh_session_header header;
    struct lh_registry_txn *txn;
    assert_ok(lh_vault_inspect(all->vault, &op, &rotating->visitor->key, &loaded));
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_mark(txn, tenant->slot));
    assert_ok(lh_vault_rotate(all->vault, &op, tenant, &loaded, &handle, &header));
    const struct lh_revocation least = {.least_generation = header.generation};
    assert_ok(
        lh_registry_put_revocation(txn, &all->acme, &header.lease, &least, header.absolute_end_ms));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    lh_loaded_session_fini(&loaded);
    lh_tenant_unref(tenant);
}

/* Between our look at the store and that at the registry: no integrity alarm, and nobody is out. */
static void test_waiting__rotated_while_it_is_judged_is_judged_anew(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor other = sign_in_alice(all, &all->acme);
    struct lh_registry_txn *txn; /* somebody is revoked, so that the registry is asked at all */
    const struct lh_revocation revocation = {.is_revoked = true};
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_put_revocation(txn, &all->acme, &other.key.lease, &revocation,
                                         other.absolute_end_ms));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    struct rotating rotating = {all, &alice};
    struct lh_gate_policy policy = any_policy();
    failing_calls_reset();
    failing_calls.after_load = rotate_behind;
    failing_calls.after_load_context = &rotating;
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice),
                  OK); /* by its previous secret, in its grace */
    assert_null(failing_calls.after_load);
    assert_null(strstr(all->host.log, "leasehold: audit integrity"));
    fake_host_advance(&all->host, LH_ROTATION_GRACE_MS);
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), BAD_SECRET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_waiting__rotated_while_it_is_judged_is_judged_anew),
        GATE_TEST(test_waiting__passes_when_the_key_is_there),
        GATE_TEST(test_waiting__with_the_state_as_well),
        GATE_TEST(test_waiting__many_wait_for_one_fetch),
        GATE_TEST(test_waiting__more_at_once_than_are_kept_are_each_answered_as_their_own),
        GATE_TEST(test_waiting__gives_up_when_its_time_is_over),
        GATE_TEST(test_waiting__dies_with_its_request),
        GATE_TEST(test_waiting__believes_no_session_that_was_revoked_meanwhile),
        GATE_TEST(test_waiting__goes_on_after_a_change_that_does_not_concern_it),
        GATE_TEST(test_waiting__counters_that_are_gone_afterwards_are_503),
        GATE_TEST(test_waiting__a_lane_that_takes_nothing_is_503_at_once),
        GATE_TEST(test_waiting__a_slow_store_uses_the_budget_up),
        GATE_TEST(test_news__a_key_younger_than_the_snapshot_is_no_fault_of_the_record),
        GATE_TEST(test_news__a_key_committed_and_not_yet_told_is_no_fault_of_the_record),
        GATE_TEST(test_news__that_never_end_use_the_budget_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
