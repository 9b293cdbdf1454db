/*
 * Bearer tokens of the fixture's two tenants: each has an issuer of its own keys and one of others,
 * and a test says what a token claims.
 */
#ifndef LH_TESTS_GATE_BEARER_FIXTURE_H
#define LH_TESTS_GATE_BEARER_FIXTURE_H

#include "gate_fixture.h"

#define TOKEN_BYTES  8192U

#define STANDARD_JTI "id-1"

enum token_signer { BY_IDP, BY_OWN, BY_STRANGER };

/* What a token says; NULL and zero: what a good one of the tenant says. */
struct token {
    enum token_signer signer;
    const char *tenant; /* "tenant_id"; "" leaves it out */
    const char *sub;    /* "alice" */
    const char *sid;    /* none */
    const char *aud;    /* "leasehold" */
    const char *jti;    /* STANDARD_JTI */
    const char *typ;    /* "at+jwt" */
    const char *extra;  /* more members, each with a comma in front */
    long issued_s;      /* from now */
    long expires_s;     /* from now; 0: ten minutes */
};

/* For cmocka: an installation whose tenants have issuers. *state is a struct installation. */
int bearer_setup(void **state);
int bearer_teardown(void **state);

/* A policy that takes tokens that speak for themselves, and no cookie. */
struct lh_gate_policy bearer_policy(void);

/* Signs a token under a tenant's key; out is a text. */
void make_token(struct installation *all, const struct lh_tenant_uid *uid,
                const struct token *token, char out[TOKEN_BYTES]);
/* Adds "Authorization: Bearer" with a token. */
void sent_add_token(struct sent *sent, struct installation *all, const struct lh_tenant_uid *uid,
                    const struct token *token);
/* Adds "Authorization: Bearer" with a text. */
void sent_add_bearer(struct sent *sent, const char *text);
/* The reference of a visitor's session. */
const char *ref_of(const struct visitor *visitor);
/* Makes a token the one of the visitor's session, as an operator's act does. jti: as in token. */
void give_token(struct installation *all, const struct visitor *visitor, const char *jti);
/* One request from beginning to end. token: of tenant uid; NULL: none. */
enum lh_reason bear_once(struct installation *all, const struct lh_gate_policy *policy,
                         const char *host, const struct lh_tenant_uid *uid,
                         const struct token *token);
/* Takes all issuers of others from a tenant. */
void drop_issuers(struct installation *all, const struct lh_tenant_uid *uid);
/* Raises a tenant's epoch; the epoch of a user of it. */
void log_out_tenant(struct installation *all, const struct lh_tenant_uid *uid);
void log_out_subject(struct installation *all, const struct lh_tenant_uid *uid, const char *sub);

#endif
