/*
 * $http_... of headers that each location writes anew. nginx remembers what such a variable was
 * when it was read first, and shares that with subrequests: it would be another location's
 * identity, or what a client sent to one with "leasehold_scrub off". So these are read anew each
 * time, and what was remembered (the access log asks for that) is of the last location.
 */
#include "ngx_http_leasehold.h"


static ngx_uint_t
ngx_http_leasehold_is_header_variable(ngx_str_t *name)
{
    size_t               skip;
    lh_slice             header;
    enum lh_header_kind  kind;

    skip = sizeof("http_") - 1;

    if (name->len <= skip || ngx_strncmp(name->data, "http_", skip) != 0) {
        return 0;
    }

    header.ptr = name->data + skip;
    header.len = name->len - skip;
    kind = lh_gate_header_kind(header);

    return ngx_http_leasehold_is_written(kind);
}


ngx_int_t
ngx_http_leasehold_find_header_variables(ngx_cycle_t *cycle, ngx_array_t *found)
{
    ngx_uint_t                  i, *index;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    if (ngx_array_init(found, cycle->pool, 4, sizeof(ngx_uint_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (!ngx_http_leasehold_is_header_variable(&v[i].name)) {
            continue;
        }

        index = ngx_array_push(found);
        if (index == NULL) {
            return NGX_ERROR;
        }

        *index = i;
        v[i].flags |= NGX_HTTP_VAR_NOCACHEABLE;
    }

    return NGX_OK;
}


void
ngx_http_leasehold_forget_header_variables(ngx_http_request_t *r)
{
    ngx_uint_t                       i, *index;
    ngx_http_leasehold_main_conf_t  *lmcf;

    lmcf = ngx_http_get_module_main_conf(r, ngx_http_leasehold_module);
    index = lmcf->header_variables.elts;

    for (i = 0; i < lmcf->header_variables.nelts; i++) {
        r->variables[index[i]].valid = 0;
        r->variables[index[i]].not_found = 0;
    }
}
