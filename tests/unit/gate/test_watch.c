/*
 * Long-lived requests: looked at again for as long as they live.
 */
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST "acme.example.test"

static struct lh_gate_watch begin_watch(struct installation *all, const struct visitor *visitor,
                                        const char *host)
{
    struct lh_gate_policy policy = any_policy();
    struct sent sent;
    sent_init(&sent, host);
    sent_add_cookie(&sent, visitor);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_true(sent.decision.watch.is_set);
    struct lh_gate_watch watch = sent.decision.watch;
    sent_fini(&sent);
    return watch;
}

static void touch_nothing(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    (void)tenant;
}

static void disable(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->state = LH_TENANT_DISABLED;
}

static void test_watch__costs_no_look_up_while_nothing_changes(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_gate_watch watch = begin_watch(all, &alice, ACME_HOST);
    failing_calls_reset();
    for (unsigned i = 0; i < 100; i++) {
        assert_ok(lh_gate_watch_check(all->gate, &watch));
        fake_host_advance(&all->host, 1000);
    }
    assert_int_equal(failing_calls.store_loads, 0);
    change_tenant(all, &all->acme, touch_nothing);
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    assert_int_equal(failing_calls.store_loads, 1);
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    assert_int_equal(failing_calls.store_loads, 1);
}

static void test_watch__ends_with_the_session(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor carol = sign_in(all, &all->acme, &(struct visit){.subject = "carol"});
    struct visitor bob = sign_in_alice(all, &all->globex);
    struct lh_gate_watch watch = begin_watch(all, &alice, ACME_HOST);
    struct lh_gate_watch other = begin_watch(all, &carol, ACME_HOST);
    struct lh_gate_watch abroad = begin_watch(all, &bob, "globex.example.test");
    revoke_in_registry(all, &alice);
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_REVOKED);
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_REVOKED); /* and stays so */
    assert_ok(lh_gate_watch_check(all->gate, &other));
    log_out_user(all, &carol);
    assert_status(lh_gate_watch_check(all->gate, &other), LH_REVOKED);
    assert_ok(lh_gate_watch_check(all->gate, &abroad));
    revoke_in_store(all, &bob);
    assert_status(lh_gate_watch_check(all->gate, &abroad), LH_REVOKED);
}

static void test_watch__ends_with_the_tenant(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    struct lh_gate_watch watch = begin_watch(all, &alice, ACME_HOST);
    struct lh_gate_watch abroad = begin_watch(all, &bob, "globex.example.test");
    change_tenant(all, &all->acme, disable);
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_DISABLED);
    assert_ok(lh_gate_watch_check(all->gate, &abroad));
}

static void test_watch__ends_at_the_absolute_end(void **state)
{
    struct installation *all = *state;
    struct visitor alice =
        sign_in(all, &all->acme, &(struct visit){.subject = "alice", .absolute_s = 100});
    struct lh_gate_watch watch = begin_watch(all, &alice, ACME_HOST);
    fake_host_advance(&all->host, 99999);
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    fake_host_advance(&all->host, 1);
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_EXPIRED);
}

static void test_watch__does_not_know_while_the_home_is_down(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_gate_watch watch = begin_watch(all, &alice, ACME_HOST);
    failing_calls_reset();
    failing_calls.read_counter = LH_COUNTERS_DOWN;
    lh_status status = lh_gate_watch_check(all->gate, &watch);
    assert_int_equal(lh_status_class(status), LH_CLASS_UNAVAILABLE);
    failing_calls_reset();
    change_tenant(all, &all->acme, touch_nothing);
    failing_calls.store_load = LH_STORE_DOWN;
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_STORE_DOWN);
    failing_calls_reset();
    assert_ok(lh_gate_watch_check(all->gate, &watch));
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_watch__costs_no_look_up_while_nothing_changes),
        GATE_TEST(test_watch__ends_with_the_session),
        GATE_TEST(test_watch__ends_with_the_tenant),
        GATE_TEST(test_watch__ends_at_the_absolute_end),
        GATE_TEST(test_watch__does_not_know_while_the_home_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
