/*
 * Refusals. The decision brings status, body and headers; where the location has an error_page
 * for that status, or where only a part of a page is asked for (a subrequest), nginx makes the
 * answer as it does for its own errors.
 */
#include "ngx_http_leasehold.h"


static ngx_int_t ngx_http_leasehold_send(ngx_http_request_t *r, ngx_uint_t status,
    struct lh_decision *decision);


/* Whether nginx would redirect this status to an error page now. */
static ngx_uint_t
ngx_http_leasehold_has_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->error_page || clcf->error_pages == NULL || r->uri_changes == 0) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_leasehold_refuse(ngx_http_request_t *r, ngx_http_leasehold_verdict_t *verdict)
{
    ngx_int_t            rc;
    ngx_uint_t           status, was_answered;
    struct lh_decision  *decision;

    decision = &verdict->decision;
    status = decision->is_redirect && r == r->main ? NGX_HTTP_MOVED_TEMPORARILY
                                                   : decision->http_status;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "leasehold refuses: %ui %s \"%V\"",
                   status, lh_reason_name(decision->reason), &r->uri);

    was_answered = verdict->is_answered;

    /* a subrequest's headers go nowhere, but auth_request takes the challenge from them */
    if (r != r->main) {
        verdict->is_answered = 0;
    }

    if (ngx_http_leasehold_answer_headers(r, verdict) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r != r->main) {
        verdict->is_answered = was_answered ? 1 : 0;
    }

    if (r != r->main || ngx_http_leasehold_has_error_page(r, status)) {
        return (ngx_int_t) status;
    }

    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    rc = ngx_http_leasehold_send(r, status, decision);

    /* in PREACCESS no code that a handler may return means "answered": end the request here */
    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_leasehold_send(ngx_http_request_t *r, ngx_uint_t status, struct lh_decision *decision)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    r->err_status = 0;
    r->headers_out.status = status;
    r->headers_out.status_line.len = 0;
    r->headers_out.content_length_n = (off_t) decision->body.len;

    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    if (status == NGX_HTTP_MOVED_TEMPORARILY || decision->body.len == 0) {
        r->headers_out.content_length_n = 0;
        r->headers_out.content_type.len = 0;
        r->header_only = 1;
        return ngx_http_send_header(r);
    }

    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) (uintptr_t) decision->body.ptr;
    b->last = b->pos + decision->body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


static ngx_table_elt_t *
ngx_http_leasehold_answer_header(ngx_http_request_t *r, lh_slice name, lh_slice value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.data = (u_char *) (uintptr_t) name.ptr;
    h->key.len = name.len;
    h->value.data = (u_char *) (uintptr_t) value.ptr;
    h->value.len = value.len;
    h->lowcase_key = NULL;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}


static ngx_int_t
ngx_http_leasehold_retry_after(ngx_http_request_t *r, uint32_t seconds)
{
    u_char     *p;
    lh_slice    name = { (u_char *) "Retry-After", sizeof("Retry-After") - 1 };
    lh_slice    value;

    p = ngx_pnalloc(r->pool, NGX_INT32_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.ptr = p;
    value.len = (size_t) (ngx_sprintf(p, "%uD", seconds) - p);

    return ngx_http_leasehold_answer_header(r, name, value) ? NGX_OK : NGX_ERROR;
}


/* Location stays as it is: nginx would make it absolute from the client's Host. */
static ngx_int_t
ngx_http_leasehold_location(ngx_http_request_t *r, lh_slice location)
{
    lh_slice  name = { (u_char *) "Location", sizeof("Location") - 1 };

    return ngx_http_leasehold_answer_header(r, name, location) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_leasehold_answer_headers(ngx_http_request_t *r, ngx_http_leasehold_verdict_t *verdict)
{
    size_t               i;
    ngx_table_elt_t     *h;
    struct lh_decision  *decision;

    if (verdict->is_answered) {
        return NGX_OK;
    }

    verdict->is_answered = 1;
    decision = &verdict->decision;

    for (i = 0; i < decision->answer_count; i++) {
        h = ngx_http_leasehold_answer_header(r, decision->answer[i].name,
                                             decision->answer[i].value);
        if (h == NULL) {
            return NGX_ERROR;
        }

        /* auth_request and satisfy look for the challenge here */
        if (ngx_http_leasehold_is_named(h, "WWW-Authenticate")) {
            r->headers_out.www_authenticate = h;
        }
    }

    if (decision->retry_after_s
        && ngx_http_leasehold_retry_after(r, decision->retry_after_s) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (decision->http_status && decision->is_redirect) {
        return ngx_http_leasehold_location(r, decision->location);
    }

    return NGX_OK;
}
