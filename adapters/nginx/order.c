/*
 * What nginx reads when it loads this library: the modules in it, and before which of nginx's own
 * modules the named one is put. The filter stands before the modules that add answer headers, so
 * that it runs after them. The build through nginx's own scripts makes this file itself.
 */
#include "ngx_http_leasehold.h"


extern ngx_module_t  ngx_http_leasehold_filter_module;
extern ngx_module_t  ngx_leasehold_module;


extern ngx_module_t *ngx_modules[];
extern char *ngx_module_names[];
extern char *ngx_module_order[];


LH_PUBLIC ngx_module_t *ngx_modules[] = {
    &ngx_http_leasehold_module,
    &ngx_http_leasehold_filter_module,
    &ngx_leasehold_module,
    NULL
};


LH_PUBLIC char *ngx_module_names[] = {
    "ngx_http_leasehold_module",
    "ngx_http_leasehold_filter_module",
    "ngx_leasehold_module",
    NULL
};


LH_PUBLIC char *ngx_module_order[] = {
    "ngx_http_leasehold_filter_module",
    "ngx_http_range_header_filter_module",
    "ngx_http_gzip_filter_module",
    "ngx_http_userid_filter_module",
    "ngx_http_headers_filter_module",
    "ngx_http_copy_filter_module",
    NULL
};
