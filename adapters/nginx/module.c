/*
 * The modules of this library, and the life of a worker. Three, because their places in nginx's
 * list differ: phase handlers run last registered first, so the gate stands at the end of the
 * list; answer headers are judged last of all, so the filter stands just above those that write
 * them out (order.c); and only a core module is asked after the whole configuration is read.
 */
#include "ngx_http_leasehold.h"


static ngx_int_t ngx_http_leasehold_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_leasehold_variable_index(ngx_conf_t *cf, const char *name);
static void ngx_http_leasehold_warn_order(ngx_conf_t *cf);
static ngx_int_t ngx_http_leasehold_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_leasehold_init_process(ngx_cycle_t *cycle);
static void ngx_http_leasehold_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_leasehold_init_conf(ngx_cycle_t *cycle, void *conf);


static ngx_http_module_t  ngx_http_leasehold_module_ctx = {
    ngx_http_leasehold_add_variables,      /* preconfiguration */
    ngx_http_leasehold_postconfiguration,  /* postconfiguration */

    ngx_http_leasehold_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_leasehold_create_loc_conf,    /* create location configuration */
    ngx_http_leasehold_merge_loc_conf      /* merge location configuration */
};


LH_PUBLIC ngx_module_t  ngx_http_leasehold_module = {
    NGX_MODULE_V1,
    &ngx_http_leasehold_module_ctx,        /* module context */
    ngx_http_leasehold_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_leasehold_init_module,        /* init module */
    ngx_http_leasehold_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_leasehold_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_module_t  ngx_http_leasehold_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_leasehold_filter_init,        /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


LH_PUBLIC ngx_module_t  ngx_http_leasehold_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_leasehold_filter_module_ctx, /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_core_module_t  ngx_leasehold_module_ctx = {
    ngx_string("leasehold"),
    NULL,
    ngx_http_leasehold_init_conf
};


LH_PUBLIC ngx_module_t  ngx_leasehold_module = {
    NGX_MODULE_V1,
    &ngx_leasehold_module_ctx,             /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_leasehold_add_handler(ngx_conf_t *cf, ngx_http_phases phase, ngx_http_handler_pt handler)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_leasehold_main_conf_t  *lmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leasehold_module);

    if (lmcf->home.len == 0) {
        if (lmcf->first_use.len) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "leasehold directives without \"leasehold_home\", the first one in %V",
                          &lmcf->first_use);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    lmcf->request_id_index = ngx_http_leasehold_variable_index(cf, "request_id");

    ngx_http_leasehold_warn_order(cf);

    if (lmcf->takes_signatures && lmcf->nonces_size == NGX_CONF_UNSET_SIZE) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "leasehold: a location takes signatures, but there is no memory in which "
                      "workers would remember those that were used: say \"leasehold_nonces SIZE\"");
        return NGX_ERROR;
    }

    if (ngx_http_leasehold_add_zones(cf, lmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_leasehold_add_handler(cf, NGX_HTTP_POST_READ_PHASE,
                                       ngx_http_leasehold_scrub_handler) != NGX_OK
        || ngx_http_leasehold_add_handler(cf, NGX_HTTP_SERVER_REWRITE_PHASE,
                                          ngx_http_leasehold_scrub_handler) != NGX_OK
        || ngx_http_leasehold_add_handler(cf, NGX_HTTP_REWRITE_PHASE,
                                          ngx_http_leasehold_rewrite_handler) != NGX_OK
        || ngx_http_leasehold_add_handler(cf, NGX_HTTP_PREACCESS_PHASE,
                                          ngx_http_leasehold_preaccess_handler) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Of a variable that the configuration uses; NGX_ERROR if it does not. */
static ngx_int_t
ngx_http_leasehold_variable_index(ngx_conf_t *cf, const char *name)
{
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (v[i].name.len == ngx_strlen(name)
            && ngx_strncmp(v[i].name.data, name, v[i].name.len) == 0)
        {
            return (ngx_int_t) i;
        }
    }

    return NGX_ERROR;
}


/* A module that is loaded after this one has its handlers run before ours. */
static void
ngx_http_leasehold_warn_order(ngx_conf_t *cf)
{
    ngx_uint_t  i, is_after;

    is_after = 0;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (cf->cycle->modules[i] == &ngx_http_leasehold_module) {
            is_after = 1;
            continue;
        }

        if (is_after && cf->cycle->modules[i]->type == NGX_HTTP_MODULE) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "leasehold: module \"%s\" is loaded after this one and may answer "
                          "requests before they are decided; load leasehold last",
                          cf->cycle->modules[i]->name);
        }
    }
}


/* After the whole configuration: the workers' user is known now. */
static char *
ngx_http_leasehold_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_http_leasehold_main_conf_t  *lmcf;

    /* a stopped home may not keep anybody from stopping nginx */
    if (ngx_process == NGX_PROCESS_SIGNALLER
        || ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL)
    {
        return NGX_CONF_OK;
    }

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_leasehold_module);

    if (lmcf == NULL || lmcf->home.len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_http_leasehold_find_header_variables(cycle, &lmcf->header_variables) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_leasehold_check_home(cycle, &lmcf->home) == NGX_OK ? NGX_CONF_OK
                                                                       : NGX_CONF_ERROR;
}


/* The last thing that is done with a new configuration before workers get it. */
static ngx_int_t
ngx_http_leasehold_init_module(ngx_cycle_t *cycle)
{
    ngx_http_leasehold_main_conf_t  *lmcf;

    lmcf = ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL
           ? NULL : ngx_http_cycle_get_module_main_conf(cycle, ngx_http_leasehold_module);

    ngx_http_leasehold_retire_nonces(cycle, lmcf);

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_init_process(ngx_cycle_t *cycle)
{
    ngx_http_leasehold_main_conf_t  *lmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }

    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NGX_OK;
    }

    lmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_leasehold_module);

    if (lmcf == NULL || lmcf->home.len == 0) {
        return NGX_OK;
    }

    return ngx_http_leasehold_worker_init(cycle, lmcf);
}


static void
ngx_http_leasehold_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_leasehold_worker_exit();
}
