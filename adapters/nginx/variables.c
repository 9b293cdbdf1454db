/*
 * $leasehold_...: what was decided, for logs, limits, upstream headers and cache keys. After an
 * internal redirect to a location that is off they still tell what the request's last decision
 * was: the access log does not lose the tenant.
 */
#include "ngx_http_leasehold.h"


static ngx_int_t ngx_http_leasehold_slice_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t offset);
static ngx_int_t ngx_http_leasehold_decision_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t offset);
static ngx_int_t ngx_http_leasehold_reason_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t offset);
static ngx_int_t ngx_http_leasehold_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t offset);


#define NGX_HTTP_LEASEHOLD_SLICE(name, member)                                                     \
    { ngx_string("leasehold_" name), NULL, ngx_http_leasehold_slice_variable,                      \
      offsetof(struct lh_decision, member), NGX_HTTP_VAR_NOCACHEABLE, 0 }


static ngx_http_variable_t  ngx_http_leasehold_variables[] = {

    NGX_HTTP_LEASEHOLD_SLICE("tenant", tenant),
    NGX_HTTP_LEASEHOLD_SLICE("uid", uid),
    NGX_HTTP_LEASEHOLD_SLICE("sub", subject),
    NGX_HTTP_LEASEHOLD_SLICE("session_ref", session_ref),
    NGX_HTTP_LEASEHOLD_SLICE("scope", scope),
    NGX_HTTP_LEASEHOLD_SLICE("mode", mode),
    NGX_HTTP_LEASEHOLD_SLICE("cache_key", cache_key),

    { ngx_string("leasehold_decision"), NULL, ngx_http_leasehold_decision_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("leasehold_reason"), NULL, ngx_http_leasehold_reason_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("leasehold_time_us"), NULL, ngx_http_leasehold_time_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_leasehold_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_leasehold_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


ngx_http_leasehold_verdict_t *
ngx_http_leasehold_speaking_verdict(ngx_http_request_t *r)
{
    ngx_http_leasehold_visit_t   *visit;
    ngx_http_leasehold_record_t  *record;

    visit = ngx_http_leasehold_visit_find(r);

    if (visit && visit->verdict && visit->verdict->is_ready
        && visit->verdict->policy->gate.mode != LH_GATE_OFF)
    {
        return visit->verdict;
    }

    record = ngx_http_leasehold_record_find(r);

    return record ? record->identity : NULL;
}


static void
ngx_http_leasehold_set_variable(ngx_http_variable_value_t *v, const void *text, size_t len)
{
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = len == 0;
    v->len = (unsigned) len & 0xfffffff;
    v->data = (u_char *) (uintptr_t) text;
}


static ngx_int_t
ngx_http_leasehold_slice_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t offset)
{
    lh_slice                      *slice;
    ngx_http_leasehold_verdict_t  *verdict;

    verdict = ngx_http_leasehold_speaking_verdict(r);

    if (verdict == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    slice = (lh_slice *) ((char *) &verdict->decision + offset);
    ngx_http_leasehold_set_variable(v, slice->ptr, slice->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_decision_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t offset)
{
    const char                    *text;
    ngx_http_leasehold_verdict_t  *verdict;

    verdict = ngx_http_leasehold_speaking_verdict(r);

    if (verdict == NULL) {
        text = "off";

    } else if (verdict->decision.reason == LH_REASON_PREFLIGHT) {
        text = "preflight";

    } else if (verdict->decision.http_status != 0) {
        text = "refuse";

    } else {
        text = verdict->decision.reason == LH_REASON_OK ? "pass" : "anonymous";
    }

    ngx_http_leasehold_set_variable(v, text, ngx_strlen(text));

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_reason_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t offset)
{
    const char                    *text;
    ngx_http_leasehold_verdict_t  *verdict;

    verdict = ngx_http_leasehold_speaking_verdict(r);
    text = lh_reason_name(verdict ? verdict->decision.reason : LH_REASON_OFF);

    ngx_http_leasehold_set_variable(v, text, ngx_strlen(text));

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_time_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t offset)
{
    u_char                        *p;
    ngx_http_leasehold_verdict_t  *verdict;

    verdict = ngx_http_leasehold_speaking_verdict(r);

    if (verdict == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_leasehold_set_variable(v, p,
                              (size_t) (ngx_sprintf(p, "%uL", verdict->decision.time_us) - p));

    return NGX_OK;
}
