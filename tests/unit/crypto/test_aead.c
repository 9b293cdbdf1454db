/*
 * XAES-256-GCM against the vectors of its specification (C2SP/C2SP XAES-256-GCM.md, CC-BY-4.0),
 * and the promises that records rest on: no altered byte opens, nothing is left on failure.
 */
#include "support/hex.h"
#include "support/test.h"

#include "crypto/aead.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define AAD LH_SLICE_LITERAL("tenant 1, session 2")

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static struct lh_key key_of_byte(uint8_t byte)
{
    struct lh_key key;
    memset(key.bytes, byte, sizeof(key.bytes));
    return key;
}

/* --- The specification's vectors --- */

static void assert_specified(struct lh_crypto *crypto, uint8_t key_byte, const char *aad,
                             const char *expected)
{
    struct lh_key key = key_of_byte(key_byte);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    const uint8_t *nonce = (const uint8_t *)"ABCDEFGHIJKLMNOPQRSTUVWX";
    assert_ok(lh_aead_seal_with_nonce(crypto, &key, nonce, lh_slice_from_text(aad),
                                      LH_SLICE_LITERAL("XAES-256-GCM"), &sealed));
    assert_slice_text(lh_slice_cut(lh_buf_view(&sealed), 0, LH_AEAD_NONCE_BYTES),
                      "ABCDEFGHIJKLMNOPQRSTUVWX");
    assert_slice_hex(lh_slice_cut(lh_buf_view(&sealed), LH_AEAD_NONCE_BYTES, sealed.len), expected);

    uint8_t plaintext[12];
    assert_ok(lh_aead_open(crypto, &key, lh_slice_from_text(aad), lh_buf_view(&sealed), plaintext));
    assert_memory_equal(plaintext, "XAES-256-GCM", sizeof(plaintext));
}

static void test_aead__matches_the_vector_whose_l_has_no_high_bit(void **state)
{
    assert_specified(*state, 0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
}

static void test_aead__matches_the_vector_whose_l_has_the_high_bit(void **state)
{
    assert_specified(*state, 0x03, "c2sp.org/XAES-256-GCM",
                     "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

#define ACCUMULATED_ITERATIONS 10000U
/* Per iteration at most key, nonce and twice a length and 255 bytes. */
#define ACCUMULATED_STREAM_BYTES (ACCUMULATED_ITERATIONS * (32U + 24U + 2U * 256U))

/* SHAKE-128 of nothing: the specification's source of inputs. OpenSSL 3.0 squeezes only once. */
static uint8_t *make_input_stream(void)
{
    uint8_t *stream = malloc(ACCUMULATED_STREAM_BYTES);
    EVP_MD_CTX *shake = EVP_MD_CTX_new();
    assert_non_null(stream);
    assert_int_equal(EVP_DigestInit_ex(shake, EVP_shake128(), NULL), 1);
    assert_int_equal(EVP_DigestFinalXOF(shake, stream, ACCUMULATED_STREAM_BYTES), 1);
    EVP_MD_CTX_free(shake);
    return stream;
}

static lh_slice read_opaque(struct lh_cursor *inputs)
{
    uint8_t len = 0;
    lh_slice bytes;
    assert_ok(lh_cursor_u8(inputs, &len));
    assert_ok(lh_cursor_view(inputs, len, &bytes));
    return bytes;
}

/* Seals one drawn input, opens it again, adds the ciphertext to the digest. */
static void accumulate(struct lh_crypto *crypto, struct lh_cursor *inputs, EVP_MD_CTX *digest)
{
    struct lh_key key;
    uint8_t nonce[LH_AEAD_NONCE_BYTES];
    assert_ok(lh_cursor_copy(inputs, key.bytes, sizeof(key.bytes)));
    assert_ok(lh_cursor_copy(inputs, nonce, sizeof(nonce)));
    lh_slice plaintext = read_opaque(inputs);
    lh_slice aad = read_opaque(inputs);

    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    assert_ok(lh_aead_seal_with_nonce(crypto, &key, nonce, aad, plaintext, &sealed));
    EVP_DigestUpdate(digest, sealed.ptr + LH_AEAD_NONCE_BYTES, sealed.len - LH_AEAD_NONCE_BYTES);

    uint8_t opened[UINT8_MAX];
    assert_ok(lh_aead_open(crypto, &key, aad, lh_buf_view(&sealed), opened));
    assert_memory_equal(opened, plaintext.ptr, plaintext.len);
}

static void test_aead__matches_the_hash_accumulated_over_10000_inputs(void **state)
{
    uint8_t *stream = make_input_stream();
    struct lh_cursor inputs = lh_cursor_over(lh_slice_of(stream, ACCUMULATED_STREAM_BYTES));
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    uint8_t accumulated[32];
    assert_int_equal(EVP_DigestInit_ex(digest, EVP_shake128(), NULL), 1);
    for (unsigned i = 0; i < ACCUMULATED_ITERATIONS; i++) {
        accumulate(*state, &inputs, digest);
    }
    assert_int_equal(EVP_DigestFinalXOF(digest, accumulated, sizeof(accumulated)), 1);
    assert_slice_hex(LH_SLICE_OF(accumulated),
                     "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
    EVP_MD_CTX_free(digest);
    free(stream);
}

/* --- What does not open --- */

#define PLAINTEXT_BYTES 40U
#define SEALED_BYTES    (LH_AEAD_OVERHEAD_BYTES + PLAINTEXT_BYTES)

static const uint8_t zeros[SEALED_BYTES];

/* Seals a text of PLAINTEXT_BYTES under key 0x42… and AAD. */
static void seal_sample(struct lh_crypto *crypto, uint8_t out_sealed[SEALED_BYTES])
{
    struct lh_key key = key_of_byte(0x42);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    assert_ok(lh_aead_seal(crypto, &key, AAD,
                           LH_SLICE_LITERAL("forty bytes that nobody else may look at"), &sealed));
    assert_int_equal(sealed.len, SEALED_BYTES);
    memcpy(out_sealed, sealed.ptr, SEALED_BYTES);
}

/* Fails to open, wipes what it had written and leaves no error behind in OpenSSL's queue. */
static void assert_refused(struct lh_crypto *crypto, const struct lh_key *key, lh_slice aad,
                           lh_slice sealed)
{
    uint8_t plaintext[SEALED_BYTES];
    memset(plaintext, 0, sizeof(plaintext));
    assert_status(lh_aead_open(crypto, key, aad, sealed, plaintext), LH_TAMPERED);
    assert_memory_equal(plaintext, zeros, sizeof(plaintext));
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_aead_open__refuses_each_flipped_bit_of_the_sealed_bytes(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    uint8_t sealed[SEALED_BYTES];
    seal_sample(*state, sealed);
    for (size_t bit = 0; bit < SEALED_BYTES * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_refused(*state, &key, AAD, LH_SLICE_OF(sealed));
        sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    uint8_t plaintext[PLAINTEXT_BYTES];
    assert_ok(lh_aead_open(*state, &key, AAD, LH_SLICE_OF(sealed), plaintext));
    assert_memory_equal(plaintext, "forty bytes that nobody else may look at", PLAINTEXT_BYTES);
}

static void test_aead_open__refuses_each_flipped_bit_of_the_key(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    uint8_t sealed[SEALED_BYTES];
    seal_sample(*state, sealed);
    for (size_t bit = 0; bit < LH_KEY_BYTES * 8; bit++) {
        key.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_refused(*state, &key, AAD, LH_SLICE_OF(sealed));
        key.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void test_aead_open__refuses_each_flipped_bit_of_the_aad(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    uint8_t sealed[SEALED_BYTES];
    uint8_t aad[19];
    seal_sample(*state, sealed);
    memcpy(aad, AAD.ptr, sizeof(aad));
    for (size_t bit = 0; bit < sizeof(aad) * 8; bit++) {
        aad[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_refused(*state, &key, LH_SLICE_OF(aad), LH_SLICE_OF(sealed));
        aad[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_refused(*state, &key, lh_slice_cut(AAD, 0, AAD.len - 1), LH_SLICE_OF(sealed));
    assert_refused(*state, &key, LH_SLICE_EMPTY, LH_SLICE_OF(sealed));
}

static void test_aead_open__refuses_every_shorter_length(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    uint8_t sealed[SEALED_BYTES];
    seal_sample(*state, sealed);
    for (size_t len = 0; len < SEALED_BYTES; len++) {
        assert_refused(*state, &key, AAD, lh_slice_of(sealed, len));
        assert_refused(*state, &key, AAD, lh_slice_of(sealed + SEALED_BYTES - len, len));
    }
}

static void test_aead_open__refuses_bytes_added_at_either_end(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    uint8_t longer[SEALED_BYTES + 2] = {0};
    seal_sample(*state, longer + 1);
    uint8_t plaintext[SEALED_BYTES];
    assert_status(lh_aead_open(*state, &key, AAD, lh_slice_of(longer, SEALED_BYTES + 1), plaintext),
                  LH_TAMPERED);
    assert_status(
        lh_aead_open(*state, &key, AAD, lh_slice_of(longer + 1, SEALED_BYTES + 1), plaintext),
        LH_TAMPERED);
    assert_ok(lh_aead_open(*state, &key, AAD, lh_slice_of(longer + 1, SEALED_BYTES), plaintext));
}

static void test_aead_open__refuses_the_tag_of_another_message(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    uint8_t first[SEALED_BYTES];
    uint8_t second[SEALED_BYTES];
    seal_sample(*state, first);
    seal_sample(*state, second);
    size_t tag_at = SEALED_BYTES - LH_AEAD_TAG_BYTES;
    memcpy(first + tag_at, second + tag_at, LH_AEAD_TAG_BYTES);
    assert_refused(*state, &key, AAD, LH_SLICE_OF(first));
}

/* --- What does --- */

static void test_aead__seals_nothing_under_nothing(void **state)
{
    struct lh_key key = key_of_byte(0x07);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    assert_ok(lh_aead_seal(*state, &key, LH_SLICE_EMPTY, LH_SLICE_EMPTY, &sealed));
    assert_int_equal(sealed.len, LH_AEAD_OVERHEAD_BYTES);
    assert_ok(lh_aead_open(*state, &key, LH_SLICE_EMPTY, lh_buf_view(&sealed), NULL));
    sealed.ptr[0] ^= 1;
    assert_status(lh_aead_open(*state, &key, LH_SLICE_EMPTY, lh_buf_view(&sealed), NULL),
                  LH_TAMPERED);
}

static void test_aead__returns_every_length(void **state)
{
    struct lh_key key = key_of_byte(0x08);
    uint8_t plaintext[300];
    uint8_t opened[300];
    memset(plaintext, 0x5a, sizeof(plaintext));
    for (size_t len = 0; len <= sizeof(plaintext); len++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
        assert_ok(lh_aead_seal(*state, &key, AAD, lh_slice_of(plaintext, len), &sealed));
        assert_int_equal(sealed.len, len + LH_AEAD_OVERHEAD_BYTES);
        memset(opened, 0, sizeof(opened));
        assert_ok(lh_aead_open(*state, &key, AAD, lh_buf_view(&sealed), opened));
        assert_memory_equal(opened, plaintext, len);
    }
}

static void test_aead__never_seals_twice_alike(void **state)
{
    uint8_t first[SEALED_BYTES];
    uint8_t second[SEALED_BYTES];
    seal_sample(*state, first);
    seal_sample(*state, second);
    assert_memory_not_equal(first, second, LH_AEAD_NONCE_BYTES);
    assert_memory_not_equal(first + LH_AEAD_NONCE_BYTES, second + LH_AEAD_NONCE_BYTES,
                            PLAINTEXT_BYTES);
}

static void test_aead_seal__leaves_a_full_buffer_as_it_was(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = lh_buf_bounded(LH_AEAD_OVERHEAD_BYTES + 4);
    assert_ok(lh_buf_add_text(&sealed, "kept"));
    assert_status(lh_aead_seal(*state, &key, AAD, LH_SLICE_LITERAL("x"), &sealed), LH_TOO_LARGE);
    assert_slice_text(lh_buf_view(&sealed), "kept");
    assert_ok(lh_aead_seal(*state, &key, AAD, LH_SLICE_EMPTY, &sealed));
}

static void test_aead_seal__appends(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    LH_CLEANUP(lh_buf_fini) struct lh_buf sealed = LH_BUF_EMPTY;
    uint8_t plaintext[5];
    assert_ok(lh_buf_add_text(&sealed, "head"));
    assert_ok(lh_aead_seal(*state, &key, AAD, LH_SLICE_LITERAL("first"), &sealed));
    assert_int_equal(sealed.len, 4 + LH_AEAD_OVERHEAD_BYTES + 5);
    assert_ok(lh_aead_open(*state, &key, AAD, lh_slice_cut(lh_buf_view(&sealed), 4, sealed.len),
                           plaintext));
    assert_memory_equal(plaintext, "first", 5);
}

static void test_aead__opens_after_the_keys_were_forgotten(void **state)
{
    struct lh_key key = key_of_byte(0x42);
    uint8_t sealed[SEALED_BYTES];
    uint8_t plaintext[PLAINTEXT_BYTES];
    seal_sample(*state, sealed);
    assert_ok(lh_crypto_forget_keys(*state));
    assert_ok(lh_aead_open(*state, &key, AAD, LH_SLICE_OF(sealed), plaintext));
}

/* --- The commitment --- */

static void test_aead_commitment__is_hkdf_of_the_key(void **state)
{
    struct lh_key key = key_of_byte(0x01);
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    assert_ok(lh_aead_commitment(*state, &key, commitment));
    assert_slice_hex(LH_SLICE_OF(commitment),
                     "246ddfb1b060e0b452383b99d4a6ff82b4429235b6f879ab2a40b8fc36410995");
}

static void test_aead_commitment__differs_with_each_bit_of_the_key(void **state)
{
    struct lh_key key = key_of_byte(0x01);
    uint8_t commitment[LH_AEAD_COMMITMENT_BYTES];
    uint8_t other[LH_AEAD_COMMITMENT_BYTES];
    assert_ok(lh_aead_commitment(*state, &key, commitment));
    for (size_t bit = 0; bit < LH_KEY_BYTES * 8; bit++) {
        key.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_ok(lh_aead_commitment(*state, &key, other));
        assert_memory_not_equal(commitment, other, sizeof(other));
        key.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aead__matches_the_vector_whose_l_has_no_high_bit),
        cmocka_unit_test(test_aead__matches_the_vector_whose_l_has_the_high_bit),
        cmocka_unit_test(test_aead__matches_the_hash_accumulated_over_10000_inputs),
        cmocka_unit_test(test_aead_open__refuses_each_flipped_bit_of_the_sealed_bytes),
        cmocka_unit_test(test_aead_open__refuses_each_flipped_bit_of_the_key),
        cmocka_unit_test(test_aead_open__refuses_each_flipped_bit_of_the_aad),
        cmocka_unit_test(test_aead_open__refuses_every_shorter_length),
        cmocka_unit_test(test_aead_open__refuses_bytes_added_at_either_end),
        cmocka_unit_test(test_aead_open__refuses_the_tag_of_another_message),
        cmocka_unit_test(test_aead__seals_nothing_under_nothing),
        cmocka_unit_test(test_aead__returns_every_length),
        cmocka_unit_test(test_aead__never_seals_twice_alike),
        cmocka_unit_test(test_aead_seal__leaves_a_full_buffer_as_it_was),
        cmocka_unit_test(test_aead_seal__appends),
        cmocka_unit_test(test_aead__opens_after_the_keys_were_forgotten),
        cmocka_unit_test(test_aead_commitment__is_hkdf_of_the_key),
        cmocka_unit_test(test_aead_commitment__differs_with_each_bit_of_the_key),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
