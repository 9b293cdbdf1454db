/*
 * The file "generation" beside the environment: the last write generation that a writer has
 * committed. Whoever can write lock.mdb (a broken worker) can let writers begin from an earlier
 * commit, which would undo revocations unseen; writers compare, stop and raise an alarm.
 *
 * One line of fixed length, written in place: that needs no new block of a full disk, and the
 * lock keeps readers from seeing half of it.
 */
#include "registry/registry_env.h"

#include "host/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define GENERATION_FILE "generation"
/* Digits of a 64-bit number. */
#define GENERATION_DIGITS 20
/* And a line end. */
#define GENERATION_LINE_BYTES ((size_t)GENERATION_DIGITS + 1)

static void close_descriptor(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static int open_beside(const char *registry_path, int flags)
{
    LH_CLEANUP(close_descriptor)
    int dir_fd = open(registry_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir_fd < 0
               ? -1
               : openat(dir_fd, GENERATION_FILE, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void format_line(uint64_t generation, char out_line[GENERATION_LINE_BYTES])
{
    for (size_t i = GENERATION_DIGITS; i > 0; i--) {
        out_line[i - 1] = (char)('0' + generation % 10);
        generation /= 10;
    }
    out_line[GENERATION_DIGITS] = '\n';
}

static bool write_line(int fd, uint64_t generation)
{
    char line[GENERATION_LINE_BYTES];
    format_line(generation, line);
    return pwrite(fd, line, sizeof(line), 0) == (ssize_t)sizeof(line) && fdatasync(fd) == 0;
}

/* Leading zeros are part of the format, so the shared number reader is asked without them. */
static bool read_line(int fd, uint64_t *out_generation)
{
    char line[GENERATION_LINE_BYTES + 1];
    ssize_t len = pread(fd, line, sizeof(line), 0);
    if (len != (ssize_t)GENERATION_LINE_BYTES || line[GENERATION_DIGITS] != '\n') {
        return false;
    }
    lh_slice digits = lh_slice_of(line, GENERATION_DIGITS);
    while (digits.len > 1 && digits.ptr[0] == '0') {
        digits = lh_slice_cut(digits, 1, digits.len);
    }
    return lh_is_ok(lh_slice_parse_u64(digits, UINT64_MAX, out_generation));
}

lh_status lh_registry_generation_create(const char *registry_path)
{
    LH_CLEANUP(close_descriptor) int fd = open_beside(registry_path, O_CREAT | O_EXCL);
    if (fd < 0) {
        return lh_status_of(errno == EEXIST   ? LH_EXISTS
                            : errno == ENOSPC ? LH_NO_SPACE
                                              : LH_UNREADABLE);
    }
    return lh_status_of(write_line(fd, 0) ? LH_OK : LH_NO_SPACE);
}

void lh_registry_generation_remove(const char *registry_path)
{
    LH_CLEANUP(close_descriptor)
    int dir_fd = open(registry_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd >= 0) {
        (void)unlinkat(dir_fd, GENERATION_FILE, 0);
    }
}

lh_status lh_registry_generation_open(struct lh_registry *registry, const char *registry_path)
{
    registry->generation_fd = open_beside(registry_path, 0);
    if (registry->generation_fd < 0) {
        lh_log(registry->host, LH_LOG_ERROR,
               "registry: file \"%s\" beside the registry cannot be opened: writing stops",
               GENERATION_FILE);
        return lh_status_of(LH_REGISTRY_DOWN);
    }
    return lh_ok();
}

void lh_registry_generation_close(struct lh_registry *registry)
{
    close_descriptor(&registry->generation_fd);
    registry->generation_fd = -1;
}

/* Reads under the lock of the open file; it is let go before the answer. */
static bool read_locked(int fd, int lock, uint64_t *out_generation)
{
    bool is_read = flock(fd, lock) == 0 && read_line(fd, out_generation);
    if (!is_read || lock == LOCK_SH) {
        (void)flock(fd, LOCK_UN);
    }
    return is_read;
}

lh_status lh_registry_generation_check(const struct lh_registry *registry, uint64_t generation)
{
    uint64_t seen = 0;
    if (!read_locked(registry->generation_fd, LOCK_SH, &seen)) {
        lh_log(registry->host, LH_LOG_ERROR,
               "registry: file \"%s\" cannot be understood: writing stops", GENERATION_FILE);
        return lh_status_of(LH_REGISTRY_DOWN);
    }
    if (generation < seen) {
        lh_log(registry->host, LH_LOG_ERROR,
               "registry: was set back from generation %llu to %llu, revocations may be missing:"
               " writing stops",
               (unsigned long long)seen, (unsigned long long)generation);
        return lh_status_of(LH_REGISTRY_DOWN);
    }
    return lh_ok();
}

/* Two writers may note in the other order than they committed: the greater one stays. */
void lh_registry_generation_note(const struct lh_registry *registry, uint64_t generation)
{
    uint64_t seen = 0;
    bool is_noted = read_locked(registry->generation_fd, LOCK_EX, &seen);
    if (is_noted) {
        is_noted = seen >= generation || write_line(registry->generation_fd, generation);
        (void)flock(registry->generation_fd, LOCK_UN);
    }
    if (!is_noted) {
        lh_log(registry->host, LH_LOG_WARN,
               "registry: generation %llu is committed but could not be noted",
               (unsigned long long)generation);
    }
}
