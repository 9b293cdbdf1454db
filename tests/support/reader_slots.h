/*
 * Takes a process's slots in the table of readers of an LMDB environment away, as another that
 * has the same number in another namespace of processes does when it closes the environment.
 */
#ifndef LH_TESTS_SUPPORT_READER_SLOTS_H
#define LH_TESTS_SUPPORT_READER_SLOTS_H

#include <stddef.h>

/* directory: of the environment. returns: how many slots this process had. */
size_t reader_slots_take_away(const char *directory);

#endif
