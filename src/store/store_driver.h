/*
 * The contract of a session store: what a driver must do, atomically, whatever lies beneath.
 * tests/contract runs one suite over every row of drivers/drivers.h.
 *
 * A place (uid, bucket, lease id) holds nothing, a record or a tombstone. A record's content
 * belongs to the session room and is opaque here, except for the few fields in lh_store_row that
 * the store must compare or index. Every operation is one atomic step.
 */
#ifndef LH_STORE_STORE_DRIVER_H
#define LH_STORE_STORE_DRIVER_H

#include <leasehold/host.h>

#include "base/buf.h"
#include "host/op.h"
#include "store/store_key.h"

enum lh_store_trait {
    LH_STORE_DURABLE = 1U << 0, /* survives the end of every process */
    LH_STORE_SCANS = 1U << 1,   /* can list */
    LH_STORE_SWAPS = 1U << 2,   /* compare-and-swap is atomic among all processes */
    LH_STORE_BLOCKS = 1U << 3   /* writes block: only from a lane, never on the loop */
};

enum lh_place_kind { LH_PLACE_EMPTY, LH_PLACE_RECORD, LH_PLACE_TOMBSTONE };

/* What lies in a place. */
struct lh_store_row {
    enum lh_place_kind kind;
    bool is_quarantined;         /* set aside; stays until its end */
    bool is_grace_over;          /* its previous secret is worth nothing any more */
    bool keeps_grace;            /* swap: the new record has the old one's previous secret */
    uint64_t generation;         /* +1 per change of content */
    uint64_t absolute_end_ms;    /* of the session; a tombstone stays until then + a margin */
    uint64_t last_touch_ms;      /* outside the record's seal */
    uint32_t idle_s;             /* 0 = no idle end */
    bool has_user;               /* false for anonymous sessions */
    struct lh_user_tag user_tag; /* valid with has_user */
    lh_slice record;             /* the sealed record; empty for a tombstone */
};

/* How long after the absolute end a tombstone stays: late writers give up sooner. */
#define LH_TOMBSTONE_MARGIN_MS (10U * 60U * 1000U)

/* Largest record any store must take: fixed header, principal and 64 KiB of state. */
#define LH_STORE_RECORD_MAX_BYTES ((size_t)72 * 1024)

/*
 * One page of a listing. Begin with LH_STORE_PAGE_FIRST and pass it again until is_last: a page
 * may be empty and not the last.
 */
struct lh_store_page {
    struct lh_session_key after; /* where the last page ended; set for the next */
    bool is_first;               /* in: start from the beginning; cleared */
    bool is_last;                /* out: nothing follows */
    size_t misplaced;            /* out: rows left out because they do not fit their place */
};

#define LH_STORE_PAGE_FIRST ((struct lh_store_page){.is_first = true})

/* One coalesced touch. */
struct lh_store_touch {
    struct lh_session_key key;
    uint64_t touch_ms;
};

/* How many sessions there may be where a new one is made; 0 = no limit. */
struct lh_store_quota {
    uint64_t bucket_max;    /* in the bucket, signed-in and anonymous ones */
    uint64_t anonymous_max; /* of them without a user; counts only with bucket_max */
    uint32_t user_max;      /* of one user, in the bucket */
};

/* Most sessions that one creation ends; where a limit was lowered the next ones end the rest. */
#define LH_STORE_EVICTIONS_MAX 16U

/* Who had to go. Only sessions that lived: one whose time was over goes unmentioned. */
struct lh_store_evicted {
    size_t count;
    struct lh_session_key keys[LH_STORE_EVICTIONS_MAX];
};

/* A new record, and what goes for it in the same step. */
struct lh_store_creation {
    const struct lh_session_key *key;
    const struct lh_store_row *row;
    const struct lh_store_quota *quota;    /* NULL: no limits */
    const struct lh_session_key *replaces; /* ends with this one's beginning; NULL: nothing */
    uint64_t replaces_generation;          /* that it must still have */
};

/* A record that is brought, one of many. */
struct lh_store_new {
    struct lh_session_key key;
    struct lh_store_row row;
    lh_status result; /* out: OK, or why this one was not put: EXISTS, REVOKED, TAMPERED */
};

struct lh_store_counts {
    uint64_t records;
    uint64_t tombstones;
    uint64_t used_bytes;
    uint64_t capacity_bytes; /* 0 = unknown */
};

/*
 * The operations. All take the driver's self. Those with an op may answer PENDING unless they
 * say otherwise. All are required unless marked optional. now_ms is session time.
 */
struct lh_store_driver {
    const char *name;
    unsigned traits;

    /*
     * Reads one place. Never writes. On PENDING drivers the row is valid when the op completes.
     * scratch  the record's bytes are copied here; out_row->record points into it.
     * An empty place is OK with LH_PLACE_EMPTY.
     * Errors: STORE_DOWN, TIMEOUT, TAMPERED (what lies there is no row), FUTURE_FORMAT, FOREIGN
     * (the place answers for another key), NO_MEMORY.
     */
    lh_status (*load)(void *self, struct lh_op *op, const struct lh_session_key *key,
                      struct lh_buf *scratch, struct lh_store_row *out_row);

    /*
     * Puts a record into an empty place and into the indexes; first makes a tombstone of the one
     * that it replaces, and of those that are too many. Of a user's too many sessions his least
     * recently used goes; of a bucket's the least recently used, but for an anonymous session only
     * anonymous ones. What is set aside neither counts nor goes. All or nothing.
     * The row's last touch is the present moment.
     * out_evicted  always set.
     * Errors: EXISTS (a record is there), REVOKED (a tombstone is), TAMPERED (something that is
     * no row is), LIMITED (an anonymous one, and the bucket is full of signed-in ones), NO_SPACE,
     * STORE_DOWN; of what it replaces: ABSENT, REVOKED, QUARANTINED, CONFLICT, TAMPERED.
     */
    lh_status (*create)(void *self, struct lh_op *op, const struct lh_store_creation *creation,
                        struct lh_store_evicted *out_evicted);

    /*
     * The same for many and without limits, for who brings them from elsewhere: each row has a
     * result of its own. May be cut into several transactions, so that other writers need not wait
     * for long.
     * count  1 to LH_STORE_BATCH_ROWS. Optional: create, one by one.
     * Errors: NO_SPACE, STORE_DOWN: some of them may have been made.
     */
    lh_status (*create_many)(void *self, struct lh_store_new *rows, size_t count);

    /*
     * Replaces a record if its generation is still expected; the new row's generation must be
     * expected + 1. Keeps the later of the two last touches and, with keeps_grace, the mark that
     * the grace is over.
     * Errors: CONFLICT (other generation), ABSENT, REVOKED, QUARANTINED, TAMPERED, NO_SPACE,
     * STORE_DOWN.
     */
    lh_status (*swap)(void *self, struct lh_op *op, const struct lh_session_key *key,
                      uint64_t expected_generation, const struct lh_store_row *row);

    /*
     * Ends a session for good: a tombstone replaces whatever is there, also nothing. Idempotent;
     * wins against every other write in every interleaving.
     * absolute_end_ms  of the session; if a record is there, its own later end counts.
     * Errors: NO_SPACE, STORE_DOWN: the session may live on.
     */
    lh_status (*revoke)(void *self, struct lh_op *op, const struct lh_session_key *key,
                        uint64_t absolute_end_ms);

    /*
     * Ends a session that has expired: judges last touch and ends again inside the transaction
     * and puts the tombstone only if it is really over. OK also if it is not.
     * Errors: NO_SPACE, STORE_DOWN.
     */
    lh_status (*expire)(void *self, struct lh_op *op, const struct lh_session_key *key,
                        uint64_t now_ms);

    /*
     * Marks a record as set aside. OK also if nothing is there. What is no row can never be
     * opened and needs no mark.
     * Errors: NO_SPACE, STORE_DOWN.
     */
    lh_status (*quarantine)(void *self, struct lh_op *op, const struct lh_session_key *key);

    /*
     * Marks that the grace of a record's previous secret is over, if its generation is still that
     * one; the mark goes with the record. OK also if it is not, or nothing is there.
     * Errors: NO_SPACE, STORE_DOWN.
     */
    lh_status (*end_grace)(void *self, struct lh_op *op, const struct lh_session_key *key,
                           uint64_t generation);

    /*
     * Moves last touches forward. Touches of places that hold no record or one that is set aside,
     * and touches older than what is there or later than its end do nothing.
     * count  LH_STORE_BATCH_ROWS at most; the driver may cut them into several transactions.
     * Errors: NO_SPACE, STORE_DOWN: some of them may have been made.
     */
    lh_status (*touch)(void *self, const struct lh_store_touch *touches, size_t count);

    /*
     * Lists sessions of one bucket, of one user if user_tag is given, in key order. each is
     * called for every record (not for tombstones) with its key and row, views valid during the
     * call; it holds no lock of the driver and may call any operation; it returns false to end
     * the page early. Optional (trait SCANS).
     * Errors: STORE_DOWN.
     */
    lh_status (*list)(void *self, const struct lh_tenant_uid *uid, uint32_t bucket,
                      const struct lh_user_tag *user_tag, struct lh_store_page *page,
                      bool (*each)(void *context, const struct lh_session_key *key,
                                   const struct lh_store_row *row),
                      void *context);

    /*
     * Removes records and tombstones whose time is over. Looks at max_rows at most (1 to
     * LH_STORE_BATCH_ROWS) and may stop earlier so as not to keep other writers waiting.
     * out_handled  rows that were removed, or found alive and filed anew; 0 means nothing is due.
     * Errors: STORE_DOWN, NO_SPACE.
     */
    lh_status (*sweep)(void *self, uint64_t now_ms, size_t max_rows, size_t *out_handled);

    /* Makes what is written survive a power loss. Optional: nothing to do. Blocks. */
    lh_status (*sync)(void *self);

    /* Frees what dead processes hold and grows what is nearly full. Optional. Blocks. */
    lh_status (*maintain)(void *self);

    /* Counts, for operators; may cost a walk. Errors: STORE_DOWN. */
    lh_status (*count)(void *self, struct lh_store_counts *out_counts);

    /* Closes; self is gone afterwards. */
    void (*close)(void *self);
};

/* Rows that one write transaction may change: bounds what others wait for. */
#define LH_STORE_BATCH_ROWS 256U

#endif
