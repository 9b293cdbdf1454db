/*
 * Signatures that were used: each nonce is claimed once while its signature could be used again.
 * The table lies in memory that the host lends and all its workers share. One claim is one atomic
 * exchange of one word, so that a process that dies anywhere leaves nothing half done.
 *
 * What the table does not know it refuses to judge. It remembers its birth, for a signature that
 * could have been used before that may have been used in an earlier table. Nothing is ever evicted
 * to make room: a full table refuses. And no tenant may fill it: each has a share.
 *
 * A nonce is kept as 32 bits of a keyed hash, in one of a few places that the rest of the hash
 * tells: once in a hundred million claims a new nonce is taken for a used one. Never the reverse.
 */
#ifndef LH_TOKEN_NONCE_TABLE_H
#define LH_TOKEN_NONCE_TABLE_H

#include "base/siphash.h"
#include "tenant/tenant_id.h"

/* Least memory: 10,176 places, of which some two thirds can be used before a claim finds none. */
#define LH_NONCE_TABLE_LEAST_BYTES ((size_t)112 * 1024)
/* Of all places, what one tenant may hold: an eighth. */
#define LH_NONCE_TABLE_SHARE 8U

struct lh_nonce_table;

/*
 * Takes the table in shared memory into use. Any process, at any time; the first one gives it its
 * birth.
 * memory     zeroed when it was made, aligned to 64 bytes; borrowed for the table's life.
 * len        the same for all processes.
 * now_ms     session time.
 * fresh_key  random bytes; used if the table has no key yet.
 * Errors: INVALID (too small, not aligned, or in use as something else), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_nonce_table_open(void *memory, size_t len, uint64_t now_ms,
                                          const struct lh_siphash_key *fresh_key,
                                          struct lh_nonce_table **out_table);
/* Frees what is this process's own; the memory stays as it is. NULL is accepted. */
void lh_nonce_table_close(struct lh_nonce_table *table);

/*
 * Ends the table for all processes: every later claim is NONCES_DOWN. For a host that replaces it,
 * before the new one is born, while workers of the old one may still answer requests.
 * memory  that of an open table, or of one that nobody has opened yet.
 */
void lh_nonce_table_retire(void *memory);

/* Most bytes of a key id and of a nonce; at least one. */
#define LH_NONCE_NAME_MAX_BYTES 128U

/* A nonce of a signature that holds. */
struct lh_nonce {
    struct lh_tenant_uid uid;
    uint32_t slot; /* the tenant's: which share is charged */
    lh_slice key_id;
    lh_slice nonce;
    uint64_t created_s;
    uint64_t expires_s;
};

/*
 * Claims a nonce: of all who claim it until it expires, in whatever process, one at most succeeds.
 * For signatures that hold and have not expired, and for nothing else: junk would fill the table.
 * now_ms  session time.
 * Errors: REPLAYED (claimed before), LIMITED (the tenant's share is used up), NO_SPACE (no place
 * is free), NONCES_DOWN (it could have been used before the table's birth, or the clock was set
 * back over its end; or the table is retired), INVALID (names too long, or it has expired).
 */
LH_MUST_USE lh_status lh_nonce_table_claim(struct lh_nonce_table *table,
                                           const struct lh_nonce *nonce, uint64_t now_ms);

#endif
