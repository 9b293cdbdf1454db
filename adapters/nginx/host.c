/*
 * What a worker lends the library: its log, its lanes and its timer. And the worker's home, opened
 * after nginx has dropped its privileges. A home that cannot be opened is tried again each second;
 * until it can, every request that needs it is refused.
 */
#include "ngx_http_leasehold.h"

#include "lanes.h"


#define NGX_HTTP_LEASEHOLD_TICK_MS  LH_HOME_TICK_MS

/* How long a worker that ends waits for what its lanes still do. */
#define NGX_HTTP_LEASEHOLD_EXIT_MS  1000

/* More supplementary groups than a process that starts nginx has. */
#define NGX_HTTP_LEASEHOLD_GROUPS_MAX  256

/* A home that stays unusable is said so at this interval. */
#define NGX_HTTP_LEASEHOLD_COMPLAIN_MS  60000


/* One per process; there is one loop and one home in it. */
typedef struct {
    const char                 *home_path;
    struct lh_home             *home;         /* NULL: cannot be used now */
    struct lh_host              host;
    struct lh_lanes             lanes;
    ngx_connection_t           *lanes_back;   /* the loop's end of the lanes */
    ngx_event_t                 tick;
    ngx_http_leasehold_ident_t  ident;
    ngx_msec_t                  complained;
    unsigned                    has_complained:1;
    unsigned                    has_lanes:1;
} ngx_http_leasehold_worker_t;


static void ngx_http_leasehold_log(void *self, enum lh_log_level level, lh_slice line);
static lh_status ngx_http_leasehold_offload(void *self, enum lh_lane lane, struct lh_task *task);
static ngx_int_t ngx_http_leasehold_lanes_init(ngx_cycle_t *cycle);
static void ngx_http_leasehold_lanes_handler(ngx_event_t *ev);
static void ngx_http_leasehold_tick_handler(ngx_event_t *ev);
static void ngx_http_leasehold_open_home(void);


static ngx_http_leasehold_worker_t  ngx_http_leasehold_worker;


struct lh_gate *
ngx_http_leasehold_gate(void)
{
    ngx_http_leasehold_worker_t  *worker = &ngx_http_leasehold_worker;

    return worker->home ? lh_home_gate(worker->home) : NULL;
}


ngx_int_t
ngx_http_leasehold_worker_init(ngx_cycle_t *cycle, ngx_http_leasehold_main_conf_t *lmcf)
{
    ngx_http_leasehold_worker_t  *worker = &ngx_http_leasehold_worker;

    worker->home_path = (const char *) lmcf->home.data;
    worker->host.shared = lmcf->shared;
    worker->host.shared_len = lmcf->shared_len;
    worker->host.nonces = lmcf->nonces;
    worker->host.nonces_len = lmcf->nonces_len;
    worker->host.self = worker;
    worker->host.log = ngx_http_leasehold_log;
    worker->host.offload = ngx_http_leasehold_offload;

    ngx_http_leasehold_longlived_init();

    if (ngx_http_leasehold_lanes_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    worker->ident.fd = (ngx_socket_t) -1;
    worker->tick.data = &worker->ident;
    worker->tick.handler = ngx_http_leasehold_tick_handler;
    worker->tick.log = cycle->log;
    worker->tick.cancelable = 1;
    ngx_add_timer(&worker->tick, NGX_HTTP_LEASEHOLD_TICK_MS);

    ngx_http_leasehold_open_home();

    return NGX_OK;
}


static ngx_int_t
ngx_http_leasehold_lanes_init(ngx_cycle_t *cycle)
{
    int                           error;
    ngx_connection_t             *c;
    ngx_http_leasehold_worker_t  *worker = &ngx_http_leasehold_worker;

    error = lh_lanes_start(&worker->lanes);
    if (error != 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, error, "leasehold: cannot start threads");
        return NGX_ERROR;
    }

    worker->has_lanes = 1;

    c = ngx_get_connection(worker->lanes.wake_fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->log = cycle->log;
    c->pool = NULL;
    c->data = NULL;
    c->read->handler = ngx_http_leasehold_lanes_handler;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_free_connection(c);
        return NGX_ERROR;
    }

    worker->lanes_back = c;

    return NGX_OK;
}


static void
ngx_http_leasehold_lanes_handler(ngx_event_t *ev)
{
    ngx_http_leasehold_worker_t  *worker = &ngx_http_leasehold_worker;

    lh_lanes_collect(&worker->lanes, ngx_http_leasehold_log, worker);
}


static void
ngx_http_leasehold_tick_handler(ngx_event_t *ev)
{
    ngx_http_leasehold_worker_t  *worker = &ngx_http_leasehold_worker;

    if (worker->home == NULL) {
        ngx_http_leasehold_open_home();
    }

    if (worker->home) {
        lh_home_tick(worker->home);
    }

    ngx_http_leasehold_longlived_sweep();

    ngx_add_timer(ev, NGX_HTTP_LEASEHOLD_TICK_MS);
}


static void
ngx_http_leasehold_open_home(void)
{
    char                          error[LH_HOME_ERROR_BYTES];
    lh_status                     status;
    ngx_http_leasehold_worker_t  *worker = &ngx_http_leasehold_worker;

    error[0] = '\0';
    status = lh_home_open_worker(worker->home_path, &worker->host, &worker->home, error);

    if (lh_is_ok(status)) {
        if (worker->has_complained) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "leasehold: home \"%s\" is open now", worker->home_path);
        }
        worker->has_complained = 0;
        return;
    }

    worker->home = NULL;

    if (worker->has_complained
        && ngx_current_msec - worker->complained < NGX_HTTP_LEASEHOLD_COMPLAIN_MS)
    {
        return;
    }

    worker->has_complained = 1;
    worker->complained = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "leasehold: cannot use home \"%s\" (%s): %s; requests are refused until it "
                  "can be opened",
                  worker->home_path, lh_status_name(status), error);
}


/*
 * The end of a worker. A lane that is stuck (another process sits in a write transaction) is not
 * waited for longer than a second; then nothing is closed, for it may still use all of it.
 */
void
ngx_http_leasehold_worker_exit(void)
{
    ngx_uint_t                    has_ended;
    ngx_connection_t             *c;
    ngx_http_leasehold_worker_t  *worker = &ngx_http_leasehold_worker;

    if (!worker->has_lanes) {
        return;
    }

    if (worker->tick.timer_set) {
        ngx_del_timer(&worker->tick);
    }

    has_ended = lh_lanes_stop(&worker->lanes, NGX_HTTP_LEASEHOLD_EXIT_MS);

    c = worker->lanes_back;
    worker->lanes_back = NULL;

    if (c) {
        ngx_del_event(c->read, NGX_READ_EVENT, 0);
        if (c->read->posted) {
            ngx_delete_posted_event(c->read);
        }
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
    }

    if (!has_ended) {
        (void) lh_lanes_abandon();
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "leasehold: a write is stuck, leaving it behind");
        return;
    }

    lh_lanes_collect(&worker->lanes, ngx_http_leasehold_log, worker);

    lh_home_close(worker->home);
    worker->home = NULL;
}


static void
ngx_http_leasehold_log(void *self, enum lh_log_level level, lh_slice line)
{
    ngx_http_leasehold_worker_t  *worker = self;

    static const ngx_uint_t  levels[] = {
        NGX_LOG_ERR, NGX_LOG_WARN, NGX_LOG_NOTICE, NGX_LOG_INFO, NGX_LOG_DEBUG
    };

    /* nginx's log belongs to the loop */
    if (lh_lanes_keep_line(&worker->lanes, level, line)) {
        return;
    }

    ngx_log_error(levels[level], ngx_cycle->log, 0, "%*s", line.len, line.ptr);
}


static lh_status
ngx_http_leasehold_offload(void *self, enum lh_lane lane, struct lh_task *task)
{
    ngx_http_leasehold_worker_t  *worker = self;

    return lh_lanes_offload(&worker->lanes, lane, task);
}


/* Who this process was before it looked at files as somebody else. */
typedef struct {
    gid_t  groups[NGX_HTTP_LEASEHOLD_GROUPS_MAX];
    int    count;
} ngx_http_leasehold_groups_t;


static ngx_int_t
ngx_http_leasehold_become_user(ngx_core_conf_t *ccf, ngx_http_leasehold_groups_t *before)
{
    before->count = getgroups(NGX_HTTP_LEASEHOLD_GROUPS_MAX, before->groups);

    return before->count == -1 || initgroups(ccf->username, ccf->group) == -1
           || setegid(ccf->group) == -1 || seteuid(ccf->user) == -1 ? NGX_ERROR : NGX_OK;
}


/* A process that cannot become again who it was may not go on. */
static void
ngx_http_leasehold_become_root(ngx_cycle_t *cycle, ngx_http_leasehold_groups_t *before)
{
    if (seteuid(0) == -1 || setegid(getgid()) == -1
        || (before->count > 0 && setgroups((size_t) before->count, before->groups) == -1))
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "leasehold: cannot become root again");
        exit(2);
    }
}


/* The check is about the workers' user, not about root, who can read everything. */
ngx_int_t
ngx_http_leasehold_check_home(ngx_cycle_t *cycle, ngx_str_t *home)
{
    char              error[LH_HOME_ERROR_BYTES];
    lh_status         status;
    ngx_int_t         rc;
    ngx_uint_t        is_other;
    ngx_core_conf_t  *ccf;

    ngx_http_leasehold_groups_t  before;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    is_other = geteuid() == 0 && ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT && ccf->user != 0;

    rc = is_other ? ngx_http_leasehold_become_user(ccf, &before) : NGX_OK;

    error[0] = '\0';
    status = rc == NGX_OK ? lh_home_check((const char *) home->data, error)
                          : lh_status_of(LH_UNREADABLE);

    if (is_other) {
        ngx_http_leasehold_become_root(cycle, &before);
    }

    if (!lh_is_ok(status)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "leasehold: user %s cannot use home \"%V\" (%s): %s",
                      is_other ? ccf->username : "of this process", home, lh_status_name(status),
                      error);
        return NGX_ERROR;
    }

    return NGX_OK;
}
