/*
 * Keys of one purpose, and the shared secrets that are sealed under one: each opens under its own
 * key, for its own tenant and key id, and nowhere else.
 */
#include "support/test.h"

#include "keys/shared_secret.h"

static const struct lh_tenant_uid acme = {{1}};
static const struct lh_tenant_uid globex = {{2}};

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static struct lh_sealing_key derive(struct lh_crypto *crypto, uint8_t dek_byte, const char *purpose,
                                    const struct lh_tenant_uid *uid)
{
    struct lh_key dek = {{dek_byte}};
    struct lh_sealing_key key;
    assert_ok(lh_sealing_key_derive(crypto, &dek, lh_slice_from_text(purpose), uid, &key));
    return key;
}

static void test_sealing_key__is_one_per_key_purpose_and_tenant(void **state)
{
    const struct lh_sealing_key keys[] = {
        derive(*state, 1, "a", &acme), derive(*state, 2, "a", &acme), derive(*state, 1, "b", &acme),
        derive(*state, 1, "a", &globex)};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(&keys[i].key, &keys[j].key, sizeof(keys[i].key));
            assert_memory_not_equal(keys[i].commitment, keys[j].commitment,
                                    sizeof(keys[i].commitment));
        }
    }
}

static void test_sealing_key__opens_what_it_sealed_and_nothing_else(void **state)
{
    const struct lh_sealing_key key = derive(*state, 1, "a", &acme);
    const struct lh_sealing_key other = derive(*state, 1, "b", &acme);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    assert_ok(lh_sealing_key_seal(*state, &key, LH_SLICE_LITERAL("aad"), LH_SLICE_LITERAL("text"),
                                  &sealed));
    assert_int_equal(sealed.len, 4 + LH_SEALED_OVERHEAD_BYTES);
    assert_ok(
        lh_sealing_key_open(*state, &key, LH_SLICE_LITERAL("aad"), lh_buf_view(&sealed), &plain));
    assert_slice_text(lh_buf_view(&plain), "text");
    assert_status(
        lh_sealing_key_open(*state, &key, LH_SLICE_LITERAL("aae"), lh_buf_view(&sealed), &plain),
        LH_TAMPERED);
    assert_status(
        lh_sealing_key_open(*state, &other, LH_SLICE_LITERAL("aad"), lh_buf_view(&sealed), &plain),
        LH_TAMPERED);
    for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
        sealed.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_status(lh_sealing_key_open(*state, &key, LH_SLICE_LITERAL("aad"),
                                          lh_buf_view(&sealed), &plain),
                      LH_TAMPERED);
        sealed.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++) {
        assert_status(lh_sealing_key_open(*state, &key, LH_SLICE_LITERAL("aad"),
                                          lh_slice_of(sealed.ptr, len), &plain),
                      LH_TAMPERED);
    }
    assert_slice_text(lh_buf_view(&plain), "text");
}

static void test_sealing_key__seals_nothing_too(void **state)
{
    const struct lh_sealing_key key = derive(*state, 1, "a", &acme);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    assert_ok(lh_sealing_key_seal(*state, &key, LH_SLICE_EMPTY, LH_SLICE_EMPTY, &sealed));
    assert_ok(lh_sealing_key_open(*state, &key, LH_SLICE_EMPTY, lh_buf_view(&sealed), &plain));
    assert_int_equal(plain.len, 0);
}

/* --- Shared secrets --------------------------------------------------------------------------- */

#define SECRET LH_SLICE_LITERAL("0123456789abcdef0123456789abcdef")

static struct lh_datakey datakey_of(struct lh_crypto *crypto, uint8_t dek_byte)
{
    return (struct lh_datakey){.dek_id = dek_byte, .secret = derive(crypto, dek_byte, "s", &acme)};
}

static lh_status open_mac(struct lh_crypto *crypto, const struct lh_datakey *key,
                          const struct lh_tenant_uid *uid, const char *key_id, lh_slice sealed)
{
    struct lh_signature_key row = {.key_id = lh_slice_from_text(key_id), .material = sealed};
    struct lh_mac_key *opened = NULL;
    LH_TRY(lh_shared_secret_open(crypto, key, uid, &row, &opened));
    struct lh_digest mac;
    struct lh_digest expected;
    assert_ok(lh_mac(opened, LH_SLICE_LITERAL("message"), &mac));
    assert_ok(lh_hmac_sha256(crypto, SECRET, LH_SLICE_LITERAL("message"), &expected));
    assert_memory_equal(mac.bytes, expected.bytes, sizeof(mac.bytes));
    lh_mac_key_free(opened);
    return lh_ok();
}

static void test_shared_secret__opens_for_its_tenant_and_key_id(void **state)
{
    struct lh_datakey key = datakey_of(*state, 1);
    struct lh_datakey other = datakey_of(*state, 2);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    assert_ok(lh_shared_secret_seal(*state, &key, &acme, LH_SLICE_LITERAL("k-1"), SECRET, &sealed));
    assert_true(sealed.len <= LH_SHARED_SECRET_SEALED_MAX_BYTES);
    assert_ok(open_mac(*state, &key, &acme, "k-1", lh_buf_view(&sealed)));
    assert_status(open_mac(*state, &key, &globex, "k-1", lh_buf_view(&sealed)), LH_TAMPERED);
    assert_status(open_mac(*state, &key, &acme, "k-2", lh_buf_view(&sealed)), LH_TAMPERED);
    assert_status(open_mac(*state, &key, &acme, "k", lh_buf_view(&sealed)), LH_TAMPERED);
    assert_status(open_mac(*state, &key, &acme, "", lh_buf_view(&sealed)), LH_TAMPERED);
    assert_status(open_mac(*state, &other, &acme, "k-1", lh_buf_view(&sealed)), LH_TAMPERED);
    sealed.ptr[sealed.len - 1] ^= 1;
    assert_status(open_mac(*state, &key, &acme, "k-1", lh_buf_view(&sealed)), LH_TAMPERED);
}

static void test_shared_secret__has_a_length(void **state)
{
    struct lh_datakey key = datakey_of(*state, 1);
    uint8_t secret[LH_SIGNATURE_SECRET_MAX_BYTES + 1] = {1};
    for (size_t len = 0; len <= sizeof(secret); len++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
        bool is_allowed =
            len >= LH_SIGNATURE_SECRET_MIN_BYTES && len <= LH_SIGNATURE_SECRET_MAX_BYTES;
        assert_status(lh_shared_secret_seal(*state, &key, &acme, LH_SLICE_LITERAL("k"),
                                            lh_slice_of(secret, len), &sealed),
                      is_allowed ? LH_OK : LH_INVALID);
        assert_int_equal(sealed.len, is_allowed ? len + LH_SEALED_OVERHEAD_BYTES : 0);
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf none = LH_BUF_EMPTY;
    assert_status(
        lh_shared_secret_seal(*state, &key, &acme, LH_SLICE_LITERAL("a b"), SECRET, &none),
        LH_INVALID);
}

/* Whoever could seal such a thing could do more; it is no secret all the same. */
static void test_shared_secret__of_another_length_is_tampered_whoever_sealed_it(void **state)
{
    struct lh_datakey key = datakey_of(*state, 1);
    uint8_t aad[LH_TENANT_UID_BYTES + 1];
    memcpy(aad, acme.bytes, LH_TENANT_UID_BYTES);
    aad[LH_TENANT_UID_BYTES] = 'k';
    static const uint8_t secret[100] = {1};
    static const size_t lens[] = {0, 1, 31, 65, 66, 100};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
        assert_ok(lh_sealing_key_seal(*state, &key.secret, LH_SLICE_OF(aad),
                                      lh_slice_of(secret, lens[i]), &sealed));
        assert_status(open_mac(*state, &key, &acme, "k", lh_buf_view(&sealed)), LH_TAMPERED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sealing_key__is_one_per_key_purpose_and_tenant),
        cmocka_unit_test(test_sealing_key__opens_what_it_sealed_and_nothing_else),
        cmocka_unit_test(test_sealing_key__seals_nothing_too),
        cmocka_unit_test(test_shared_secret__opens_for_its_tenant_and_key_id),
        cmocka_unit_test(test_shared_secret__has_a_length),
        cmocka_unit_test(test_shared_secret__of_another_length_is_tampered_whoever_sealed_it),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
