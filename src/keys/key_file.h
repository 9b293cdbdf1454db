/*
 * Small files that hold keys: read only where nobody else could have read or written them, and
 * written so that a crash leaves the old content or the new one. For the drivers and files of
 * this room.
 */
#ifndef LH_KEYS_KEY_FILE_H
#define LH_KEYS_KEY_FILE_H

#include "base/buf.h"

#include <dirent.h>

/* Larger than any file of keys: what is longer is none of ours. */
#define LH_KEY_FILE_MAX_BYTES ((size_t)4096)

/* Of every kind of key file; a later one is left to a later program. */
#define LH_KEY_FILE_VERSION 1U

/* For LH_CLEANUP; -1 is accepted. */
void lh_key_fd_close(int *fd);

/*
 * Opens a directory of key files: a real directory, owned by the calling user, closed to others.
 * at_fd   where path begins, or AT_FDCWD.
 * out_fd  close it.
 * Errors: ABSENT, UNSAFE_FILE (symlink, no directory, owner, mode), UNREADABLE.
 */
LH_MUST_USE lh_status lh_key_dir_open(int at_fd, const char *path, int *out_fd);

/*
 * Makes a directory 0700 if there is none.
 * parent_fd  where it is made and its entry synced, or AT_FDCWD: then syncing is the caller's.
 * Errors: UNREADABLE, NO_SPACE.
 */
LH_MUST_USE lh_status lh_key_dir_make(int parent_fd, const char *name);

/*
 * Appends a whole key file: a regular file, no symlink, owned by the calling user, mode 0600 or
 * less, unchanged while it was read. Never waits (a FIFO is unsafe, not slow).
 * Errors: ABSENT, UNSAFE_FILE, UNREADABLE (also: still changing at the second try), TOO_LARGE,
 * NO_MEMORY.
 */
LH_MUST_USE lh_status lh_key_file_read(int dir_fd, const char *name, struct lh_buf *out);

enum lh_key_file_write { LH_KEY_FILE_NEW, LH_KEY_FILE_REPLACE };

/*
 * Writes a file: temporary file beside it, sync, then its name, then sync of the directory.
 * how   NEW fails if the name is taken; mode: of the file.
 * Errors: EXISTS, UNREADABLE, NO_SPACE: the name stands as it stood, or, where only the last sync
 * failed, for the new file, which a loss of power may still undo.
 */
LH_MUST_USE lh_status lh_key_file_write(int dir_fd, const char *name, lh_slice content,
                                        enum lh_key_file_write how, unsigned mode);

/*
 * Overwrites a file's bytes, removes it and syncs the directory. Overwriting is what a file
 * system lets us do; copy-on-write and flash keep what they keep.
 * Errors: ABSENT, UNREADABLE.
 */
LH_MUST_USE lh_status lh_key_file_destroy(int dir_fd, const char *name);

/*
 * Opens a directory for readdir, with a position of its own; close it with
 * lh_key_listing_close. returns: NULL if it cannot be read.
 */
DIR *lh_key_listing_open(int dir_fd);
/*
 * The next name of a listing; a listing that breaks off is no end of it.
 * out_name  valid until the next call. Errors: ABSENT (the end), UNREADABLE.
 */
LH_MUST_USE lh_status lh_key_listing_next(DIR *listing, const char **out_name);
/* For LH_CLEANUP; NULL is accepted. */
void lh_key_listing_close(DIR **listing);

/* Appends the head of a key file, magic and version. Errors: NO_MEMORY, TOO_LARGE. */
LH_MUST_USE lh_status lh_key_file_add_head(struct lh_buf *content, uint32_t magic);

/* Takes the head off and checks it. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_key_file_read_head(struct lh_cursor *cursor, uint32_t magic);

/* Whether there is something under the name. Errors: ABSENT, UNREADABLE. */
LH_MUST_USE lh_status lh_key_file_find(int dir_fd, const char *name);

#endif
