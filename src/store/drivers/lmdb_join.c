/*
 * Who has an LMDB environment open together, by locks in a file of our own beside LMDB's.
 */
#include "store/drivers/lmdb_join.h"

#include "store/drivers/lmdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/* Bytes of the file that are locked: who grows the map, who joins, one per process id. */
#define GROWTH_OFFSET  ((off_t)0)
#define JOIN_OFFSET    ((off_t)1)
#define PROCESS_OFFSET ((off_t)16)

static lh_status find_inode(const char *path, const char *name, uint64_t *out_device,
                            uint64_t *out_inode)
{
    char file[LH_LMDB_PATH_BYTES];
    struct stat status;
    LH_TRY(lh_lmdb_path(path, name, file));
    LH_ENSURE(lstat(file, &status) == 0, LH_STORE_DOWN);
    *out_device = status.st_dev;
    *out_inode = status.st_ino;
    return lh_ok();
}

lh_status lh_lmdb_identify(const char *path, struct lh_lmdb_files *out_files)
{
    struct lh_lmdb_files files;
    LH_TRY(find_inode(path, "lock.mdb", &files.device, &files.lock_inode));
    LH_TRY(find_inode(path, "data.mdb", &files.device, &files.tree_inode));
    *out_files = files;
    return lh_ok();
}

bool lh_lmdb_is_same(const struct lh_lmdb_files *a, const struct lh_lmdb_files *b)
{
    return a->device == b->device && a->tree_inode == b->tree_inode &&
           a->lock_inode == b->lock_inode;
}

/*
 * A lock of the open file description: it also holds against another descriptor of the same
 * process, and no close of another descriptor drops it.
 * returns: 0 done, 1 held by another (F_OFD_GETLK), -1 with errno.
 */
static int lock_range(int fd, int command, short type, off_t start, off_t len)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    if (fcntl(fd, command, &range) != 0) {
        return -1;
    }
    return command == F_OFD_GETLK && range.l_type != F_UNLCK ? 1 : 0;
}

/* What the others have open must be what lies there. */
static lh_status check_company(const char *path, int fd)
{
    if (lock_range(fd, F_OFD_GETLK, F_WRLCK, PROCESS_OFFSET, 0) == 0) {
        return lh_ok();
    }
    struct lh_lmdb_files theirs;
    struct lh_lmdb_files present;
    LH_ENSURE(pread(fd, &theirs, sizeof(theirs), 0) == (ssize_t)sizeof(theirs), LH_STORE_DOWN);
    LH_TRY(lh_lmdb_identify(path, &present));
    LH_ENSURE(lh_lmdb_is_same(&theirs, &present), LH_STORE_DOWN);
    return lh_ok();
}

static lh_status join(const char *path, int fd)
{
    struct stat status;
    LH_ENSURE(fstat(fd, &status) == 0, LH_STORE_DOWN);
    LH_ENSURE(S_ISREG(status.st_mode) && lh_lmdb_is_private(&status), LH_UNSAFE_FILE);
    LH_ENSURE(lock_range(fd, F_OFD_SETLKW, F_WRLCK, JOIN_OFFSET, 1) == 0, LH_STORE_DOWN);
    LH_TRY(check_company(path, fd));
    if (lock_range(fd, F_OFD_SETLK, F_WRLCK, PROCESS_OFFSET + getpid(), 1) != 0) {
        return lh_status_of(errno == EAGAIN || errno == EACCES ? LH_INVALID : LH_STORE_DOWN);
    }
    return lh_ok();
}

lh_status lh_lmdb_join(const char *path, int *out_fd)
{
    char file[LH_LMDB_PATH_BYTES];
    LH_TRY(lh_lmdb_path(path, "open.lock", file));
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LH_LMDB_FILE_MODE);
    LH_ENSURE(fd >= 0, LH_STORE_DOWN);
    lh_status joined = join(path, fd);
    if (!lh_is_ok(joined)) {
        (void)close(fd);
        return joined;
    }
    *out_fd = fd;
    return lh_ok();
}

lh_status lh_lmdb_settle(int fd, const struct lh_lmdb_files *files)
{
    LH_ENSURE(pwrite(fd, files, sizeof(*files), 0) == (ssize_t)sizeof(*files), LH_STORE_DOWN);
    LH_ENSURE(lock_range(fd, F_OFD_SETLK, F_UNLCK, JOIN_OFFSET, 1) == 0, LH_STORE_DOWN);
    return lh_ok();
}

bool lh_lmdb_lock_growth(int fd)
{
    return lock_range(fd, F_OFD_SETLKW, F_WRLCK, GROWTH_OFFSET, 1) == 0;
}

void lh_lmdb_unlock_growth(int fd)
{
    (void)lock_range(fd, F_OFD_SETLK, F_UNLCK, GROWTH_OFFSET, 1);
}
