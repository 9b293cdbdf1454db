/*
 * Memory that workers share. nginx makes it and keeps it over reloads as long as its size stays;
 * a slab pool lies at its beginning, and all that the pool can give is the library's.
 */
#include "ngx_http_leasehold.h"


#define NGX_HTTP_LEASEHOLD_ZONE_SIZE  (8 * 1024 * 1024)


static ngx_int_t ngx_http_leasehold_init_zone(ngx_shm_zone_t *zone, void *before);


ngx_int_t
ngx_http_leasehold_add_zone(ngx_conf_t *cf, ngx_http_leasehold_main_conf_t *lmcf)
{
    ngx_str_t        name = ngx_string("leasehold");
    ngx_shm_zone_t  *zone;

    ngx_conf_init_size_value(lmcf->zone_size, NGX_HTTP_LEASEHOLD_ZONE_SIZE);

    zone = ngx_shared_memory_add(cf, &name, lmcf->zone_size, &ngx_http_leasehold_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_leasehold_init_zone;
    zone->data = lmcf;

    return NGX_OK;
}


/* before: the configuration whose zone this was, or NULL if it is new. */
static ngx_int_t
ngx_http_leasehold_init_zone(ngx_shm_zone_t *zone, void *before)
{
    lh_status                        status;
    ngx_slab_pool_t                 *pool;
    ngx_http_leasehold_main_conf_t  *lmcf, *old;

    lmcf = zone->data;
    old = before;

    if (old) {
        lmcf->shared = old->shared;
        lmcf->shared_len = old->shared_len;

    } else {
        pool = (ngx_slab_pool_t *) (void *) zone->shm.addr;
        lmcf->shared_len = pool->pfree * ngx_pagesize;
        lmcf->shared = ngx_slab_calloc(pool, lmcf->shared_len);
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
