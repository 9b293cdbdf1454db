/*
 * The contract of a session store: how many sessions there may be, who goes for a new one, and
 * that one session takes the place of another in one step.
 */
#include "contract/store_fixture.h"

#define NOBODY 99U /* row_as: anonymous */

static struct lh_store_row row_as(unsigned user, uint64_t touch_ms)
{
    struct lh_store_row row = row_of(user % 16, "sealed");
    row.has_user = user != NOBODY;
    row.last_touch_ms = touch_ms;
    return row;
}

static lh_status admit(struct lh_store *store, struct lh_session_key key, struct lh_store_row row,
                       struct lh_store_quota quota, struct lh_store_evicted *out_evicted)
{
    const struct lh_store_creation creation = {.key = &key, .row = &row, .quota = &quota};
    return lh_store_admit(store, NULL, &creation, out_evicted);
}

/* Creates session n at NOW_MS + n s; the expected one must go (0: nobody). */
static void admit_evicting(struct lh_store *store, unsigned n, unsigned user,
                           struct lh_store_quota quota, unsigned expected)
{
    struct lh_store_evicted evicted;
    assert_ok(admit(store, key_of(1, 0, n), row_as(user, NOW_MS + n * 1000), quota, &evicted));
    assert_int_equal(evicted.count, expected == 0 ? 0 : 1);
    if (expected != 0) {
        struct lh_session_key key = key_of(1, 0, expected);
        assert_true(lh_session_key_is_equal(&evicted.keys[0], &key));
        assert_int_equal(kind_in(store, &key), LH_PLACE_TOMBSTONE);
    }
}

static bool count_one(void *context, const struct lh_session_key *key,
                      const struct lh_store_row *row)
{
    (void)key;
    (void)row;
    ++*(unsigned *)context;
    return true;
}

static unsigned count_bucket(struct lh_store *store, unsigned tenant, uint32_t bucket)
{
    struct lh_session_key first = key_of(tenant, bucket, 0);
    struct lh_store_page page = LH_STORE_PAGE_FIRST;
    unsigned count = 0;
    while (!page.is_last) {
        assert_ok(lh_store_list(store, &first.uid, bucket, NULL, &page, count_one, &count));
    }
    return count;
}

/* --- A user's own ----------------------------------------------------------------------------- */

static const struct lh_store_quota three_each = {.user_max = 3};

static void test_store_quota__of_a_user_ends_his_least_recently_used(void **state)
{
    struct lh_store *store = store_of(state);
    admit_evicting(store, 50, 2, three_each, 0); /* somebody else's, the same bucket */
    for (unsigned n = 1; n <= 3; n++) {
        admit_evicting(store, n, 1, three_each, 0);
    }
    touch_row(store, key_of(1, 0, 1), NOW_MS + 100000);
    admit_evicting(store, 101, 1, three_each, 2);
    admit_evicting(store, 102, 1, three_each, 3);
    admit_evicting(store, 103, 1, three_each, 1);
    admit_evicting(store, 104, 1, three_each, 101);
    assert_int_equal(count_bucket(store, 1, 0), 4);
}

static void test_store_quota__of_a_user_is_not_that_of_anonymous_ones(void **state)
{
    for (unsigned n = 1; n <= 5; n++) {
        admit_evicting(store_of(state), n, NOBODY, three_each, 0);
    }
}

static void test_store_quota__of_a_user_is_his_in_each_tenant(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_store_evicted evicted;
    for (unsigned n = 1; n <= 3; n++) {
        admit_evicting(store, n, 1, three_each, 0);
        assert_ok(admit(store, key_of(2, 0, n), row_as(1, NOW_MS + n), three_each, &evicted));
        assert_int_equal(evicted.count, 0);
    }
    admit_evicting(store, 4, 1, three_each, 1);
    assert_int_equal(count_bucket(store, 2, 0), 3);
}

static void test_store_quota__one_that_was_lowered_is_reached_in_steps(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_store_evicted evicted;
    for (unsigned n = 1; n <= 40; n++) {
        admit_evicting(store, n, 1, (struct lh_store_quota){.user_max = 0}, 0);
    }
    unsigned expected[] = {40 - LH_STORE_EVICTIONS_MAX + 1, 40 - 2 * LH_STORE_EVICTIONS_MAX + 2, 3,
                           3};
    for (unsigned i = 0; i < 4; i++) {
        struct lh_store_row row = row_as(1, NOW_MS + 100000 + i);
        assert_ok(admit(store, key_of(1, 0, 100 + i), row, three_each, &evicted));
        assert_int_equal(count_bucket(store, 1, 0), expected[i]);
    }
}

/* --- The bucket's ----------------------------------------------------------------------------- */

static const struct lh_store_quota ten = {.bucket_max = 10, .anonymous_max = 2};

static void test_store_quota__of_a_bucket_ends_the_least_recently_used(void **state)
{
    struct lh_store *store = store_of(state);
    for (unsigned n = 1; n <= 10; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    for (unsigned n = 1; n <= 8; n++) {
        touch_row(store, key_of(1, 0, n), NOW_MS + 20000 + n);
    }
    admit_evicting(store, 31, 1, ten, 9);
    admit_evicting(store, 32, 2, ten, 10);
    admit_evicting(store, 33, 3, ten, 1);
    assert_int_equal(count_bucket(store, 1, 0), 10);
}

static void test_store_quota__of_a_bucket_is_neither_another_bucket_s_nor_tenant_s(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_store_evicted evicted;
    for (unsigned n = 1; n <= 12; n++) {
        uint64_t touch_ms = NOW_MS + n;
        assert_ok(admit(store, key_of(2, 0, n), row_as(1, touch_ms), ten, &evicted));
        assert_int_equal(evicted.count, n > 10 ? 1 : 0);
        assert_ok(admit(store, key_of(1, 1, n), row_as(1, touch_ms), ten, &evicted));
    }
    for (unsigned n = 1; n <= 10; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    assert_int_equal(count_bucket(store, 2, 0), 10);
    assert_int_equal(count_bucket(store, 1, 1), 10);
}

static void test_store_quota__an_anonymous_one_ends_only_its_like(void **state)
{
    struct lh_store *store = store_of(state);
    for (unsigned n = 1; n <= 5; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    admit_evicting(store, 11, NOBODY, ten, 0);
    admit_evicting(store, 12, NOBODY, ten, 0);
    admit_evicting(store, 13, NOBODY, ten, 11);
    admit_evicting(store, 14, NOBODY, ten, 12);
    assert_int_equal(count_bucket(store, 1, 0), 7);
}

static void test_store_quota__an_anonymous_one_is_refused_where_all_are_signed_in(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_store_evicted evicted;
    for (unsigned n = 1; n <= 10; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    struct lh_session_key key = key_of(1, 0, 11);
    assert_status(admit(store, key, row_as(NOBODY, NOW_MS + 11000), ten, &evicted), LH_LIMITED);
    assert_int_equal(evicted.count, 0);
    assert_int_equal(kind_in(store, &key), LH_PLACE_EMPTY);
    assert_int_equal(count_bucket(store, 1, 0), 10);
}

static void test_store_quota__a_signed_in_one_ends_the_older_of_both_kinds(void **state)
{
    struct lh_store *store = store_of(state);
    admit_evicting(store, 1, NOBODY, ten, 0);
    for (unsigned n = 2; n <= 9; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    admit_evicting(store, 10, NOBODY, ten, 0);
    admit_evicting(store, 11, 1, ten, 1);
    admit_evicting(store, 12, 1, ten, 2);
    touch_row(store, key_of(1, 0, 3), NOW_MS + 12500);
    for (unsigned n = 13; n <= 18; n++) {
        admit_evicting(store, n, 1, ten, n - 9);
    }
    admit_evicting(store, 19, 1, ten, 10);
}

static void test_store_quota__whose_time_is_over_goes_first_and_unmentioned(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_store_evicted evicted;
    struct lh_store_row row = row_as(1, NOW_MS + 500);
    row.idle_s = 1;
    assert_ok(admit(store, key_of(1, 0, 90), row, ten, &evicted));
    for (unsigned n = 1; n <= 9; n++) {
        struct lh_store_row old = row_as(1, NOW_MS);
        assert_ok(admit(store, key_of(1, 0, n), old, ten, &evicted));
    }
    struct lh_session_key over = key_of(1, 0, 90);
    assert_ok(admit(store, key_of(1, 0, 100), row_as(1, NOW_MS + 1499), three_each, &evicted));
    assert_int_equal(evicted.count, 8);
    assert_int_equal(kind_in(store, &over), LH_PLACE_RECORD); /* it lived still, and was younger */
    assert_ok(admit(store, key_of(1, 0, 101), row_as(1, NOW_MS + 1500), three_each, &evicted));
    assert_int_equal(evicted.count, 0);
    assert_int_equal(kind_in(store, &over), LH_PLACE_TOMBSTONE);
}

/* Whatever ends a session makes room for another. */
static void test_store_quota__what_has_ended_does_not_count(void **state)
{
    struct lh_store *store = store_of(state);
    for (unsigned n = 1; n <= 10; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    struct lh_session_key revoked = key_of(1, 0, 3);
    struct lh_session_key expired = key_of(1, 0, 4);
    struct lh_session_key aside = key_of(1, 0, 5);
    assert_ok(lh_store_revoke(store, NULL, &revoked, NOW_MS));
    assert_ok(lh_store_revoke(store, NULL, &revoked, NOW_MS));
    assert_ok(lh_store_expire(store, NULL, &expired, NOW_MS + 9 * HOUR_MS));
    assert_ok(lh_store_quarantine(store, NULL, &aside));
    assert_ok(lh_store_quarantine(store, NULL, &aside));
    for (unsigned n = 21; n <= 23; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    admit_evicting(store, 24, 1, ten, 1);
    admit_evicting(store, 25, 1, ten, 2);
    admit_evicting(store, 26, 1, ten, 6); /* what is set aside stays */
    assert_int_equal(kind_in(store, &aside), LH_PLACE_RECORD);
    (void)sweep_all(store, NOW_MS + 9 * HOUR_MS);
    for (unsigned n = 31; n <= 40; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    admit_evicting(store, 41, 1, ten, 31);
}

static void test_store_quota__counts_what_was_made_without_one(void **state)
{
    struct lh_store *store = store_of(state);
    for (unsigned n = 1; n <= 10; n++) {
        create_row(store, key_of(1, 0, n), row_as(n == 7 ? NOBODY : n, NOW_MS + n * 1000));
    }
    admit_evicting(store, 11, 1, ten, 1);
    assert_int_equal(count_bucket(store, 1, 0), 10);
}

static void test_store_quota__a_swap_keeps_the_count_also_of_another_user(void **state)
{
    struct lh_store *store = store_of(state);
    for (unsigned n = 1; n <= 9; n++) {
        admit_evicting(store, n, n, ten, 0);
    }
    assert_ok(swap_row(store, key_of(1, 0, 9), 1, row_as(NOBODY, NOW_MS + 9000)));
    admit_evicting(store, 10, NOBODY, ten, 0);
    admit_evicting(store, 11, NOBODY, ten, 9);
    assert_ok(swap_row(store, key_of(1, 0, 10), 1, row_as(3, NOW_MS + 10000)));
    assert_int_equal(count_bucket(store, 1, 0), 10);
    admit_evicting(store, 12, 5, ten, 1);
}

/* 2,000 logins here, 100,000 in the long run: bounded, and the neighbour loses nobody. */
static void test_store_quota__many_logins_end_only_the_tenant_s_own(void **state)
{
    struct lh_store *store = store_of(state);
    bool is_long = is_long_run() && strcmp(contract_driver(), "lmdb") == 0;
    unsigned logins = is_long ? 100000 : 2000;
    const struct lh_store_quota quota = {.bucket_max = 100, .anonymous_max = 10, .user_max = 20};
    struct lh_store_evicted evicted;
    for (unsigned n = 0; n < 50; n++) {
        struct lh_store_row row = row_as(n, NOW_MS);
        assert_ok(admit(store, key_of(2, 0, n), row, quota, &evicted));
    }
    for (unsigned n = 0; n < logins; n++) {
        struct lh_store_row row = row_as(n % 10 == 9 ? NOBODY : n % 7, NOW_MS + n);
        lh_status status = admit(store, key_of(1, 0, n), row, quota, &evicted);
        assert_true(lh_is_ok(status));
        assert_true(evicted.count <= 1);
        if (n % 500 == 499) {
            unsigned count = count_bucket(store, 1, 0);
            assert_true(count <= 100 && (n < 100 || count == 100));
        }
    }
    assert_int_equal(count_bucket(store, 2, 0), 50);
}

/* --- One for another -------------------------------------------------------------------------- */

static lh_status replace(struct lh_store *store, struct lh_session_key old, uint64_t generation,
                         struct lh_session_key key, struct lh_store_row row)
{
    struct lh_store_evicted evicted;
    const struct lh_store_creation creation = {.key = &key,
                                               .row = &row,
                                               .quota = &three_each,
                                               .replaces = &old,
                                               .replaces_generation = generation};
    lh_status status = lh_store_admit(store, NULL, &creation, &evicted);
    assert_int_equal(evicted.count, 0);
    return status;
}

static void test_store_replace__ends_the_old_one_and_begins_the_new(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_session_key old = key_of(1, 0, 1);
    struct lh_session_key key = key_of(1, 0, 10);
    for (unsigned n = 1; n <= 3; n++) {
        create_row(store, key_of(1, 0, n), row_as(1, NOW_MS));
    }
    assert_ok(replace(store, old, 1, key, row_as(1, NOW_MS + 1))); /* at the quota, evicts nobody */
    assert_int_equal(kind_in(store, &old), LH_PLACE_TOMBSTONE);
    assert_int_equal(kind_in(store, &key), LH_PLACE_RECORD);
    assert_true(load_row(store, &old).absolute_end_ms >= row_as(1, 0).absolute_end_ms);
    assert_int_equal(count_bucket(store, 1, 0), 3);
    assert_status(replace(store, old, 1, key_of(1, 0, 11), row_as(1, NOW_MS)), LH_REVOKED);
}

static void test_store_replace__leaves_both_as_they_were_if_it_cannot(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_session_key old = key_of(1, 0, 1);
    struct lh_session_key taken = key_of(1, 0, 2);
    struct lh_session_key fresh = key_of(1, 0, 3);
    create_row(store, old, row_as(1, NOW_MS));
    create_row(store, taken, row_as(1, NOW_MS));
    assert_status(replace(store, old, 2, fresh, row_as(1, NOW_MS)), LH_CONFLICT);
    assert_status(replace(store, old, 1, taken, row_as(1, NOW_MS)), LH_EXISTS);
    assert_status(replace(store, key_of(1, 0, 9), 1, fresh, row_as(1, NOW_MS)), LH_ABSENT);
    assert_status(replace(store, old, 1, old, row_as(1, NOW_MS)), LH_INVALID);
    assert_status(replace(store, old, 1, key_of(2, 0, 3), row_as(1, NOW_MS)), LH_INVALID);
    assert_int_equal(kind_in(store, &old), LH_PLACE_RECORD);
    assert_int_equal(kind_in(store, &fresh), LH_PLACE_EMPTY);
    assert_ok(lh_store_quarantine(store, NULL, &old));
    assert_status(replace(store, old, 1, fresh, row_as(1, NOW_MS)), LH_QUARANTINED);
    lh_store_set_partial(store, true);
    assert_status(replace(store, key_of(1, 0, 9), 1, fresh, row_as(1, NOW_MS)), LH_STORE_DOWN);
}

static void test_store_replace__makes_no_room_for_an_anonymous_one_in_vain(void **state)
{
    struct lh_store *store = store_of(state);
    struct lh_session_key old = key_of(1, 0, 20);
    struct lh_session_key key = key_of(1, 0, 21);
    struct lh_store_row row = row_as(NOBODY, NOW_MS + 30000);
    struct lh_store_evicted evicted;
    for (unsigned n = 1; n <= 12; n++) {
        create_row(store, key_of(1, 0, n), row_as(n, NOW_MS));
    }
    create_row(store, old, row_as(NOBODY, NOW_MS));
    const struct lh_store_creation creation = {
        .key = &key, .row = &row, .quota = &ten, .replaces = &old, .replaces_generation = 1};
    assert_status(lh_store_admit(store, NULL, &creation, &evicted), LH_LIMITED);
    assert_int_equal(kind_in(store, &old), LH_PLACE_RECORD);
    assert_int_equal(count_bucket(store, 1, 0), 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTRACT_CASE(test_store_quota__of_a_user_ends_his_least_recently_used),
        CONTRACT_CASE(test_store_quota__of_a_user_is_not_that_of_anonymous_ones),
        CONTRACT_CASE(test_store_quota__of_a_user_is_his_in_each_tenant),
        CONTRACT_CASE(test_store_quota__one_that_was_lowered_is_reached_in_steps),
        CONTRACT_CASE(test_store_quota__of_a_bucket_ends_the_least_recently_used),
        CONTRACT_CASE(test_store_quota__of_a_bucket_is_neither_another_bucket_s_nor_tenant_s),
        CONTRACT_CASE(test_store_quota__an_anonymous_one_ends_only_its_like),
        CONTRACT_CASE(test_store_quota__an_anonymous_one_is_refused_where_all_are_signed_in),
        CONTRACT_CASE(test_store_quota__a_signed_in_one_ends_the_older_of_both_kinds),
        CONTRACT_CASE(test_store_quota__whose_time_is_over_goes_first_and_unmentioned),
        CONTRACT_CASE(test_store_quota__what_has_ended_does_not_count),
        CONTRACT_CASE(test_store_quota__counts_what_was_made_without_one),
        CONTRACT_CASE(test_store_quota__a_swap_keeps_the_count_also_of_another_user),
        CONTRACT_CASE(test_store_quota__many_logins_end_only_the_tenant_s_own),
        CONTRACT_CASE(test_store_replace__ends_the_old_one_and_begins_the_new),
        CONTRACT_CASE(test_store_replace__leaves_both_as_they_were_if_it_cannot),
        CONTRACT_CASE(test_store_replace__makes_no_room_for_an_anonymous_one_in_vain),
    };
    return contract_run(tests, sizeof(tests) / sizeof(tests[0]));
}
