/*
 * Cookies that hold their sessions: no store is asked, and everything that ends a session ends
 * these.
 */
#include "failing_calls.h"
#include "sealed_visitor.h"

#include "codec/base64url.h"
#include "codec/json.h"

#define ACME   "acme.example.test"
#define GLOBEX "globex.example.test"

static enum lh_reason at_acme(struct installation *all, const struct sealed_visitor *visitor)
{
    struct lh_gate_policy policy = sealed_policy();
    return show_value(all, &policy, ACME, visitor->cookie);
}

static enum lh_reason at_globex(struct installation *all, const struct sealed_visitor *visitor)
{
    struct lh_gate_policy policy = sealed_policy();
    return show_value(all, &policy, GLOBEX, visitor->cookie);
}

/* --- Who passes ------------------------------------------------------------------------------- */

static void test_sealed__passes_and_no_store_is_asked(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct lh_gate_policy policy = sealed_policy();
    policy.state = LH_GATE_STATE_FULL;
    failing_calls_reset();
    failing_calls.store_load = LH_STORE_DOWN;
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add(&sent, "Cookie", "theme=dark");
    sent_add_value(&sent, LH_COOKIE_NAME, alice.cookie);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    assert_int_equal(failing_calls.store_loads, 0);
    assert_string_equal(sent_text(&sent, sent.decision.cookie), "theme=dark");
    assert_string_equal(sent_injected(&sent, "X-Tenant-ID"), "acme");
    assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
    assert_string_equal(sent_injected(&sent, "X-Session-Mode"), "normal");
    assert_string_equal(sent_injected(&sent, "X-Session-Scope"), "read write");
    assert_null(sent_injected(&sent, "X-Session-State"));
    struct lh_session_ref ref;
    lh_session_ref_write((uint16_t)alice.who.key.bucket, &alice.who.key.lease, &ref);
    assert_true(lh_slice_is_equal(sent.decision.session_ref, lh_slice_of(ref.text, ref.len)));
    sent_fini(&sent);
    failing_calls_reset();
}

static void test_sealed__of_another_tenant_is_refused(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor bob = seal_in_alice(all, &all->globex);
    assert_reason(at_acme(all, &alice), OK);
    assert_reason(at_globex(all, &alice), BAD_MAC);
    assert_reason(at_acme(all, &bob), BAD_MAC);
    assert_reason(at_globex(all, &bob), OK);
}

static void test_sealed__no_altered_byte_passes(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct lh_gate_policy policy = sealed_policy();
    const size_t len = strlen(alice.cookie);
    for (size_t i = 0; i < len; i++) {
        struct sealed_visitor altered = alice;
        altered.cookie[i] = altered.cookie[i] == 'A' ? 'B' : 'A';
        enum lh_reason reason = show_value(all, &policy, ACME, altered.cookie);
        assert_true(reason == LH_REASON_BAD_MAC || reason == LH_REASON_COOKIE_MALFORMED);
    }
    for (size_t kept = 0; kept < len; kept += 7) {
        struct sealed_visitor cut = alice;
        cut.cookie[kept] = '\0';
        enum lh_reason reason = show_value(all, &policy, ACME, cut.cookie);
        assert_true(reason == LH_REASON_BAD_MAC || reason == LH_REASON_COOKIE_MALFORMED);
    }
    assert_reason(at_acme(all, &alice), OK);
}

/* Too long for any cookie: nothing of it is decoded. */
static void test_sealed__one_that_is_too_long_is_malformed(void **state)
{
    struct installation *all = *state;
    struct lh_gate_policy policy = sealed_policy();
    char value[LH_SEALED_COOKIE_TEXT_MAX_BYTES + 2];
    memset(value, 'A', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_reason(show_value(all, &policy, ACME, value), COOKIE_MALFORMED);
}

/* Whoever has stolen the cell's secret makes MACs that hold, and no seal that opens. */
static void test_sealed__a_thief_of_the_mac_key_opens_nothing(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    uint8_t bytes[LH_SEALED_COOKIE_TEXT_MAX_BYTES];
    size_t len;
    assert_ok(lh_base64url_decode(lh_slice_from_text(alice.cookie), bytes, sizeof(bytes), &len));
    const size_t authentic_len = len - LH_SEALED_COOKIE_MAC_BYTES;
    bytes[authentic_len - 1] ^= 1;
    struct lh_digest mac;
    assert_ok(
        lh_cell_mac(all->cell, &all->acme, bytes[1], lh_slice_of(bytes, authentic_len), &mac));
    memcpy(bytes + authentic_len, mac.bytes, LH_SEALED_COOKIE_MAC_BYTES);
    struct sealed_visitor forged = alice;
    lh_base64url_write(lh_slice_of(bytes, len), forged.cookie);
    assert_reason(at_acme(all, &forged), INTEGRITY);
    assert_reason(at_acme(all, &alice), OK);
}

static void test_sealed__a_place_takes_one_kind(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct visitor stored = sign_in_alice(all, &all->acme);
    struct lh_gate_policy handles = any_policy(), sealed = sealed_policy();
    assert_reason(show_value(all, &handles, ACME, alice.cookie), COOKIE_MALFORMED);
    assert_reason(show_value(all, &sealed, ACME, stored.cookie), COOKIE_MALFORMED);
    assert_reason(show_value(all, &handles, ACME, stored.cookie), OK);
    /* and what is remembered of a session in the store is nothing to the other kind of place */
    assert_reason(show_value(all, &sealed, ACME, stored.cookie), COOKIE_MALFORMED);
}

static void test_sealed__names_follow_the_same_rules(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor other = seal_in_alice(all, &all->acme);
    struct lh_gate_policy policy = sealed_policy();
    const struct {
        const char *second_name;
        const char *second;
        enum lh_reason expected;
    } cases[] = {{alice.who.suffixed_name, alice.cookie, LH_REASON_OK},
                 {alice.who.suffixed_name, other.cookie, LH_REASON_COOKIE_CONFLICT},
                 {LH_COOKIE_NAME, alice.cookie, LH_REASON_COOKIE_DUPLICATE}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sent sent;
        sent_init(&sent, ACME);
        sent_add_value(&sent, LH_COOKIE_NAME, alice.cookie);
        sent_add_value(&sent, cases[i].second_name, cases[i].second);
        assert_int_equal(sent_decide(&sent, all, &policy), cases[i].expected);
        assert_false(sent.decision.has_cookie);
        sent_fini(&sent);
    }
}

static void test_sealed__roles_and_scopes_are_judged(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor nobody = seal_in(all, &all->acme, &(struct visit){.subject = NULL});
    struct lh_gate_policy policy = sealed_policy();
    lh_slice role = LH_SLICE_LITERAL("admin");
    policy.require_roles = (struct lh_gate_list){&role, 1};
    assert_reason(show_value(all, &policy, ACME, alice.cookie), OK);
    assert_reason(show_value(all, &policy, ACME, nobody.cookie), ROLE);
    assert_reason(at_acme(all, &nobody), OK);
}

/* --- What ends it ----------------------------------------------------------------------------- */

static void test_sealed__ends_at_its_absolute_end(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice =
        seal_in(all, &all->acme, &(struct visit){.subject = "alice", .absolute_s = 100});
    fake_host_advance(&all->host, 99999);
    assert_reason(at_acme(all, &alice), OK);
    fake_host_advance(&all->host, 1);
    assert_reason(at_acme(all, &alice), SESSION_EXPIRED);
}

static void test_sealed__ends_at_its_idle_time_however_it_is_used(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice =
        seal_in(all, &all->acme, &(struct visit){.subject = "alice", .idle_s = 60});
    for (unsigned i = 0; i < 6; i++) {
        assert_reason(at_acme(all, &alice), OK);
        fake_host_advance(&all->host, 10000);
    }
    assert_reason(at_acme(all, &alice), SESSION_EXPIRED);
}

static void test_sealed__a_context_lives_no_longer(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice =
        seal_in(all, &all->acme, &(struct visit){.subject = "alice", .idle_s = 30});
    struct lh_gate_policy policy = sealed_policy();
    struct sent sent;
    sent_init(&sent, ACME);
    sent_add_value(&sent, LH_COOKIE_NAME, alice.cookie);
    const uint64_t now_s = lh_clock_now_ms(&all->host.clock) / 1000;
    assert_reason(sent_decide(&sent, all, &policy), OK);
    const char *claims = strchr(sent_injected(&sent, "X-Tenant-Context"), '.') + 1;
    uint8_t bytes[2048];
    size_t len;
    assert_ok(lh_base64url_decode(lh_slice_of(claims, (size_t)(strchr(claims, '.') - claims)),
                                  bytes, sizeof(bytes), &len));
    LH_CLEANUP(lh_json_fini) json_t *json = NULL;
    assert_ok(lh_json_parse(lh_slice_of(bytes, len), sizeof(bytes), &json));
    assert_true((uint64_t)json_integer_value(json_object_get(json, "exp")) <= now_s + 30);
    assert_in_range(sent.decision.watch.end_ms, now_s * 1000, now_s * 1000 + 31000);
    sent_fini(&sent);
}

static void test_sealed__is_revoked_by_its_lease(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor other = seal_in_alice(all, &all->acme);
    assert_reason(at_acme(all, &alice), OK);
    revoke_in_registry(all, &alice.who);
    assert_reason(at_acme(all, &alice), SESSION_REVOKED);
    assert_reason(at_acme(all, &other), OK);
}

static void raise_epoch(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->epoch++;
}

static void disable(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->state = LH_TENANT_DISABLED;
}

static void destroy_key(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    struct lh_wrapped_dek dek = tenant->deks[0];
    dek.state = LH_DEK_DESTROYED;
    assert_ok(lh_registry_put_dek(txn, &tenant->uid, &dek));
    tenant->active_dek = 0;
}

static void test_sealed__ends_with_user_tenant_and_key(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor carol = seal_in(all, &all->acme, &(struct visit){.subject = "carol"});
    struct sealed_visitor bob = seal_in_alice(all, &all->globex);
    log_out_user(all, &alice.who);
    assert_reason(at_acme(all, &alice), SESSION_REVOKED);
    assert_reason(at_acme(all, &carol), OK);
    change_tenant(all, &all->acme, raise_epoch);
    assert_reason(at_acme(all, &carol), SESSION_REVOKED);
    struct sealed_visitor later = seal_in(all, &all->acme, &(struct visit){.subject = "carol"});
    assert_reason(at_acme(all, &later), OK);
    change_tenant(all, &all->acme, destroy_key);
    assert_reason(at_acme(all, &later), KEY_DESTROYED);
    change_tenant(all, &all->acme, disable);
    assert_reason(at_acme(all, &later), TENANT_DISABLED);
    assert_reason(at_globex(all, &bob), OK);
}

static void test_sealed__survives_a_new_key(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    rotate_key(all, &all->acme);
    struct sealed_visitor later = seal_in_alice(all, &all->acme);
    assert_reason(at_acme(all, &alice), OK);
    assert_reason(at_acme(all, &later), OK);
    installation_restart_worker(all);
    assert_reason(at_acme(all, &alice), OK);
}

/* --- What cannot be known --------------------------------------------------------------------- */

static void test_sealed__a_registry_that_cannot_be_asked_is_503(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor other = seal_in_alice(all, &all->acme);
    revoke_in_registry(all, &other.who);
    failing_calls_reset();
    failing_calls.read_revocation = LH_REGISTRY_DOWN;
    assert_reason(at_acme(all, &alice), REGISTRY_DOWN);
    failing_calls_reset();
    struct sealed_visitor carol = seal_in(all, &all->acme, &(struct visit){.subject = "carol"});
    log_out_user(all, &carol.who);
    failing_calls.read_user_epoch = LH_REGISTRY_DOWN;
    assert_reason(at_acme(all, &alice), REGISTRY_DOWN);
    failing_calls_reset();
    assert_reason(at_acme(all, &alice), OK);
}

static void begin_cold(struct sent *sent, struct installation *all,
                       const struct sealed_visitor *visitor, const struct lh_gate_policy *policy)
{
    installation_restart_worker(all);
    all->host.mode = FAKE_HOST_QUEUES;
    sent_init(sent, ACME);
    sent_add_value(sent, LH_COOKIE_NAME, visitor->cookie);
    sent_begin(sent, all, policy);
}

static void test_sealed__waits_for_a_cold_key(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct lh_gate_policy policy = sealed_policy();
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    assert_in_range(lh_gate_wait_ms(sent.call), 1, policy.cold_budget_ms);
    assert_int_equal(fake_host_run(&all->host, LH_LANE_FETCH), 1);
    assert_int_equal(sent.wakes, 1);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, OK);
    assert_string_equal(sent_injected(&sent, "X-Session-Subject"), "alice");
    sent_fini(&sent);
}

static void test_sealed__a_key_that_does_not_come_is_503(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct lh_gate_policy policy = sealed_policy();
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    fake_host_advance(&all->host, policy.cold_budget_ms);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, KEY_DOWN);
    sent_fini(&sent);
    (void)fake_host_run(&all->host, LH_LANE_FETCH);
}

static void test_sealed__a_log_out_while_it_waits_is_seen(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct lh_gate_policy policy = sealed_policy();
    struct sent sent;
    begin_cold(&sent, all, &alice, &policy);
    revoke_in_registry(all, &alice.who);
    (void)fake_host_run(&all->host, LH_LANE_FETCH);
    assert_ok(lh_gate_continue(sent.call));
    assert_reason(sent.decision.reason, SESSION_REVOKED);
    sent_fini(&sent);
}

/* An invented cookie fetches no key. */
static void test_sealed__a_forged_one_waits_for_nothing(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct lh_gate_policy policy = sealed_policy();
    installation_restart_worker(all);
    all->host.mode = FAKE_HOST_QUEUES;
    alice.cookie[40] = alice.cookie[40] == 'A' ? 'B' : 'A';
    assert_reason(show_value(all, &policy, ACME, alice.cookie), BAD_MAC);
    assert_int_equal(fake_host_run(&all->host, LH_LANE_FETCH), 0);
}

/* --- Charging --------------------------------------------------------------------------------- */

static const struct lh_rate one = {.per_s = 1, .burst = 1};
static const struct lh_limits_rates each_once = {{1, 1}, {1, 1}, {1, 1}, {0, 1}, {0, 1}};

static void test_sealed__what_has_proved_itself_is_not_charged_to_the_client(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor ended =
        seal_in(all, &all->acme, &(struct visit){.subject = "alice", .absolute_s = 1});
    struct sealed_visitor revoked = seal_in_alice(all, &all->acme);
    installation_limit(all, &each_once, one);
    revoke_in_registry(all, &revoked.who);
    fake_host_advance(&all->host, 1000);
    for (unsigned i = 0; i < 10; i++) {
        assert_reason(at_acme(all, &ended), SESSION_EXPIRED);
        assert_reason(at_acme(all, &revoked), SESSION_REVOKED);
    }
    ended.cookie[40] = ended.cookie[40] == 'A' ? 'B' : 'A';
    assert_reason(at_acme(all, &ended), BAD_MAC);
    assert_reason(at_acme(all, &ended), RATE_CLIENT);
}

static void test_sealed__a_tenant_pays_for_what_passes(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor bob = seal_in_alice(all, &all->globex);
    installation_limit(all, &each_once, one);
    assert_reason(at_acme(all, &alice), OK);
    assert_reason(at_acme(all, &alice), RATE_TENANT);
    assert_reason(at_globex(all, &bob), OK);
}

/* --- Long-lived requests ---------------------------------------------------------------------- */

static struct lh_gate_watch begin_watch(struct installation *all, const char *host,
                                        const struct sealed_visitor *visitor)
{
    struct lh_gate_policy policy = sealed_policy();
    struct sent sent;
    sent_init(&sent, host);
    sent_add_value(&sent, LH_COOKIE_NAME, visitor->cookie);
    assert_reason(sent_decide(&sent, all, &policy), OK);
    struct lh_gate_watch watch = sent.decision.watch;
    sent_fini(&sent);
    return watch;
}

static void touch_nothing(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    (void)tenant;
}

static void test_sealed__a_watched_one_ends_and_no_store_is_asked(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice = seal_in_alice(all, &all->acme);
    struct sealed_visitor carol = seal_in(all, &all->acme, &(struct visit){.subject = "carol"});
    struct sealed_visitor bob = seal_in_alice(all, &all->globex);
    struct lh_gate_watch of_alice = begin_watch(all, ACME, &alice);
    struct lh_gate_watch of_carol = begin_watch(all, ACME, &carol);
    struct lh_gate_watch of_bob = begin_watch(all, GLOBEX, &bob);
    failing_calls_reset();
    change_tenant(all, &all->acme, touch_nothing);
    assert_ok(lh_gate_watch_check(all->gate, &of_alice));
    revoke_in_registry(all, &alice.who);
    assert_status(lh_gate_watch_check(all->gate, &of_alice), LH_REVOKED);
    assert_ok(lh_gate_watch_check(all->gate, &of_carol));
    log_out_user(all, &carol.who);
    assert_status(lh_gate_watch_check(all->gate, &of_carol), LH_REVOKED);
    assert_ok(lh_gate_watch_check(all->gate, &of_bob));
    change_tenant(all, &all->globex, raise_epoch);
    assert_status(lh_gate_watch_check(all->gate, &of_bob), LH_REVOKED);
    assert_int_equal(failing_calls.store_loads, 0);
}

static void test_sealed__a_watched_one_ends_at_its_idle_time(void **state)
{
    struct installation *all = *state;
    struct sealed_visitor alice =
        seal_in(all, &all->acme, &(struct visit){.subject = "alice", .idle_s = 60});
    struct lh_gate_watch watch = begin_watch(all, ACME, &alice);
    fake_host_advance(&all->host, 59999);
    assert_ok(lh_gate_watch_check(all->gate, &watch));
    fake_host_advance(&all->host, 1);
    assert_status(lh_gate_watch_check(all->gate, &watch), LH_EXPIRED);
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_sealed__passes_and_no_store_is_asked),
        GATE_TEST(test_sealed__of_another_tenant_is_refused),
        GATE_TEST(test_sealed__no_altered_byte_passes),
        GATE_TEST(test_sealed__one_that_is_too_long_is_malformed),
        GATE_TEST(test_sealed__a_thief_of_the_mac_key_opens_nothing),
        GATE_TEST(test_sealed__a_place_takes_one_kind),
        GATE_TEST(test_sealed__names_follow_the_same_rules),
        GATE_TEST(test_sealed__roles_and_scopes_are_judged),
        GATE_TEST(test_sealed__ends_at_its_absolute_end),
        GATE_TEST(test_sealed__ends_at_its_idle_time_however_it_is_used),
        GATE_TEST(test_sealed__a_context_lives_no_longer),
        GATE_TEST(test_sealed__is_revoked_by_its_lease),
        GATE_TEST(test_sealed__ends_with_user_tenant_and_key),
        GATE_TEST(test_sealed__survives_a_new_key),
        GATE_TEST(test_sealed__a_registry_that_cannot_be_asked_is_503),
        GATE_TEST(test_sealed__waits_for_a_cold_key),
        GATE_TEST(test_sealed__a_key_that_does_not_come_is_503),
        GATE_TEST(test_sealed__a_log_out_while_it_waits_is_seen),
        GATE_TEST(test_sealed__a_forged_one_waits_for_nothing),
        GATE_TEST(test_sealed__what_has_proved_itself_is_not_charged_to_the_client),
        GATE_TEST(test_sealed__a_tenant_pays_for_what_passes),
        GATE_TEST(test_sealed__a_watched_one_ends_and_no_store_is_asked),
        GATE_TEST(test_sealed__a_watched_one_ends_at_its_idle_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
