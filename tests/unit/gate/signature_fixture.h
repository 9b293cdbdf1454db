/*
 * Request signatures of the fixture's two tenants: each has a key of either algorithm, and a test
 * says what a signature covers and claims.
 */
#ifndef LH_TESTS_GATE_SIGNATURE_FIXTURE_H
#define LH_TESTS_GATE_SIGNATURE_FIXTURE_H

#include "gate_fixture.h"

/* Ids of the tenants' keys; both tenants have the second. */
#define ACME_SECRET   "sig-acme"
#define GLOBEX_SECRET "sig-globex"
#define PARTNER       "partner"

/* What a signature is and says; NULL and zero: what a good one of the tenant is. */
struct signing {
    const char *key_id;     /* the tenant's secret */
    const char *signer;     /* of whom the key is in truth: an id; NULL: key_id */
    const char *method;     /* "GET" */
    const char *target;     /* "/" */
    const char *body;       /* none */
    const char *tenant;     /* X-Tenant-ID */
    const char *components; /* a list as it is written */
    const char *nonce;      /* one that was not used */
    const char *more;       /* parameters, each with ";" in front */
    long created_s;         /* from now */
    long life_s;            /* 60 */
};

/* For cmocka: an installation that takes signatures. *state is a struct installation. */
int signature_setup(void **state);
int signature_teardown(void **state);

/* A policy that takes signatures alone. */
struct lh_gate_policy signature_policy(void);

/* Puts the keys of a tenant into the registry; again after they were dropped, as new ones. */
void give_signature_keys(struct installation *all, const struct lh_tenant_uid *uid);
/* Takes a key away. */
void drop_signature_key(struct installation *all, const struct lh_tenant_uid *uid, const char *id);
/* Begins with a table of nonces of that many bytes, so old that it judges what is made now. */
void renew_nonces(struct installation *all, size_t len);

/* Signs the request, with all headers that it has by now. */
void sent_sign(struct sent *sent, struct installation *all, const struct lh_tenant_uid *uid,
               const struct signing *signing);
/* One request from beginning to end. */
enum lh_reason sign_once(struct installation *all, const struct lh_gate_policy *policy,
                         const char *host, const struct lh_tenant_uid *uid,
                         const struct signing *signing);

#endif
