/*
 * Host names as they come in a request or from configuration: ASCII LDH labels (RFC 1123),
 * lower-cased once, one trailing dot and a numeric port taken off. Anything else is malformed:
 * no IDNA mapping, no IPv6 literals, no numbers as last label, no percent-decoding.
 */
#ifndef LH_CODEC_HOSTNAME_H
#define LH_CODEC_HOSTNAME_H

#include "base/slice.h"

/* RFC 1035 §2.3.4, without the trailing dot. */
#define LH_HOSTNAME_MAX_BYTES 253U
#define LH_LABEL_MAX_BYTES    63U

struct lh_hostname {
    uint8_t len;
    char text[LH_HOSTNAME_MAX_BYTES];
};

/*
 * Reads "name[.][:port]".
 * raw  as the client sent it.
 * Errors: MALFORMED, TOO_LARGE, ABSENT (a plain IPv4 address: well-formed, but it names nobody).
 */
LH_MUST_USE lh_status lh_hostname_parse(lh_slice raw, struct lh_hostname *out_name);

static inline lh_slice lh_hostname_view(const struct lh_hostname *name)
{
    return lh_slice_of(name->text, name->len);
}

/*
 * Splits "<label>.<base>" at the label boundary.
 * base  a host name as lh_hostname_parse makes it.
 * out_label  exactly one label, a view into name.
 * Errors: ABSENT (name is not below base, or is base itself), MALFORMED (more than one label).
 */
LH_MUST_USE lh_status lh_hostname_label_below(const struct lh_hostname *name, lh_slice base,
                                              lh_slice *out_label);

#endif
