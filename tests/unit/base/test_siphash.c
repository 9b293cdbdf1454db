/*
 * SipHash-2-4 against the 64 vectors of its reference implementation.
 */
#include "base/siphash.h"

#include "support/test.h"

/* vectors[n]: key 00 01 … 0f, message 00 01 … of n bytes. */
static const uint64_t vectors[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
    0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
    0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
    0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
    0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
    0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static const struct lh_siphash_key reference_key = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static void test_siphash__agrees_with_the_reference_vectors(void **state)
{
    (void)state;
    uint8_t message[64];
    for (size_t len = 0; len < 64; len++) {
        message[len] = (uint8_t)len;
        assert_true(lh_siphash(&reference_key, lh_slice_of(message, len)) == vectors[len]);
    }
}

static void test_siphash__only_the_low_byte_of_the_length_counts(void **state)
{
    (void)state;
    uint8_t message[300];
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (uint8_t)i;
    }
    assert_true(lh_siphash(&reference_key, LH_SLICE_OF(message)) == UINT64_C(0x4b0b710db6117839));
}

static void test_siphash__the_key_decides(void **state)
{
    (void)state;
    struct lh_siphash_key other = reference_key;
    for (size_t i = 0; i < LH_SIPHASH_KEY_BYTES; i++) {
        other.bytes[i] ^= 0x80;
        assert_true(lh_siphash(&other, LH_SLICE_LITERAL("tenant")) !=
                    lh_siphash(&reference_key, LH_SLICE_LITERAL("tenant")));
        other.bytes[i] ^= 0x80;
    }
}

static void test_siphash__an_empty_message_needs_no_pointer(void **state)
{
    (void)state;
    assert_true(lh_siphash(&reference_key, LH_SLICE_EMPTY) == vectors[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash__agrees_with_the_reference_vectors),
        cmocka_unit_test(test_siphash__only_the_low_byte_of_the_length_counts),
        cmocka_unit_test(test_siphash__the_key_decides),
        cmocka_unit_test(test_siphash__an_empty_message_needs_no_pointer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
