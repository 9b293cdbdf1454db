/*
 * The mark of a home in the making, and what an init that died has left under it. Whoever makes a
 * home holds the mark locked, so that only one makes it, and what lies under a mark that nobody
 * holds is nobody's: it was never in use, and the next init clears it away.
 */
#ifndef LH_SETUP_UNFINISHED_H
#define LH_SETUP_UNFINISHED_H

#include "setup/home_layout.h"

/*
 * Puts the mark into a directory that holds nothing else, and locks it.
 * out_fd  holds the lock until it is closed.
 * Errors: CONFLICT (another init is at it), EXISTS (something else is there), UNREADABLE, NO_SPACE,
 * UNSAFE_FILE.
 */
LH_MUST_USE lh_status lh_unfinished_begin(const struct lh_home_layout *layout, int *out_fd);

/*
 * Takes over the mark of an init that died and removes what it had made; the mark stays.
 * out_fd  as lh_unfinished_begin; out_strange: the name of what no init makes, or empty.
 * Errors: CONFLICT (another init is at it), EXISTS (it was finished meanwhile, or there is
 * something that no init makes: nothing is removed), UNREADABLE, UNSAFE_FILE.
 */
LH_MUST_USE lh_status lh_unfinished_take_over(const struct lh_home_layout *layout, int *out_fd,
                                              char out_strange[LH_HOME_NAME_BYTES]);

/* Takes the mark away: the home is finished. Errors: UNREADABLE. */
LH_MUST_USE lh_status lh_unfinished_end(const struct lh_home_layout *layout);

#endif
