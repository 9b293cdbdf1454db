/*
 * run/changes.lock. Its line is written in place, over bytes that are there, by whoever finds
 * himself alone; it means nothing once nobody holds the lock, so a restore needs no care.
 */
#include "setup/counters_seat.h"

#include "setup/home_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/banned.h"

#define FILE_MODE 0600
/* Two numbers in hexadecimal digits, a space and the line's end. */
#define LINE_BYTES 34U

static void write_line(uint64_t device, uint64_t inode, char out_line[LINE_BYTES + 1])
{
    (void)snprintf(out_line, LINE_BYTES + 1, "%016" PRIx64 " %016" PRIx64 "\n", device, inode);
}

lh_status lh_seat_found(const struct lh_home_layout *layout)
{
    char line[LINE_BYTES + 1];
    write_line(0, 0, line);
    return lh_home_file_create(layout->seats, lh_slice_of(line, LINE_BYTES));
}

static lh_status put_line(int fd, const char line[LINE_BYTES])
{
    errno = 0;
    if (pwrite(fd, line, LINE_BYTES, 0) == (ssize_t)LINE_BYTES) {
        return lh_ok();
    }
    return lh_status_of(errno == ENOSPC || errno == EDQUOT ? LH_NO_SPACE : LH_UNREADABLE);
}

/*
 * From alone to shared is no single step (flock(2)): another may have been alone in between. So
 * everybody looks at the line once he holds it shared, when nobody can change it.
 */
static lh_status sit_down(int fd, const char line[LINE_BYTES])
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        LH_TRY(put_line(fd, line));
    }
    LH_ENSURE(flock(fd, LOCK_SH) == 0, LH_UNREADABLE);
    char found[LINE_BYTES];
    LH_ENSURE(pread(fd, found, LINE_BYTES, 0) == (ssize_t)LINE_BYTES, LH_COUNTERS_DOWN);
    LH_ENSURE(lh_slice_is_equal(lh_slice_of(found, LINE_BYTES), lh_slice_of(line, LINE_BYTES)),
              LH_COUNTERS_DOWN);
    return lh_ok();
}

lh_status lh_seat_take(const struct lh_home_layout *layout, const struct lh_counters *counters,
                       struct lh_seat *out_seat)
{
    uint64_t device;
    uint64_t inode;
    lh_counters_identify(counters, &device, &inode);
    char line[LINE_BYTES + 1];
    write_line(device, inode, line);
    LH_CLEANUP(lh_home_fd_close)
    int fd = open(layout->seats, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    LH_ENSURE(fd >= 0, errno == ENOSPC || errno == EDQUOT ? LH_NO_SPACE : LH_UNREADABLE);
    LH_TRY(sit_down(fd, line));
    *out_seat = (struct lh_seat){.is_taken = true, .fd = fd};
    fd = -1;
    return lh_ok();
}

void lh_seat_leave(struct lh_seat *seat)
{
    if (seat->is_taken) {
        (void)close(seat->fd);
        seat->is_taken = false;
    }
}
