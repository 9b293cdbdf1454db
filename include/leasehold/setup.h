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

/* Least memory for what processes share: budgets of all tenants and of some 100,000 clients. */
#define LH_SHARED_LEAST_BYTES ((size_t)4 * 1024 * 1024)

/*
 * Makes memory ready for lh_host.shared. For one process, before any other uses it: nginx's master
 * when it reads its configuration. What is ready already stays as it is, so that a reload forgets
 * nothing.
 * memory  zero when it is new; aligned to 64 bytes; len: bytes of it.
 * Errors: INVALID (too small, or made ready for something else), CRYPTO, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_shared_prepare(void *memory, size_t len);

/* Least memory for lh_host.nonces: some 10,000 signatures that have not expired. */
#define LH_NONCES_LEAST_BYTES ((size_t)112 * 1024)

/*
 * Ends a memory of lh_host.nonces for all processes that still use it: they judge no signature by
 * it any more. For whoever puts another one in its place, before anybody uses that.
 */
LH_PUBLIC void lh_nonces_retire(void *memory);

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
 * Errors: UNREADABLE, UNSAFE_FILE, INVALID (a setting), REGISTRY_DOWN, COUNTERS_DOWN, STORE_DOWN,
 * KEY_DOWN, CLOCK_DOWN, FUTURE_FORMAT, TAMPERED, NO_MEMORY, CRYPTO.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_home_open_worker(const char *path, const struct lh_host *host,
                                                    struct lh_home **out_home,
                                                    char out_error[LH_HOME_ERROR_BYTES]);

/* Who shall own a new home and what it is told. */
struct lh_home_plan {
    const char *path;           /* absolute; missing, or empty or unfinished and the caller's */
    const struct lh_host *host; /* borrowed for the call */
};

/*
 * Makes a home: settings, registry with the default tiers, change counters, session store, keys.
 * Runs as the user who will own it. What is left of a call that died is opened by none, and the
 * next one removes it and begins again.
 * Errors: EXISTS (a home, something else, or another call is at it), UNREADABLE, UNSAFE_FILE,
 * NO_SPACE, CLOCK_DOWN, CRYPTO, NO_MEMORY, REGISTRY_DOWN, STORE_DOWN, KEY_DOWN.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_home_create(const struct lh_home_plan *plan,
                                               char out_error[LH_HOME_ERROR_BYTES]);

struct lh_admin_parts;

/*
 * Opens a home for operator acts: registry writable, sessions where needs_sessions, blocking
 * work on the caller's thread.
 * log        where log lines go; its offload is not used. Borrowed for the home's life.
 * actor      who acts, for audit lines; borrowed.
 * Errors: as lh_home_open_worker, except STORE_DOWN: acts answer that themselves.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_home_open_operator(const char *path, const struct lh_host *log,
                                                      const char *actor, bool needs_sessions,
                                                      struct lh_home **out_home,
                                                      char out_error[LH_HOME_ERROR_BYTES]);

/* What lh_admin_new takes, of a home opened for operator acts; borrowed. */
LH_PUBLIC const struct lh_admin_parts *lh_home_admin_parts(const struct lh_home *home);

/*
 * How a recovery goes; zero at first. One process fills it while another may look: it may lie in
 * memory that they share.
 */
struct lh_recovery {
    lh_status status;              /* how lh_home_recover ended */
    bool is_nothing_to_do;         /* no store was set aside */
    unsigned walking;              /* number of the store that is being read; 0: none */
    uint64_t imported;             /* sessions that live on */
    uint64_t ended;                /* not brought back: over, revoked, or of a removed tenant */
    uint64_t unreadable;           /* rows that are no sessions */
    unsigned damaged;              /* stores that could not be read to their end */
    char why[LH_HOME_ERROR_BYTES]; /* on failure */
};

/*
 * Brings back sessions of stores that were set aside after an unclean boot: each record that is not
 * over and that the registry holds nothing against. Then says that what is absent is absent. What
 * was imported once stays: it may be stopped and run again. Waits for another who is at it.
 *
 * Reads pages that a power loss may have damaged, and LMDB trusts pages: to be run in a process of
 * its own that may die of SIGBUS, SIGSEGV or SIGABRT. If it does, whoever started it calls
 * lh_home_give_up_store with recovery->walking and runs another one.
 * log, actor    as lh_home_open_operator; recovery: filled as it goes.
 * Errors: as lh_home_open_worker; NO_SPACE, STORE_DOWN: what was set aside waits.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_home_recover(const char *path, const struct lh_host *log,
                                                const char *actor, struct lh_recovery *recovery);
/*
 * Keeps a store whose reading killed a process as `sessions.damaged`; nobody reads it again.
 * Errors: UNREADABLE, TOO_LARGE, INVALID.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_home_give_up_store(const char *path, unsigned number);

/* Whether sessions of before an unclean boot are still missing from a home that is open. */
LH_PUBLIC bool lh_home_is_recovering(const struct lh_home *home);

/* The gate of a home opened for a worker; borrowed. */
LH_PUBLIC struct lh_gate *lh_home_gate(struct lh_home *home);

/* How often lh_home_tick wants to be called. */
#define LH_HOME_TICK_MS 500U

/*
 * Called every LH_HOME_TICK_MS on the loop: sets the periodic jobs of the store (sync, sweep,
 * reader check, map growth) going on the write lane, one process at a time for each, and looks
 * for new node keys.
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
