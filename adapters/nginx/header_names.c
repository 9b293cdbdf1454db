/*
 * Headers that are put into requests, as nginx's modules look for them: with their hashed names,
 * which are computed once for each name of static storage.
 */
#include "ngx_http_leasehold.h"


/* Names of what is put in, kept ready; a few more than there are. */
#define NGX_HTTP_LEASEHOLD_NAMES_MAX  24
#define NGX_HTTP_LEASEHOLD_NAME_BYTES 32


/* A header name as nginx's modules look for it. */
typedef struct {
    u_char      *name;       /* of static storage: known by its address */
    size_t       len;
    ngx_uint_t   hash;
    u_char       lowcase[NGX_HTTP_LEASEHOLD_NAME_BYTES];
} ngx_http_leasehold_name_t;


/* the process's own; filled as names are met */
static ngx_http_leasehold_name_t  ngx_http_leasehold_names[NGX_HTTP_LEASEHOLD_NAMES_MAX];
static ngx_uint_t                 ngx_http_leasehold_names_count;


static ngx_http_leasehold_name_t *
ngx_http_leasehold_name(lh_slice name)
{
    ngx_uint_t                  i;
    ngx_http_leasehold_name_t  *known;

    for (i = 0; i < ngx_http_leasehold_names_count; i++) {
        known = &ngx_http_leasehold_names[i];

        if (known->name == name.ptr && known->len == name.len) {
            return known;
        }
    }

    if (i == NGX_HTTP_LEASEHOLD_NAMES_MAX || name.len > NGX_HTTP_LEASEHOLD_NAME_BYTES) {
        return NULL;
    }

    known = &ngx_http_leasehold_names[i];
    known->name = (u_char *) (uintptr_t) name.ptr;
    known->len = name.len;
    known->hash = ngx_hash_strlow(known->lowcase, known->name, name.len);

    ngx_http_leasehold_names_count++;

    return known;
}


ngx_int_t
ngx_http_leasehold_fill(ngx_http_request_t *r, ngx_table_elt_t *element, lh_slice name,
    lh_slice value)
{
    u_char                     *lowcase;
    ngx_http_leasehold_name_t  *known;

    ngx_memzero(element, sizeof(ngx_table_elt_t));
    element->key.data = (u_char *) (uintptr_t) name.ptr;
    element->key.len = name.len;
    element->value.data = (u_char *) (uintptr_t) value.ptr;
    element->value.len = value.len;

    known = ngx_http_leasehold_name(name);
    if (known) {
        element->lowcase_key = known->lowcase;
        element->hash = known->hash;
        return NGX_OK;
    }

    lowcase = ngx_pnalloc(r->pool, name.len);
    if (lowcase == NULL) {
        return NGX_ERROR;
    }

    element->lowcase_key = lowcase;
    element->hash = ngx_hash_strlow(lowcase, element->key.data, name.len);

    return NGX_OK;
}
