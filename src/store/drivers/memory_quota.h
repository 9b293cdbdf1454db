/*
 * Who goes from the memory store for a new session.
 */
#ifndef LH_STORE_DRIVERS_MEMORY_QUOTA_H
#define LH_STORE_DRIVERS_MEMORY_QUOTA_H

#include "store/place.h"

/* One place that is not empty. */
struct lh_memory_place {
    struct lh_session_key key;
    struct lh_store_row row; /* row.record is a view of record */
    struct lh_buf record;    /* owned */
};

/*
 * Looks at all sessions of the new one's bucket; neither it nor what it replaces counts.
 * places  sorted, from the bucket's first on.
 * out_place  who goes next; NULL: there is room. Errors: LIMITED.
 */
LH_MUST_USE lh_status lh_memory_choose(struct lh_memory_place *const *places, size_t count,
                                       const struct lh_store_creation *creation,
                                       struct lh_memory_place **out_place);

#endif
