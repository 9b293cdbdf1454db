/*
 * The values of one header of a request, gathered. For the files that read signatures.
 */
#ifndef LH_TOKEN_REQUEST_LINES_H
#define LH_TOKEN_REQUEST_LINES_H

#include "token/http_signature.h"

struct lh_request_lines {
    lh_slice lines[LH_HTTP_SIGNATURE_LINES_MAX];
    size_t count;
};

/*
 * Gathers the lines of a header, in order.
 * name  lower case. Errors: ABSENT, TOO_LARGE (more than LH_HTTP_SIGNATURE_LINES_MAX).
 */
LH_MUST_USE lh_status lh_request_lines_gather(const struct lh_signed_request *request,
                                              lh_slice name, struct lh_request_lines *out_lines);

#endif
