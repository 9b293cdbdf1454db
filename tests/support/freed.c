/*
 * What is freed, by the linker's --wrap.
 */
#include "support/freed.h"

#include <malloc.h>
#include <string.h>

static const void *watched;
static size_t watched_len;
static size_t blocks;
static size_t traces;

void __real_free(void *ptr);
void __wrap_free(void *ptr);

void freed_watch(const void *secret, size_t len)
{
    watched = secret;
    watched_len = len;
    blocks = 0;
    traces = 0;
}

size_t freed_blocks(void)
{
    return blocks;
}

size_t freed_traces(void)
{
    return traces;
}

void __wrap_free(void *ptr)
{
    if (ptr != NULL && watched != NULL) {
        blocks++;
        traces += memmem(ptr, malloc_usable_size(ptr), watched, watched_len) != NULL ? 1 : 0;
    }
    __real_free(ptr);
}
