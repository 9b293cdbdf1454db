/*
 * Small files of a home: read whole, written whole, and safe on disk before their name is.
 */
#ifndef LH_SETUP_HOME_FILE_H
#define LH_SETUP_HOME_FILE_H

#include "base/buf.h"

/* For LH_CLEANUP; -1 is accepted. */
void lh_home_fd_close(int *fd);

/*
 * Appends a whole regular file, no symlink.
 * Errors: ABSENT, UNREADABLE, UNSAFE_FILE, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_home_file_read(const char *path, struct lh_buf *out);

/*
 * Makes a file 0600 with this content and syncs it; the caller syncs the directory.
 * Errors: EXISTS, UNREADABLE, NO_SPACE.
 */
LH_MUST_USE lh_status lh_home_file_create(const char *path, lh_slice content);

/* Makes a directory 0700. Errors: EXISTS, UNREADABLE, NO_SPACE. */
LH_MUST_USE lh_status lh_home_directory_create(const char *path);

/* Makes names made or removed in a directory last. Errors: UNREADABLE. */
LH_MUST_USE lh_status lh_home_directory_sync(const char *path);

#endif
