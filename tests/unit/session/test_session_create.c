/*
 * Making sessions: whose they are, how long they live, what is refused; and using them: touches,
 * judging by the registry's facts.
 */
#include "session_fixture.h"

#include "support/scratch_dir.h"

static lh_status create(struct fixture *fixture, const struct lh_session_spec *spec,
                        struct lh_session_header *out_header)
{
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_evicted evicted;
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    return lh_vault_create(fixture->acts, &op, fixture->acme, spec, &handle, out_header, &evicted);
}

static void test_create__header_and_row_say_whose_it_is_and_how_long_it_lives(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    const struct lh_session_header *header = &made.header;
    assert_true(lh_tenant_uid_is_equal(&header->uid, &fixture->acme->uid));
    assert_true(header->has_user);
    assert_true(header->has_state);
    assert_int_equal(header->generation, 1);
    assert_int_equal(header->dek_id, 1);
    assert_int_equal(header->created_ms, FAKE_HOST_NOW_MS);
    assert_int_equal(header->absolute_end_ms, FAKE_HOST_NOW_MS + (uint64_t)ABSOLUTE_S * 1000);
    assert_int_equal(header->idle_s, IDLE_S);
    assert_int_equal(header->platform_epoch, 10);
    assert_int_equal(header->tenant_epoch, 100);
    assert_int_equal(header->user_epoch, 5);
    assert_int_equal(header->grace_end_ms, 0);

    struct lh_user_tag tag;
    assert_ok(lh_user_tag_of(fixture->crypto, fixture->acme, spec.principal.subject, &tag));
    assert_memory_equal(header->user_tag.bytes, tag.bytes, sizeof(tag.bytes));
    assert_int_equal(header->bucket, lh_tenant_bucket(fixture->acme, LH_SLICE_OF(tag.bytes), 8));
    struct lh_digest hash;
    assert_ok(lh_sha256(fixture->crypto, LH_SLICE_OF(made.handle.secret), &hash));
    assert_memory_equal(header->secret_hash.bytes, hash.bytes, sizeof(hash.bytes));

    assert_int_equal(made.row.kind, LH_PLACE_RECORD);
    assert_int_equal(made.row.generation, 1);
    assert_int_equal(made.row.absolute_end_ms, header->absolute_end_ms);
    assert_int_equal(made.row.last_touch_ms, FAKE_HOST_NOW_MS);
    assert_true(made.row.has_user);
    assert_memory_equal(made.row.user_tag.bytes, tag.bytes, sizeof(tag.bytes));
}

static void test_create__nothing_of_the_principal_lies_open_in_the_record(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    static const char *const words[] = {"alice", "admin", "orders", "staff", "cart"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_null(memmem(made.record.ptr, made.record.len, words[i], strlen(words[i])));
    }
    assert_null(
        memmem(made.record.ptr, made.record.len, made.handle.secret, sizeof(made.handle.secret)));
}

static void test_create__two_sessions_share_neither_lease_nor_secret(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session a;
    LH_CLEANUP(made_session_fini) struct made_session b;
    make_session(fixture, fixture->acme, &spec, &a);
    make_session(fixture, fixture->acme, &spec, &b);
    assert_memory_not_equal(a.handle.lease.bytes, b.handle.lease.bytes, LH_LEASE_ID_BYTES);
    assert_memory_not_equal(a.handle.secret, b.handle.secret, LH_SESSION_SECRET_BYTES);
    assert_int_equal(a.handle.bucket, b.handle.bucket); /* one user's lie together */
}

static void test_create__anonymous_sessions_have_no_user_and_spread_by_lease(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = {.user_epoch = 9};
    uint32_t buckets_seen = 0;
    for (int i = 0; i < 64; i++) {
        LH_CLEANUP(made_session_fini) struct made_session made;
        make_session(fixture, fixture->acme, &spec, &made);
        static const struct lh_user_tag nobody;
        assert_false(made.header.has_user);
        assert_false(made.row.has_user);
        assert_int_equal(made.header.user_epoch, 0);
        assert_memory_equal(made.header.user_tag.bytes, nobody.bytes, sizeof(nobody.bytes));
        assert_ok(load_and_open(fixture, fixture->acme, &made.handle));
        buckets_seen |= 1U << made.handle.bucket;
    }
    assert_true((buckets_seen & (buckets_seen - 1)) != 0);
}

static void test_create__lives_are_capped_by_the_tier(void **state)
{
    static const struct {
        uint32_t asked_s;
        uint32_t tier_s;
        uint32_t given_s;
    } cases[] = {
        {0, 600, 600}, {599, 600, 599}, {600, 600, 600}, {601, 600, 600}, {UINT32_MAX, 600, 600}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lh_session_spec spec = spec_of_alice();
        spec.absolute_s = spec.idle_s = cases[i].asked_s;
        fixture->acme->tier.absolute_s = fixture->acme->tier.idle_s = cases[i].tier_s;
        struct lh_session_header header;
        assert_ok(create(fixture, &spec, &header));
        assert_int_equal(header.absolute_end_ms - header.created_ms,
                         (uint64_t)cases[i].given_s * 1000);
        assert_int_equal(header.idle_s, cases[i].given_s);
    }
    fixture->acme->tier.idle_s = 0; /* a tier without idle end still takes one that is asked for */
    struct lh_session_spec spec = spec_of_alice();
    spec.idle_s = 60;
    struct lh_session_header header;
    assert_ok(create(fixture, &spec, &header));
    assert_int_equal(header.idle_s, 60);
}

/* --- Refusals --------------------------------------------------------------------------------- */

static uint64_t records_in(struct fixture *fixture)
{
    struct lh_store_counts counts;
    assert_ok(lh_store_count(fixture->store, &counts));
    return counts.records;
}

static void test_create__texts_that_are_no_tokens_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec bad[4];
    for (size_t i = 0; i < 4; i++) {
        bad[i] = spec_of_alice();
    }
    bad[0].principal.subject = LH_SLICE_LITERAL("alice\nX-Admin: 1");
    bad[1].principal.roles.items[0] = LH_SLICE_LITERAL("a,b");
    bad[2].principal.scopes.items[0] = LH_SLICE_LITERAL("");
    bad[3].principal.groups.items[0] = LH_SLICE_LITERAL("st aff");
    struct lh_session_header header;
    for (size_t i = 0; i < 4; i++) {
        assert_status(create(fixture, &bad[i], &header), LH_MALFORMED);
    }
    assert_int_equal(records_in(fixture), 0);
}

static void test_create__a_state_over_the_tier_s_limit_is_refused_not_cut(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t text[STATE_MAX_BYTES + 1];
    memset(text, ' ', sizeof(text));
    struct lh_session_spec spec = spec_of_alice();
    struct lh_session_header header;
    spec.state = LH_SLICE_OF(text);
    assert_status(create(fixture, &spec, &header), LH_TOO_LARGE);
    assert_int_equal(records_in(fixture), 0);
    spec.state = lh_slice_of(text, STATE_MAX_BYTES);
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    assert_ok(load_and_open(fixture, fixture->acme, &made.handle));
}

static void test_create__the_largest_state_of_any_tier_fits_a_record(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t text[64 * 1024];
    fixture->acme->tier.record_max_bytes = sizeof(text);
    struct lh_session_spec spec = spec_of_alice();
    spec.state = LH_SLICE_OF(text);
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    assert_ok(load_and_open(fixture, fixture->acme, &made.handle));
}

static void test_create__without_a_key_nothing_is_made(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    struct lh_session_header header;
    fixture->acme->active_dek = 0;
    assert_status(create(fixture, &spec, &header), LH_KEY_DOWN);
    fixture->acme->active_dek = 2;
    fixture->kms.answer = LH_KEY_DOWN;
    assert_status(create(fixture, &spec, &header), LH_KEY_DOWN);
    assert_int_equal(records_in(fixture), 0);
}

static void test_create__a_key_that_is_not_warm_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    fixture->fake.mode = FAKE_HOST_QUEUES;
    struct lh_session_spec spec = spec_of_alice();
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_evicted evicted;
    struct lh_handle handle;
    struct lh_session_header header;
    assert_status(
        lh_vault_create(fixture->acts, &op, fixture->acme, &spec, &handle, &header, &evicted),
        LH_PENDING);
    assert_int_equal(records_in(fixture), 0);
    assert_int_equal(fake_host_run(&fixture->fake, LH_LANE_FETCH), 1);
    assert_ok(
        lh_vault_create(fixture->acts, &op, fixture->acme, &spec, &handle, &header, &evicted));
    assert_int_equal(records_in(fixture), 1);
    assert_ok(load_only(fixture, &handle));
}

static void test_create__a_loop_does_not_write_to_a_store_that_blocks(void **state)
{
    struct fixture *fixture = *state;
    struct scratch_dir dir;
    scratch_dir_init(&dir);
    struct lh_store_options options = {
        .path = dir.path, .may_create = true, .host = &fixture->fake.host};
    struct lh_store *blocking;
    assert_ok(lh_store_open("lmdb", &options, &blocking));
    struct lh_vault_parts parts = {.store = blocking,
                                   .queue = &fixture->queue,
                                   .crypto = fixture->crypto,
                                   .datakeys = fixture->datakeys,
                                   .clock = &fixture->fake.clock};
    struct lh_vault *vault;
    assert_ok(lh_vault_new(&parts, &vault));
    struct lh_session_spec spec = spec_of_alice();
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_store_evicted evicted;
    struct lh_handle handle;
    struct lh_session_header header;
    assert_status(lh_vault_create(vault, &op, fixture->acme, &spec, &handle, &header, &evicted),
                  LH_INVALID);
    lh_vault_free(vault);
    lh_vault_free(NULL);
    lh_store_close(blocking);
    scratch_dir_fini(&dir);
}

static size_t fail_random_at; /* the nth request from now; 0: none */

lh_status __real_lh_random(struct lh_crypto *crypto, void *out_bytes, size_t len);
lh_status __wrap_lh_random(struct lh_crypto *crypto, void *out_bytes, size_t len);

lh_status __wrap_lh_random(struct lh_crypto *crypto, void *out_bytes, size_t len)
{
    if (fail_random_at > 0 && --fail_random_at == 0) {
        memset(out_bytes, 0, len);
        return lh_status_of(LH_CRYPTO);
    }
    return __real_lh_random(crypto, out_bytes, len);
}

static void test_create__without_randomness_nothing_is_made(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    struct lh_session_header header;
    /* Lease, secret, and the nonces of principal and state. */
    for (size_t nth = 1; nth <= 4; nth++) {
        fail_random_at = nth;
        assert_status(create(fixture, &spec, &header), LH_CRYPTO);
        assert_int_equal(fail_random_at, 0);
        assert_int_equal(records_in(fixture), 0);
    }
    assert_ok(create(fixture, &spec, &header));
}

/* --- Touches ---------------------------------------------------------------------------------- */

static void test_touch__is_queued_when_the_last_one_is_old_enough(void **state)
{
    static const struct {
        uint32_t idle_s;
        uint64_t interval_ms;
    } cases[] = {{0, 60000}, {60, 6000}, {599, 59900}, {600, 60000}, {1800, 60000}};
    struct fixture *fixture = *state;
    struct lh_session_header header = {.uid = fixture->acme->uid, .bucket = 3};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        header.idle_s = cases[i].idle_s;
        memset(&fixture->queue, 0, sizeof(fixture->queue));
        uint64_t now_ms = lh_clock_now_ms(&fixture->fake.clock);
        uint64_t recent_ms = now_ms - cases[i].interval_ms + 1;
        assert_int_equal(lh_vault_touch(fixture->vault, &header, recent_ms), recent_ms);
        assert_int_equal(fixture->queue.touches, 0);
        assert_int_equal(lh_vault_touch(fixture->vault, &header, recent_ms - 1), now_ms);
        assert_int_equal(fixture->queue.touches, 1);
        assert_int_equal(fixture->queue.last_touch_ms, now_ms);
        assert_int_equal(fixture->queue.touched[0].bucket, 3);
    }
}

static void test_touch__that_is_dropped_is_not_remembered_as_made(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_header header = {.uid = fixture->acme->uid, .idle_s = IDLE_S};
    fixture->queue.is_full = true;
    assert_int_equal(lh_vault_touch(fixture->vault, &header, 1), 1);
    fixture->queue.is_full = false;
    assert_int_equal(lh_vault_touch(fixture->vault, &header, 1), FAKE_HOST_NOW_MS);
}

static void test_touch__of_the_future_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_header header = {.uid = fixture->acme->uid, .idle_s = IDLE_S};
    assert_int_equal(lh_vault_touch(fixture->vault, &header, UINT64_MAX), UINT64_MAX);
    assert_int_equal(fixture->queue.touches, 0);
}

static void test_touch__without_a_queue_is_made_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    LH_CLEANUP(made_session_fini) struct made_session made;
    make_session(fixture, fixture->acme, &spec, &made);
    fake_host_advance(&fixture->fake, 60000);
    assert_int_equal(lh_vault_touch(fixture->acts, &made.header, made.row.last_touch_ms),
                     FAKE_HOST_NOW_MS + 60000);
    struct lh_op op = lh_op_idle(0, NULL);
    LH_CLEANUP(lh_buf_fini) struct lh_buf scratch = LH_BUF_EMPTY;
    struct lh_store_row row;
    assert_ok(lh_store_load(fixture->store, &op, &made.key, &scratch, &row));
    assert_int_equal(row.last_touch_ms, FAKE_HOST_NOW_MS + 60000);
}

/* --- Judging ---------------------------------------------------------------------------------- */

static void test_judge__every_fact_of_the_registry_counts(void **state)
{
    (void)state;
    const struct lh_session_header header = {.has_user = true,
                                             .generation = 3,
                                             .platform_epoch = 10,
                                             .tenant_epoch = 20,
                                             .user_epoch = 30};
    const struct {
        struct lh_session_facts facts;
        enum lh_code expected;
    } cases[] = {
        {{.least_generation = 0}, LH_OK},      {{false, 3, 10, 20, 30}, LH_OK},
        {{true, 0, 0, 0, 0}, LH_REVOKED},      {{false, 0, 11, 20, 30}, LH_REVOKED},
        {{false, 0, 10, 21, 30}, LH_REVOKED},  {{false, 0, 10, 20, 31}, LH_REVOKED},
        {{false, 4, 10, 20, 30}, LH_TAMPERED}, /* an old record was put back */
        {{true, 4, 11, 21, 31}, LH_REVOKED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_status(lh_session_judge(&header, &cases[i].facts), cases[i].expected);
    }
    struct lh_session_header anonymous = header;
    anonymous.has_user = false;
    anonymous.user_epoch = 0;
    const struct lh_session_facts facts = {false, 0, 10, 20, 31};
    assert_ok(lh_session_judge(&anonymous, &facts));
}

static void test_quota__is_the_tier_s_spread_over_the_buckets(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        uint64_t sessions_max;
        uint32_t buckets;
        uint64_t bucket_max;
        uint64_t anonymous_max;
    } cases[] = {{0, 1, 0, 0},       {0, 8, 0, 0},
                 {1, 1, 1, 1},       {10, 1, 10, 1},
                 {11, 1, 11, 2},     {100, 4, 32, 4},
                 {101, 4, 33, 4},    {1, 2048, 2, 1},
                 {1000, 2, 625, 63}, {UINT64_MAX, 1, UINT64_MAX, UINT64_MAX / 10 + 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lh_store_quota quota;
        fixture->acme->tier.sessions_max = cases[i].sessions_max;
        fixture->acme->tier.sessions_per_user_max = 7;
        fixture->acme->bucket_counts[0] = cases[i].buckets;
        fixture->acme->bucket_counts_len = 1;
        lh_session_quota(fixture->acme, &quota);
        assert_int_equal(quota.bucket_max, cases[i].bucket_max);
        assert_int_equal(quota.anonymous_max, cases[i].anonymous_max);
        assert_int_equal(quota.user_max, 7);
    }
}

static void test_create__over_the_tier_s_sessions_tells_who_had_to_go(void **state)
{
    struct fixture *fixture = *state;
    struct lh_session_spec spec = spec_of_alice();
    struct made_session first;
    fixture->acme->tier.sessions_per_user_max = 2;
    make_session(fixture, fixture->acme, &spec, &first);
    fake_host_advance(&fixture->fake, 1000);
    for (unsigned i = 0; i < 2; i++) {
        struct lh_op op = lh_op_idle(0, NULL);
        struct lh_store_evicted evicted;
        struct lh_handle handle;
        struct lh_session_header header;
        assert_ok(
            lh_vault_create(fixture->acts, &op, fixture->acme, &spec, &handle, &header, &evicted));
        assert_int_equal(evicted.count, i);
        assert_true(i == 0 || lh_session_key_is_equal(&evicted.keys[0], &first.key));
    }
    assert_status(load_only(fixture, &first.handle), LH_REVOKED);
    made_session_fini(&first);
}

#define CREATE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREATE_TEST(test_create__header_and_row_say_whose_it_is_and_how_long_it_lives),
        CREATE_TEST(test_create__nothing_of_the_principal_lies_open_in_the_record),
        CREATE_TEST(test_create__two_sessions_share_neither_lease_nor_secret),
        CREATE_TEST(test_create__anonymous_sessions_have_no_user_and_spread_by_lease),
        CREATE_TEST(test_create__lives_are_capped_by_the_tier),
        CREATE_TEST(test_quota__is_the_tier_s_spread_over_the_buckets),
        CREATE_TEST(test_create__over_the_tier_s_sessions_tells_who_had_to_go),
        CREATE_TEST(test_create__texts_that_are_no_tokens_are_refused),
        CREATE_TEST(test_create__a_state_over_the_tier_s_limit_is_refused_not_cut),
        CREATE_TEST(test_create__the_largest_state_of_any_tier_fits_a_record),
        CREATE_TEST(test_create__without_a_key_nothing_is_made),
        CREATE_TEST(test_create__without_randomness_nothing_is_made),
        CREATE_TEST(test_create__a_key_that_is_not_warm_is_waited_for),
        CREATE_TEST(test_create__a_loop_does_not_write_to_a_store_that_blocks),
        CREATE_TEST(test_touch__is_queued_when_the_last_one_is_old_enough),
        CREATE_TEST(test_touch__that_is_dropped_is_not_remembered_as_made),
        CREATE_TEST(test_touch__of_the_future_is_left_alone),
        CREATE_TEST(test_touch__without_a_queue_is_made_at_once),
        cmocka_unit_test(test_judge__every_fact_of_the_registry_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
