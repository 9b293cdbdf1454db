/*
 * Paths of a home, and the check that every opener makes first so that a wrong owner or a closed
 * parent directory is named as such, and not as a broken database.
 */
#include "setup/home_layout.h"

#include "base/slice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/* Bits of a mode that let somebody else in. */
#define MODE_OTHERS (S_IRWXG | S_IRWXO)
/* A user name of the system, and more than any has. */
#define USER_NAME_BYTES 64U

static lh_status join(const char *home, const char *below, char *out_path, size_t size)
{
    int len = snprintf(out_path, size, "%s/%s", home, below);
    LH_ENSURE(len > 0 && (size_t)len < size, LH_TOO_LARGE);
    return lh_ok();
}

lh_status lh_home_layout_init(const char *home, struct lh_home_layout *out_layout)
{
    size_t len = strlen(home);
    LH_ENSURE(len > 0, LH_INVALID);
    while (len > 1 && home[len - 1] == '/') {
        len--;
    }
    LH_ENSURE(len < sizeof(out_layout->home), LH_TOO_LARGE);
    memcpy(out_layout->home, home, len);
    out_layout->home[len] = '\0';
#define JOIN_PATH(name, path)                                                                      \
    LH_TRY(join(out_layout->home, path, out_layout->name, sizeof(out_layout->name)));
    LH_HOME_DIRECTORIES(JOIN_PATH)
    LH_HOME_FILES(JOIN_PATH)
#undef JOIN_PATH
    return lh_ok();
}

/*
 * Asks the kernel for "<directory>/.", which needs exactly the permission in question, ACLs and
 * all.
 */
bool lh_home_find_closed(const char *path, char *out_directory, size_t size)
{
    char entry[LH_HOME_FILE_BYTES];
    for (size_t i = 1; path[i] != '\0' && i < size; i++) {
        if (path[i] != '/') {
            continue;
        }
        int len = snprintf(entry, sizeof(entry), "%.*s/.", (int)i, path);
        struct stat ignored;
        if (len > 0 && (size_t)len < sizeof(entry) && stat(entry, &ignored) != 0 &&
            errno == EACCES) {
            (void)snprintf(out_directory, size, "%.*s", (int)i, path);
            return true;
        }
    }
    return false;
}

/* --- Check ------------------------------------------------------------------------------------ */

struct check {
    const struct lh_home_layout *layout;
    uid_t user; /* who shall use the home */
    char *why;
    size_t why_bytes;
};

#define SAY(check, ...) ((void)snprintf((check)->why, (check)->why_bytes, __VA_ARGS__))

static void name_user(uid_t uid, char out_name[USER_NAME_BYTES])
{
    struct passwd entry;
    struct passwd *found = NULL;
    char room[2048];
    if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found != NULL) {
        (void)snprintf(out_name, USER_NAME_BYTES, "%s", found->pw_name);
    } else {
        (void)snprintf(out_name, USER_NAME_BYTES, "%u", (unsigned)uid);
    }
}

static lh_status say_unreachable(struct check *check, int error)
{
    const char *home = check->layout->home;
    char directory[LH_HOME_PATH_MAX_BYTES];
    char user[USER_NAME_BYTES];
    name_user(check->user, user);
    if (error == EACCES && lh_home_find_closed(home, directory, sizeof(directory))) {
        SAY(check,
            "user '%s' cannot reach %s: it may not enter %s; run \"chmod o+x %s\" or put the home "
            "elsewhere",
            user, home, directory, directory);
    } else if (error == ENOENT) {
        SAY(check, "there is no home at %s; run \"leasehold --home %s init\"", home, home);
    } else {
        SAY(check, "cannot use the home %s: %s", home, strerror(error));
    }
    return lh_status_of(LH_UNREADABLE);
}

static lh_status check_owner(struct check *check, const struct stat *entry)
{
    if (entry->st_uid == check->user) {
        return lh_ok();
    }
    char owner[USER_NAME_BYTES];
    char user[USER_NAME_BYTES];
    name_user(entry->st_uid, owner);
    name_user(check->user, user);
    SAY(check,
        "the home %s belongs to user '%s', but this process runs as '%s'; run it as '%s', or "
        "\"chown -R %s %s\"",
        check->layout->home, owner, user, owner, user, check->layout->home);
    return lh_status_of(LH_UNSAFE_FILE);
}

static lh_status check_home(struct check *check)
{
    struct stat entry;
    if (stat(check->layout->home, &entry) != 0) {
        return say_unreachable(check, errno);
    }
    if (!S_ISDIR(entry.st_mode)) {
        SAY(check, "%s is not a directory", check->layout->home);
        return lh_status_of(LH_UNSAFE_FILE);
    }
    LH_TRY(check_owner(check, &entry));
    if ((entry.st_mode & MODE_OTHERS) != 0) {
        SAY(check, "the home %s is open to other users; run \"chmod 700 %s\"", check->layout->home,
            check->layout->home);
        return lh_status_of(LH_UNSAFE_FILE);
    }
    return lh_ok();
}

static lh_status check_finished(struct check *check)
{
    const struct lh_home_layout *layout = check->layout;
    struct stat ignored;
    if (lstat(layout->unfinished, &ignored) == 0) {
        SAY(check,
            "%s holds an unfinished home: an init was interrupted, or is not through yet; run "
            "\"leasehold --home %s init\" again",
            layout->home, layout->home);
        return lh_status_of(LH_UNREADABLE);
    }
    if (lstat(layout->settings, &ignored) != 0) {
        SAY(check, "%s is not a home: it has no leasehold.conf; run \"leasehold --home %s init\"",
            layout->home, layout->home);
        return lh_status_of(LH_UNREADABLE);
    }
    return lh_ok();
}

static lh_status check_directory(struct check *check, const char *path)
{
    struct stat entry;
    if (lstat(path, &entry) != 0) {
        SAY(check, "%s is missing: %s; the home is damaged, restore it from a backup", path,
            strerror(errno));
        return lh_status_of(LH_UNREADABLE);
    }
    if (!S_ISDIR(entry.st_mode) || entry.st_uid != check->user ||
        (entry.st_mode & MODE_OTHERS) != 0) {
        SAY(check, "%s must be a directory of this user that nobody else may enter (0700)", path);
        return lh_status_of(LH_UNSAFE_FILE);
    }
    return lh_ok();
}

/* Who may write what this home is made of decides who comes in. */
static lh_status check_file(struct check *check, const char *path, int fd, const char *name)
{
    struct stat entry;
    if (fstatat(fd, name, &entry, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(entry.st_mode)) {
        return lh_ok(); /* a draft that is gone again; directories say themselves what is wrong */
    }
    if (entry.st_uid != check->user || (entry.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        SAY(check,
            "%s/%s must belong to this user and be closed to others; run \"chmod 600 %s/%s\"", path,
            name, path, name);
        return lh_status_of(LH_UNSAFE_FILE);
    }
    return lh_ok();
}

static lh_status check_files(struct check *check, const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        SAY(check, "%s cannot be read: %s", path, strerror(errno));
        return lh_status_of(LH_UNREADABLE);
    }
    lh_status status = lh_ok();
    for (struct dirent *entry; lh_is_ok(status) && (entry = readdir(directory)) != NULL;) {
        status = check_file(check, path, dirfd(directory), entry->d_name);
    }
    (void)closedir(directory);
    return status;
}

lh_status lh_home_layout_check(const struct lh_home_layout *layout, unsigned user, char *out_why,
                               size_t why_bytes)
{
    struct check check = {layout, (uid_t)user, out_why, why_bytes};
    LH_TRY(check_home(&check));
    LH_TRY(check_finished(&check));
#define CHECK_DIRECTORY(name, path)                                                                \
    LH_TRY(check_directory(&check, layout->name));                                                 \
    LH_TRY(check_files(&check, layout->name));
    LH_HOME_DIRECTORIES(CHECK_DIRECTORY)
#undef CHECK_DIRECTORY
    return lh_ok();
}
