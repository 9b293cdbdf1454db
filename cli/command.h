/*
 * Every command, once: what it is called, what it takes, what it does. Dispatch, usage text and
 * manual page read this table.
 */
#ifndef LH_CLI_COMMAND_H
#define LH_CLI_COMMAND_H

#include <leasehold/admin.h>
#include <leasehold/setup.h>

#include "base/buf.h"
#include "option.h"
#include "output.h"

/* Exit codes; stable. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_NOT_SO = 1, /* the thing asked about is not so: not found, verification failed */
    EXIT_USAGE = 2,
    EXIT_UNAVAILABLE = 3, /* home, disk or key cannot be used now */
    EXIT_REFUSED = 4      /* policy, or nobody said yes */
};

/* Files that policies may name, and with those that the caller may. */
#define NAMED_FILES_MAX 1024U
#define INPUTS_MAX      (OPERANDS_MAX + 1U + NAMED_FILES_MAX)

/* A file that the caller named, read before rights were given up. */
struct input {
    const char *name;
    struct lh_buf path; /* holds the name of a file that another one names */
    struct lh_buf text;
};

/* One run of the program. */
struct run {
    struct arguments arguments;
    struct output output;
    const char *home_path;  /* absolute */
    struct lh_admin *admin; /* of commands that need a home */
    struct input inputs[INPUTS_MAX];
    size_t input_count;
    int out_fd;        /* of --out; -1: none */
    char why[1024];    /* what is wrong, if the command fails by itself */
    const char *owner; /* init: who shall own the home */
    const struct lh_host *host;
    const char *actor; /* who acts, for audit lines */
};

struct command {
    const char *noun;
    const char *verb;     /* NULL: the noun is the command */
    const char *operands; /* "TENANT REF", "[TENANT]", "FILE..." */
    size_t operands_least;
    size_t operands_most;
    unsigned options;     /* beside OPT_EVERYWHERE */
    unsigned needs;       /* NEEDS_... */
    const char *question; /* asked before it; NULL: not destructive */
    lh_status (*run)(struct run *run);
    const char *summary;
    const char *text; /* more for the manual */
};

#define NEEDS_HOME     1U /* an open home */
#define NEEDS_SESSIONS 2U /* and its session store */
#define NEEDS_INPUTS   4U /* operands are files to read */
#define NEEDS_NO_HOME  8U /* nothing at all */

/* All commands. out_count: how many. returns: static storage. */
const struct command *command_table(size_t *out_count);

/* Fails a command with a line of its own. returns: the status of code. */
lh_status run_fail(struct run *run, enum lh_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The commands. Each prints its result through run->output and returns the status of its act, which
 * main turns into the exit code; the row in command_table is its manual.
 */

/* leasehold init */
lh_status run_init(struct run *run);
/* leasehold apply */
lh_status run_apply(struct run *run);
/* leasehold tenant add */
lh_status run_tenant_add(struct run *run);
/* leasehold tenant list */
lh_status run_tenant_list(struct run *run);
/* leasehold tenant show */
lh_status run_tenant_show(struct run *run);
/* leasehold tenant disable */
lh_status run_tenant_disable(struct run *run);
/* leasehold tenant enable */
lh_status run_tenant_enable(struct run *run);
/* leasehold tenant rename */
lh_status run_tenant_rename(struct run *run);
/* leasehold tenant remove */
lh_status run_tenant_remove(struct run *run);
/* leasehold session create */
lh_status run_session_create(struct run *run);
/* leasehold session list */
lh_status run_session_list(struct run *run);
/* leasehold session show */
lh_status run_session_show(struct run *run);
/* leasehold session rotate */
lh_status run_session_rotate(struct run *run);
/* leasehold session revoke */
lh_status run_session_revoke(struct run *run);
/* leasehold key list */
lh_status run_key_list(struct run *run);
/* leasehold key rotate */
lh_status run_key_rotate(struct run *run);
/* leasehold key add */
lh_status run_key_add(struct run *run);
/* leasehold key remove */
lh_status run_key_remove(struct run *run);
/* leasehold token mint */
lh_status run_token_mint(struct run *run);
/* leasehold recover */
lh_status run_recover(struct run *run);
/* leasehold help */
lh_status run_help(struct run *run);

/* Reads --ttl; 0 if it was not given. Errors: INVALID. */
lh_status read_ttl(struct run *run, uint32_t *out_ttl_s);

/* Prints usage: of one command, of a noun's, or of all (command NULL, noun NULL). */
void print_usage(FILE *file, const struct command *command, const char *noun);
/* Prints the manual page in man(7) form. */
void print_manual(FILE *file);
/* Prints the settings as a Markdown reference. */
void print_settings(FILE *file);

#endif
