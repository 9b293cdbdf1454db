/*
 * Each allocation of ours and of OpenSSL fails in turn, through everything this room can do. Every
 * call then either says so or has done its work; nothing leaks, and the error queue stays empty.
 */
#include "support/failing_alloc.h"
#include "support/test.h"

#include "crypto/aead.h"
#include "crypto/signature.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

/* OpenSSL's allocations are counted like ours: its replacements call what is wrapped. */
static void *ssl_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(len);
}

static void *ssl_realloc(void *ptr, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(ptr, len);
}

static void ssl_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    free(ptr);
}

static void drop_crypto(struct lh_crypto **crypto)
{
    lh_crypto_free(*crypto);
}

static void drop_mac_key(struct lh_mac_key **key)
{
    lh_mac_key_free(*key);
}

static void drop_signing_key(struct lh_signing_key **key)
{
    lh_signing_key_free(*key);
}

/* The message stays sealed, and opens again, whatever was missing. */
static lh_status seal_and_open(struct lh_crypto *crypto)
{
    struct lh_key key = {{7}};
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    uint8_t opened[7] = {0};
    LH_TRY(
        lh_aead_seal(crypto, &key, LH_SLICE_LITERAL("aad"), LH_SLICE_LITERAL("message"), &sealed));
    LH_TRY(lh_aead_open(crypto, &key, LH_SLICE_LITERAL("aad"), lh_buf_view(&sealed), opened));
    assert_memory_equal(opened, "message", sizeof(opened));
    return lh_ok();
}

static lh_status hash_and_mac(struct lh_crypto *crypto)
{
    struct lh_key key;
    struct lh_digest one_shot;
    struct lh_digest prepared;
    LH_CLEANUP(drop_mac_key) struct lh_mac_key *mac_key = NULL;
    LH_TRY(lh_hkdf(crypto, LH_SLICE_LITERAL("ikm"), LH_SLICE_LITERAL("label"), &key));
    LH_TRY(lh_mac_key_new(crypto, &key, &mac_key));
    LH_TRY(lh_mac(mac_key, LH_SLICE_LITERAL("message"), &prepared));
    LH_TRY(lh_hmac_sha256(crypto, LH_SLICE_OF(key.bytes), LH_SLICE_LITERAL("message"), &one_shot));
    assert_memory_equal(one_shot.bytes, prepared.bytes, sizeof(one_shot.bytes));
    LH_TRY(lh_sha256(crypto, LH_SLICE_LITERAL("message"), &one_shot));
    return lh_crypto_forget_keys(crypto);
}

static lh_status sign_and_verify(struct lh_crypto *crypto)
{
    struct lh_key scalar;
    uint8_t x[LH_ES256_COORDINATE_BYTES];
    uint8_t y[LH_ES256_COORDINATE_BYTES];
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    LH_CLEANUP(drop_signing_key) struct lh_signing_key *made = NULL;
    LH_CLEANUP(drop_signing_key) struct lh_signing_key *imported = NULL;
    LH_CLEANUP(drop_signing_key) struct lh_signing_key *public = NULL;
    LH_TRY(lh_signing_key_generate(crypto, &made));
    LH_TRY(lh_signing_key_export(made, &scalar));
    LH_TRY(lh_signing_key_import(crypto, LH_SLICE_OF(scalar.bytes), &imported));
    LH_TRY(lh_signing_key_public(imported, x, y));
    LH_TRY(lh_signing_key_from_public(crypto, x, y, &public));
    LH_TRY(lh_es256_sign(imported, LH_SLICE_LITERAL("message"), signature));
    LH_TRY(lh_es256_verify(public, LH_SLICE_LITERAL("message"), LH_SLICE_OF(signature)));
    /* Verifying that comes to no end is no "it holds" either. */
    lh_status forged = lh_es256_verify(public, LH_SLICE_LITERAL("another"), LH_SLICE_OF(signature));
    assert_false(lh_is_ok(forged));
    return forged.code == LH_TAMPERED ? lh_ok() : forged;
}

static lh_status use_everything(void)
{
    LH_CLEANUP(drop_crypto) struct lh_crypto *crypto = NULL;
    LH_TRY(lh_crypto_new(&crypto));
    LH_TRY(seal_and_open(crypto));
    LH_TRY(hash_and_mac(crypto));
    return sign_and_verify(crypto);
}

/* A tag that cannot be judged for want of memory must never read as "tampered". */
static bool is_honest(lh_status status)
{
    return status.code == LH_OK || status.code == LH_CRYPTO || status.code == LH_NO_MEMORY;
}

static void test_crypto__survives_each_failing_allocation(void **state)
{
    (void)state;
    unsigned failures = 0;
    size_t nth = 1;
    assert_ok(use_everything()); /* what OpenSSL makes once per process is made now */
    for (;; nth++) {
        failing_alloc_at(nth);
        lh_status status = use_everything();
        bool is_spent = failing_alloc_count() >= nth;
        failing_alloc_at(0);
        if (!is_honest(status) || ERR_peek_error() != 0) {
            fail_msg("allocation %zu: %s, error %lx", nth, lh_status_name(status),
                     ERR_peek_error());
        }
        failures += !lh_is_ok(status);
        if (!is_spent) {
            assert_ok(status);
            break;
        }
    }
    assert_true(failures > 100);
    assert_ok(use_everything());
}

int main(void)
{
    if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crypto__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
