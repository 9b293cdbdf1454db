/*
 * What the configuration may say. The table is directives.def; here are the values that nginx has
 * no setter of its own for.
 */
#include "directives.h"


typedef struct {
    char  *(*set)(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
    void    *post;
} ngx_http_leasehold_directive_t;


static char *ngx_http_leasehold_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_leasehold_set_home(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_leasehold_check_zone(ngx_conf_t *cf, void *post, void *conf);
static char *ngx_http_leasehold_check_nonces(ngx_conf_t *cf, void *post, void *conf);


static ngx_conf_post_t  ngx_http_leasehold_zone_post = { ngx_http_leasehold_check_zone };
static ngx_conf_post_t  ngx_http_leasehold_nonces_post = { ngx_http_leasehold_check_nonces };


static ngx_conf_enum_t  ngx_http_leasehold_modes[] = {
    { ngx_string("on"), LH_GATE_ON },
    { ngx_string("off"), LH_GATE_OFF },
    { ngx_string("optional"), LH_GATE_OPTIONAL },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_leasehold_states[] = {
    { ngx_string("none"), LH_GATE_STATE_NONE },
    { ngx_string("claims"), LH_GATE_STATE_CLAIMS },
    { ngx_string("full"), LH_GATE_STATE_FULL },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_leasehold_cookies[] = {
    { ngx_string("handle"), LH_GATE_COOKIE_HANDLE },
    { ngx_string("sealed"), LH_GATE_COOKIE_SEALED },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_leasehold_token_modes[] = {
    { ngx_string("stateful"), LH_GATE_TOKEN_STATEFUL },
    { ngx_string("stateless"), LH_GATE_TOKEN_STATELESS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_leasehold_stale_choices[] = {
    { ngx_string("refuse"), NGX_HTTP_LEASEHOLD_STALE_REFUSE },
    { ngx_string("pass"), NGX_HTTP_LEASEHOLD_STALE_PASS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_leasehold_longlived_choices[] = {
    { ngx_string("close"), NGX_HTTP_LEASEHOLD_LONGLIVED_CLOSE },
    { ngx_string("keep"), NGX_HTTP_LEASEHOLD_LONGLIVED_KEEP },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_leasehold_cache_control_choices[] = {
    { ngx_string("private"), NGX_HTTP_LEASEHOLD_CACHE_CONTROL_PRIVATE },
    { ngx_string("keep"), NGX_HTTP_LEASEHOLD_CACHE_CONTROL_KEEP },
    { ngx_null_string, 0 }
};


static ngx_http_leasehold_directive_t  ngx_http_leasehold_directives[] = {
#define LH_DIRECTIVE(name, where, args, setter, level, field, post, syntax, preset, meaning)       \
    { setter, post },
#include "directives.def"
#undef LH_DIRECTIVE
};


/* Where each row of the table above lies, for ngx_command_t.post. */
enum {
#define LH_DIRECTIVE(name, where, args, setter, level, field, post, syntax, preset, meaning)       \
    ROW_##name,
#include "directives.def"
#undef LH_DIRECTIVE
};


#define WHERE_HTTP  NGX_HTTP_MAIN_CONF
#define WHERE_HSL   NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
#define LEVEL_MAIN  NGX_HTTP_MAIN_CONF_OFFSET
#define LEVEL_LOC   NGX_HTTP_LOC_CONF_OFFSET
#define CONF_MAIN   ngx_http_leasehold_main_conf_t
#define CONF_LOC    ngx_http_leasehold_loc_conf_t


ngx_command_t  ngx_http_leasehold_commands[] = {
#define LH_DIRECTIVE(name, where, args, setter, level, field, post, syntax, preset, meaning)       \
    { ngx_string(#name), WHERE_##where|(args), ngx_http_leasehold_directive, LEVEL_##level,        \
      offsetof(CONF_##level, field), &ngx_http_leasehold_directives[ROW_##name] },
#include "directives.def"
#undef LH_DIRECTIVE

      ngx_null_command
};


/* Every directive comes through here: without a home none of them means anything. */
static char *
ngx_http_leasehold_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_command_t                    own;
    ngx_http_leasehold_directive_t  *row;
    ngx_http_leasehold_loc_conf_t   *llcf;
    ngx_http_leasehold_main_conf_t  *lmcf;

    row = cmd->post;
    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leasehold_module);

    if (row->set != ngx_http_leasehold_set_home && lmcf->first_use.len == 0) {
        lmcf->first_use.data = ngx_pnalloc(cf->pool, cf->conf_file->file.name.len + 1
                                                     + NGX_INT_T_LEN);
        if (lmcf->first_use.data == NULL) {
            return NGX_CONF_ERROR;
        }

        lmcf->first_use.len = (size_t) (ngx_sprintf(lmcf->first_use.data, "%V:%ui",
                                                    &cf->conf_file->file.name,
                                                    cf->conf_file->line)
                                        - lmcf->first_use.data);
    }

    if (cmd->conf == NGX_HTTP_LOC_CONF_OFFSET) {
        llcf = conf;
        llcf->has_directives = 1;
    }

    own = *cmd;
    own.set = row->set;
    own.post = row->post;

    return row->set(cf, &own, conf);
}


char *
ngx_http_leasehold_complain(ngx_conf_t *cf, const char *what, ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s: \"%V\"",
                       (ngx_str_t *) cf->args->elts, what, value);

    return NGX_CONF_ERROR;
}


ngx_uint_t
ngx_http_leasehold_is(ngx_str_t *value, const char *word)
{
    return value->len == ngx_strlen(word) && ngx_strncmp(value->data, word, value->len) == 0;
}


/* Appends a text to a list, which is made at the first one. */
ngx_int_t
ngx_http_leasehold_push(ngx_conf_t *cf, ngx_array_t **list, u_char *text, size_t len)
{
    lh_slice  *slice;

    if (*list == NGX_CONF_UNSET_PTR) {
        *list = ngx_array_create(cf->pool, 4, sizeof(lh_slice));
        if (*list == NULL) {
            return NGX_ERROR;
        }
    }

    slice = ngx_array_push(*list);
    if (slice == NULL) {
        return NGX_ERROR;
    }

    slice->ptr = text;
    slice->len = len;

    return NGX_OK;
}


/* An empty list, to take back an inherited one. */
char *
ngx_http_leasehold_empty(ngx_conf_t *cf, ngx_array_t **list)
{
    *list = ngx_array_create(cf->pool, 1, sizeof(lh_slice));

    return *list ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_leasehold_set_home(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leasehold_main_conf_t  *lmcf = conf;

    ngx_str_t  *value;

    if (lmcf->home.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lmcf->home = value[1];

    if (lmcf->home.len == 0) {
        return ngx_http_leasehold_complain(cf, "no directory", &value[1]);
    }

    /* also makes sure of the NUL at the end */
    if (ngx_conf_full_name(cf->cycle, &lmcf->home, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_leasehold_check_zone(ngx_conf_t *cf, void *post, void *conf)
{
    size_t  *size = conf;

    (void) post;

    if (*size < NGX_HTTP_LEASEHOLD_ZONE_LEAST) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"leasehold_zone\": at least %uzm are needed",
                           NGX_HTTP_LEASEHOLD_ZONE_LEAST / 1024 / 1024);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_leasehold_check_nonces(ngx_conf_t *cf, void *post, void *conf)
{
    size_t  *size = conf;

    (void) post;

    if (*size < NGX_HTTP_LEASEHOLD_NONCES_LEAST) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"leasehold_nonces\": at least %uzk are needed",
                           (size_t) NGX_HTTP_LEASEHOLD_NONCES_LEAST / 1024);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
