/*
 * A whole installation in a scratch directory, with two tenants, a memory store and a gate: what
 * the tests of decisions run against. And requests that read like what a client sends.
 */
#ifndef LH_TESTS_GATE_GATE_FIXTURE_H
#define LH_TESTS_GATE_GATE_FIXTURE_H

#include "gate/gate.h"
#include "gate/limits.h"
#include "keys/node_key.h"
#include "keys/secret_cache.h"
#include "registry/registry.h"
#include "session/context_cache.h"
#include "session/session_cache.h"
#include "support/fake_host.h"
#include "support/scratch_dir.h"
#include "support/test.h"
#include "token/key_cache.h"
#include "token/verified_cache.h"

/* Everything there is; pointers are owned. */
struct installation {
    struct scratch_dir dir;
    struct fake_host host;
    struct lh_crypto *crypto;
    struct lh_registry *registry;
    struct lh_directory *directory;
    struct lh_keys *keys;
    struct lh_cell *cell;
    struct lh_datakey_cache *datakeys;
    struct lh_node_keys *node_keys;
    struct lh_store *store;
    struct lh_vault *vault;
    struct lh_session_cache *session_cache;
    struct lh_context_cache *context_cache;
    struct lh_key_cache *key_cache;
    struct lh_secret_cache *secret_cache;
    struct lh_verified_cache *verified_cache;
    void *shared; /* with installation_limit */
    struct lh_limits *limits;
    struct lh_nonce_table *nonces; /* with signature_setup */
    struct lh_gate *gate;
    struct lh_tenant_uid acme;   /* alias "acme-old", domain "shop.acme.test", role "admin" */
    struct lh_tenant_uid globex; /* domain "globex.test" */
};

/* For cmocka_unit_test_setup_teardown: *state is a struct installation. */
int installation_setup(void **state);
int installation_teardown(void **state);

/* Begins anew what a worker has in memory: no cached session, tenant or key. */
void installation_restart_worker(struct installation *all);

/* Limits the installation: clients at these rates, both tenants at the rate of their tier. */
void installation_limit(struct installation *all, const struct lh_limits_rates *rates,
                        struct lh_rate tenants);

/* What a gate beside the installation's own is made of. */
struct lh_gate_parts installation_parts(const struct installation *all);

/* A session as a browser holds it. */
struct visitor {
    struct lh_session_key key;
    uint64_t absolute_end_ms;
    char cookie[LH_HANDLE_TEXT_BYTES + 1]; /* the value */
    char suffixed_name[LH_COOKIE_SUFFIXED_NAME_BYTES + 1];
    struct lh_user_tag user_tag;
};

/* What a visitor's session shall be; all texts may be NULL. Lists are separated by spaces. */
struct visit {
    const char *subject;
    const char *roles;
    const char *scopes;
    const char *state;
    uint32_t idle_s;
    uint32_t absolute_s;
};

/* Signs somebody in at a tenant. */
struct visitor sign_in(struct installation *all, const struct lh_tenant_uid *tenant,
                       const struct visit *visit);
/* Signs in "alice" with the role "admin" and the scope "read". */
struct visitor sign_in_alice(struct installation *all, const struct lh_tenant_uid *tenant);

/* A transaction on one tenant: changes it by change(tenant) and puts it back. */
void change_tenant(struct installation *all, const struct lh_tenant_uid *uid,
                   void (*change)(struct lh_registry_txn *txn, struct lh_tenant *tenant));
/* Makes another key of the node; its use begins in LH_NODE_KEY_LEAD_MS. */
void rotate_node_key(struct installation *all, struct lh_node_kid *out_kid);
/* Gives a tenant another active key; the old one still opens. */
void rotate_key(struct installation *all, const struct lh_tenant_uid *uid);
/*
 * The same, as slow as it may be: begun(context) is called when the change is announced and not yet
 * made, and the caller gets the transaction when it is made and not yet told (lh_registry_end).
 */
struct lh_registry_txn *rotate_key_slowly(struct installation *all, const struct lh_tenant_uid *uid,
                                          void (*begun)(void *context), void *context);
/* Revokes in the registry alone; in the registry and the store. */
void revoke_in_registry(struct installation *all, const struct visitor *visitor);
void revoke_in_store(struct installation *all, const struct visitor *visitor);
/* Raises the epoch of the visitor's user. */
void log_out_user(struct installation *all, const struct visitor *visitor);

/* A policy that takes the tenant from subdomain of "example.test", host and header. */
struct lh_gate_policy any_policy(void);

#define SENT_HEADERS_MAX 80U

/* A request and its decision; begin with sent_init, end with sent_fini. */
struct sent {
    struct lh_request request;
    struct lh_request_header headers[SENT_HEADERS_MAX];
    struct lh_header all_headers[SENT_HEADERS_MAX]; /* plain ones too */
    size_t all_count;
    struct lh_claimed_nonce claimed;
    struct lh_arena memory;
    bool is_out_of_memory;
    size_t failing_take; /* the nth piece of request memory cannot be had; 0: all can */
    size_t takes;        /* pieces asked for so far */
    struct lh_gate_call *call;
    unsigned wakes;
    struct lh_decision decision;
};

/* A GET of "/" at a host. */
void sent_init(struct sent *sent, const char *host);
void sent_fini(struct sent *sent);
/* Adds a header, classified by its name. */
void sent_add(struct sent *sent, const char *name, const char *value);
/* Adds a header that does not concern the gate, unless a signature covers it. */
void sent_add_plain(struct sent *sent, const char *name, const char *value);
/* Adds the visitor's cookie under "__Host-lh". */
void sent_add_cookie(struct sent *sent, const struct visitor *visitor);
/* Adds it under the name with the tenant's suffix. */
void sent_add_suffixed_cookie(struct sent *sent, const struct visitor *visitor);
/* Asks the gate; the decision must come at once. */
enum lh_reason sent_decide(struct sent *sent, struct installation *all,
                           const struct lh_gate_policy *policy);
/* Asks the gate; the decision must have to be waited for. */
void sent_begin(struct sent *sent, struct installation *all, const struct lh_gate_policy *policy);
/* Asks a gate that may be NULL. */
lh_status sent_ask(struct sent *sent, struct lh_gate *gate, const struct lh_gate_policy *policy);

/* The value that goes upstream under a name, or NULL; fails if there are two. */
const char *sent_injected(struct sent *sent, const char *name);
/* The value in the answer under a name, or NULL; fails if there are two. */
const char *sent_answered(struct sent *sent, const char *name);
/* A NUL-terminated copy. */
const char *sent_text(struct sent *sent, lh_slice text);

/* One request from beginning to end: the reason at a host with a cookie (or NULL). */
enum lh_reason visit_once(struct installation *all, const struct lh_gate_policy *policy,
                          const char *host, const struct visitor *visitor);

/* Fails with both names. */
#define assert_reason(got, expected)                                                               \
    assert_string_equal(lh_reason_name(got), lh_reason_name(LH_REASON_##expected))

#endif
