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

size_t lh_cookie_line_room(lh_slice header_value)
{
    /* At worst each pair is one byte, and each ";" behind one grows to "; ". */
    return header_value.len + header_value.len / 2 + 2;
}

void lh_cookie_line_add(struct lh_cookie_line *line, lh_slice pair)
{
    if (line->len > 0) {
        memcpy(line->text + line->len, "; ", 2);
        line->len += 2;
    }
    memcpy(line->text + line->len, pair.ptr, pair.len);
    line->len += pair.len;
}
