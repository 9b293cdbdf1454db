/*
 * Every session store there is: one line each. Adding a store is one file and one line here.
 */
#ifndef LH_STORE_DRIVERS_DRIVERS_H
#define LH_STORE_DRIVERS_DRIVERS_H

#include "store/store.h"

#define LH_STORE_DRIVERS(X)                                                                        \
    X(lmdb)                                                                                        \
    X(memory)

/* lh_store_open_<name>: opens and answers the driver and its self. */
#define LH_STORE_DECLARE_OPEN(name)                                                                \
    LH_MUST_USE lh_status lh_store_open_##name(const struct lh_store_options *options,             \
                                               const struct lh_store_driver **out_driver,          \
                                               void **out_self);
LH_STORE_DRIVERS(LH_STORE_DECLARE_OPEN)
#undef LH_STORE_DECLARE_OPEN

#endif
