/*
 * Directives that say where a request may come from: its tenant, its credential, its origin.
 */
#include "directives.h"


char *
ngx_http_leasehold_set_tenant_from(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leasehold_loc_conf_t  *llcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (llcf->tenant_from != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    llcf->tenant_from = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_leasehold_is(&value[i], "host")) {
            llcf->tenant_from |= LH_GATE_TENANT_HOST;
            continue;
        }

        if (ngx_http_leasehold_is(&value[i], "header")) {
            llcf->tenant_from |= LH_GATE_TENANT_HEADER;
            continue;
        }

        if (ngx_http_leasehold_is(&value[i], "claim")) {
            llcf->tenant_from |= LH_GATE_TENANT_CLAIM;
            continue;
        }

        if (!ngx_http_leasehold_is(&value[i], "subdomain")) {
            return ngx_http_leasehold_complain(cf, "unknown source", &value[i]);
        }

        if (++i == cf->args->nelts) {
            return ngx_http_leasehold_complain(cf, "a base domain must follow", &value[i - 1]);
        }

        if (!ngx_http_leasehold_is_domain(&value[i])) {
            return ngx_http_leasehold_complain(cf, "not a domain name", &value[i]);
        }

        llcf->tenant_from |= LH_GATE_TENANT_SUBDOMAIN;

        if (ngx_http_leasehold_push(cf, &llcf->base_domains, value[i].data, value[i].len)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_leasehold_set_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leasehold_loc_conf_t  *llcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (llcf->credentials != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    llcf->credentials = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_leasehold_is(&value[i], "cookie")) {
            llcf->credentials |= LH_GATE_CREDENTIAL_COOKIE;
            continue;
        }

        if (ngx_http_leasehold_is(&value[i], "bearer")) {
            llcf->credentials |= LH_GATE_CREDENTIAL_BEARER;
            continue;
        }

        if (ngx_http_leasehold_is(&value[i], "signature")) {
            llcf->credentials |= LH_GATE_CREDENTIAL_SIGNATURE;
            continue;
        }

        return ngx_http_leasehold_complain(cf, "unknown credential", &value[i]);
    }

    return NGX_CONF_OK;
}


/* The arguments from the given one on. */
static char *
ngx_http_leasehold_push_origins(ngx_conf_t *cf, ngx_array_t **list, ngx_uint_t from)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = from; i < cf->args->nelts; i++) {
        if (!ngx_http_leasehold_is_origin(&value[i])) {
            return ngx_http_leasehold_complain(cf, "not an origin (scheme://host[:port])",
                                               &value[i]);
        }

        if (ngx_http_leasehold_push(cf, list, value[i].data, value[i].len) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_leasehold_set_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leasehold_loc_conf_t  *llcf = conf;

    ngx_str_t  *value;

    if (llcf->origin != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_http_leasehold_is(&value[1], "off")) {
        llcf->origin = LH_GATE_ORIGIN_OFF;
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 2 && ngx_http_leasehold_is(&value[1], "same")) {
        llcf->origin = LH_GATE_ORIGIN_SAME;
        return NGX_CONF_OK;
    }

    llcf->origin = LH_GATE_ORIGIN_LIST;

    return ngx_http_leasehold_push_origins(cf, &llcf->origins, 1);
}


char *
ngx_http_leasehold_set_preflight(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leasehold_loc_conf_t  *llcf = conf;

    ngx_str_t  *value;

    if (llcf->preflight != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_http_leasehold_is(&value[1], "none")) {
        return ngx_http_leasehold_empty(cf, &llcf->preflight);
    }

    return ngx_http_leasehold_push_origins(cf, &llcf->preflight, 1);
}
