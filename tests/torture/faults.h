/*
 * Faults on demand, in all that the library asks of others: memory, LMDB, OpenSSL, files and the
 * host. Every such call of the program is counted; one of them, or all from one on, fail. The
 * executable is linked with --wrap for each (meson.build); calls of the host go through
 * faults_lend.
 */
#ifndef LH_TESTS_TORTURE_FAULTS_H
#define LH_TESTS_TORTURE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

struct fake_host;

/* The nth call from now (1 = the next) fails, and if it lasts, all after it. 0: none fails. */
void faults_at(size_t nth, bool is_lasting);

/* Calls since the last faults_at. */
size_t faults_counted(void);

/* What failed first since the last faults_at; "nothing". */
const char *faults_first(void);

/* Lets the host's calls fail too: lanes that take nothing, a clock that jumps by ten seconds. */
void faults_lend(struct fake_host *fake);

#endif
