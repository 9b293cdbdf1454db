/*
 * Sessions in a store, sealed: create, load, judge, open, rotate, revoke. Used by the gate on a
 * loop (with a write queue) and by operator acts (without). What the registry knows of a session
 * (revocations, epochs) is handed in as values: the two rooms do not see each other.
 */
#ifndef LH_SESSION_SESSION_VAULT_H
#define LH_SESSION_SESSION_VAULT_H

#include "host/clock.h"
#include "session/session.h"
#include "store/write_queue.h"

struct lh_vault;

struct lh_vault_parts {
    struct lh_store *store;       /* borrowed, as everything here */
    struct lh_write_queue *queue; /* NULL: writes are made at once, by who may block */
    struct lh_crypto *crypto;
    struct lh_datakey_cache *datakeys;
    const struct lh_clock *clock;
};

/* Makes a vault. Errors: NO_MEMORY. */
LH_MUST_USE lh_status lh_vault_new(const struct lh_vault_parts *parts, struct lh_vault **out_vault);
/* Frees; NULL is accepted. */
void lh_vault_free(struct lh_vault *vault);

struct lh_loaded_session;

/* What a new session shall be. */
struct lh_session_spec {
    struct lh_principal principal; /* empty subject: anonymous */
    lh_slice state;                /* JSON text, or empty */
    uint32_t absolute_s;           /* 0 = the tier's; never longer than the tier's */
    uint32_t idle_s;               /* 0 = the tier's */
    uint64_t user_epoch;           /* the registry's present one for this user, 0 if none */
    /* A live session that ends in the same step, without a grace; NULL: none. */
    const struct lh_loaded_session *replaces;
    bool keeps_end; /* ends no later than the one that it replaces */
};

/*
 * Creates a session under the tenant's active DEK: random lease id and secret. Only where the
 * store may be written at once: without a queue, or in a store that does not block. Over the
 * tier's number of sessions others of the user or the tenant end for it, least recently used first.
 * out_handle  the credential; wipe it. out_header: what was written.
 * out_evicted  who had to go; the caller raises the tenant's counter before he answers.
 * Errors: PENDING (key), TOO_LARGE (principal, or state over the tier's limit), MALFORMED (a
 * subject, role, scope or group that is no token), KEY_DOWN (also: the tenant has no active DEK),
 * LIMITED (an anonymous one, and the tenant has as many signed-in ones as it may), STORE_DOWN,
 * NO_SPACE, CRYPTO, NO_MEMORY, INVALID (the store would block); of the session that it replaces:
 * ABSENT, REVOKED, QUARANTINED, EXPIRED, CONFLICT (changed since it was loaded), FORBIDDEN (it was
 * proved by its previous secret). The caller writes its revocation to the registry.
 */
LH_MUST_USE lh_status lh_vault_create(struct lh_vault *vault, struct lh_op *op,
                                      const struct lh_tenant *tenant,
                                      const struct lh_session_spec *spec,
                                      struct lh_handle *out_handle,
                                      struct lh_session_header *out_header,
                                      struct lh_store_evicted *out_evicted);

/* What a tenant's tier allows in one of its buckets. */
void lh_session_quota(const struct lh_tenant *tenant, struct lh_store_quota *out_quota);

/* A session read from the store; nothing of it is open yet. */
struct lh_loaded_session {
    struct lh_buf bytes;     /* owned; the record lies in it */
    struct lh_store_row row; /* as the store answered; its record is a view into bytes */
    struct lh_session_header header;
    lh_slice header_bytes; /* view into bytes: the AAD */
    struct lh_envelope envelope;
    uint64_t last_touch_ms;
    bool is_previous_secret; /* proved by the previous secret, within its grace: never cached */
};

#define LH_LOADED_SESSION_EMPTY ((struct lh_loaded_session){.bytes = {NULL, 0, 0, 0}})

/* Wipes and frees; accepts an empty one. */
void lh_loaded_session_fini(struct lh_loaded_session *loaded);

/* The same, but keeps memory of at most kept_bytes for the next load. */
void lh_loaded_session_wipe(struct lh_loaded_session *loaded, size_t kept_bytes);

/*
 * Loads the session of a verified handle and judges all that needs no key: the place answers for
 * itself, tombstone, quarantine, the secret, absolute and idle end.
 * A foreign record is queued for quarantine, an expired one for its tombstone; where a new secret
 * is presented for the first time the end of the previous one's grace is.
 * out_loaded  empty at first; after PENDING hand the same one in again, the store writes to it.
 *             Filled on OK, empty after any other error; fini it.
 * Errors: ABSENT, REVOKED, EXPIRED, BAD_SECRET, TAMPERED, FOREIGN, QUARANTINED, FUTURE_FORMAT,
 * STORE_DOWN, PENDING, TIMEOUT, NO_MEMORY, CRYPTO.
 */
LH_MUST_USE lh_status lh_vault_load(struct lh_vault *vault, struct lh_op *op,
                                    const struct lh_handle *handle,
                                    struct lh_loaded_session *out_loaded);

/* How long a previous secret passes at most: what is under way when the new one is given out. */
#define LH_ROTATION_GRACE_MS 10000U

/*
 * Gives a session a new secret and keeps its lease: sign-in, a change of rights and whatever else
 * must leave no old credential behind make a new session instead (lh_session_spec.replaces). The
 * present secret becomes the previous one and passes until the new one is first presented,
 * LH_ROTATION_GRACE_MS at most; the one before it ends now. Seals anew under the tenant's active
 * DEK. Only where the store may be written at once. The caller writes the new generation to the
 * registry as the least one.
 * loaded      as lh_vault_load or lh_vault_inspect gave it.
 * out_handle  the credential; wipe it. out_header: what was written.
 * Errors: PENDING (key), FORBIDDEN (loaded by the previous secret: who holds that alone may be a
 * thief), CONFLICT (changed since it was loaded), ABSENT, REVOKED, QUARANTINED, EXPIRED, TAMPERED,
 * KEY_DOWN, STORE_DOWN, NO_SPACE, CRYPTO, NO_MEMORY, INVALID (the store would block).
 */
LH_MUST_USE lh_status lh_vault_rotate(struct lh_vault *vault, struct lh_op *op,
                                      const struct lh_tenant *tenant,
                                      const struct lh_loaded_session *loaded,
                                      struct lh_handle *out_handle,
                                      struct lh_session_header *out_header);

/*
 * Makes a token the only one of a session: its tag takes the place of the one before. Cookie,
 * secrets, lease and ends stay as they are; the generation goes up by one. Seals anew under the
 * tenant's active DEK. Only where the store may be written at once. The caller writes the new
 * generation to the registry as the least one, or a record put back would revive the token before.
 * loaded      as lh_vault_load or lh_vault_inspect gave it; of a user.
 * tag         lh_token_tag_of its jti. out_header: what was written.
 * Errors: as lh_vault_rotate, FORBIDDEN also for an anonymous session.
 */
LH_MUST_USE lh_status lh_vault_set_token(struct lh_vault *vault, struct lh_op *op,
                                         const struct lh_tenant *tenant,
                                         const struct lh_loaded_session *loaded,
                                         const struct lh_token_tag *tag,
                                         struct lh_session_header *out_header);

/* What the registry knows about one session; handed in by the room above. */
struct lh_session_facts {
    bool is_revoked;
    uint64_t least_generation; /* 0 = any */
    uint64_t platform_epoch;
    uint64_t tenant_epoch;
    uint64_t user_epoch; /* 0 = none */
};

/*
 * Holds a session's header against the registry's facts.
 * Errors: REVOKED (revoked, or an epoch was raised since), TAMPERED (older generation than the
 * registry allows: an old record was put back).
 */
LH_MUST_USE lh_status lh_session_judge(const struct lh_session_header *header,
                                       const struct lh_session_facts *facts);

/*
 * Opens the principal.
 * plain           filled; the principal's views point into it.
 * Errors: PENDING (key), TAMPERED, KEY_DOWN, ABSENT (key destroyed), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_vault_open(struct lh_vault *vault, struct lh_op *op,
                                    const struct lh_tenant *tenant,
                                    const struct lh_loaded_session *loaded, struct lh_buf *plain,
                                    struct lh_principal *out_principal);
/* Opens the state. Errors: ABSENT (none), and as lh_vault_open. */
LH_MUST_USE lh_status lh_vault_open_state(struct lh_vault *vault, struct lh_op *op,
                                          const struct lh_tenant *tenant,
                                          const struct lh_loaded_session *loaded,
                                          struct lh_buf *out_state);

/*
 * Remembers a use: a touch is queued (or made at once without a queue) if the last one is older
 * than the smaller of 60 s and 10 % of the idle time. Never fails the request: what cannot be
 * queued is counted.
 * last_touch_ms  as loaded. returns: the last touch that now counts for this caller's cache.
 */
uint64_t lh_vault_touch(struct lh_vault *vault, const struct lh_session_header *header,
                        uint64_t last_touch_ms);

/*
 * Whether a session is over at now_ms by its absolute or idle end.
 */
bool lh_session_is_over(const struct lh_session_header *header, uint64_t last_touch_ms,
                        uint64_t now_ms);

/* Whether a record itself says that it belongs into a place. */
bool lh_session_is_at_home(const struct lh_session_header *header,
                           const struct lh_session_key *key);
/* Whether what the store compares and indexes, outside the record's seal, is what it says. */
bool lh_session_is_row_true(const struct lh_store_row *row, const struct lh_session_header *header);

/*
 * Puts the tombstone. For operator acts, after the registry's revocation is committed.
 * Errors: NO_SPACE, STORE_DOWN.
 */
LH_MUST_USE lh_status lh_vault_revoke(struct lh_vault *vault, struct lh_op *op,
                                      const struct lh_session_key *key, uint64_t absolute_end_ms);

/*
 * Reads a session for an operator: by key, without its secret; the rest as lh_vault_load.
 * Errors: as lh_vault_load without BAD_SECRET.
 */
LH_MUST_USE lh_status lh_vault_inspect(struct lh_vault *vault, struct lh_op *op,
                                       const struct lh_session_key *key,
                                       struct lh_loaded_session *out_loaded);

#endif
