/*
 * PEM of one block: what tools write is read, and nothing beside it.
 */
#include "support/test.h"

#include "codec/pem.h"

#define BEGIN "-----BEGIN PUBLIC KEY-----"
#define END   "-----END PUBLIC KEY-----"

static lh_status decode(const char *text, uint8_t out_bytes[8], size_t *out_len)
{
    return lh_pem_decode(lh_slice_from_text(text), "PUBLIC KEY", out_bytes, 8, out_len);
}

static void test_pem_decode__reads_what_tools_write(void **state)
{
    (void)state;
    static const char *const good[] = {
        BEGIN "\naGVsbG8h\n" END "\n",
        BEGIN "\r\naGVs\r\nbG8h\r\n" END "\r\n",
        "\n  " BEGIN "\naGVsbG8h\n" END,
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint8_t bytes[8];
        size_t len = 0;
        assert_ok(decode(good[i], bytes, &len));
        assert_int_equal(len, 6);
        assert_memory_equal(bytes, "hello!", 6);
    }
}

static void test_pem_decode__refuses_everything_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum lh_code expected;
    } bad[] = {
        {"", LH_ABSENT},
        {"aGVsbG8h", LH_ABSENT},
        {"-----BEGIN PRIVATE KEY-----\naGVsbG8h\n-----END PRIVATE KEY-----\n", LH_ABSENT},
        {"x" BEGIN "\naGVsbG8h\n" END, LH_ABSENT},
        {BEGIN, LH_MALFORMED},
        {BEGIN "\naGVsbG8h\n", LH_MALFORMED},
        {BEGIN "\naGVsbG8h\n" END "x", LH_MALFORMED},
        {BEGIN "\naGVsbG8h\n" END BEGIN "\naGVsbG8h\n" END, LH_MALFORMED},
        {BEGIN "\naGVs bG8h\n" END, LH_MALFORMED},
        {BEGIN "\naGVsbG8\n" END, LH_MALFORMED},
        {BEGIN "\naGVsbG8-\n" END, LH_MALFORMED},
        {BEGIN "\naGVsbG8hISEhIQ==\n" END, LH_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t bytes[8];
        size_t len = 0;
        lh_status status = decode(bad[i].text, bytes, &len);
        if (status.code != bad[i].expected) {
            fail_msg("text %zu: got %s", i, lh_status_name(status));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pem_decode__reads_what_tools_write),
        cmocka_unit_test(test_pem_decode__refuses_everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
