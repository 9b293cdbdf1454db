/*
 * Preloaded into a command (LD_PRELOAD): it stops (SIGSTOP) before its first write to the file
 * LEASEHOLD_STOP_AT, which is in the middle of a write transaction, with LMDB's lock in its hands.
 */
/* Else the compiler would give pwrite the name of pwrite64, and both are wanted. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

/* dlsym knows only pointers to objects. */
#define NEXT(type, variable, name)                                                                 \
    type variable;                                                                                 \
    void *found_##variable = dlsym(RTLD_NEXT, name);                                               \
    memcpy(&variable, &found_##variable, sizeof(variable))

typedef ssize_t (*pwrite_fn)(int fd, const void *bytes, size_t len, off_t offset);
typedef ssize_t (*writev_fn)(int fd, const struct iovec *parts, int count);

static void stop_if_there(int fd)
{
    static int has_stopped;
    char link[64], path[PATH_MAX];
    const char *where = getenv("LEASEHOLD_STOP_AT");
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    if (where == NULL || len <= 0 || has_stopped) {
        return;
    }
    path[len] = '\0';
    if (strcmp(path, where) == 0) {
        has_stopped = 1;
        (void)raise(SIGSTOP);
    }
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    stop_if_there(fd);
    NEXT(pwrite_fn, next_pwrite, "pwrite64");
    return next_pwrite(fd, bytes, len, offset);
}

EXPORTED ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
    return pwrite(fd, bytes, len, offset);
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int count)
{
    stop_if_there(fd);
    NEXT(writev_fn, next_writev, "writev");
    return next_writev(fd, parts, count);
}
