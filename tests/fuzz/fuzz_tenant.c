/*
 * Tenant ids and the claims of a request. An input is one byte of allowed sources, then lines: the
 * host, and the values of up to three X-Tenant-ID headers. What is accepted is what was sent, in
 * lower case and nothing else; and no claim comes from a source that is not allowed.
 */
#include "fuzz.h"

#include "tenant/extract.h"

#define HEADERS_MAX 3U
#define ALL_SOURCES                                                                                \
    (LH_TENANT_FROM_SUBDOMAIN | LH_TENANT_FROM_HOST | LH_TENANT_FROM_HEADER | LH_TENANT_FROM_CLAIM)

static const char *const base_texts[] = {"example.com", "eu.example.com", "localtest.example"};
#define BASE_COUNT (sizeof(base_texts) / sizeof(base_texts[0]))

static void check_grammar(lh_slice id)
{
    FUZZ_CHECK(id.len >= LH_TENANT_ID_MIN_BYTES && id.len <= LH_TENANT_ID_MAX_BYTES);
    for (size_t i = 0; i < id.len; i++) {
        uint8_t byte = id.ptr[i];
        FUZZ_CHECK((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-');
    }
}

static void check_id(lh_slice raw)
{
    struct lh_tenant_id id, again, fresh;
    lh_status status = lh_tenant_id_parse(raw, &id);
    lh_status fresh_status = lh_tenant_id_parse_new(raw, &fresh);
    if (!lh_is_ok(status)) {
        FUZZ_CHECK(status.code == LH_MALFORMED && fresh_status.code == LH_MALFORMED);
        return;
    }
    lh_slice view = lh_tenant_id_view(&id);
    check_grammar(view);
    FUZZ_CHECK(lh_slice_is_equal_nocase(view, raw));
    FUZZ_CHECK(lh_is_ok(lh_tenant_id_parse(view, &again)) && lh_tenant_id_is_equal(&id, &again));
    if (lh_is_ok(fresh_status)) {
        FUZZ_CHECK(lh_tenant_id_is_equal(&id, &fresh));
        FUZZ_CHECK(view.ptr[0] != '-' && view.ptr[view.len - 1] != '-');
        FUZZ_CHECK(!lh_slice_has_prefix(view, LH_SLICE_LITERAL("xn--")));
        FUZZ_CHECK(lh_tenant_id_reserved_reason(&id) == NULL);
    }
}

static void check_uid(lh_slice raw)
{
    struct lh_tenant_uid uid;
    char text[LH_TENANT_UID_TEXT_BYTES];
    if (lh_is_ok(lh_tenant_uid_parse(raw, &uid))) {
        lh_tenant_uid_write(&uid, text);
        FUZZ_CHECK(lh_slice_is_equal(raw, LH_SLICE_OF(text)));
    }
}

/* The host is the id, a dot and one of the bases. */
static void check_subdomain(const struct lh_tenant_hint *hint, lh_slice raw_host)
{
    struct lh_hostname host;
    size_t matches = 0;
    lh_slice id = lh_tenant_id_view(&hint->from_subdomain);
    FUZZ_CHECK(lh_is_ok(lh_hostname_parse(raw_host, &host)));
    lh_slice view = lh_hostname_view(&host);
    FUZZ_CHECK(lh_slice_has_prefix(view, id) && view.len > id.len && view.ptr[id.len] == '.');
    for (size_t i = 0; i < BASE_COUNT; i++) {
        matches += lh_slice_is_equal(lh_slice_cut(view, id.len + 1, view.len),
                                     lh_slice_from_text(base_texts[i]));
    }
    FUZZ_CHECK(matches == 1);
    check_grammar(id);
}

static void check_hint(unsigned allowed, const struct lh_tenant_hint *hint, lh_slice raw_host,
                       const lh_slice *raw_headers, size_t raw_header_count)
{
    FUZZ_CHECK(!hint->has_subdomain || (allowed & LH_TENANT_FROM_SUBDOMAIN) != 0);
    FUZZ_CHECK(!hint->has_host || (allowed & LH_TENANT_FROM_HOST) != 0);
    FUZZ_CHECK(hint->has_header ==
               ((allowed & LH_TENANT_FROM_HEADER) != 0 && raw_header_count == 1));
    FUZZ_CHECK(hint->has_subdomain || hint->has_host || hint->has_header ||
               (allowed & LH_TENANT_FROM_CLAIM) != 0);
    if (hint->has_subdomain) {
        check_subdomain(hint, raw_host);
    }
    if (hint->has_header) {
        check_grammar(lh_tenant_id_view(&hint->from_header));
        FUZZ_CHECK(lh_slice_is_equal_nocase(lh_tenant_id_view(&hint->from_header), raw_headers[0]));
    }
}

static void check_request(unsigned allowed, lh_slice raw_host, const lh_slice *raw_headers,
                          size_t raw_header_count)
{
    lh_slice bases[BASE_COUNT];
    for (size_t i = 0; i < BASE_COUNT; i++) {
        bases[i] = lh_slice_from_text(base_texts[i]);
    }
    const struct lh_tenant_sources sources = {allowed, bases, BASE_COUNT};
    struct lh_tenant_hint hint;
    lh_status status = lh_tenant_extract(&sources, raw_host, raw_headers, raw_header_count, &hint);
    if (lh_is_ok(status)) {
        check_hint(allowed, &hint, raw_host, raw_headers, raw_header_count);
    } else {
        FUZZ_CHECK(status.code == LH_MALFORMED || status.code == LH_DUPLICATE ||
                   status.code == LH_ABSENT);
    }
}

static lh_slice take_line(lh_slice *rest)
{
    size_t end = lh_slice_find(*rest, '\n');
    lh_slice line = lh_slice_cut(*rest, 0, end);
    *rest = lh_slice_cut(*rest, end + 1, rest->len);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    lh_slice rest = lh_slice_of(bytes + 1, len - 1);
    lh_slice host = take_line(&rest);
    lh_slice headers[HEADERS_MAX];
    size_t count = 0;
    while (rest.len > 0 && count < HEADERS_MAX) {
        headers[count] = take_line(&rest);
        check_id(headers[count]);
        check_uid(headers[count]);
        count++;
    }
    check_request(bytes[0] & ALL_SOURCES, host, headers, count);
    return 0;
}
