/*
 * Wrapped keys: bound to wrapping key, purpose, tenant and key id, each of them alone.
 */
#include "support/test.h"

#include "keys/wrap.h"

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static const struct lh_key kek = {{1, 2, 3}};
static const struct lh_key wrapped = {{7, 8, 9}};
static const struct lh_wrap_binding binding = {.purpose = 1, .uid = {{5}}, .key_id = 4};

static struct lh_buf seal(struct lh_crypto *crypto)
{
    struct lh_buf blob = LH_BUF_EMPTY;
    assert_ok(lh_wrap_seal(crypto, &kek, &binding, &wrapped, &blob));
    return blob;
}

static void test_wrap__opens_as_what_it_was_made_for(void **state)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = seal(*state);
    assert_int_equal(blob.len, LH_WRAP_BYTES);
    struct lh_key key;
    assert_ok(lh_wrap_open(*state, &kek, &binding, lh_buf_view(&blob), &key));
    assert_memory_equal(key.bytes, wrapped.bytes, sizeof(key.bytes));
}

static void test_wrap__two_blobs_of_one_key_differ(void **state)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf a = seal(*state);
    LH_CLEANUP(lh_buf_fini) struct lh_buf b = seal(*state);
    assert_false(lh_slice_is_equal(lh_buf_view(&a), lh_buf_view(&b)));
}

static void test_wrap__each_part_of_the_binding_counts_alone(void **state)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = seal(*state);
    struct lh_wrap_binding others[] = {binding, binding, binding, binding};
    others[0].purpose = 2;
    others[1].purpose = LH_WRAP_TENANT_KEK;
    others[2].uid.bytes[15] = 1;
    others[3].key_id = 5;
    struct lh_key key = {{0xee}};
    for (size_t i = 0; i < 4; i++) {
        assert_status(lh_wrap_open(*state, &kek, &others[i], lh_buf_view(&blob), &key),
                      LH_TAMPERED);
    }
    struct lh_key other_kek = kek;
    other_kek.bytes[31] = 1;
    assert_status(lh_wrap_open(*state, &other_kek, &binding, lh_buf_view(&blob), &key),
                  LH_TAMPERED);
    assert_int_equal(key.bytes[0], 0xee); /* written only on success */
}

static void test_wrap__the_commitment_is_to_the_wrapping_key(void **state)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = seal(*state);
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    assert_ok(lh_aead_commitment(*state, &kek, commitment));
    assert_memory_equal(blob.ptr + 1, commitment, sizeof(commitment));
    /* The seal would still open: the commitment alone says no. */
    blob.ptr[1] ^= 1;
    struct lh_key key;
    assert_status(lh_wrap_open(*state, &kek, &binding, lh_buf_view(&blob), &key), LH_TAMPERED);
}

static void test_wrap__another_version_is_a_later_one_or_none(void **state)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf blob = seal(*state);
    struct lh_key key;
    blob.ptr[0] = LH_WRAP_VERSION + 1;
    assert_status(lh_wrap_open(*state, &kek, &binding, lh_buf_view(&blob), &key), LH_FUTURE_FORMAT);
    blob.ptr[0] = 0;
    assert_status(lh_wrap_open(*state, &kek, &binding, lh_buf_view(&blob), &key), LH_TAMPERED);
}

/* Seals len bytes as a key is sealed. */
static void seal_as_key(struct lh_crypto *crypto, size_t len, struct lh_buf *out_blob)
{
    static const uint8_t bytes[64];
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    LH_CLEANUP(lh_buf_fini) struct lh_buf aad = LH_BUF_EMPTY;
    assert_ok(lh_buf_add_text(&aad, "leasehold wrap v1"));
    assert_ok(lh_buf_add_u8(&aad, binding.purpose));
    assert_ok(lh_buf_add(&aad, lh_tenant_uid_view(&binding.uid)));
    assert_ok(lh_buf_add_u32(&aad, binding.key_id));
    assert_ok(lh_aead_commitment(crypto, &kek, commitment));
    assert_ok(lh_buf_add_u8(out_blob, LH_WRAP_VERSION));
    assert_ok(lh_buf_add(out_blob, LH_SLICE_OF(commitment)));
    assert_ok(lh_aead_seal(crypto, &kek, lh_buf_view(&aad), lh_slice_of(bytes, len), out_blob));
}

static void test_wrap__what_is_sealed_and_no_key_long_does_not_open(void **state)
{
    static const size_t lengths[] = {0, 16, LH_KEY_BYTES - 1, LH_KEY_BYTES + 1, 64};
    struct lh_key key;
    LH_CLEANUP(lh_buf_fini) struct lh_buf right = LH_BUF_EMPTY;
    seal_as_key(*state, LH_KEY_BYTES, &right);
    assert_ok(lh_wrap_open(*state, &kek, &binding, lh_buf_view(&right), &key));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf blob = LH_BUF_EMPTY;
        seal_as_key(*state, lengths[i], &blob);
        assert_status(lh_wrap_open(*state, &kek, &binding, lh_buf_view(&blob), &key), LH_TAMPERED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrap__opens_as_what_it_was_made_for),
        cmocka_unit_test(test_wrap__two_blobs_of_one_key_differ),
        cmocka_unit_test(test_wrap__each_part_of_the_binding_counts_alone),
        cmocka_unit_test(test_wrap__the_commitment_is_to_the_wrapping_key),
        cmocka_unit_test(test_wrap__another_version_is_a_later_one_or_none),
        cmocka_unit_test(test_wrap__what_is_sealed_and_no_key_long_does_not_open),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
