/*
 * What a location inherits, directive by directive, and the policy that comes of it. A location
 * that says nothing of its own shares its parent's policy object.
 */
#include "ngx_http_leasehold.h"


#define NGX_HTTP_LEASEHOLD_BUDGET_MS       5
#define NGX_HTTP_LEASEHOLD_COLD_BUDGET_MS  250


static ngx_int_t ngx_http_leasehold_check_merged(ngx_conf_t *cf,
    ngx_http_leasehold_loc_conf_t *conf);
static void ngx_http_leasehold_note_signatures(ngx_conf_t *cf,
    ngx_http_leasehold_loc_conf_t *conf);
static ngx_http_leasehold_policy_t *ngx_http_leasehold_build_policy(ngx_conf_t *cf,
    ngx_http_leasehold_loc_conf_t *conf);


void *
ngx_http_leasehold_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_leasehold_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_leasehold_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    lmcf->request_id_index = NGX_ERROR;
    lmcf->zone_size = NGX_CONF_UNSET_SIZE;
    lmcf->nonces_size = NGX_CONF_UNSET_SIZE;

    return lmcf;
}


void *
ngx_http_leasehold_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_leasehold_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_leasehold_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->mode = NGX_CONF_UNSET_UINT;
    conf->tenant_from = NGX_CONF_UNSET_UINT;
    conf->base_domains = NGX_CONF_UNSET_PTR;
    conf->credentials = NGX_CONF_UNSET_UINT;
    conf->cookie = NGX_CONF_UNSET_UINT;
    conf->token_mode = NGX_CONF_UNSET_UINT;
    conf->pass_authorization = NGX_CONF_UNSET;
    conf->state = NGX_CONF_UNSET_UINT;
    conf->is_require_set = NGX_CONF_UNSET;
    conf->require_roles = NGX_CONF_UNSET_PTR;
    conf->require_scopes = NGX_CONF_UNSET_PTR;
    conf->audiences = NGX_CONF_UNSET_PTR;
    conf->origin = NGX_CONF_UNSET_UINT;
    conf->origins = NGX_CONF_UNSET_PTR;
    conf->preflight = NGX_CONF_UNSET_PTR;
    conf->budget = NGX_CONF_UNSET_MSEC;
    conf->cold_budget = NGX_CONF_UNSET_MSEC;
    conf->scrub = NGX_CONF_UNSET;
    conf->optional_stale = NGX_CONF_UNSET_UINT;
    conf->longlived = NGX_CONF_UNSET_UINT;
    conf->cache_control = NGX_CONF_UNSET_UINT;

    return conf;
}


/* What only the directives of a location together can say. */
static ngx_int_t
ngx_http_leasehold_check_merged(ngx_conf_t *cf, ngx_http_leasehold_loc_conf_t *conf)
{
    if (!conf->scrub) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leasehold_scrub off\" where leasehold is %s: a client could name "
                           "its own tenant to the upstream",
                           conf->mode == LH_GATE_ON ? "on" : "optional");
        return NGX_ERROR;
    }

    if ((conf->tenant_from & LH_GATE_TENANT_CLAIM)
        && !(conf->credentials & LH_GATE_CREDENTIAL_BEARER))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leasehold_tenant_from claim\" where leasehold_credential takes no "
                           "bearer token: no claim is read there");
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_leasehold_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_leasehold_loc_conf_t  *prev = parent;
    ngx_http_leasehold_loc_conf_t  *conf = child;

    /* values that one directive sets together are inherited together */
    if (conf->tenant_from == NGX_CONF_UNSET_UINT) {
        conf->base_domains = prev->base_domains;
    }

    if (conf->is_require_set == NGX_CONF_UNSET) {
        conf->require_roles = prev->require_roles;
        conf->require_scopes = prev->require_scopes;
    }

    if (conf->origin == NGX_CONF_UNSET_UINT) {
        conf->origins = prev->origins;
    }

    ngx_conf_merge_uint_value(conf->mode, prev->mode, LH_GATE_OFF);
    ngx_conf_merge_uint_value(conf->tenant_from, prev->tenant_from, LH_GATE_TENANT_HOST);
    ngx_conf_merge_uint_value(conf->credentials, prev->credentials, LH_GATE_CREDENTIAL_COOKIE);
    ngx_conf_merge_uint_value(conf->cookie, prev->cookie, LH_GATE_COOKIE_HANDLE);
    ngx_conf_merge_uint_value(conf->token_mode, prev->token_mode, LH_GATE_TOKEN_STATEFUL);
    ngx_conf_merge_value(conf->pass_authorization, prev->pass_authorization, 0);
    ngx_conf_merge_uint_value(conf->state, prev->state, LH_GATE_STATE_CLAIMS);
    ngx_conf_merge_value(conf->is_require_set, prev->is_require_set, 0);
    ngx_conf_merge_ptr_value(conf->audiences, prev->audiences, NGX_CONF_UNSET_PTR);
    ngx_conf_merge_uint_value(conf->origin, prev->origin, LH_GATE_ORIGIN_SAME);
    ngx_conf_merge_ptr_value(conf->preflight, prev->preflight, NGX_CONF_UNSET_PTR);
    ngx_conf_merge_str_value(conf->signin, prev->signin, "");
    ngx_conf_merge_msec_value(conf->budget, prev->budget, NGX_HTTP_LEASEHOLD_BUDGET_MS);
    ngx_conf_merge_msec_value(conf->cold_budget, prev->cold_budget,
                              NGX_HTTP_LEASEHOLD_COLD_BUDGET_MS);
    ngx_conf_merge_value(conf->scrub, prev->scrub, 1);
    ngx_conf_merge_uint_value(conf->optional_stale, prev->optional_stale,
                              NGX_HTTP_LEASEHOLD_STALE_REFUSE);
    ngx_conf_merge_uint_value(conf->longlived, prev->longlived,
                              NGX_HTTP_LEASEHOLD_LONGLIVED_CLOSE);
    ngx_conf_merge_uint_value(conf->cache_control, prev->cache_control,
                              NGX_HTTP_LEASEHOLD_CACHE_CONTROL_PRIVATE);

    if (conf->mode != LH_GATE_OFF && ngx_http_leasehold_check_merged(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_leasehold_note_signatures(cf, conf);

    conf->policy = prev->policy && !conf->has_directives
                   ? prev->policy : ngx_http_leasehold_build_policy(cf, conf);

    return conf->policy ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* What takes signatures needs memory for their nonces; see the end of the configuration. */
static void
ngx_http_leasehold_note_signatures(ngx_conf_t *cf, ngx_http_leasehold_loc_conf_t *conf)
{
    ngx_http_leasehold_main_conf_t  *lmcf;

    if (conf->mode != LH_GATE_OFF && (conf->credentials & LH_GATE_CREDENTIAL_SIGNATURE)) {
        lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leasehold_module);
        lmcf->takes_signatures = 1;
    }
}


static struct lh_gate_list
ngx_http_leasehold_list(ngx_array_t *array)
{
    struct lh_gate_list  list = { NULL, 0 };

    if (array != NGX_CONF_UNSET_PTR) {
        list.items = array->elts;
        list.count = array->nelts;
    }

    return list;
}


static ngx_http_leasehold_policy_t *
ngx_http_leasehold_build_policy(ngx_conf_t *cf, ngx_http_leasehold_loc_conf_t *conf)
{
    ngx_http_leasehold_policy_t  *policy;

    policy = ngx_pcalloc(cf->pool, sizeof(ngx_http_leasehold_policy_t));
    if (policy == NULL) {
        return NULL;
    }

    policy->scrub = conf->scrub;
    policy->longlived_keep = conf->longlived == NGX_HTTP_LEASEHOLD_LONGLIVED_KEEP;
    policy->cache_control_keep = conf->cache_control == NGX_HTTP_LEASEHOLD_CACHE_CONTROL_KEEP;

    policy->gate.mode = (enum lh_gate_mode) conf->mode;
    policy->gate.tenant_from = (unsigned) conf->tenant_from;
    policy->gate.base_domains = ngx_http_leasehold_list(conf->base_domains);
    policy->gate.state = (enum lh_gate_state) conf->state;
    policy->gate.require_roles = ngx_http_leasehold_list(conf->require_roles);
    policy->gate.require_scopes = ngx_http_leasehold_list(conf->require_scopes);
    policy->gate.audiences = ngx_http_leasehold_list(conf->audiences);
    policy->gate.origin = (enum lh_gate_origin) conf->origin;
    policy->gate.origins = ngx_http_leasehold_list(conf->origins);
    policy->gate.preflight = ngx_http_leasehold_list(conf->preflight);
    policy->gate.is_stale_passed = conf->optional_stale == NGX_HTTP_LEASEHOLD_STALE_PASS;
    policy->gate.credentials = (unsigned) conf->credentials;
    policy->gate.cookie = (enum lh_gate_cookie) conf->cookie;
    policy->gate.token_mode = (enum lh_gate_token_mode) conf->token_mode;
    policy->gate.passes_authorization = conf->pass_authorization != 0;
    policy->gate.signin = ngx_http_leasehold_slice(conf->signin);
    policy->gate.budget_ms = (uint32_t) conf->budget;
    policy->gate.cold_budget_ms = (uint32_t) conf->cold_budget;

    return policy;
}
