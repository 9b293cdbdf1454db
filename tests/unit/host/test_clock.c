/*
 * Session time: one offset per boot, whatever happens to the wall clock.
 */
#include "host/clock.h"

#include "support/child.h"
#include "support/test.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WALL_START_MS UINT64_C(1700000000000)
#define BOOT_START_MS UINT64_C(50000)

/* A run directory and a host whose clocks the test turns. */
struct bench {
    char run_path[64];
    char clock_path[80];
    struct lh_host host;
    uint64_t boot_ms;
    uint64_t wall_ms;
};

static uint64_t bench_boot_ms(void *self)
{
    return ((struct bench *)self)->boot_ms;
}

static uint64_t bench_wall_ms(void *self)
{
    return ((struct bench *)self)->wall_ms;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_non_null(bench);
    (void)snprintf(bench->run_path, sizeof(bench->run_path), "/tmp/lh-clock-XXXXXX");
    assert_non_null(mkdtemp(bench->run_path));
    (void)snprintf(bench->clock_path, sizeof(bench->clock_path), "%s/clock", bench->run_path);
    bench->boot_ms = BOOT_START_MS;
    bench->wall_ms = WALL_START_MS;
    bench->host =
        (struct lh_host){.self = bench, .boot_ms = bench_boot_ms, .wall_ms = bench_wall_ms};
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    (void)unlink(bench->clock_path);
    (void)rmdir(bench->run_path);
    free(bench);
    return 0;
}

static void write_clock_file(const struct bench *bench, const char *text)
{
    FILE *file = fopen(bench->clock_path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void read_text(const char *path, char *out_text, size_t size)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t len = fread(out_text, 1, size - 1, file);
    out_text[len] = 0;
    (void)fclose(file);
}

static void read_boot_id(char out_id[LH_BOOT_ID_BYTES + 1])
{
    read_text("/proc/sys/kernel/random/boot_id", out_id, LH_BOOT_ID_BYTES + 1);
}

static void test_clock__the_first_process_after_a_boot_founds_session_time(void **state)
{
    struct bench *bench = *state;
    struct lh_clock clock;
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &clock));
    assert_true(lh_clock_now_ms(&clock) == WALL_START_MS);
    assert_true(lh_clock_boot_ms(&clock) == BOOT_START_MS);
    char boot_id[LH_BOOT_ID_BYTES + 1];
    char expected[128];
    char written[128];
    read_boot_id(boot_id);
    (void)snprintf(expected, sizeof(expected), "%s %llu\n", boot_id,
                   (unsigned long long)(WALL_START_MS - BOOT_START_MS));
    read_text(bench->clock_path, written, sizeof(written));
    assert_string_equal(written, expected);
    struct stat stat_of;
    assert_int_equal(stat(bench->clock_path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0600);
}

static void test_clock__later_processes_share_it_whatever_the_wall_says(void **state)
{
    struct bench *bench = *state;
    struct lh_clock first;
    struct lh_clock second;
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &first));
    bench->boot_ms += 1000;
    bench->wall_ms += 1000 + 3600000; /* someone set the clock an hour ahead */
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &second));
    assert_true(lh_clock_now_ms(&second) == WALL_START_MS + 1000);
    assert_true(lh_clock_now_ms(&first) == lh_clock_now_ms(&second));
    assert_int_equal(lh_clock_step_ms(&second), 3600000);
    bench->wall_ms -= 2 * 3600000;
    assert_int_equal(lh_clock_step_ms(&second), -3600000);
    assert_true(lh_clock_now_ms(&second) == WALL_START_MS + 1000);
}

static void test_clock__session_time_of_a_boot_time(void **state)
{
    struct bench *bench = *state;
    struct lh_clock clock;
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &clock));
    assert_true(lh_clock_at(&clock, BOOT_START_MS + 7) == WALL_START_MS + 7);
}

static void test_clock__another_boot_begins_anew(void **state)
{
    struct bench *bench = *state;
    write_clock_file(bench, "00000000-0000-0000-0000-000000000000 1234567\n");
    struct lh_clock clock;
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &clock));
    assert_true(lh_clock_now_ms(&clock) == WALL_START_MS);
    char written[128];
    read_text(bench->clock_path, written, sizeof(written));
    assert_null(strstr(written, "00000000-0000"));
}

static void test_clock__an_empty_or_short_file_is_of_no_boot(void **state)
{
    struct bench *bench = *state;
    struct lh_clock clock;
    write_clock_file(bench, "");
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &clock));
    write_clock_file(bench, "rubbish\n");
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &clock));
    assert_true(lh_clock_now_ms(&clock) == WALL_START_MS);
}

static void test_clock__nonsense_of_this_boot_is_refused_and_kept(void **state)
{
    struct bench *bench = *state;
    static const char *const rest[] = {
        "x1234567\n",
        " 12345x7\n",
        " -1234567\n",
        " 99999999999999999999\n",
        " 9223372036854775808\n",
        " 9223372036854775807\n",
        " 253402300800000\n",
        " 1234567",
        " 1234567\n1234567\n",
        " 000000001700000000000000000000000000000000000000000\n",
    };
    char boot_id[LH_BOOT_ID_BYTES + 1];
    read_boot_id(boot_id);
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        char text[256];
        char kept[256];
        struct lh_clock clock;
        (void)snprintf(text, sizeof(text), "%s%s", boot_id, rest[i]);
        write_clock_file(bench, text);
        assert_status(lh_clock_open(&bench->host, bench->run_path, &clock), LH_CLOCK_DOWN);
        read_text(bench->clock_path, kept, sizeof(kept));
        assert_string_equal(kept, text);
    }
}

/* None of them is followed, waited for or replaced. */
static void test_clock__a_link_a_pipe_and_a_directory_are_no_clock(void **state)
{
    struct bench *bench = *state;
    struct lh_clock clock;
    char target[96];
    (void)snprintf(target, sizeof(target), "%s.target", bench->run_path);
    write_clock_file(bench, "of another boot");
    assert_int_equal(rename(bench->clock_path, target), 0);
    assert_int_equal(symlink(target, bench->clock_path), 0);
    assert_status(lh_clock_open(&bench->host, bench->run_path, &clock), LH_CLOCK_DOWN);
    assert_int_equal(unlink(bench->clock_path), 0);
    assert_int_equal(unlink(target), 0);
    assert_int_equal(mkfifo(bench->clock_path, 0600), 0);
    assert_status(lh_clock_open(&bench->host, bench->run_path, &clock), LH_CLOCK_DOWN);
    assert_int_equal(unlink(bench->clock_path), 0);
    assert_int_equal(mkdir(bench->clock_path, 0700), 0);
    assert_status(lh_clock_open(&bench->host, bench->run_path, &clock), LH_CLOCK_DOWN);
    assert_int_equal(rmdir(bench->clock_path), 0);
}

static void test_clock__a_machine_without_a_date_has_no_session_time(void **state)
{
    struct bench *bench = *state;
    struct lh_clock clock;
    bench->wall_ms = UINT64_C(1577836799999);
    assert_status(lh_clock_open(&bench->host, bench->run_path, &clock), LH_CLOCK_DOWN);
    assert_int_equal(access(bench->clock_path, F_OK), -1);
    bench->wall_ms = WALL_START_MS;
    bench->boot_ms = WALL_START_MS + 1;
    assert_status(lh_clock_open(&bench->host, bench->run_path, &clock), LH_CLOCK_DOWN);
    assert_int_equal(access(bench->clock_path, F_OK), -1);
}

static void test_clock__a_link_in_place_of_the_draft_is_not_written_through(void **state)
{
    struct bench *bench = *state;
    char draft_path[96];
    char target_path[96];
    struct lh_clock clock;
    struct stat ignored;
    (void)snprintf(draft_path, sizeof(draft_path), "%s/clock.new", bench->run_path);
    (void)snprintf(target_path, sizeof(target_path), "%s/target", bench->run_path);
    assert_int_equal(symlink(target_path, draft_path), 0);
    assert_status(lh_clock_open(&bench->host, bench->run_path, &clock), LH_CLOCK_DOWN);
    assert_int_equal(stat(target_path, &ignored), -1);
    assert_int_equal(unlink(draft_path), 0);
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &clock));
}

static void test_clock__a_missing_run_directory_is_clock_down(void **state)
{
    struct bench *bench = *state;
    struct lh_clock clock;
    assert_status(lh_clock_open(&bench->host, "/nonexistent/run", &clock), LH_CLOCK_DOWN);
    assert_status(lh_clock_open(&bench->host, "/dev/null", &clock), LH_CLOCK_DOWN);
}

/* As a user who may replace the file but not read it. */
static void open_unreadable(void *context)
{
    struct bench *bench = context;
    struct lh_clock clock;
    if (geteuid() == 0 && setuid(65534) != 0) {
        _exit(1);
    }
    _exit(lh_clock_open(&bench->host, bench->run_path, &clock).code == LH_CLOCK_DOWN ? 0 : 2);
}

static void test_clock__a_file_that_cannot_be_read_is_never_replaced(void **state)
{
    struct bench *bench = *state;
    write_clock_file(bench, "kept as it is");
    assert_int_equal(chmod(bench->clock_path, 0), 0);
    assert_true(geteuid() != 0 || chown(bench->run_path, 65534, 65534) == 0);
    int status = child_run(open_unreadable, bench);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(chmod(bench->clock_path, 0600), 0);
    char kept[128];
    read_text(bench->clock_path, kept, sizeof(kept));
    assert_string_equal(kept, "kept as it is");
}

/* With one descriptor left the directory opens and the file does not: a passing failure. */
static void open_without_descriptors(void *context)
{
    struct bench *bench = context;
    struct lh_clock clock;
    int lowest_free = open("/dev/null", O_RDONLY);
    (void)close(lowest_free);
    struct rlimit limit = {(rlim_t)lowest_free + 1, (rlim_t)lowest_free + 1};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        _exit(1);
    }
    bench->wall_ms += 3600000;
    _exit(lh_clock_open(&bench->host, bench->run_path, &clock).code == LH_CLOCK_DOWN ? 0 : 2);
}

static void test_clock__running_out_of_descriptors_does_not_move_time(void **state)
{
    struct bench *bench = *state;
    struct lh_clock clock;
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &clock));
    int status = child_run(open_without_descriptors, bench);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_ok(lh_clock_open(&bench->host, bench->run_path, &clock));
    assert_true(lh_clock_now_ms(&clock) == WALL_START_MS);
}

/* A first process that finds no file, and waits for the lock that another one holds. */
static pid_t start_second_process(struct bench *bench, int result_fd)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct lh_clock clock = {NULL, -1};
        bench->wall_ms += 3600000;
        lh_status status = lh_clock_open(&bench->host, bench->run_path, &clock);
        ssize_t written = write(result_fd, &clock.offset_ms, sizeof(clock.offset_ms));
        _exit(lh_is_ok(status) && written == (ssize_t)sizeof(clock.offset_ms) ? 0 : 1);
    }
    assert_true(pid > 0);
    (void)usleep(100000); /* it is at the lock by now; if it never takes it, it is done */
    return pid;
}

static void test_clock__of_two_first_processes_the_second_takes_what_the_first_wrote(void **state)
{
    struct bench *bench = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int run_fd = open(bench->run_path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(run_fd, LOCK_EX), 0);
    pid_t second = start_second_process(bench, ends[1]);
    char boot_id[LH_BOOT_ID_BYTES + 1];
    char text[128];
    read_boot_id(boot_id);
    (void)snprintf(text, sizeof(text), "%s 1234567\n", boot_id);
    write_clock_file(bench, text);
    assert_int_equal(flock(run_fd, LOCK_UN), 0); /* closing is not enough: the child has it too */
    (void)close(run_fd);
    int64_t offset = -1;
    assert_int_equal(read(ends[0], &offset, sizeof(offset)), sizeof(offset));
    assert_int_equal(offset, 1234567);
    int status = -1;
    assert_int_equal(waitpid(second, &status, 0), second);
    assert_int_equal(status, 0);
    char written[128];
    read_text(bench->clock_path, written, sizeof(written));
    assert_string_equal(written, text);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_clock__without_injection_the_machine_is_asked(void **state)
{
    struct bench *bench = *state;
    struct lh_host host = {.self = NULL};
    struct lh_clock clock;
    uint64_t before_ms = (uint64_t)time(NULL) * 1000;
    assert_ok(lh_clock_open(&host, bench->run_path, &clock));
    uint64_t now_ms = lh_clock_now_ms(&clock);
    assert_true(now_ms + 1000 >= before_ms && now_ms <= before_ms + 60000);
    assert_in_range(lh_clock_step_ms(&clock) + 1000, 0, 2000);
}

int main(void)
{
#define CLOCK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CLOCK_TEST(test_clock__the_first_process_after_a_boot_founds_session_time),
        CLOCK_TEST(test_clock__later_processes_share_it_whatever_the_wall_says),
        CLOCK_TEST(test_clock__session_time_of_a_boot_time),
        CLOCK_TEST(test_clock__another_boot_begins_anew),
        CLOCK_TEST(test_clock__an_empty_or_short_file_is_of_no_boot),
        CLOCK_TEST(test_clock__nonsense_of_this_boot_is_refused_and_kept),
        CLOCK_TEST(test_clock__a_link_a_pipe_and_a_directory_are_no_clock),
        CLOCK_TEST(test_clock__a_machine_without_a_date_has_no_session_time),
        CLOCK_TEST(test_clock__a_link_in_place_of_the_draft_is_not_written_through),
        CLOCK_TEST(test_clock__a_missing_run_directory_is_clock_down),
        CLOCK_TEST(test_clock__a_file_that_cannot_be_read_is_never_replaced),
        CLOCK_TEST(test_clock__running_out_of_descriptors_does_not_move_time),
        CLOCK_TEST(test_clock__of_two_first_processes_the_second_takes_what_the_first_wrote),
        CLOCK_TEST(test_clock__without_injection_the_machine_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
