/*
 * Short texts that come from outside and may stand in a header: subjects, roles, scopes, groups.
 */
#ifndef LH_BASE_TEXT_LIST_H
#define LH_BASE_TEXT_LIST_H

#include "base/slice.h"

/* Longest of these texts. */
#define LH_TEXT_MAX_BYTES 255U
/* Most texts of one list. */
#define LH_TEXT_LIST_MAX 32U

/* Borrowed texts. */
struct lh_text_list {
    lh_slice items[LH_TEXT_LIST_MAX];
    size_t count;
};

/*
 * Whether text is 1 to LH_TEXT_MAX_BYTES bytes of printable ASCII without space, comma, quote and
 * backslash: so that it is one element of a header, whoever splits it.
 */
bool lh_text_is_token(lh_slice text);

/* Whether a text (exact bytes) is in a list. */
bool lh_text_list_has(const struct lh_text_list *list, lh_slice text);

#endif
