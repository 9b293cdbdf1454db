/*
 * The rules of a place.
 */
#include "store/place.h"

#include "base/banned.h"

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t record_end(const struct lh_store_row *row)
{
    if (row->idle_s == 0) {
        return row->absolute_end_ms;
    }
    uint64_t idle_end_ms = add_saturated(row->last_touch_ms, (uint64_t)row->idle_s * 1000);
    return idle_end_ms < row->absolute_end_ms ? idle_end_ms : row->absolute_end_ms;
}

uint64_t lh_place_end_ms(const struct lh_store_row *row)
{
    switch (row->kind) {
    case LH_PLACE_RECORD:
        return record_end(row);
    case LH_PLACE_TOMBSTONE:
        return add_saturated(row->absolute_end_ms, LH_TOMBSTONE_MARGIN_MS);
    case LH_PLACE_EMPTY:
        break;
    }
    return UINT64_MAX;
}

bool lh_place_is_over(const struct lh_store_row *row, uint64_t now_ms)
{
    return row->kind != LH_PLACE_EMPTY && now_ms >= lh_place_end_ms(row);
}

lh_status lh_place_judge_create(const struct lh_store_row *present)
{
    LH_ENSURE(present->kind != LH_PLACE_TOMBSTONE, LH_REVOKED);
    LH_ENSURE(present->kind == LH_PLACE_EMPTY, LH_EXISTS);
    return lh_ok();
}

lh_status lh_place_judge_swap(const struct lh_store_row *present, uint64_t expected)
{
    LH_ENSURE(present->kind != LH_PLACE_TOMBSTONE, LH_REVOKED);
    LH_ENSURE(present->kind == LH_PLACE_RECORD, LH_ABSENT);
    LH_ENSURE(!present->is_quarantined, LH_QUARANTINED);
    LH_ENSURE(present->generation == expected, LH_CONFLICT);
    return lh_ok();
}

struct lh_store_row lh_place_follow(const struct lh_store_row *present,
                                    const struct lh_store_row *next)
{
    struct lh_store_row row = *next;
    if (present->last_touch_ms > row.last_touch_ms) {
        row.last_touch_ms = present->last_touch_ms;
    }
    row.is_grace_over = row.is_grace_over || (row.keeps_grace && present->is_grace_over);
    row.keeps_grace = false;
    return row;
}

enum lh_place_relief lh_place_judge_quota(const struct lh_store_quota *quota, bool has_user,
                                          const struct lh_place_tally *tally)
{
    if (quota->bucket_max == 0) {
        return LH_RELIEF_NONE;
    }
    if (!has_user && tally->signed_in >= quota->bucket_max) {
        return LH_RELIEF_REFUSE;
    }
    if (!has_user && quota->anonymous_max > 0 && tally->anonymous >= quota->anonymous_max) {
        return LH_RELIEF_ANONYMOUS;
    }
    if (tally->signed_in + tally->anonymous < quota->bucket_max) {
        return LH_RELIEF_NONE;
    }
    return has_user ? LH_RELIEF_ANY : LH_RELIEF_ANONYMOUS;
}

bool lh_place_takes_grace_end(const struct lh_store_row *present, uint64_t generation)
{
    return present->kind == LH_PLACE_RECORD && present->generation == generation &&
           !present->is_grace_over;
}

bool lh_place_counts(const struct lh_store_row *row)
{
    return row->kind == LH_PLACE_RECORD && !row->is_quarantined;
}

bool lh_place_takes_touch(const struct lh_store_row *present, uint64_t touch_ms)
{
    return present->kind == LH_PLACE_RECORD && !present->is_quarantined &&
           present->last_touch_ms < touch_ms && !lh_place_is_over(present, touch_ms);
}

bool lh_place_revoke(const struct lh_store_row *present, uint64_t absolute_end_ms,
                     struct lh_store_row *out_tombstone)
{
    uint64_t end_ms = absolute_end_ms;
    if (present->kind != LH_PLACE_EMPTY && present->absolute_end_ms > end_ms) {
        end_ms = present->absolute_end_ms;
    }
    *out_tombstone = (struct lh_store_row){
        .kind = LH_PLACE_TOMBSTONE, .generation = present->generation, .absolute_end_ms = end_ms};
    return present->kind != LH_PLACE_TOMBSTONE || present->absolute_end_ms < end_ms;
}
