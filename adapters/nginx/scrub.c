/*
 * Request headers. What a client sends under a managed name is noted for the gate and never
 * reaches an upstream; what reaches it is what the verdict of the present location says. Each
 * location starts again from the client's headers, so nothing of another location's decision is
 * left behind, and a subrequest has a list of its own, so that it cannot disturb its parent.
 */
#include "ngx_http_leasehold.h"


/* What is put into a request: the decision's headers, a Cookie and an Authorization. */
#define NGX_HTTP_LEASEHOLD_EXTRA_MAX  (LH_DECISION_INJECT_MAX + 2)


static ngx_str_t  ngx_http_leasehold_cookie_name = ngx_string("Cookie");

static ngx_int_t ngx_http_leasehold_replace_host(ngx_http_leasehold_record_t *record);
static ngx_http_leasehold_taken_t *ngx_http_leasehold_collect(ngx_http_request_t *r,
    ngx_uint_t *out_count, ngx_uint_t *out_managed);
static ngx_int_t ngx_http_leasehold_note(ngx_http_leasehold_record_t *record);
static ngx_int_t ngx_http_leasehold_restore(ngx_http_leasehold_visit_t *visit);
static ngx_int_t ngx_http_leasehold_inject(ngx_http_leasehold_visit_t *visit,
    struct lh_decision *decision);


static enum lh_header_kind
ngx_http_leasehold_kind(ngx_table_elt_t *element)
{
    return lh_gate_header_kind(ngx_http_leasehold_slice(element->key));
}


static ngx_uint_t
ngx_http_leasehold_is_managed(ngx_table_elt_t *element)
{
    return lh_gate_is_managed(ngx_http_leasehold_kind(element));
}


/* What each location writes anew. */
static ngx_uint_t
ngx_http_leasehold_is_ours(ngx_table_elt_t *element)
{
    return ngx_http_leasehold_is_written(ngx_http_leasehold_kind(element));
}


ngx_int_t
ngx_http_leasehold_scrub(ngx_http_leasehold_record_t *record)
{
    ngx_uint_t           managed;
    ngx_http_request_t  *r;

    r = record->main;

    record->taken = ngx_http_leasehold_collect(r, &record->taken_count, &managed);
    if (record->taken_count && record->taken == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_leasehold_note(record) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_leasehold_scrub_connections(r) != NGX_OK
        || ngx_http_leasehold_replace_host(record) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (managed == 0) {
        return NGX_OK;
    }

    return ngx_http_leasehold_list_rebuild(&r->headers_in.headers, r->pool,
                                           ngx_http_leasehold_is_managed, NULL, 0, NULL);
}


/*
 * "GET http://b/ HTTP/1.1" with "Host: a" is a request for b, and a Host header that goes on to an
 * upstream ($http_host, HTTP_HOST of FastCGI and its like) must say so (RFC 9112 section 3.2.2):
 * otherwise a service that looks at it would serve one tenant with the session of another.
 */
static ngx_int_t
ngx_http_leasehold_replace_host(ngx_http_leasehold_record_t *record)
{
    u_char              *p;
    ngx_str_t            host;
    lh_slice             authority;
    ngx_http_request_t  *r;

    r = record->main;
    authority = record->request.authority;

    if (r->headers_in.host == NULL || r->host_start == NULL || authority.ptr != r->host_start) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, authority.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    host.data = p;
    host.len = authority.len;
    p = ngx_cpymem(p, authority.ptr, authority.len);
    *p = '\0';

    r->headers_in.host->value = host;

    return NGX_OK;
}


/* All headers that concern the gate, in order. */
static ngx_http_leasehold_taken_t *
ngx_http_leasehold_collect(ngx_http_request_t *r, ngx_uint_t *out_count, ngx_uint_t *out_managed)
{
    ngx_uint_t                   i;
    ngx_list_part_t             *part;
    ngx_table_elt_t             *element;
    ngx_array_t                  found;
    enum lh_header_kind          kind;
    ngx_http_leasehold_taken_t  *taken;

    found.elts = NULL;
    found.nelts = 0;
    *out_count = 0;
    *out_managed = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        element = part->elts;

        for (i = 0; i < part->nelts; i++) {
            kind = ngx_http_leasehold_kind(&element[i]);
            if (kind == LH_HEADER_PLAIN) {
                continue;
            }

            if (found.elts == NULL
                && ngx_array_init(&found, r->pool, 8, sizeof(ngx_http_leasehold_taken_t))
                   != NGX_OK)
            {
                *out_count = 1;
                return NULL;
            }

            taken = ngx_array_push(&found);
            if (taken == NULL) {
                *out_count = 1;
                return NULL;
            }

            taken->kind = kind;
            taken->element = &element[i];
            *out_managed += lh_gate_is_managed(kind);
        }
    }

    *out_count = found.nelts;

    return found.elts;
}


/* The same as the gate reads it. */
static ngx_int_t
ngx_http_leasehold_note(ngx_http_leasehold_record_t *record)
{
    ngx_uint_t  i, count;

    count = ngx_min(record->taken_count, LH_REQUEST_HEADERS_MAX);

    for (i = 0; i < record->taken_count; i++) {
        record->signature_count += record->taken[i].kind == LH_HEADER_SIGNATURE;
    }

    record->request.has_too_many_headers = record->taken_count > count;
    record->request.header_count = count;

    if (count == 0) {
        return NGX_OK;
    }

    record->headers = ngx_palloc(record->main->pool, count * sizeof(struct lh_request_header));
    if (record->headers == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < count; i++) {
        record->headers[i].kind = record->taken[i].kind;
        record->headers[i].value = ngx_http_leasehold_slice(record->taken[i].element->value);
    }

    record->request.headers = record->headers;

    return NGX_OK;
}


ngx_int_t
ngx_http_leasehold_own_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_t        own;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *element, *copy;

    if (ngx_list_init(&own, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        element = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_leasehold_is_ours(&element[i])) {
                continue;
            }

            copy = ngx_list_push(&own);
            if (copy == NULL) {
                return NGX_ERROR;
            }
            *copy = element[i];
        }
    }

    r->headers_in.headers = own;
    if (own.last == &own.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_leasehold_apply(ngx_http_leasehold_visit_t *visit, ngx_http_leasehold_verdict_t *verdict)
{
    ngx_int_t  rc;

    if (visit->applied == verdict) {
        return NGX_OK;
    }

    if (verdict->policy->scrub) {
        rc = ngx_http_leasehold_inject(visit, &verdict->decision);

    } else {
        rc = ngx_http_leasehold_restore(visit);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_leasehold_forget_header_variables(visit->request);
    visit->applied = verdict;

    return NGX_OK;
}


/* nginx keeps pointers to the Cookie headers beside the list. */
static ngx_int_t
ngx_http_leasehold_set_cookies(ngx_http_request_t *r, ngx_table_elt_t *elements, ngx_uint_t count)
{
#if (nginx_version >= 1023000)
    ngx_uint_t         i;
    ngx_table_elt_t  **next;

    next = &r->headers_in.cookie;

    for (i = 0; i < count; i++) {
        if (ngx_http_leasehold_kind(&elements[i]) == LH_HEADER_COOKIE) {
            *next = &elements[i];
            next = &elements[i].next;
        }
    }

    *next = NULL;

    return NGX_OK;
#else
    ngx_uint_t         i;
    ngx_array_t        cookies;
    ngx_table_elt_t  **cookie;

    /* a subrequest shares the array's memory with its parent: begin a new one */
    if (ngx_array_init(&cookies, r->pool, 1, sizeof(ngx_table_elt_t *)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < count; i++) {
        if (ngx_http_leasehold_kind(&elements[i]) != LH_HEADER_COOKIE) {
            continue;
        }

        cookie = ngx_array_push(&cookies);
        if (cookie == NULL) {
            return NGX_ERROR;
        }
        *cookie = &elements[i];
    }

    r->headers_in.cookies = cookies;

    return NGX_OK;
#endif
}


/* The client's Authorization, or NULL; nginx has refused a second one. */
static ngx_table_elt_t *
ngx_http_leasehold_authorization(ngx_http_leasehold_record_t *record)
{
    ngx_uint_t  i;

    for (i = 0; i < record->taken_count; i++) {
        if (record->taken[i].kind == LH_HEADER_AUTHORIZATION) {
            return record->taken[i].element;
        }
    }

    return NULL;
}


/* leasehold_scrub off: the request as the client sent it. */
static ngx_int_t
ngx_http_leasehold_restore(ngx_http_leasehold_visit_t *visit)
{
    ngx_uint_t                    i, count;
    ngx_table_elt_t              *elements, *first;
    ngx_http_request_t           *r;
    ngx_http_leasehold_record_t  *record;

    r = visit->request;
    record = visit->record;

    elements = ngx_palloc(r->pool, (record->taken_count + 1) * sizeof(ngx_table_elt_t));
    if (elements == NULL) {
        return NGX_ERROR;
    }

    count = 0;

    for (i = 0; i < record->taken_count; i++) {
        if (ngx_http_leasehold_is_ours(record->taken[i].element)) {
            elements[count++] = *record->taken[i].element;
        }
    }

    if (ngx_http_leasehold_list_rebuild(&r->headers_in.headers, r->pool,
                                        ngx_http_leasehold_is_ours, elements, count, &first)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_in.authorization = ngx_http_leasehold_authorization(record);

    return ngx_http_leasehold_set_cookies(r, first, count);
}


/* Room for what is put in: a stack's, or more where a client's signatures are put in again. */
static ngx_table_elt_t *
ngx_http_leasehold_room(ngx_http_leasehold_visit_t *visit, struct lh_decision *decision,
    ngx_table_elt_t *some)
{
    ngx_uint_t  count;

    count = decision->is_signature_cut ? 0 : visit->record->signature_count;

    return count ? ngx_palloc(visit->request->pool,
                              (NGX_HTTP_LEASEHOLD_EXTRA_MAX + count) * sizeof(ngx_table_elt_t))
                 : some;
}


/* Appends the client's headers of signatures. returns: how many elements there are now. */
static ngx_uint_t
ngx_http_leasehold_add_signatures(ngx_http_leasehold_record_t *record, ngx_table_elt_t *elements,
    ngx_uint_t count)
{
    ngx_uint_t  i;

    for (i = 0; i < record->taken_count; i++) {
        if (record->taken[i].kind == LH_HEADER_SIGNATURE) {
            elements[count++] = *record->taken[i].element;
        }
    }

    return count;
}


static ngx_int_t
ngx_http_leasehold_inject(ngx_http_leasehold_visit_t *visit, struct lh_decision *decision)
{
    size_t               i;
    lh_slice             name;
    ngx_uint_t           count;
    ngx_table_elt_t      some[NGX_HTTP_LEASEHOLD_EXTRA_MAX], *elements, *authorization, *first;
    ngx_http_request_t  *r;

    r = visit->request;
    count = 0;
    first = NULL;

    elements = ngx_http_leasehold_room(visit, decision, some);
    if (elements == NULL) {
        return NGX_ERROR;
    }

    if (decision->has_cookie) {
        name = ngx_http_leasehold_slice(ngx_http_leasehold_cookie_name);
        if (ngx_http_leasehold_fill(r, &elements[count++], name, decision->cookie) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    authorization = decision->is_authorization_cut
                    ? NULL : ngx_http_leasehold_authorization(visit->record);
    if (authorization) {
        elements[count++] = *authorization;
    }

    if (elements != some) {
        count = ngx_http_leasehold_add_signatures(visit->record, elements, count);
    }

    /* what modules look at, as long-lived as the request, whichever list has a copy */
    r->headers_in.authorization = authorization;

    for (i = 0; i < decision->inject_count; i++) {
        if (ngx_http_leasehold_fill(r, &elements[count++], decision->inject[i].name,
                                    decision->inject[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_leasehold_list_rebuild(&r->headers_in.headers, r->pool,
                                        ngx_http_leasehold_is_ours, elements, count, &first)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_leasehold_set_cookies(r, first, decision->has_cookie ? 1 : 0);
}
