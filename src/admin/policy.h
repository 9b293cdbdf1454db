/*
 * What policy files say, read and checked, before anything is compared with the registry. Values
 * that a file does not give are marked as not given: they stay as they are.
 */
#ifndef LH_ADMIN_POLICY_H
#define LH_ADMIN_POLICY_H

#include "admin/admin.h"
#include "base/arena.h"
#include "base/map.h"
#include "codec/yaml.h"

/* Mistakes told in one go; the rest waits for the next try. */
#define LH_POLICY_MISTAKES_MAX 20U

/* Where a thing was written. */
struct lh_policy_place {
    lh_slice document;
    struct lh_yaml_mark at;
};

struct lh_policy_tier {
    struct lh_policy_tier *next;
    struct lh_policy_place place;
    lh_slice name;
    bool has_idle, has_absolute, has_state_size, has_sessions, has_user_sessions, has_per_s,
        has_burst;
    uint32_t idle_s;
    uint32_t absolute_s;
    uint32_t state_bytes;
    uint64_t sessions_max;
    uint32_t user_sessions_max;
    uint32_t requests_per_s;
    uint32_t requests_burst;
};

struct lh_policy_issuer {
    struct lh_policy_place place;
    bool is_bound_by_audience;
    enum lh_algorithm algorithm; /* of keys that do not say; 0: they must */
    struct lh_issuer issuer;     /* as the registry will have it */
    const struct lh_yaml_node *jwks;
    bool is_jwks_file; /* jwks names a file */
};

/* Of ed25519: no other key of signatures is written in a file. */
struct lh_policy_signature_key {
    struct lh_policy_place place;
    struct lh_signature_key key; /* as the registry will have it, but for when it was made */
    struct lh_text_list roles;   /* what key points to */
    struct lh_text_list scopes;
    const struct lh_yaml_node *jwk;
};

struct lh_policy_tenant {
    struct lh_policy_tenant *next;
    struct lh_policy_place place;
    struct lh_tenant_id id;
    lh_slice tier; /* empty: not given */
    bool has_state;
    enum lh_tenant_state state;
    bool has_dropped; /* set while applying: names were released already */
    bool has_aliases, has_domains, has_roles;
    struct lh_admin_texts aliases; /* as the registry spells them */
    struct lh_admin_texts domains; /* likewise */
    struct lh_role *roles;
    size_t role_count;
    bool has_issuers;
    bool are_issuers_changed; /* set while applying: they are to be written */
    bool are_issuers_told;    /* likewise: differences were noted */
    struct lh_policy_issuer *issuers;
    size_t issuer_count;
    bool has_signature_keys;
    struct lh_policy_signature_key *signature_keys;
    size_t signature_key_count;
};

struct lh_policy {
    struct lh_policy_tier *tiers;
    struct lh_policy_tenant *tenants;
    size_t tenant_count;
    struct lh_map tiers_by_name; /* to find what is written twice */
    struct lh_map tenants_by_id;
    struct lh_arena arena; /* owns all of it */
};

/* Frees; for LH_CLEANUP; accepts a zeroed one. */
void lh_policy_fini(struct lh_policy *policy);

/*
 * Reads and checks documents.
 * options     its on_mistake is told of each mistake; its files are those that documents name.
 * out_policy  filled on OK; fini it in any case.
 * Errors: MALFORMED (mistakes were told), TOO_LARGE, NO_MEMORY, CRYPTO.
 */
LH_MUST_USE lh_status lh_policy_read(struct lh_admin *admin,
                                     const struct lh_admin_document *documents, size_t count,
                                     const struct lh_admin_apply_options *options,
                                     struct lh_policy *out_policy);

#endif
