/*
 * What the files of directives share: setters as nginx calls them, and what they need to read
 * their values.
 */
#ifndef NGX_HTTP_LEASEHOLD_DIRECTIVES_H
#define NGX_HTTP_LEASEHOLD_DIRECTIVES_H

#include "ngx_http_leasehold.h"


/* directives_source.c */
char *ngx_http_leasehold_set_tenant_from(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leasehold_set_credential(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leasehold_set_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leasehold_set_preflight(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* directives_session.c */
char *ngx_http_leasehold_set_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leasehold_set_audience(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leasehold_set_signin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leasehold_set_budget(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* directives.c */
/* Logs what is wrong with a value of the present directive; NGX_CONF_ERROR. */
char *ngx_http_leasehold_complain(ngx_conf_t *cf, const char *what, ngx_str_t *value);
ngx_uint_t ngx_http_leasehold_is(ngx_str_t *value, const char *word);
/* Appends a text to a list, which is made at the first one. */
ngx_int_t ngx_http_leasehold_push(ngx_conf_t *cf, ngx_array_t **list, u_char *text, size_t len);
/* An empty list, to take back an inherited one. */
char *ngx_http_leasehold_empty(ngx_conf_t *cf, ngx_array_t **list);

/* directive_checks.c */
ngx_uint_t ngx_http_leasehold_is_domain(ngx_str_t *value);
ngx_uint_t ngx_http_leasehold_is_name(u_char *text, size_t len);
ngx_uint_t ngx_http_leasehold_is_origin(ngx_str_t *value);
ngx_uint_t ngx_http_leasehold_is_signin(ngx_str_t *value);


#endif
