/*
 * Bodies of signed requests. In PREACCESS the whole body is read, into memory or a file as nginx
 * does it, and hashed as it arrives; the phases go on when it was judged. So nothing of it reaches
 * an upstream before, whatever proxy_request_buffering says.
 */
#include "ngx_http_leasehold.h"


#define NGX_HTTP_LEASEHOLD_PIECE  65536


static ngx_int_t ngx_http_leasehold_body_filter(ngx_http_request_t *r, ngx_chain_t *in);
static void ngx_http_leasehold_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_leasehold_judge_body(ngx_http_request_t *r,
    ngx_http_leasehold_record_t *record);
static ngx_int_t ngx_http_leasehold_read_saved(ngx_http_request_t *r, struct lh_gate_body *body,
    ngx_uint_t has_body);


static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;


void
ngx_http_leasehold_body_filter_init(void)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_leasehold_body_filter;
}


/* Each piece comes once, when it was read and before it is put anywhere. */
static ngx_int_t
ngx_http_leasehold_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    lh_slice                     piece;
    ngx_chain_t                 *cl;
    ngx_http_leasehold_visit_t  *visit;

    visit = ngx_http_get_module_ctx(r, ngx_http_leasehold_module);

    if (visit && visit->record->body) {
        for (cl = in; cl; cl = cl->next) {
            if (!ngx_buf_in_memory(cl->buf)) {
                continue;
            }

            piece.ptr = cl->buf->pos;
            piece.len = (size_t) (cl->buf->last - cl->buf->pos);
            lh_gate_body_add(visit->record->body, piece);
        }
    }

    return ngx_http_next_request_body_filter(r, in);
}


/*
 * NGX_DECLINED: the body is the one that was signed, or turned the decision into a refusal, which
 * the caller looks for; NGX_DONE: wait for it; a status: for nginx to answer.
 */
ngx_int_t
ngx_http_leasehold_check_body(ngx_http_request_t *r, ngx_http_leasehold_verdict_t *verdict)
{
    ngx_int_t                     rc;
    ngx_http_leasehold_record_t  *record;

    record = verdict->record;

    if (record->body_state == NGX_HTTP_LEASEHOLD_BODY_GOOD) {
        return NGX_DECLINED;
    }

    if (record->body_state == NGX_HTTP_LEASEHOLD_BODY_BEGUN) {
        /* it broke off, and this is the page for that */
        return NGX_HTTP_BAD_REQUEST;
    }

    if (!lh_is_ok(lh_gate_body_begin(ngx_http_leasehold_gate(), &verdict->policy->gate,
                                     &verdict->request, &verdict->decision, &record->body)))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    record->body_state = NGX_HTTP_LEASEHOLD_BODY_BEGUN;
    record->body_verdict = verdict;

    if (r != r->main || r->request_body || r->discard_body) {
        rc = ngx_http_leasehold_read_saved(r, record->body, verdict->request.has_body);
        return rc == NGX_OK ? ngx_http_leasehold_judge_body(r, record) : rc;
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_leasehold_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/* All of it is there; also called from inside the call that began to read. */
static void
ngx_http_leasehold_body_handler(ngx_http_request_t *r)
{
    ngx_http_leasehold_visit_t  *visit;

    visit = ngx_http_get_module_ctx(r, ngx_http_leasehold_module);

    (void) ngx_http_leasehold_judge_body(r, visit->record);

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_leasehold_judge_body(ngx_http_request_t *r, ngx_http_leasehold_record_t *record)
{
    lh_gate_body_end(record->body);
    lh_gate_body_free(record->body);
    record->body = NULL;

    if (record->body_verdict->decision.http_status == 0) {
        record->body_state = NGX_HTTP_LEASEHOLD_BODY_GOOD;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_leasehold_read_file(ngx_http_request_t *r, struct lh_gate_body *body, ngx_buf_t *b)
{
    off_t      at;
    size_t     len;
    ssize_t    n;
    u_char    *room;
    lh_slice   piece;

    room = ngx_pnalloc(r->pool, NGX_HTTP_LEASEHOLD_PIECE);
    if (room == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (at = b->file_pos; at < b->file_last; at += n) {
        len = (size_t) ngx_min(b->file_last - at, NGX_HTTP_LEASEHOLD_PIECE);

        n = ngx_read_file(b->file, room, len, at);
        if (n <= 0) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        piece.ptr = room;
        piece.len = (size_t) n;
        lh_gate_body_add(body, piece);
    }

    ngx_pfree(r->pool, room);

    return NGX_OK;
}


/*
 * A body that somebody else has read: for another location, where nobody asked whether it was
 * signed. What was read in part, or thrown away, nobody can judge; and a subrequest cannot wait for
 * the body of the request that it is a part of. It is always that one's: nginx gives subrequests of
 * auth_request an empty body of their own.
 */
static ngx_int_t
ngx_http_leasehold_read_saved(ngx_http_request_t *r, struct lh_gate_body *body,
    ngx_uint_t has_body)
{
    lh_slice                  piece;
    ngx_int_t                 rc;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *sent;

    sent = r->main->request_body;

    if (r->main->discard_body || r->main->reading_body || (sent == NULL && has_body)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "leasehold: the signed body was not read before \"%V\" was asked for",
                      &r->uri);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (cl = sent ? sent->bufs : NULL; cl; cl = cl->next) {
        if (ngx_buf_in_memory(cl->buf)) {
            piece.ptr = cl->buf->pos;
            piece.len = (size_t) (cl->buf->last - cl->buf->pos);
            lh_gate_body_add(body, piece);

        } else if (cl->buf->in_file) {
            rc = ngx_http_leasehold_read_file(r, body, cl->buf);
            if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    return NGX_OK;
}
