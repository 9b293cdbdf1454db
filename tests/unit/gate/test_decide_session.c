/*
 * When a session is live, when it is not, and when nobody can know (abuse groups S and E, as far
 * as they are decided here). Each with two tenants; what is remembered must never outlive what is
 * known.
 */
#include "failing_calls.h"
#include "gate_fixture.h"

#define ACME_HOST   "acme.example.test"
#define GLOBEX_HOST "globex.example.test"

static enum lh_reason at_acme(struct installation *all, const struct visitor *visitor)
{
    struct lh_gate_policy policy = any_policy();
    return visit_once(all, &policy, ACME_HOST, visitor);
}

static enum lh_reason at_globex(struct installation *all, const struct visitor *visitor)
{
    struct lh_gate_policy policy = any_policy();
    return visit_once(all, &policy, GLOBEX_HOST, visitor);
}

static void test_session__a_live_one_passes_from_store_and_from_memory(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    failing_calls_reset();
    assert_reason(at_acme(all, &alice), OK);
    assert_int_equal(failing_calls.store_loads, 1);
    assert_int_equal(failing_calls.cell_macs, 1);
    assert_reason(at_acme(all, &alice), OK);
    assert_int_equal(failing_calls.store_loads, 1);
    assert_int_equal(failing_calls.cell_macs, 1);
    fake_host_advance(&all->host, LH_SESSION_CACHE_AGE_MS);
    assert_reason(at_acme(all, &alice), OK);
    assert_int_equal(failing_calls.store_loads, 2);
}

static void test_session__a_remembered_one_proves_only_its_own_cookie(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    assert_reason(at_acme(all, &alice), OK);
    struct visitor forged = alice;
    forged.cookie[40] = forged.cookie[40] == 'A' ? 'B' : 'A';
    assert_reason(at_acme(all, &forged), BAD_MAC);
    assert_reason(at_globex(all, &alice), BAD_MAC);
    assert_reason(at_acme(all, &alice), OK);
}

/* Another secret under a MAC that holds: what a cell key in wrong hands could make. */
static void test_session__the_secret_is_checked_whatever_the_mac_says(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_handle handle = {.uid = all->acme,
                               .bucket = (uint16_t)alice.key.bucket,
                               .lease = alice.key.lease,
                               .secret = {1, 2, 3}};
    struct visitor forged = alice;
    assert_ok(lh_handle_write(all->cell, &handle, forged.cookie));
    assert_reason(at_acme(all, &forged), BAD_SECRET);
    handle.lease.bytes[0] ^= 1;
    assert_ok(lh_handle_write(all->cell, &handle, forged.cookie));
    assert_reason(at_acme(all, &forged), SESSION_ABSENT);
    struct lh_datakey_counts counts;
    lh_datakey_cache_read_counts(all->datakeys, &counts);
    assert_int_equal(counts.hits, 0); /* no key is touched for what is not proved */
    assert_reason(at_acme(all, &alice), OK);
}

static void test_session__a_revocation_counts_from_the_next_request_on(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor same = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(at_acme(all, &alice), OK);
    assert_reason(at_globex(all, &bob), OK);
    failing_calls_reset();
    revoke_in_registry(all, &alice);
    assert_reason(at_acme(all, &alice), SESSION_REVOKED);
    assert_int_equal(failing_calls.revocations_read, 1);
    assert_reason(at_acme(all, &same), OK);
    assert_reason(at_globex(all, &bob), OK);
    assert_int_equal(failing_calls.revocations_read, 2); /* none for globex, which has none */
}

static void test_session__a_tombstone_kills_without_the_registry(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(at_acme(all, &alice), OK);
    assert_reason(at_globex(all, &bob), OK);
    revoke_in_store(all, &alice);
    assert_reason(at_acme(all, &alice), SESSION_REVOKED);
    assert_reason(at_globex(all, &bob), OK);
}

static void test_session__logging_a_user_out_ends_all_of_his_and_no_other(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor second = sign_in_alice(all, &all->acme);
    struct visitor carol = sign_in(all, &all->acme, &(struct visit){.subject = "carol"});
    struct visitor abroad = sign_in_alice(all, &all->globex);
    assert_reason(at_acme(all, &alice), OK);
    assert_reason(at_globex(all, &abroad), OK);
    log_out_user(all, &alice);
    assert_reason(at_acme(all, &alice), SESSION_REVOKED);
    assert_reason(at_acme(all, &second), SESSION_REVOKED);
    assert_reason(at_acme(all, &carol), OK);
    assert_reason(at_globex(all, &abroad), OK);
}

static void raise_epoch(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    (void)txn;
    tenant->epoch = UINT64_C(1) << 60;
}

static void test_session__the_platforms_epoch_ends_the_sessions_of_every_tenant(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(at_acme(all, &alice), OK);
    struct lh_registry_txn *txn;
    uint64_t epoch;
    assert_ok(lh_registry_begin(all->registry, &txn));
    assert_ok(lh_registry_raise_platform_epoch(txn, lh_clock_now_ms(&all->host.clock), &epoch));
    assert_ok(lh_registry_commit(txn));
    lh_registry_end(&txn);
    assert_reason(at_acme(all, &alice), SESSION_REVOKED);
    assert_reason(at_globex(all, &bob), SESSION_REVOKED);
    struct visitor again = sign_in_alice(all, &all->acme);
    assert_reason(at_acme(all, &again), OK);
}

static void test_session__a_tenants_epoch_ends_all_of_its_sessions(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(at_acme(all, &alice), OK);
    change_tenant(all, &all->acme, raise_epoch);
    assert_reason(at_acme(all, &alice), SESSION_REVOKED);
    assert_reason(at_globex(all, &bob), OK);
}

static void test_session__ends_by_disuse_and_by_age(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in(
        all, &all->acme, &(struct visit){.subject = "alice", .idle_s = 100, .absolute_s = 250});
    struct visitor bob = sign_in_alice(all, &all->globex);
    for (unsigned used = 0; used < 4; used++) {
        fake_host_advance(&all->host, 60000);
        assert_reason(at_acme(all, &alice), OK);
    }
    fake_host_advance(&all->host, 11000);
    assert_reason(at_acme(all, &alice), SESSION_EXPIRED);
    assert_reason(at_globex(all, &bob), OK);

    struct visitor idle =
        sign_in(all, &all->acme, &(struct visit){.subject = "alice", .idle_s = 100});
    assert_reason(at_acme(all, &idle), OK);
    fake_host_advance(&all->host, 100000);
    assert_reason(at_acme(all, &idle), SESSION_EXPIRED);
    assert_reason(at_globex(all, &bob), OK);
}

/* Reads what lies in a place, changes it by change, and puts it back as it may be written. */
static void tamper(struct installation *all, const struct lh_session_key *key,
                   void (*change)(uint8_t *record, size_t len))
{
    struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row row;
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_store_load(all->store, &op, key, &scratch, &row));
    uint8_t *copy = malloc(row.record.len);
    assert_non_null(copy);
    memcpy(copy, row.record.ptr, row.record.len);
    change(copy, row.record.len);
    uint64_t generation = row.generation++;
    row.record = lh_slice_of(copy, row.record.len);
    assert_ok(lh_store_swap(all->store, &op, key, generation, &row));
    free(copy);
    lh_buf_fini(&scratch);
}

static void flip_last(uint8_t *record, size_t len)
{
    record[len - 1] ^= 1;
}

static void make_newer(uint8_t *record, size_t len)
{
    (void)len;
    record[0] = 200; /* the format's number comes first */
}

/* The record with another header, which agrees with its row. */
static void rewrite_header(uint8_t *record, size_t len, uint32_t dek_id)
{
    struct lh_session_header header;
    lh_slice fixed, body;
    struct lh_buf bytes = LH_BUF_EMPTY;
    assert_ok(lh_session_header_read(lh_slice_of(record, len), &header, &fixed, &body));
    header.generation++;
    header.dek_id = dek_id;
    assert_ok(lh_session_header_write(&header, &bytes));
    memcpy(record, bytes.ptr, bytes.len);
    lh_buf_fini(&bytes);
}

static void raise_generation(uint8_t *record, size_t len)
{
    rewrite_header(record, len, 1);
}

static void name_another_key(uint8_t *record, size_t len)
{
    rewrite_header(record, len, 99);
}

static void test_session__a_header_that_is_not_under_the_seal_is_401(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    tamper(all, &alice.key, raise_generation);
    assert_reason(at_acme(all, &alice), INTEGRITY);
}

/* The registry is asked once more, and then it is no outage but a lie. */
static void test_session__a_key_that_there_never_was_is_401(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    tamper(all, &alice.key, name_another_key);
    assert_reason(at_acme(all, &alice), INTEGRITY);
}

/* An old record put back into the store: it is whole, and its generation tells. */
static void test_session__an_older_generation_than_the_registry_allows_is_401(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor other = sign_in_alice(all, &all->acme);
    struct lh_revocation least = {.least_generation = 1};
    for (uint64_t generation = 1; generation <= 2; generation++) {
        struct lh_registry_txn *txn;
        least.least_generation = generation;
        assert_ok(lh_registry_begin(all->registry, &txn));
        assert_ok(lh_registry_put_revocation(txn, &all->acme, &alice.key.lease, &least,
                                             alice.absolute_end_ms));
        assert_ok(lh_registry_commit(txn));
        lh_registry_end(&txn);
        enum lh_reason reason = at_acme(all, &alice);
        assert_int_equal(reason, generation == 1 ? LH_REASON_OK : LH_REASON_INTEGRITY);
    }
    assert_reason(at_acme(all, &other), OK);
}

static void test_session__an_altered_record_is_401_and_an_audit_line(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    tamper(all, &alice.key, flip_last);
    assert_reason(at_acme(all, &alice), INTEGRITY);
    assert_non_null(strstr(all->host.log, "leasehold: audit integrity"));
    assert_reason(at_globex(all, &bob), OK);
}

static void test_session__a_record_of_a_newer_version_is_503_and_stays(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    tamper(all, &alice.key, make_newer);
    assert_reason(at_acme(all, &alice), RECORD_FUTURE);
    struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row row;
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_store_load(all->store, &op, &alice.key, &scratch, &row));
    assert_int_equal(row.kind, LH_PLACE_RECORD);
    lh_buf_fini(&scratch);
}

/* A record of globex in the place of a session of acme. */
static void misplace(struct installation *all, const struct lh_session_key *from,
                     const struct lh_session_key *to)
{
    struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_buf unused = LH_BUF_EMPTY;
    struct lh_store_row row, old;
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_store_load(all->store, &op, from, &scratch, &row));
    assert_ok(lh_store_load(all->store, &op, to, &unused, &old));
    row.generation = old.generation + 1;
    assert_ok(lh_store_swap(all->store, &op, to, old.generation, &row));
    lh_buf_fini(&scratch);
    lh_buf_fini(&unused);
}

static void test_session__a_foreign_record_is_a_leak_set_aside_and_told_once(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    misplace(all, &bob.key, &alice.key);
    assert_reason(at_acme(all, &alice), LEAK);
    static const char event[] = "leasehold: audit cross_tenant_leak_detected";
    const char *line = strstr(all->host.log, event);
    assert_non_null(line);
    assert_reason(at_acme(all, &alice), QUARANTINED);
    assert_null(strstr(line + strlen(event), event));
    assert_reason(at_globex(all, &bob), OK);
}

static void test_session__a_store_that_is_down_is_503(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    failing_calls_reset();
    failing_calls.store_load = LH_STORE_DOWN;
    assert_reason(at_acme(all, &alice), STORE_DOWN);
    failing_calls.store_load = LH_TIMEOUT;
    assert_reason(at_acme(all, &alice), BUDGET);
    failing_calls.store_load = LH_QUARANTINED;
    assert_reason(at_acme(all, &alice), QUARANTINED);
    failing_calls.store_load = LH_NO_MEMORY;
    assert_reason(at_acme(all, &alice), INTERNAL);
    failing_calls_reset();
    assert_reason(at_acme(all, &alice), OK);
}

static void test_session__a_registry_that_cannot_be_asked_is_503(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor gone = sign_in_alice(all, &all->acme);
    struct visitor carol = sign_in(all, &all->acme, &(struct visit){.subject = "carol"});
    revoke_in_registry(all, &gone);
    log_out_user(all, &carol);
    failing_calls_reset();
    failing_calls.read_revocation = LH_REGISTRY_DOWN;
    assert_reason(at_acme(all, &alice), REGISTRY_DOWN);
    failing_calls_reset();
    failing_calls.read_user_epoch = LH_REGISTRY_DOWN;
    assert_reason(at_acme(all, &alice), REGISTRY_DOWN);
    failing_calls_reset();
    assert_reason(at_acme(all, &alice), OK);
}

static void test_session__key_trouble_has_three_answers(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    failing_calls_reset();
    failing_calls.vault_open = LH_KEY_DOWN;
    assert_reason(at_acme(all, &alice), KEY_DOWN);
    failing_calls.vault_open = LH_ABSENT;
    assert_reason(at_acme(all, &alice), KEY_DESTROYED);
    failing_calls.vault_open = LH_TAMPERED;
    assert_reason(at_acme(all, &alice), INTEGRITY);
    failing_calls.vault_open = LH_CRYPTO;
    assert_reason(at_acme(all, &alice), INTERNAL);
    failing_calls_reset();
    assert_reason(at_acme(all, &alice), OK);
}

static void destroy_key(struct lh_registry_txn *txn, struct lh_tenant *tenant)
{
    struct lh_wrapped_dek dek = tenant->deks[0];
    dek.state = LH_DEK_DESTROYED;
    assert_ok(lh_registry_put_dek(txn, &tenant->uid, &dek));
    tenant->active_dek = 0;
}

static void test_session__under_a_destroyed_key_is_401(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct visitor bob = sign_in_alice(all, &all->globex);
    assert_reason(at_acme(all, &alice), OK);
    change_tenant(all, &all->acme, destroy_key);
    assert_reason(at_acme(all, &alice), KEY_DESTROYED);
    assert_reason(at_globex(all, &bob), OK);
}

static void test_session__refusals_touch_nothing_and_passes_do(void **state)
{
    struct installation *all = *state;
    struct visitor alice = sign_in_alice(all, &all->acme);
    struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row before, after;
    struct lh_op op = lh_op_idle(0, NULL);
    assert_ok(lh_store_load(all->store, &op, &alice.key, &scratch, &before));
    fake_host_advance(&all->host, 120000);
    assert_reason(at_globex(all, &alice), BAD_MAC);
    struct lh_gate_policy policy = any_policy();
    lh_slice role = LH_SLICE_LITERAL("auditor");
    policy.require_roles = (struct lh_gate_list){&role, 1};
    assert_reason(visit_once(all, &policy, ACME_HOST, &alice), ROLE);
    lh_buf_clear(&scratch);
    assert_ok(lh_store_load(all->store, &op, &alice.key, &scratch, &after));
    assert_int_equal(after.last_touch_ms, before.last_touch_ms);
    assert_reason(at_acme(all, &alice), OK);
    lh_buf_clear(&scratch);
    assert_ok(lh_store_load(all->store, &op, &alice.key, &scratch, &after));
    assert_int_equal(after.last_touch_ms, before.last_touch_ms + 120000);
    lh_buf_fini(&scratch);
}

/* A session that is used all the time lives, though it is nearly always answered from memory. */
static void test_session__a_remembered_one_is_still_touched(void **state)
{
    struct installation *all = *state;
    struct visitor alice =
        sign_in(all, &all->acme, &(struct visit){.subject = "alice", .idle_s = 60});
    for (unsigned i = 0; i < 500; i++) {
        fake_host_advance(&all->host, 400);
        assert_reason(at_acme(all, &alice), OK);
    }
}

#define GATE_TEST(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, installation_setup, installation_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_session__a_live_one_passes_from_store_and_from_memory),
        GATE_TEST(test_session__a_remembered_one_proves_only_its_own_cookie),
        GATE_TEST(test_session__the_secret_is_checked_whatever_the_mac_says),
        GATE_TEST(test_session__a_revocation_counts_from_the_next_request_on),
        GATE_TEST(test_session__a_tombstone_kills_without_the_registry),
        GATE_TEST(test_session__logging_a_user_out_ends_all_of_his_and_no_other),
        GATE_TEST(test_session__the_platforms_epoch_ends_the_sessions_of_every_tenant),
        GATE_TEST(test_session__a_tenants_epoch_ends_all_of_its_sessions),
        GATE_TEST(test_session__ends_by_disuse_and_by_age),
        GATE_TEST(test_session__a_header_that_is_not_under_the_seal_is_401),
        GATE_TEST(test_session__a_key_that_there_never_was_is_401),
        GATE_TEST(test_session__an_older_generation_than_the_registry_allows_is_401),
        GATE_TEST(test_session__an_altered_record_is_401_and_an_audit_line),
        GATE_TEST(test_session__a_record_of_a_newer_version_is_503_and_stays),
        GATE_TEST(test_session__a_foreign_record_is_a_leak_set_aside_and_told_once),
        GATE_TEST(test_session__a_store_that_is_down_is_503),
        GATE_TEST(test_session__a_registry_that_cannot_be_asked_is_503),
        GATE_TEST(test_session__key_trouble_has_three_answers),
        GATE_TEST(test_session__under_a_destroyed_key_is_401),
        GATE_TEST(test_session__refusals_touch_nothing_and_passes_do),
        GATE_TEST(test_session__a_remembered_one_is_still_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
