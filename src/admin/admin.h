/*
 * What the files of this room share: the handle, the line that explains a failure, and the few
 * steps that most acts begin and end with.
 */
#ifndef LH_ADMIN_ADMIN_H
#define LH_ADMIN_ADMIN_H

#include <leasehold/admin.h>

#include "audit/audit_event.h"
#include "codec/hostname.h"
#include "host/op.h"
#include "registry/registry.h"
#include "session/session_vault.h"

/* Bound of what one tenant's lists may take while an act builds them. */
#define LH_ADMIN_TENANT_BYTES ((size_t)1024 * 1024)
/* How long released names stay reserved: no credential outlives it. */
#define LH_ADMIN_RESERVED_MS ((uint64_t)LH_TIER_ABSOLUTE_MAX_S * 1000U)
/*
 * Longest time for which a session made before now can matter. Not the present tier's life: the
 * tier may have been shortened since the session was made.
 */
#define LH_ADMIN_LONGEST_LIFE_MS ((uint64_t)LH_TIER_ABSOLUTE_MAX_S * 1000U + LH_TOMBSTONE_MARGIN_MS)

struct lh_admin {
    uint32_t magic;
    struct lh_admin_parts parts;
    bool is_rehearsal; /* nothing will be committed, so nothing is told to the audit log */
    char why[LH_ADMIN_WHY_BYTES];
};

/* Begins an act: checks the handle and forgets the last failure. */
void lh_admin_enter(struct lh_admin *admin);

/* Sets the line that explains a failure. returns: the status of code, never OK. */
lh_status lh_admin_fail(struct lh_admin *admin, enum lh_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Explains that there is no tier of this name, and which one may have been meant. Only committed
 * tiers are suggested. returns: ABSENT.
 */
lh_status lh_admin_fail_tier(struct lh_admin *admin, lh_slice name);

/*
 * Passes OK and failures that are explained already; else explains what was tried.
 * what  "write the registry".
 */
LH_MUST_USE lh_status lh_admin_check(struct lh_admin *admin, lh_status status, const char *what);

/* Session time. */
uint64_t lh_admin_now_ms(const struct lh_admin *admin);

/* Writes the audit line of an act that is done; the actor is added. count: at most 6. */
void lh_admin_audit(struct lh_admin *admin, enum lh_audit_event event,
                    const struct lh_audit_field *fields, size_t count);

/* A snapshot of a tenant by id or alias. Errors: ABSENT, MALFORMED, REGISTRY_DOWN, NO_MEMORY. */
LH_MUST_USE lh_status lh_admin_find(struct lh_admin *admin, lh_slice id,
                                    struct lh_tenant **out_tenant);

/*
 * Begins a registry transaction; that of a rehearsal writes nothing.
 * Errors: REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_begin(struct lh_admin *admin, struct lh_registry_txn **out_txn);

/*
 * The tenant of that id or alias inside the transaction.
 * Errors: ABSENT, MALFORMED, REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_take(struct lh_admin *admin, struct lh_registry_txn *txn,
                                    lh_slice id, struct lh_tenant **out_tenant);

/* The same for acts that a removed tenant refuses. Errors: as above, FORBIDDEN. */
LH_MUST_USE lh_status lh_admin_take_living(struct lh_admin *admin, struct lh_registry_txn *txn,
                                           lh_slice id, struct lh_tenant **out_tenant);

/* Commits. Errors: NO_SPACE, REGISTRY_DOWN: nothing is written then. */
LH_MUST_USE lh_status lh_admin_commit(struct lh_admin *admin, struct lh_registry_txn *txn);

/* Calls each with a tenant as it is seen from outside. Errors: NO_MEMORY. */
LH_MUST_USE lh_status lh_admin_describe_tenant(const struct lh_tenant *tenant,
                                               lh_admin_tenant_fn each, void *context);

/* --- Names (names.c) -------------------------------------------------------------------------- */

/* A name that an act wants for a tenant. */
struct lh_admin_claim {
    enum lh_name_kind kind;
    lh_slice name;
    bool may_reclaim;
};

/*
 * Reads a new id or alias. Errors: MALFORMED, RESERVED.
 */
LH_MUST_USE lh_status lh_admin_parse_id(struct lh_admin *admin, lh_slice text,
                                        struct lh_tenant_id *out_id);
/* Reads a new domain: a full host name without port. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_admin_parse_domain(struct lh_admin *admin, lh_slice text,
                                            struct lh_hostname *out_name);
/*
 * Claims a name and explains a refusal. A name taken from another tenant's reservation is told to
 * the audit log, even if the act fails later: somebody tried.
 * Errors: EXISTS, RESERVED, NO_SPACE, REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_admin_claim_name(struct lh_admin *admin, struct lh_registry_txn *txn,
                                          const struct lh_admin_claim *claim,
                                          const struct lh_tenant_uid *uid);
/* Releases a name, reserved for its tenant. Errors: NO_SPACE, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_admin_release_name(struct lh_admin *admin, struct lh_registry_txn *txn,
                                            enum lh_name_kind kind, lh_slice name);

/* --- New tenants (tenant_found.c) ------------------------------------------------------------- */

/* A tenant that is being made. */
struct lh_admin_founding {
    struct lh_admin *admin;
    struct lh_tenant *tenant; /* one reference */
    bool has_keys;            /* its KEK was made and must go if the act fails */
    bool is_done;             /* committed: the keys stay */
};

/*
 * Draws uid and keys of indexes; nothing is written yet.
 * Errors: MALFORMED, RESERVED, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_founding_begin(struct lh_admin *admin, lh_slice id, lh_slice tier,
                                              struct lh_admin_founding *out_founding);
/*
 * Claims the id and writes the tenant into the transaction; aliases, domains and keys follow.
 * Errors: ABSENT (tier), EXISTS, RESERVED, NO_SPACE, REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_admin_founding_write(struct lh_admin_founding *founding,
                                              struct lh_registry_txn *txn, bool may_reclaim);
/*
 * Makes the tenant's KEK and writes its first data key: last, when nothing of the tenant can be
 * refused any more, for a key file once made is never forgotten.
 * Errors: KEY_DOWN, CRYPTO, NO_SPACE, REGISTRY_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_founding_write_keys(struct lh_admin_founding *founding,
                                                   struct lh_registry_txn *txn);
/* Drops the tenant and, unless it is done, its KEK. For LH_CLEANUP; accepts a zeroed one. */
void lh_admin_founding_fini(struct lh_admin_founding *founding);

/*
 * Adds an alias or domain to a tenant: claims the name and puts it into its list. The caller puts
 * the tenant afterwards. OK also if the tenant has it already.
 * Errors: MALFORMED, EXISTS (also: it is the tenant's id), RESERVED, NO_SPACE, REGISTRY_DOWN,
 * NO_MEMORY.
 */
LH_MUST_USE lh_status lh_admin_add_name(struct lh_admin *admin, struct lh_registry_txn *txn,
                                        struct lh_tenant *tenant,
                                        const struct lh_admin_claim *claim);
/* Takes an alias or domain from a tenant likewise. Errors: NO_SPACE, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_admin_drop_name(struct lh_admin *admin, struct lh_registry_txn *txn,
                                         struct lh_tenant *tenant, enum lh_name_kind kind,
                                         lh_slice name);

#endif
