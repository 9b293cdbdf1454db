/*
 * The rules of a place: what each operation makes of what lies there. Pure; used by every driver
 * that reads, judges and writes inside one transaction of its own, so that the rules exist once.
 */
#ifndef LH_STORE_PLACE_H
#define LH_STORE_PLACE_H

#include "store/store_driver.h"

/*
 * When a row's time is over, session time: a record's absolute or idle end, whichever comes
 * first; a tombstone's absolute end and the margin. UINT64_MAX for an empty place.
 */
uint64_t lh_place_end_ms(const struct lh_store_row *row);

/* Whether a row's time is over: now_ms has reached its end. */
bool lh_place_is_over(const struct lh_store_row *row, uint64_t now_ms);

/* Whether a record may be put there. Errors: EXISTS, REVOKED. */
LH_MUST_USE lh_status lh_place_judge_create(const struct lh_store_row *present);

/* Sessions of one bucket that count against its quota. */
struct lh_place_tally {
    uint64_t signed_in;
    uint64_t anonymous;
};

/* Who must go before one more may come. */
enum lh_place_relief {
    LH_RELIEF_NONE,      /* there is room */
    LH_RELIEF_ANONYMOUS, /* the least recently used without a user */
    LH_RELIEF_ANY,       /* the least recently used of all */
    LH_RELIEF_REFUSE     /* nobody may: the new one is refused */
};

/*
 * Holds a bucket against its quota. An anonymous session makes room only among its like: else a
 * visitor could sign a user out.
 */
enum lh_place_relief lh_place_judge_quota(const struct lh_store_quota *quota, bool has_user,
                                          const struct lh_place_tally *tally);

/*
 * Whether the record may be replaced by one of generation expected + 1.
 * Errors: ABSENT, REVOKED, QUARANTINED, CONFLICT.
 */
LH_MUST_USE lh_status lh_place_judge_swap(const struct lh_store_row *present, uint64_t expected);

/* The row that a swap writes: the new one, with what lies beside a record and goes on. */
struct lh_store_row lh_place_follow(const struct lh_store_row *present,
                                    const struct lh_store_row *next);

/*
 * Whether a touch moves the record's last touch forward. Never if the session was over by then:
 * a touch does not revive.
 */
bool lh_place_takes_touch(const struct lh_store_row *present, uint64_t touch_ms);

/* Whether the end of a grace is news: a record of that generation that does not know it yet. */
bool lh_place_takes_grace_end(const struct lh_store_row *present, uint64_t generation);

/* Whether a row is a session that counts: a record that is not set aside. */
bool lh_place_counts(const struct lh_store_row *row);

/*
 * The tombstone that a revocation leaves.
 * present          what lies there, also nothing.
 * absolute_end_ms  of the session as the caller knows it; a later one in the row counts.
 * out_tombstone    has no record.
 * returns: false if that tombstone lies there already.
 */
bool lh_place_revoke(const struct lh_store_row *present, uint64_t absolute_end_ms,
                     struct lh_store_row *out_tombstone);

#endif
