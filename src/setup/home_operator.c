/*
 * A home as operator acts use it: registry writable, everything on the caller's thread. If the
 * session store cannot be opened the acts are told why: a revocation must be possible without it.
 */
#include "setup/home.h"

#include <unistd.h>

#include "base/banned.h"

static void fill_parts(struct lh_home *home, const char *actor)
{
    home->admin = (struct lh_admin_parts){
        .registry = home->registry,
        .keys = home->keys,
        .cell = home->cell,
        .crypto = home->crypto,
        .store = home->vault == NULL ? NULL : home->store,
        .vault = home->vault,
        .store_problem = home->store_problem,
        .key_fault = home->key_fault,
        .clock = &home->clock,
        .host = home->host,
        .node_path = home->layout.node,
        .jwks_path = home->layout.jwks,
        .public_path = home->layout.public,
        .run_tasks = lh_blocking_host_run,
        .run_context = &home->blocking,
        .actor = actor,
    };
}

static lh_status open_operator(struct lh_home *home, const char *path, const struct lh_host *log,
                               bool needs_sessions, char *out_error)
{
    lh_blocking_host_init(&home->blocking, log);
    home->host = &home->blocking.host;
    home->is_operator = true;
    const struct lh_home_options options = {.path = path, .is_read_only = false};
    LH_TRY(lh_home_open_base(home, &options, out_error));
    if (needs_sessions) {
        /* The acts that need the store say what happened to it, and the others go on. */
        lh_status status = lh_home_open_sessions(home, false, home->store_problem);
        (void)status;
    }
    return lh_ok();
}

lh_status lh_home_open_operator(const char *path, const struct lh_host *log, const char *actor,
                                bool needs_sessions, struct lh_home **out_home,
                                char out_error[LH_HOME_ERROR_BYTES])
{
    out_error[0] = '\0';
    struct lh_home *home = NULL;
    lh_status status = lh_home_new(&home);
    if (lh_is_ok(status)) {
        status = open_operator(home, path, log, needs_sessions, out_error);
    }
    if (!lh_is_ok(status)) {
        return lh_home_give_up(home, status, path, out_error);
    }
    fill_parts(home, actor);
    *out_home = home;
    return lh_ok();
}

const struct lh_admin_parts *lh_home_admin_parts(const struct lh_home *home)
{
    return &home->admin;
}
