/*
 * Opens a home: builds the object graph that a worker, the daemon or the CLI works with.
 */
#ifndef LEASEHOLD_SETUP_H
#define LEASEHOLD_SETUP_H

#include <leasehold/gate.h>
#include <leasehold/host.h>
#include <leasehold/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A home that is open in this process. */
struct lh_home;

/* Longest explanation of what is wrong with a home. */
#define LH_HOME_ERROR_BYTES 512U

/*
 * Opens a home for a data-plane worker: registry read-only, sessions through the write lane,
 * keys in locked memory. After fork and after dropping privileges; once per process.
 * path       the home's directory.
 * host       borrowed for the home's life.
 * out_error  on failure one line that says what is wrong and what to do.
 * Errors: UNREADABLE, UNSAFE_FILE, REGISTRY_DOWN, COUNTERS_DOWN, STORE_DOWN, KEY_DOWN,
 * CLOCK_DOWN, FUTURE_FORMAT, NO_MEMORY, CRYPTO.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_home_open_worker(const char *path, const struct lh_host *host,
                                                    struct lh_home **out_home,
                                                    char out_error[LH_HOME_ERROR_BYTES]);

/* The gate of an open home; borrowed. */
LH_PUBLIC struct lh_gate *lh_home_gate(struct lh_home *home);

/*
 * Called about once a second on the loop: sets the periodic jobs of the store (sync, sweep,
 * reader check, map growth) going on the write lane, one process at a time for each.
 */
LH_PUBLIC void lh_home_tick(struct lh_home *home);

/*
 * Closes. What a stuck write lane still holds is abandoned, never waited for. NULL is accepted.
 */
LH_PUBLIC void lh_home_close(struct lh_home *home);

/*
 * Checks without opening anything that a home can be used by this user; for configuration tests.
 * Errors: UNREADABLE, UNSAFE_FILE.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_home_check(const char *path,
                                              char out_error[LH_HOME_ERROR_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
