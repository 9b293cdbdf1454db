/*
 * Whether a value of the configuration is what it should be.
 */
#include "directives.h"


/* A base domain: labels of a-z, 0-9 and "-", lower-cased here once. */
ngx_uint_t
ngx_http_leasehold_is_domain(ngx_str_t *value)
{
    u_char      c, before;
    ngx_uint_t  i;

    if (value->len == 0 || value->len > 253) {
        return 0;
    }

    ngx_strlow(value->data, value->data, value->len);
    before = '.';

    for (i = 0; i < value->len; i++) {
        c = value->data[i];

        if (c == '.' ? (before == '.' || before == '-')
                     : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
                         || (c == '-' && before != '.')))
        {
            return 0;
        }

        before = c;
    }

    return before != '.' && before != '-';
}


/* Names of roles, scopes and audiences end up in headers and JSON: visible ASCII only. */
ngx_uint_t
ngx_http_leasehold_is_name(u_char *text, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '"' || text[i] == '\\') {
            return 0;
        }
    }

    return len > 0;
}


/* "scheme://host[:port]" as a browser writes it: lower case, no path. */
ngx_uint_t
ngx_http_leasehold_is_origin(ngx_str_t *value)
{
    size_t      skip;
    u_char     *colon;
    ngx_int_t   port;
    ngx_str_t   host;

    if (ngx_strncmp(value->data, "https://", 8) == 0) {
        skip = 8;

    } else if (ngx_strncmp(value->data, "http://", 7) == 0) {
        skip = 7;

    } else {
        return 0;
    }

    host.data = value->data + skip;
    host.len = value->len - skip;

    colon = ngx_strlchr(host.data, host.data + host.len, ':');
    if (colon) {
        port = ngx_atoi(colon + 1, (size_t) (host.data + host.len - colon - 1));
        if (port < 1 || port > 65535 || colon[1] == '0') {
            return 0;
        }
        host.len = (size_t) (colon - host.data);
    }

    return ngx_http_leasehold_is_domain(&host);
}


/* A path of this host, or https: what a Location header may say without leading astray. */
ngx_uint_t
ngx_http_leasehold_is_signin(ngx_str_t *value)
{
    ngx_uint_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f || value->data[i] == '\\') {
            return 0;
        }
    }

    if (value->len > 8 && ngx_strncmp(value->data, "https://", 8) == 0) {
        return value->data[8] != '/';
    }

    return value->len > 0 && value->data[0] == '/' && (value->len == 1 || value->data[1] != '/');
}
