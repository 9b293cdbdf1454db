/*
 * Giving up root's rights, and saying beforehand whether the other user can get there at all.
 */
#include "privileges.h"

#include "setup/home_layout.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define DEFAULT_OWNER "www-data"
#define PATH_BYTES    4096U

struct who {
    uid_t uid;
    gid_t gid;
    char name[64];
};

#define SAY(...) ((void)snprintf(out_why, why_bytes, __VA_ARGS__))

static void name_of(uid_t uid, char *out_name, size_t size)
{
    const struct passwd *entry = getpwuid(uid);
    if (entry != NULL) {
        (void)snprintf(out_name, size, "%s", entry->pw_name);
    } else {
        (void)snprintf(out_name, size, "%u", (unsigned)uid);
    }
}

void privileges_name_actor(char out_actor[ACTOR_BYTES])
{
    char name[48];
    name_of(getuid(), name, sizeof(name));
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    (void)snprintf(out_actor, ACTOR_BYTES, "cli:%s%s%.48s", name, sudo == NULL ? "" : "/",
                   sudo == NULL ? "" : sudo);
}

/* Looks with the eyes of who, for a moment, and comes back. */
static lh_status check_way(const char *path, const struct who *who, char *out_why, size_t why_bytes)
{
    char room[PATH_BYTES];
    LH_ENSURE(setegid(who->gid) == 0 && seteuid(who->uid) == 0, LH_UNREADABLE);
    bool is_closed = lh_home_find_closed(path, room, sizeof(room));
    LH_ENSURE(seteuid(0) == 0 && setegid(getgid()) == 0, LH_UNREADABLE);
    if (is_closed) {
        SAY("user '%s' cannot reach %s: it may not enter %s; run \"chmod o+x %s\" or put the home "
            "elsewhere",
            who->name, path, room, room);
        return lh_status_of(LH_UNREADABLE);
    }
    return lh_ok();
}

/* For good: real, effective and saved ids, and the groups. */
static lh_status become(const struct who *who, char *out_why, size_t why_bytes)
{
    if (setgroups(1, &who->gid) != 0 || setgid(who->gid) != 0 || setuid(who->uid) != 0) {
        SAY("cannot become user '%s': %s", who->name, strerror(errno));
        return lh_status_of(LH_UNREADABLE);
    }
    if (who->uid != 0 && setuid(0) == 0) {
        SAY("root's rights did not go away");
        return lh_status_of(LH_UNSAFE_FILE);
    }
    return lh_ok();
}

lh_status privileges_enter_home(const char *home_path, char *out_why, size_t why_bytes)
{
    struct stat entry;
    if (geteuid() != 0 || stat(home_path, &entry) != 0 || entry.st_uid == 0) {
        return lh_ok(); /* what is missing is named by who opens it */
    }
    struct who who = {.uid = entry.st_uid, .gid = entry.st_gid};
    name_of(who.uid, who.name, sizeof(who.name));
    LH_TRY(check_way(home_path, &who, out_why, why_bytes));
    return become(&who, out_why, why_bytes);
}

/* --- init ------------------------------------------------------------------------------------- */

static lh_status find_user(const char *name, struct who *out_who, char *out_why, size_t why_bytes)
{
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL) {
        SAY("there is no user '%s'; name the user of nginx's workers with --user", name);
        return lh_status_of(LH_ABSENT);
    }
    *out_who = (struct who){.uid = entry->pw_uid, .gid = entry->pw_gid};
    (void)snprintf(out_who->name, sizeof(out_who->name), "%s", entry->pw_name);
    return lh_ok();
}

/* The directory itself is root's to make: its parent seldom belongs to the workers' user. */
static lh_status make_directory(const char *path, const struct who *who, char *out_why,
                                size_t why_bytes)
{
    LH_TRY(check_way(path, who, out_why, why_bytes));
    if (mkdir(path, S_IRWXU) != 0) {
        if (errno == EEXIST) {
            return lh_ok();
        }
        SAY("cannot make %s: %s", path, strerror(errno));
        return lh_status_of(LH_UNREADABLE);
    }
    if (lchown(path, who->uid, who->gid) != 0) {
        SAY("cannot give %s to user '%s': %s", path, who->name, strerror(errno));
        return lh_status_of(LH_UNREADABLE);
    }
    return lh_ok();
}

/* An empty directory of root's is given away; one with anything in it is left alone. */
static lh_status take_empty(const char *path, const struct who *who)
{
    struct stat entry;
    if (lstat(path, &entry) == 0 && S_ISDIR(entry.st_mode) && entry.st_uid == 0 && who->uid != 0 &&
        rmdir(path) == 0) {
        LH_ENSURE(mkdir(path, S_IRWXU) == 0, LH_UNREADABLE);
        LH_ENSURE(lchown(path, who->uid, who->gid) == 0, LH_UNREADABLE);
    }
    return lh_ok();
}

static lh_status found_as_root(const char *home_path, const char *user, char *out_why,
                               size_t why_bytes)
{
    struct who who;
    LH_TRY(find_user(user, &who, out_why, why_bytes));
    LH_TRY(make_directory(home_path, &who, out_why, why_bytes));
    LH_TRY(take_empty(home_path, &who));
    return become(&who, out_why, why_bytes);
}

lh_status privileges_found_home(const char *home_path, const char *user, const char **out_owner,
                                char *out_why, size_t why_bytes)
{
    if (geteuid() == 0) {
        *out_owner = user != NULL ? user : DEFAULT_OWNER;
        return found_as_root(home_path, *out_owner, out_why, why_bytes);
    }
    const struct passwd *entry = getpwuid(geteuid());
    const char *self = entry != NULL ? entry->pw_name : "";
    if (user != NULL && strcmp(user, self) != 0) {
        SAY("only root can make a home for user '%s'", user);
        return lh_status_of(LH_FORBIDDEN);
    }
    *out_owner = self;
    return lh_ok();
}

void privileges_close_memory(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) /* its leak check attaches to the process */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
