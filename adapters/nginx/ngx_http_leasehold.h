/*
 * The nginx face of the gate: what the files of this folder share. They translate between nginx
 * and the library and decide nothing.
 *
 *   directives.c  what the configuration may say (table in directives.def), with
 *                 directives_source.c, directives_session.c and directive_checks.c
 *   policy.c      what a location inherits, and the policy that comes of it
 *   module.c      the modules, their phases and the worker's life
 *   host.c        what the library needs from a worker; lanes.c: its two threads
 *   zone.c        memory that workers share
 *   body.c        bodies of signed requests
 *   record.c      what is remembered of a request
 *   handler.c     when a request is decided, and waiting for it
 *   scrub.c       request headers: what is taken away and what is put in, with header_list.c,
 *                 header_names.c, connection_headers.c and header_variables.c
 *   answer.c      refusals
 *   filter.c      answer headers
 *   variables.c   $leasehold_...
 *   longlived.c   upgraded and streaming requests whose session ends
 */
#ifndef NGX_HTTP_LEASEHOLD_H
#define NGX_HTTP_LEASEHOLD_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <leasehold/gate.h>
#include <leasehold/host.h>
#include <leasehold/setup.h>

#include "debug_palloc.h"


typedef struct {
    ngx_str_t                  home;              /* absolute path, with NUL; empty: no module */
    ngx_str_t                  first_use;         /* "file:line" of the first other directive */
    ngx_int_t                  request_id_index;  /* $request_id if used, else NGX_ERROR */
    ngx_array_t                header_variables;  /* of ngx_uint_t, see header_variables.c */
    size_t                     zone_size;         /* of what workers share */
    void                      *shared;            /* what of it is the library's; set by zone.c */
    size_t                     shared_len;
    size_t                     nonces_size;       /* likewise for nonces of signatures */
    void                      *nonces;
    size_t                     nonces_len;
    unsigned                   takes_signatures:1; /* some location does */
} ngx_http_leasehold_main_conf_t;


/* What a location wants, resolved; one object for all locations that want the same by
 * inheritance, so that a decision made in one of them holds in the others. */
typedef struct {
    struct lh_gate_policy      gate;
    ngx_flag_t                 scrub;
    ngx_flag_t                 longlived_keep;
    ngx_flag_t                 cache_control_keep;
} ngx_http_leasehold_policy_t;


/* What the directives of one level say. Merged one by one. */
typedef struct {
    ngx_flag_t                 has_directives;    /* of its own, any */
    ngx_uint_t                 mode;
    ngx_uint_t                 tenant_from;       /* LH_GATE_TENANT_... */
    ngx_array_t               *base_domains;      /* of lh_slice; goes with tenant_from */
    ngx_uint_t                 credentials;       /* LH_GATE_CREDENTIAL_... */
    ngx_uint_t                 cookie;
    ngx_uint_t                 token_mode;
    ngx_flag_t                 pass_authorization;
    ngx_uint_t                 state;
    ngx_flag_t                 is_require_set;
    ngx_array_t               *require_roles;     /* of lh_slice; goes with is_require_set */
    ngx_array_t               *require_scopes;
    ngx_array_t               *audiences;         /* of lh_slice */
    ngx_uint_t                 origin;
    ngx_array_t               *origins;           /* of lh_slice; goes with origin */
    ngx_array_t               *preflight;         /* of lh_slice */
    ngx_str_t                  signin;
    ngx_msec_t                 budget;
    ngx_msec_t                 cold_budget;
    ngx_flag_t                 scrub;
    ngx_uint_t                 optional_stale;
    ngx_uint_t                 longlived;
    ngx_uint_t                 cache_control;

    ngx_http_leasehold_policy_t  *policy;         /* made by the merge */
} ngx_http_leasehold_loc_conf_t;


enum { NGX_HTTP_LEASEHOLD_STALE_REFUSE, NGX_HTTP_LEASEHOLD_STALE_PASS };
enum { NGX_HTTP_LEASEHOLD_LONGLIVED_CLOSE, NGX_HTTP_LEASEHOLD_LONGLIVED_KEEP };
enum { NGX_HTTP_LEASEHOLD_CACHE_CONTROL_PRIVATE, NGX_HTTP_LEASEHOLD_CACHE_CONTROL_KEEP };


enum {
    NGX_HTTP_LEASEHOLD_BODY_UNREAD = 0,
    NGX_HTTP_LEASEHOLD_BODY_BEGUN,                /* to be read; stays where it is not good */
    NGX_HTTP_LEASEHOLD_BODY_GOOD
};


typedef struct ngx_http_leasehold_record_s   ngx_http_leasehold_record_t;
typedef struct ngx_http_leasehold_verdict_s  ngx_http_leasehold_verdict_t;
typedef struct ngx_http_leasehold_visit_s    ngx_http_leasehold_visit_t;


/* What nginx's debug log reads of a timer's owner: laid out like ngx_connection_t. */
typedef struct {
    void                      *owner;
    ngx_event_t               *read;
    ngx_event_t               *write;
    ngx_socket_t               fd;
} ngx_http_leasehold_ident_t;


/* A decision under one policy; shared by a request and its subrequests. */
struct ngx_http_leasehold_verdict_s {
    ngx_http_leasehold_policy_t   *policy;
    ngx_http_leasehold_record_t   *record;
    struct lh_request              request;   /* what the gate was asked about */
    struct lh_decision             decision;
    struct lh_gate_call           *call;      /* while pending */
    ngx_event_t                    resume;    /* timer and posted event while pending */
    ngx_http_leasehold_ident_t     ident;
    unsigned                       is_ready:1;
    unsigned                       is_answered:1; /* its answer headers are in headers_out */
    ngx_http_leasehold_verdict_t  *next;
};


/* A request or subrequest on its way through locations. */
struct ngx_http_leasehold_visit_s {
    ngx_http_request_t            *request;
    ngx_http_leasehold_record_t   *record;
    ngx_http_leasehold_verdict_t  *verdict;   /* of the present location */
    ngx_http_leasehold_verdict_t  *applied;   /* whose headers are in the request now */
    ngx_event_t                    wake;      /* posted when the verdict is ready */
    unsigned                       is_waiting:1;
    ngx_http_leasehold_visit_t    *next;
};


/* A header that was taken out of the client's request. */
typedef struct {
    enum lh_header_kind            kind;
    ngx_table_elt_t               *element;   /* stays where it was parsed */
} ngx_http_leasehold_taken_t;


/* All that is remembered of a client's request; lives as long as its pool. */
struct ngx_http_leasehold_record_s {
    ngx_http_request_t            *main;
    struct lh_request              request;   /* as the client sent it */
    struct lh_request_header      *headers;   /* raw values of all that concern the gate */
    ngx_http_leasehold_taken_t    *taken;     /* the same headers as nginx has them */
    ngx_uint_t                     taken_count;
    ngx_uint_t                     signature_count; /* of these, headers of signatures */
    struct lh_claimed_nonce        claimed;
    struct lh_gate_body           *body;      /* while it is read */
    ngx_http_leasehold_verdict_t  *body_verdict; /* that asked for it */
    ngx_uint_t                     body_state; /* of a signed one */
    ngx_http_leasehold_verdict_t  *verdicts;
    ngx_http_leasehold_verdict_t  *identity;  /* the last one that was not off, of main */
    ngx_http_leasehold_visit_t    *visits;
    ngx_queue_t                    watched;   /* among the worker's long-lived requests */
    ngx_http_leasehold_verdict_t  *watch;     /* whose session is watched, or NULL */
    ngx_msec_t                     began;
};


/* nginx's own part of a zone is far less than the difference. */
#define NGX_HTTP_LEASEHOLD_ZONE_LEAST    (LH_SHARED_LEAST_BYTES + 1024 * 1024)
#define NGX_HTTP_LEASEHOLD_NONCES_LEAST  (256 * 1024)


extern ngx_module_t  ngx_http_leasehold_module;


/* policy.c */
void *ngx_http_leasehold_create_main_conf(ngx_conf_t *cf);
void *ngx_http_leasehold_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_leasehold_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

/* directives.c */
extern ngx_command_t  ngx_http_leasehold_commands[];

/* zone.c */
/* Asks nginx for the memory that workers share; a reload keeps it while its size stays. */
ngx_int_t ngx_http_leasehold_add_zones(ngx_conf_t *cf, ngx_http_leasehold_main_conf_t *lmcf);
/* Ends the former cycle's memory of nonces where it is not this one's. lmcf: NULL: none. */
void ngx_http_leasehold_retire_nonces(ngx_cycle_t *cycle, ngx_http_leasehold_main_conf_t *lmcf);

/* body.c */
void ngx_http_leasehold_body_filter_init(void);
/* Whether the body is the one that was signed; see there. */
ngx_int_t ngx_http_leasehold_check_body(ngx_http_request_t *r,
    ngx_http_leasehold_verdict_t *verdict);

/* host.c: the worker's home. NULL while it cannot be used. */
struct lh_gate *ngx_http_leasehold_gate(void);
ngx_int_t ngx_http_leasehold_worker_init(ngx_cycle_t *cycle,
    ngx_http_leasehold_main_conf_t *lmcf);
void ngx_http_leasehold_worker_exit(void);
/* Config time: NGX_ERROR if the worker's user cannot use the home; logs why. */
ngx_int_t ngx_http_leasehold_check_home(ngx_cycle_t *cycle, ngx_str_t *home);

/* record.c */
/* What is known of this request; scrubs at first sight. NULL: out of memory. */
ngx_http_leasehold_visit_t *ngx_http_leasehold_visit(ngx_http_request_t *r);
/* The same, or NULL if nothing was remembered yet. */
ngx_http_leasehold_record_t *ngx_http_leasehold_record_find(ngx_http_request_t *r);
ngx_http_leasehold_visit_t *ngx_http_leasehold_visit_find(ngx_http_request_t *r);

/* handler.c */
ngx_int_t ngx_http_leasehold_scrub_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_leasehold_rewrite_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_leasehold_preaccess_handler(ngx_http_request_t *r);
/* Forgets what is pending; the request is about to end. */
void ngx_http_leasehold_cancel(void *record);

/* connection_headers.c */
/* Takes out of Connection and Upgrade what may not reach an upstream. NGX_ERROR: no memory. */
ngx_int_t ngx_http_leasehold_scrub_connections(ngx_http_request_t *r);

/* scrub.c */
/* Notes the client's headers that concern the gate and takes the managed ones away. */
ngx_int_t ngx_http_leasehold_scrub(ngx_http_leasehold_record_t *record);
/* Gives a subrequest a header list of its own. */
ngx_int_t ngx_http_leasehold_own_headers(ngx_http_request_t *r);
/* Makes the request's headers what the verdict says. */
ngx_int_t ngx_http_leasehold_apply(ngx_http_leasehold_visit_t *visit,
    ngx_http_leasehold_verdict_t *verdict);

/* header_names.c */
/* Makes a header to be put into a request. name: of static storage. NGX_ERROR: no memory. */
ngx_int_t ngx_http_leasehold_fill(ngx_http_request_t *r, ngx_table_elt_t *element, lh_slice name,
    lh_slice value);

/* header_variables.c */
/* Finds the $http_... whose headers each location writes anew. NGX_ERROR: no memory. */
ngx_int_t ngx_http_leasehold_find_header_variables(ngx_cycle_t *cycle, ngx_array_t *found);
void ngx_http_leasehold_forget_header_variables(ngx_http_request_t *r);

/* header_list.c */
/*
 * Drops elements from a list and appends others, without moving any element and without leaving
 * an empty part behind (nginx reads the first element of a part unasked).
 * is_dropped  may be NULL; extra: extra_count elements, copied.
 * out_first   where the copies lie, or NULL.
 */
ngx_int_t ngx_http_leasehold_list_rebuild(ngx_list_t *list, ngx_pool_t *pool,
    ngx_uint_t (*is_dropped)(ngx_table_elt_t *element), ngx_table_elt_t *extra,
    ngx_uint_t extra_count, ngx_table_elt_t **out_first);

/* answer.c */
/* Answers for the request and ends its phases: NGX_DONE or a status for nginx. */
ngx_int_t ngx_http_leasehold_refuse(ngx_http_request_t *r, ngx_http_leasehold_verdict_t *verdict);
/* Adds the decision's headers to the answer, once. */
ngx_int_t ngx_http_leasehold_answer_headers(ngx_http_request_t *r,
    ngx_http_leasehold_verdict_t *verdict);

/* filter.c */
ngx_int_t ngx_http_leasehold_filter_init(ngx_conf_t *cf);

/* variables.c */
ngx_int_t ngx_http_leasehold_add_variables(ngx_conf_t *cf);
/* The verdict that speaks for this request: its location's, or the last one made. May be NULL. */
ngx_http_leasehold_verdict_t *ngx_http_leasehold_speaking_verdict(ngx_http_request_t *r);

/* longlived.c */
void ngx_http_leasehold_longlived_init(void);
void ngx_http_leasehold_longlived_add(ngx_http_leasehold_verdict_t *verdict);
void ngx_http_leasehold_longlived_remove(ngx_http_leasehold_record_t *record);
/* Called each second. */
void ngx_http_leasehold_longlived_sweep(void);


static ngx_inline lh_slice
ngx_http_leasehold_slice(ngx_str_t s)
{
    lh_slice  slice = { s.data, s.len };

    return slice;
}


static ngx_inline ngx_uint_t
ngx_http_leasehold_has_name(ngx_table_elt_t *h, lh_slice name)
{
    return h->key.len == name.len
           && ngx_strncasecmp(h->key.data, (u_char *) (uintptr_t) name.ptr, name.len) == 0;
}


/* Whether each location writes headers of this kind anew. */
static ngx_inline ngx_uint_t
ngx_http_leasehold_is_written(enum lh_header_kind kind)
{
    return kind == LH_HEADER_COOKIE || kind == LH_HEADER_AUTHORIZATION
           || kind == LH_HEADER_SIGNATURE || lh_gate_is_managed(kind);
}


static ngx_inline ngx_uint_t
ngx_http_leasehold_is_named(ngx_table_elt_t *h, const char *name)
{
    return h->key.len == ngx_strlen(name)
           && ngx_strncasecmp(h->key.data, (u_char *) (uintptr_t) name, h->key.len) == 0;
}


#endif
