/*
 * Reading inputs into memory and writing one credential to a file.
 */
#include "files.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define CHUNK_BYTES 65536U
#define OUTPUT_MODE 0600

static void close_fd(int *fd)
{
    if (*fd > STDERR_FILENO) {
        (void)close(*fd);
    }
}

bool files_fill_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) {
            continue;
        }
        int filler = fd == STDIN_FILENO ? open("/dev/null", O_RDONLY) : open("/dev/full", O_WRONLY);
        if (filler != fd) { /* the lowest free number is the closed one, so this is a failure */
            return false;
        }
    }
    return true;
}

static int open_input(const char *name)
{
    return strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
}

static lh_status read_all(struct run *run, const char *name, int fd, struct lh_buf *out)
{
    static uint8_t chunk[CHUNK_BYTES];
    for (;;) {
        ssize_t len = read(fd, chunk, sizeof(chunk));
        if (len == 0) {
            lh_wipe(chunk, sizeof(chunk));
            return lh_ok();
        }
        if (len < 0) {
            return run_fail(run, LH_UNREADABLE, "cannot read %s: %s", name, strerror(errno));
        }
        if (!lh_is_ok(lh_buf_add(out, lh_slice_of(chunk, (size_t)len)))) {
            return run_fail(run, LH_TOO_LARGE, "%s is larger than %zu bytes", name,
                            INPUT_MAX_BYTES);
        }
    }
}

/* What it takes to read the files that a policy names. */
struct naming {
    struct run *run;
    size_t most; /* inputs with them */
    lh_status status;
};

static bool is_known(const struct run *run, lh_slice path)
{
    bool is_found = false;
    for (size_t i = 0; i < run->input_count && !is_found; i++) {
        is_found = lh_slice_is_equal(lh_slice_from_text(run->inputs[i].name), path);
    }
    return is_found;
}

/*
 * Opens what a policy names. A policy may have been written by somebody who may do less than its
 * reader: nothing but plain files, for a pipe would be waited for and a device would answer.
 * returns: -1 if it cannot be.
 */
static int open_named(const char *name)
{
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat found;
    if (fd >= 0 && (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode))) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* A file that a policy names, if it can be read; who applies it says where it was named. */
static void add_named(void *context, lh_slice path)
{
    struct naming *naming = context;
    struct run *run = naming->run;
    if (is_known(run, path)) {
        return;
    }
    if (run->input_count == naming->most) {
        naming->status =
            run_fail(run, LH_TOO_LARGE, "policies name more than %u files", NAMED_FILES_MAX);
        return;
    }
    struct input input = {.text = lh_buf_bounded(INPUT_MAX_BYTES), .path = LH_BUF_EMPTY};
    bool is_named =
        lh_is_ok(lh_buf_add(&input.path, path)) && lh_is_ok(lh_buf_terminate(&input.path));
    input.name = (const char *)input.path.ptr;
    LH_CLEANUP(close_fd) int fd = is_named ? open_named(input.name) : -1;
    if (fd >= 0 && lh_is_ok(read_all(run, input.name, fd, &input.text))) {
        run->inputs[run->input_count++] = input;
        return;
    }
    run->why[0] = '\0';
    lh_buf_fini(&input.text);
    lh_buf_fini(&input.path);
}

static lh_status add_named_files(struct run *run)
{
    size_t count = run->input_count;
    struct naming naming = {run, count + NAMED_FILES_MAX, lh_ok()};
    for (size_t i = 0; i < count; i++) {
        const struct lh_admin_document document = {lh_slice_from_text(run->inputs[i].name),
                                                   lh_buf_view(&run->inputs[i].text)};
        LH_TRY(lh_admin_policy_files(&document, add_named, &naming));
        LH_TRY(naming.status);
    }
    return lh_ok();
}

static lh_status add_input(struct run *run, const char *name)
{
    LH_CLEANUP(close_fd) int fd = open_input(name);
    if (fd < 0) {
        return run_fail(run, errno == ENOENT ? LH_ABSENT : LH_UNREADABLE, "cannot open %s: %s",
                        name, strerror(errno));
    }
    struct input *input = &run->inputs[run->input_count++];
    *input = (struct input){.name = name, .text = lh_buf_bounded(INPUT_MAX_BYTES)};
    return read_all(run, name, fd, &input->text);
}

/* An existing file is taken if it is a plain one of the caller's; what it allowed others ends. */
static lh_status open_output(struct run *run, const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, OUTPUT_MODE);
    if (fd < 0) {
        return run_fail(run, LH_UNREADABLE, "cannot open %s: %s", name, strerror(errno));
    }
    run->out_fd = fd;
    struct stat entry;
    if (fstat(fd, &entry) != 0 || !S_ISREG(entry.st_mode) || entry.st_nlink != 1 ||
        entry.st_uid != geteuid() || fchmod(fd, OUTPUT_MODE) != 0) {
        return run_fail(run, LH_UNSAFE_FILE, "%s is not a plain file of yours", name);
    }
    return lh_ok();
}

lh_status files_open(struct run *run, const struct command *command)
{
    const struct arguments *arguments = &run->arguments;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = option_at((enum option_id)i);
        const char *name = (const char *)option_value(arguments, (enum option_id)i).ptr;
        if (name == NULL) {
            continue;
        }
        if (option->kind == OPTION_INPUT) {
            LH_TRY(add_input(run, name));
        } else if (option->kind == OPTION_OUTPUT) {
            LH_TRY(open_output(run, name));
        }
    }
    for (size_t i = 0; (command->needs & NEEDS_INPUTS) != 0 && i < arguments->operand_count; i++) {
        LH_TRY(add_input(run, arguments->operands[i]));
    }
    return (command->needs & NEEDS_INPUTS) != 0 ? add_named_files(run) : lh_ok();
}

void files_close(struct run *run)
{
    for (size_t i = 0; i < run->input_count; i++) {
        lh_buf_fini(&run->inputs[i].text);
        lh_buf_fini(&run->inputs[i].path);
    }
    run->input_count = 0;
    if (run->out_fd >= 0) {
        (void)close(run->out_fd);
        run->out_fd = -1;
    }
}

lh_status files_write(struct run *run, lh_slice text)
{
    bool is_written = ftruncate(run->out_fd, 0) == 0;
    while (is_written && text.len > 0) {
        ssize_t len = write(run->out_fd, text.ptr, text.len);
        is_written = len > 0;
        text = lh_slice_cut(text, is_written ? (size_t)len : 0, text.len);
    }
    if (!is_written || fsync(run->out_fd) != 0) {
        return run_fail(run, errno == ENOSPC ? LH_NO_SPACE : LH_UNREADABLE,
                        "cannot write the file of --out: %s", strerror(errno));
    }
    return lh_ok();
}
