/*
 * Host names as attackers write them. The numbers in the names are those of the list of abuse
 * cases.
 */
#include "support/test.h"

#include "codec/hostname.h"

static void assert_name(const char *raw, const char *expected)
{
    struct lh_hostname name;
    assert_ok(lh_hostname_parse(lh_slice_from_text(raw), &name));
    assert_slice_text(lh_hostname_view(&name), expected);
}

static void assert_malformed(lh_slice raw)
{
    struct lh_hostname name = {.len = 77};
    lh_status status = lh_hostname_parse(raw, &name);
    if (status.code != LH_MALFORMED) {
        fail_msg("\"%.*s\": got %s", LH_SLICE_ARG(raw), lh_status_name(status));
    }
    assert_int_equal(name.len, 77);
}

static void assert_all_malformed(const char *const *raws, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_malformed(lh_slice_from_text(raws[i]));
    }
}

#define ASSERT_ALL_MALFORMED(raws) assert_all_malformed(raws, sizeof(raws) / sizeof((raws)[0]))

static void test_hostname_parse__reads_names(void **state)
{
    (void)state;
    assert_name("acme.example.com", "acme.example.com");
    assert_name("localhost", "localhost");
    assert_name("a", "a");
    assert_name("3com.example", "3com.example");
    assert_name("1.2.3.4.example", "1.2.3.4.example");
    assert_name("a--b.example", "a--b.example");
    assert_name("0x.example", "0x.example");
}

static void test_hostname_parse__h01_takes_one_trailing_dot(void **state)
{
    (void)state;
    assert_name("a.example.com.", "a.example.com");
    assert_name("a.example.com.:8080", "a.example.com");
    static const char *const raws[] = {"",
                                       ".",
                                       "..",
                                       ".a.example.com",
                                       "a.example.com..",
                                       "a..example.com",
                                       "a.example.com..:80",
                                       ".:80"};
    ASSERT_ALL_MALFORMED(raws);
}

static void test_hostname_parse__h02_takes_a_valid_port(void **state)
{
    (void)state;
    assert_name("a.example.com:80", "a.example.com");
    assert_name("a.example.com:1", "a.example.com");
    assert_name("a.example.com:65535", "a.example.com");
    static const char *const raws[] = {
        "a.example.com:",
        "a.example.com:0",
        "a.example.com:65536",
        "a.example.com:99999",
        "a.example.com:080",
        "a.example.com:+80",
        "a.example.com:-1",
        "a.example.com:8 0",
        "a.example.com:80:",
        "a.example.com:80:80",
        "a.example.com::80",
        "a.example.com:80.",
        "a.example.com:http",
        "a.example.com:0x50",
        ":80",
        ":",
        "a.example.com:80 ",
        "a.example.com :80",
        "a.example.com:18446744073709551696",
        "[::1]",
        "[::1]:80",
        "::1",
        "[a.example.com]",
    };
    ASSERT_ALL_MALFORMED(raws);
}

static void test_hostname_parse__h03_lowers_case_once(void **state)
{
    (void)state;
    assert_name("A.EXAMPLE.com", "a.example.com");
    assert_name("a.B.example.com", "a.b.example.com");
    assert_name("ABCDEFGHIJKLMNOPQRSTUVWXYZ.X", "abcdefghijklmnopqrstuvwxyz.x");
}

static void test_hostname_parse__h08_refuses_userinfo_and_delimiters(void **state)
{
    (void)state;
    static const char *const raws[] = {
        "a.example.com@b.example.com",
        "a.example.com#b",
        "a.example.com\\b",
        "a.example.com/",
        "http://a.example.com",
        "a.example.com?x",
        "a.example.com,b.example.com",
        "a.example.com;b",
        "*.example.com",
        "a_b.example.com",
        "a.example.com&b",
        "$host",
    };
    ASSERT_ALL_MALFORMED(raws);
}

static void test_hostname_parse__h09_refuses_every_other_byte_in_every_place(void **state)
{
    (void)state;
    static const char valid[] = "ab.cd.ef";
    for (size_t at = 0; at < sizeof(valid) - 1; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            bool is_ldh = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                          (byte >= '0' && byte <= '9') || byte == '-' || byte == '.';
            uint8_t raw[sizeof(valid) - 1];
            memcpy(raw, valid, sizeof(raw));
            raw[at] = (uint8_t)byte;
            if (!is_ldh && byte != ':') {
                assert_malformed(LH_SLICE_OF(raw));
            }
        }
    }
    static const char *const raws[] = {" a.example.com",   "a.example.com ",  "a%2eexample.com",
                                       "a.example.com%00", "%61.example.com", "a.example\t.com"};
    ASSERT_ALL_MALFORMED(raws);
    assert_malformed(LH_SLICE_LITERAL("a.example.com\0.evil"));
}

static void test_hostname_parse__h10_maps_no_unicode(void **state)
{
    (void)state;
    assert_name("xn--bcher-kva.example", "xn--bcher-kva.example"); /* an A-label is LDH */
    static const char *const raws[] = {
        "b\xc3\xbc"
        "cher.example", /* a U-label */
        "\xef\xbd\x81"
        "cme.example", /* fullwidth a */
        "\xd0\xb0"
        "cme.example", /* Cyrillic a */
        "acme\xe3\x80\x82"
        "example", /* ideographic full stop */
        "acme\xef\xbc\x8e"
        "example", /* fullwidth full stop */
        "ac\xc2\xad"
        "me.example", /* soft hyphen */
        "ac\xe2\x80\x8b"
        "me.example",           /* zero width space */
        "\xe2\x84\xaa.example", /* Kelvin sign, which lowers to k */
    };
    ASSERT_ALL_MALFORMED(raws);
}

static void test_hostname_parse__refuses_hyphens_at_the_ends_of_labels(void **state)
{
    (void)state;
    static const char *const raws[] = {"-a.example", "a-.example", "-.example",
                                       "a.example-", "a.-",        "-"};
    ASSERT_ALL_MALFORMED(raws);
}

static void test_hostname_parse__h15_an_address_names_nobody(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "127.0.0.1:8080", "0.0.0.0",
                                            "255.255.255.255", "10.0.0.1."};
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct lh_hostname name;
        assert_status(lh_hostname_parse(lh_slice_from_text(addresses[i]), &name), LH_ABSENT);
    }
}

static void test_hostname_parse__refuses_addresses_in_disguise(void **state)
{
    (void)state;
    static const char *const raws[] = {
        "127.1",       "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1",
        "127.0.0.01",  "256.0.0.1",  "1.2.3",      "1.2.3.4.5",  "127.0.0.0x1",
        "a.example.1", "0x",         "a.0xff",     "1",          "acme.0X7F",
    };
    ASSERT_ALL_MALFORMED(raws);
}

static void test_hostname_parse__bounds_labels_and_names(void **state)
{
    (void)state;
    char raw[300];
    memset(raw, 'a', sizeof(raw));
    struct lh_hostname name;
    assert_ok(lh_hostname_parse(lh_slice_of(raw, LH_LABEL_MAX_BYTES), &name));
    assert_malformed(lh_slice_of(raw, LH_LABEL_MAX_BYTES + 1));
    for (size_t at = 63; at < sizeof(raw); at += 64) {
        raw[at] = '.';
    }
    assert_ok(lh_hostname_parse(lh_slice_of(raw, LH_HOSTNAME_MAX_BYTES), &name));
    assert_int_equal(name.len, LH_HOSTNAME_MAX_BYTES);
    assert_status(lh_hostname_parse(lh_slice_of(raw, LH_HOSTNAME_MAX_BYTES + 1), &name),
                  LH_TOO_LARGE);
    raw[LH_HOSTNAME_MAX_BYTES] = '.'; /* the trailing dot does not count */
    assert_ok(lh_hostname_parse(lh_slice_of(raw, LH_HOSTNAME_MAX_BYTES + 1), &name));
    assert_int_equal(name.len, LH_HOSTNAME_MAX_BYTES);
}

/* --- Labels below a base domain --- */

static void assert_below(const char *raw, const char *base, enum lh_code expected,
                         const char *expected_label)
{
    struct lh_hostname name;
    lh_slice label = LH_SLICE_LITERAL("untouched");
    assert_ok(lh_hostname_parse(lh_slice_from_text(raw), &name));
    assert_status(lh_hostname_label_below(&name, lh_slice_from_text(base), &label), expected);
    assert_slice_text(label, expected_label);
}

static void test_hostname_label_below__finds_exactly_one_label(void **state)
{
    (void)state;
    assert_below("acme.example.com", "example.com", LH_OK, "acme");
    assert_below("ACME.Example.COM.:443", "example.com", LH_OK, "acme");
    assert_below("a.com", "com", LH_OK, "a");
    assert_below("example.com.example.com", "example.com.example.com", LH_ABSENT, "untouched");
}

static void test_hostname_label_below__h04_ends_at_the_label_boundary(void **state)
{
    (void)state;
    assert_below("evilexample.com", "example.com", LH_ABSENT, "untouched");
    assert_below("example.com.evil.com", "example.com", LH_ABSENT, "untouched");
    assert_below("a-example.com", "example.com", LH_ABSENT, "untouched");
    assert_below("example.com", "example.com", LH_ABSENT, "untouched");
    assert_below("xample.com", "example.com", LH_ABSENT, "untouched");
    assert_below("com", "example.com", LH_ABSENT, "untouched");
    assert_below("acme.example.org", "example.com", LH_ABSENT, "untouched");
    assert_below("acme.example.com", "", LH_ABSENT, "untouched");
}

static void test_hostname_label_below__h05_refuses_more_than_one_label(void **state)
{
    (void)state;
    assert_below("x.acme.example.com", "example.com", LH_MALFORMED, "untouched");
    assert_below("a.b.c.example.com", "example.com", LH_MALFORMED, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostname_parse__reads_names),
        cmocka_unit_test(test_hostname_parse__h01_takes_one_trailing_dot),
        cmocka_unit_test(test_hostname_parse__h02_takes_a_valid_port),
        cmocka_unit_test(test_hostname_parse__h03_lowers_case_once),
        cmocka_unit_test(test_hostname_parse__h08_refuses_userinfo_and_delimiters),
        cmocka_unit_test(test_hostname_parse__h09_refuses_every_other_byte_in_every_place),
        cmocka_unit_test(test_hostname_parse__h10_maps_no_unicode),
        cmocka_unit_test(test_hostname_parse__refuses_hyphens_at_the_ends_of_labels),
        cmocka_unit_test(test_hostname_parse__h15_an_address_names_nobody),
        cmocka_unit_test(test_hostname_parse__refuses_addresses_in_disguise),
        cmocka_unit_test(test_hostname_parse__bounds_labels_and_names),
        cmocka_unit_test(test_hostname_label_below__finds_exactly_one_label),
        cmocka_unit_test(test_hostname_label_below__h04_ends_at_the_label_boundary),
        cmocka_unit_test(test_hostname_label_below__h05_refuses_more_than_one_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
