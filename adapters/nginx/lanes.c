/*
 * The lanes. A thread touches nothing of the worker but this structure and the task it runs. A
 * write that is stuck behind another process's transaction holds up its own lane only.
 */
#include "lanes.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>


static void queue_init(struct lh_lane_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
    queue->count = 0;
}


static void queue_put(struct lh_lane_queue *queue, struct lh_task *task)
{
    task->next = NULL;
    *queue->last = task;
    queue->last = &task->next;
    queue->count++;
}


static struct lh_task *queue_take(struct lh_lane_queue *queue)
{
    struct lh_task *task = queue->first;

    if (task != NULL) {
        queue->first = task->next;
        queue->count--;
        if (queue->first == NULL) {
            queue->last = &queue->first;
        }
        task->next = NULL;
    }

    return task;
}


/* A full counter is as good as a written one: the loop will look. */
static void wake_loop(struct lh_lanes *lanes)
{
    uint64_t one = 1;

    while (write(lanes->wake_fd, &one, sizeof(one)) == -1 && errno == EINTR) {
    }
}


/* The next task, urgent ones first; NULL when the lane is to end. Called with the lock held. */
static struct lh_task *next_task(struct lh_lane_thread *thread)
{
    struct lh_lanes *lanes = thread->lanes;

    for (;;) {
        struct lh_task *task = queue_take(&thread->urgent);

        if (task == NULL) {
            task = queue_take(&thread->normal);
        }
        if (task != NULL || lanes->is_stopping) {
            return task;
        }

        pthread_cond_wait(&thread->has_work, &lanes->lock);
    }
}


static void *run_lane(void *context)
{
    struct lh_lane_thread *thread = context;
    struct lh_lanes *lanes = thread->lanes;
    struct lh_task *task;

    pthread_mutex_lock(&lanes->lock);

    while ((task = next_task(thread)) != NULL) {
        pthread_mutex_unlock(&lanes->lock);
        task->run(task);
        pthread_mutex_lock(&lanes->lock);

        queue_put(&lanes->done, task);
        wake_loop(lanes);
    }

    lanes->running--;
    pthread_cond_signal(&lanes->has_ended);
    pthread_mutex_unlock(&lanes->lock);

    return NULL;
}


/* The signals are blocked around the creation, so that the thread never sees one. */
static int start_thread(struct lh_lane_thread *thread)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    /* Faults of the thread's own are its own: blocked, they would kill without a word. */
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigdelset(&all, faults[i]);
    }
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(&thread->id, NULL, run_lane, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    thread->is_started = error == 0;

    return error;
}


/* The wait in stop is measured on a clock that nobody sets. */
static int init_ended(struct lh_lanes *lanes)
{
    pthread_condattr_t attr;
    int error = pthread_condattr_init(&attr);

    if (error == 0) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        error = pthread_cond_init(&lanes->has_ended, &attr);
        pthread_condattr_destroy(&attr);
    }

    return error;
}


int lh_lanes_start(struct lh_lanes *lanes)
{
    int error;

    lanes->loop = pthread_self();
    lanes->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (lanes->wake_fd == -1) {
        return errno;
    }

    queue_init(&lanes->done);
    error = pthread_mutex_init(&lanes->lock, NULL);
    if (error == 0) {
        error = init_ended(lanes);
    }

    for (unsigned i = 0; i < LH_LANE_COUNT && error == 0; i++) {
        lanes->threads[i].lanes = lanes;
        queue_init(&lanes->threads[i].urgent);
        queue_init(&lanes->threads[i].normal);
        error = pthread_cond_init(&lanes->threads[i].has_work, NULL);
        if (error == 0) {
            pthread_mutex_lock(&lanes->lock);
            error = start_thread(&lanes->threads[i]);
            lanes->running += error == 0;
            pthread_mutex_unlock(&lanes->lock);
        }
    }

    return error;
}


lh_status lh_lanes_offload(struct lh_lanes *lanes, enum lh_lane lane, struct lh_task *task)
{
    struct lh_lane_thread *thread;
    lh_status status = lh_status_of(LH_OK);

    if ((unsigned)lane >= LH_LANE_COUNT) {
        return lh_status_of(LH_INVALID);
    }

    thread = &lanes->threads[lane];
    pthread_mutex_lock(&lanes->lock);

    if (lanes->is_stopping || lanes->running < LH_LANE_COUNT
        || thread->urgent.count + thread->normal.count >= LH_LANE_TASKS_MAX) {
        status = lh_status_of(LH_QUEUE_FULL);

    } else {
        queue_put(task->is_urgent ? &thread->urgent : &thread->normal, task);
        pthread_cond_signal(&thread->has_work);
    }

    pthread_mutex_unlock(&lanes->lock);

    return status;
}


static void clear_wake(struct lh_lanes *lanes)
{
    uint64_t count;

    while (read(lanes->wake_fd, &count, sizeof(count)) == -1 && errno == EINTR) {
    }
}


/* Oldest first. */
static struct lh_lane_line *reverse_lines(struct lh_lane_line *line)
{
    struct lh_lane_line *reversed = NULL;

    while (line != NULL) {
        struct lh_lane_line *next = line->next;

        line->next = reversed;
        reversed = line;
        line = next;
    }

    return reversed;
}


void lh_lanes_collect(struct lh_lanes *lanes,
                      void (*log)(void *context, enum lh_log_level level, lh_slice line),
                      void *context)
{
    struct lh_lane_line *line;
    struct lh_task *task;

    clear_wake(lanes);

    pthread_mutex_lock(&lanes->lock);
    task = lanes->done.first;
    queue_init(&lanes->done);
    line = reverse_lines(lanes->lines);
    lanes->lines = NULL;
    pthread_mutex_unlock(&lanes->lock);

    while (line != NULL) {
        struct lh_lane_line *next = line->next;

        if (log != NULL) {
            lh_slice text = {(const uint8_t *)line->text, line->len};

            log(context, line->level, text);
        }
        free(line);
        line = next;
    }

    /* done may free its task, and may offload it again */
    while (task != NULL) {
        struct lh_task *next = task->next;

        task->next = NULL;
        task->done(task);
        task = next;
    }
}


bool lh_lanes_keep_line(struct lh_lanes *lanes, enum lh_log_level level, lh_slice text)
{
    struct lh_lane_line *line;

    if (pthread_equal(pthread_self(), lanes->loop)) {
        return false;
    }

    line = malloc(sizeof(*line) + text.len);
    if (line == NULL) {
        return true;
    }

    line->level = level;
    line->len = text.len;
    memcpy(line->text, text.ptr, text.len);

    pthread_mutex_lock(&lanes->lock);
    line->next = lanes->lines;
    lanes->lines = line;
    pthread_mutex_unlock(&lanes->lock);
    wake_loop(lanes);

    return true;
}


static struct timespec deadline_after(unsigned wait_ms)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += wait_ms / 1000;
    deadline.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }

    return deadline;
}


/* A thread that has left its loop is not gone yet: what libraries keep for it is freed last. */
static void join_threads(struct lh_lanes *lanes)
{
    for (unsigned i = 0; i < LH_LANE_COUNT; i++) {
        if (lanes->threads[i].is_started) {
            pthread_join(lanes->threads[i].id, NULL);
            lanes->threads[i].is_started = false;
        }
    }
}


bool lh_lanes_stop(struct lh_lanes *lanes, unsigned wait_ms)
{
    struct timespec deadline = deadline_after(wait_ms);
    bool has_ended;

    pthread_mutex_lock(&lanes->lock);
    lanes->is_stopping = true;
    for (unsigned i = 0; i < LH_LANE_COUNT; i++) {
        pthread_cond_signal(&lanes->threads[i].has_work);
    }
    while (lanes->running > 0
           && pthread_cond_timedwait(&lanes->has_ended, &lanes->lock, &deadline) == 0) {
    }
    has_ended = lanes->running == 0;
    pthread_mutex_unlock(&lanes->lock);

    if (has_ended) {
        join_threads(lanes);
    }

    return has_ended;
}


static void leave_at_once(void)
{
    _exit(EXIT_SUCCESS);
}


bool lh_lanes_abandon(void)
{
    return atexit(leave_at_once) == 0;
}
