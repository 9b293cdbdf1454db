/*
 * Bringing the registry to what policies say: one transaction, in which tiers come first, then
 * names that tenants give up, then everything else.
 */
#ifndef LH_ADMIN_APPLY_H
#define LH_ADMIN_APPLY_H

#include "admin/policy.h"

struct lh_apply_change {
    struct lh_apply_change *next;
    struct lh_admin_change view; /* texts in the policy's arena */
};

/* An object that changed, for its audit line. */
struct lh_apply_touched {
    struct lh_apply_touched *next;
    enum lh_audit_event event;
    lh_slice name; /* both in the policy's arena */
    lh_slice key;  /* id of a signature key; empty: it is not about one */
};

struct lh_apply {
    struct lh_admin *admin;
    const struct lh_admin_apply_options *options;
    struct lh_policy *policy;
    struct lh_registry_txn *txn;
    struct lh_apply_change *changes, *last_change;
    struct lh_apply_touched *touched, *last_touched;
    struct lh_admin_founding *foundings; /* new tenants, policy->tenant_count at most; owned */
    size_t founding_count;
};

/* What is different; empty texts mean "nothing". */
struct lh_apply_difference {
    const char *verb; /* "add", "change", "drop" */
    const char *kind; /* "tenant", "tier" */
    lh_slice object;
    lh_slice field;
    lh_slice before;
    lh_slice after;
};

/* Notes a difference; texts are copied. Errors: NO_MEMORY, TOO_LARGE. */
LH_MUST_USE lh_status lh_apply_note(struct lh_apply *apply,
                                    const struct lh_apply_difference *difference);
/*
 * Notes that an object changes.
 * key  id of the tenant's signature key that it is about, or empty. Errors: NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_apply_touch(struct lh_apply *apply, enum lh_audit_event event,
                                     lh_slice name, lh_slice key);
/*
 * Passes OK; puts the place where it was written before any other line that explains a failure.
 */
LH_MUST_USE lh_status lh_apply_check(struct lh_apply *apply, const struct lh_policy_place *place,
                                     lh_status status);

/* Writes a tier's differences. Errors: MALFORMED, NO_SPACE, REGISTRY_DOWN, NO_MEMORY. */
LH_MUST_USE lh_status lh_apply_tier(struct lh_apply *apply, const struct lh_policy_tier *wanted);
/*
 * Releases the names that a tenant shall no longer have, so that another one of the same call may
 * reclaim them. Errors: EXISTS (the id is an alias), FORBIDDEN (removed), and as lh_admin_take.
 */
LH_MUST_USE lh_status lh_apply_tenant_drops(struct lh_apply *apply,
                                            struct lh_policy_tenant *wanted);
/* Writes all else, and makes the tenant if there is none. Errors: as lh_admin_tenant_add. */
LH_MUST_USE lh_status lh_apply_tenant(struct lh_apply *apply,
                                      const struct lh_policy_tenant *wanted);

/*
 * Writes the tenant's public signature keys, and takes those away that are not wanted; secrets
 * stay. tenant: as it is, in the registry by now.
 * Errors: EXISTS (a secret has the id), LIMITED, NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_apply_signature_keys(struct lh_apply *apply,
                                              const struct lh_policy_tenant *wanted,
                                              const struct lh_tenant *tenant);

/*
 * Notes how a tenant's issuers differ, and takes all away where they do, so that another tenant of
 * the same call may have them. Errors: NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_apply_issuer_drops(struct lh_apply *apply, struct lh_policy_tenant *wanted,
                                            const struct lh_tenant *tenant);
/*
 * Writes them, last of all.
 * Errors: FORBIDDEN (two tenants could not be told apart), RESERVED, NO_SPACE, REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_apply_issuers(struct lh_apply *apply, struct lh_policy_tenant *wanted);

#endif
