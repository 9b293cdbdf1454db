/*
 * The Cookie header as a walk over pairs. What it does not do is the point: no quoting, no
 * escapes, no $Version, no percent or Unicode decoding, each of which lets one side see a cookie
 * that the other does not.
 */
#include "codec/cookie.h"

#include "base/banned.h"

/* Cuts what is before the next ";" off the front. */
static lh_slice take_pair(lh_slice *rest)
{
    size_t end = lh_slice_find(*rest, ';');
    lh_slice pair = lh_slice_cut(*rest, 0, end);
    *rest = lh_slice_cut(*rest, end + 1, rest->len);
    return lh_slice_trim(pair);
}

bool lh_cookie_next(struct lh_cookie_walk *walk, struct lh_cookie_pair *out_pair)
{
    while (walk->rest.len > 0) {
        lh_slice whole = take_pair(&walk->rest);
        if (whole.len == 0) {
            continue;
        }
        size_t equals = lh_slice_find(whole, '=');
        bool is_named = equals < whole.len;
        out_pair->whole = whole;
        out_pair->name = is_named ? lh_slice_trim(lh_slice_cut(whole, 0, equals)) : LH_SLICE_EMPTY;
        out_pair->value = is_named ? lh_slice_cut(whole, equals + 1, whole.len) : LH_SLICE_EMPTY;
        return true;
    }
    return false;
}

static lh_status add_kept(lh_slice header_value, bool (*is_dropped)(lh_slice name, void *context),
                          void *context, struct lh_buf *out)
{
    struct lh_cookie_walk walk = lh_cookie_walk_over(header_value);
    struct lh_cookie_pair pair;
    while (lh_cookie_next(&walk, &pair)) {
        if (is_dropped(pair.name, context)) {
            continue;
        }
        if (out->len > 0) {
            LH_TRY(lh_buf_add(out, LH_SLICE_LITERAL("; ")));
        }
        LH_TRY(lh_buf_add(out, pair.whole));
    }
    return lh_ok();
}

lh_status lh_cookie_filter(lh_slice header_value, bool (*is_dropped)(lh_slice name, void *context),
                           void *context, struct lh_buf *out)
{
    size_t len_before = out->len;
    lh_status status = add_kept(header_value, is_dropped, context, out);
    if (!lh_is_ok(status)) {
        out->len = len_before;
    }
    return status;
}
