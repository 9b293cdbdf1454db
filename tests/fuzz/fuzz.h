/*
 * What every fuzz target shares. A target is a file fuzz_<parser>.c with one
 * LLVMFuzzerTestOneInput, which libFuzzer drives with what it invents and replay.c with the seeds.
 */
#ifndef LH_TESTS_FUZZ_FUZZ_H
#define LH_TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

/*
 * Feeds one input to the parser and checks what must hold for every input.
 * bytes  exactly len bytes: a sanitizer sees a read behind them.
 * returns  0 always; a broken property aborts.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A property of the parser; stays on whatever the build type is. */
#define FUZZ_CHECK(property)                                                                       \
    do {                                                                                           \
        if (!(property)) {                                                                         \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* An allocation of exactly len bytes, so that a sanitizer sees a write behind them. */
static inline void *fuzz_room(size_t len)
{
    void *room = malloc(len > 0 ? len : 1);
    FUZZ_CHECK(room != NULL);
    return room;
}

#endif
