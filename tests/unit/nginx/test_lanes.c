/*
 * The lanes: what is handed over runs, in order and urgent first, and comes back to the loop; a
 * stuck lane holds up nothing but itself, and nobody waits for it at the end.
 */
#include "support/test.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lanes.h"

#define TASKS 8U

/* What a test sees of its tasks. */
struct scene {
    struct lh_lanes lanes;
    pthread_mutex_t lock;
    char ran[TASKS + 2];
    size_t ran_count;
    char finished[TASKS + 2];
    size_t finished_count;
    sem_t may_go; /* what a stuck task waits for */
    sem_t is_stuck;
    char line[64];
    sigset_t signals; /* blocked on the thread of the last task that looked */
};

struct letter_task {
    struct lh_task task;
    struct scene *scene;
    char letter;
};

static struct letter_task *of(struct lh_task *task)
{
    return (struct letter_task *)task;
}

static void run_letter(struct lh_task *task)
{
    struct scene *scene = of(task)->scene;
    pthread_mutex_lock(&scene->lock);
    scene->ran[scene->ran_count++] = of(task)->letter;
    pthread_mutex_unlock(&scene->lock);
}

static void finish_letter(struct lh_task *task)
{
    struct scene *scene = of(task)->scene;
    scene->finished[scene->finished_count++] = of(task)->letter;
}

static void run_stuck(struct lh_task *task)
{
    struct scene *scene = of(task)->scene;
    sem_post(&scene->is_stuck);
    while (sem_wait(&scene->may_go) == -1) {
    }
    run_letter(task);
}

static void run_look_at_signals(struct lh_task *task)
{
    pthread_sigmask(SIG_BLOCK, NULL, &of(task)->scene->signals);
}

static void run_log(struct lh_task *task)
{
    assert_true(lh_lanes_keep_line(&of(task)->scene->lanes, LH_LOG_WARN, LH_SLICE_LITERAL("said")));
}

static struct letter_task letter(struct scene *scene, char name, void (*run)(struct lh_task *task))
{
    return (struct letter_task){
        .task = {.run = run, .done = finish_letter}, .scene = scene, .letter = name};
}

static void keep_line(void *context, enum lh_log_level level, lh_slice line)
{
    struct scene *scene = context;
    snprintf(scene->line, sizeof(scene->line), "%d %.*s", (int)level, LH_SLICE_ARG(line));
}

/* The loop: collects until so many tasks are done. */
static void turn_until(struct scene *scene, size_t finished)
{
    while (scene->finished_count < finished) {
        struct pollfd back = {.fd = scene->lanes.wake_fd, .events = POLLIN};
        assert_int_equal(poll(&back, 1, 5000), 1);
        lh_lanes_collect(&scene->lanes, keep_line, scene);
    }
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    pthread_mutex_init(&scene->lock, NULL);
    sem_init(&scene->may_go, 0, 0);
    sem_init(&scene->is_stuck, 0, 0);
    assert_int_equal(lh_lanes_start(&scene->lanes), 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    /* Whatever is stuck may go now, so that the scene can be freed. */
    for (size_t i = 0; i <= TASKS; i++) {
        sem_post(&scene->may_go);
    }
    assert_true(lh_lanes_stop(&scene->lanes, 5000));
    lh_lanes_collect(&scene->lanes, NULL, NULL);
    close(scene->lanes.wake_fd);
    free(scene);
    return 0;
}

static void test_lanes__tasks_run_in_order_and_come_back(void **state)
{
    struct scene *scene = *state;
    struct letter_task tasks[TASKS];
    for (size_t i = 0; i < TASKS; i++) {
        tasks[i] = letter(scene, (char)('a' + i), run_letter);
        assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &tasks[i].task));
    }
    assert_int_equal(scene->finished_count, 0);
    turn_until(scene, TASKS);
    assert_string_equal(scene->ran, "abcdefgh");
    assert_string_equal(scene->finished, "abcdefgh");
}

static void test_lanes__urgent_tasks_go_ahead(void **state)
{
    struct scene *scene = *state;
    struct letter_task first = letter(scene, 's', run_stuck);
    struct letter_task plain = letter(scene, 'p', run_letter);
    struct letter_task urgent = letter(scene, 'u', run_letter);
    urgent.task.is_urgent = true;
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &first.task));
    sem_wait(&scene->is_stuck);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &plain.task));
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &urgent.task));
    sem_post(&scene->may_go);
    turn_until(scene, 3);
    assert_string_equal(scene->ran, "sup");
}

static void test_lanes__a_stuck_lane_holds_up_only_itself(void **state)
{
    struct scene *scene = *state;
    struct letter_task stuck = letter(scene, 's', run_stuck);
    struct letter_task fetch = letter(scene, 'f', run_letter);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &stuck.task));
    sem_wait(&scene->is_stuck);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_FETCH, &fetch.task));
    turn_until(scene, 1);
    assert_string_equal(scene->finished, "f");
    sem_post(&scene->may_go);
    turn_until(scene, 2);
}

static void test_lanes__a_full_queue_takes_no_more(void **state)
{
    struct scene *scene = *state;
    static struct letter_task many[LH_LANE_TASKS_MAX + 1];
    struct letter_task stuck = letter(scene, 's', run_stuck);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &stuck.task));
    sem_wait(&scene->is_stuck);
    for (size_t i = 0; i < LH_LANE_TASKS_MAX; i++) {
        many[i] = letter(scene, 'm', run_look_at_signals);
        many[i].task.done = run_look_at_signals;
        assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &many[i].task));
    }
    struct letter_task more = letter(scene, 'x', run_letter);
    assert_status(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &more.task), LH_QUEUE_FULL);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_FETCH, &more.task));
    turn_until(scene, 1);
    sem_post(&scene->may_go);
    turn_until(scene, 2);
}

static void test_lanes__threads_see_no_signals(void **state)
{
    struct scene *scene = *state;
    struct letter_task look = letter(scene, 'l', run_look_at_signals);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_FETCH, &look.task));
    turn_until(scene, 1);
    assert_true(sigismember(&scene->signals, SIGTERM) && sigismember(&scene->signals, SIGHUP) &&
                sigismember(&scene->signals, SIGALRM));
}

static void test_lanes__lines_of_a_thread_wait_for_the_loop(void **state)
{
    struct scene *scene = *state;
    struct letter_task log = letter(scene, 'l', run_log);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &log.task));
    assert_string_equal(scene->line, "");
    turn_until(scene, 1);
    lh_lanes_collect(&scene->lanes, keep_line, scene);
    assert_string_equal(scene->line, "1 said");
    assert_false(lh_lanes_keep_line(&scene->lanes, LH_LOG_WARN, LH_SLICE_LITERAL("mine")));
}

static void test_lanes__stop_finishes_what_is_queued(void **state)
{
    struct scene *scene = *state;
    struct letter_task tasks[TASKS];
    for (size_t i = 0; i < TASKS; i++) {
        tasks[i] = letter(scene, (char)('a' + i), run_letter);
        assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &tasks[i].task));
    }
    assert_true(lh_lanes_stop(&scene->lanes, 5000));
    assert_string_equal(scene->ran, "abcdefgh");
    struct letter_task late = letter(scene, 'x', run_letter);
    assert_status(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &late.task), LH_QUEUE_FULL);
    turn_until(scene, TASKS);
}

static void test_lanes__stop_waits_no_longer_than_it_is_told(void **state)
{
    struct scene *scene = *state;
    /* Outlives this function: the lane is still in it. */
    static struct letter_task stuck;
    struct timespec began, ended;
    stuck = letter(scene, 's', run_stuck);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_WRITE, &stuck.task));
    sem_wait(&scene->is_stuck);
    clock_gettime(CLOCK_MONOTONIC, &began);
    assert_false(lh_lanes_stop(&scene->lanes, 200));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double took_s =
        (double)(ended.tv_sec - began.tv_sec) + 1e-9 * (double)(ended.tv_nsec - began.tv_nsec);
    assert_true(took_s >= 0.19 && took_s < 2.0);
}

/* What a library keeps for a thread, and frees when the thread ends: slowly. */
static void free_slowly(void *freed)
{
    struct timespec while_s = {.tv_nsec = 100 * 1000 * 1000};
    nanosleep(&while_s, NULL);
    (*(unsigned *)freed)++;
}

struct key_task {
    struct lh_task task;
    pthread_key_t key;
    unsigned freed;
};

static void run_keep(struct lh_task *task)
{
    struct key_task *keep = (struct key_task *)task;
    assert_int_equal(pthread_setspecific(keep->key, &keep->freed), 0);
}

static void finish_nothing(struct lh_task *task)
{
    (void)task;
}

static void test_lanes__what_a_thread_held_is_freed_before_stop_returns(void **state)
{
    struct scene *scene = *state;
    struct key_task keep = {.task = {.run = run_keep, .done = finish_nothing}};
    assert_int_equal(pthread_key_create(&keep.key, free_slowly), 0);
    assert_ok(lh_lanes_offload(&scene->lanes, LH_LANE_FETCH, &keep.task));
    assert_true(lh_lanes_stop(&scene->lanes, 5000));
    assert_int_equal(keep.freed, 1);
    lh_lanes_collect(&scene->lanes, NULL, NULL);
    pthread_key_delete(keep.key);
}

#define HANDLER_RAN 7

static void tell_that_it_ran(void)
{
    _exit(HANDLER_RAN);
}

/* A process that ends with a stuck lane, or without one. */
static int exit_status_of(bool is_abandoned)
{
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        if (atexit(tell_that_it_ran) != 0 || (is_abandoned && !lh_lanes_abandon())) {
            _exit(HANDLER_RAN + 1);
        }
        exit(EXIT_SUCCESS);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_lanes__no_exit_handler_runs_beside_a_thread_left_behind(void **state)
{
    (void)state;
    assert_int_equal(exit_status_of(false), HANDLER_RAN);
    assert_int_equal(exit_status_of(true), EXIT_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lanes__tasks_run_in_order_and_come_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lanes__urgent_tasks_go_ahead, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lanes__a_stuck_lane_holds_up_only_itself, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lanes__a_full_queue_takes_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lanes__threads_see_no_signals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lanes__lines_of_a_thread_wait_for_the_loop, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lanes__stop_finishes_what_is_queued, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lanes__stop_waits_no_longer_than_it_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lanes__what_a_thread_held_is_freed_before_stop_returns,
                                        set_up, tear_down),
        cmocka_unit_test(test_lanes__no_exit_handler_runs_beside_a_thread_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
