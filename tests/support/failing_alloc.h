/*
 * Makes chosen allocations fail. The test's executable is linked with lh_failing_alloc_args, so
 * that malloc, calloc and realloc of the library go through here.
 */
#ifndef LH_TESTS_SUPPORT_FAILING_ALLOC_H
#define LH_TESTS_SUPPORT_FAILING_ALLOC_H

#include <stddef.h>

/* The nth allocation from now (1 = the next) fails, once. 0: none fails. */
void failing_alloc_at(size_t nth);

/* Allocations since the last failing_alloc_at. */
size_t failing_alloc_count(void);

#endif
