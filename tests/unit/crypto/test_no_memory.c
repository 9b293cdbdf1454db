/*
 * Each allocation of ours and of OpenSSL fails in turn, through everything this room can do. Every
 * call then either says so or has done its work; nothing leaks, and the error queue stays empty.
 */
#include "support/failing_alloc.h"
#include "support/hex.h"
#include "support/public_half.h"
#include "support/test.h"

#include "crypto/aead.h"
#include "crypto/hash_stream.h"

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

static void drop_public_key(struct lh_public_key **key)
{
    lh_public_key_free(*key);
}

static void drop_hash_stream(struct lh_hash_stream **stream)
{
    lh_hash_stream_free(*stream);
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

static lh_status hash_in_pieces(struct lh_crypto *crypto)
{
    uint8_t hash[LH_SHA512_BYTES];
    LH_CLEANUP(drop_hash_stream) struct lh_hash_stream *stream = NULL;
    LH_TRY(lh_hash_stream_new(crypto, LH_HASH_SHA512, &stream));
    LH_TRY(lh_hash_stream_add(stream, LH_SLICE_LITERAL("abc")));
    LH_TRY(lh_hash_stream_finish(stream, hash));
    assert_int_equal(hash[0], 0xdd);
    return lh_ok();
}

static lh_status sign_and_verify(struct lh_crypto *crypto)
{
    struct lh_key scalar;
    uint8_t signature[LH_ES256_SIGNATURE_BYTES];
    LH_CLEANUP(drop_signing_key) struct lh_signing_key *made = NULL;
    LH_CLEANUP(drop_signing_key) struct lh_signing_key *imported = NULL;
    LH_CLEANUP(drop_public_key) struct lh_public_key *public = NULL;
    LH_TRY(lh_signing_key_generate(crypto, &made));
    LH_TRY(lh_signing_key_export(made, &scalar));
    LH_TRY(lh_signing_key_import(crypto, LH_SLICE_OF(scalar.bytes), &imported));
    LH_TRY(public_half(crypto, imported, &public));
    LH_TRY(lh_es256_sign(imported, LH_SLICE_LITERAL("message"), signature));
    LH_TRY(lh_public_key_verify(public, LH_SLICE_LITERAL("message"), LH_SLICE_OF(signature)));
    /* Verifying that comes to no end is no "it holds" either. */
    lh_status forged =
        lh_public_key_verify(public, LH_SLICE_LITERAL("another"), LH_SLICE_OF(signature));
    assert_false(lh_is_ok(forged));
    return forged.code == LH_BAD_SIGNATURE ? lh_ok() : forged;
}

/* A key made and asked about a signature that is none; only want of memory is another answer. */
static lh_status refuse(struct lh_crypto *crypto, enum lh_algorithm algorithm, lh_slice material,
                        size_t signature_bytes)
{
    static const uint8_t signature[LH_SIGNATURE_MAX_BYTES] = {1};
    LH_CLEANUP(drop_public_key) struct lh_public_key *key = NULL;
    LH_TRY(lh_public_key_new(crypto, algorithm, material, &key));
    lh_status status = lh_public_key_verify(key, LH_SLICE_LITERAL("message"),
                                            lh_slice_of(signature, signature_bytes));
    assert_false(lh_is_ok(status));
    return status.code == LH_BAD_SIGNATURE ? lh_ok() : status;
}

/* 2^2047 + 3, which no small prime divides; and a point of edwards25519 (RFC 8032 §7.1). */
static lh_status refuse_others(struct lh_crypto *crypto)
{
    uint8_t rsa[2 + 256 + 3] = {0x01, 0x00, 0x80};
    uint8_t ed25519[32];
    rsa[2 + 255] = 3;
    memcpy(rsa + 2 + 256, "\x01\x00\x01", 3);
    hex_bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", ed25519);
    LH_TRY(refuse(crypto, LH_RS256, LH_SLICE_OF(rsa), 256));
    LH_TRY(refuse(crypto, LH_PS256, LH_SLICE_OF(rsa), 256));
    return refuse(crypto, LH_EDDSA, LH_SLICE_OF(ed25519), 64);
}

static lh_status use_everything(void)
{
    LH_CLEANUP(drop_crypto) struct lh_crypto *crypto = NULL;
    LH_TRY(lh_crypto_new(&crypto));
    LH_TRY(seal_and_open(crypto));
    LH_TRY(hash_and_mac(crypto));
    LH_TRY(hash_in_pieces(crypto));
    LH_TRY(sign_and_verify(crypto));
    return refuse_others(crypto);
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
