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
 * Reads every file that the command takes and opens the one that it writes.
 * Errors: ABSENT, UNREADABLE, TOO_LARGE, UNSAFE_FILE, NO_MEMORY; run's line says which file.
 */
LH_MUST_USE lh_status files_open(struct run *run, const struct command *command);
/* Closes and wipes. */
void files_close(struct run *run);
/* Writes a text to the output file, whole. Errors: UNREADABLE, NO_SPACE. */
LH_MUST_USE lh_status files_write(struct run *run, lh_slice text);

#endif
