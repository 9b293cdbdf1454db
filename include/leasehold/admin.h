/*
 * What an operator does to a home: tenants, policies, sessions and keys. The command line and the
 * daemon's admin socket are two faces of these acts; neither knows anything that is not here.
 *
 * Acts block (they write, sync and read key files) and belong to one thread that may. Every act
 * is either done or not done, whenever the process dies: the commit of the registry is the point
 * at which it is. Acts that were done leave one audit line in the host's log.
 *
 * Results are handed to callbacks as views that are valid during the callback only.
 */
#ifndef LEASEHOLD_ADMIN_H
#define LEASEHOLD_ADMIN_H

#include <leasehold/host.h>
#include <leasehold/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lh_cell;
struct lh_clock;
struct lh_crypto;
struct lh_keys;
struct lh_registry;
struct lh_store;
struct lh_vault;

/* One line: what is wrong and what to do about it. */
#define LH_ADMIN_WHY_BYTES 512U

/* An open home as operator acts use it; lh_home_open_operator fills it. */
struct lh_admin_parts {
    struct lh_registry *registry; /* writable */
    struct lh_keys *keys;
    struct lh_cell *cell;
    struct lh_crypto *crypto;
    struct lh_store *store;    /* NULL: sessions cannot be read or written now */
    struct lh_vault *vault;    /* NULL with store */
    const char *store_problem; /* why store is NULL; one line */
    const char *key_fault;     /* what failed last in the keyring; "" or NULL: nothing */
    const struct lh_clock *clock;
    const struct lh_host *host;
    const char *node_path;   /* directory of the node's keys */
    const char *jwks_path;   /* the published set */
    const char *public_path; /* directory of it, and of the tenants' */
    /* Runs what was offloaded to the host until nothing is left. */
    void (*run_tasks)(void *context);
    void *run_context;
    const char *actor; /* who acts, for audit lines: "cli:root" */
};

struct lh_admin;

/*
 * Makes the acts of an open home.
 * parts  read now; all that it points to is borrowed until lh_admin_free.
 * Errors: NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_new(const struct lh_admin_parts *parts,
                                             struct lh_admin **out_admin);
/* Frees; NULL is accepted. */
LH_PUBLIC void lh_admin_free(struct lh_admin *admin);

/*
 * Why the last act of this handle failed: one line for people, borrowed until the next act.
 * Empty after a success.
 */
LH_PUBLIC const char *lh_admin_why(const struct lh_admin *admin);

/* Texts lent for a call. */
struct lh_admin_texts {
    const lh_slice *items;
    size_t count;
};

/* --- Tenants ---------------------------------------------------------------------------------- */

struct lh_admin_role {
    lh_slice name;
    struct lh_admin_texts scopes;
};

struct lh_admin_tenant {
    lh_slice id;
    lh_slice uid;   /* 32 hex digits */
    lh_slice state; /* "active", "disabled", "removed" */
    lh_slice tier;
    lh_slice cookie; /* the cookie's name where the host does not name the tenant */
    struct lh_admin_texts aliases;
    struct lh_admin_texts domains;
    const struct lh_admin_role *roles;
    size_t role_count;
    struct lh_admin_texts issuers;        /* iss of each, its own first */
    struct lh_admin_texts signature_keys; /* id of each */
    uint32_t idle_s;                      /* of its tier */
    uint32_t absolute_s;                  /* of its tier */
    uint32_t requests_per_s;              /* of its tier; 0: no limit */
    uint32_t requests_burst;              /* of its tier; 0: no limit */
    uint32_t buckets;
    uint32_t slot;
    uint64_t epoch;
    uint64_t created_ms;
    uint32_t active_key;
    size_t key_count;
};

typedef void (*lh_admin_tenant_fn)(void *context, const struct lh_admin_tenant *tenant);

struct lh_admin_tenant_spec {
    lh_slice id;
    lh_slice tier; /* empty: "standard" */
    struct lh_admin_texts domains;
    struct lh_admin_texts aliases;
    bool may_reclaim; /* take names that are reserved for another tenant; audited */
};

/*
 * Makes a tenant with keys of its own.
 * Errors: MALFORMED (a name), RESERVED, EXISTS, ABSENT (the tier), NO_SPACE, REGISTRY_DOWN,
 * COUNTERS_DOWN, KEY_DOWN, CRYPTO, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_tenant_add(struct lh_admin *admin,
                                                    const struct lh_admin_tenant_spec *spec,
                                                    lh_admin_tenant_fn each, void *context);
/*
 * Calls each for every tenant, removed ones too, in order of id.
 * Errors: REGISTRY_DOWN, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_tenant_list(struct lh_admin *admin,
                                                     lh_admin_tenant_fn each, void *context);
/* Calls each once. id: the name or an alias. Errors: ABSENT, REGISTRY_DOWN, NO_MEMORY. */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_tenant_show(struct lh_admin *admin, lh_slice id,
                                                     lh_admin_tenant_fn each, void *context);
/*
 * Stops a tenant: its sessions are refused at once and live again with enable, unless they have
 * ended meanwhile. OK also if it is disabled already.
 * Errors: ABSENT, FORBIDDEN (removed), NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_tenant_disable(struct lh_admin *admin, lh_slice id);
/* Starts it again. Errors: as disable. */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_tenant_enable(struct lh_admin *admin, lh_slice id);
/*
 * Gives a tenant another name. The old one stops at once and stays reserved for this tenant.
 * Errors: ABSENT, MALFORMED, RESERVED, EXISTS, FORBIDDEN (removed), NO_SPACE, REGISTRY_DOWN,
 * COUNTERS_DOWN.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_tenant_rename(struct lh_admin *admin, lh_slice id,
                                                       lh_slice new_id);
/*
 * Removes a tenant: all sessions end, its names stay reserved, its record and keys are kept.
 * Errors: ABSENT, NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_tenant_remove(struct lh_admin *admin, lh_slice id);

/* --- Sessions --------------------------------------------------------------------------------- */

struct lh_admin_session_spec {
    lh_slice tenant;
    lh_slice subject; /* empty: anonymous */
    struct lh_admin_texts roles;
    struct lh_admin_texts scopes;
    struct lh_admin_texts groups;
    lh_slice state; /* JSON text, or empty */
    uint32_t ttl_s; /* 0: the tier's absolute life; longer than that is refused */
    bool is_sealed; /* its cookie holds it whole: it lies in no store, and has no state */
};

/* A credential: never logged, wiped after the callback. */
struct lh_admin_credential {
    lh_slice cookie_name;
    lh_slice cookie_value;
    lh_slice ref;
    uint64_t absolute_end_ms;
    uint32_t idle_s;
};

typedef void (*lh_admin_credential_fn)(void *context, const struct lh_admin_credential *made);

/*
 * Makes a session; it lies safe on disk when this returns, or nowhere if it is sealed.
 * Errors: ABSENT (tenant), DISABLED, MALFORMED (subject, role, scope, group or state), TOO_LARGE,
 * INVALID (sealed with a state), LIMITED (ttl over the tier's), KEY_DOWN, STORE_DOWN,
 * REGISTRY_DOWN, NO_SPACE, CRYPTO, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_session_create(struct lh_admin *admin,
                                                        const struct lh_admin_session_spec *spec,
                                                        lh_admin_credential_fn each, void *context);

struct lh_admin_session {
    lh_slice ref;
    lh_slice standing; /* "live", or why it cannot be used: "tampered", "unknown", ... */
    bool has_user;
    bool is_open; /* whether subject, roles, scopes and groups are known */
    lh_slice subject;
    struct lh_admin_texts roles;
    struct lh_admin_texts scopes;
    struct lh_admin_texts groups;
    size_t state_bytes; /* of the state before sealing; its content is the application's */
    uint64_t generation;
    uint32_t key_id;
    uint64_t created_ms;
    uint64_t last_touch_ms;
    uint64_t idle_end_ms;
    uint64_t absolute_end_ms;
};

typedef void (*lh_admin_session_fn)(void *context, const struct lh_admin_session *session);

/*
 * Calls each for every session of a tenant that has not ended.
 * subject  only those of this user; empty: all.
 * Errors: ABSENT (tenant), MALFORMED (subject), STORE_DOWN, REGISTRY_DOWN, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_session_list(struct lh_admin *admin, lh_slice tenant,
                                                      lh_slice subject, lh_admin_session_fn each,
                                                      void *context);
/*
 * Calls each once.
 * Errors: ABSENT (tenant or session), MALFORMED (ref), REVOKED, EXPIRED, STORE_DOWN,
 * REGISTRY_DOWN, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_session_show(struct lh_admin *admin, lh_slice tenant,
                                                      lh_slice ref, lh_admin_session_fn each,
                                                      void *context);
struct lh_admin_rotation {
    lh_slice tenant;
    lh_slice ref;
    bool has_roles; /* the roles become these: a new lease, and the old one ends at once */
    struct lh_admin_texts roles;
    bool has_scopes; /* likewise */
    struct lh_admin_texts scopes;
};

/*
 * Gives a live session a new credential; it lies safe on disk when this returns. With neither roles
 * nor scopes the session stays what it is, and the old credential passes until the new one is first
 * used, 10 s at most.
 * Errors: ABSENT (tenant or session), DISABLED, MALFORMED (ref, role or scope), TOO_LARGE, REVOKED,
 * EXPIRED, CONFLICT (changed meanwhile), KEY_DOWN, STORE_DOWN, REGISTRY_DOWN, COUNTERS_DOWN,
 * NO_SPACE, CRYPTO, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_session_rotate(struct lh_admin *admin,
                                                        const struct lh_admin_rotation *wish,
                                                        lh_admin_credential_fn each, void *context);

/*
 * Ends one session for good. On STORE_DOWN the revocation stands in the registry all the same.
 * OK also if it was revoked already.
 * Errors: ABSENT (tenant or session), MALFORMED (ref), STORE_DOWN, NO_SPACE, REGISTRY_DOWN,
 * COUNTERS_DOWN.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_session_revoke(struct lh_admin *admin, lh_slice tenant,
                                                        lh_slice ref);
/*
 * The same, also where the store has no such session: then it is taken for a sealed one, and the
 * revocation is kept as long as any could live. Errors: as above, ABSENT for the tenant alone.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_session_revoke_sealed(struct lh_admin *admin,
                                                               lh_slice tenant, lh_slice ref);
/*
 * Ends all sessions of a user, sealed ones too. out_ended: how many were found in his index;
 * sealed ones and others that were being made meanwhile are dead too.
 * Errors: as above.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_session_revoke_user(struct lh_admin *admin,
                                                             lh_slice tenant, lh_slice subject,
                                                             uint64_t *out_ended);
/*
 * Ends all sessions of a tenant, in constant time.
 * Errors: ABSENT, NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_session_revoke_all(struct lh_admin *admin,
                                                            lh_slice tenant);

/* --- Keys ------------------------------------------------------------------------------------- */

struct lh_admin_key {
    lh_slice kind;   /* "tenant", "signing", "signature", "node", "cell" */
    lh_slice tenant; /* its id; empty for others */
    lh_slice id;     /* a number, the kid of a node or signing key, a signature's keyid */
    lh_slice state;  /* "pending", "active", "decrypt-only", "verify-only", "over", "destroyed" */
    uint64_t created_ms; /* 0 = not known */
    uint64_t from_ms;    /* node and signing keys: first use */
    uint64_t until_ms;   /* when it goes; 0 = open */
};

typedef void (*lh_admin_key_fn)(void *context, const struct lh_admin_key *key);

/*
 * Calls each for every key, never with the key itself.
 * tenant  only this one's; empty: all tenants', the node's and the cell's.
 * Errors: ABSENT, REGISTRY_DOWN, UNREADABLE, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_key_list(struct lh_admin *admin, lh_slice tenant,
                                                  lh_admin_key_fn each, void *context);
/*
 * A new data key for a tenant: what is written from now on is sealed under it, what exists still
 * opens. Nobody is logged out. each is called with the new key.
 * Errors: ABSENT, FORBIDDEN (removed), LIMITED (too many keys), KEY_DOWN, NO_SPACE, REGISTRY_DOWN,
 * COUNTERS_DOWN, CRYPTO, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_key_rotate(struct lh_admin *admin, lh_slice tenant,
                                                    lh_admin_key_fn each, void *context);
/* The same for every tenant that is not removed, one act for each. Errors: the first one's. */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_key_rotate_all(struct lh_admin *admin,
                                                        lh_admin_key_fn each, void *context);
/*
 * A new key for this node's contexts: published now, used after 10 min.
 * Errors: LIMITED (one waits already), UNREADABLE, UNSAFE_FILE, NO_SPACE, CRYPTO, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_key_rotate_node(struct lh_admin *admin,
                                                         lh_admin_key_fn each, void *context);

/*
 * A new key for signing a tenant's tokens: published now, used after 10 min; the tenant's first at
 * once. What the one before has signed is verified until the longest of it is over.
 * Errors: ABSENT, FORBIDDEN (removed), LIMITED (one waits already, or too many), KEY_DOWN,
 * UNREADABLE, UNSAFE_FILE, NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, CRYPTO, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_key_rotate_signing(struct lh_admin *admin, lh_slice tenant,
                                                            lh_admin_key_fn each, void *context);
/* The same for every tenant that has such a key and none that waits. Errors: the first one's. */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_key_rotate_signing_all(struct lh_admin *admin,
                                                                lh_admin_key_fn each,
                                                                void *context);

/* --- Keys of request signatures --------------------------------------------------------------- */

struct lh_admin_signature_key_spec {
    lh_slice tenant;
    lh_slice id;         /* ed25519: as the service says it in keyid; empty: one is made */
    lh_slice algorithm;  /* "hmac-sha256" or "ed25519" */
    lh_slice public_key; /* ed25519: PEM; hmac-sha256: empty, for the secret is made */
    lh_slice subject;    /* whom the key speaks for; empty: its id */
    struct lh_admin_texts roles;
    struct lh_admin_texts scopes;
    uint32_t ttl_s; /* 0: no end */
};

/* A credential where it has a secret: never logged, wiped after the callback. */
struct lh_admin_signature_key {
    lh_slice id;
    lh_slice algorithm;
    lh_slice secret; /* hmac-sha256: base64; it is not to be had again. Else empty */
    lh_slice subject;
    struct lh_admin_texts roles;
    struct lh_admin_texts scopes;
    uint64_t until_ms; /* 0: no end */
};

typedef void (*lh_admin_signature_key_fn)(void *context, const struct lh_admin_signature_key *made);

/*
 * Gives a tenant a key under which a service signs its requests (RFC 9421). A secret is made here
 * and lies sealed under the tenant's data key. Workers know it at once.
 * Errors: ABSENT (tenant), FORBIDDEN (removed), MALFORMED (id, algorithm, public key, subject, role
 * or scope), INVALID (an id for a secret), TOO_LARGE, EXISTS, LIMITED (too many), KEY_DOWN,
 * NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN, CRYPTO, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status
lh_admin_signature_key_add(struct lh_admin *admin, const struct lh_admin_signature_key_spec *spec,
                           lh_admin_signature_key_fn each, void *context);
/*
 * Takes one away: when this returns, no worker accepts its signatures any more.
 * Errors: ABSENT (tenant or key), NO_SPACE, REGISTRY_DOWN, COUNTERS_DOWN.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_signature_key_remove(struct lh_admin *admin,
                                                              lh_slice tenant, lh_slice id);

/* --- Tokens ----------------------------------------------------------------------------------- */

struct lh_admin_token_spec {
    lh_slice tenant;
    lh_slice subject;
    struct lh_admin_texts roles;
    struct lh_admin_texts scopes;
    struct lh_admin_texts groups;
    struct lh_admin_texts audiences; /* none: "leasehold-api" */
    lh_slice ref;    /* of a live session of the subject, whose only token it becomes; or empty */
    uint32_t ttl_s;  /* 0: an hour, or what tier and session allow if that is less */
    bool is_service; /* for an application at the session API: has the scope "sessions:*" */
};

/* A credential: never logged, wiped after the callback. */
struct lh_admin_token {
    lh_slice token;
    lh_slice iss;
    lh_slice kid;
    lh_slice jti;
    lh_slice type; /* "at+jwt", "lh-service+jwt" */
    struct lh_admin_texts audiences;
    uint64_t expires_ms;
};

typedef void (*lh_admin_token_fn)(void *context, const struct lh_admin_token *made);

/*
 * Makes a token that the tenant's own key signs; a tenant's first token makes the key. One that
 * belongs to a session ends the one that did before; the session stays as it is otherwise.
 * Errors: ABSENT (tenant or session), DISABLED, MALFORMED (subject, role, scope, group, audience,
 * ref), TOO_LARGE, LIMITED (ttl over the tier's, or over the session's end), MISMATCH (the session
 * is somebody else's), REVOKED, EXPIRED, CONFLICT (the session was changed meanwhile), KEY_DOWN,
 * TAMPERED, STORE_DOWN, and as
 * lh_admin_key_rotate_signing.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_token_mint(struct lh_admin *admin,
                                                    const struct lh_admin_token_spec *spec,
                                                    lh_admin_token_fn each, void *context);

/* --- Policies from files ---------------------------------------------------------------------- */

/* One file's text; name is for messages. */
struct lh_admin_document {
    lh_slice name;
    lh_slice text;
};

/* One difference between what is and what was written. */
struct lh_admin_change {
    lh_slice verb;   /* "add", "change", "drop" */
    lh_slice kind;   /* "tenant", "tier" */
    lh_slice object; /* its name */
    lh_slice field;  /* "tier", "domain", "role admin"...; empty: the object itself */
    lh_slice before; /* empty: was not there */
    lh_slice after;  /* empty: will not be there */
};

typedef void (*lh_admin_change_fn)(void *context, const struct lh_admin_change *change);
/* One mistake in a document: "FILE:LINE:COLUMN: what is wrong". */
typedef void (*lh_admin_mistake_fn)(void *context, lh_slice line);

typedef void (*lh_admin_file_fn)(void *context, lh_slice path);

/*
 * Calls each for every file that a document names as `jwks_file`, so that it can be read with the
 * caller's rights. A relative name begins where the document lies. A document that cannot be read
 * names none: lh_admin_apply tells its mistakes. Errors: TOO_LARGE, NO_MEMORY.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_policy_files(const struct lh_admin_document *document,
                                                      lh_admin_file_fn each, void *context);

struct lh_admin_apply_options {
    const struct lh_admin_document *files; /* those that documents name, by the same paths */
    size_t file_count;
    bool is_dry_run;  /* tell the difference, change nothing */
    bool may_reclaim; /* as in lh_admin_tenant_spec */
    lh_admin_change_fn on_change;
    lh_admin_mistake_fn on_mistake;
    void *context;
};

/*
 * Brings tenants, tiers and policies to the written state, all in one step or not at all. What is
 * not written is left as it is; tenants are never removed.
 * Errors: MALFORMED (on_mistake was called), ABSENT (a tier that there is not), RESERVED, EXISTS,
 * FORBIDDEN, TOO_LARGE, and as lh_admin_tenant_add.
 */
LH_PUBLIC LH_MUST_USE lh_status lh_admin_apply(struct lh_admin *admin,
                                               const struct lh_admin_document *documents,
                                               size_t count,
                                               const struct lh_admin_apply_options *options);

#ifdef __cplusplus
}
#endif

#endif
