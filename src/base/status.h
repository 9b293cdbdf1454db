/*
 * The two macros by which a status travels, and nothing else that hides control flow.
 */
#ifndef LH_BASE_STATUS_H
#define LH_BASE_STATUS_H

#include <leasehold/types.h>

/* Passes any status but OK to the caller, PENDING too. */
#define LH_TRY(call)                                                                               \
    do {                                                                                           \
        lh_status lh_try_status_ = (call);                                                         \
        if (lh_try_status_.code != LH_OK) {                                                        \
            return lh_try_status_;                                                                 \
        }                                                                                          \
    } while (0)

/* Returns the given code unless the condition holds: LH_ENSURE(n <= LIMIT, LH_TOO_LARGE). */
#define LH_ENSURE(condition, failure)                                                              \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return lh_status_of(failure);                                                          \
        }                                                                                          \
    } while (0)

/* Runs fini(&object) when the object's scope ends, whichever way it ends. */
#define LH_CLEANUP(fini) __attribute__((cleanup(fini)))

/* The status OK. */
static inline lh_status lh_ok(void)
{
    return lh_status_of(LH_OK);
}

#endif
