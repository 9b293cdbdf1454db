/*
 * Fetching data keys on a host with a fetch lane: one fetch for all who wait, whoever goes away.
 */
#include "datakey_fixture.h"

#include "keys/datakey_fetch.h"

#define WAITERS 5

static const struct lh_key_driver prompt_driver = {
    .name = "prompt", .traits = 0, .unwrap = kms_unwrap, .close = kms_close};

static int set_up_prompt(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));
    make_fixture(fixture, &prompt_driver);
    *state = fixture;
    return 0;
}

/* --- What a key is ---------------------------------------------------------------------------- */

static void assert_derived(struct fixture *fixture, const struct lh_sealing_key *key,
                           const char *purpose)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf label = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_text(&label, purpose));
    assert_ok(lh_buf_add(&label, lh_tenant_uid_view(&fixture->tenants[0]->uid)));
    struct lh_key dek;
    memset(dek.bytes, 16, sizeof(dek.bytes));
    struct lh_key expected;
    assert_ok(lh_hkdf(fixture->crypto, LH_SLICE_OF(dek.bytes), lh_buf_view(&label), &expected));
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    assert_ok(lh_aead_commitment(fixture->crypto, &expected, commitment));
    assert_memory_equal(key->key.bytes, expected.bytes, sizeof(expected.bytes));
    assert_memory_equal(key->commitment, commitment, sizeof(commitment));
}

static void test_datakey_fetch__keys_are_derived_for_each_purpose_of_its_tenant(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    assert_int_equal(key->dek_id, 1);
    assert_derived(fixture, &key->record, "leasehold record v1");
    assert_derived(fixture, &key->cookie, "leasehold sealed cookie v1");
    assert_derived(fixture, &key->secret, "leasehold shared secret v1");
}

static void test_datakey_fetch__the_driver_is_asked_for_this_key_on_the_lane(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 1, 3, &key));
    const struct fake_kms *kms = &fixture->kms;
    assert_true(kms->ran_elsewhere);
    assert_ptr_not_equal(kms->last_crypto, fixture->crypto);
    assert_int_equal(kms->last_scope.purpose, LH_WRAP_DEK);
    assert_int_equal(kms->last_scope.key_id, 3);
    assert_true(lh_tenant_uid_is_equal(&kms->last_scope.uid, &fixture->tenants[1]->uid));
}

static void test_keys_unwrap__a_blob_that_is_too_long_to_be_one_reaches_no_driver(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t bytes[LH_WRAPPED_MAX_BYTES + 1] = {3};
    struct lh_wrap_scope scope = {.purpose = LH_WRAP_DEK, .uid = {{1}}, .key_id = 1};
    struct lh_key key;
    assert_status(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope, LH_SLICE_OF(bytes), &key),
                  LH_TAMPERED);
    assert_int_equal(fixture->kms.unwraps, 0);
    assert_ok(lh_keys_unwrap(fixture->keys, fixture->crypto, &scope,
                             lh_slice_of(bytes, LH_WRAPPED_MAX_BYTES), &key));
    assert_int_equal(fixture->kms.unwraps, 1);
}

static void test_datakey_fetch__the_same_key_id_of_two_tenants_are_two_keys(void **state)
{
    struct fixture *fixture = *state;
    const struct lh_datakey *key;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
    struct lh_key of_first = key->record.key;
    assert_ok(ask_and_wait(fixture, 1, 1, &key));
    assert_memory_not_equal(of_first.bytes, key->record.key.bytes, sizeof(of_first.bytes));
    assert_ok(ask_and_wait(fixture, 0, 2, &key));
    assert_memory_not_equal(of_first.bytes, key->record.key.bytes, sizeof(of_first.bytes));
    assert_int_equal(counts_of(fixture).entries, 3);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static void test_datakey_fetch__all_who_wait_share_one_fetch(void **state)
{
    struct fixture *fixture = *state;
    struct asker askers[WAITERS];
    const struct lh_datakey *key;
    for (size_t i = 0; i < WAITERS; i++) {
        askers[i] = new_asker();
        assert_status(ask(fixture, &askers[i], 0, 1, &key), LH_PENDING);
        assert_status(ask(fixture, &askers[i], 0, 1, &key), LH_PENDING); /* asks too early */
    }
    assert_int_equal(fixture->fake.offloaded, 1);
    assert_int_equal(run_lane(fixture), 1);
    for (size_t i = 0; i < WAITERS; i++) {
        assert_int_equal(askers[i].wakes, 1);
        assert_ok(ask(fixture, &askers[i], 0, 1, &key));
    }
    assert_int_equal(fixture->kms.unwraps, 1);
    assert_int_equal(counts_of(fixture).fetches, 1);
    assert_int_equal(counts_of(fixture).hits, WAITERS);
}

static void test_datakey_fetch__keys_of_several_tenants_are_fetched_side_by_side(void **state)
{
    struct fixture *fixture = *state;
    struct asker askers[3];
    const struct lh_datakey *key;
    for (size_t i = 0; i < 3; i++) {
        askers[i] = new_asker();
        assert_status(ask(fixture, &askers[i], i, 1, &key), LH_PENDING);
    }
    assert_int_equal(fixture->fake.offloaded, 3);
    assert_int_equal(run_lane(fixture), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ok(ask(fixture, &askers[i], i, 1, &key));
    }
}

static void test_datakey_fetch__who_goes_away_is_not_woken_and_the_fetch_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct asker askers[3];
    const struct lh_datakey *key;
    for (size_t i = 0; i < 3; i++) {
        askers[i] = new_asker();
        assert_status(ask(fixture, &askers[i], 0, 1, &key), LH_PENDING);
    }
    lh_op_cancel(&askers[1].op); /* from the middle */
    lh_op_cancel(&askers[2].op);
    lh_op_cancel(&askers[2].op);
    (void)run_lane(fixture);
    assert_int_equal(askers[0].wakes, 1);
    assert_int_equal(askers[1].wakes + askers[2].wakes, 0);
    assert_ok(ask(fixture, &askers[0], 0, 1, &key));
    assert_warm(fixture, 0, 1);
}

static void test_datakey_fetch__all_go_away_and_the_key_is_warm_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    assert_cold(fixture, 0, 1);
    assert_int_equal(run_lane(fixture), 1);
    assert_warm(fixture, 0, 1);
}

static void test_datakey_fetch__the_woken_may_cancel_others_that_wait(void **state)
{
    struct fixture *fixture = *state;
    struct asker askers[2];
    const struct lh_datakey *key;
    for (size_t i = 0; i < 2; i++) {
        askers[i] = new_asker();
        askers[i].cancels = &askers[1 - i].op;
        assert_status(ask(fixture, &askers[i], 0, 1, &key), LH_PENDING);
    }
    (void)run_lane(fixture);
    assert_int_equal(askers[0].wakes + askers[1].wakes, 1);
}

static void test_datakey_fetch__a_lane_that_is_full_is_key_down_and_forgotten(void **state)
{
    struct fixture *fixture = *state;
    fixture->fake.mode = FAKE_HOST_REFUSES;
    const struct lh_datakey *key;
    assert_status(ask_and_wait(fixture, 0, 1, &key), LH_KEY_DOWN);
    fixture->fake.mode = FAKE_HOST_QUEUES;
    assert_ok(ask_and_wait(fixture, 0, 1, &key));
}

static void test_datakey_fetch__fetches_under_way_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 1; i <= LH_DATAKEY_FETCHES_MAX; i++) {
        assert_cold(fixture, 0, i);
    }
    struct asker asker = new_asker();
    const struct lh_datakey *key;
    assert_status(ask(fixture, &asker, 0, LH_DATAKEY_FETCHES_MAX + 1, &key), LH_KEY_DOWN);
    assert_status(ask(fixture, &asker, 0, 1, &key), LH_PENDING); /* joining is always possible */
    lh_op_cancel(&asker.op);
    assert_int_equal(run_lane(fixture), LH_DATAKEY_FETCHES_MAX);
    assert_int_equal(counts_of(fixture).entries, ENTRIES_MAX);
}

static void test_datakey_fetch__where_tasks_finish_at_once_the_answer_comes_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->fake.mode = FAKE_HOST_AT_ONCE;
    struct asker asker = new_asker();
    const struct lh_datakey *key;
    assert_ok(ask(fixture, &asker, 0, 1, &key));
    assert_int_equal(key->dek_id, 1);
    fixture->kms.answer = LH_ABSENT;
    assert_status(ask(fixture, &asker, 0, 2, &key), LH_ABSENT);
    fixture->kms.answer = LH_OK;
    fake_host_advance(&fixture->fake, REFRESH_MS); /* a refresh that ends inside the call */
    struct lh_key before = key->record.key;
    assert_ok(ask(fixture, &asker, 0, 1, &key));
    assert_memory_equal(before.bytes, key->record.key.bytes, sizeof(before.bytes));
    assert_int_equal(fixture->kms.unwraps, 3);
    assert_int_equal(asker.wakes, 0);
}

static void test_datakey_fetch__a_driver_that_does_not_block_is_asked_on_the_loop(void **state)
{
    struct fixture *fixture = *state;
    struct asker asker = new_asker();
    const struct lh_datakey *key;
    assert_ok(ask(fixture, &asker, 0, 1, &key));
    assert_int_equal(fixture->fake.offloaded, 0);
    assert_false(fixture->kms.ran_elsewhere);
    assert_ptr_equal(fixture->kms.last_crypto, fixture->crypto);
    fixture->kms.answer = LH_KEY_DOWN;
    assert_status(ask(fixture, &asker, 0, 2, &key), LH_KEY_DOWN);
}

/* --- End -------------------------------------------------------------------------------------- */

static void test_datakey_fetch__freeing_forgets_waiters_and_abandons_fetches(void **state)
{
    struct fixture *fixture = *state;
    struct asker askers[2] = {new_asker(), new_asker()};
    const struct lh_datakey *key;
    assert_status(ask(fixture, &askers[0], 0, 1, &key), LH_PENDING);
    assert_status(ask(fixture, &askers[1], 1, 1, &key), LH_PENDING);
    struct lh_task *ran = fake_host_run_one(&fixture->fake, LH_LANE_FETCH);
    lh_datakey_cache_free(fixture->cache); /* one fetch has run, one has not begun */
    fixture->cache = NULL;
    lh_keys_close(fixture->keys);
    assert_int_equal(fixture->kms.closed, 0); /* the lane may still need it */
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(askers[i].op.state, LH_OP_IDLE);
        assert_int_equal(askers[i].wakes, 0);
        lh_op_cancel(&askers[i].op);
    }
    ran->done(ran);
    (void)run_lane(fixture);
    assert_int_equal(fixture->kms.unwraps, 1); /* the second one did not begin any more */
    assert_int_equal(fixture->kms.closed, 1);
    fixture->keys = NULL;
}

#define FETCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FETCH_TEST(test_datakey_fetch__keys_are_derived_for_each_purpose_of_its_tenant),
        FETCH_TEST(test_keys_unwrap__a_blob_that_is_too_long_to_be_one_reaches_no_driver),
        FETCH_TEST(test_datakey_fetch__the_same_key_id_of_two_tenants_are_two_keys),
        FETCH_TEST(test_datakey_fetch__the_driver_is_asked_for_this_key_on_the_lane),
        FETCH_TEST(test_datakey_fetch__a_lane_that_is_full_is_key_down_and_forgotten),
        FETCH_TEST(test_datakey_fetch__all_who_wait_share_one_fetch),
        FETCH_TEST(test_datakey_fetch__keys_of_several_tenants_are_fetched_side_by_side),
        FETCH_TEST(test_datakey_fetch__who_goes_away_is_not_woken_and_the_fetch_goes_on),
        FETCH_TEST(test_datakey_fetch__all_go_away_and_the_key_is_warm_all_the_same),
        FETCH_TEST(test_datakey_fetch__the_woken_may_cancel_others_that_wait),
        FETCH_TEST(test_datakey_fetch__fetches_under_way_are_bounded),
        FETCH_TEST(test_datakey_fetch__where_tasks_finish_at_once_the_answer_comes_at_once),
        cmocka_unit_test_setup_teardown(
            test_datakey_fetch__a_driver_that_does_not_block_is_asked_on_the_loop, set_up_prompt,
            tear_down),
        FETCH_TEST(test_datakey_fetch__freeing_forgets_waiters_and_abandons_fetches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
