/*
 * The keys with which a node signs contexts (ES256). Each key is one file of its own in the
 * home's node directory, written once and never changed: `<kid>.key`. A key signs from its
 * use_from_ms until that of its successor, and is verified for 2 min more; its public half lies
 * in the published JWKS (RFC 7517) at least 10 min before its first use, except for the very
 * first key of a node, which is used at once.
 *
 * `init` and `key rotate --node` make keys; workers open the set read-only.
 */
#ifndef LH_KEYS_NODE_KEY_H
#define LH_KEYS_NODE_KEY_H

#include "crypto/signature.h"

/* How long a public half is published before its key signs. */
#define LH_NODE_KEY_LEAD_MS (10U * 60U * 1000U)
/* How long after its last use a key is still verified. */
#define LH_NODE_KEY_LINGER_MS (2U * 60U * 1000U)
/* Keys of a node at most, waiting and retired ones too: one rotation needs two. */
#define LH_NODE_KEYS_MAX 8U

/* Longest name of a node: [a-z0-9-]. */
#define LH_NODE_NAME_MAX_BYTES 32U
/* "<node>-<16 hex digits>". */
#define LH_NODE_KID_MAX_BYTES (LH_NODE_NAME_MAX_BYTES + 1U + 16U)

struct lh_node_kid {
    uint8_t len;
    char text[LH_NODE_KID_MAX_BYTES];
};

static inline lh_slice lh_node_kid_view(const struct lh_node_kid *kid)
{
    return lh_slice_of(kid->text, kid->len);
}

/* One key of the set. Times are session time. */
struct lh_node_key {
    struct lh_node_kid kid;
    uint64_t created_ms;
    uint64_t use_from_ms;
    uint64_t last_use_ms;        /* when its successor takes over; 0 = it has none */
    struct lh_signing_key *pair; /* owned by the set */
};

/* The keys of this node as one process knows them. For one thread. */
struct lh_node_keys;

/*
 * Makes a name for this node from the system's host name: its first label, lower case, every
 * other character "-"; "node" if nothing is left.
 * out_name  at least LH_NODE_NAME_MAX_BYTES + 1 bytes, NUL-terminated.
 */
void lh_node_name_of_host(char out_name[LH_NODE_NAME_MAX_BYTES + 1]);

/* Where a node's keys lie, and where their public halves are published. */
struct lh_node_key_place {
    const char *dir;    /* must exist, 0700 */
    const char *jwks;   /* path of the published set (public/jwks.json) */
    unsigned jwks_mode; /* of a new one: 0600 to 0644 */
};

/*
 * Makes a key: publishes its public half with those of all others that are not over, and then
 * writes its file. Whoever is killed between the two leaves a public half that verifies nothing;
 * in the other order the key would come into use and nobody could verify it. The first one of a
 * directory is used at once, each later one LH_NODE_KEY_LEAD_MS after now_ms (and after all that
 * exist). Keys whose time is over are removed before. Waits for another process that makes one.
 * node_name  1 to LH_NODE_NAME_MAX_BYTES of [a-z0-9-].
 * now_ms     session time.
 * Errors: INVALID (name), LIMITED (LH_NODE_KEYS_MAX keys are waiting or not yet over),
 * UNREADABLE, UNSAFE_FILE, NO_SPACE, CRYPTO, NO_MEMORY: there is no new key.
 */
LH_MUST_USE lh_status lh_node_key_create(struct lh_crypto *crypto,
                                         const struct lh_node_key_place *place, lh_slice node_name,
                                         uint64_t now_ms, struct lh_node_kid *out_kid);
/*
 * Removes the files of keys that are no longer verified at now_ms.
 * out_removed  how many. Errors: UNREADABLE, UNSAFE_FILE, TAMPERED, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_node_key_retire(struct lh_crypto *crypto, const char *dir, uint64_t now_ms,
                                         size_t *out_removed);

/*
 * Reads the set. Writes nothing.
 * crypto  borrowed for the set's life; dir: copied.
 * Errors: KEY_DOWN (no key at all), UNREADABLE, UNSAFE_FILE (owner, mode or type), TAMPERED (not
 * a key file, or its name is not its kid), FUTURE_FORMAT, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_node_keys_open(struct lh_crypto *crypto, const char *dir,
                                        struct lh_node_keys **out_keys);
/* Wipes and frees; NULL is accepted. */
void lh_node_keys_close(struct lh_node_keys *keys);

/*
 * Reads the set again if the directory has changed since; one system call if not. Call it about
 * once a second. On an error the old set goes on serving. Keys handed out before are gone if
 * out_has_changed.
 * Errors: as lh_node_keys_open.
 */
LH_MUST_USE lh_status lh_node_keys_refresh(struct lh_node_keys *keys, bool *out_has_changed);

/*
 * The key to sign with at now_ms: the one whose use began last.
 * out_key  valid until the next refresh.
 * Errors: KEY_DOWN (none is in use yet).
 */
LH_MUST_USE lh_status lh_node_keys_signer(const struct lh_node_keys *keys, uint64_t now_ms,
                                          const struct lh_node_key **out_key);
/*
 * The key to verify with, by kid. Errors: ABSENT (unknown, not in use yet, or over).
 */
LH_MUST_USE lh_status lh_node_keys_find(const struct lh_node_keys *keys, lh_slice kid,
                                        uint64_t now_ms, const struct lh_node_key **out_key);
/* How many keys there are. */
size_t lh_node_keys_count(const struct lh_node_keys *keys);
/* The key at index < count, in order of first use. */
const struct lh_node_key *lh_node_keys_at(const struct lh_node_keys *keys, size_t index);

#endif
