/*
 * Preloaded into a program that changes a home (LD_PRELOAD): writes down, in order, what it asks of
 * the disk below LEASEHOLD_RECORD_BELOW, with the bytes, into LEASEHOLD_RECORD_TO. What a sync has
 * covered is on the disk; a power loss may leave any part of the rest.
 *
 * An entry is a line of text (kind, offset, number of bytes, path, second path), then the bytes.
 * Kinds: write, writesync (of a descriptor with O_DSYNC), sync, truncate, create, link, rename,
 * unlink.
 *
 * With LEASEHOLD_KILL_AT=n the program dies (SIGKILL) as it makes the nth of these calls.
 */
/* Else the compiler would give pwrite the name of pwrite64, and both are wanted. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static int record_fd = -1;
static const char *below;
static long calls_to_live = -1;

__attribute__((constructor)) static void open_record(void)
{
    const char *path = getenv("LEASEHOLD_RECORD_TO");
    below = getenv("LEASEHOLD_RECORD_BELOW");
    const char *kill_at = getenv("LEASEHOLD_KILL_AT");
    if (kill_at != NULL) {
        calls_to_live = strtol(kill_at, NULL, 10);
    }
    if (path != NULL && below != NULL) {
        record_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (record_fd < 0) {
            abort();
        }
    }
}

static void *find_next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        abort();
    }
    return found;
}

/* dlsym knows only pointers to objects. */
#define NEXT(type, variable, name)                                                                 \
    type variable;                                                                                 \
    void *found_##variable = find_next(name);                                                      \
    memcpy(&variable, &found_##variable, sizeof(variable))

typedef ssize_t (*pwrite_fn)(int fd, const void *bytes, size_t len, off_t offset);
typedef ssize_t (*write_fn)(int fd, const void *bytes, size_t len);
typedef ssize_t (*pwritev_fn)(int fd, const struct iovec *parts, int count, off_t offset);
typedef ssize_t (*writev_fn)(int fd, const struct iovec *parts, int count);
typedef int (*sync_fn)(int fd);
typedef int (*truncate_fn)(int fd, off_t len);
typedef int (*rename_fn)(int from_dir, const char *from, int to_dir, const char *to);
typedef int (*link_fn)(int from_dir, const char *from, int to_dir, const char *to, int flags);
typedef int (*unlink_fn)(int dir, const char *name, int flags);

/* returns: whether the descriptor is of something that is recorded. */
static bool find_path(int fd, char out_path[PATH_MAX])
{
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = record_fd < 0 ? -1 : readlink(link, out_path, PATH_MAX - 1);
    if (len <= 0) {
        return false;
    }
    out_path[len] = '\0';
    return strncmp(out_path, below, strlen(below)) == 0;
}

static bool find_name(int dir, const char *name, char out_path[PATH_MAX])
{
    char directory[PATH_MAX] = "";
    if (name[0] != '/' && (dir == AT_FDCWD || !find_path(dir, directory))) {
        return false;
    }
    size_t len = strlen(directory);
    int added = snprintf(out_path, PATH_MAX, "%s%s%s", directory, len > 0 ? "/" : "", name);
    return record_fd >= 0 && added > 0 && added < PATH_MAX &&
           strncmp(out_path, below, strlen(below)) == 0;
}

static void put(const char *kind, const char *path, const char *second, long long offset,
                const struct iovec *parts, int count)
{
    static char line[3 * PATH_MAX];
    size_t total = 0;
    struct iovec all[1 + 1024];
    if (count > 1024) {
        abort();
    }
    for (int i = 0; i < count; i++) {
        all[1 + i] = parts[i];
        total += parts[i].iov_len;
    }
    int len =
        snprintf(line, sizeof(line), "%s %lld %zu %s %s\n", kind, offset, total, path, second);
    all[0] = (struct iovec){line, (size_t)len};
    NEXT(writev_fn, next_writev, "writev");
    if (len <= 0 || next_writev(record_fd, all, 1 + count) != (ssize_t)(total + (size_t)len)) {
        abort();
    }
    if (calls_to_live > 0 && --calls_to_live == 0) {
        (void)raise(SIGKILL);
    }
}

static void put_write(int fd, const struct iovec *parts, int count, off_t offset)
{
    char path[PATH_MAX];
    if (find_path(fd, path)) {
        bool is_synced = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
        put(is_synced ? "writesync" : "write", path, "-", offset, parts, count);
    }
}

static off_t place_of_write(int fd)
{
    return (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
}

/* What was asked for is recorded before it is done: then a kill cannot lose it. */
EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    put_write(fd, &part, 1, offset);
    NEXT(pwrite_fn, next_pwrite, "pwrite64");
    return next_pwrite(fd, bytes, len, offset);
}

EXPORTED ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
    return pwrite(fd, bytes, len, offset);
}

EXPORTED ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    put_write(fd, parts, count, offset);
    NEXT(pwritev_fn, next_pwritev, "pwritev64");
    return next_pwritev(fd, parts, count, offset);
}

EXPORTED ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev(fd, parts, count, offset);
}

EXPORTED ssize_t write(int fd, const void *bytes, size_t len)
{
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    if (fd != record_fd && fd > STDERR_FILENO) {
        put_write(fd, &part, 1, place_of_write(fd));
    }
    NEXT(write_fn, next_write, "write");
    return next_write(fd, bytes, len);
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int count)
{
    put_write(fd, parts, count, place_of_write(fd));
    NEXT(writev_fn, next_writev, "writev");
    return next_writev(fd, parts, count);
}

static int sync_and_put(int fd, const char *name)
{
    NEXT(sync_fn, next_sync, name);
    int result = next_sync(fd);
    char path[PATH_MAX];
    if (result == 0 && find_path(fd, path)) {
        put("sync", path, "-", 0, NULL, 0);
    }
    return result;
}

EXPORTED int fdatasync(int fd)
{
    return sync_and_put(fd, "fdatasync");
}

EXPORTED int fsync(int fd)
{
    return sync_and_put(fd, "fsync");
}

EXPORTED int ftruncate(int fd, off_t len)
{
    char path[PATH_MAX];
    if (find_path(fd, path)) {
        put("truncate", path, "-", len, NULL, 0);
    }
    NEXT(truncate_fn, next_truncate, "ftruncate64");
    return next_truncate(fd, len);
}

EXPORTED int ftruncate64(int fd, off_t len)
{
    return ftruncate(fd, len);
}

EXPORTED int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    char old_path[PATH_MAX], new_path[PATH_MAX];
    if (find_name(from_dir, from, old_path) && find_name(to_dir, to, new_path)) {
        put("rename", old_path, new_path, 0, NULL, 0);
    }
    NEXT(rename_fn, next_rename, "renameat");
    return next_rename(from_dir, from, to_dir, to);
}

EXPORTED int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    char old_path[PATH_MAX], new_path[PATH_MAX];
    NEXT(link_fn, next_link, "linkat");
    int result = next_link(from_dir, from, to_dir, to, flags);
    if (result == 0 && find_name(from_dir, from, old_path) && find_name(to_dir, to, new_path)) {
        put("link", old_path, new_path, 0, NULL, 0);
    }
    return result;
}

EXPORTED int unlinkat(int dir, const char *name, int flags)
{
    char path[PATH_MAX];
    if (find_name(dir, name, path)) {
        put("unlink", path, "-", 0, NULL, 0);
    }
    NEXT(unlink_fn, next_unlink, "unlinkat");
    return next_unlink(dir, name, flags);
}
