/*
 * Files that the caller names on the command line. They are his, not the home's: they are opened
 * with his rights, before the program gives up root's.
 */
#ifndef LH_CLI_FILES_H
#define LH_CLI_FILES_H

#include "command.h"

/* Largest input: ten thousand tenants with all their policies. */
#define INPUT_MAX_BYTES ((size_t)8 * 1024 * 1024)

/*
 * Called first of all: where stdin, stdout or stderr is closed, the next file opened would take its
 * number, and what is printed would land in the registry. Closed ones read nothing and refuse to be
 * written, so that printing onto them fails.
 * returns: false if that could not be done.
 */
bool files_fill_standard(void);

/*
 * Reads every file that the command takes and opens the one that it writes.
 * Errors: ABSENT, UNREADABLE, TOO_LARGE, UNSAFE_FILE, NO_MEMORY; run's line says which file.
 */
LH_MUST_USE lh_status files_open(struct run *run, const struct command *command);
/* Closes and wipes. */
void files_close(struct run *run);
/* Writes a text to the output file, whole. Errors: UNREADABLE, NO_SPACE. */
LH_MUST_USE lh_status files_write(struct run *run, lh_slice text);

#endif
