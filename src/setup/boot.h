/*
 * Whether the session store may be believed. It is not synced at each commit: after a power loss
 * its pages may be of several times at once. So run/boot holds the boot under which it was last
 * open, and whether the last who closed it had synced it:
 *
 *   <boot id> open       in use, or left behind by processes that were killed
 *   <boot id> clean      closed by the last, and synced
 *
 * Of the present boot either is fine: what a killed process wrote is in the page cache. Of another
 * boot only "clean" is. Anything else is unclean: the store is set aside, a fresh one takes its
 * place, and run/recovered says "pending" until an import has brought back what can be.
 *
 * Who has the store open holds run/sessions.lock shared, so that the last who closes it knows that
 * he is; run/recover.lock is held while one comes, and while the last marks it. All of it is of
 * one kernel: locks and boot id end together.
 */
#ifndef LH_SETUP_BOOT_H
#define LH_SETUP_BOOT_H

#include "setup/home_layout.h"
#include "store/store.h"

/* One who has the session store open, or is about to. */
struct lh_boot {
    bool is_entered;
    int opened_fd; /* run/sessions.lock; while is_entered */
};

/* For a new home: its store is clean and whole. Errors: CLOCK_DOWN, UNREADABLE, NO_SPACE. */
LH_MUST_USE lh_status lh_boot_found(const struct lh_home_layout *layout);

/*
 * To be called before the store is opened; sets it aside if it cannot be believed, and says so in
 * the log. Waits for others who come or go.
 * options  how to make a fresh store; its path is not looked at.
 * Errors: CLOCK_DOWN, UNREADABLE, NO_SPACE, STORE_DOWN, UNSAFE_FILE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_boot_enter(const struct lh_home_layout *layout,
                                    const struct lh_store_options *options,
                                    struct lh_boot *out_boot);
/*
 * To be called when nothing will be written any more: syncs the store and marks it clean, if this
 * is the last who has it open. Waits for nobody; what it cannot do costs an import after the next
 * boot, and nothing else. Does nothing if it was not entered.
 */
void lh_boot_leave(struct lh_boot *boot, const struct lh_home_layout *layout,
                   struct lh_store *store);

/* Whether everything that was set aside has been dealt with. Cheap; any failure is "no". */
bool lh_boot_is_recovered(const struct lh_home_layout *layout);
/* Says so, or takes it back, on disk. Errors: UNREADABLE, NO_SPACE. */
LH_MUST_USE lh_status lh_boot_set_recovered(const struct lh_home_layout *layout, bool is_recovered);

#endif
