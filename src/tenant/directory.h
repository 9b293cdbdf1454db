/*
 * What a process knows about its tenants: immutable snapshots, found by name or uid, each good
 * only as long as its change counter stands. The registry room makes snapshots and hands them
 * down; the gate reads them.
 */
#ifndef LH_TENANT_DIRECTORY_H
#define LH_TENANT_DIRECTORY_H

#include "base/arena.h"
#include "base/map.h"
#include "base/secret.h"
#include "tenant/issuer.h"
#include "tenant/signature_key.h"
#include "tenant/signing_key.h"
#include "tenant/tenant_id.h"
#include "tenant/tier.h"

enum lh_tenant_state { LH_TENANT_ACTIVE, LH_TENANT_DISABLED, LH_TENANT_REMOVED };

enum lh_dek_state { LH_DEK_PENDING, LH_DEK_ACTIVE, LH_DEK_DECRYPT_ONLY, LH_DEK_DESTROYED };

/* A data key as the registry holds it: wrapped, with AAD uid ‖ DEK id. */
struct lh_wrapped_dek {
    uint32_t id; /* counts up from 1, never reused */
    enum lh_dek_state state;
    uint64_t created_ms;
    uint64_t retire_ms; /* decrypt-only until then; 0 while active or pending */
    lh_slice blob;      /* in the snapshot's arena */
};

/* A role of a tenant's RBAC map and the scopes that it gives. */
struct lh_role {
    lh_slice name;
    lh_slice *scopes;
    size_t scope_count;
};

/* Powers of two that sessions of this tenant were spread over and that may still hold some. */
#define LH_BUCKET_COUNTS_MAX 12U

/*
 * One tenant at one moment. Immutable; counted references; never shared between threads.
 */
struct lh_tenant {
    uint32_t magic;
    uint32_t references;
    struct lh_tenant_uid uid;
    struct lh_tenant_id id; /* the present name */
    enum lh_tenant_state state;
    uint32_t slot;             /* index of its change counter, > 0 */
    uint64_t counter;          /* the counter's value noted before the read */
    uint64_t platform_counter; /* counter 0 noted before the read */
    uint64_t epoch;            /* tenant epoch */
    uint64_t platform_epoch;
    bool has_user_epochs; /* whether any user of it was ever logged out */
    bool has_revocations; /* whether the registry holds a revocation of it */
    uint32_t bucket_counts[LH_BUCKET_COUNTS_MAX]; /* living ones, the present one first */
    uint8_t bucket_counts_len;
    struct lh_siphash_key bucket_key; /* never rotates */
    struct lh_key index_key;          /* user tags; never rotates */
    struct lh_tier tier;
    uint32_t active_dek; /* id; 0 = none */
    struct lh_wrapped_dek *deks;
    size_t dek_count;
    struct lh_role *roles;
    size_t role_count;
    struct lh_issuer *issuers; /* who may issue tokens for it; its own first */
    size_t issuer_count;
    struct lh_wrapped_signing_key *signing_keys; /* of its own issuer, in order of id */
    size_t signing_key_count;
    struct lh_signature_key *signature_keys; /* with which its services sign requests */
    size_t signature_key_count;
    lh_slice *aliases; /* names beside id */
    size_t alias_count;
    lh_slice *domains; /* host names that map to it */
    size_t domain_count;
    uint64_t created_ms;
    struct lh_arena arena; /* owns what the pointers above point to */
};

/*
 * An empty snapshot with one reference for a maker to fill.
 * max_bytes  bound of its arena. Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_tenant_new(size_t max_bytes, struct lh_tenant **out_tenant);
/* One more reference. */
struct lh_tenant *lh_tenant_ref(struct lh_tenant *tenant);
/* One less; the last one wipes and frees. NULL is accepted. */
void lh_tenant_unref(struct lh_tenant *tenant);
/* For LH_CLEANUP. */
void lh_tenant_fini(struct lh_tenant **tenant);

/* The wrapped key of that id, or NULL. */
const struct lh_wrapped_dek *lh_tenant_find_dek(const struct lh_tenant *tenant, uint32_t dek_id);
/* The role of that name (exact bytes), or NULL. */
const struct lh_role *lh_tenant_find_role(const struct lh_tenant *tenant, lh_slice name);

/* Whether the name is its id or one of its aliases. */
bool lh_tenant_has_name(const struct lh_tenant *tenant, lh_slice name);
/* Whether the host name is one of its domains. */
bool lh_tenant_has_domain(const struct lh_tenant *tenant, lh_slice domain);

/* The bytes of a user tag: what the store knows of a user. */
#define LH_USER_TAG_BYTES 16U

struct lh_user_tag {
    uint8_t bytes[LH_USER_TAG_BYTES];
};

/*
 * The bucket of a user tag (or, for an anonymous session, of the lease id) among bucket_count.
 * seed          the bytes that decide: a tag or a lease id.
 * bucket_count  a power of two.
 */
uint32_t lh_tenant_bucket(const struct lh_tenant *tenant, lh_slice seed, uint32_t bucket_count);

/*
 * The cache of snapshots. Bounded; the least recently used goes. Names that are known not to
 * exist are remembered too, in a smaller table of their own, so that junk names cost no look-up
 * and push nobody out.
 *
 * An answer from memory is as good as one from the source: both counters still have the values
 * that were noted before the read, and the read is less than LH_DIRECTORY_AGE_MAX_MS old. When
 * the source or the counters cannot answer, no older answer stands in.
 */
struct lh_directory;

/* Bounds what a writer killed between its commit and its second raise can leave behind. */
#define LH_DIRECTORY_AGE_MAX_MS 1000U

/*
 * What the registry is asked through; the registry room fills it. A load notes the tenant's
 * counter and the platform's in the snapshot before it reads anything else of it.
 */
struct lh_directory_source {
    void *self;
    /* Current value of a change counter. Errors: COUNTERS_DOWN. */
    lh_status (*read_counter)(void *self, uint32_t slot, uint64_t *out_value);
    /* Loads by id or alias. Errors: ABSENT, REGISTRY_DOWN, NO_MEMORY. */
    lh_status (*load_by_name)(void *self, lh_slice name, struct lh_tenant **out_tenant);
    /* Loads by host name. Errors: as above. */
    lh_status (*load_by_domain)(void *self, lh_slice domain, struct lh_tenant **out_tenant);
    /* Loads by uid. Errors: as above. */
    lh_status (*load_by_uid)(void *self, const struct lh_tenant_uid *uid,
                             struct lh_tenant **out_tenant);
};

/*
 * Makes an empty directory.
 * source       borrowed for its life; tenants_max: snapshots kept at most.
 * hash_key     random bytes of this process.
 * Errors: NO_MEMORY.
 */
LH_MUST_USE lh_status lh_directory_new(const struct lh_directory_source *source, size_t tenants_max,
                                       const struct lh_siphash_key *hash_key,
                                       struct lh_directory **out_directory);
/* Drops all references and frees; NULL is accepted. */
void lh_directory_free(struct lh_directory *directory);

/*
 * Finds a tenant by id or alias; from memory while the counters stand and the entry is younger
 * than 1 s, else from the source.
 * now_ms      session time.
 * out_tenant  a new reference.
 * Errors: ABSENT, REGISTRY_DOWN, COUNTERS_DOWN, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_directory_find_name(struct lh_directory *directory,
                                             const struct lh_tenant_id *name, uint64_t now_ms,
                                             struct lh_tenant **out_tenant);
/* The same by host name. Errors: as above. */
LH_MUST_USE lh_status lh_directory_find_domain(struct lh_directory *directory, lh_slice domain,
                                               uint64_t now_ms, struct lh_tenant **out_tenant);
/* The same by uid. Errors: as above. */
LH_MUST_USE lh_status lh_directory_find_uid(struct lh_directory *directory,
                                            const struct lh_tenant_uid *uid, uint64_t now_ms,
                                            struct lh_tenant **out_tenant);
/*
 * Whether nothing about the tenant has changed since the snapshot was read.
 * Errors: CONFLICT (changed), COUNTERS_DOWN.
 */
LH_MUST_USE lh_status lh_directory_check_fresh(struct lh_directory *directory,
                                               const struct lh_tenant *tenant);
/*
 * Forgets what is known of a tenant, so that the next find asks the source. For who has met proof
 * that a snapshot is old although its counters stand: a writer raises them a second time only after
 * his commit, and a snapshot that was read between the two is old under the right value.
 */
void lh_directory_forget(struct lh_directory *directory, const struct lh_tenant_uid *uid);

#endif
