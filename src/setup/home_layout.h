/*
 * Where everything of a home lies, and what its files must look like. The only place that knows
 * the names.
 */
#ifndef LH_SETUP_HOME_LAYOUT_H
#define LH_SETUP_HOME_LAYOUT_H

#include "base/status.h"

/* Longest path of a home: the longest name below it still fits the system's limit. */
#define LH_HOME_PATH_MAX_BYTES 3840U
#define LH_HOME_FILE_BYTES     4096U
/* The name of an entry of a directory, and its end. */
#define LH_HOME_NAME_BYTES 256U

/* X(name, path below the home). Directories are 0700, files 0600 in mode direct. */
#define LH_HOME_DIRECTORIES(X)                                                                     \
    X(registry, "registry")                                                                        \
    X(sessions, "sessions")                                                                        \
    X(keyring, "keyring")                                                                          \
    X(node, "node")                                                                                \
    X(public, "public")                                                                            \
    X(run, "run")
#define LH_HOME_FILES(X)                                                                           \
    X(settings, "leasehold.conf")                                                                  \
    X(unfinished, "init.unfinished")                                                               \
    X(jwks, "public/jwks.json")                                                                    \
    X(changes, "run/changes")                                                                      \
    X(seats, "run/changes.lock")                                                                   \
    X(boot, "run/boot")                                                                            \
    X(recovered, "run/recovered")                                                                  \
    X(recover_lock, "run/recover.lock")                                                            \
    X(opened_lock, "run/sessions.lock")                                                            \
    X(import_lock, "run/import.lock")

struct lh_home_layout {
    char home[LH_HOME_PATH_MAX_BYTES];
#define LH_HOME_PATH_FIELD(name, path) char name[LH_HOME_FILE_BYTES];
    LH_HOME_DIRECTORIES(LH_HOME_PATH_FIELD)
    LH_HOME_FILES(LH_HOME_PATH_FIELD)
#undef LH_HOME_PATH_FIELD
};

/* Spells out every path. Errors: TOO_LARGE, INVALID (empty). */
LH_MUST_USE lh_status lh_home_layout_init(const char *home, struct lh_home_layout *out_layout);

/*
 * The first directory on the way to path that this process may not enter.
 * out_directory  its path, cut to size. returns: whether there is one.
 */
bool lh_home_find_closed(const char *path, char *out_directory, size_t size);

/*
 * Says in one line why this process cannot use a home, and what to do: missing, not a home,
 * unfinished, of another user, readable by others, or below a directory that it may not enter; or
 * one of its directories is open to others, or a file in one is another user's or others may write
 * it. Opens no file and changes nothing.
 * user     the user id that shall use it; the process looks with the rights that it has.
 * out_why  a text of why_bytes, filled on failure.
 * Errors: UNREADABLE, UNSAFE_FILE.
 */
LH_MUST_USE lh_status lh_home_layout_check(const struct lh_home_layout *layout, unsigned user,
                                           char *out_why, size_t why_bytes);

#endif
