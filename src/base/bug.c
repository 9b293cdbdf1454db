/*
 * The last words of a process that found itself wrong.
 */
#include "base/bug.h"

#include "base/banned.h"

_Noreturn void lh_bug(const char *what, const char *file, int line)
{
    fprintf(stderr, "leasehold: bug: \"%s\" at %s:%d\n", what, file, line);
    abort();
}
