/*
 * Node keys as files, for this room alone: `<kid>.key` holds magic ‖ version ‖ kid ‖ created ‖
 * use from ‖ private scalar ‖ SHA-256 of all that (against damage, not against forgers: whoever
 * writes here owns the node).
 */
#ifndef LH_KEYS_NODE_KEY_FILE_H
#define LH_KEYS_NODE_KEY_FILE_H

#include "keys/node_key.h"

/* A set as it lies in the directory, in order of first use. */
struct lh_node_key_set {
    size_t count;
    struct lh_node_key keys[LH_NODE_KEYS_MAX];
};

/* Frees the pairs; accepts an empty set. For LH_CLEANUP. */
void lh_node_key_set_fini(struct lh_node_key_set *set);

/*
 * Reads all key files of a directory and derives when each is used last. An empty directory is
 * an empty set.
 * Errors: UNREADABLE, UNSAFE_FILE, TAMPERED, FUTURE_FORMAT, LIMITED (more than LH_NODE_KEYS_MAX
 * files), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_node_key_set_read(struct lh_crypto *crypto, int dir_fd,
                                           struct lh_node_key_set *out_set);

/*
 * Writes the file of a new key. Errors: EXISTS, UNREADABLE, NO_SPACE, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_node_key_file_write(struct lh_crypto *crypto, int dir_fd,
                                             const struct lh_node_key *key);

/* Removes the file of a key. Errors: UNREADABLE. */
LH_MUST_USE lh_status lh_node_key_file_remove(int dir_fd, const struct lh_node_kid *kid);

/*
 * Writes the public halves of a set as a JWK set: those in use, those that wait, and those still
 * verified at now_ms. Replaces the file atomically (temporary file, sync, rename, sync of the
 * directory).
 * path  of the file; mode: of the new file (0600 to 0644).
 * Errors: UNREADABLE, NO_SPACE, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_node_key_set_publish(const struct lh_node_key_set *set, const char *path,
                                              unsigned mode, uint64_t now_ms);

/* Whether a key is no longer even verified at now_ms. */
bool lh_node_key_is_over(const struct lh_node_key *key, uint64_t now_ms);

#endif
