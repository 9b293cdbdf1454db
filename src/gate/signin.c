/*
 * Where a person without a session is sent: only for what a browser opens as a page, for a script
 * could do nothing with a sign-in page. The way back is this request's own path, never a place
 * that the request names.
 */
#include "gate/call.h"

#include "base/banned.h"

/* Longer targets come back to the application's start page. */
#define RETURN_TO_MAX_BYTES 2048U
/* "%2F" */
#define ESCAPED_BYTES 3U

static bool is_token_of(lh_slice text, lh_slice token)
{
    return lh_slice_is_equal_nocase(lh_slice_trim(text), token);
}

/* Whether an Accept value names text/html, with whatever parameters. */
static bool is_html_accepted(lh_slice accept)
{
    while (accept.len > 0) {
        size_t end = lh_slice_find(accept, ',');
        lh_slice range = lh_slice_cut(accept, 0, end);
        if (is_token_of(lh_slice_cut(range, 0, lh_slice_find(range, ';')),
                        LH_SLICE_LITERAL("text/html"))) {
            return true;
        }
        accept = lh_slice_cut(accept, end + 1, accept.len);
    }
    return false;
}

/* Browsers since 2023 say it; older ones are known by what they accept. */
static bool is_navigation(const struct lh_gate_call *call)
{
    lh_slice mode, accept;
    if (!lh_slice_is_equal(call->request->method, LH_SLICE_LITERAL("GET")) ||
        call->request->is_upgrade) {
        return false;
    }
    lh_status status = lh_call_header(call, LH_HEADER_FETCH_MODE, &mode);
    if (status.code != LH_ABSENT) {
        return lh_is_ok(status) && lh_slice_is_equal(mode, LH_SLICE_LITERAL("navigate"));
    }
    return lh_is_ok(lh_call_header(call, LH_HEADER_ACCEPT, &accept)) && is_html_accepted(accept);
}

/* A path that a browser cannot take for another host ("//host", "/\host"). */
static bool is_safe_target(lh_slice target)
{
    return target.len > 0 && target.len <= RETURN_TO_MAX_BYTES && target.ptr[0] == '/' &&
           (target.len == 1 || (target.ptr[1] != '/' && target.ptr[1] != '\\'));
}

/* RFC 3986 §2.3. */
static bool is_unreserved(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

static size_t escape(lh_slice text, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (is_unreserved(text.ptr[i])) {
            out[len++] = (char)text.ptr[i];
        } else {
            out[len++] = '%';
            out[len++] = digits[text.ptr[i] >> 4];
            out[len++] = digits[text.ptr[i] & 15];
        }
    }
    return len;
}

static lh_status build_location(const struct lh_gate_call *call, lh_slice *out_location)
{
    lh_slice signin = call->policy->signin;
    lh_slice target = call->request->target;
    lh_slice name = lh_slice_find(signin, '?') < signin.len ? LH_SLICE_LITERAL("&return_to=")
                                                            : LH_SLICE_LITERAL("?return_to=");
    if (!is_safe_target(target)) {
        *out_location = signin;
        return lh_ok();
    }
    void *memory;
    LH_TRY(lh_call_alloc(call, signin.len + name.len + ESCAPED_BYTES * target.len, &memory));
    memcpy(memory, signin.ptr, signin.len);
    memcpy((char *)memory + signin.len, name.ptr, name.len);
    size_t len = signin.len + name.len;
    len += escape(target, (char *)memory + len);
    *out_location = lh_slice_of(memory, len);
    return lh_ok();
}

void lh_call_redirect_to_signin(struct lh_gate_call *call)
{
    struct lh_decision *decision = call->decision;
    lh_slice location;
    if (decision->http_status == 401 && call->policy->signin.len > 0 && is_navigation(call) &&
        lh_is_ok(build_location(call, &location))) {
        decision->is_redirect = true;
        decision->location = location;
        decision->body = LH_SLICE_EMPTY;
        decision->answer_count = 0; /* no challenge with a redirect */
    }
}
