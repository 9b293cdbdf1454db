/*
 * For sanitizer builds: every piece of pool memory that this module takes is a malloc of its own,
 * freed with the pool, so that writing past its end is seen even in an nginx that was built
 * without sanitizers. Empty in other builds.
 */
#ifndef NGX_HTTP_LEASEHOLD_DEBUG_PALLOC_H
#define NGX_HTTP_LEASEHOLD_DEBUG_PALLOC_H

#if (NGX_HTTP_LEASEHOLD_DEBUG_PALLOC)

static ngx_inline void
ngx_http_leasehold_debug_free(void *memory)
{
    free(memory);
}


static ngx_inline void *
ngx_http_leasehold_debug_palloc(ngx_pool_t *pool, size_t size)
{
    void                *memory;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    memory = malloc(size ? size : 1);
    if (memory == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_leasehold_debug_free;
    cln->data = memory;

    return memory;
}


static ngx_inline void *
ngx_http_leasehold_debug_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *memory;

    memory = ngx_http_leasehold_debug_palloc(pool, size);
    if (memory != NULL) {
        ngx_memzero(memory, size);
    }

    return memory;
}

#define ngx_palloc   ngx_http_leasehold_debug_palloc
#define ngx_pnalloc  ngx_http_leasehold_debug_palloc
#define ngx_pcalloc  ngx_http_leasehold_debug_pcalloc

#endif

#endif
