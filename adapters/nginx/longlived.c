/*
 * Upgraded and streaming requests were decided once and may live for hours. Each second the
 * session of every request that is still there is looked at again: one memory read while nothing
 * changed. A request whose session has ended is closed.
 *
 * A request that has not answered yet is left alone for a while: it may be the one that ends the
 * session, and its answer must come through.
 */
#include "ngx_http_leasehold.h"


/* How long a request without an answer is no stream but only slow. */
#define NGX_HTTP_LEASEHOLD_SLOW_MS  10000


/* One loop per process: the requests of this worker that have a session to watch. */
static ngx_queue_t  ngx_http_leasehold_watched;


void
ngx_http_leasehold_longlived_init(void)
{
    ngx_queue_init(&ngx_http_leasehold_watched);
}


void
ngx_http_leasehold_longlived_add(ngx_http_leasehold_verdict_t *verdict)
{
    ngx_http_leasehold_record_t  *record;

    record = verdict->record;

    if (record->watch == NULL) {
        ngx_queue_insert_tail(&ngx_http_leasehold_watched, &record->watched);
    }

    record->watch = verdict;
}


void
ngx_http_leasehold_longlived_remove(ngx_http_leasehold_record_t *record)
{
    if (record->watch) {
        ngx_queue_remove(&record->watched);
        record->watch = NULL;
    }
}


/* Whether the session has ended for sure; "unknown" closes nothing. */
static ngx_uint_t
ngx_http_leasehold_has_ended(struct lh_gate *gate, ngx_http_leasehold_record_t *record)
{
    lh_status  status;

    status = lh_gate_watch_check(gate, &record->watch->decision.watch);

    switch (lh_status_class(status)) {

    case LH_CLASS_DENY:
    case LH_CLASS_TAMPERED:
        break;

    default:
        return 0;
    }

    return record->main->header_sent
           || ngx_current_msec - record->began > NGX_HTTP_LEASEHOLD_SLOW_MS;
}


static void
ngx_http_leasehold_close(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);
    ngx_log_error(NGX_LOG_INFO, c->log, 0, "leasehold: session has ended, closing");

    /*
     * The cleanup of an upstream finalizes the request once more. With one count that ends it
     * there: a kept-alive connection whose answer never ends, and a request that is freed under
     * our hands. One more count lets the termination come to its own end.
     */
    r->main->count++;

    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}


void
ngx_http_leasehold_longlived_sweep(void)
{
    ngx_queue_t                  *q, ended;
    struct lh_gate               *gate;
    ngx_http_leasehold_record_t  *record;

    gate = ngx_http_leasehold_gate();
    if (gate == NULL) {
        return;
    }

    /* closing one request may end others: first take them aside, then always the first left */
    ngx_queue_init(&ended);

    for (q = ngx_queue_head(&ngx_http_leasehold_watched);
         q != ngx_queue_sentinel(&ngx_http_leasehold_watched);
         /* void */ )
    {
        record = ngx_queue_data(q, ngx_http_leasehold_record_t, watched);
        q = ngx_queue_next(q);

        if (ngx_http_leasehold_has_ended(gate, record)) {
            ngx_queue_remove(&record->watched);
            ngx_queue_insert_tail(&ended, &record->watched);
        }
    }

    while (!ngx_queue_empty(&ended)) {
        record = ngx_queue_data(ngx_queue_head(&ended), ngx_http_leasehold_record_t, watched);
        ngx_http_leasehold_longlived_remove(record);
        ngx_http_leasehold_close(record->main);
    }
}
