/*
 * The mark of a home in the making. It gets its text before anything else is made, and only in a
 * directory that is otherwise empty: a mark with its text is the proof that all beside it is an
 * init's, and a mark without it is the proof of nothing.
 */
#include "setup/unfinished.h"

#include "base/buf.h"
#include "setup/home_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define MARK_TEXT "leasehold init was interrupted here.\n"
#define MARK_MODE 0600

static lh_status status_of_errno(void)
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
        return lh_status_of(LH_NO_SPACE);
    case EWOULDBLOCK:
        return lh_status_of(LH_CONFLICT);
    case ELOOP:
        return lh_status_of(LH_UNSAFE_FILE);
    default:
        return lh_status_of(LH_UNREADABLE);
    }
}

/* --- Walking a directory ---------------------------------------------------------------------- */

static void close_directory(DIR **directory)
{
    if (*directory != NULL) {
        (void)closedir(*directory);
    }
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Takes the descriptor. Errors: UNREADABLE. */
static lh_status walk(int fd, lh_status (*each)(void *context, int fd, const char *name),
                      void *context)
{
    LH_CLEANUP(close_directory) DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        (void)close(fd);
        return lh_status_of(LH_UNREADABLE);
    }
    errno = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL; errno = 0) {
        if (!is_dots(entry->d_name)) {
            LH_TRY(each(context, fd, entry->d_name));
        }
    }
    return errno == 0 ? lh_ok() : lh_status_of(LH_UNREADABLE);
}

static lh_status walk_below(int at, const char *path,
                            lh_status (*each)(void *context, int fd, const char *name),
                            void *context)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    LH_ENSURE(fd >= 0, LH_UNREADABLE);
    return walk(fd, each, context);
}

/* --- The mark --------------------------------------------------------------------------------- */

/* Opens and locks it. Errors: CONFLICT, EXISTS (it went away meanwhile), UNREADABLE. */
static lh_status lock_mark(const struct lh_home_layout *layout, int flags, int *out_fd)
{
    LH_CLEANUP(lh_home_fd_close)
    int fd = open(layout->unfinished, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, MARK_MODE);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return status_of_errno();
    }
    struct stat mark;
    LH_ENSURE(fstat(fd, &mark) == 0, LH_UNREADABLE);
    LH_ENSURE(S_ISREG(mark.st_mode) && mark.st_uid == geteuid(), LH_UNSAFE_FILE);
    LH_ENSURE(mark.st_nlink > 0, LH_EXISTS);
    *out_fd = fd;
    fd = -1;
    return lh_ok();
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static lh_status refuse_more(void *context, int fd, const char *name)
{
    (void)fd;
    const struct lh_home_layout *const *layout = context;
    bool is_mark = strcmp(name, name_of((*layout)->unfinished)) == 0;
    return lh_status_of(is_mark ? LH_OK : LH_EXISTS);
}

static lh_status sign(const struct lh_home_layout *layout, int fd)
{
    lh_slice text = LH_SLICE_LITERAL(MARK_TEXT);
    if (pwrite(fd, text.ptr, text.len, 0) != (ssize_t)text.len || fsync(fd) != 0) {
        return status_of_errno();
    }
    return lh_home_directory_sync(layout->home);
}

/* A mark that has no text yet, beside anything, is worth nothing and goes: that is not ours. */
static lh_status sign_alone(const struct lh_home_layout *layout, int fd)
{
    lh_status status = walk_below(AT_FDCWD, layout->home, refuse_more, &layout);
    if (!lh_is_ok(status)) {
        (void)unlink(layout->unfinished);
        return status;
    }
    return sign(layout, fd);
}

lh_status lh_unfinished_begin(const struct lh_home_layout *layout, int *out_fd)
{
    LH_CLEANUP(lh_home_fd_close) int fd = -1;
    LH_TRY(lock_mark(layout, O_CREAT, &fd));
    LH_TRY(sign_alone(layout, fd));
    *out_fd = fd;
    fd = -1;
    return lh_ok();
}

lh_status lh_unfinished_end(const struct lh_home_layout *layout)
{
    LH_ENSURE(unlink(layout->unfinished) == 0, LH_UNREADABLE);
    return lh_home_directory_sync(layout->home);
}

/* --- What it left ----------------------------------------------------------------------------- */

struct search {
    const struct lh_home_layout *layout;
    char *strange; /* LH_HOME_NAME_BYTES */
};

static bool is_of_init(const struct lh_home_layout *layout, const char *name)
{
    bool is_known = strcmp(name, name_of(layout->unfinished)) == 0 ||
                    strcmp(name, name_of(layout->settings)) == 0;
#define IS_DIRECTORY(field, path) is_known = is_known || strcmp(name, path) == 0;
    LH_HOME_DIRECTORIES(IS_DIRECTORY)
#undef IS_DIRECTORY
    return is_known;
}

static lh_status refuse_strange(void *context, int fd, const char *name)
{
    (void)fd;
    struct search *search = context;
    if (is_of_init(search->layout, name)) {
        return lh_ok();
    }
    (void)snprintf(search->strange, LH_HOME_NAME_BYTES, "%.200s", name);
    return lh_status_of(LH_EXISTS);
}

static lh_status remove_file(void *context, int fd, const char *name)
{
    (void)context;
    LH_ENSURE(unlinkat(fd, name, 0) == 0 || errno == ENOENT, LH_UNREADABLE);
    return lh_ok();
}

/* Files, and one more level of directories with files: the keyring has the tenants' in one. */
static lh_status remove_entry(void *context, int fd, const char *name)
{
    struct stat entry;
    LH_ENSURE(fstatat(fd, name, &entry, AT_SYMLINK_NOFOLLOW) == 0, LH_UNREADABLE);
    if (!S_ISDIR(entry.st_mode)) {
        return remove_file(context, fd, name);
    }
    LH_TRY(walk_below(fd, name, remove_file, context));
    LH_ENSURE(unlinkat(fd, name, AT_REMOVEDIR) == 0, LH_UNREADABLE);
    return lh_ok();
}

static lh_status remove_directory(const char *path)
{
    struct stat entry;
    if (lstat(path, &entry) != 0) {
        return lh_status_of(errno == ENOENT ? LH_OK : LH_UNREADABLE);
    }
    LH_TRY(walk_below(AT_FDCWD, path, remove_entry, NULL));
    LH_ENSURE(rmdir(path) == 0, LH_UNREADABLE);
    return lh_ok();
}

static lh_status clear(const struct lh_home_layout *layout)
{
#define REMOVE_DIRECTORY(field, path) LH_TRY(remove_directory(layout->field));
    LH_HOME_DIRECTORIES(REMOVE_DIRECTORY)
#undef REMOVE_DIRECTORY
    LH_ENSURE(unlink(layout->settings) == 0 || errno == ENOENT, LH_UNREADABLE);
    return lh_home_directory_sync(layout->home);
}

static bool is_signed(int fd)
{
    char text[sizeof(MARK_TEXT)];
    ssize_t len = pread(fd, text, sizeof(text), 0);
    return len > 0 &&
           lh_slice_is_equal(lh_slice_of(text, (size_t)len), LH_SLICE_LITERAL(MARK_TEXT));
}

lh_status lh_unfinished_take_over(const struct lh_home_layout *layout, int *out_fd,
                                  char out_strange[LH_HOME_NAME_BYTES])
{
    out_strange[0] = '\0';
    LH_CLEANUP(lh_home_fd_close) int fd = -1;
    LH_TRY(lock_mark(layout, 0, &fd));
    if (is_signed(fd)) {
        struct search search = {layout, out_strange};
        LH_TRY(walk_below(AT_FDCWD, layout->home, refuse_strange, &search));
        LH_TRY(clear(layout));
    } else {
        LH_TRY(sign_alone(layout, fd));
    }
    *out_fd = fd;
    fd = -1;
    return lh_ok();
}
