/* lh_hex_write, against the C library. */
#include "support/test.h"

#include "codec/hex.h"

static void test_hex_write__every_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        for (size_t place = 0; place < 9; place++) {
            uint8_t bytes[9] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 0x9a};
            char text[18];
            char expected[19];
            bytes[place] = (uint8_t)value;
            for (size_t i = 0; i < sizeof(bytes); i++) {
                (void)snprintf(expected + 2 * i, 3, "%02x", bytes[i]);
            }
            lh_hex_write(LH_SLICE_OF(bytes), text);
            assert_memory_equal(text, expected, sizeof(text));
        }
    }
}

static void test_hex_write__every_length_and_not_a_byte_more(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x9f, 0xa0, 0xff, 0x0a, 0x55, 0xf9};
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        char text[2 * sizeof(bytes) + 1];
        memset(text, '#', sizeof(text));
        lh_hex_write(lh_slice_of(bytes, len), text);
        assert_memory_equal(text, "009fa0ff0a55f9", 2 * len);
        assert_int_equal(text[2 * len], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex_write__every_byte_at_every_place),
        cmocka_unit_test(test_hex_write__every_length_and_not_a_byte_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
