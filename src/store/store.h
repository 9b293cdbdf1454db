/*
 * A session store with whatever driver, checked once around the driver: arguments, and the reply
 * against the question. Each record is stored behind the key of its place; what answers for
 * another key is never handed out. Safe for several threads if the driver is; both of ours are.
 */
#ifndef LH_STORE_STORE_H
#define LH_STORE_STORE_H

#include "store/store_driver.h"

struct lh_store;

/* What setup knows about a store; a driver sees only these. */
struct lh_store_options {
    const char *path;           /* directory of the environment, for drivers that have one */
    uint64_t map_bytes;         /* largest size it may grow to; 0 = the driver's default */
    uint64_t reserve_bytes;     /* kept free for revocations; 0 = the driver's default */
    bool is_read_only;          /* guards against our own mistakes */
    bool may_create;            /* make it if it is missing */
    const struct lh_host *host; /* for log lines; borrowed */
};

/*
 * Opens a store by its driver's name ("lmdb", "memory").
 * Errors: INVALID (no such driver), STORE_DOWN, UNSAFE_FILE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_store_open(const char *driver_name, const struct lh_store_options *options,
                                    struct lh_store **out_store);
/* Closes; NULL is accepted. */
void lh_store_close(struct lh_store *store);

/* The driver's traits, bits of enum lh_store_trait. */
unsigned lh_store_traits(const struct lh_store *store);

/*
 * Says whether sessions may still be missing here that lie elsewhere. While it is so an empty place
 * is STORE_DOWN to a load and to a swap, and so is every listing: nobody may take unknown for
 * absent. Any thread.
 */
void lh_store_set_partial(struct lh_store *store, bool is_partial);
/* Whether it is so; false at first. */
bool lh_store_is_partial(const struct lh_store *store);

/*
 * The contract's operations; see store_driver.h for each. All answer INVALID for a key, row or
 * count that cannot be, and for a write to a store that was opened read-only. A record that does
 * not answer for its place is FOREIGN.
 */
LH_MUST_USE lh_status lh_store_load(struct lh_store *store, struct lh_op *op,
                                    const struct lh_session_key *key, struct lh_buf *scratch,
                                    struct lh_store_row *out_row);
/*
 * See lh_store_driver.create.
 * Errors also: TOO_LARGE (record over LH_STORE_RECORD_MAX_BYTES), INVALID (it would replace itself,
 * or a session of another tenant).
 */
LH_MUST_USE lh_status lh_store_admit(struct lh_store *store, struct lh_op *op,
                                     const struct lh_store_creation *creation,
                                     struct lh_store_evicted *out_evicted);
/* The same without limits and replacing nothing. */
LH_MUST_USE lh_status lh_store_create(struct lh_store *store, struct lh_op *op,
                                      const struct lh_session_key *key,
                                      const struct lh_store_row *row);
/*
 * See lh_store_driver.create_many; rows[].row.record is borrowed. Errors also: INVALID and
 * TOO_LARGE (one of them cannot be: none is made), NO_MEMORY.
 */
LH_MUST_USE lh_status lh_store_create_many(struct lh_store *store, struct lh_store_new *rows,
                                           size_t count);
/* See lh_store_driver.swap. Errors also: TOO_LARGE. */
LH_MUST_USE lh_status lh_store_swap(struct lh_store *store, struct lh_op *op,
                                    const struct lh_session_key *key, uint64_t expected_generation,
                                    const struct lh_store_row *row);
/* See lh_store_driver.revoke. */
LH_MUST_USE lh_status lh_store_revoke(struct lh_store *store, struct lh_op *op,
                                      const struct lh_session_key *key, uint64_t absolute_end_ms);
/* See lh_store_driver.expire. */
LH_MUST_USE lh_status lh_store_expire(struct lh_store *store, struct lh_op *op,
                                      const struct lh_session_key *key, uint64_t now_ms);
/* See lh_store_driver.quarantine. */
LH_MUST_USE lh_status lh_store_quarantine(struct lh_store *store, struct lh_op *op,
                                          const struct lh_session_key *key);
/* See lh_store_driver.end_grace. */
LH_MUST_USE lh_status lh_store_end_grace(struct lh_store *store, struct lh_op *op,
                                         const struct lh_session_key *key, uint64_t generation);
/* See lh_store_driver.touch. */
LH_MUST_USE lh_status lh_store_touch(struct lh_store *store, const struct lh_store_touch *touches,
                                     size_t count);
/*
 * See lh_store_driver.list. Rows that do not fit their place are counted in page->misplaced and
 * not passed on. Errors also: INVALID (the store cannot list), STORE_DOWN also for a page that
 * does not lead on.
 */
LH_MUST_USE lh_status lh_store_list(struct lh_store *store, const struct lh_tenant_uid *uid,
                                    uint32_t bucket, const struct lh_user_tag *user_tag,
                                    struct lh_store_page *page,
                                    bool (*each)(void *context, const struct lh_session_key *key,
                                                 const struct lh_store_row *row),
                                    void *context);
/* See lh_store_driver.sweep. */
LH_MUST_USE lh_status lh_store_sweep(struct lh_store *store, uint64_t now_ms, size_t max_rows,
                                     size_t *out_handled);
/* See lh_store_driver.sync. */
LH_MUST_USE lh_status lh_store_sync(struct lh_store *store);
/* See lh_store_driver.maintain. */
LH_MUST_USE lh_status lh_store_maintain(struct lh_store *store);
/* See lh_store_driver.count. */
LH_MUST_USE lh_status lh_store_count(struct lh_store *store, struct lh_store_counts *out_counts);

#endif
