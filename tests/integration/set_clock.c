/*
 * Preloaded into nginx and the command line (LD_PRELOAD): moves their clocks while they run. The
 * file that LEASEHOLD_CLOCKS names holds two 64-bit numbers in ns, added to the wall clock and
 * to the boot clock; whoever maps the file moves time for all of them at once. The boot clock is
 * moved as a machine that sleeps moves it: only ahead.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED  __attribute__((visibility("default")))
#define NS_PER_S  1000000000
#define NS_PER_US 1000

struct offsets {
    int64_t wall_ns;
    int64_t boot_ns;
};

static const struct offsets *offsets;

__attribute__((constructor)) static void map_offsets(void)
{
    const char *path = getenv("LEASEHOLD_CLOCKS");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void *found = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*offsets), PROT_READ, MAP_SHARED, fd, 0);
    if (found == MAP_FAILED) {
        abort();
    }
    (void)close(fd);
    offsets = found;
}

/* Sanitizers ask for the time before anything is set up. */
static int64_t offset_of(clockid_t id)
{
    if (offsets == NULL) {
        return 0;
    }
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return __atomic_load_n(&offsets->wall_ns, __ATOMIC_ACQUIRE);
    case CLOCK_BOOTTIME:
        return __atomic_load_n(&offsets->boot_ns, __ATOMIC_ACQUIRE);
    default:
        return 0;
    }
}

EXPORTED int clock_gettime(clockid_t id, struct timespec *out_time)
{
    int result = (int)syscall(SYS_clock_gettime, id, out_time);
    if (result == 0) {
        int64_t ns = (int64_t)out_time->tv_sec * NS_PER_S + out_time->tv_nsec + offset_of(id);
        out_time->tv_sec = (time_t)(ns / NS_PER_S);
        out_time->tv_nsec = (long)(ns % NS_PER_S);
    }
    return result;
}

EXPORTED int gettimeofday(struct timeval *out_time, void *zone)
{
    (void)zone;
    struct timespec now = {0, 0};
    int result = clock_gettime(CLOCK_REALTIME, &now);
    out_time->tv_sec = now.tv_sec;
    out_time->tv_usec = now.tv_nsec / NS_PER_US;
    return result;
}

EXPORTED time_t time(time_t *out_time)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out_time != NULL) {
        *out_time = now.tv_sec;
    }
    return now.tv_sec;
}
