/*
 * Looks through what is given to free. The test's executable is linked with lh_freed, so that free
 * of the library goes through here.
 */
#ifndef LH_TESTS_SUPPORT_FREED_H
#define LH_TESTS_SUPPORT_FREED_H

#include <stddef.h>

/* Looks for these bytes from now on, and counts from 0. secret: borrowed; NULL: looks for none. */
void freed_watch(const void *secret, size_t len);

/* Blocks that were freed since. */
size_t freed_blocks(void);
/* Those of them that held the bytes. */
size_t freed_traces(void);

#endif
