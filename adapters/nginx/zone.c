/*
 * Memory that workers share: one for budgets, one for the nonces of request signatures where a
 * location takes those. nginx makes them and keeps them over reloads as long as their size stays;
 * a slab pool lies at the beginning of each, and all that the pool can give is the library's.
 */
#include "ngx_http_leasehold.h"


#define NGX_HTTP_LEASEHOLD_ZONE_SIZE  (8 * 1024 * 1024)


static ngx_int_t ngx_http_leasehold_init_zone(ngx_shm_zone_t *zone, void *before);
static ngx_int_t ngx_http_leasehold_init_nonces(ngx_shm_zone_t *zone, void *before);


static ngx_int_t
ngx_http_leasehold_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, ngx_shm_zone_init_pt init,
    ngx_http_leasehold_main_conf_t *lmcf)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, name, size, &ngx_http_leasehold_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = init;
    zone->data = lmcf;

    return NGX_OK;
}


ngx_int_t
ngx_http_leasehold_add_zones(ngx_conf_t *cf, ngx_http_leasehold_main_conf_t *lmcf)
{
    ngx_str_t  budgets = ngx_string("leasehold");
    ngx_str_t  nonces = ngx_string("leasehold_nonces");

    ngx_conf_init_size_value(lmcf->zone_size, NGX_HTTP_LEASEHOLD_ZONE_SIZE);

    if (ngx_http_leasehold_add(cf, &budgets, lmcf->zone_size, ngx_http_leasehold_init_zone, lmcf)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (lmcf->nonces_size == NGX_CONF_UNSET_SIZE) {
        return NGX_OK;
    }

    return ngx_http_leasehold_add(cf, &nonces, lmcf->nonces_size, ngx_http_leasehold_init_nonces,
                                  lmcf);
}


/* All that the pool of a new zone can give, zeroed; NULL if it gives nothing. */
static void *
ngx_http_leasehold_take(ngx_shm_zone_t *zone, size_t *out_len)
{
    ngx_slab_pool_t  *pool;

    pool = (ngx_slab_pool_t *) (void *) zone->shm.addr;
    *out_len = pool->pfree * ngx_pagesize;

    return ngx_slab_calloc(pool, *out_len);
}


/* before: the configuration whose zone this was, or NULL if it is new. */
static ngx_int_t
ngx_http_leasehold_init_zone(ngx_shm_zone_t *zone, void *before)
{
    lh_status                        status;
    ngx_http_leasehold_main_conf_t  *lmcf, *old;

    lmcf = zone->data;
    old = before;

    if (old) {
        lmcf->shared = old->shared;
        lmcf->shared_len = old->shared_len;

    } else {
        lmcf->shared = ngx_http_leasehold_take(zone, &lmcf->shared_len);
        if (lmcf->shared == NULL) {
            return NGX_ERROR;
        }
    }

    status = lh_shared_prepare(lmcf->shared, lmcf->shared_len);

    if (!lh_is_ok(status)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "leasehold: the zone cannot be made ready (%s)", lh_status_name(status));
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_init_nonces(ngx_shm_zone_t *zone, void *before)
{
    ngx_http_leasehold_main_conf_t  *lmcf, *old;

    lmcf = zone->data;
    old = before;

    if (old) {
        lmcf->nonces = old->nonces;
        lmcf->nonces_len = old->nonces_len;
        return NGX_OK;
    }

    lmcf->nonces = ngx_http_leasehold_take(zone, &lmcf->nonces_len);

    return lmcf->nonces ? NGX_OK : NGX_ERROR;
}


/*
 * In the master, when a new configuration can no longer fail and none of its workers lives yet.
 * Workers of the old one may still answer requests: what they would remember nobody else would see.
 */
void
ngx_http_leasehold_retire_nonces(ngx_cycle_t *cycle, ngx_http_leasehold_main_conf_t *lmcf)
{
    ngx_http_leasehold_main_conf_t  *old;

    if (cycle->old_cycle == NULL || cycle->old_cycle->conf_ctx == NULL
        || ngx_get_conf(cycle->old_cycle->conf_ctx, ngx_http_module) == NULL)
    {
        return;
    }

    old = ngx_http_cycle_get_module_main_conf(cycle->old_cycle, ngx_http_leasehold_module);

    if (old && old->nonces && (lmcf == NULL || old->nonces != lmcf->nonces)) {
        lh_nonces_retire(old->nonces);
    }
}
