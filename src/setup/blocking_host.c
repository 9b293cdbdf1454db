/*
 * Tasks in a list. They are not run from inside offload: who completes an op from inside the
 * function that started it breaks the op's contract.
 */
#include "setup/blocking_host.h"

#include "base/status.h"

#include "base/banned.h"

static void forward_log(void *self, enum lh_log_level level, lh_slice line)
{
    const struct lh_blocking_host *blocking = self;
    blocking->log->log(blocking->log->self, level, line);
}

static uint64_t forward_boot_ms(void *self)
{
    const struct lh_blocking_host *blocking = self;
    return blocking->log->boot_ms(blocking->log->self);
}

static uint64_t forward_wall_ms(void *self)
{
    const struct lh_blocking_host *blocking = self;
    return blocking->log->wall_ms(blocking->log->self);
}

static lh_status add_task(void *self, enum lh_lane lane, struct lh_task *task)
{
    (void)lane;
    struct lh_blocking_host *blocking = self;
    task->next = NULL;
    if (blocking->last == NULL) {
        blocking->first = task;
    } else {
        blocking->last->next = task;
    }
    blocking->last = task;
    return lh_ok();
}

void lh_blocking_host_init(struct lh_blocking_host *blocking, const struct lh_host *log)
{
    *blocking = (struct lh_blocking_host){.log = log};
    blocking->host = (struct lh_host){.self = blocking,
                                      .log = forward_log,
                                      .offload = add_task,
                                      .boot_ms = log->boot_ms != NULL ? forward_boot_ms : NULL,
                                      .wall_ms = log->wall_ms != NULL ? forward_wall_ms : NULL};
}

static struct lh_task *take_task(struct lh_blocking_host *blocking)
{
    struct lh_task *task = blocking->first;
    if (task != NULL) {
        blocking->first = task->next;
        blocking->last = blocking->first == NULL ? NULL : blocking->last;
        task->next = NULL;
    }
    return task;
}

void lh_blocking_host_run(void *context)
{
    struct lh_blocking_host *blocking = context;
    for (struct lh_task *task = take_task(blocking); task != NULL; task = take_task(blocking)) {
        task->run(task);
        task->done(task);
    }
}
