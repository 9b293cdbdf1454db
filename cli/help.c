/*
 * Usage texts and manuals, written from the tables of commands, options and settings.
 */
#include "command.h"

#include "setup/settings.h"

#include "base/banned.h"

static bool is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void print_synopsis(FILE *file, const struct command *command)
{
    (void)fprintf(file, "leasehold %s%s%s", command->noun, command->verb == NULL ? "" : " ",
                  command->verb == NULL ? "" : command->verb);
    if (command->operands[0] != '\0') {
        (void)fprintf(file, " %s", command->operands);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = option_at((enum option_id)i);
        if ((command->options & (1U << i)) == 0) {
            continue;
        }
        (void)fprintf(file, " [--%s%s%s]%s", option->name, option->kind == OPTION_FLAG ? "" : " ",
                      option->value, option->kind == OPTION_LIST ? "..." : "");
    }
}

static void print_options(FILE *file, unsigned options)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = option_at((enum option_id)i);
        if ((options & (1U << i)) != 0) {
            char name[40];
            (void)snprintf(name, sizeof(name), "--%s %s", option->name, option->value);
            (void)fprintf(file, "  %-20s %s\n", name, option->text);
        }
    }
}

static void print_command(FILE *file, const struct command *command)
{
    (void)fputs("usage: ", file);
    print_synopsis(file, command);
    (void)fprintf(file, "\n\n%s\n", command->text[0] != '\0' ? command->text : command->summary);
    if (command->options != 0) {
        (void)fputs("\noptions:\n", file);
        print_options(file, command->options);
    }
    (void)fputs("\noptions of every command:\n", file);
    print_options(file, OPT_EVERYWHERE);
}

void print_usage(FILE *file, const struct command *command, const char *noun)
{
    if (command != NULL) {
        print_command(file, command);
        return;
    }
    size_t count;
    const struct command *rows = command_table(&count);
    (void)fputs("usage: leasehold [--home DIR] [--json] NOUN VERB ...\n\n", file);
    for (size_t i = 0; i < count; i++) {
        if (noun == NULL || is_same(noun, rows[i].noun)) {
            char name[48];
            (void)snprintf(name, sizeof(name), "%s %s", rows[i].noun,
                           rows[i].verb == NULL ? "" : rows[i].verb);
            (void)fprintf(file, "  %-16s %s\n", name, rows[i].summary);
        }
    }
    (void)fputs("\n\"leasehold help NOUN VERB\" explains a command.\n", file);
}

/* --- Manual page ------------------------------------------------------------------------------ */

/*
 * Text for troff: backslashes and leading dots or quotes would be commands, backticks enclose what
 * is bold.
 */
static void print_roff(FILE *file, const char *text)
{
    bool is_bold = false;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '`') {
            is_bold = !is_bold;
            (void)fputs(is_bold ? "\\fB" : "\\fR", file);
        } else if (*c == '\\') {
            (void)fputs("\\e", file);
        } else if (*c == '-') {
            (void)fputs("\\-", file);
        } else if (c == text && (*c == '.' || *c == '\'')) {
            (void)fprintf(file, "\\&%c", *c);
        } else {
            (void)fputc(*c, file);
        }
    }
}

static void print_roff_options(FILE *file, unsigned options)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = option_at((enum option_id)i);
        if ((options & (1U << i)) != 0) {
            (void)fputs(".TP\n\\fB\\-\\-", file);
            print_roff(file, option->name);
            (void)fputs("\\fR", file);
            if (option->kind != OPTION_FLAG) {
                (void)fprintf(file, " \\fI%s\\fR", option->value);
            }
            (void)fputc('\n', file);
            print_roff(file, option->text);
            (void)fputc('\n', file);
        }
    }
}

static void print_roff_command(FILE *file, const struct command *command)
{
    (void)fprintf(file, ".SS \"%s%s%s%s%s\"\n", command->noun, command->verb == NULL ? "" : " ",
                  command->verb == NULL ? "" : command->verb,
                  command->operands[0] == '\0' ? "" : " ", command->operands);
    print_roff(file, command->text[0] != '\0' ? command->text : command->summary);
    (void)fputc('\n', file);
    print_roff_options(file, command->options);
}

void print_manual(FILE *file)
{
    size_t count;
    const struct command *rows = command_table(&count);
    (void)fprintf(file, ".TH LEASEHOLD 1 \"\" \"leasehold %s\" \"User Commands\"\n", LH_VERSION);
    (void)fputs(".SH NAME\nleasehold \\- operate tenants, sessions and keys\n"
                ".SH SYNOPSIS\n\\fBleasehold\\fR [\\fB\\-\\-home\\fR \\fIDIR\\fR] "
                "[\\fB\\-\\-json\\fR] \\fINOUN\\fR \\fIVERB\\fR ...\n"
                ".SH DESCRIPTION\nWorks on a home: the directory in which tenants, keys and "
                "sessions lie. As root it takes the rights of the home's owner before it opens "
                "anything there.\n.SH COMMANDS\n",
                file);
    for (size_t i = 0; i < count; i++) {
        print_roff_command(file, &rows[i]);
    }
    (void)fputs(".SH OPTIONS OF EVERY COMMAND\n", file);
    print_roff_options(file, OPT_EVERYWHERE);
    (void)fputs(".SH EXIT STATUS\n"
                ".TP\n0\nDone.\n"
                ".TP\n1\nThe thing asked about is not so: not found, or verification failed.\n"
                ".TP\n2\nWrong usage, or a mistake in a file.\n"
                ".TP\n3\nUnavailable: the home, the disk or a key cannot be used now.\n"
                ".TP\n4\nRefused by policy, or nobody said yes.\n"
                ".SH FILES\n.TP\n\\fI" DEFAULT_HOME "\\fR\nThe home, unless another is named.\n"
                ".TP\n\\fIleasehold.conf\\fR\nSettings, in the home.\n"
                ".SH ENVIRONMENT\n.TP\nLEASEHOLD_HOME\nThe home, if \\-\\-home is not given.\n"
                ".SH EXAMPLES\n.nf\n"
                "leasehold init \\-\\-user www\\-data\n"
                "leasehold tenant add acme \\-\\-domain app.acme.example\n"
                "leasehold session create acme \\-\\-sub alice \\-\\-out cookie\n"
                "leasehold session revoke acme \\-\\-sub alice\n.fi\n"
                ".SH SEE ALSO\n.BR leasehold.conf (5),\n.BR leasehold\\-nginx (5)\n",
                file);
}

void print_settings(FILE *file)
{
    size_t count;
    const struct lh_setting *rows = lh_settings_table(&count);
    (void)fputs("| setting | default | from | to | meaning |\n|---|---|---|---|---|\n", file);
    for (size_t i = 0; i < count; i++) {
        const uint64_t values[] = {rows[i].standard, rows[i].least, rows[i].most};
        (void)fprintf(file, "| `%s` |", rows[i].name);
        for (size_t j = 0; j < FIELD_COUNT(values); j++) {
            LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
            bool is_written = lh_is_ok(lh_setting_write(&rows[i], values[j], &text));
            (void)fprintf(file, " %.*s |", is_written ? (int)text.len : 0, (const char *)text.ptr);
        }
        (void)fprintf(file, " %s |\n", rows[i].manual);
    }
}

/* --- The command ------------------------------------------------------------------------------ */

lh_status run_help(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    const char *noun = arguments->operand_count > 0 ? arguments->operands[0] : NULL;
    const char *verb = arguments->operand_count > 1 ? arguments->operands[1] : NULL;
    FILE *file = run->output.file;
    if (is_same(noun, "manual")) {
        print_manual(file);
        return lh_status_of(LH_OK);
    }
    if (is_same(noun, "settings")) {
        print_settings(file);
        return lh_status_of(LH_OK);
    }
    size_t count;
    const struct command *rows = command_table(&count);
    bool is_noun = noun == NULL;
    for (size_t i = 0; i < count; i++) {
        is_noun = is_noun || is_same(noun, rows[i].noun);
        if (is_same(noun, rows[i].noun) &&
            (is_same(verb, rows[i].verb) || (verb == NULL && rows[i].verb == NULL))) {
            print_usage(file, &rows[i], NULL);
            return lh_status_of(LH_OK);
        }
    }
    if (!is_noun || verb != NULL) {
        return run_fail(run, LH_INVALID, "there is no command \"%s%s%s\"", noun,
                        verb == NULL ? "" : " ", verb == NULL ? "" : verb);
    }
    print_usage(file, NULL, noun);
    return lh_status_of(LH_OK);
}
