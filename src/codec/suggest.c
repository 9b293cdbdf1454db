/*
 * Optimal string alignment distance over bounded words, three rows at a time.
 */
#include "codec/suggest.h"

#include "base/banned.h"

/* Further away is another word, not a slip of the finger. */
#define NEAR_EDITS_MAX 2U

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The three rows that the recurrence looks at. */
struct rows {
    unsigned before_last[LH_SUGGEST_WORD_MAX_BYTES + 1];
    unsigned last[LH_SUGGEST_WORD_MAX_BYTES + 1];
    unsigned present[LH_SUGGEST_WORD_MAX_BYTES + 1];
};

static unsigned edits_at(const struct rows *rows, lh_slice a, lh_slice b, size_t i, size_t j)
{
    unsigned replaced = rows->last[j - 1] + (a.ptr[i - 1] == b.ptr[j - 1] ? 0U : 1U);
    unsigned edits = least(replaced, least(rows->last[j], rows->present[j - 1]) + 1U);
    bool is_swap = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
    return is_swap ? least(edits, rows->before_last[j - 2] + 1U) : edits;
}

unsigned lh_suggest_distance(lh_slice a, lh_slice b, unsigned limit)
{
    if (a.len > LH_SUGGEST_WORD_MAX_BYTES || b.len > LH_SUGGEST_WORD_MAX_BYTES) {
        return limit + 1;
    }
    struct rows rows = {{0}, {0}, {0}};
    for (size_t j = 0; j <= b.len; j++) {
        rows.last[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        rows.present[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            rows.present[j] = edits_at(&rows, a, b, i, j);
        }
        memcpy(rows.before_last, rows.last, sizeof(rows.last));
        memcpy(rows.last, rows.present, sizeof(rows.present));
    }
    return least(rows.last[b.len], limit + 1);
}

size_t lh_suggest(lh_slice mistyped, const lh_slice *words, size_t count)
{
    size_t best = count;
    unsigned best_edits = NEAR_EDITS_MAX + 1;
    for (size_t i = 0; i < count; i++) {
        unsigned edits = lh_suggest_distance(mistyped, words[i], NEAR_EDITS_MAX);
        if (edits < best_edits && edits * 2 < words[i].len) {
            best = i;
            best_edits = edits;
        }
    }
    return best;
}
