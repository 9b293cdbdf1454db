/*
 * Session time: boot clock plus the offset in run/clock. The file is one line,
 * "<boot id> <offset ms>\n", replaced by rename so that no reader sees half of it.
 */
#include "host/clock.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

/* A boot id, a space, a 64-bit number and a line end fit. */
#define CLOCK_LINE_MAX ((size_t)80)
#define MS_PER_S       1000U
#define NS_PER_MS      1000000U
/* 2020-01-01: a machine that believes an earlier date has no clock to judge sessions by. */
#define EARLIEST_WALL_MS 1577836800000U
/* The end of the year 9999: nothing overflows that is added to it. */
#define LATEST_WALL_MS 253402300799999U

static uint64_t read_system_clock(clockid_t id)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(id, &now); /* cannot fail for these ids on Linux */
    return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / NS_PER_MS;
}

static uint64_t boot_ms_of(const struct lh_host *host)
{
    return host->boot_ms != NULL ? host->boot_ms(host->self) : read_system_clock(CLOCK_BOOTTIME);
}

static uint64_t wall_ms_of(const struct lh_host *host)
{
    return host->wall_ms != NULL ? host->wall_ms(host->self) : read_system_clock(CLOCK_REALTIME);
}

static void close_descriptor(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* Of a plain file: at a pipe one could wait for ever. Errors: ABSENT (none there), CLOCK_DOWN. */
static lh_status read_small_file(int dir_fd, const char *path, char *out_text, size_t size,
                                 size_t *out_len)
{
    LH_CLEANUP(close_descriptor)
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    LH_ENSURE(fd >= 0, errno == ENOENT ? LH_ABSENT : LH_CLOCK_DOWN);
    struct stat facts;
    LH_ENSURE(fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode), LH_CLOCK_DOWN);
    ssize_t len = read(fd, out_text, size);
    LH_ENSURE(len >= 0, LH_CLOCK_DOWN);
    *out_len = (size_t)len;
    return lh_ok();
}

lh_status lh_boot_id_read(char out_id[LH_BOOT_ID_BYTES])
{
    size_t len;
    lh_status status = read_small_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", out_id,
                                       LH_BOOT_ID_BYTES, &len);
    LH_ENSURE(lh_is_ok(status) && len == LH_BOOT_ID_BYTES, LH_CLOCK_DOWN);
    return lh_ok();
}

/* Reads the offset if the line is of this boot. Errors: ABSENT (of another boot), CLOCK_DOWN. */
static lh_status parse_line(lh_slice line, const char boot_id[LH_BOOT_ID_BYTES],
                            int64_t *out_offset)
{
    LH_ENSURE(line.len > LH_BOOT_ID_BYTES + 2, LH_ABSENT);
    lh_slice id = lh_slice_cut(line, 0, LH_BOOT_ID_BYTES);
    LH_ENSURE(lh_slice_is_equal(id, lh_slice_of(boot_id, LH_BOOT_ID_BYTES)), LH_ABSENT);
    LH_ENSURE(line.ptr[LH_BOOT_ID_BYTES] == ' ' && line.ptr[line.len - 1] == '\n', LH_CLOCK_DOWN);
    lh_slice number = lh_slice_cut(line, LH_BOOT_ID_BYTES + 1, line.len - LH_BOOT_ID_BYTES - 2);
    uint64_t offset;
    LH_ENSURE(lh_is_ok(lh_slice_parse_u64(number, LATEST_WALL_MS, &offset)), LH_CLOCK_DOWN);
    *out_offset = (int64_t)offset;
    return lh_ok();
}

/*
 * Only a missing file or another boot's may be replaced: writing a new offset because of a
 * passing failure would move time for all processes. Errors: ABSENT, CLOCK_DOWN.
 */
static lh_status read_offset(int run_fd, const char boot_id[LH_BOOT_ID_BYTES], int64_t *out_offset)
{
    char line[CLOCK_LINE_MAX];
    size_t len;
    LH_TRY(read_small_file(run_fd, "clock", line, sizeof(line), &len));
    return parse_line(lh_slice_of(line, len), boot_id, out_offset);
}

static lh_status write_line(int run_fd, lh_slice line)
{
    LH_CLEANUP(close_descriptor)
    int fd =
        openat(run_fd, "clock.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    LH_ENSURE(fd >= 0, LH_CLOCK_DOWN);
    LH_ENSURE(write(fd, line.ptr, line.len) == (ssize_t)line.len, LH_CLOCK_DOWN);
    LH_ENSURE(renameat(run_fd, "clock.new", run_fd, "clock") == 0, LH_CLOCK_DOWN);
    return lh_ok();
}

static lh_status write_offset(int run_fd, const struct lh_host *host,
                              const char boot_id[LH_BOOT_ID_BYTES], int64_t *out_offset)
{
    uint64_t wall_ms = wall_ms_of(host);
    uint64_t boot_ms = boot_ms_of(host);
    LH_ENSURE(wall_ms >= EARLIEST_WALL_MS && wall_ms <= LATEST_WALL_MS && wall_ms >= boot_ms,
              LH_CLOCK_DOWN);
    LH_CLEANUP(lh_buf_fini) struct lh_buf line = lh_buf_bounded(CLOCK_LINE_MAX);
    LH_TRY(lh_buf_add(&line, lh_slice_of(boot_id, LH_BOOT_ID_BYTES)));
    LH_TRY(lh_buf_add_format(&line, " %llu\n", (unsigned long long)(wall_ms - boot_ms)));
    LH_TRY(write_line(run_fd, lh_buf_view(&line)));
    *out_offset = (int64_t)(wall_ms - boot_ms);
    return lh_ok();
}

/* Two first processes after a boot: the lock on the directory lets one of them write. */
static lh_status found_offset(int run_fd, const struct lh_host *host,
                              const char boot_id[LH_BOOT_ID_BYTES], int64_t *out_offset)
{
    LH_ENSURE(flock(run_fd, LOCK_EX) == 0, LH_CLOCK_DOWN);
    lh_status status = read_offset(run_fd, boot_id, out_offset);
    return status.code == LH_ABSENT ? write_offset(run_fd, host, boot_id, out_offset) : status;
}

lh_status lh_clock_open(const struct lh_host *host, const char *run_path,
                        struct lh_clock *out_clock)
{
    char boot_id[LH_BOOT_ID_BYTES];
    LH_TRY(lh_boot_id_read(boot_id));
    LH_CLEANUP(close_descriptor) int run_fd = open(run_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LH_ENSURE(run_fd >= 0, LH_CLOCK_DOWN);
    int64_t offset_ms;
    lh_status status = read_offset(run_fd, boot_id, &offset_ms);
    if (status.code == LH_ABSENT) {
        status = found_offset(run_fd, host, boot_id, &offset_ms);
    }
    LH_TRY(status);
    *out_clock = (struct lh_clock){host, offset_ms};
    return lh_ok();
}

uint64_t lh_clock_boot_ms(const struct lh_clock *clock)
{
    return boot_ms_of(clock->host);
}

uint64_t lh_clock_now_ms(const struct lh_clock *clock)
{
    return lh_clock_at(clock, lh_clock_boot_ms(clock));
}

int64_t lh_clock_step_ms(const struct lh_clock *clock)
{
    return (int64_t)wall_ms_of(clock->host) - (int64_t)lh_clock_now_ms(clock);
}
