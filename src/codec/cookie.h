/*
 * The Cookie request header (RFC 6265 §4.2.1), read strictly: pairs split at ";", SP and HTAB
 * trimmed, no decoding, no quoting, no $Version.
 */
#ifndef LH_CODEC_COOKIE_H
#define LH_CODEC_COOKIE_H

#include "base/slice.h"

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
 * One Cookie line made of chosen pairs, in memory of the caller's: what is left of one or more
 * Cookie headers when some pairs are taken out. Pairs stay byte-identical and are joined with
 * "; ", as RFC 9113 §8.2.3 joins several lines.
 */
struct lh_cookie_line {
    char *text; /* the caller's; room for lh_cookie_line_room of each header */
    size_t len;
};

/* Most bytes that the pairs of one header take in a line, with what separates them from others. */
size_t lh_cookie_line_room(lh_slice header_value);

/* Appends a pair. pair: the whole of a pair that lh_cookie_next gave. */
void lh_cookie_line_add(struct lh_cookie_line *line, lh_slice pair);

#endif
