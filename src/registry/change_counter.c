/*
 * The counters' file: one page of header, then the counters. Everybody maps it shared; raising is
 * one atomic add, reading one atomic load. Order against the registry: a writer raises before its
 * commit and after it, a reader notes before it opens its transaction, so whatever was read
 * around a commit is under a value that no longer stands.
 */
#include "registry/change_counter.h"

#include "base/bug.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define COUNTERS_MAGIC  0x63686e67U
#define COUNTERS_FORMAT 1U
/* Counters begin on a page of their own. */
#define HEADER_BYTES ((size_t)4096)
#define FILE_BYTES   (HEADER_BYTES + (size_t)LH_COUNTER_SLOTS * sizeof(uint64_t))

/* As it lies in the file; a file never leaves its machine, so numbers are in its byte order. */
struct file_header {
    uint8_t name[8];
    uint32_t format;
    uint32_t slots;
    uint8_t id[LH_COUNTER_ID_BYTES];
};

static const uint8_t header_name[8] = {'l', 'h', 'c', 'h', 'a', 'n', 'g', 'e'};

struct lh_counters {
    uint32_t magic;
    bool may_write;
    bool is_missed; /* the last check of the file failed */
    uint8_t id[LH_COUNTER_ID_BYTES];
    dev_t device;
    ino_t inode;
    void *mapping;            /* FILE_BYTES of it */
    _Atomic uint64_t *values; /* inside the mapping */
    char *path;               /* owned */
};

static void close_descriptor(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static enum lh_code code_of_errno(int error)
{
    switch (error) {
    case EEXIST:
        return LH_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return LH_NO_SPACE;
    default:
        return LH_UNREADABLE;
    }
}

/* --- Making ----------------------------------------------------------------------------------- */

static lh_status write_file(int fd, const uint8_t id[LH_COUNTER_ID_BYTES], mode_t mode)
{
    struct file_header header = {.format = COUNTERS_FORMAT, .slots = LH_COUNTER_SLOTS};
    memcpy(header.name, header_name, sizeof(header.name));
    memcpy(header.id, id, sizeof(header.id));
    LH_ENSURE(fchmod(fd, mode) == 0, code_of_errno(errno));
    int error = posix_fallocate(fd, 0, (off_t)FILE_BYTES);
    LH_ENSURE(error == 0, code_of_errno(error));
    LH_ENSURE(pwrite(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header),
              code_of_errno(errno));
    LH_ENSURE(fsync(fd) == 0, code_of_errno(errno));
    return lh_ok();
}

/* A link, unlike a rename, never replaces a file that is there. */
static lh_status make_through(const char *draft_path, const char *path,
                              const uint8_t id[LH_COUNTER_ID_BYTES], mode_t mode)
{
    LH_CLEANUP(close_descriptor)
    int fd = open(draft_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    LH_ENSURE(fd >= 0, code_of_errno(errno));
    lh_status status = write_file(fd, id, mode);
    if (lh_is_ok(status) && link(draft_path, path) != 0) {
        status = lh_status_of(code_of_errno(errno));
    }
    (void)unlink(draft_path);
    return status;
}

lh_status lh_counters_create(const char *path, const uint8_t id[LH_COUNTER_ID_BYTES], unsigned mode)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf draft_path = lh_buf_bounded(PATH_MAX);
    LH_TRY(lh_buf_add_format(&draft_path, "%s.new.%ld", path, (long)getpid()));
    LH_TRY(lh_buf_terminate(&draft_path));
    return make_through((const char *)draft_path.ptr, path, id, (mode_t)mode);
}

/* --- Opening ---------------------------------------------------------------------------------- */

static bool is_whole(const struct file_header *header, const uint8_t id[LH_COUNTER_ID_BYTES])
{
    return lh_slice_is_equal(LH_SLICE_OF(header->name), LH_SLICE_OF(header_name)) &&
           header->format == COUNTERS_FORMAT && header->slots == LH_COUNTER_SLOTS &&
           lh_slice_is_equal(LH_SLICE_OF(header->id), lh_slice_of(id, LH_COUNTER_ID_BYTES));
}

static lh_status map_file(int fd, struct lh_counters *counters)
{
    struct stat file;
    LH_ENSURE(fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size == FILE_BYTES,
              LH_COUNTERS_DOWN);
    int protection = counters->may_write ? PROT_READ | PROT_WRITE : PROT_READ;
    void *mapping = mmap(NULL, FILE_BYTES, protection, MAP_SHARED, fd, 0);
    LH_ENSURE(mapping != MAP_FAILED, LH_COUNTERS_DOWN);
    counters->mapping = mapping;
    counters->values = (_Atomic uint64_t *)(void *)((uint8_t *)mapping + HEADER_BYTES);
    counters->device = file.st_dev;
    counters->inode = file.st_ino;
    LH_ENSURE(is_whole(counters->mapping, counters->id), LH_COUNTERS_DOWN);
    return lh_ok();
}

static lh_status open_file(const char *path, struct lh_counters *counters)
{
    counters->path = strdup(path);
    LH_ENSURE(counters->path != NULL, LH_NO_MEMORY);
    LH_CLEANUP(close_descriptor)
    int fd = open(path, (counters->may_write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
    LH_ENSURE(fd >= 0, LH_COUNTERS_DOWN);
    return map_file(fd, counters);
}

lh_status lh_counters_open(const char *path, const uint8_t expected_id[LH_COUNTER_ID_BYTES],
                           bool may_write, struct lh_counters **out_counters)
{
    struct lh_counters *counters = calloc(1, sizeof(*counters));
    LH_ENSURE(counters != NULL, LH_NO_MEMORY);
    counters->magic = COUNTERS_MAGIC;
    counters->may_write = may_write;
    memcpy(counters->id, expected_id, sizeof(counters->id));
    lh_status status = open_file(path, counters);
    if (!lh_is_ok(status)) {
        lh_counters_close(counters);
        return status;
    }
    *out_counters = counters;
    return lh_ok();
}

void lh_counters_identify(const struct lh_counters *counters, uint64_t *out_device,
                          uint64_t *out_inode)
{
    *out_device = (uint64_t)counters->device;
    *out_inode = (uint64_t)counters->inode;
}

void lh_counters_close(struct lh_counters *counters)
{
    if (counters == NULL) {
        return;
    }
    LH_MAGIC_CHECK(counters, COUNTERS_MAGIC);
    if (counters->mapping != NULL) {
        (void)munmap(counters->mapping, FILE_BYTES);
    }
    free(counters->path);
    counters->magic = 0;
    free(counters);
}

/* --- Reading and raising ---------------------------------------------------------------------- */

lh_status lh_counters_read(const struct lh_counters *counters, uint32_t slot, uint64_t *out_value)
{
    LH_ENSURE(slot < LH_COUNTER_SLOTS && !counters->is_missed, LH_COUNTERS_DOWN);
    *out_value = atomic_load_explicit(&counters->values[slot], memory_order_acquire);
    return lh_ok();
}

lh_status lh_counters_raise(struct lh_counters *counters, uint32_t slot)
{
    LH_ENSURE(slot < LH_COUNTER_SLOTS && counters->may_write, LH_COUNTERS_DOWN);
    (void)atomic_fetch_add_explicit(&counters->values[slot], 1, memory_order_seq_cst);
    return lh_ok();
}

static bool is_in_place(const struct lh_counters *counters)
{
    struct stat file;
    return lstat(counters->path, &file) == 0 && file.st_dev == counters->device &&
           file.st_ino == counters->inode && file.st_size == FILE_BYTES &&
           is_whole(counters->mapping, counters->id);
}

lh_status lh_counters_check_file(struct lh_counters *counters)
{
    counters->is_missed = !is_in_place(counters);
    return lh_status_of(counters->is_missed ? LH_COUNTERS_DOWN : LH_OK);
}
