/*
 * Directives that say what is asked of a session and what comes of it.
 */
#include "directives.h"


/* Longest that a request may wait for a decision. */
#define NGX_HTTP_LEASEHOLD_BUDGET_MAX_MS  10000


char *
ngx_http_leasehold_set_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leasehold_loc_conf_t  *llcf = conf;

    size_t         skip;
    ngx_str_t     *value;
    ngx_uint_t     i;
    ngx_array_t  **list;

    if (llcf->is_require_set != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    llcf->is_require_set = 1;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_http_leasehold_is(&value[1], "none")) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "role=", 5) == 0) {
            list = &llcf->require_roles;
            skip = 5;

        } else if (ngx_strncmp(value[i].data, "scope=", 6) == 0) {
            list = &llcf->require_scopes;
            skip = 6;

        } else {
            return ngx_http_leasehold_complain(cf, "neither role= nor scope=", &value[i]);
        }

        if (!ngx_http_leasehold_is_name(value[i].data + skip, value[i].len - skip)) {
            return ngx_http_leasehold_complain(cf, "not a name", &value[i]);
        }

        if (ngx_http_leasehold_push(cf, list, value[i].data + skip, value[i].len - skip)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_leasehold_set_audience(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leasehold_loc_conf_t  *llcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (llcf->audiences != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (!ngx_http_leasehold_is_name(value[i].data, value[i].len)) {
            return ngx_http_leasehold_complain(cf, "not a name", &value[i]);
        }

        if (ngx_http_leasehold_push(cf, &llcf->audiences, value[i].data, value[i].len)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_leasehold_set_signin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leasehold_loc_conf_t  *llcf = conf;

    ngx_str_t  *value;

    if (llcf->signin.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    llcf->signin = value[1];

    if (ngx_http_leasehold_is(&value[1], "none")) {
        llcf->signin.len = 0;
        return NGX_CONF_OK;
    }

    if (!ngx_http_leasehold_is_signin(&value[1])) {
        return ngx_http_leasehold_complain(cf, "neither a path nor an https URL", &value[1]);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_leasehold_set_budget(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    u_char       last;
    ngx_int_t    time;
    ngx_str_t   *value;
    ngx_msec_t  *field;

    field = (ngx_msec_t *) (void *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;
    last = value[1].len ? value[1].data[value[1].len - 1] : '0';

    if (last >= '0' && last <= '9') {
        return ngx_http_leasehold_complain(cf, "a time needs a unit (ms, s)", &value[1]);
    }

    time = ngx_parse_time(&value[1], 0);

    if (time < 1 || time > NGX_HTTP_LEASEHOLD_BUDGET_MAX_MS) {
        return ngx_http_leasehold_complain(cf, "not a time between 1ms and 10s", &value[1]);
    }

    *field = (ngx_msec_t) time;

    return NGX_CONF_OK;
}
