/*
 * A change of one live session by an operator that no record put back may undo: what rotating it
 * and giving it a token have in common.
 *
 * Order: the session is read; the registry is locked, and what was read is judged by what it says;
 * the counter moves; the store is written and synced; the registry demands the new generation; the
 * counter moves again. The registry is written last: a generation that it demands must be there.
 */
#ifndef LH_ADMIN_SESSION_CHANGE_H
#define LH_ADMIN_SESSION_CHANGE_H

#include "admin/session_access.h"

/* One change under way. Set admin, tenant_id, ref and what, the rest zero; fini it. */
struct lh_admin_session_change {
    struct lh_admin *admin;
    lh_slice tenant_id;
    lh_slice ref;
    const char *what; /* "rotate the session": for messages */
    struct lh_session_key key;
    struct lh_loaded_session loaded;
    struct lh_tenant *tenant; /* as of the transaction */
    struct lh_registry_txn *txn;
};

/* Gives up what was not committed; accepts an empty one. */
void lh_admin_change_fini(struct lh_admin_session_change *change);

/*
 * Loads the session, and begins the transaction in which it is judged.
 * Errors: ABSENT, DISABLED, MALFORMED (ref), REVOKED, EXPIRED, TAMPERED, CONFLICT (the tenant was
 * renamed meanwhile), STORE_DOWN, NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_change_begin(struct lh_admin_session_change *change);

/*
 * Ends it, with the store written. The counter moves, whatever comes of it.
 * demand  what the registry shall hold of the session that was loaded, until its absolute end.
 * Errors: the store's and the registry's, for the caller to explain: the store's change stands.
 */
LH_MUST_USE lh_status lh_admin_change_commit(struct lh_admin_session_change *change,
                                             const struct lh_revocation *demand);

#endif
