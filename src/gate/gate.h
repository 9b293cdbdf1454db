/*
 * How setup makes a gate: the parts it decides with. All of them are borrowed and outlive it.
 */
#ifndef LH_GATE_GATE_H
#define LH_GATE_GATE_H

#include <leasehold/gate.h>

struct lh_cell;
struct lh_clock;
struct lh_context_cache;
struct lh_crypto;
struct lh_datakey_cache;
struct lh_directory;
struct lh_key_cache;
struct lh_limits;
struct lh_node_keys;
struct lh_nonce_table;
struct lh_registry;
struct lh_secret_cache;
struct lh_session_cache;
struct lh_vault;
struct lh_verified_cache;

struct lh_gate_parts {
    struct lh_registry *registry;             /* revocations and user epochs */
    struct lh_directory *directory;           /* tenants */
    struct lh_vault *vault;                   /* sessions in their store */
    struct lh_session_cache *session_cache;   /* sessions of the last second */
    struct lh_context_cache *context_cache;   /* contexts that were signed in the last minute */
    struct lh_key_cache *key_cache;           /* keys that verify tokens */
    struct lh_verified_cache *verified_cache; /* tokens of the last second */
    size_t token_max_bytes;                   /* longest token that is read */
    struct lh_cell *cell;                     /* cookie MAC keys */
    struct lh_node_keys *node_keys;           /* what contexts are signed with */
    struct lh_datakey_cache *datakeys;        /* what secrets of signatures are sealed under */
    struct lh_secret_cache *secret_cache;     /* secrets of signatures of the last second */
    struct lh_nonce_table *nonces;            /* NULL: no signature is accepted */
    struct lh_limits *limits;                 /* NULL: nobody is limited */
    struct lh_crypto *crypto;
    const struct lh_clock *clock;
    const struct lh_host *host;
};

/*
 * Makes the gate of this process. After fork; for one thread.
 * parts  read now; what it points to is borrowed for the gate's life.
 * Errors: NO_MEMORY, CRYPTO.
 */
LH_MUST_USE lh_status lh_gate_new(const struct lh_gate_parts *parts, struct lh_gate **out_gate);

/* Frees; pending calls must be cancelled first. NULL is accepted. */
void lh_gate_free(struct lh_gate *gate);

#endif
