/*
 * run/boot and run/recovered. Both are written in place, over bytes that they have already: on a
 * full disk a home can still be opened, and one sector is written whole or not at all.
 */
#include "setup/boot.h"

#include "host/clock.h"
#include "host/log.h"
#include "setup/home_file.h"
#include "setup/set_aside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define FILE_MODE         0600
#define WORD_OPEN         " open \n"
#define WORD_CLEAN        " clean\n"
#define WORD_BYTES        (sizeof(WORD_OPEN) - 1)
#define LINE_BYTES        (LH_BOOT_ID_BYTES + WORD_BYTES)

#define RECOVERED_DONE    "done   \n"
#define RECOVERED_PENDING "pending\n"

_Static_assert(sizeof(WORD_OPEN) == sizeof(WORD_CLEAN), "the line never changes its length");
_Static_assert(sizeof(RECOVERED_DONE) == sizeof(RECOVERED_PENDING), "nor does this one");

/* --- Small files ------------------------------------------------------------------------------ */

static lh_status status_of_errno(void)
{
    return lh_status_of(errno == ENOSPC || errno == EDQUOT ? LH_NO_SPACE : LH_UNREADABLE);
}

/* Writes over what is there and waits for the disk; run_path: its directory. */
static lh_status put_file(const char *path, const char *run_path, lh_slice content)
{
    LH_CLEANUP(lh_home_fd_close)
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    struct stat before;
    if (fd < 0 || fstat(fd, &before) != 0 ||
        pwrite(fd, content.ptr, content.len, 0) != (ssize_t)content.len) {
        return status_of_errno();
    }
    if ((size_t)before.st_size == content.len) {
        return fdatasync(fd) == 0 ? lh_ok() : status_of_errno();
    }
    if (ftruncate(fd, (off_t)content.len) != 0 || fsync(fd) != 0) {
        return status_of_errno();
    }
    return lh_home_directory_sync(run_path);
}

static bool is_content(const char *path, lh_slice expected)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(LINE_BYTES + 1);
    return lh_is_ok(lh_home_file_read(path, &text)) &&
           lh_slice_is_equal(lh_buf_view(&text), expected);
}

bool lh_boot_is_recovered(const struct lh_home_layout *layout)
{
    return is_content(layout->recovered, LH_SLICE_LITERAL(RECOVERED_DONE));
}

lh_status lh_boot_set_recovered(const struct lh_home_layout *layout, bool is_recovered)
{
    return put_file(layout->recovered, layout->run,
                    is_recovered ? LH_SLICE_LITERAL(RECOVERED_DONE)
                                 : LH_SLICE_LITERAL(RECOVERED_PENDING));
}

/* --- run/boot --------------------------------------------------------------------------------- */

static lh_status write_line(const char *word, char out_line[LINE_BYTES])
{
    LH_TRY(lh_boot_id_read(out_line));
    memcpy(out_line + LH_BOOT_ID_BYTES, word, WORD_BYTES);
    return lh_ok();
}

/* Nothing is written if it says so already. */
static lh_status put_boot(const struct lh_home_layout *layout, const char *word)
{
    char line[LINE_BYTES];
    LH_TRY(write_line(word, line));
    lh_slice content = lh_slice_of(line, sizeof(line));
    return is_content(layout->boot, content) ? lh_ok()
                                             : put_file(layout->boot, layout->run, content);
}

/*
 * Whether the store can be believed by what the file says: of this boot, or clean. A file that is
 * not there or says something else is an answer; one that cannot be read now is none, and no
 * reason to set a store aside.
 * Errors: UNREADABLE, NO_MEMORY, CLOCK_DOWN.
 */
static lh_status judge_boot(const struct lh_home_layout *layout, bool *out_is_believable)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(LINE_BYTES + 1);
    char line[LINE_BYTES];
    *out_is_believable = false;
    LH_TRY(write_line(WORD_OPEN, line));
    lh_status status = lh_home_file_read(layout->boot, &text);
    if (status.code == LH_ABSENT || status.code == LH_TOO_LARGE || status.code == LH_UNSAFE_FILE) {
        return lh_ok();
    }
    LH_TRY(status);
    lh_slice found = lh_buf_view(&text);
    lh_slice word = lh_slice_cut(found, LH_BOOT_ID_BYTES, found.len);
    bool is_clean = lh_slice_is_equal(word, LH_SLICE_LITERAL(WORD_CLEAN));
    bool is_open = lh_slice_is_equal(word, LH_SLICE_LITERAL(WORD_OPEN));
    bool is_ours = lh_slice_is_equal(lh_slice_cut(found, 0, LH_BOOT_ID_BYTES),
                                     lh_slice_of(line, LH_BOOT_ID_BYTES));
    *out_is_believable = is_clean || (is_ours && is_open);
    return lh_ok();
}

lh_status lh_boot_found(const struct lh_home_layout *layout)
{
    LH_TRY(lh_boot_set_recovered(layout, true));
    return put_boot(layout, WORD_CLEAN);
}

/* --- Coming ----------------------------------------------------------------------------------- */

static lh_status open_lock(const char *path, int *out_fd)
{
    *out_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    return *out_fd < 0 ? status_of_errno() : lh_ok();
}

/* Pending is on disk before the store moves, and the store has moved before the boot is ours. */
static lh_status set_aside(const struct lh_home_layout *layout,
                           const struct lh_store_options *options)
{
    LH_TRY(lh_boot_set_recovered(layout, false));
    LH_TRY(lh_aside_put(layout, options));
    lh_log(options->host, LH_LOG_WARN,
           "leasehold: the machine went down while the session store was open: it is set aside, and"
           " until \"leasehold --home %s recover\" has brought its sessions back, one that is not"
           " found is \"unknown\" (503)",
           layout->home);
    return lh_ok();
}

/* Under both locks. Somebody who has the store open came this way in this boot: it is fine. */
static lh_status take_over(const struct lh_home_layout *layout,
                           const struct lh_store_options *options, bool is_alone)
{
    bool is_believable = true;
    if (is_alone) {
        LH_TRY(judge_boot(layout, &is_believable));
    }
    if (!is_believable) {
        LH_TRY(set_aside(layout, options));
    }
    return put_boot(layout, WORD_OPEN);
}

lh_status lh_boot_enter(const struct lh_home_layout *layout, const struct lh_store_options *options,
                        struct lh_boot *out_boot)
{
    LH_CLEANUP(lh_home_fd_close) int lock_fd = -1;
    LH_CLEANUP(lh_home_fd_close) int opened_fd = -1;
    LH_TRY(open_lock(layout->recover_lock, &lock_fd));
    LH_TRY(open_lock(layout->opened_lock, &opened_fd));
    LH_ENSURE(flock(lock_fd, LOCK_EX) == 0, LH_UNREADABLE);
    bool is_alone = flock(opened_fd, LOCK_EX | LOCK_NB) == 0;
    LH_ENSURE(is_alone || errno == EWOULDBLOCK, LH_UNREADABLE);
    LH_TRY(take_over(layout, options, is_alone));
    LH_ENSURE(flock(opened_fd, LOCK_SH) == 0, LH_UNREADABLE);
    *out_boot = (struct lh_boot){.is_entered = true, .opened_fd = opened_fd};
    opened_fd = -1;
    return lh_ok();
}

/* --- Going ------------------------------------------------------------------------------------ */

/*
 * Who asks for the lock alone gives up the shared one even if he does not get it (flock(2)): of
 * those who leave at once the last to ask gets it. The other lock comes second, so that only
 * somebody who comes can hold it; then he is the last, and not we.
 */
void lh_boot_leave(struct lh_boot *boot, const struct lh_home_layout *layout,
                   struct lh_store *store)
{
    if (!boot->is_entered) {
        return;
    }
    LH_CLEANUP(lh_home_fd_close) int lock_fd = -1;
    bool is_last = store != NULL && flock(boot->opened_fd, LOCK_EX | LOCK_NB) == 0 &&
                   lh_is_ok(open_lock(layout->recover_lock, &lock_fd)) &&
                   flock(lock_fd, LOCK_EX | LOCK_NB) == 0;
    if (is_last && lh_is_ok(lh_store_sync(store))) {
        lh_status ignored = put_boot(layout, WORD_CLEAN);
        (void)ignored;
    }
    (void)close(boot->opened_fd); /* before the other lock: the next one must find nobody here */
    boot->is_entered = false;
}
