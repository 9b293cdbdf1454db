/*
 * Reading and writing key files. What may go wrong with such files is listed among the abuse
 * cases: a mode of 0644, a symlink, a directory or a FIFO in their place, truncation, a change
 * while they are read.
 */
#include "keys/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/* Name of a key file and what the temporary one has beside it. */
#define NAME_MAX_BYTES ((size_t)128)
#define MODE_OTHERS    ((mode_t)077)
/* A file that changes under the first read is read once more, then it is unreadable. */
#define READ_TRIES 2

void lh_key_fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static enum lh_code code_of_open(int error)
{
    switch (error) {
    case ENOENT:
        return LH_ABSENT;
    case ELOOP:   /* O_NOFOLLOW met a symlink */
    case ENOTDIR: /* O_DIRECTORY met something else */
    case ENXIO:   /* a socket */
        return LH_UNSAFE_FILE;
    default:
        return LH_UNREADABLE;
    }
}

static enum lh_code code_of_write(int error)
{
    bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    return is_full ? LH_NO_SPACE : LH_UNREADABLE;
}

/* Whether only the calling user could have read or written it. */
static bool is_private(const struct stat *found)
{
    return found->st_uid == geteuid() && (found->st_mode & MODE_OTHERS) == 0;
}

lh_status lh_key_dir_open(int at_fd, const char *path, int *out_fd)
{
    LH_CLEANUP(lh_key_fd_close)
    int fd = openat(at_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    LH_ENSURE(fd >= 0, code_of_open(errno));
    struct stat found;
    LH_ENSURE(fstat(fd, &found) == 0, LH_UNREADABLE);
    LH_ENSURE(is_private(&found), LH_UNSAFE_FILE);
    *out_fd = fd;
    fd = -1;
    return lh_ok();
}

lh_status lh_key_dir_make(int parent_fd, const char *name)
{
    if (mkdirat(parent_fd, name, S_IRWXU) != 0) {
        LH_ENSURE(errno == EEXIST, code_of_write(errno));
        return lh_ok();
    }
    if (parent_fd != AT_FDCWD) {
        LH_ENSURE(fsync(parent_fd) == 0, code_of_write(errno));
    }
    return lh_ok();
}

static lh_status read_all(int fd, size_t len, struct lh_buf *out)
{
    if (len == 0) {
        return lh_ok();
    }
    uint8_t *room;
    LH_TRY(lh_buf_add_room(out, len, &room));
    for (size_t done = 0; done < len;) {
        ssize_t got = read(fd, room + done, len - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        LH_ENSURE(got > 0, LH_UNREADABLE);
        done += (size_t)got;
    }
    return lh_ok();
}

/* Not by the change time: that moves when a new file takes the name, and this one is whole. */
static bool is_same_content(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Errors: CONFLICT (changed while it was read), and as lh_key_file_read. */
static lh_status read_once(int dir_fd, const char *name, struct lh_buf *out)
{
    LH_CLEANUP(lh_key_fd_close)
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    LH_ENSURE(fd >= 0, code_of_open(errno));
    struct stat before;
    LH_ENSURE(fstat(fd, &before) == 0, LH_UNREADABLE);
    LH_ENSURE(S_ISREG(before.st_mode) && is_private(&before), LH_UNSAFE_FILE);
    LH_ENSURE((size_t)before.st_size <= LH_KEY_FILE_MAX_BYTES, LH_TOO_LARGE);
    lh_status status = read_all(fd, (size_t)before.st_size, out);
    struct stat after;
    LH_ENSURE(fstat(fd, &after) == 0, LH_UNREADABLE);
    LH_ENSURE(is_same_content(&before, &after), LH_CONFLICT);
    return status;
}

lh_status lh_key_file_read(int dir_fd, const char *name, struct lh_buf *out)
{
    for (int try = 0; try < READ_TRIES; try++) {
        LH_CLEANUP(lh_buf_fini) struct lh_buf content = lh_buf_bounded(LH_KEY_FILE_MAX_BYTES);
        lh_status status = read_once(dir_fd, name, &content);
        if (lh_is_ok(status)) {
            return lh_buf_add(out, lh_buf_view(&content));
        }
        LH_ENSURE(status.code == LH_CONFLICT, status.code);
    }
    return lh_status_of(LH_UNREADABLE);
}

static lh_status write_all(int fd, lh_slice content)
{
    while (content.len > 0) {
        ssize_t put = write(fd, content.ptr, content.len);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        LH_ENSURE(put > 0, code_of_write(errno));
        content = lh_slice_cut(content, (size_t)put, content.len);
    }
    return lh_ok();
}

/* A leftover of a process of the same id that died is taken away once. */
static int open_temporary(int dir_fd, const char *name)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags, S_IRUSR | S_IWUSR);
    if (fd < 0 && errno == EEXIST && unlinkat(dir_fd, name, 0) == 0) {
        fd = openat(dir_fd, name, flags, S_IRUSR | S_IWUSR);
    }
    return fd;
}

static lh_status fill_temporary(int dir_fd, const char *name, lh_slice content, unsigned mode)
{
    LH_CLEANUP(lh_key_fd_close) int fd = open_temporary(dir_fd, name);
    LH_ENSURE(fd >= 0, code_of_write(errno));
    LH_TRY(write_all(fd, content));
    LH_ENSURE(fchmod(fd, (mode_t)mode) == 0, LH_UNREADABLE);
    LH_ENSURE(fsync(fd) == 0, code_of_write(errno));
    return lh_ok();
}

/* Gives the temporary file its name. */
static lh_status name_file(int dir_fd, const char *temporary, const char *name,
                           enum lh_key_file_write how)
{
    if (how == LH_KEY_FILE_REPLACE) {
        LH_ENSURE(renameat(dir_fd, temporary, dir_fd, name) == 0, code_of_write(errno));
    } else if (linkat(dir_fd, temporary, dir_fd, name, 0) != 0) {
        return lh_status_of(errno == EEXIST ? LH_EXISTS : code_of_write(errno));
    }
    return lh_ok();
}

lh_status lh_key_file_write(int dir_fd, const char *name, lh_slice content,
                            enum lh_key_file_write how, unsigned mode)
{
    char temporary[NAME_MAX_BYTES];
    int len = snprintf(temporary, sizeof(temporary), ".%s.%ld.new", name, (long)getpid());
    LH_ENSURE(len > 0 && (size_t)len < sizeof(temporary), LH_INVALID);
    lh_status status = fill_temporary(dir_fd, temporary, content, mode);
    if (lh_is_ok(status)) {
        status = name_file(dir_fd, temporary, name, how);
    }
    /* After a rename there is nothing left to remove. */
    (void)unlinkat(dir_fd, temporary, 0);
    LH_TRY(status);
    LH_ENSURE(fsync(dir_fd) == 0, code_of_write(errno));
    return lh_ok();
}

static lh_status overwrite(int dir_fd, const char *name)
{
    LH_CLEANUP(lh_key_fd_close)
    int fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    LH_ENSURE(fd >= 0, errno == ENOENT ? LH_ABSENT : LH_UNREADABLE);
    struct stat found;
    LH_ENSURE(fstat(fd, &found) == 0 && S_ISREG(found.st_mode), LH_UNREADABLE);
    uint8_t zeros[256] = {0};
    for (off_t at = 0; at < found.st_size; at += (off_t)sizeof(zeros)) {
        LH_TRY(write_all(fd, LH_SLICE_OF(zeros)));
    }
    LH_ENSURE(fdatasync(fd) == 0, LH_UNREADABLE);
    return lh_ok();
}

lh_status lh_key_file_destroy(int dir_fd, const char *name)
{
    lh_status status = overwrite(dir_fd, name);
    LH_ENSURE(status.code != LH_ABSENT, LH_ABSENT);
    /* A file that cannot be overwritten (a full disk) is removed all the same. */
    LH_ENSURE(unlinkat(dir_fd, name, 0) == 0, LH_UNREADABLE);
    LH_ENSURE(fsync(dir_fd) == 0, LH_UNREADABLE);
    return lh_ok();
}

lh_status lh_key_file_add_head(struct lh_buf *content, uint32_t magic)
{
    LH_TRY(lh_buf_add_u32(content, magic));
    return lh_buf_add_u8(content, LH_KEY_FILE_VERSION);
}

lh_status lh_key_file_read_head(struct lh_cursor *cursor, uint32_t magic)
{
    uint32_t found;
    uint8_t version;
    LH_TRY(lh_cursor_u32(cursor, &found));
    LH_TRY(lh_cursor_u8(cursor, &version));
    LH_ENSURE(found == magic, LH_MALFORMED);
    LH_ENSURE(version <= LH_KEY_FILE_VERSION, LH_FUTURE_FORMAT);
    LH_ENSURE(version == LH_KEY_FILE_VERSION, LH_MALFORMED);
    return lh_ok();
}

lh_status lh_key_file_find(int dir_fd, const char *name)
{
    struct stat found;
    if (fstatat(dir_fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
        return lh_ok();
    }
    return lh_status_of(errno == ENOENT ? LH_ABSENT : LH_UNREADABLE);
}

DIR *lh_key_listing_open(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (listing == NULL) {
        lh_key_fd_close(&fd);
    }
    return listing;
}

lh_status lh_key_listing_next(DIR *listing, const char **out_name)
{
    errno = 0;
    const struct dirent *entry = readdir(listing);
    LH_ENSURE(entry != NULL, errno == 0 ? LH_ABSENT : LH_UNREADABLE);
    *out_name = entry->d_name;
    return lh_ok();
}

void lh_key_listing_close(DIR **listing)
{
    if (*listing != NULL) {
        (void)closedir(*listing);
    }
}
