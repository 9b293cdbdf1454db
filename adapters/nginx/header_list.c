/*
 * Taking headers out of nginx's list and putting others in. Two rules of that list are written
 * nowhere but in the loops that read it: elements may not move (headers_in.host and its like
 * point at them), and no part but the first may be empty (the loops read a part's first element
 * before they look at its length). So the kept elements stay where they are, and the list becomes
 * a new chain of parts over their unbroken runs.
 */
#include "ngx_http_leasehold.h"


/* Room for what other modules push after us. */
#define NGX_HTTP_LEASEHOLD_LIST_SPARE  4


typedef struct {
    ngx_list_t       *list;
    ngx_pool_t       *pool;
    ngx_list_part_t  *last;      /* the newest part; NULL before the first */
} ngx_http_leasehold_chain_t;


static ngx_int_t
ngx_http_leasehold_chain_add(ngx_http_leasehold_chain_t *chain, ngx_table_elt_t *elements,
    ngx_uint_t count)
{
    ngx_list_part_t  *part;

    if (chain->last == NULL) {
        part = &chain->list->part;

    } else {
        part = ngx_palloc(chain->pool, sizeof(ngx_list_part_t));
        if (part == NULL) {
            return NGX_ERROR;
        }
        chain->last->next = part;
    }

    part->elts = elements;
    part->nelts = count;
    part->next = NULL;
    chain->last = part;

    return NGX_OK;
}


/* Adds the runs of kept elements of one old part. */
static ngx_int_t
ngx_http_leasehold_chain_keep(ngx_http_leasehold_chain_t *chain, ngx_table_elt_t *elements,
    ngx_uint_t count, ngx_uint_t (*is_dropped)(ngx_table_elt_t *element))
{
    ngx_uint_t  i, from;

    for (i = 0, from = 0; i <= count; i++) {
        if (i < count && (is_dropped == NULL || !is_dropped(&elements[i]))) {
            continue;
        }

        if (i > from
            && ngx_http_leasehold_chain_add(chain, &elements[from], i - from) != NGX_OK)
        {
            return NGX_ERROR;
        }

        from = i + 1;
    }

    return NGX_OK;
}


/* Adds a part with the extra elements and spare room; nginx's pushes go on in it. */
static ngx_int_t
ngx_http_leasehold_chain_append(ngx_http_leasehold_chain_t *chain, ngx_table_elt_t *extra,
    ngx_uint_t count, ngx_table_elt_t **out_first)
{
    ngx_table_elt_t  *elements;

    elements = ngx_palloc(chain->pool,
                          (count + NGX_HTTP_LEASEHOLD_LIST_SPARE) * sizeof(ngx_table_elt_t));
    if (elements == NULL) {
        return NGX_ERROR;
    }

    if (count) {
        ngx_memcpy(elements, extra, count * sizeof(ngx_table_elt_t));
    }

    chain->list->nalloc = count + NGX_HTTP_LEASEHOLD_LIST_SPARE;

    if (out_first) {
        *out_first = elements;
    }

    return ngx_http_leasehold_chain_add(chain, elements, count);
}


ngx_int_t
ngx_http_leasehold_list_rebuild(ngx_list_t *list, ngx_pool_t *pool,
    ngx_uint_t (*is_dropped)(ngx_table_elt_t *element), ngx_table_elt_t *extra,
    ngx_uint_t extra_count, ngx_table_elt_t **out_first)
{
    ngx_list_part_t              old, *part;
    ngx_http_leasehold_chain_t   chain;

    chain.list = list;
    chain.pool = pool;
    chain.last = NULL;

    old = list->part;

    for (part = &old; part; part = part->next) {
        if (ngx_http_leasehold_chain_keep(&chain, part->elts, part->nelts, is_dropped) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (extra_count || chain.last == NULL) {
        if (ngx_http_leasehold_chain_append(&chain, extra, extra_count, out_first) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        /* the slots behind a kept run are not free: the next push begins a part of its own */
        list->nalloc = chain.last->nelts;
    }

    list->last = chain.last;

    return NGX_OK;
}
