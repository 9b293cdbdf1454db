/*
 * Scratch directories: made by mkdtemp, removed file by file.
 */
#include "support/test.h"

#include "support/scratch_dir.h"

#include <ftw.h>
#include <unistd.h>

/* Descriptors that the walk may hold open. */
#define WALK_DESCRIPTORS 8

void scratch_dir_init(struct scratch_dir *dir)
{
    const char *root = getenv("TMPDIR");
    int len = snprintf(dir->path, sizeof(dir->path), "%s/leasehold-test.XXXXXX",
                       root != NULL ? root : "/tmp");
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
    assert_non_null(mkdtemp(dir->path));
}

void scratch_dir_path(const struct scratch_dir *dir, const char *name,
                      char out_path[SCRATCH_PATH_BYTES])
{
    int len = snprintf(out_path, SCRATCH_PATH_BYTES, "%s/%s", dir->path, name);
    assert_in_range(len, 1, SCRATCH_PATH_BYTES - 1);
}

static int remove_entry(const char *path, const struct stat *file, int kind, struct FTW *walk)
{
    (void)file;
    (void)kind;
    (void)walk;
    return remove(path);
}

void scratch_dir_fini(struct scratch_dir *dir)
{
    assert_int_equal(nftw(dir->path, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS), 0);
}
