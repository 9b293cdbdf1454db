/*
 * leasehold recover: runs the import in a child process, for reading damaged pages may kill it.
 */
#include "command.h"
#include "privileges.h"

#include "base/slice.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

/* How an import ended that did not end by itself. */
enum end { END_BY_ITSELF, END_CRASHED, END_STOPPED };

/* What reading damaged pages ends in. Whoever stops a process does it by another signal. */
static bool is_crash(int signal_number)
{
    return signal_number == SIGBUS || signal_number == SIGSEGV || signal_number == SIGABRT ||
           signal_number == SIGILL || signal_number == SIGFPE;
}

static enum end end_of(int wait_status)
{
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
        return END_BY_ITSELF;
    }
    return WIFSIGNALED(wait_status) && !is_crash(WTERMSIG(wait_status)) ? END_STOPPED : END_CRASHED;
}

static lh_status run_child(struct run *run, struct lh_recovery *shared, enum end *out_end)
{
    pid_t child = fork();
    if (child < 0) {
        return run_fail(run, LH_NO_MEMORY, "cannot start the import: %s", strerror(errno));
    }
    if (child == 0) {
        lh_status status = lh_home_recover(run->home_path, run->host, run->actor, shared);
        (void)status; /* in the shared memory */
        _exit(0);
    }
    int wait_status = 0;
    while (waitpid(child, &wait_status, 0) < 0) {
        if (errno != EINTR) {
            return run_fail(run, LH_UNREADABLE, "lost the import: %s", strerror(errno));
        }
    }
    *out_end = end_of(wait_status);
    return lh_ok();
}

/* One import until it ends by itself; each crash costs the store that it was reading. */
static lh_status import(struct run *run, struct lh_recovery *shared, unsigned *out_crashes)
{
    for (*out_crashes = 0;; (*out_crashes)++) {
        enum end end = END_STOPPED;
        shared->walking = 0;
        LH_TRY(run_child(run, shared, &end));
        if (end == END_BY_ITSELF) {
            return lh_is_ok(shared->status) ? lh_ok()
                                            : run_fail(run, shared->status.code, "%s", shared->why);
        }
        if (end == END_STOPPED) {
            return run_fail(run, LH_STORE_DOWN,
                            "the import was stopped; nothing is lost, run it again");
        }
        if (shared->walking == 0) {
            return run_fail(run, LH_STORE_DOWN,
                            "the import crashed outside of the store that was set aside");
        }
        lh_status status = lh_home_give_up_store(run->home_path, shared->walking);
        if (!lh_is_ok(status)) {
            return run_fail(run, status.code, "cannot rename the damaged store in %s: %s",
                            run->home_path, lh_status_text(status));
        }
    }
}

static void report(struct run *run, const struct lh_recovery *shared, unsigned crashes)
{
    unsigned damaged = shared->damaged + crashes;
    if (damaged > 0) {
        (void)fprintf(
            stderr,
            "leasehold: a store was damaged%s: it is kept as %s/sessions.damaged, and what"
            " was not imported from it is gone\n",
            crashes > 0 ? " so that reading it killed the import" : "", run->home_path);
    }
    const struct field fields[] = {
        FIELD_OF_BOOL("needed", SHOW_RECORD, !shared->is_nothing_to_do || damaged > 0),
        FIELD_OF_NUMBER("imported", SHOW_RECORD, shared->imported),
        FIELD_OF_NUMBER("ended", SHOW_RECORD, shared->ended),
        FIELD_OF_NUMBER("unreadable", SHOW_RECORD, shared->unreadable),
        FIELD_OF_NUMBER("damaged_stores", SHOW_RECORD, damaged),
    };
    output_item(&run->output, fields, FIELD_COUNT(fields));
}

lh_status run_recover(struct run *run)
{
    LH_TRY(privileges_enter_home(run->home_path, run->why, sizeof(run->why)));
    struct lh_recovery *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return run_fail(run, LH_NO_MEMORY, "no memory");
    }
    unsigned crashes = 0;
    lh_status status = import(run, shared, &crashes);
    if (lh_is_ok(status)) {
        report(run, shared, crashes);
    }
    (void)munmap(shared, sizeof(*shared));
    return status;
}
