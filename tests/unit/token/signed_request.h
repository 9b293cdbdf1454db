/*
 * A request as tests write it: a method, a target and a list of header lines.
 */
#ifndef LH_TESTS_TOKEN_SIGNED_REQUEST_H
#define LH_TESTS_TOKEN_SIGNED_REQUEST_H

#include "support/test.h"

#include "token/http_signature.h"

#define REQUEST_HEADERS_MAX 24

struct test_header {
    const char *name;
    const char *value;
};

/* Ends with a header without a name. */
struct test_request {
    const char *method;
    const char *scheme;
    const char *authority;
    const char *target;
    bool has_body;
    struct test_header headers[REQUEST_HEADERS_MAX];
};

/* Appends a header. */
static inline void add_header(struct test_request *request, const char *name, const char *value)
{
    size_t count = 0;
    while (request->headers[count].name != NULL) {
        count++;
    }
    assert_true(count + 1 < REQUEST_HEADERS_MAX);
    request->headers[count] = (struct test_header){name, value};
}

/* Puts another value into the first header of that name. */
static inline void set_header(struct test_request *request, const char *name, const char *value)
{
    struct test_header *header = request->headers;
    while (header->name != NULL && strcmp(header->name, name) != 0) {
        header++;
    }
    assert_non_null(header->name);
    header->value = value;
}

static inline bool next_test_value(void *headers, lh_slice name, size_t *position,
                                   lh_slice *out_value)
{
    const struct test_header *list = headers;
    while (list[*position].name != NULL) {
        const struct test_header *header = &list[(*position)++];
        if (lh_slice_is_equal_nocase(lh_slice_from_text(header->name), name)) {
            *out_value = lh_slice_from_text(header->value);
            return true;
        }
    }
    return false;
}

/* The request as the library sees it; borrows it. */
static inline struct lh_signed_request signed_request_of(struct test_request *request)
{
    return (struct lh_signed_request){
        .method = lh_slice_from_text(request->method),
        .scheme = lh_slice_from_text(request->scheme),
        .authority = lh_slice_from_text(request->authority),
        .target = lh_slice_from_text(request->target),
        .has_body = request->has_body,
        .next_value = next_test_value,
        .headers = request->headers,
    };
}

#endif
