/*
 * Which pages may use a browser's cookie: requests that change something, and upgrades, must come
 * from the page's own origin or a listed one. What the browser says about itself (Sec-Fetch-Site)
 * counts first, for no page can write it.
 */
#include "gate/call.h"

#include "base/banned.h"

#define HTTP_PORT  80U
#define HTTPS_PORT 443U

/* RFC 9110 §9.2.1. */
static bool is_safe_method(lh_slice method)
{
    return lh_slice_is_equal(method, LH_SLICE_LITERAL("GET")) ||
           lh_slice_is_equal(method, LH_SLICE_LITERAL("HEAD")) ||
           lh_slice_is_equal(method, LH_SLICE_LITERAL("OPTIONS")) ||
           lh_slice_is_equal(method, LH_SLICE_LITERAL("TRACE"));
}

/* host[:port] split; port 0 when none is given. Errors: MALFORMED. */
struct endpoint {
    lh_slice host;
    uint64_t port;
};

static lh_status parse_endpoint(lh_slice text, struct endpoint *out_endpoint)
{
    bool is_bracketed = text.len > 0 && text.ptr[0] == '[';
    size_t close = is_bracketed ? lh_slice_find(text, ']') : 0;
    lh_slice behind = lh_slice_cut(text, close, text.len);
    size_t colon = close + lh_slice_find(behind, ':');
    struct endpoint endpoint = {lh_slice_cut(text, 0, colon), 0};
    LH_ENSURE(endpoint.host.len > 0, LH_MALFORMED);
    if (colon < text.len) {
        lh_slice port = lh_slice_cut(text, colon + 1, text.len);
        LH_TRY(lh_slice_parse_u64(port, UINT16_MAX, &endpoint.port));
        LH_ENSURE(endpoint.port > 0, LH_MALFORMED);
    }
    *out_endpoint = endpoint;
    return lh_ok();
}

/* Splits "scheme://host[:port]"; the port is the scheme's where none is given. */
static lh_status parse_origin(lh_slice origin, struct endpoint *out_endpoint)
{
    static const struct {
        const char *prefix;
        uint64_t port;
    } schemes[] = {{"https://", HTTPS_PORT}, {"http://", HTTP_PORT}};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        lh_slice prefix = lh_slice_from_text(schemes[i].prefix);
        if (lh_slice_is_equal_nocase(lh_slice_cut(origin, 0, prefix.len), prefix)) {
            LH_TRY(parse_endpoint(lh_slice_cut(origin, prefix.len, origin.len), out_endpoint));
            if (out_endpoint->port == 0) {
                out_endpoint->port = schemes[i].port;
            }
            return lh_ok();
        }
    }
    return lh_status_of(LH_MALFORMED);
}

/*
 * Whether the origin's host and port are those that the request was sent to. Over plain HTTP a
 * request without port may have come through a TLS terminator: then either scheme's port is ours.
 */
static bool is_own_origin(const struct lh_request *request, lh_slice origin)
{
    struct endpoint theirs, ours;
    if (!lh_is_ok(parse_origin(origin, &theirs)) ||
        !lh_is_ok(parse_endpoint(request->authority, &ours)) ||
        !lh_slice_is_equal_nocase(theirs.host, ours.host)) {
        return false;
    }
    if (ours.port == 0 && !request->is_tls) {
        return theirs.port == HTTP_PORT || theirs.port == HTTPS_PORT;
    }
    return theirs.port == (ours.port == 0 ? HTTPS_PORT : ours.port);
}

bool lh_origin_is_listed(const struct lh_gate_list *list, lh_slice origin)
{
    for (size_t i = 0; i < list->count; i++) {
        if (lh_slice_is_equal_nocase(list->items[i], origin)) {
            return true;
        }
    }
    return false;
}

static bool is_same_site_for_browser(lh_slice fetch_site)
{
    return lh_slice_is_equal(fetch_site, LH_SLICE_LITERAL("same-origin")) ||
           lh_slice_is_equal(fetch_site, LH_SLICE_LITERAL("none"));
}

static bool is_from_allowed_page(const struct lh_gate_call *call)
{
    const struct lh_gate_policy *policy = call->policy;
    lh_slice origin, fetch_site;
    lh_status has_origin = lh_call_header(call, LH_HEADER_ORIGIN, &origin);
    lh_status has_fetch_site = lh_call_header(call, LH_HEADER_FETCH_SITE, &fetch_site);
    if (has_origin.code == LH_DUPLICATE || has_fetch_site.code == LH_DUPLICATE) {
        return false;
    }
    if (lh_is_ok(has_origin) && policy->origin == LH_GATE_ORIGIN_LIST &&
        lh_origin_is_listed(&policy->origins, origin)) {
        return true;
    }
    if (lh_is_ok(has_fetch_site)) {
        return is_same_site_for_browser(fetch_site);
    }
    return lh_is_ok(has_origin) && is_own_origin(call->request, origin);
}

bool lh_call_is_origin_allowed(const struct lh_gate_call *call)
{
    bool is_judged = call->policy->origin != LH_GATE_ORIGIN_OFF &&
                     (call->request->is_upgrade || !is_safe_method(call->request->method));
    return !is_judged || is_from_allowed_page(call);
}
