/*
 * Who may issue tokens for a tenant, and the keys that verify them: plain values of a tenant's
 * snapshot, filled by the registry. The tenant's own signing key is an issuer like the others.
 *
 * Rows are checked when they are made: iss and kid are unique in their list, material makes a key
 * (lh_public_key_new), and two tenants share an iss only if both rows say so and each binds by a
 * value or an audience of its own.
 */
#ifndef LH_TENANT_ISSUER_H
#define LH_TENANT_ISSUER_H

#include "crypto/public_key.h"

/* Longest iss, kid, audience, and name or value of a claim. */
#define LH_ISSUER_TEXT_MAX_BYTES 255U
/* Most issuers of a tenant, keys and audiences of an issuer. */
#define LH_ISSUERS_MAX          16U
#define LH_ISSUER_KEYS_MAX      32U
#define LH_ISSUER_AUDIENCES_MAX 16U
/* Clocks of issuers that differ by more are to be mended (RFC 8725 says nothing; we do). */
#define LH_TOKEN_SKEW_MAX_S 30U

/* A key that verifies. It has one algorithm, whatever a token says. */
struct lh_verify_key {
    lh_slice kid; /* exact bytes */
    enum lh_algorithm algorithm;
    lh_slice material;
    uint64_t until_ms; /* session time from which it no longer verifies; 0 = open */
};

struct lh_issuer {
    lh_slice iss;        /* exact bytes */
    bool is_own;         /* the tenant's own signing keys */
    bool is_shared;      /* other tenants may have the same iss */
    lh_slice bind_claim; /* names the tenant ("tenant_id"); empty: its audiences do */
    lh_slice bind_value; /* what that claim must be; empty: the tenant's id, an alias or its uid */
    lh_slice *audiences; /* empty: whatever the location asks for */
    size_t audience_count;
    uint32_t skew_s; /* at most LH_TOKEN_SKEW_MAX_S; more counts as that */
    lh_slice typ;    /* what the header's typ must be ("at+jwt"); empty: absent, JWT or at+jwt */
    struct lh_verify_key *keys;
    size_t key_count;
    uint64_t generation; /* of the tenant's rows; changes with any of them */
};

struct lh_tenant;

/* The issuer of that iss (exact bytes), or NULL. */
const struct lh_issuer *lh_tenant_find_issuer(const struct lh_tenant *tenant, lh_slice iss);

/*
 * The key of that kid (exact bytes) that still verifies at now_ms, or NULL.
 * kid  empty: the issuer's only key, if there is just one that still verifies (RFC 7515 §4.1.4
 *      leaves the kid out where it says nothing).
 */
const struct lh_verify_key *lh_issuer_find_key(const struct lh_issuer *issuer, lh_slice kid,
                                               uint64_t now_ms);

/*
 * Whether an issuer of others may stand in the registry as it is: texts, lists and numbers inside
 * their bounds, kids and audiences each once, at least one key, of a length that its algorithm
 * has, and a claim or an audience that binds tokens to the tenant. Errors: INVALID.
 */
LH_MUST_USE lh_status lh_issuer_check(const struct lh_issuer *issuer);

/*
 * Whether no token of this one iss can mean both tenants that have these rows: both say that they
 * share it, and either one claim names the tenant in both, with values that differ or with the
 * tenants' own names, or audiences do in both, and none of them is the same.
 */
bool lh_issuer_is_told_from(const struct lh_issuer *one, const struct lh_issuer *other);

/*
 * Whether a claim names the tenant: its id, an alias (both exact bytes) or its uid. What has the
 * form of a uid is never taken for a name.
 */
bool lh_tenant_is_named_by(const struct lh_tenant *tenant, lh_slice claim);

#endif
