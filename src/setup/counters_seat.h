/*
 * Which file the change counters are. Workers map run/changes for as long as they live; a writer
 * that raises counters in another file of that name would reach none of them. So all who map it
 * hold run/changes.lock shared, and the first of them writes its device and inode into it: who
 * comes while others hold it must have found the same file.
 */
#ifndef LH_SETUP_COUNTERS_SEAT_H
#define LH_SETUP_COUNTERS_SEAT_H

#include "registry/change_counter.h"
#include "setup/home_layout.h"

/* One among those who map the counters; zero at first. */
struct lh_seat {
    bool is_taken;
    int fd; /* of run/changes.lock, locked; while is_taken */
};

/* For a new home: makes the file, so that no full disk is in the way later.
 * Errors: EXISTS, UNREADABLE, NO_SPACE. */
LH_MUST_USE lh_status lh_seat_found(const struct lh_home_layout *layout);

/*
 * Takes a seat, to be kept for as long as the counters are mapped. Waits only for those who are
 * taking one in the same moment.
 * Errors: COUNTERS_DOWN (others have another file mapped), UNREADABLE, NO_SPACE.
 */
LH_MUST_USE lh_status lh_seat_take(const struct lh_home_layout *layout,
                                   const struct lh_counters *counters, struct lh_seat *out_seat);
/* Gives it back; does nothing if it was not taken. */
void lh_seat_leave(struct lh_seat *seat);

#endif
