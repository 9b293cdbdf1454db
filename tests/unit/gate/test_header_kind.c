/*
 * Which headers concern the gate, in every spelling that an upstream may fold into one.
 */
#include <leasehold/gate.h>

#include "support/test.h"

static enum lh_header_kind kind_of(const char *name)
{
    return lh_gate_header_kind(lh_slice_from_text(name));
}

#define assert_kind(name, expected) assert_int_equal(kind_of(name), expected)

static void test_header_kind__our_own_headers_are_managed(void **state)
{
    (void)state;
    static const char *const names[] = {
        "X-Tenant-UID",    "X-Tenant-Context", "X-Tenant-Anything", "X-Session-Ref",
        "X-Session-Scope", "X-Session-Mode",   "X-Session-State",   "X-Session-Subject",
        "X-Session-",      "X-Session-New",    "X-User-ID",         "X-Groups",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_kind(names[i], LH_HEADER_MANAGED);
    }
    assert_kind("X-Tenant-ID", LH_HEADER_TENANT);
    assert_kind("X-Request-ID", LH_HEADER_REQUEST_ID);
    assert_kind("traceparent", LH_HEADER_TRACEPARENT);
    assert_kind("tracestate", LH_HEADER_TRACESTATE);
}

/* T05, T07: CGI, WSGI, PHP or Apache make one name of these. Only one of them names a tenant. */
static void test_header_kind__every_spelling_is_one_name(void **state)
{
    (void)state;
    static const char *const tenant[] = {
        "X_TENANT_ID", "X.Tenant.ID", "x_tenant-id", "X-tenant.Id",       "X_Tenant_ID",
        "X[Tenant[ID", "X!Tenant~ID", "x-tenant;id", "X\xadTenant\xadID", "X Tenant ID",
    };
    for (size_t i = 0; i < sizeof(tenant) / sizeof(tenant[0]); i++) {
        assert_kind(tenant[i], LH_HEADER_TENANT_LIKE);
        assert_true(lh_gate_is_managed(LH_HEADER_TENANT_LIKE));
    }
    assert_kind("x-tenant-id", LH_HEADER_TENANT);
    assert_kind("x_session.REF", LH_HEADER_MANAGED);
    assert_kind("x_groups", LH_HEADER_MANAGED);
    assert_kind("X.user_id", LH_HEADER_MANAGED);
    assert_kind("X+Session+Ref", LH_HEADER_MANAGED);
    assert_kind("x_request_id", LH_HEADER_REQUEST_ID);
    assert_kind("TraceParent", LH_HEADER_TRACEPARENT);
}

static void test_header_kind__what_the_gate_reads_is_known(void **state)
{
    (void)state;
    assert_kind("Cookie", LH_HEADER_COOKIE);
    assert_kind("authorization", LH_HEADER_AUTHORIZATION);
    assert_kind("Origin", LH_HEADER_ORIGIN);
    assert_kind("Sec-Fetch-Site", LH_HEADER_FETCH_SITE);
    assert_kind("sec-fetch-mode", LH_HEADER_FETCH_MODE);
    assert_kind("Sec-Fetch-Dest", LH_HEADER_FETCH_DEST);
    assert_kind("Accept", LH_HEADER_ACCEPT);
    assert_kind("Access-Control-Request-Method", LH_HEADER_CORS_METHOD);
    assert_kind("Access-Control-Request-Headers", LH_HEADER_CORS_HEADERS);
}

/* A page of another site may set Sec_Fetch_Site; it must not be taken for the browser's own. */
static void test_header_kind__what_the_gate_reads_has_one_spelling(void **state)
{
    (void)state;
    assert_kind("Sec_Fetch_Site", LH_HEADER_PLAIN);
    assert_kind("Sec.Fetch.Site", LH_HEADER_PLAIN);
    assert_kind("Access_Control_Request_Method", LH_HEADER_PLAIN);
}

static void test_header_kind__others_are_plain(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "X",
        "X-",
        "X-T",
        "Host",
        "User-Agent",
        "Cookies",
        "Cooki",
        "X-Tenants-ID",
        "X-Tenant",
        "XTenantID",
        "X-Sessions",
        "X-User-Id2",
        "X-Group",
        "X-Groups-",
        "X-Forwarded-For",
        "Accept-Encoding",
        "Tenant-ID",
        "traceparent2",
        "X-Request-IDs",
        "Originate",
        " X-Tenant-ID",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_kind(names[i], LH_HEADER_PLAIN);
    }
}

static void test_header_kind__a_nul_does_not_end_the_name(void **state)
{
    (void)state;
    static const char name[] = "X-Tenant-ID\0";
    assert_int_equal(lh_gate_header_kind(lh_slice_of(name, sizeof(name) - 1)), LH_HEADER_MANAGED);
    static const char cookie[] = "Cookie\0x";
    assert_int_equal(lh_gate_header_kind(lh_slice_of(cookie, sizeof(cookie) - 1)), LH_HEADER_PLAIN);
}

static void test_is_managed__only_what_is_never_passed_on(void **state)
{
    (void)state;
    assert_true(lh_gate_is_managed(LH_HEADER_MANAGED));
    assert_true(lh_gate_is_managed(LH_HEADER_TENANT));
    assert_true(lh_gate_is_managed(LH_HEADER_REQUEST_ID));
    assert_true(lh_gate_is_managed(LH_HEADER_TRACEPARENT));
    assert_true(lh_gate_is_managed(LH_HEADER_TRACESTATE));
    assert_false(lh_gate_is_managed(LH_HEADER_PLAIN));
    assert_false(lh_gate_is_managed(LH_HEADER_COOKIE));
    assert_false(lh_gate_is_managed(LH_HEADER_AUTHORIZATION));
    assert_false(lh_gate_is_managed(LH_HEADER_ORIGIN));
    assert_false(lh_gate_is_managed(LH_HEADER_ACCEPT));
    assert_false(lh_gate_is_managed(LH_HEADER_CORS_METHOD));
    assert_false(lh_gate_is_managed(LH_HEADER_FETCH_SITE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_kind__our_own_headers_are_managed),
        cmocka_unit_test(test_header_kind__every_spelling_is_one_name),
        cmocka_unit_test(test_header_kind__what_the_gate_reads_is_known),
        cmocka_unit_test(test_header_kind__what_the_gate_reads_has_one_spelling),
        cmocka_unit_test(test_header_kind__others_are_plain),
        cmocka_unit_test(test_header_kind__a_nul_does_not_end_the_name),
        cmocka_unit_test(test_is_managed__only_what_is_never_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
