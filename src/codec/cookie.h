/*
 * The Cookie request header (RFC 6265 §4.2.1), read strictly: pairs split at ";", SP and HTAB
 * trimmed, no decoding, no quoting, no $Version.
 */
#ifndef LH_CODEC_COOKIE_H
#define LH_CODEC_COOKIE_H

#include "base/buf.h"

/* Walks the pairs of one Cookie header value. */
struct lh_cookie_walk {
    lh_slice rest;
};

struct lh_cookie_pair {
    lh_slice whole; /* the pair as sent, trimmed */
    lh_slice name;  /* before the first "=", trimmed; empty for a pair without "=" or with nothing
                       before it */
    lh_slice value; /* everything after the first "=", as sent */
};

static inline struct lh_cookie_walk lh_cookie_walk_over(lh_slice header_value)
{
    return (struct lh_cookie_walk){header_value};
}

/* The next pair that is not empty. returns: false at the end. */
bool lh_cookie_next(struct lh_cookie_walk *walk, struct lh_cookie_pair *out_pair);

/*
 * Appends header_value without the pairs that is_dropped names; the others stay byte-identical
 * and keep their order, joined with "; ", also to what out holds already: one call per Cookie
 * line makes the one line that RFC 9113 §8.2.3 asks for.
 * is_dropped  judges a cookie name, which may be empty; context is passed on.
 * Errors: TOO_LARGE, NO_MEMORY; out is then as long as before.
 */
LH_MUST_USE lh_status lh_cookie_filter(lh_slice header_value,
                                       bool (*is_dropped)(lh_slice name, void *context),
                                       void *context, struct lh_buf *out);

#endif
