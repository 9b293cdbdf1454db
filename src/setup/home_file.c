/*
 * Plain files, for what is no secret and no database.
 */
#include "setup/home_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define FILE_MODE      0600
#define DIRECTORY_MODE 0700
#define READ_BYTES     4096U

static lh_status status_of_errno(void)
{
    switch (errno) {
    case EEXIST:
        return lh_status_of(LH_EXISTS);
    case ENOSPC:
    case EDQUOT:
        return lh_status_of(LH_NO_SPACE);
    case ELOOP:
        return lh_status_of(LH_UNSAFE_FILE);
    default:
        return lh_status_of(LH_UNREADABLE);
    }
}

void lh_home_fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

lh_status lh_home_file_read(const char *path, struct lh_buf *out)
{
    LH_CLEANUP(lh_home_fd_close)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? lh_status_of(LH_ABSENT) : status_of_errno();
    }
    struct stat entry;
    LH_ENSURE(fstat(fd, &entry) == 0, LH_UNREADABLE);
    LH_ENSURE(S_ISREG(entry.st_mode), LH_UNSAFE_FILE);
    uint8_t chunk[READ_BYTES];
    for (;;) {
        ssize_t len = read(fd, chunk, sizeof(chunk));
        LH_ENSURE(len >= 0, LH_UNREADABLE);
        if (len == 0) {
            return lh_ok();
        }
        LH_TRY(lh_buf_add(out, lh_slice_of(chunk, (size_t)len)));
    }
}

static lh_status write_all(int fd, lh_slice content)
{
    while (content.len > 0) {
        ssize_t len = write(fd, content.ptr, content.len);
        if (len < 0) {
            return status_of_errno();
        }
        content = lh_slice_cut(content, (size_t)len, content.len);
    }
    return fsync(fd) == 0 ? lh_ok() : status_of_errno();
}

lh_status lh_home_file_create(const char *path, lh_slice content)
{
    LH_CLEANUP(lh_home_fd_close)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    return fd < 0 ? status_of_errno() : write_all(fd, content);
}

lh_status lh_home_directory_create(const char *path)
{
    return mkdir(path, DIRECTORY_MODE) == 0 ? lh_ok() : status_of_errno();
}

lh_status lh_home_directory_sync(const char *path)
{
    LH_CLEANUP(lh_home_fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LH_ENSURE(fd >= 0, LH_UNREADABLE);
    LH_ENSURE(fsync(fd) == 0, LH_UNREADABLE);
    return lh_ok();
}
