/*
 * For this room and its tests alone: keys over any driver, and with more than one user (work on
 * a lane's thread may outlast the one who opened them).
 */
#ifndef LH_KEYS_KEYS_SHARE_H
#define LH_KEYS_KEYS_SHARE_H

#include "keys/keys.h"

/*
 * Keys over a driver that is open.
 * self  the driver's; owned from now on. Errors: NO_MEMORY (self is then closed).
 */
LH_MUST_USE lh_status lh_keys_new(const struct lh_key_driver *driver, void *self,
                                  struct lh_keys **out_keys);

/*
 * One more user; each ends with lh_keys_close, and the last one closes. Loop thread only.
 */
struct lh_keys *lh_keys_ref(struct lh_keys *keys);

#endif
