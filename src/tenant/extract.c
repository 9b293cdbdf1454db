/*
 * The claims that host and X-Tenant-ID make. Nothing is decoded, trimmed or repaired; a claim
 * that is there and is not well-formed ends the request, whatever another source says.
 */
#include "tenant/extract.h"

#include "base/banned.h"

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

/* A request without a host, or to an IPv4 address, names no tenant; a broken name is refused. */
static lh_status read_host(const struct lh_tenant_sources *sources, lh_slice raw_host,
                           struct lh_tenant_hint *hint)
{
    struct lh_hostname host;
    lh_status status =
        raw_host.len == 0 ? lh_status_of(LH_ABSENT) : lh_hostname_parse(raw_host, &host);
    if (status.code == LH_ABSENT) {
        return lh_ok();
    }
    LH_ENSURE(lh_is_ok(status), LH_MALFORMED);
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
