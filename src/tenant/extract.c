/*
 * The claims that host and X-Tenant-ID make. Nothing is decoded, trimmed or repaired; a claim
 * that is there and is not well-formed ends the request, whatever another source says.
 */
#include "tenant/extract.h"

#include <arpa/inet.h>

#include "base/banned.h"

/* Longest address text, with the terminator that inet_pton needs. */
#define ADDRESS_TEXT_BYTES ((size_t)INET6_ADDRSTRLEN)

static bool is_address(lh_slice text, int family)
{
    char terminated[ADDRESS_TEXT_BYTES];
    uint8_t address[sizeof(struct in6_addr)];
    if (text.len == 0 || text.len >= sizeof(terminated) || lh_slice_find(text, 0) < text.len) {
        return false;
    }
    memcpy(terminated, text.ptr, text.len);
    terminated[text.len] = '\0';
    return inet_pton(family, terminated, address) == 1;
}

/* Nothing, or ":" and a port number. */
static bool is_port(lh_slice text)
{
    uint64_t port;
    return text.len == 0 ||
           (text.ptr[0] == ':' &&
            lh_is_ok(lh_slice_parse_u64(lh_slice_cut(text, 1, text.len), UINT16_MAX, &port)));
}

static bool is_ipv4_literal(lh_slice raw_host)
{
    size_t end = lh_slice_find(raw_host, ':');
    return is_address(lh_slice_cut(raw_host, 0, end), AF_INET) &&
           is_port(lh_slice_cut(raw_host, end, raw_host.len));
}

/* In brackets, RFC 3986 §3.2.2. */
static bool is_ipv6_literal(lh_slice raw_host)
{
    size_t end = lh_slice_find(raw_host, ']');
    return end > 0 && end < raw_host.len && raw_host.ptr[0] == '[' &&
           is_address(lh_slice_cut(raw_host, 1, end - 1), AF_INET6) &&
           is_port(lh_slice_cut(raw_host, end + 1, raw_host.len));
}

/*
 * The longest base domain that the host is or lies below: with example.com and eu.example.com,
 * acme.eu.example.com belongs to the second. Returns an empty slice if there is none.
 */
static lh_slice find_base(const struct lh_tenant_sources *sources, lh_slice host)
{
    lh_slice found = LH_SLICE_EMPTY;
    for (size_t i = 0; i < sources->base_domain_count; i++) {
        lh_slice base = sources->base_domains[i];
        bool is_at_label = host.len == base.len ||
                           (host.len > base.len && host.ptr[host.len - base.len - 1] == '.');
        if (base.len > found.len && is_at_label && lh_slice_has_suffix_nocase(host, base)) {
            found = base;
        }
    }
    return found;
}

static lh_status read_subdomain(const struct lh_tenant_sources *sources,
                                const struct lh_hostname *host, struct lh_tenant_hint *hint)
{
    lh_slice base = find_base(sources, lh_hostname_view(host));
    if (base.len == 0 || base.len == host->len) {
        return lh_ok();
    }
    lh_slice label;
    LH_TRY(lh_hostname_label_below(host, base, &label));
    LH_TRY(lh_tenant_id_parse(label, &hint->from_subdomain));
    hint->has_subdomain = true;
    return lh_ok();
}

/* A request without a host, or to an address, names no tenant there; a broken name is refused. */
static lh_status read_host(const struct lh_tenant_sources *sources, lh_slice raw_host,
                           struct lh_tenant_hint *hint)
{
    if (raw_host.len == 0 || is_ipv4_literal(raw_host) || is_ipv6_literal(raw_host)) {
        return lh_ok();
    }
    struct lh_hostname host;
    LH_ENSURE(lh_is_ok(lh_hostname_parse(raw_host, &host)), LH_MALFORMED);
    if ((sources->allowed & LH_TENANT_FROM_SUBDOMAIN) != 0) {
        LH_TRY(read_subdomain(sources, &host, hint));
    }
    if ((sources->allowed & LH_TENANT_FROM_HOST) != 0) {
        hint->host = host;
        hint->has_host = true;
    }
    return lh_ok();
}

/* Joined with a comma, two headers would look like one. */
static lh_status read_header(const lh_slice *raw_headers, size_t raw_header_count,
                             struct lh_tenant_hint *hint)
{
    if (raw_header_count == 0) {
        return lh_ok();
    }
    LH_ENSURE(raw_header_count == 1, LH_DUPLICATE);
    LH_ENSURE(lh_slice_find(raw_headers[0], ',') == raw_headers[0].len, LH_DUPLICATE);
    LH_TRY(lh_tenant_id_parse(raw_headers[0], &hint->from_header));
    hint->has_header = true;
    return lh_ok();
}

lh_status lh_tenant_extract(const struct lh_tenant_sources *sources, lh_slice raw_host,
                            const lh_slice *raw_headers, size_t raw_header_count,
                            struct lh_tenant_hint *out_hint)
{
    struct lh_tenant_hint hint = {.has_subdomain = false};
    if ((sources->allowed & (LH_TENANT_FROM_SUBDOMAIN | LH_TENANT_FROM_HOST)) != 0) {
        LH_TRY(read_host(sources, raw_host, &hint));
    }
    if ((sources->allowed & LH_TENANT_FROM_HEADER) != 0) {
        LH_TRY(read_header(raw_headers, raw_header_count, &hint));
    }
    LH_ENSURE(hint.has_subdomain || hint.has_host || hint.has_header ||
                  (sources->allowed & LH_TENANT_FROM_CLAIM) != 0,
              LH_ABSENT);
    *out_hint = hint;
    return lh_ok();
}
