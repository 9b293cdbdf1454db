/*
 * leasehold: the operator's command. Takes the command line apart, gives up root's rights, opens
 * the home and runs one act.
 */
#include "command.h"
#include "files.h"
#include "privileges.h"

#include "codec/suggest.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/banned.h"

#define NOUNS_MAX 64U

lh_status run_fail(struct run *run, enum lh_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(run->why, sizeof(run->why), format, arguments);
    va_end(arguments);
    return lh_status_of(code);
}

/* --- Log -------------------------------------------------------------------------------------- */

/*
 * Acts go to the system's log; and to stderr where a program reads it. A person at a terminal
 * sees the act's own output.
 */
static void write_log(void *self, enum lh_log_level level, lh_slice line)
{
    static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};
    (void)self;
    if (level > LH_LOG_NOTICE) {
        return;
    }
    syslog(LOG_AUTH | priorities[level], "%.*s", LH_SLICE_ARG(line));
    if (!isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "%.*s\n", LH_SLICE_ARG(line));
    }
}

static const struct lh_host log_host = {.log = write_log};

/* --- Exit codes ------------------------------------------------------------------------------- */

static enum exit_code exit_of_denial(lh_status status)
{
    switch (status.code) {
    case LH_ABSENT:
    case LH_REVOKED:
    case LH_EXPIRED:
        return EXIT_NOT_SO;
    case LH_MALFORMED:
    case LH_DUPLICATE:
    case LH_MISMATCH:
        return EXIT_USAGE;
    case LH_CONFLICT: /* changed by someone else meanwhile: try again */
        return EXIT_UNAVAILABLE;
    default:
        return EXIT_REFUSED;
    }
}

static enum exit_code exit_of(lh_status status)
{
    switch (lh_status_class(status)) {
    case LH_CLASS_OK:
        return EXIT_DONE;
    case LH_CLASS_DENY:
        return exit_of_denial(status);
    case LH_CLASS_TAMPERED:
        return EXIT_NOT_SO;
    case LH_CLASS_MISUSE:
        return status.code == LH_INVALID ? EXIT_USAGE : EXIT_UNAVAILABLE;
    case LH_CLASS_PENDING:
    case LH_CLASS_UNAVAILABLE:
    case LH_CLASS_RESOURCE:
    default:
        return EXIT_UNAVAILABLE;
    }
}

/* --- Finding the command ---------------------------------------------------------------------- */

static lh_status fail_unknown(struct run *run, lh_slice word, const char *noun)
{
    size_t count;
    const struct command *rows = command_table(&count);
    lh_slice words[NOUNS_MAX];
    size_t known = 0;
    for (size_t i = 0; i < count && known < NOUNS_MAX; i++) {
        bool is_candidate = noun == NULL || strcmp(rows[i].noun, noun) == 0;
        const char *candidate = noun == NULL ? rows[i].noun : rows[i].verb;
        if (is_candidate && candidate != NULL) {
            words[known++] = lh_slice_from_text(candidate);
        }
    }
    size_t near = lh_suggest(word, words, known);
    const char *before = noun == NULL ? "" : noun;
    const char *space = noun == NULL ? "" : " ";
    if (near < known) {
        return run_fail(run, LH_INVALID,
                        "there is no command \"%s%s%.*s\"; did you mean \"%s%s%.*s\"?", before,
                        space, LH_SLICE_ARG(word), before, space, LH_SLICE_ARG(words[near]));
    }
    return run_fail(run, LH_INVALID, "there is no command \"%s%s%.*s\"; see \"leasehold help\"",
                    before, space, LH_SLICE_ARG(word));
}

/* Takes noun and verb off the operands. */
static void shift_operands(struct arguments *arguments, size_t by)
{
    arguments->operand_count -= by;
    for (size_t i = 0; i < arguments->operand_count; i++) {
        arguments->operands[i] = arguments->operands[i + by];
    }
}

static lh_status find_command(struct run *run, const struct command **out_command)
{
    struct arguments *arguments = &run->arguments;
    const char *noun = arguments->operands[0];
    const char *verb = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    size_t count;
    const struct command *rows = command_table(&count);
    bool is_noun = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].noun, noun) != 0) {
            continue;
        }
        is_noun = true;
        if (rows[i].verb == NULL || (verb != NULL && strcmp(rows[i].verb, verb) == 0)) {
            shift_operands(arguments, rows[i].verb == NULL ? 1 : 2);
            *out_command = &rows[i];
            return lh_ok();
        }
    }
    if (is_noun && verb == NULL) {
        return run_fail(run, LH_INVALID, "\"%s\" needs a verb; see \"leasehold help %s\"", noun,
                        noun);
    }
    return is_noun ? fail_unknown(run, lh_slice_from_text(verb), noun)
                   : fail_unknown(run, lh_slice_from_text(noun), NULL);
}

static lh_status check_arguments(struct run *run, const struct command *command)
{
    const struct arguments *arguments = &run->arguments;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        unsigned bit = 1U << i;
        if (arguments->counts[i] > 0 && ((command->options | OPT_EVERYWHERE) & bit) == 0) {
            return run_fail(run, LH_INVALID, "this command takes no --%s",
                            option_at((enum option_id)i)->name);
        }
    }
    if (arguments->operand_count < command->operands_least ||
        arguments->operand_count > command->operands_most) {
        return run_fail(run, LH_INVALID, "usage: leasehold %s%s%s%s%s", command->noun,
                        command->verb == NULL ? "" : " ",
                        command->verb == NULL ? "" : command->verb,
                        command->operands[0] == '\0' ? "" : " ", command->operands);
    }
    return lh_ok();
}

/* Options by which one says what an act is about, in the place of an optional operand. */
#define CHOICES (OPT(sub) | OPT(all) | OPT(node))

/* Of what the act may be about exactly one is to be named, and before anybody is asked. */
static lh_status check_choice(struct run *run, const struct command *command)
{
    const struct arguments *arguments = &run->arguments;
    unsigned choices = command->options & CHOICES;
    if (choices == 0 || command->operands_least == command->operands_most) {
        return lh_ok();
    }
    size_t named = arguments->operand_count - command->operands_least;
    char words[80] = "";
    size_t len = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((choices & (1U << i)) != 0) {
            named += arguments->counts[i];
            len += (size_t)snprintf(words + len, sizeof(words) - len, ", --%s",
                                    option_at((enum option_id)i)->name);
        }
    }
    if (named != 1) {
        return run_fail(run, LH_INVALID, "name one of: %s%s", strchr(command->operands, '['),
                        words);
    }
    return lh_ok();
}

/* --- Asking ----------------------------------------------------------------------------------- */

static lh_status ask(struct run *run, const struct command *command)
{
    if (command->question == NULL || has_option(&run->arguments, OPTION_yes)) {
        return lh_ok();
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        return run_fail(run, LH_FORBIDDEN, "this cannot be undone: say --yes");
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)fprintf(stderr, command->question, run->arguments.operands[0]);
#pragma GCC diagnostic pop
    (void)fputs(" Go on? [y/N] ", stderr);
    int answer = getchar();
    if (answer != 'y' && answer != 'Y') {
        return run_fail(run, LH_FORBIDDEN, "nothing was done");
    }
    return lh_ok();
}

/* --- The home --------------------------------------------------------------------------------- */

/* A home's path is said once, absolute: messages and audit lines name it whatever directory. */
static lh_status find_home_path(struct run *run, char out_path[PATH_MAX])
{
    const char *path = (const char *)option_value(&run->arguments, OPTION_home).ptr;
    if (path == NULL) {
        path = getenv("LEASEHOLD_HOME");
    }
    if (path == NULL || path[0] == '\0') {
        path = DEFAULT_HOME;
    }
    char here[PATH_MAX];
    bool is_relative = path[0] != '/';
    if (is_relative && getcwd(here, sizeof(here)) == NULL) {
        return run_fail(run, LH_UNREADABLE, "the present directory is gone; name --home from /");
    }
    int len = snprintf(out_path, PATH_MAX, "%s%s%s", is_relative ? here : "",
                       is_relative ? "/" : "", path);
    if (len < 0 || len >= PATH_MAX) {
        return run_fail(run, LH_INVALID, "the path of the home is too long");
    }
    run->home_path = out_path;
    return lh_ok();
}

static lh_status run_in_home(struct run *run, const struct command *command, const char *actor)
{
    LH_TRY(privileges_enter_home(run->home_path, run->why, sizeof(run->why)));
    struct lh_home *home = NULL;
    char why[LH_HOME_ERROR_BYTES];
    lh_status status = lh_home_open_operator(run->home_path, &log_host, actor,
                                             (command->needs & NEEDS_SESSIONS) != 0, &home, why);
    if (!lh_is_ok(status)) {
        return run_fail(run, status.code, "%s", why);
    }
    status = lh_admin_new(lh_home_admin_parts(home), &run->admin);
    if (lh_is_ok(status)) {
        status = command->run(run);
    }
    if (!lh_is_ok(status) && run->why[0] == '\0' && run->admin != NULL) {
        (void)snprintf(run->why, sizeof(run->why), "%s", lh_admin_why(run->admin));
    }
    if (status.code == LH_STORE_DOWN && lh_home_is_recovering(home)) {
        (void)fputs("leasehold: sessions of before an unclean boot are not back yet; run"
                    " \"leasehold recover\"\n",
                    stderr);
    }
    lh_admin_free(run->admin);
    lh_home_close(home);
    return status;
}

static lh_status run_command(struct run *run, const struct command *command, const char *actor)
{
    char path[PATH_MAX];
    LH_TRY(check_arguments(run, command));
    LH_TRY(check_choice(run, command));
    if ((command->needs & NEEDS_NO_HOME) != 0) {
        return command->run(run);
    }
    LH_TRY(find_home_path(run, path));
    LH_TRY(ask(run, command));
    LH_TRY(files_open(run, command));
    if ((command->needs & NEEDS_HOME) != 0) {
        return run_in_home(run, command, actor);
    }
    return command->run(run);
}

/* --- main ------------------------------------------------------------------------------------- */

static lh_status dispatch(struct run *run, const char *actor)
{
    struct arguments *arguments = &run->arguments;
    if (has_option(arguments, OPTION_version)) {
        (void)fprintf(run->output.file, "leasehold %s\n", LH_VERSION);
        return lh_ok();
    }
    if (arguments->operand_count == 0) {
        print_usage(has_option(arguments, OPTION_help) ? stdout : stderr, NULL, NULL);
        return has_option(arguments, OPTION_help) ? lh_ok()
                                                  : run_fail(run, LH_INVALID, "no command given");
    }
    const struct command *command = NULL;
    if (has_option(arguments, OPTION_help)) {
        return run_help(run);
    }
    LH_TRY(find_command(run, &command));
    return run_command(run, command, actor);
}

/* A line may repeat what somebody wrote into a file: it moves no cursor and rings no bell. */
static void disarm(char *line)
{
    for (; *line != '\0'; line++) {
        unsigned char byte = (unsigned char)*line;
        *line = byte < 0x20 || byte == 0x7f ? '?' : *line;
    }
}

static enum exit_code finish(struct run *run, lh_status status)
{
    if (!lh_is_ok(status)) {
        disarm(run->why);
        const char *why = run->why[0] != '\0' ? run->why : lh_status_text(status);
        output_error(&run->output, status, why);
        (void)fprintf(stderr, "leasehold: %s\n", why);
    }
    enum exit_code code = exit_of(status);
    if (!output_flush(&run->output) && code == EXIT_DONE) {
        (void)fprintf(stderr, "leasehold: the output could not be written\n");
        code = EXIT_UNAVAILABLE;
    }
    output_fini(&run->output);
    files_close(run);
    return code;
}

int main(int argc, char **argv)
{
    static struct run run = {.out_fd = -1};
    char actor[ACTOR_BYTES];
    if (!files_fill_standard()) {
        return (int)EXIT_UNAVAILABLE;
    }
    (void)umask(S_IRWXG | S_IRWXO);
    /* A reader that left and a limit on file sizes are errors of a write, to be told. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    openlog("leasehold", LOG_PID, LOG_AUTH);
    privileges_name_actor(actor);
    privileges_close_memory();
    run.host = &log_host;
    run.actor = actor;
    bool is_parsed = arguments_parse(argc, argv, &run.arguments, run.why, sizeof(run.why));
    run.output = output_on(stdout, has_option(&run.arguments, OPTION_json));
    lh_status status = is_parsed ? dispatch(&run, actor) : lh_status_of(LH_INVALID);
    return (int)finish(&run, status);
}
