/*
 * Session stores that were set aside: `sessions.unclean.<number>` beside `sessions`, the highest
 * number being the latest, and `sessions.damaged` for the last one that could not be read.
 */
#ifndef LH_SETUP_SET_ASIDE_H
#define LH_SETUP_SET_ASIDE_H

#include "setup/home_layout.h"
#include "store/store.h"

/* So many unclean boots without an import between them. The next one gives the earliest up. */
#define LH_ASIDE_MAX 8U

/* The directory of a number. Errors: TOO_LARGE. */
LH_MUST_USE lh_status lh_aside_path(const struct lh_home_layout *layout, unsigned number,
                                    char out_path[LH_HOME_FILE_BYTES]);
/* The latest there is; 0: none. */
unsigned lh_aside_latest(const struct lh_home_layout *layout);

/*
 * Puts a fresh store in the place of `sessions`, in one step, and that under the next number. If
 * there is none left the earliest store goes, which the log says, and the others move down.
 * options  how to make the fresh one; its path is not looked at.
 * Errors: STORE_DOWN, UNSAFE_FILE, NO_SPACE, NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_aside_put(const struct lh_home_layout *layout,
                                   const struct lh_store_options *options);
/* Removes one. OK also if it is gone. Errors: UNREADABLE. */
LH_MUST_USE lh_status lh_aside_remove(const struct lh_home_layout *layout, unsigned number);
/*
 * Keeps one as `sessions.damaged`, in place of an earlier one. OK also if it is gone.
 * Errors: UNREADABLE.
 */
LH_MUST_USE lh_status lh_aside_set_damaged(const struct lh_home_layout *layout, unsigned number);

#endif
