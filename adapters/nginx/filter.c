/*
 * Answer headers, judged after every other module has said what it wants (the module of this file
 * stands before nginx's own header writers, see module.c): what is personal may not be cached,
 * a cache may not mix identities, and a session cookie is nothing that an upstream may set.
 */
#include "ngx_http_leasehold.h"


static ngx_int_t ngx_http_leasehold_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_leasehold_is_cache_mixed(ngx_http_request_t *r,
    struct lh_decision *decision);
static ngx_int_t ngx_http_leasehold_refuse_cache(ngx_http_request_t *r);
static void ngx_http_leasehold_drop_cookies(ngx_http_request_t *r,
    ngx_http_leasehold_verdict_t *verdict);
static ngx_int_t ngx_http_leasehold_make_private(ngx_http_request_t *r, ngx_flag_t keep);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


ngx_int_t
ngx_http_leasehold_filter_init(ngx_conf_t *cf)
{
    ngx_http_leasehold_main_conf_t  *lmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leasehold_module);

    if (lmcf->home.len) {
        ngx_http_next_header_filter = ngx_http_top_header_filter;
        ngx_http_top_header_filter = ngx_http_leasehold_header_filter;

        ngx_http_leasehold_body_filter_init();
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_header_filter(ngx_http_request_t *r)
{
    ngx_http_leasehold_verdict_t   *verdict;
    ngx_http_leasehold_loc_conf_t  *llcf;

    verdict = ngx_http_leasehold_speaking_verdict(r);

#if (NGX_HTTP_CACHE)
    if (r->cache && verdict && !r->filter_finalize
        && ngx_http_leasehold_is_cache_mixed(r, &verdict->decision))
    {
        return ngx_http_leasehold_refuse_cache(r);
    }
#endif

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leasehold_module);

    if (llcf->policy->scrub) {
        ngx_http_leasehold_drop_cookies(r, verdict);
    }

    if (verdict == NULL) {
        return ngx_http_next_header_filter(r);
    }

    if (ngx_http_leasehold_answer_headers(r, verdict) != NGX_OK) {
        return NGX_ERROR;
    }

    if (verdict->decision.is_private
        && ngx_http_leasehold_make_private(r, verdict->policy->cache_control_keep) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


#if (NGX_HTTP_CACHE)

/* How often the text occurs, overlaps not counted. */
static ngx_uint_t
ngx_http_leasehold_occurrences(ngx_str_t in, lh_slice text)
{
    u_char      *p, *end;
    ngx_uint_t   count;

    count = 0;
    end = in.data + in.len;

    for (p = in.data; (size_t) (end - p) >= text.len; /* void */) {
        if (ngx_memcmp(p, text.ptr, text.len) == 0) {
            count++;
            p += text.len;

        } else {
            p++;
        }
    }

    return count;
}


/*
 * Whether the key of the response cache leaves out whose response it is. The uid must stand in it
 * more often than the client's own URI can have put it there.
 */
static ngx_uint_t
ngx_http_leasehold_is_cache_mixed(ngx_http_request_t *r, struct lh_decision *decision)
{
    ngx_str_t   *key;
    ngx_uint_t   i, in_key, in_uri, in_target;

    if (decision->http_status != 0 || decision->uid.len == 0) {
        return 0;
    }

    in_key = 0;
    key = r->cache->keys.elts;

    for (i = 0; i < r->cache->keys.nelts; i++) {
        in_key += ngx_http_leasehold_occurrences(key[i], decision->uid);
    }

    in_uri = ngx_http_leasehold_occurrences(r->uri, decision->uid)
             + ngx_http_leasehold_occurrences(r->args, decision->uid);
    in_target = ngx_http_leasehold_occurrences(r->unparsed_uri, decision->uid);

    return in_key <= ngx_max(in_uri, in_target);
}


static ngx_int_t
ngx_http_leasehold_refuse_cache(ngx_http_request_t *r)
{
    /* no decoded path in it: a line feed would begin a line of the client's own */
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "leasehold: the key of the response cache has neither $leasehold_uid nor "
                  "$leasehold_cache_key in it: it would mix tenants, answering 500");

    /* an error page could come out of the same cache */
    r->error_page = 1;

    return ngx_http_filter_finalize_request(r, &ngx_http_leasehold_module,
                                            NGX_HTTP_INTERNAL_SERVER_ERROR);
}

#endif


/*
 * Whether a Set-Cookie value would give a browser one of our cookies. A nameless cookie
 * ("=__Host-lh=x") comes back from some browsers under the name in its value.
 */
static ngx_uint_t
ngx_http_leasehold_is_our_cookie(ngx_str_t *value)
{
    u_char  *p, *end;

    end = value->data + value->len;

    for (p = value->data; p < end && (*p == ' ' || *p == '\t' || *p == '='); p++) { /* void */ }

    return (size_t) (end - p) >= sizeof("__Host-lh") - 1
           && ngx_strncasecmp(p, (u_char *) "__Host-lh", sizeof("__Host-lh") - 1) == 0;
}


/* Whether the value is one that the decision itself has put into the answer. */
static ngx_uint_t
ngx_http_leasehold_is_decided(ngx_http_leasehold_verdict_t *verdict, ngx_str_t *value)
{
    size_t  i;

    if (verdict == NULL) {
        return 0;
    }

    for (i = 0; i < verdict->decision.answer_count; i++) {
        if (verdict->decision.answer[i].value.ptr == value->data) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_leasehold_drop_cookies(ngx_http_request_t *r, ngx_http_leasehold_verdict_t *verdict)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash == 0
                || !ngx_http_leasehold_is_named(&h[i], "Set-Cookie")
                || !ngx_http_leasehold_is_our_cookie(&h[i].value)
                || ngx_http_leasehold_is_decided(verdict, &h[i].value))
            {
                continue;
            }

            h[i].hash = 0;

            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                          "leasehold: upstream tried to set a session cookie, dropped");
        }
    }
}


/*
 * Whether a header tells caches what they may keep: Cache-Control, the fields for one kind of
 * cache that go before it (RFC 9213: CDN-Cache-Control and its like), Surrogate-Control, Expires.
 */
static ngx_uint_t
ngx_http_leasehold_is_cache_header(ngx_table_elt_t *h)
{
    static u_char  suffix[] = "cache-control";

    if (h->key.len >= sizeof(suffix) - 1
        && ngx_strncasecmp(h->key.data + h->key.len - (sizeof(suffix) - 1), suffix,
                           sizeof(suffix) - 1)
           == 0)
    {
        return 1;
    }

    return ngx_http_leasehold_is_named(h, "Surrogate-Control")
           || ngx_http_leasehold_is_named(h, "Expires");
}


/* Whether what upstream or the configuration said to caches stays; otherwise it is removed. */
static ngx_uint_t
ngx_http_leasehold_keeps_cache_headers(ngx_http_request_t *r, ngx_flag_t keep)
{
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    found = 0;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash == 0 || !ngx_http_leasehold_is_cache_header(&h[i])) {
                continue;
            }

            if (keep) {
                found |= ngx_http_leasehold_is_named(&h[i], "Cache-Control");
            } else {
                h[i].hash = 0;
            }
        }
    }

    return found;
}


static ngx_int_t
ngx_http_leasehold_make_private(ngx_http_request_t *r, ngx_flag_t keep)
{
    ngx_table_elt_t  *h;
#if (nginx_version < 1023000)
    ngx_table_elt_t **known;
#endif

    if (ngx_http_leasehold_keeps_cache_headers(r, keep)) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->lowcase_key = NULL;
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "private, no-store");

#if (nginx_version >= 1023000)
    h->next = NULL;
    r->headers_out.cache_control = h;
    r->headers_out.expires = keep ? r->headers_out.expires : NULL;
#else
    if (ngx_array_init(&r->headers_out.cache_control, r->pool, 1, sizeof(ngx_table_elt_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    known = ngx_array_push(&r->headers_out.cache_control);
    if (known == NULL) {
        return NGX_ERROR;
    }
    *known = h;

    if (!keep) {
        r->headers_out.expires = NULL;
    }
#endif

    return NGX_OK;
}
