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

/*
 * Whether the record may be replaced by one of generation expected + 1.
 * Errors: ABSENT, REVOKED, QUARANTINED, CONFLICT.
 */
LH_MUST_USE lh_status lh_place_judge_swap(const struct lh_store_row *present, uint64_t expected);

/*
 * Whether a touch moves the record's last touch forward. Never if the session was over by then:
 * a touch does not revive.
 */
bool lh_place_takes_touch(const struct lh_store_row *present, uint64_t touch_ms);

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
