/*
 * Writing published sets.
 */
#include "keys/jwks_file.h"

#include "keys/key_file.h"

#include <fcntl.h>

#include "base/banned.h"

#define TENANT_FILE "jwks.json"

/* Opens the directory of a path and names the file in it. Errors: UNREADABLE, NO_MEMORY. */
static lh_status open_parent(const char *path, int *out_fd, const char **out_name)
{
    const char *slash = strrchr(path, '/');
    LH_CLEANUP(lh_buf_fini) struct lh_buf parent = LH_BUF_EMPTY;
    if (slash == NULL) {
        LH_TRY(lh_buf_add_text(&parent, "."));
    } else {
        /* With its slash, so that the root is no case of its own. */
        LH_TRY(lh_buf_add(&parent, lh_slice_of(path, (size_t)(slash - path) + 1)));
    }
    LH_TRY(lh_buf_terminate(&parent));
    *out_fd = open((const char *)parent.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    LH_ENSURE(*out_fd >= 0, LH_UNREADABLE);
    *out_name = slash == NULL ? path : slash + 1;
    return lh_ok();
}

lh_status lh_jwks_publish(const char *path, lh_slice text, unsigned mode)
{
    const char *name;
    LH_CLEANUP(lh_key_fd_close) int dir_fd = -1;
    LH_TRY(open_parent(path, &dir_fd, &name));
    return lh_key_file_write(dir_fd, name, text, LH_KEY_FILE_REPLACE, mode);
}

/* The directories are made by us: that one is missing is no answer about keys. */
static lh_status open_dir(int at_fd, const char *path, int *out_fd)
{
    lh_status status = lh_key_dir_open(at_fd, path, out_fd);
    return status.code == LH_ABSENT ? lh_status_of(LH_UNREADABLE) : status;
}

lh_status lh_jwks_publish_tenant(const char *public_dir, const struct lh_tenant_uid *uid,
                                 lh_slice text, unsigned mode)
{
    char name[LH_TENANT_UID_TEXT_BYTES + 1] = "";
    lh_tenant_uid_write(uid, name);
    LH_CLEANUP(lh_key_fd_close) int public_fd = -1;
    LH_CLEANUP(lh_key_fd_close) int tenant_fd = -1;
    LH_TRY(open_dir(AT_FDCWD, public_dir, &public_fd));
    LH_TRY(lh_key_dir_make(public_fd, name));
    LH_TRY(open_dir(public_fd, name, &tenant_fd));
    return lh_key_file_write(tenant_fd, TENANT_FILE, text, LH_KEY_FILE_REPLACE, mode);
}
