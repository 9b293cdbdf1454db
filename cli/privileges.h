/*
 * Who the program runs as. As root it takes the rights of the home's owner before it opens
 * anything there: files that it makes belong to the workers' user, and a hostile link in a home
 * reaches nothing that this user could not reach himself.
 */
#ifndef LH_CLI_PRIVILEGES_H
#define LH_CLI_PRIVILEGES_H

#include "base/status.h"

#define ACTOR_BYTES 128U

/* Who called, for audit lines: "cli:root", "cli:root/alice" under sudo. Call it first. */
void privileges_name_actor(char out_actor[ACTOR_BYTES]);

/*
 * As root: becomes the owner of the home. Others stay who they are.
 * out_why  a line on failure. Errors: UNREADABLE, UNSAFE_FILE.
 */
LH_MUST_USE lh_status privileges_enter_home(const char *home_path, char *out_why, size_t why_bytes);

/*
 * For init. As root: makes the directory for user, unless it is there, and becomes him. Others
 * may only name themselves.
 * user       NULL: www-data as root, else the caller.
 * out_owner  the user's name, static storage or from the caller's text.
 * Errors: FORBIDDEN (not root), ABSENT (no such user), UNREADABLE, UNSAFE_FILE, EXISTS.
 */
LH_MUST_USE lh_status privileges_found_home(const char *home_path, const char *user,
                                            const char **out_owner, char *out_why,
                                            size_t why_bytes);

/* No core dumps and no debugger: keys lie in this process's memory. */
void privileges_close_memory(void);

#endif
