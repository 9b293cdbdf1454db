/*
 * Headers about the connection, which a configuration may pass on.
 *
 * "Connection: X-Tenant-ID" asks the next proxy to drop what we inject (RFC 9110 section 7.6.1):
 * managed names are taken out of it. "Upgrade: h2c" would make a tunnel of the connection to the
 * upstream, with requests in it that nobody decides: there is no such upgrade any more (RFC 9113
 * section 3.1), and it is taken out too.
 */
#include "ngx_http_leasehold.h"


/* What a token of a comma-separated list may not be. */
typedef ngx_uint_t (*ngx_http_leasehold_token_pt)(lh_slice token);


static ngx_uint_t
ngx_http_leasehold_is_managed_token(lh_slice token)
{
    return lh_gate_is_managed(lh_gate_header_kind(token));
}


static ngx_uint_t
ngx_http_leasehold_is_h2c_token(lh_slice token)
{
    return token.len == sizeof("h2c") - 1
           && ngx_strncasecmp((u_char *) (uintptr_t) token.ptr, (u_char *) "h2c", token.len) == 0;
}


/* Takes tokens out of a comma-separated list; the rest keeps its order. */
static ngx_int_t
ngx_http_leasehold_filter_tokens(ngx_pool_t *pool, ngx_str_t *value,
    ngx_http_leasehold_token_pt is_dropped)
{
    u_char     *p, *end, *out, *from, *to;
    lh_slice    token;
    ngx_str_t   kept;

    kept.data = ngx_pnalloc(pool, value->len + 1);
    if (kept.data == NULL) {
        return NGX_ERROR;
    }

    end = value->data + value->len;
    out = kept.data;

    for (p = value->data; p < end; p++) {
        from = p;
        while (p < end && *p != ',') {
            p++;
        }
        to = p;

        while (from < to && (*from == ' ' || *from == '\t')) {
            from++;
        }
        while (to > from && (to[-1] == ' ' || to[-1] == '\t')) {
            to--;
        }

        token.ptr = from;
        token.len = (size_t) (to - from);

        if (token.len == 0 || is_dropped(token)) {
            continue;
        }

        if (out != kept.data) {
            *out++ = ',';
        }
        out = ngx_cpymem(out, from, token.len);
    }

    kept.len = (size_t) (out - kept.data);
    *out = '\0';
    *value = kept;

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_scrub_connection(ngx_http_request_t *r, ngx_table_elt_t *element)
{
    if (ngx_http_leasehold_is_named(element, "connection")) {
        return ngx_http_leasehold_filter_tokens(r->pool, &element->value,
                                                ngx_http_leasehold_is_managed_token);
    }

    if (!ngx_http_leasehold_is_named(element, "upgrade")) {
        return NGX_OK;
    }

    if (ngx_http_leasehold_filter_tokens(r->pool, &element->value, ngx_http_leasehold_is_h2c_token)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* without it nginx takes no 101 from an upstream */
    if (element->value.len == 0 && r->headers_in.upgrade == element) {
        r->headers_in.upgrade = NULL;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_leasehold_scrub_connections(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *element;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        element = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_leasehold_scrub_connection(r, &element[i]) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}
