/*
 * An open home: every part of the object graph, in the order in which it is built. Workers and
 * operator acts build what they need of it; all that is NULL was not built.
 */
#ifndef LH_SETUP_HOME_H
#define LH_SETUP_HOME_H

#include <leasehold/admin.h>
#include <leasehold/setup.h>

#include "gate/gate.h"
#include "host/clock.h"
#include "keys/key_driver.h"
#include "keys/secret_cache.h"
#include "registry/registry.h"
#include "session/context_cache.h"
#include "session/session_cache.h"
#include "session/session_vault.h"
#include "setup/blocking_host.h"
#include "setup/boot.h"
#include "setup/counters_seat.h"
#include "setup/home_layout.h"
#include "setup/jobs.h"
#include "setup/settings.h"
#include "setup/write_watch.h"
#include "tenant/directory.h"
#include "token/key_cache.h"
#include "token/verified_cache.h"

struct lh_home {
    uint32_t magic;
    struct lh_home_layout layout;
    struct lh_settings settings;
    bool is_operator;           /* opened for acts, not for a worker */
    const struct lh_host *host; /* borrowed, or &blocking.host */
    struct lh_clock clock;
    struct lh_crypto *crypto;
    struct lh_registry *registry;
    struct lh_seat seat; /* among those who map its counters */
    struct lh_keys *keys;
    struct lh_cell *cell;
    struct lh_boot boot;
    struct lh_store *store;
    struct lh_datakey_cache *datakeys;
    struct lh_write_queue *queue; /* workers only, as all below up to jobs */
    struct lh_vault *vault;
    struct lh_directory *directory;
    struct lh_node_keys *node_keys;
    struct lh_session_cache *session_cache;
    struct lh_context_cache *context_cache;
    struct lh_key_cache *key_cache;
    struct lh_secret_cache *secret_cache;
    struct lh_verified_cache *verified_cache;
    struct lh_limits *limits;      /* NULL where the host shares no memory */
    struct lh_nonce_table *nonces; /* NULL where it shares none for them */
    struct lh_gate *gate;
    struct lh_jobs jobs;
    struct lh_write_watch write_watch;
    bool has_node_keys_failed;        /* so that a failure is logged once */
    bool has_counters_failed;         /* so that the log says it once */
    struct lh_blocking_host blocking; /* operators only, as all below */
    char store_problem[LH_HOME_ERROR_BYTES];
    char key_fault[LH_KEY_FAULT_BYTES];
    struct lh_admin_parts admin;
};

/* How a home is opened. */
struct lh_home_options {
    const char *path;
    bool is_read_only; /* of the registry */
};

/*
 * Makes an empty, zeroed home. Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_home_new(struct lh_home **out_home);

/*
 * Checks the home, reads its settings and opens clock, crypto, registry, keys and cell secret.
 * home  from lh_home_new, host set.
 * On failure out_error is filled and what was opened is left for lh_home_close.
 * Errors: see lh_home_open_worker.
 */
LH_MUST_USE lh_status lh_home_open_base(struct lh_home *home, const struct lh_home_options *options,
                                        char out_error[LH_HOME_ERROR_BYTES]);

/* How the session store is opened; the strings are the home's. */
struct lh_store_options lh_home_store_options(const struct lh_home *home);

/*
 * Opens the session store, after setting aside one that cannot be believed; the data-key cache
 * and the vault. with_queue: writes go through a queue to the host's write lane.
 * Errors: STORE_DOWN, UNSAFE_FILE, UNREADABLE, NO_SPACE, CLOCK_DOWN, NO_MEMORY, CRYPTO.
 */
LH_MUST_USE lh_status lh_home_open_sessions(struct lh_home *home, bool with_queue,
                                            char out_error[LH_HOME_ERROR_BYTES]);

/*
 * Fills the line that explains a failure: what could not be opened, why, and what helps.
 * what  "the registry". returns: status.
 */
lh_status lh_home_explain(const struct lh_home *home, lh_status status, const char *what,
                          char out_error[LH_HOME_ERROR_BYTES]);

/*
 * Closes a home that could not be opened (NULL is accepted). If nobody has said why, which happens
 * when there is no memory, the line says at least that. returns: status.
 */
lh_status lh_home_give_up(struct lh_home *home, lh_status status, const char *path,
                          char out_error[LH_HOME_ERROR_BYTES]);

/* A fresh hash key of this process. Errors: CRYPTO. */
LH_MUST_USE lh_status lh_home_make_hash_key(struct lh_home *home, struct lh_siphash_key *out_key);

#endif
