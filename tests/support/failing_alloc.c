/*
 * Allocation failures on demand, by the linker's --wrap.
 */
#include "support/failing_alloc.h"

static size_t fail_at;
static size_t counted;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

void failing_alloc_at(size_t nth)
{
    fail_at = nth;
    counted = 0;
}

size_t failing_alloc_count(void)
{
    return counted;
}

static int is_failing(void)
{
    counted++;
    return counted == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return is_failing() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_failing() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return is_failing() ? NULL : __real_realloc(ptr, size);
}
