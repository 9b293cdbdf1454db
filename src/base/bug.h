/*
 * For our own mistakes only, never for input. It stays on in release builds: an aborted process
 * is better than a confused one that goes on serving tenants.
 */
#ifndef LH_BASE_BUG_H
#define LH_BASE_BUG_H

/*
 * Says on stderr where the mistake is and aborts.
 * what  the condition that held, as text; file, line: where.
 */
_Noreturn void lh_bug(const char *what, const char *file, int line);

#define LH_BUG_IF(condition)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(!!(condition), 0)) {                                                  \
            lh_bug(#condition, __FILE__, __LINE__);                                                \
        }                                                                                          \
    } while (0)

/*
 * Object magic: the first member of every heap object that travels through void *. Each number
 * is unique in the tree (checked by tools/check_magic).
 */
#define LH_MAGIC_CHECK(object, expected)                                                           \
    LH_BUG_IF((object) == NULL || (object)->magic != (expected))

#endif
