/*
 * Hashing in pieces: the examples of FIPS 180-4, wherever the message is cut, and streams that go
 * on beside each other.
 */
#include "support/hex.h"
#include "support/test.h"

#include "crypto/hash_stream.h"

static int make_crypto(void **state)
{
    return lh_is_ok(lh_crypto_new((struct lh_crypto **)state)) ? 0 : -1;
}

static int free_crypto(void **state)
{
    lh_crypto_free(*state);
    return 0;
}

static const struct {
    enum lh_hash_algorithm algorithm;
    const char *message;
    const char *hash;
} vectors[] = {
    {LH_HASH_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {LH_HASH_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {LH_HASH_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {LH_HASH_SHA512, "",
     "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877ee"
     "c2"
     "f63b931bd47417a81a538327af927da3e"},
    {LH_HASH_SHA512, "abc",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "bb"
     "d454d4423643ce80e2a9ac94fa54ca49f"},
    {LH_HASH_SHA512,
     "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
     "lmnopqrsmnopqrstnopqrstu",
     "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b54"
     "33"
     "ac7d329eeb6dd26545e96e55b874be909"},
};
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

static void assert_hash(struct lh_hash_stream *stream, size_t vector)
{
    uint8_t hash[LH_SHA512_BYTES];
    assert_ok(lh_hash_stream_finish(stream, hash));
    assert_slice_hex(lh_slice_of(hash, lh_hash_bytes(vectors[vector].algorithm)),
                     vectors[vector].hash);
}

static void test_hash_stream__cuts_make_no_difference(void **state)
{
    for (size_t i = 0; i < VECTORS; i++) {
        lh_slice message = lh_slice_from_text(vectors[i].message);
        for (size_t cut = 0; cut <= message.len; cut++) {
            struct lh_hash_stream *stream;
            assert_ok(lh_hash_stream_new(*state, vectors[i].algorithm, &stream));
            assert_ok(lh_hash_stream_add(stream, lh_slice_cut(message, 0, cut)));
            assert_ok(lh_hash_stream_add(stream, lh_slice_cut(message, cut, message.len)));
            assert_hash(stream, i);
            lh_hash_stream_free(stream);
        }
    }
}

static void test_hash_stream__several_go_on_beside_each_other(void **state)
{
    struct lh_hash_stream *streams[VECTORS];
    for (size_t i = 0; i < VECTORS; i++) {
        assert_ok(lh_hash_stream_new(*state, vectors[i].algorithm, &streams[i]));
    }
    for (size_t at = 0; at < 128; at++) {
        struct lh_digest ignored;
        assert_ok(lh_sha256(*state, LH_SLICE_LITERAL("another request"), &ignored));
        for (size_t i = 0; i < VECTORS; i++) {
            lh_slice message = lh_slice_from_text(vectors[i].message);
            assert_ok(lh_hash_stream_add(streams[i], lh_slice_cut(message, at, 1)));
        }
    }
    for (size_t i = 0; i < VECTORS; i++) {
        assert_hash(streams[i], i);
        lh_hash_stream_free(streams[i]);
    }
}

static void test_hash_stream__ends_once(void **state)
{
    struct lh_hash_stream *stream;
    uint8_t hash[LH_SHA512_BYTES];
    assert_ok(lh_hash_stream_new(*state, LH_HASH_SHA512, &stream));
    assert_ok(lh_hash_stream_finish(stream, hash));
    assert_status(lh_hash_stream_finish(stream, hash), LH_INVALID);
    assert_status(lh_hash_stream_add(stream, LH_SLICE_LITERAL("more")), LH_INVALID);
    lh_hash_stream_free(stream);
    lh_hash_stream_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_stream__cuts_make_no_difference),
        cmocka_unit_test(test_hash_stream__several_go_on_beside_each_other),
        cmocka_unit_test(test_hash_stream__ends_once),
    };
    return cmocka_run_group_tests(tests, make_crypto, free_crypto);
}
