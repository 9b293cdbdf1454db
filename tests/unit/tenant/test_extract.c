/*
 * Claims of a request: groups T and H of the abuse cases at unit level.
 */
#include "support/test.h"

#include "tenant/extract.h"

#define EVERYWHERE (LH_TENANT_FROM_SUBDOMAIN | LH_TENANT_FROM_HEADER)

static const lh_slice bases[] = {{(const uint8_t *)"example.com", 11},
                                 {(const uint8_t *)"eu.example.com", 14},
                                 {(const uint8_t *)"other.test", 10}};

/* Extracts with up to two headers (NULL: none). */
static lh_status extract(unsigned allowed, const char *host, const char *first, const char *second,
                         struct lh_tenant_hint *out_hint)
{
    const struct lh_tenant_sources sources = {allowed, bases, sizeof(bases) / sizeof(bases[0])};
    lh_slice headers[2];
    size_t count = 0;
    if (first != NULL) {
        headers[count++] = lh_slice_from_text(first);
    }
    if (second != NULL) {
        headers[count++] = lh_slice_from_text(second);
    }
    return lh_tenant_extract(&sources, lh_slice_from_text(host), headers, count, out_hint);
}

static void assert_subdomain(const char *host, const char *expected)
{
    struct lh_tenant_hint hint;
    assert_ok(extract(EVERYWHERE, host, NULL, NULL, &hint));
    assert_true(hint.has_subdomain);
    assert_false(hint.has_header || hint.has_host);
    assert_slice_text(lh_tenant_id_view(&hint.from_subdomain), expected);
}

static void assert_refused(const char *host, const char *header, enum lh_code expected)
{
    struct lh_tenant_hint hint;
    assert_status(extract(EVERYWHERE, host, header, NULL, &hint), expected);
}

static void test_extract__takes_one_label_below_a_base(void **state)
{
    (void)state;
    assert_subdomain("acme.example.com", "acme");
    assert_subdomain("acme.other.test", "acme");
    assert_subdomain("xn--acme.example.com", "xn--acme"); /* H10: well-formed; nobody has it */
}

static void test_extract__folds_case_dot_and_port_away(void **state)
{
    (void)state;
    assert_subdomain("ACME.EXAMPLE.COM", "acme");     /* H03 */
    assert_subdomain("acme.Example.com", "acme");     /* H03 */
    assert_subdomain("acme.example.com.", "acme");    /* H01 */
    assert_subdomain("acme.example.com:80", "acme");  /* H02 */
    assert_subdomain("acme.example.com:443", "acme"); /* H02 */
    assert_subdomain("Acme.example.com.:8080", "acme");
}

static void test_extract__refuses_broken_hosts_even_beside_a_good_header(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "..",                             /* H01 */
        ".acme.example.com",              /* H01 */
        "acme..example.com",              /* H01 */
        "acme.example.com..",             /* H01 */
        "acme.example.com:",              /* H02 */
        "acme.example.com:0",             /* H02 */
        "acme.example.com:99999",         /* H02 */
        "acme.example.com:8x",            /* H02 */
        "[::1]",                          /* H02 */
        "acme.example.com@b.example.com", /* H08 */
        "acme.example.com#b",             /* H08 */
        "acme.example.com\\b",            /* H08 */
        "acme.example.com/",              /* H08 */
        "acme%2eexample.com",             /* H09 */
        "acme.example.com%00",            /* H09 */
        "acme .example.com",              /* H09 */
        "acme\x01.example.com",           /* H09 */
        ("\xc3\xa4"
         "cme.example.com"), /* H10 */
        "acme,globex.example.com",
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_refused(broken[i], NULL, LH_MALFORMED);
        assert_refused(broken[i], "acme", LH_MALFORMED);
    }
    struct lh_tenant_hint hint;
    const struct lh_tenant_sources sources = {EVERYWHERE, bases, 1};
    assert_status(
        lh_tenant_extract(&sources, LH_SLICE_LITERAL("acme.example.com\0"), NULL, 0, &hint),
        LH_MALFORMED);
}

static void test_extract__matches_bases_at_label_boundaries_only(void **state)
{
    (void)state;
    /* H04: no claim, and nobody else makes one. */
    assert_refused("acmeexample.com", NULL, LH_ABSENT);
    assert_refused("acme.evilexample.com", NULL, LH_ABSENT);
    assert_refused("acme.example.com.evil.test", NULL, LH_ABSENT);
    assert_refused("acme-example.com", NULL, LH_ABSENT);
    struct lh_tenant_hint hint;
    assert_ok(extract(EVERYWHERE, "acmeexample.com", "globex", NULL, &hint));
    assert_false(hint.has_subdomain);
}

static void test_extract__refuses_two_labels_below_a_base(void **state)
{
    (void)state;
    assert_refused("x.acme.example.com", NULL, LH_MALFORMED); /* H05 */
    assert_refused("x.acme.example.com", "acme", LH_MALFORMED);
    assert_refused("x.acme.eu.example.com", NULL, LH_MALFORMED);
}

static void test_extract__the_longest_base_decides(void **state)
{
    (void)state;
    assert_subdomain("acme.eu.example.com", "acme");
    assert_refused("eu.example.com", NULL, LH_ABSENT);
    const lh_slice longest_first[] = {bases[1], bases[0]};
    const struct lh_tenant_sources sources = {LH_TENANT_FROM_SUBDOMAIN, longest_first, 2};
    struct lh_tenant_hint hint;
    assert_ok(lh_tenant_extract(&sources, LH_SLICE_LITERAL("acme.eu.example.com"), NULL, 0, &hint));
    assert_slice_text(lh_tenant_id_view(&hint.from_subdomain), "acme");
}

static void test_extract__refuses_labels_that_are_no_tenant_ids(void **state)
{
    (void)state;
    assert_refused("www.example.com", NULL, LH_MALFORMED);
    assert_refused("www.example.com", "acme", LH_MALFORMED);
    assert_refused("abcdefghijklmnopqrstuvwxyz01234567890.example.com", NULL, LH_MALFORMED);
}

static void test_extract__hosts_elsewhere_say_nothing(void **state)
{
    (void)state;
    static const char *const silent[] = {"example.com", "localhost",      "localhost:8080",
                                         "127.0.0.1",   "127.0.0.1:8080", ""};
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        struct lh_tenant_hint hint;
        assert_refused(silent[i], NULL, LH_ABSENT); /* H15 */
        assert_ok(extract(EVERYWHERE, silent[i], "acme", NULL, &hint));
        assert_false(hint.has_subdomain);
        assert_slice_text(lh_tenant_id_view(&hint.from_header), "acme");
    }
}

static void test_extract__takes_the_header_exactly_once(void **state)
{
    (void)state;
    struct lh_tenant_hint hint;
    assert_ok(extract(LH_TENANT_FROM_HEADER, "localhost", "ACME", NULL, &hint)); /* T14 */
    assert_slice_text(lh_tenant_id_view(&hint.from_header), "acme");
    /* T08, T09: twice the same, and different in both orders. */
    assert_status(extract(LH_TENANT_FROM_HEADER, "localhost", "acme", "acme", &hint), LH_DUPLICATE);
    assert_status(extract(LH_TENANT_FROM_HEADER, "localhost", "acme", "globex", &hint),
                  LH_DUPLICATE);
    assert_status(extract(LH_TENANT_FROM_HEADER, "localhost", "globex", "acme", &hint),
                  LH_DUPLICATE);
    assert_status(extract(LH_TENANT_FROM_HEADER, "localhost", "", "acme", &hint), LH_DUPLICATE);
}

static void test_extract__refuses_lists_in_one_header(void **state)
{
    (void)state;
    static const char *const lists[] = {"acme,globex", "acme, acme", ",acme", "acme,", ","};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        assert_refused("localhost", lists[i], LH_DUPLICATE); /* T10 */
    }
}

static void test_extract__refuses_malformed_headers_even_beside_a_good_subdomain(void **state)
{
    (void)state;
    static const char *const malformed[] = {"",
                                            "abc",
                                            " acme",
                                            "acme ",
                                            "a%2fbcd",
                                            "%61cme",
                                            ("\xef\xbd\x81"
                                             "cme"),
                                            "acme\t",
                                            "_system",
                                            "..",
                                            "*",
                                            "acme;x",
                                            "acme/x",
                                            "acme\xc2\x85",
                                            "acme\r\n b",
                                            "abcdefghijklmnopqrstuvwxyz01234567890"};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_refused("localhost", malformed[i], LH_MALFORMED); /* T11-T13, T15 */
        assert_refused("acme.example.com", malformed[i], LH_MALFORMED);
    }
}

static void test_extract__reports_both_claims_when_they_differ(void **state)
{
    (void)state;
    struct lh_tenant_hint hint;
    /* T16: an alias may make both one tenant, so whoever resolves them compares. */
    assert_ok(extract(EVERYWHERE, "acme.example.com", "globex", NULL, &hint));
    assert_true(hint.has_subdomain && hint.has_header);
    assert_slice_text(lh_tenant_id_view(&hint.from_subdomain), "acme");
    assert_slice_text(lh_tenant_id_view(&hint.from_header), "globex");
}

static void test_extract__does_not_look_at_sources_that_are_not_allowed(void **state)
{
    (void)state;
    struct lh_tenant_hint hint;
    assert_ok(extract(LH_TENANT_FROM_SUBDOMAIN, "acme.example.com", "glo bex", "x", &hint));
    assert_false(hint.has_header);
    assert_ok(extract(LH_TENANT_FROM_HEADER, "not a host", "acme", NULL, &hint));
    assert_false(hint.has_subdomain || hint.has_host);
    assert_status(extract(LH_TENANT_FROM_SUBDOMAIN, "localhost", "acme", NULL, &hint), LH_ABSENT);
}

static void test_extract__hands_the_host_name_on(void **state)
{
    (void)state;
    struct lh_tenant_hint hint;
    assert_ok(extract(LH_TENANT_FROM_HOST, "Portal.Acme.Test.:8443", NULL, NULL, &hint));
    assert_true(hint.has_host);
    assert_false(hint.has_subdomain);
    assert_slice_text(lh_hostname_view(&hint.host), "portal.acme.test");
    assert_status(extract(LH_TENANT_FROM_HOST, "127.0.0.1", NULL, NULL, &hint), LH_ABSENT);
    assert_status(extract(LH_TENANT_FROM_HOST, "a_b.test", NULL, NULL, &hint), LH_MALFORMED);
}

static void test_extract__may_find_nothing_where_a_claim_can_still_speak(void **state)
{
    (void)state;
    struct lh_tenant_hint hint;
    memset(&hint, 1, sizeof(hint));
    assert_ok(extract(EVERYWHERE | LH_TENANT_FROM_CLAIM, "localhost", NULL, NULL, &hint));
    assert_false(hint.has_subdomain || hint.has_host || hint.has_header);
    assert_status(extract(EVERYWHERE | LH_TENANT_FROM_CLAIM, "localhost", "a b", NULL, &hint),
                  LH_MALFORMED);
    assert_status(extract(0, "acme.example.com", "acme", NULL, &hint), LH_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extract__takes_one_label_below_a_base),
        cmocka_unit_test(test_extract__folds_case_dot_and_port_away),
        cmocka_unit_test(test_extract__refuses_broken_hosts_even_beside_a_good_header),
        cmocka_unit_test(test_extract__matches_bases_at_label_boundaries_only),
        cmocka_unit_test(test_extract__refuses_two_labels_below_a_base),
        cmocka_unit_test(test_extract__the_longest_base_decides),
        cmocka_unit_test(test_extract__refuses_labels_that_are_no_tenant_ids),
        cmocka_unit_test(test_extract__hosts_elsewhere_say_nothing),
        cmocka_unit_test(test_extract__takes_the_header_exactly_once),
        cmocka_unit_test(test_extract__refuses_lists_in_one_header),
        cmocka_unit_test(test_extract__refuses_malformed_headers_even_beside_a_good_subdomain),
        cmocka_unit_test(test_extract__reports_both_claims_when_they_differ),
        cmocka_unit_test(test_extract__does_not_look_at_sources_that_are_not_allowed),
        cmocka_unit_test(test_extract__hands_the_host_name_on),
        cmocka_unit_test(test_extract__may_find_nothing_where_a_claim_can_still_speak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
