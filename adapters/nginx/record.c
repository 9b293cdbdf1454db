/*
 * What is remembered of a client's request. nginx forgets module contexts at every internal
 * redirect, and a subrequest has contexts of its own; the pool is the one thing that all of them
 * share. So the record hangs on a pool cleanup, where it is found again, and the contexts are only
 * a short way to it.
 */
#include "ngx_http_leasehold.h"


/* Marks our entry among the pool's cleanups. Memory goes with the pool: nothing to do. */
static void
ngx_http_leasehold_record_mark(void *record)
{
    (void) record;
}


static void *
ngx_http_leasehold_alloc(void *memory, size_t len)
{
    return ngx_palloc(memory, len);
}


/* host[:port] as the client named it: of the request line where it is absolute, else of Host. */
static lh_slice
ngx_http_leasehold_authority(ngx_http_request_t *r)
{
    u_char    *end;
    lh_slice   authority = { NULL, 0 };

    if (r->host_start && r->host_end) {
        end = r->port_end ? r->port_end : r->host_end;
        authority.ptr = r->host_start;
        authority.len = (size_t) (end - r->host_start);

    } else if (r->headers_in.host) {
        authority = ngx_http_leasehold_slice(r->headers_in.host->value);
    }

    return authority;
}


/*
 * The next value of a header as the client sent it: of those that concern the gate from where they
 * were parsed, of others from the list, in which no location changes them.
 */
static bool
ngx_http_leasehold_next_value(void *sent_headers, lh_slice name, size_t *position,
    lh_slice *out_value)
{
    size_t                        i, n;
    ngx_list_part_t              *part;
    ngx_table_elt_t              *element;
    ngx_http_leasehold_record_t  *record;

    record = sent_headers;

    if (lh_gate_header_kind(name) != LH_HEADER_PLAIN) {
        for (n = *position; n < record->taken_count; n++) {
            element = record->taken[n].element;

            if (ngx_http_leasehold_has_name(element, name)) {
                *position = n + 1;
                *out_value = ngx_http_leasehold_slice(element->value);
                return true;
            }
        }

        return false;
    }

    n = 0;

    for (part = &record->main->headers_in.headers.part; part; part = part->next) {
        element = part->elts;

        for (i = 0; i < part->nelts; i++, n++) {
            if (n >= *position && ngx_http_leasehold_has_name(&element[i], name)) {
                *position = n + 1;
                *out_value = ngx_http_leasehold_slice(element[i].value);
                return true;
            }
        }
    }

    return false;
}


static void
ngx_http_leasehold_describe(ngx_http_leasehold_record_t *record)
{
    lh_slice                         none = { NULL, 0 };
    ngx_http_request_t              *r;
    ngx_http_variable_value_t       *id;
    ngx_http_leasehold_main_conf_t  *lmcf;

    r = record->main;

    record->request.method = ngx_http_leasehold_slice(r->method_name);
    record->request.authority = ngx_http_leasehold_authority(r);
    /* nginx cuts whatever follows the colon; a port that is none makes the host malformed */
    record->request.host = record->request.authority;
    record->request.target = ngx_http_leasehold_slice(r->unparsed_uri);
    record->request.has_body = r->headers_in.content_length_n > 0 || r->headers_in.chunked;
    record->request.next_value = ngx_http_leasehold_next_value;
    record->request.sent_headers = record;
    record->request.claimed = &record->claimed;
    record->request.is_upgrade = r->headers_in.upgrade != NULL;
    record->request.alloc = ngx_http_leasehold_alloc;
    record->request.memory = r->pool;
    record->request.request_id = none;
#if (NGX_HTTP_SSL)
    record->request.is_tls = r->connection->ssl != NULL;
#endif

    /* one id in the access log and upstream, but none is made that nobody looks at */
    lmcf = ngx_http_get_module_main_conf(r, ngx_http_leasehold_module);
    if (lmcf->request_id_index == NGX_ERROR) {
        return;
    }

    id = ngx_http_get_indexed_variable(r, (ngx_uint_t) lmcf->request_id_index);
    if (id != NULL && !id->not_found) {
        record->request.request_id.ptr = id->data;
        record->request.request_id.len = id->len;
    }
}


static ngx_http_leasehold_record_t *
ngx_http_leasehold_record_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *mark;
    ngx_http_cleanup_t           *cleanup;
    ngx_http_leasehold_record_t  *record;

    record = ngx_pcalloc(r->pool, sizeof(ngx_http_leasehold_record_t));
    if (record == NULL) {
        return NULL;
    }

    record->main = r->main;
    record->began = ngx_current_msec;
    ngx_queue_init(&record->watched);

    ngx_http_leasehold_describe(record);

    if (ngx_http_leasehold_scrub(record) != NGX_OK) {
        return NULL;
    }

    cleanup = ngx_http_cleanup_add(r, 0);
    if (cleanup == NULL) {
        return NULL;
    }

    cleanup->handler = ngx_http_leasehold_cancel;
    cleanup->data = record;

    mark = ngx_pool_cleanup_add(r->pool, 0);
    if (mark == NULL) {
        return NULL;
    }

    mark->handler = ngx_http_leasehold_record_mark;
    mark->data = record;

    return record;
}


ngx_http_leasehold_record_t *
ngx_http_leasehold_record_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cleanup;
    ngx_http_leasehold_visit_t  *visit;

    visit = ngx_http_get_module_ctx(r, ngx_http_leasehold_module);
    if (visit) {
        return visit->record;
    }

    for (cleanup = r->pool->cleanup; cleanup; cleanup = cleanup->next) {
        if (cleanup->handler == ngx_http_leasehold_record_mark) {
            return cleanup->data;
        }
    }

    return NULL;
}


ngx_http_leasehold_visit_t *
ngx_http_leasehold_visit_find(ngx_http_request_t *r)
{
    ngx_http_leasehold_visit_t   *visit;
    ngx_http_leasehold_record_t  *record;

    visit = ngx_http_get_module_ctx(r, ngx_http_leasehold_module);
    if (visit) {
        return visit;
    }

    record = ngx_http_leasehold_record_find(r);
    if (record == NULL) {
        return NULL;
    }

    for (visit = record->visits; visit; visit = visit->next) {
        if (visit->request == r) {
            ngx_http_set_ctx(r, visit, ngx_http_leasehold_module);
            return visit;
        }
    }

    return NULL;
}


ngx_http_leasehold_visit_t *
ngx_http_leasehold_visit(ngx_http_request_t *r)
{
    ngx_http_leasehold_visit_t   *visit;
    ngx_http_leasehold_record_t  *record;

    visit = ngx_http_leasehold_visit_find(r);
    if (visit) {
        return visit;
    }

    record = ngx_http_leasehold_record_find(r);
    if (record == NULL) {
        record = ngx_http_leasehold_record_create(r);
        if (record == NULL) {
            return NULL;
        }
    }

    if (r != r->main && ngx_http_leasehold_own_headers(r) != NGX_OK) {
        return NULL;
    }

    visit = ngx_pcalloc(r->pool, sizeof(ngx_http_leasehold_visit_t));
    if (visit == NULL) {
        return NULL;
    }

    visit->request = r;
    visit->record = record;
    visit->next = record->visits;
    record->visits = visit;

    ngx_http_set_ctx(r, visit, ngx_http_leasehold_module);

    return visit;
}
