/*
 * A census of the bucket for each new session, for there are few.
 */
#include "store/drivers/memory_quota.h"

#include "base/banned.h"

/* Sessions that count, and the one of them that goes first. */
struct crowd {
    uint64_t count;
    struct lh_memory_place *first;
};

struct census {
    struct crowd of_user; /* who comes */
    struct crowd signed_in;
    struct crowd anonymous;
};

static void add_to_crowd(struct crowd *crowd, struct lh_memory_place *place, uint64_t now_ms)
{
    const struct lh_memory_place *first = crowd->first;
    bool is_over = lh_place_is_over(&place->row, now_ms);
    bool goes_first = first == NULL;
    if (!goes_first) {
        bool is_first_over = lh_place_is_over(&first->row, now_ms);
        goes_first = is_over != is_first_over ? is_over
                                              : place->row.last_touch_ms < first->row.last_touch_ms;
    }
    crowd->count++;
    crowd->first = goes_first ? place : crowd->first;
}

/* Whether it is the new session itself, or the one that ends with its beginning. */
static bool is_of_creation(const struct lh_store_creation *creation,
                           const struct lh_session_key *key)
{
    return lh_session_key_is_equal(key, creation->key) ||
           (creation->replaces != NULL && lh_session_key_is_equal(key, creation->replaces));
}

/* Counts the others of a bucket. */
static void take_census(struct lh_memory_place *const *places, size_t count,
                        const struct lh_store_creation *creation, struct census *out_census)
{
    const struct lh_store_row *row = creation->row;
    const struct lh_session_key *key = creation->key;
    *out_census = (struct census){.of_user = {0, NULL}};
    for (size_t at = 0; at < count; at++) {
        struct lh_memory_place *place = places[at];
        if (!lh_tenant_uid_is_equal(&place->key.uid, &key->uid) ||
            place->key.bucket != key->bucket) {
            return;
        }
        if (!lh_place_counts(&place->row) || is_of_creation(creation, &place->key)) {
            continue;
        }
        bool is_his = row->has_user && place->row.has_user &&
                      lh_slice_is_equal(LH_SLICE_OF(row->user_tag.bytes),
                                        LH_SLICE_OF(place->row.user_tag.bytes));
        if (is_his) {
            add_to_crowd(&out_census->of_user, place, row->last_touch_ms);
        }
        add_to_crowd(place->row.has_user ? &out_census->signed_in : &out_census->anonymous, place,
                     row->last_touch_ms);
    }
}

lh_status lh_memory_choose(struct lh_memory_place *const *places, size_t count,
                           const struct lh_store_creation *creation,
                           struct lh_memory_place **out_place)
{
    struct census census;
    take_census(places, count, creation, &census);
    *out_place = census.of_user.first;
    if (creation->quota->user_max > 0 && census.of_user.count >= creation->quota->user_max) {
        return lh_ok();
    }
    struct lh_place_tally tally = {census.signed_in.count, census.anonymous.count};
    switch (lh_place_judge_quota(creation->quota, creation->row->has_user, &tally)) {
    case LH_RELIEF_REFUSE:
        return lh_status_of(LH_LIMITED);
    case LH_RELIEF_ANONYMOUS:
        *out_place = census.anonymous.first;
        return lh_ok();
    case LH_RELIEF_ANY:
        if (census.anonymous.first != NULL) {
            add_to_crowd(&census.signed_in, census.anonymous.first, creation->row->last_touch_ms);
        }
        *out_place = census.signed_in.first;
        return lh_ok();
    case LH_RELIEF_NONE:
        break;
    }
    *out_place = NULL;
    return lh_ok();
}
