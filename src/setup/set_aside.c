/*
 * Setting session stores aside. Directories are exchanged by the kernel in one step, so that there
 * is a store under the right name whenever the power fails.
 */
#include "setup/set_aside.h"

#include "host/log.h"
#include "setup/home_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static lh_status join(const struct lh_home_layout *layout, const char *name,
                      char out_path[LH_HOME_FILE_BYTES])
{
    int len = snprintf(out_path, LH_HOME_FILE_BYTES, "%s/%s", layout->home, name);
    LH_ENSURE(len > 0 && (size_t)len < LH_HOME_FILE_BYTES, LH_TOO_LARGE);
    return lh_ok();
}

lh_status lh_aside_path(const struct lh_home_layout *layout, unsigned number,
                        char out_path[LH_HOME_FILE_BYTES])
{
    char name[32];
    (void)snprintf(name, sizeof(name), "sessions.unclean.%u", number);
    return join(layout, name, out_path);
}

static bool is_there(const char *path)
{
    struct stat ignored;
    return lstat(path, &ignored) == 0;
}

unsigned lh_aside_latest(const struct lh_home_layout *layout)
{
    char path[LH_HOME_FILE_BYTES];
    for (unsigned number = LH_ASIDE_MAX; number > 0; number--) {
        if (lh_is_ok(lh_aside_path(layout, number, path)) && is_there(path)) {
            return number;
        }
    }
    return 0;
}

/* A store's directory holds three files and nothing else. */
static lh_status remove_store(const struct lh_home_layout *layout, const char *path)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "open.lock"};
    if (!is_there(path)) {
        return lh_ok();
    }
    LH_CLEANUP(lh_home_fd_close)
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    LH_ENSURE(fd >= 0, LH_UNREADABLE);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        LH_ENSURE(unlinkat(fd, names[i], 0) == 0 || errno == ENOENT, LH_UNREADABLE);
    }
    LH_ENSURE(rmdir(path) == 0, LH_UNREADABLE);
    return lh_home_directory_sync(layout->home);
}

lh_status lh_aside_remove(const struct lh_home_layout *layout, unsigned number)
{
    char path[LH_HOME_FILE_BYTES];
    LH_TRY(lh_aside_path(layout, number, path));
    return remove_store(layout, path);
}

lh_status lh_aside_set_damaged(const struct lh_home_layout *layout, unsigned number)
{
    char from[LH_HOME_FILE_BYTES];
    char to[LH_HOME_FILE_BYTES];
    LH_TRY(lh_aside_path(layout, number, from));
    LH_TRY(join(layout, "sessions.damaged", to));
    if (!is_there(from)) {
        return lh_ok();
    }
    LH_TRY(remove_store(layout, to));
    LH_ENSURE(rename(from, to) == 0, LH_UNREADABLE);
    return lh_home_directory_sync(layout->home);
}

static lh_status make_fresh(const char *path, const struct lh_store_options *options)
{
    struct lh_store_options fresh = *options;
    fresh.path = path;
    fresh.may_create = true;
    struct lh_store *store = NULL;
    LH_TRY(lh_store_open("lmdb", &fresh, &store));
    lh_status status = lh_store_sync(store);
    lh_store_close(store);
    LH_TRY(status);
    return lh_home_directory_sync(path);
}

static bool is_taken(const struct lh_home_layout *layout, unsigned number)
{
    char path[LH_HOME_FILE_BYTES];
    return lh_is_ok(lh_aside_path(layout, number, path)) && is_there(path);
}

static lh_status move_down(const struct lh_home_layout *layout, unsigned number)
{
    char from[LH_HOME_FILE_BYTES];
    char to[LH_HOME_FILE_BYTES];
    LH_TRY(lh_aside_path(layout, number, from));
    LH_TRY(lh_aside_path(layout, number - 1, to));
    LH_ENSURE(rename(from, to) == 0 || errno == ENOENT, LH_UNREADABLE);
    return lh_ok();
}

/* Leaves the highest number free. A gap is of an import, or of one that died in here. */
static lh_status make_place(const struct lh_home_layout *layout, const struct lh_host *host)
{
    unsigned gap = 1;
    while (gap <= LH_ASIDE_MAX && is_taken(layout, gap)) {
        gap++;
    }
    if (gap > LH_ASIDE_MAX) {
        gap = 1;
        lh_log(host, LH_LOG_ERROR,
               "leasehold: %u session stores wait for \"leasehold --home %s recover\" already: the"
               " earliest is given up, and its sessions with it",
               LH_ASIDE_MAX, layout->home);
        LH_TRY(lh_aside_remove(layout, gap));
    }
    for (unsigned number = gap + 1; number <= LH_ASIDE_MAX; number++) {
        LH_TRY(move_down(layout, number));
    }
    return lh_home_directory_sync(layout->home);
}

lh_status lh_aside_put(const struct lh_home_layout *layout, const struct lh_store_options *options)
{
    char path[LH_HOME_FILE_BYTES];
    unsigned number = lh_aside_latest(layout) + 1;
    if (number > LH_ASIDE_MAX) {
        LH_TRY(make_place(layout, options->host));
        number = LH_ASIDE_MAX;
    }
    LH_TRY(lh_aside_path(layout, number, path));
    LH_TRY(make_fresh(path, options));
    LH_ENSURE(renameat2(AT_FDCWD, path, AT_FDCWD, layout->sessions, RENAME_EXCHANGE) == 0,
              LH_STORE_DOWN);
    return lh_home_directory_sync(layout->home);
}
