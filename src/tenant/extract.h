/*
 * Which tenant does this request speak of? Claims from host and X-Tenant-ID, judged before any
 * credential. What is present must agree; nothing is ever chosen silently.
 */
#ifndef LH_TENANT_EXTRACT_H
#define LH_TENANT_EXTRACT_H

#include "codec/hostname.h"
#include "tenant/tenant_id.h"

/* Where a tenant may come from, as bits. */
enum lh_tenant_source {
    LH_TENANT_FROM_SUBDOMAIN = 1U << 0, /* exactly one label below a base domain */
    LH_TENANT_FROM_HOST = 1U << 1,      /* exact host name registered as a tenant's domain */
    LH_TENANT_FROM_HEADER = 1U << 2,    /* X-Tenant-ID */
    LH_TENANT_FROM_CLAIM = 1U << 3      /* a verified token */
};

struct lh_tenant_sources {
    unsigned allowed;             /* bits of enum lh_tenant_source */
    const lh_slice *base_domains; /* for SUBDOMAIN; parsed host names */
    size_t base_domain_count;
};

/* What was found; not resolved and not proved. */
struct lh_tenant_hint {
    bool has_subdomain;
    bool has_host;
    bool has_header;
    struct lh_tenant_id from_subdomain;
    struct lh_hostname host; /* set with has_host */
    struct lh_tenant_id from_header;
};

/*
 * Reads the claims that the allowed sources make.
 *
 * Subdomain: exactly one label below a base domain, of several bases the longest that fits. A
 * base itself and a host elsewhere say nothing; two labels, or a label that is no tenant id, are
 * malformed. No host and an IPv4 address say nothing either; an IPv6 literal is malformed.
 *
 * Whether the claims agree is not decided here: texts may differ and yet, through an alias or a
 * domain, mean one tenant. The caller resolves each and compares uids. A host name that no tenant
 * has registered is no claim where another source speaks.
 *
 * raw_host      host of the request as the server routed it.
 * raw_headers   values of all X-Tenant-ID headers (every spelling), as sent.
 * out_hint      has at least one source set, unless allowed has CLAIM.
 * Errors: MALFORMED, DUPLICATE (X-Tenant-ID more than once or a list), ABSENT (no source present
 * and no credential may supply it). A header where HEADER is not allowed is not looked at.
 */
LH_MUST_USE lh_status lh_tenant_extract(const struct lh_tenant_sources *sources, lh_slice raw_host,
                                        const lh_slice *raw_headers, size_t raw_header_count,
                                        struct lh_tenant_hint *out_hint);

#endif
