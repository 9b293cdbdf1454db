/*
 * The small rows of the registry and its keys.
 */
#include "support/test.h"

#include "registry/row_codec.h"

static const struct lh_tenant_uid uid = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

/* Fails if any cut of the row, or the row with a byte more, is read. read: through a callback. */
static void assert_exact(lh_slice row, lh_status (*read)(lh_slice row))
{
    uint8_t longer[256] = {0};
    assert_in_range(row.len, 1, sizeof(longer) - 1);
    memcpy(longer, row.ptr, row.len);
    assert_ok(read(row));
    for (size_t len = 0; len < row.len; len++) {
        assert_status(read(lh_slice_cut(row, 0, len)), LH_MALFORMED);
    }
    assert_status(read(lh_slice_of(longer, row.len + 1)), LH_MALFORMED);
    longer[0] = 0;
    assert_status(read(lh_slice_of(longer, row.len)), LH_MALFORMED);
    longer[0] = (uint8_t)(row.ptr[0] + 1);
    assert_status(read(lh_slice_of(longer, row.len)), LH_FUTURE_FORMAT);
}

static lh_status read_name(lh_slice row)
{
    struct lh_name_row name;
    return lh_name_row_read(row, &name);
}

static void test_name_row__survives_and_takes_nothing_else(void **state)
{
    (void)state;
    const struct lh_name_row name = {
        .uid = uid, .is_reserved = true, .reserved_until_ms = 0x0102030405060708U};
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    struct lh_name_row back;
    assert_ok(lh_name_row_write(&name, &row));
    assert_ok(lh_name_row_read(lh_buf_view(&row), &back));
    assert_true(back.is_reserved);
    assert_true(lh_tenant_uid_is_equal(&back.uid, &uid));
    assert_int_equal(back.reserved_until_ms, name.reserved_until_ms);
    assert_exact(lh_buf_view(&row), read_name);
    row.ptr[1] = 2;
    assert_status(read_name(lh_buf_view(&row)), LH_MALFORMED);
}

static void test_name_key__keeps_kinds_apart_and_lengths_in_bounds(void **state)
{
    (void)state;
    struct lh_name_key tenant, domain;
    char longest[LH_NAME_MAX_BYTES + 1];
    memset(longest, 'a', sizeof(longest));
    assert_ok(lh_name_key_init(LH_NAME_TENANT, LH_SLICE_LITERAL("acme"), &tenant));
    assert_ok(lh_name_key_init(LH_NAME_DOMAIN, LH_SLICE_LITERAL("acme"), &domain));
    assert_false(lh_slice_is_equal(lh_name_key_view(&tenant), lh_name_key_view(&domain)));
    assert_ok(lh_name_key_init(LH_NAME_DOMAIN, lh_slice_of(longest, sizeof(longest) - 1), &domain));
    assert_int_equal(domain.len, sizeof(longest));
    assert_status(lh_name_key_init(LH_NAME_DOMAIN, LH_SLICE_OF(longest), &domain), LH_INVALID);
    assert_status(lh_name_key_init(LH_NAME_DOMAIN, LH_SLICE_EMPTY, &domain), LH_INVALID);
}

static void test_dek_row__survives_with_and_without_a_blob(void **state)
{
    (void)state;
    const struct lh_wrapped_dek dek = {.state = LH_DEK_DECRYPT_ONLY,
                                       .created_ms = UINT64_MAX,
                                       .retire_ms = 7,
                                       .blob = LH_SLICE_LITERAL("blob")};
    struct lh_wrapped_dek back = {.id = 5};
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_dek_row_write(&dek, &row));
    assert_ok(lh_dek_row_read(lh_buf_view(&row), &back));
    assert_int_equal(back.id, 5);
    assert_int_equal(back.state, LH_DEK_DECRYPT_ONLY);
    assert_true(back.created_ms == UINT64_MAX);
    assert_int_equal(back.retire_ms, 7);
    assert_slice_text(back.blob, "blob");
    for (size_t len = 0; len < row.len - 4; len++) {
        assert_status(lh_dek_row_read(lh_slice_of(row.ptr, len), &back), LH_MALFORMED);
    }
    assert_ok(lh_dek_row_read(lh_slice_of(row.ptr, row.len - 4), &back));
    assert_int_equal(back.blob.len, 0);
    row.ptr[1] = LH_DEK_DESTROYED + 1;
    assert_status(lh_dek_row_read(lh_buf_view(&row), &back), LH_MALFORMED);
    row.ptr[1] = LH_DEK_ACTIVE;
    row.ptr[0] = 2;
    assert_status(lh_dek_row_read(lh_buf_view(&row), &back), LH_FUTURE_FORMAT);
}

static void test_dek_key__sorts_by_id_and_knows_its_tenant(void **state)
{
    (void)state;
    struct lh_tenant_uid other = uid;
    other.bytes[15]++;
    uint8_t low[LH_DEK_KEY_BYTES], high[LH_DEK_KEY_BYTES];
    lh_dek_key_write(&uid, 255, low);
    lh_dek_key_write(&uid, 256, high);
    assert_true(memcmp(low, high, sizeof(low)) < 0);
    uint32_t id = 0;
    assert_ok(lh_dek_key_read(LH_SLICE_OF(high), &uid, &id));
    assert_int_equal(id, 256);
    assert_status(lh_dek_key_read(LH_SLICE_OF(high), &other, &id), LH_ABSENT);
    assert_status(lh_dek_key_read(lh_slice_of(high, sizeof(high) - 1), &uid, &id), LH_MALFORMED);
    assert_status(lh_dek_key_read(lh_slice_of(high, 3), &uid, &id), LH_MALFORMED);
}

static lh_status read_revocation(lh_slice row)
{
    struct lh_revocation_row revocation;
    return lh_revocation_row_read(row, &revocation);
}

static void test_revocation_row__survives_and_takes_nothing_else(void **state)
{
    (void)state;
    const struct lh_revocation_row revocation = {{true, 41}, 42};
    struct lh_revocation_row back;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_revocation_row_write(&revocation, &row));
    assert_ok(lh_revocation_row_read(lh_buf_view(&row), &back));
    assert_true(back.revocation.is_revoked);
    assert_int_equal(back.revocation.least_generation, 41);
    assert_int_equal(back.keep_until_ms, 42);
    assert_exact(lh_buf_view(&row), read_revocation);
    row.ptr[1] = 0xff; /* neither yes nor no: never taken as "not revoked" */
    assert_status(read_revocation(lh_buf_view(&row)), LH_MALFORMED);
}

static lh_status read_user_epoch(lh_slice row)
{
    struct lh_user_epoch_row epoch;
    return lh_user_epoch_row_read(row, &epoch);
}

static void test_user_epoch_row__survives_and_takes_nothing_else(void **state)
{
    (void)state;
    const struct lh_user_epoch_row epoch = {43, 44};
    struct lh_user_epoch_row back;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_user_epoch_row_write(&epoch, &row));
    assert_ok(lh_user_epoch_row_read(lh_buf_view(&row), &back));
    assert_int_equal(back.epoch, 43);
    assert_int_equal(back.keep_until_ms, 44);
    assert_exact(lh_buf_view(&row), read_user_epoch);
}

static lh_status read_tier(lh_slice row)
{
    struct lh_tier tier;
    return lh_tier_row_read(LH_SLICE_LITERAL("free"), row, &tier);
}

static void test_tier_row__survives_and_is_checked(void **state)
{
    (void)state;
    size_t count;
    const struct lh_tier *free_tier = lh_tier_defaults(&count);
    struct lh_tier back;
    char long_name[LH_TIER_NAME_MAX_BYTES + 1];
    memset(long_name, 'a', sizeof(long_name));
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_tier_row_write(free_tier, &row));
    assert_ok(lh_tier_row_read(LH_SLICE_LITERAL("free"), lh_buf_view(&row), &back));
    assert_memory_equal(&back, free_tier, sizeof(back));
    assert_exact(lh_buf_view(&row), read_tier);
    assert_status(lh_tier_row_read(LH_SLICE_OF(long_name), lh_buf_view(&row), &back), LH_MALFORMED);
    assert_status(lh_tier_row_read(LH_SLICE_EMPTY, lh_buf_view(&row), &back), LH_MALFORMED);
    memset(row.ptr + 1, 0, 4); /* no idle time */
    assert_status(read_tier(lh_buf_view(&row)), LH_MALFORMED);
}

static void test_tier_row__of_before_rates_has_no_limit(void **state)
{
    (void)state;
    size_t count;
    struct lh_tier back;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_tier_row_write(lh_tier_defaults(&count), &row));
    row.ptr[0] = 1;
    assert_status(read_tier(lh_buf_view(&row)), LH_MALFORMED); /* has a rate all the same */
    lh_slice old = lh_slice_cut(lh_buf_view(&row), 0, row.len - 2 * sizeof(uint32_t));
    assert_ok(lh_tier_row_read(LH_SLICE_LITERAL("free"), old, &back));
    assert_int_equal(back.record_max_bytes, 4096);
    assert_int_equal(back.requests_per_s, 0);
    assert_int_equal(back.requests_burst, 0);
    row.ptr[0] = 3;
    assert_status(read_tier(lh_buf_view(&row)), LH_FUTURE_FORMAT);
    row.ptr[0] = 0;
    assert_status(read_tier(lh_buf_view(&row)), LH_MALFORMED);
}

static void test_tier_row__with_an_impossible_rate_is_malformed(void **state)
{
    (void)state;
    size_t count;
    LH_CLEANUP(lh_buf_fini) struct lh_buf row = LH_BUF_EMPTY;
    assert_ok(lh_tier_row_write(lh_tier_defaults(&count), &row));
    memset(row.ptr + row.len - 4, 0, 4); /* a rate, and nothing at once */
    assert_status(read_tier(lh_buf_view(&row)), LH_MALFORMED);
    memset(row.ptr + row.len - 8, 0, 4); /* no rate */
    assert_ok(read_tier(lh_buf_view(&row)));
}

static void test_end_key__sorts_by_time_and_survives(void **state)
{
    (void)state;
    struct lh_end_key early = {.end_ms = 0xffffffffU, .table = 4};
    struct lh_end_key late = {.end_ms = 0x100000000U, .table = 0};
    const uint8_t subject[16] = {9};
    uint8_t early_bytes[LH_END_KEY_BYTES], late_bytes[LH_END_KEY_BYTES];
    lh_subject_key_write(&uid, subject, early.subject_key);
    lh_subject_key_write(&uid, subject, late.subject_key);
    lh_end_key_write(&early, early_bytes);
    lh_end_key_write(&late, late_bytes);
    assert_true(memcmp(early_bytes, late_bytes, sizeof(late_bytes)) < 0);
    struct lh_end_key back;
    assert_ok(lh_end_key_read(LH_SLICE_OF(early_bytes), &back));
    assert_int_equal(back.end_ms, early.end_ms);
    assert_int_equal(back.table, 4);
    assert_memory_equal(back.subject_key, early.subject_key, sizeof(back.subject_key));
    assert_int_equal(back.subject_key[0], 1);
    assert_int_equal(back.subject_key[16], 9);
    assert_status(lh_end_key_read(lh_slice_of(late_bytes, sizeof(late_bytes) - 1), &back),
                  LH_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_row__survives_and_takes_nothing_else),
        cmocka_unit_test(test_name_key__keeps_kinds_apart_and_lengths_in_bounds),
        cmocka_unit_test(test_dek_row__survives_with_and_without_a_blob),
        cmocka_unit_test(test_dek_key__sorts_by_id_and_knows_its_tenant),
        cmocka_unit_test(test_revocation_row__survives_and_takes_nothing_else),
        cmocka_unit_test(test_user_epoch_row__survives_and_takes_nothing_else),
        cmocka_unit_test(test_tier_row__survives_and_is_checked),
        cmocka_unit_test(test_tier_row__of_before_rates_has_no_limit),
        cmocka_unit_test(test_tier_row__with_an_impossible_rate_is_malformed),
        cmocka_unit_test(test_end_key__sorts_by_time_and_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
