/*
 * The registry of an installation: tenants, names, tiers, wrapped keys, epochs, revocations. One
 * LMDB environment, fully synced; workers open it read-only. Makes the snapshots that the tenant
 * room keeps.
 *
 * Writing: begin, write (each write marks the slots that it changes: raises their counters before
 * the commit), commit (synced), do what must follow outside (tombstones), end (raises them again).
 * An act is acknowledged only after end.
 *
 * A part of map and disk is kept for what takes rights away (revocations, epochs, stopping a
 * tenant, releasing names, sweeping); whatever grants something gets NO_SPACE before that part is
 * touched. After NO_SPACE the transaction can only be ended.
 *
 * A row that cannot be understood is REGISTRY_DOWN, one of a newer version FUTURE_FORMAT. For one
 * thread; the registry may be opened once in a process.
 */
#ifndef LH_REGISTRY_REGISTRY_H
#define LH_REGISTRY_REGISTRY_H

#include <leasehold/host.h>

#include "base/buf.h"
#include "registry/change_counter.h"
#include "store/store_key.h"
#include "tenant/directory.h"

struct lh_registry;
struct lh_registry_txn;

struct lh_registry_options {
    const char *path;          /* directory of the environment */
    const char *counters_path; /* run/changes */
    uint64_t map_bytes;        /* 0 = 1 GiB */
    bool is_read_only;
    const struct lh_host *host; /* for log lines; borrowed */
};

/* What init decides once. counters_id and home_id are never changed. */
struct lh_registry_founding {
    uint8_t home_id[16];                      /* random */
    uint8_t counters_id[LH_COUNTER_ID_BYTES]; /* random */
    uint64_t platform_epoch;
    lh_slice wrapped_cell; /* the cell secret of key id 1, wrapped */
};

/*
 * Makes an empty registry with the default tiers, its directory if need be, and the counters
 * file. A failure leaves no registry behind.
 * Errors: EXISTS, UNREADABLE, NO_SPACE, REGISTRY_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_create(const struct lh_registry_options *options,
                                         const struct lh_registry_founding *founding);
/*
 * Opens a registry that is there; makes nothing. After fork only; once per process.
 * Errors: REGISTRY_DOWN, COUNTERS_DOWN, FUTURE_FORMAT, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_open(const struct lh_registry_options *options,
                                       struct lh_registry **out_registry);
/* Closes; NULL is accepted. */
void lh_registry_close(struct lh_registry *registry);

/* The source from which a directory loads; borrowed for the registry's life. */
const struct lh_directory_source *lh_registry_source(struct lh_registry *registry);
/* The counters; borrowed. */
struct lh_counters *lh_registry_counters(struct lh_registry *registry);

/* The present cell secret, wrapped. out_blob: appended to. Errors: REGISTRY_DOWN, ABSENT. */
LH_MUST_USE lh_status lh_registry_read_cell(struct lh_registry *registry, uint8_t *out_key_id,
                                            struct lh_buf *out_blob);

/* What the registry holds against a session. */
struct lh_revocation {
    bool is_revoked;
    uint64_t least_generation; /* 0 = any */
};

/*
 * Reads the revocation of a session; none is OK with nothing set. One read transaction, about a
 * microsecond; never blocks. Errors: REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_registry_read_revocation(struct lh_registry *registry,
                                                  const struct lh_tenant_uid *uid,
                                                  const struct lh_lease_id *lease,
                                                  struct lh_revocation *out_revocation);
/* Reads a user's epoch, 0 if he has none. Errors: REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_read_user_epoch(struct lh_registry *registry,
                                                  const struct lh_tenant_uid *uid,
                                                  const struct lh_user_tag *tag,
                                                  uint64_t *out_epoch);
/*
 * Calls each for every tenant (removed ones too) in order of id; false ends it. The callback may
 * use the registry. Errors: REGISTRY_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_each_tenant(struct lh_registry *registry,
                                              bool (*each)(void *context,
                                                           const struct lh_tenant *tenant),
                                              void *context);
/* Calls each for every tier in order of name; false ends it. Errors: REGISTRY_DOWN, NO_MEMORY. */
LH_MUST_USE lh_status lh_registry_each_tier(struct lh_registry *registry,
                                            bool (*each)(void *context, const struct lh_tier *tier),
                                            void *context);

/* --- Writing --------------------------------------------------------------------------------- */

/*
 * Begins; waits for other writers. One transaction at a time.
 * Errors: REGISTRY_DOWN (also when it was opened read-only, or was set back behind what a writer
 * has committed: an error line says so), COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_begin(struct lh_registry *registry,
                                        struct lh_registry_txn **out_txn);
/*
 * Begins one that will not be committed: it sees what it writes, nothing of it reaches the disk,
 * and no counter is raised. Errors: as lh_registry_begin.
 */
LH_MUST_USE lh_status lh_registry_rehearse(struct lh_registry *registry,
                                           struct lh_registry_txn **out_txn);
/*
 * Marks a slot as changing: raises its counter now and at end. For what changes outside the
 * registry; the writes below mark by themselves. Errors: COUNTERS_DOWN.
 */
LH_MUST_USE lh_status lh_registry_mark(struct lh_registry_txn *txn, uint32_t slot);
/* Commits, synced. Errors: NO_SPACE, REGISTRY_DOWN: nothing is written then. */
LH_MUST_USE lh_status lh_registry_commit(struct lh_registry_txn *txn);
/*
 * Raises the marked counters again and frees; without a commit nothing was written. For LH_CLEANUP
 * too.
 */
void lh_registry_end(struct lh_registry_txn **txn);

/*
 * A tenant as the transaction sees it. The caller holds the only reference and may change it
 * (memory from its arena) before putting it back.
 * Errors: ABSENT, REGISTRY_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_get_tenant(struct lh_registry_txn *txn,
                                             const struct lh_tenant_uid *uid,
                                             struct lh_tenant **out_tenant);
/* The uid behind an id or alias. Errors: ABSENT, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_find_uid(struct lh_registry_txn *txn,
                                           const struct lh_tenant_id *name,
                                           struct lh_tenant_uid *out_uid);
/*
 * Writes a tenant's own fields (id, state, tier's name, epoch, buckets, keys of indexes, roles,
 * aliases, domains); wrapped DEKs and names have calls of their own, and the active DEK is the
 * newest that is ACTIVE. A new tenant (slot 0) gets the next free slot. An epoch never falls: if
 * the stored one is later, it stays and is set in the tenant.
 * Errors: ABSENT (no such tier), EXISTS (slot 0, but the uid is known), INVALID (another slot, a
 * field out of range), MALFORMED (text that is not UTF-8), TOO_LARGE, NO_SPACE (also when all
 * slots are used), REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_put_tenant(struct lh_registry_txn *txn, struct lh_tenant *tenant);

/* What kind of name: ids and aliases share one space, host names have their own. */
enum lh_name_kind { LH_NAME_TENANT, LH_NAME_DOMAIN };

/*
 * Claims a name for a tenant. A name that is released by the same uid may be claimed again.
 * may_reclaim  take a reserved name of another uid (audited by the caller).
 * Errors: EXISTS (in use by another), RESERVED (released by another, not yet free), INVALID
 * (empty or too long), NO_SPACE.
 */
LH_MUST_USE lh_status lh_registry_claim_name(struct lh_registry_txn *txn, enum lh_name_kind kind,
                                             lh_slice name, const struct lh_tenant_uid *uid,
                                             uint64_t now_ms, bool may_reclaim);
/*
 * Releases a name: reserved for its uid until reserved_until_ms, or longer if it was already.
 * Errors: ABSENT, NO_SPACE.
 */
LH_MUST_USE lh_status lh_registry_release_name(struct lh_registry_txn *txn, enum lh_name_kind kind,
                                               lh_slice name, uint64_t reserved_until_ms);

/* Writes a wrapped DEK of a tenant. Errors: INVALID (id 0), NO_SPACE, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_put_dek(struct lh_registry_txn *txn,
                                          const struct lh_tenant_uid *uid,
                                          const struct lh_wrapped_dek *dek);
/* Why an issuer was refused. */
struct lh_issuer_conflict {
    size_t index;               /* of the issuer in the list */
    struct lh_tenant_uid other; /* the tenant that it could not be told from */
};

/*
 * Puts the issuers of others that a tenant has from now on, in the place of all that it had; none
 * takes them away. Its own issuer comes of its signing keys.
 * out_conflict  written on CONFLICT and, its index alone, on INVALID, DUPLICATE and RESERVED.
 * Errors: TOO_LARGE (more than LH_ISSUERS_MAX less the own one), INVALID (lh_issuer_check),
 * DUPLICATE (two of one iss), RESERVED (an iss that is an own one of some tenant), CONFLICT
 * (another tenant has the iss, and a token could mean both), ABSENT (no such tenant), NO_SPACE,
 * REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_put_issuers(struct lh_registry_txn *txn,
                                              const struct lh_tenant_uid *uid,
                                              const struct lh_issuer *issuers, size_t count,
                                              struct lh_issuer_conflict *out_conflict);
/*
 * Writes a signing key of a tenant. Errors: INVALID (a field out of range), NO_SPACE,
 * REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_put_signing_key(struct lh_registry_txn *txn,
                                                  const struct lh_tenant_uid *uid,
                                                  const struct lh_wrapped_signing_key *key);
/* Removes one; OK if there is none. Errors: NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY. */
LH_MUST_USE lh_status lh_registry_drop_signing_key(struct lh_registry_txn *txn,
                                                   const struct lh_tenant_uid *uid, uint32_t id);

/*
 * The kid of a signing key: the uid's first 8 hex digits, its id, and 8 hex digits of its public
 * half. A rotation that was cut off has published a key under an id that the next one gives again:
 * whoever keeps sets by kid must not take the two for one.
 */
#define LH_SIGNING_KID_MAX_BYTES 28U
/* Writes it. returns: its length. */
size_t lh_signing_kid_write(const struct lh_tenant_uid *uid,
                            const struct lh_wrapped_signing_key *key,
                            char out_kid[LH_SIGNING_KID_MAX_BYTES]);

/*
 * Writes a key of a tenant's request signatures, in the place of the one of its id.
 * Errors: ABSENT (no such tenant), INVALID (lh_signature_key_is_sane), LIMITED
 * (LH_SIGNATURE_KEYS_MAX are there), NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_registry_put_signature_key(struct lh_registry_txn *txn,
                                                    const struct lh_tenant_uid *uid,
                                                    const struct lh_signature_key *key);
/* Removes one. Errors: ABSENT, NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN. */
LH_MUST_USE lh_status lh_registry_drop_signature_key(struct lh_registry_txn *txn,
                                                     const struct lh_tenant_uid *uid,
                                                     lh_slice key_id);

/* Reads a tier. Errors: ABSENT, REGISTRY_DOWN. */
LH_MUST_USE lh_status lh_registry_get_tier(struct lh_registry_txn *txn, lh_slice name,
                                           struct lh_tier *out_tier);
/* Writes a tier. Errors: INVALID, NO_SPACE. */
LH_MUST_USE lh_status lh_registry_put_tier(struct lh_registry_txn *txn, const struct lh_tier *tier);

/*
 * Writes a revocation of one session, kept until keep_until_ms. What is there already is never
 * weakened: revoked stays revoked, and of generations and times the later counts.
 * Errors: NO_SPACE, REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_registry_put_revocation(struct lh_registry_txn *txn,
                                                 const struct lh_tenant_uid *uid,
                                                 const struct lh_lease_id *lease,
                                                 const struct lh_revocation *revocation,
                                                 uint64_t keep_until_ms);
/*
 * Raises a user's epoch to max(previous + 1, now_ms).
 * Errors: NO_SPACE, REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_registry_raise_user_epoch(struct lh_registry_txn *txn,
                                                   const struct lh_tenant_uid *uid,
                                                   const struct lh_user_tag *tag, uint64_t now_ms,
                                                   uint64_t keep_until_ms, uint64_t *out_epoch);
/* Raises a tenant's epoch likewise. Errors: ABSENT, NO_SPACE. */
LH_MUST_USE lh_status lh_registry_raise_tenant_epoch(struct lh_registry_txn *txn,
                                                     const struct lh_tenant_uid *uid,
                                                     uint64_t now_ms, uint64_t *out_epoch);
/* Raises the platform's epoch likewise. Errors: NO_SPACE. */
LH_MUST_USE lh_status lh_registry_raise_platform_epoch(struct lh_registry_txn *txn, uint64_t now_ms,
                                                       uint64_t *out_epoch);
/*
 * Removes revocations and user epochs whose time is over, the oldest first.
 * out_removed  how many; fewer than max_rows means none is left.
 * Errors: NO_SPACE (removing copies pages too: begin again with fewer rows), REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_registry_sweep(struct lh_registry_txn *txn, uint64_t now_ms,
                                        size_t max_rows, size_t *out_removed);

#endif
