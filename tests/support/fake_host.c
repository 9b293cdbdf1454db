/*
 * The fake host.
 */
#include "support/fake_host.h"

#include "support/test.h"

#include <pthread.h>

#define FIRST_BOOT_MS UINT64_C(1000000)

static void keep_line(void *self, enum lh_log_level level, lh_slice line)
{
    (void)level;
    struct fake_host *fake = self;
    size_t used = strlen(fake->log);
    fake->log_lines++;
    if (used + line.len + 2 <= sizeof(fake->log)) {
        memcpy(fake->log + used, line.ptr, line.len);
        fake->log[used + line.len] = '\n';
        fake->log[used + line.len + 1] = '\0';
    }
}

static void append(struct lh_task **list, struct lh_task *task)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    task->next = NULL;
    *list = task;
}

static lh_status take_task(void *self, enum lh_lane lane, struct lh_task *task)
{
    struct fake_host *fake = self;
    if (fake->mode == FAKE_HOST_REFUSES) {
        return lh_status_of(LH_QUEUE_FULL);
    }
    fake->offloaded++;
    if (fake->mode == FAKE_HOST_AT_ONCE) {
        task->run(task);
        task->done(task);
    } else {
        append(&fake->queued[lane], task);
    }
    return lh_ok();
}

static uint64_t read_boot_ms(void *self)
{
    return ((struct fake_host *)self)->boot_ms;
}

static uint64_t read_wall_ms(void *self)
{
    return ((struct fake_host *)self)->wall_ms;
}

void fake_host_init(struct fake_host *fake)
{
    *fake = (struct fake_host){
        .host = {.self = fake,
                 .log = keep_line,
                 .offload = take_task,
                 .boot_ms = read_boot_ms,
                 .wall_ms = read_wall_ms},
        .mode = FAKE_HOST_QUEUES,
        .boot_ms = FIRST_BOOT_MS,
        .wall_ms = FAKE_HOST_NOW_MS,
    };
    fake->clock = (struct lh_clock){.host = &fake->host,
                                    .offset_ms = (int64_t)(FAKE_HOST_NOW_MS - FIRST_BOOT_MS)};
}

void fake_host_advance(struct fake_host *fake, uint64_t ms)
{
    fake->boot_ms += ms;
    fake->wall_ms += ms;
}

static void *run_task(void *context)
{
    struct lh_task *task = context;
    task->run(task);
    return NULL;
}

struct lh_task *fake_host_run_one(struct fake_host *fake, enum lh_lane lane)
{
    struct lh_task *task = fake->queued[lane];
    if (task == NULL) {
        return NULL;
    }
    fake->queued[lane] = task->next;
    task->next = NULL;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_task, task), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return task;
}

size_t fake_host_run(struct fake_host *fake, enum lh_lane lane)
{
    size_t ran = 0;
    for (struct lh_task *task; (task = fake_host_run_one(fake, lane)) != NULL; ran++) {
        task->done(task);
    }
    return ran;
}
