/*
 * Files of an LMDB environment, checked from outside. data.mdb may be opened and closed here as
 * often as we like; lock.mdb never, because closing any descriptor of it drops the fcntl locks
 * by which LMDB knows that this process lives.
 */
#include "store/drivers/lmdb_file.h"

#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/banned.h"

#define DIRECTORY_MODE 0700
#define OTHERS         (S_IRWXG | S_IRWXO)

/* --- Who may reach it ------------------------------------------------------------------------ */

/* File systems on which a shared map or fcntl locks do not mean what LMDB needs. */
static bool is_remote(const char *path)
{
    static const uint32_t types[] = {
        0x6969U,     /* NFS */
        0x517BU,     /* SMB */
        0xFF534D42U, /* CIFS */
        0xFE534D42U, /* SMB2 */
        0x01021997U, /* 9P */
        0x5346414FU, /* AFS */
        0x00C36400U, /* Ceph */
        0x0BD00BD0U, /* Lustre */
        0x47504653U, /* GPFS */
        0x7461636FU, /* OCFS2 */
        0x73757245U, /* Coda */
    };
    struct statfs mounted;
    if (statfs(path, &mounted) != 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if ((uint32_t)mounted.f_type == types[i]) {
            return true;
        }
    }
    return false;
}

bool lh_lmdb_is_private(const struct stat *status)
{
    return status->st_uid == geteuid() && (status->st_mode & OTHERS) == 0;
}

lh_status lh_lmdb_check_directory(const char *path, bool may_create)
{
    if (may_create && mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST) {
        return lh_status_of(LH_STORE_DOWN);
    }
    struct stat status;
    LH_ENSURE(stat(path, &status) == 0, LH_STORE_DOWN);
    LH_ENSURE(S_ISDIR(status.st_mode) && lh_lmdb_is_private(&status), LH_UNSAFE_FILE);
    LH_ENSURE(!is_remote(path), LH_UNSAFE_FILE);
    return lh_ok();
}

lh_status lh_lmdb_path(const char *path, const char *name, char out_path[LH_LMDB_PATH_BYTES])
{
    int len = snprintf(out_path, LH_LMDB_PATH_BYTES, "%s/%s", path, name);
    LH_ENSURE(len > 0 && len < (int)LH_LMDB_PATH_BYTES, LH_STORE_DOWN);
    return lh_ok();
}

/* Errors: ABSENT, UNSAFE_FILE, STORE_DOWN. */
static lh_status check_file(const char *path, struct stat *out_status)
{
    if (lstat(path, out_status) != 0) {
        return lh_status_of(errno == ENOENT ? LH_ABSENT : LH_STORE_DOWN);
    }
    LH_ENSURE(S_ISREG(out_status->st_mode) && lh_lmdb_is_private(out_status), LH_UNSAFE_FILE);
    return lh_ok();
}

/* --- Whether it can be mapped ---------------------------------------------------------------- */

/* LMDB's data format 1 as a 64-bit machine writes it: the head of pages 0 and 1. */
struct tree_row {
    uint32_t pad; /* in the first tree: bytes of a page */
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t entries;
    uint64_t root;
};

struct meta_page {
    uint64_t page;
    uint16_t pad;
    uint16_t flags;
    uint16_t lower;
    uint16_t upper;
    uint32_t magic;
    uint32_t version;
    uint64_t address;
    uint64_t map_bytes;
    struct tree_row trees[2];
    uint64_t last_page;
    uint64_t txn;
};

_Static_assert(sizeof(size_t) == 8, "the layout of LMDB's pages is that of 64-bit machines");
_Static_assert(sizeof(struct meta_page) == 152, "LMDB's meta page has no padding");

#define META_FLAG      0x08U
#define FORMAT_MARK    0xBEEFC0DEU /* LMDB's own */
#define FORMAT_VERSION 1U
#define PAGE_MIN_BYTES 512U
#define PAGE_MAX_BYTES 65536U
#define NO_PAGE        UINT64_MAX

static bool is_page_size(uint64_t bytes)
{
    return bytes >= PAGE_MIN_BYTES && bytes <= PAGE_MAX_BYTES && (bytes & (bytes - 1)) == 0;
}

/* Whether a root lies inside the file that the meta page describes. */
static bool is_inside(const struct meta_page *meta, const struct tree_row *tree)
{
    return tree->root == NO_PAGE || tree->root <= meta->last_page;
}

static lh_status read_meta(int fd, uint64_t offset, struct meta_page *out_meta)
{
    ssize_t got = pread(fd, out_meta, sizeof(*out_meta), (off_t)offset);
    LH_ENSURE(got == (ssize_t)sizeof(*out_meta), LH_STORE_DOWN);
    LH_ENSURE((out_meta->flags & META_FLAG) != 0 && out_meta->magic == FORMAT_MARK &&
                  out_meta->version == FORMAT_VERSION,
              LH_STORE_DOWN);
    LH_ENSURE(is_page_size(out_meta->trees[0].pad), LH_STORE_DOWN);
    LH_ENSURE(out_meta->last_page < (UINT64_MAX >> 17), LH_STORE_DOWN);
    /* A file is lengthened to its last page: a damaged number may not fill the disk. */
    LH_ENSURE(out_meta->last_page < out_meta->map_bytes / out_meta->trees[0].pad, LH_STORE_DOWN);
    LH_ENSURE(is_inside(out_meta, &out_meta->trees[0]) && is_inside(out_meta, &out_meta->trees[1]),
              LH_STORE_DOWN);
    return lh_ok();
}

/*
 * fallocate and not ftruncate: it never shortens, whatever another process writes meanwhile. A
 * file may rightly be some pages short: LMDB does not write pages that were used and freed again
 * in one transaction.
 */
static lh_status lengthen(int fd, uint64_t bytes)
{
    struct stat status;
    LH_ENSURE(fstat(fd, &status) == 0, LH_STORE_DOWN);
    if ((uint64_t)status.st_size >= bytes) {
        return lh_ok();
    }
    int failure = posix_fallocate(fd, status.st_size, (off_t)(bytes - (uint64_t)status.st_size));
    LH_ENSURE(failure != ENOSPC && failure != EDQUOT && failure != EFBIG, LH_NO_SPACE);
    LH_ENSURE(failure == 0, LH_STORE_DOWN);
    return lh_ok();
}

static lh_status read_newest(int fd, struct meta_page *out_meta)
{
    struct meta_page first;
    struct meta_page second;
    LH_TRY(read_meta(fd, 0, &first));
    LH_TRY(read_meta(fd, first.trees[0].pad, &second));
    LH_ENSURE(first.trees[0].pad == second.trees[0].pad, LH_STORE_DOWN);
    *out_meta = first.txn > second.txn ? first : second;
    return lh_ok();
}

lh_status lh_lmdb_read_map_bytes(int fd, uint64_t *out_bytes)
{
    struct meta_page newest;
    LH_TRY(read_newest(fd, &newest));
    *out_bytes = newest.map_bytes;
    return lh_ok();
}

static lh_status check_content(int fd)
{
    struct meta_page newest;
    LH_TRY(read_newest(fd, &newest));
    return lengthen(fd, (newest.last_page + 1) * newest.trees[0].pad);
}

/* Errors: STORE_DOWN, NO_SPACE. */
static lh_status open_and_check(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    LH_ENSURE(fd >= 0, LH_STORE_DOWN);
    lh_status content = check_content(fd);
    (void)close(fd);
    return content;
}

static lh_status check_tree_file(const char *path, bool may_create)
{
    struct stat status;
    lh_status checked = check_file(path, &status);
    bool is_empty = checked.code == LH_ABSENT || (lh_is_ok(checked) && status.st_size == 0);
    if (is_empty) {
        return lh_status_of(may_create ? LH_OK : LH_STORE_DOWN);
    }
    LH_TRY(checked);
    return open_and_check(path);
}

lh_status lh_lmdb_check_files(const char *path, bool may_create)
{
    char file[LH_LMDB_PATH_BYTES];
    struct stat status;
    LH_TRY(lh_lmdb_path(path, "lock.mdb", file));
    lh_status lock_file = check_file(file, &status);
    LH_ENSURE(lh_is_ok(lock_file) || lock_file.code == LH_ABSENT, lock_file.code);
    LH_TRY(lh_lmdb_path(path, "data.mdb", file));
    return check_tree_file(file, may_create);
}

lh_status lh_lmdb_check_tree(const char *path)
{
    char file[LH_LMDB_PATH_BYTES];
    LH_TRY(lh_lmdb_path(path, "data.mdb", file));
    return open_and_check(file);
}
