/*
 * The Cookie headers, read in one pass: which cookie is the tenant's, and what is left when ours
 * are taken out.
 */
#include "gate/call.h"

#include "codec/cookie.h"

#include "base/banned.h"

/* Room for what is kept of all Cookie headers. */
static size_t count_room(const struct lh_request *request, size_t *out_headers)
{
    size_t room = 0;
    *out_headers = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (request->headers[i].kind == LH_HEADER_COOKIE) {
            room += lh_cookie_line_room(request->headers[i].value);
            ++*out_headers;
        }
    }
    return room;
}

static void note_ours(struct lh_call_cookies *cookies, const struct lh_cookie_pair *pair,
                      lh_slice suffixed_name)
{
    if (lh_slice_is_equal(pair->name, LH_SLICE_LITERAL(LH_COOKIE_NAME))) {
        cookies->plain = pair->value;
        cookies->plain_count++;
    } else if (lh_slice_is_equal(pair->name, suffixed_name)) {
        cookies->suffixed = pair->value;
        cookies->suffixed_count++;
    }
}

static void read_header(struct lh_gate_call *call, lh_slice value, lh_slice suffixed_name,
                        struct lh_cookie_line *kept)
{
    struct lh_cookie_walk walk = lh_cookie_walk_over(value);
    struct lh_cookie_pair pair;
    while (lh_cookie_next(&walk, &pair)) {
        if ((call->policy->credentials & LH_GATE_CREDENTIAL_COOKIE) != 0 &&
            lh_cookie_is_ours(pair.name)) {
            note_ours(&call->cookies, &pair, suffixed_name);
        } else {
            lh_cookie_line_add(kept, pair.whole);
        }
    }
}

lh_status lh_call_read_cookies(struct lh_gate_call *call, lh_slice suffixed_name)
{
    memset(&call->cookies, 0, sizeof(call->cookies));
    size_t headers;
    size_t room_bytes = count_room(call->request, &headers);
    if (headers == 0) {
        return lh_ok();
    }
    void *room;
    LH_TRY(lh_call_alloc(call, room_bytes, &room));
    struct lh_cookie_line kept = {.text = room};
    for (size_t i = 0; i < call->request->header_count; i++) {
        if (call->request->headers[i].kind == LH_HEADER_COOKIE) {
            read_header(call, call->request->headers[i].value, suffixed_name, &kept);
        }
    }
    call->cookies.rest = lh_slice_of(kept.text, kept.len);
    return lh_ok();
}
