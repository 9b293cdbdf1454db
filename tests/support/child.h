/*
 * Runs a part of a test in a child process: for code that must abort, and for what a fork may
 * not inherit.
 */
#ifndef LH_TESTS_SUPPORT_CHILD_H
#define LH_TESTS_SUPPORT_CHILD_H

/* Runs part(context) in a child without stderr or core. Returns its wait status. */
int child_run(void (*part)(void *context), void *context);

/* Fails unless part(context) aborts. */
void assert_aborts(void (*part)(void *context), void *context);

#endif
