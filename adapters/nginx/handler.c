/*
 * When a request is decided.
 *
 * POST_READ      the request is scrubbed, before anything looks at its headers.
 * SERVER_REWRITE again, for what came here without POST_READ (an error page for a request that
 *                nginx could not parse).
 * REWRITE        ahead of the rewrite module: the location is known, so its policy decides, and a
 *                "return", "if" or "rewrite" in it runs only after that.
 * PREACCESS      the same decision is looked at again. Not ACCESS: subrequests and "satisfy any"
 *                pass that phase by, and limit_req runs before it. A signed body is read and
 *                judged here.
 *
 * A decision holds for a policy, not for a location: each internal redirect, error page, named
 * location and subrequest comes through REWRITE with the policy of where it went, and is decided
 * again from the client's own headers unless that very policy has decided already.
 */
#include "ngx_http_leasehold.h"


static ngx_int_t ngx_http_leasehold_decide(ngx_http_request_t *r);
static ngx_http_leasehold_verdict_t *ngx_http_leasehold_verdict_for(
    ngx_http_leasehold_visit_t *visit, ngx_http_leasehold_policy_t *policy);
static lh_slice ngx_http_leasehold_client(ngx_connection_t *c);
static ngx_uint_t ngx_http_leasehold_is_charged(ngx_http_leasehold_record_t *record);
static ngx_int_t ngx_http_leasehold_verdict_begin(ngx_http_leasehold_verdict_t *verdict);
static void ngx_http_leasehold_verdict_end(ngx_http_leasehold_verdict_t *verdict);
static void ngx_http_leasehold_verdict_wait(ngx_http_leasehold_verdict_t *verdict);
static void ngx_http_leasehold_wake(void *context);
static void ngx_http_leasehold_resume_handler(ngx_event_t *ev);
static void ngx_http_leasehold_visit_wait(ngx_http_leasehold_visit_t *visit);
static void ngx_http_leasehold_wake_handler(ngx_event_t *ev);


ngx_int_t
ngx_http_leasehold_scrub_handler(ngx_http_request_t *r)
{
    if (ngx_http_leasehold_visit(r) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_leasehold_rewrite_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_leasehold_decide(r);

    /* in this phase NGX_AGAIN would end the request */
    return rc == NGX_AGAIN ? NGX_DONE : rc;
}


ngx_int_t
ngx_http_leasehold_preaccess_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_leasehold_verdict_t  *verdict;

    rc = ngx_http_leasehold_decide(r);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    verdict = ngx_http_leasehold_visit_find(r)->verdict;

    if (verdict->decision.signed_body == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_http_leasehold_check_body(r, verdict);

    return rc == NGX_DECLINED && verdict->decision.http_status
           ? ngx_http_leasehold_refuse(r, verdict) : rc;
}


/* NGX_DECLINED: go on; NGX_AGAIN: wait; NGX_DONE: answered; a status: for nginx to answer. */
static ngx_int_t
ngx_http_leasehold_decide(ngx_http_request_t *r)
{
    ngx_http_leasehold_visit_t     *visit;
    ngx_http_leasehold_verdict_t   *verdict;
    ngx_http_leasehold_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leasehold_module);

    visit = ngx_http_leasehold_visit(r);
    if (visit == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    verdict = ngx_http_leasehold_verdict_for(visit, llcf->policy);
    if (verdict == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    visit->verdict = verdict;

    if (!verdict->is_ready) {
        ngx_http_leasehold_visit_wait(visit);
        return NGX_AGAIN;
    }

    if (r == r->main && llcf->policy->gate.mode != LH_GATE_OFF) {
        visit->record->identity = verdict;
    }

    if (verdict->decision.http_status != 0) {
        return ngx_http_leasehold_refuse(r, verdict);
    }

    if (ngx_http_leasehold_apply(visit, verdict) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/* The decision under a policy: the one that was made already, or a new one. */
static ngx_http_leasehold_verdict_t *
ngx_http_leasehold_verdict_for(ngx_http_leasehold_visit_t *visit,
    ngx_http_leasehold_policy_t *policy)
{
    ngx_http_leasehold_record_t   *record;
    ngx_http_leasehold_verdict_t  *verdict;

    record = visit->record;

    for (verdict = record->verdicts; verdict; verdict = verdict->next) {
        if (verdict->policy == policy) {
            return verdict;
        }
    }

    verdict = ngx_palloc(visit->request->pool, sizeof(ngx_http_leasehold_verdict_t));
    if (verdict == NULL) {
        return NULL;
    }

    verdict->policy = policy;
    verdict->record = record;
    verdict->call = NULL;
    verdict->is_ready = 0;
    verdict->is_answered = 0;
    verdict->request = record->request;
    verdict->request.path = ngx_http_leasehold_slice(visit->request->uri);
    verdict->request.client = ngx_http_leasehold_client(visit->request->connection);
    verdict->request.is_charged = ngx_http_leasehold_is_charged(record);
    ngx_memzero(&verdict->resume, sizeof(ngx_event_t));

    if (ngx_http_leasehold_verdict_begin(verdict) != NGX_OK) {
        return NULL;
    }

    verdict->next = record->verdicts;
    record->verdicts = verdict;

    return verdict;
}


/* Whom the request comes from: after realip, which works before any location is found. */
static lh_slice
ngx_http_leasehold_client(ngx_connection_t *c)
{
    lh_slice              client = { NULL, 0 };
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (c->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) (void *) c->sockaddr;
        client.ptr = (u_char *) &sin->sin_addr;
        client.len = sizeof(sin->sin_addr);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) (void *) c->sockaddr;
        client.ptr = sin6->sin6_addr.s6_addr;
        client.len = sizeof(sin6->sin6_addr);
        break;
#endif

    default:
        break;
    }

    return client;
}


/* One request of a client is charged once, in however many locations it is decided. */
static ngx_uint_t
ngx_http_leasehold_is_charged(ngx_http_leasehold_record_t *record)
{
    ngx_http_leasehold_verdict_t  *verdict;

    for (verdict = record->verdicts; verdict; verdict = verdict->next) {
        if (verdict->decision.is_charged) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_leasehold_verdict_begin(ngx_http_leasehold_verdict_t *verdict)
{
    lh_status  status;

    status = lh_gate_decide(ngx_http_leasehold_gate(), &verdict->policy->gate, &verdict->request,
                            ngx_http_leasehold_wake, verdict, &verdict->decision, &verdict->call);

    switch (lh_status_class(status)) {

    case LH_CLASS_OK:
        ngx_http_leasehold_verdict_end(verdict);
        return NGX_OK;

    case LH_CLASS_PENDING:
        ngx_http_leasehold_verdict_wait(verdict);
        return NGX_OK;

    default:
        return NGX_ERROR;
    }
}


/* The decision is made. */
static void
ngx_http_leasehold_verdict_end(ngx_http_leasehold_verdict_t *verdict)
{
    verdict->call = NULL;
    verdict->is_ready = 1;

    if (verdict->resume.timer_set) {
        ngx_del_timer(&verdict->resume);
    }

    if (verdict->resume.posted) {
        ngx_delete_posted_event(&verdict->resume);
    }

    if (verdict->decision.http_status == 0 && verdict->decision.watch.is_set
        && !verdict->policy->longlived_keep)
    {
        ngx_http_leasehold_longlived_add(verdict);
    }
}


/*
 * Waits for the library's wake, and at most as long as it says. The timer is not cancelable: an
 * old worker may not leave while a request waits.
 */
static void
ngx_http_leasehold_verdict_wait(ngx_http_leasehold_verdict_t *verdict)
{
    uint64_t  wait_ms;

    verdict->ident.fd = (ngx_socket_t) -1;
    verdict->resume.data = &verdict->ident;
    verdict->ident.owner = verdict;
    verdict->resume.handler = ngx_http_leasehold_resume_handler;
    verdict->resume.log = verdict->record->main->connection->log;

    wait_ms = lh_gate_wait_ms(verdict->call);

    ngx_add_timer(&verdict->resume, (ngx_msec_t) wait_ms + 1);
}


/* From the library, on the loop, perhaps in the middle of something: so only posted. */
static void
ngx_http_leasehold_wake(void *context)
{
    ngx_http_leasehold_verdict_t  *verdict;

    verdict = context;

    ngx_post_event(&verdict->resume, &ngx_posted_events);
}


static void
ngx_http_leasehold_resume_handler(ngx_event_t *ev)
{
    ngx_http_leasehold_ident_t    *ident;
    ngx_http_leasehold_visit_t    *visit;
    ngx_http_leasehold_verdict_t  *verdict;

    ident = ev->data;
    verdict = ident->owner;
    ev->timedout = 0;

    if (lh_status_class(lh_gate_continue(verdict->call)) == LH_CLASS_PENDING) {
        if (ev->timer_set) {
            ngx_del_timer(ev);
        }
        ngx_http_leasehold_verdict_wait(verdict);
        return;
    }

    ngx_http_leasehold_verdict_end(verdict);

    /* going on with one request may end all of them: each gets an event of its own */
    for (visit = verdict->record->visits; visit; visit = visit->next) {
        if (visit->is_waiting && visit->verdict == verdict) {
            ngx_post_event(&visit->wake, &ngx_posted_events);
        }
    }
}


static void
ngx_http_leasehold_visit_wait(ngx_http_leasehold_visit_t *visit)
{
    ngx_http_request_t  *r;

    if (visit->is_waiting) {
        return;
    }

    r = visit->request;
    visit->is_waiting = 1;
    visit->wake.data = visit;
    visit->wake.handler = ngx_http_leasehold_wake_handler;
    visit->wake.log = r->connection->log;

    if (r == r->main) {
        r->read_event_handler = ngx_http_test_reading;
    }
}


static void
ngx_http_leasehold_wake_handler(ngx_event_t *ev)
{
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_http_leasehold_visit_t  *visit;

    visit = ev->data;
    visit->is_waiting = 0;
    r = visit->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (r == r->main) {
        r->read_event_handler = ngx_http_block_reading;
    }

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_leasehold_cancel(void *context)
{
    ngx_http_leasehold_visit_t    *visit;
    ngx_http_leasehold_record_t   *record;
    ngx_http_leasehold_verdict_t  *verdict;

    record = context;

    for (verdict = record->verdicts; verdict; verdict = verdict->next) {
        if (verdict->is_ready) {
            continue;
        }

        lh_gate_cancel(verdict->call);
        verdict->call = NULL;

        if (verdict->resume.timer_set) {
            ngx_del_timer(&verdict->resume);
        }

        if (verdict->resume.posted) {
            ngx_delete_posted_event(&verdict->resume);
        }
    }

    for (visit = record->visits; visit; visit = visit->next) {
        if (visit->wake.posted) {
            ngx_delete_posted_event(&visit->wake);
        }
    }

    lh_gate_body_free(record->body);
    record->body = NULL;

    ngx_http_leasehold_longlived_remove(record);
}
