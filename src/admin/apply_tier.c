/*
 * One tier: what is, what is wanted, and the difference.
 */
#include "admin/apply.h"

#include "codec/quantity.h"

#include "base/banned.h"

/* What a new tier allows for the state of a session when its file does not say. */
#define STATE_DEFAULT_BYTES (16U * 1024U)
#define MS_PER_S            1000U

/* One number of a tier. */
struct number {
    const char *name;
    enum lh_quantity_kind kind;
    uint64_t before;
    uint64_t after;
};

static lh_status note_number(struct lh_apply *apply, const struct lh_policy_tier *wanted,
                             const struct number *number, bool is_new)
{
    bool is_absent = number->kind == LH_QUANTITY_COUNT && number->after == 0;
    if (is_new ? is_absent : number->before == number->after) {
        return lh_ok();
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf before = LH_BUF_EMPTY;
    LH_CLEANUP(lh_buf_fini) struct lh_buf after = LH_BUF_EMPTY;
    if (!is_new) {
        LH_TRY(lh_quantity_write(number->kind, number->before, &before));
    }
    LH_TRY(lh_quantity_write(number->kind, number->after, &after));
    const struct lh_apply_difference difference = {
        .verb = is_new ? "add" : "change",
        .kind = "tier",
        .object = wanted->name,
        .field = lh_slice_from_text(number->name),
        .before = lh_buf_view(&before),
        .after = lh_buf_view(&after),
    };
    return lh_apply_note(apply, &difference);
}

static lh_status note_tier(struct lh_apply *apply, const struct lh_policy_tier *wanted,
                           const struct lh_tier *before, const struct lh_tier *after, bool is_new)
{
    const struct number numbers[] = {
        {"idle", LH_QUANTITY_TIME, (uint64_t)before->idle_s * MS_PER_S,
         (uint64_t)after->idle_s * MS_PER_S},
        {"absolute", LH_QUANTITY_TIME, (uint64_t)before->absolute_s * MS_PER_S,
         (uint64_t)after->absolute_s * MS_PER_S},
        {"state_size", LH_QUANTITY_SIZE, before->record_max_bytes, after->record_max_bytes},
        {"sessions_max", LH_QUANTITY_COUNT, before->sessions_max, after->sessions_max},
        {"sessions_per_user_max", LH_QUANTITY_COUNT, before->sessions_per_user_max,
         after->sessions_per_user_max},
        {"requests_per_s", LH_QUANTITY_COUNT, before->requests_per_s, after->requests_per_s},
        {"requests_burst", LH_QUANTITY_COUNT, before->requests_burst, after->requests_burst},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        LH_TRY(note_number(apply, wanted, &numbers[i], is_new));
    }
    return lh_ok();
}

static void merge(const struct lh_policy_tier *wanted, struct lh_tier *tier)
{
    tier->idle_s = wanted->has_idle ? wanted->idle_s : tier->idle_s;
    tier->absolute_s = wanted->has_absolute ? wanted->absolute_s : tier->absolute_s;
    tier->record_max_bytes = wanted->has_state_size ? wanted->state_bytes : tier->record_max_bytes;
    tier->sessions_max = wanted->has_sessions ? wanted->sessions_max : tier->sessions_max;
    tier->sessions_per_user_max =
        wanted->has_user_sessions ? wanted->user_sessions_max : tier->sessions_per_user_max;
    tier->requests_per_s = wanted->has_per_s ? wanted->requests_per_s : tier->requests_per_s;
    tier->requests_burst = wanted->has_burst ? wanted->requests_burst : tier->requests_burst;
    if (tier->requests_per_s != 0 && tier->requests_burst == 0) {
        tier->requests_burst = tier->requests_per_s; /* a second's worth, until a file says more */
    }
}

static bool is_same(const struct lh_tier *a, const struct lh_tier *b)
{
    return a->idle_s == b->idle_s && a->absolute_s == b->absolute_s &&
           a->record_max_bytes == b->record_max_bytes && a->sessions_max == b->sessions_max &&
           a->sessions_per_user_max == b->sessions_per_user_max &&
           a->requests_per_s == b->requests_per_s && a->requests_burst == b->requests_burst;
}

static lh_status check_merged(struct lh_apply *apply, const struct lh_policy_tier *wanted,
                              const struct lh_tier *tier, bool is_new)
{
    if (is_new && !(wanted->has_idle && wanted->has_absolute)) {
        return lh_admin_fail(apply->admin, LH_MALFORMED, "a new tier needs idle and absolute");
    }
    if (tier->idle_s > tier->absolute_s) {
        return lh_admin_fail(apply->admin, LH_MALFORMED,
                             "idle (%u s) would be longer than absolute (%u s)", tier->idle_s,
                             tier->absolute_s);
    }
    return lh_ok();
}

lh_status lh_apply_tier(struct lh_apply *apply, const struct lh_policy_tier *wanted)
{
    struct lh_tier before = {.name_len = 0};
    lh_status status = lh_registry_get_tier(apply->txn, wanted->name, &before);
    bool is_new = status.code == LH_ABSENT;
    if (is_new) {
        before = (struct lh_tier){.name_len = (uint8_t)wanted->name.len,
                                  .record_max_bytes = STATE_DEFAULT_BYTES};
        memcpy(before.name, wanted->name.ptr, wanted->name.len);
    } else {
        LH_TRY(lh_admin_check(apply->admin, status, "read the tier"));
    }
    struct lh_tier after = before;
    merge(wanted, &after);
    LH_TRY(check_merged(apply, wanted, &after, is_new));
    if (!is_new && is_same(&before, &after)) {
        return lh_ok();
    }
    LH_TRY(note_tier(apply, wanted, &before, &after, is_new));
    LH_TRY(lh_apply_touch(apply, LH_AUDIT_tier_changed, wanted->name, LH_SLICE_EMPTY));
    return lh_admin_check(apply->admin, lh_registry_put_tier(apply->txn, &after), "write the tier");
}
