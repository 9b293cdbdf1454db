/*
 * The check of a home for configuration tests, which often run as root for workers that will not.
 * Root looks with the eyes of the home's owner: the thread's file-system ids are changed for the
 * time of the check, so that a directory closed to the owner is seen to be closed.
 */
#include <leasehold/setup.h>

#include "setup/home_layout.h"

#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static lh_status check_as_owner(const struct lh_home_layout *layout, char *out_error)
{
    struct stat entry;
    if (stat(layout->home, &entry) != 0 || entry.st_uid == 0) {
        return lh_home_layout_check(layout, 0, out_error, LH_HOME_ERROR_BYTES);
    }
    (void)setfsgid(entry.st_gid);
    (void)setfsuid(entry.st_uid);
    lh_status status =
        lh_home_layout_check(layout, (unsigned)entry.st_uid, out_error, LH_HOME_ERROR_BYTES);
    (void)setfsuid(0);
    (void)setfsgid(getegid());
    return status;
}

lh_status lh_home_check(const char *path, char out_error[LH_HOME_ERROR_BYTES])
{
    struct lh_home_layout layout;
    lh_status status = lh_home_layout_init(path, &layout);
    if (!lh_is_ok(status)) {
        (void)snprintf(out_error, LH_HOME_ERROR_BYTES, "the path of the home is empty or too long");
        return status;
    }
    if (geteuid() == 0) {
        return check_as_owner(&layout, out_error);
    }
    return lh_home_layout_check(&layout, (unsigned)geteuid(), out_error, LH_HOME_ERROR_BYTES);
}
