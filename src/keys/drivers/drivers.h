/*
 * Every key manager there is: one line each.
 */
#ifndef LH_KEYS_DRIVERS_DRIVERS_H
#define LH_KEYS_DRIVERS_DRIVERS_H

#include "keys/key_driver.h"

#define LH_KEY_DRIVERS(X) X(keyring_file)

/* lh_keys_open_<name>: opens and answers the driver and its self. */
#define LH_KEYS_DECLARE_OPEN(name)                                                                 \
    LH_MUST_USE lh_status lh_keys_open_##name(                                                     \
        const struct lh_key_options *options, struct lh_crypto *crypto,                            \
        const struct lh_key_driver **out_driver, void **out_self);
LH_KEY_DRIVERS(LH_KEYS_DECLARE_OPEN)
#undef LH_KEYS_DECLARE_OPEN

#endif
