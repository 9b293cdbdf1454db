/*
 * A directory that one test has for itself.
 */
#ifndef LH_TESTS_SUPPORT_SCRATCH_DIR_H
#define LH_TESTS_SUPPORT_SCRATCH_DIR_H

/* Longest path of or in a scratch directory. */
#define SCRATCH_PATH_BYTES 256

struct scratch_dir {
    char path[SCRATCH_PATH_BYTES];
};

/* Makes an empty directory below TMPDIR or /tmp; fails the test if it cannot. */
void scratch_dir_init(struct scratch_dir *dir);

/* Writes "<directory>/<name>". */
void scratch_dir_path(const struct scratch_dir *dir, const char *name,
                      char out_path[SCRATCH_PATH_BYTES]);

/* Removes it with all that is in it. */
void scratch_dir_fini(struct scratch_dir *dir);

#endif
