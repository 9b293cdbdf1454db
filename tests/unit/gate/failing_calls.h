/*
 * Makes calls into other rooms fail. The test's executable is linked with --wrap for each.
 */
#ifndef LH_TESTS_GATE_FAILING_CALLS_H
#define LH_TESTS_GATE_FAILING_CALLS_H

#include <leasehold/types.h>

struct fake_host;

/* What the calls answer instead of doing what they do; LH_OK: they do it. */
struct failing_calls {
    enum lh_code store_load;
    enum lh_code read_counter;
    enum lh_code read_revocation;
    enum lh_code read_user_epoch;
    enum lh_code vault_open;
    enum lh_code node_signer;
    enum lh_code randomness;
    struct fake_host *slow_host;       /* whose clock moves while the store loads */
    uint64_t store_load_ms;            /* by so much */
    void (*after_load)(void *context); /* called once, behind the next load of the store */
    void *after_load_context;
    unsigned store_loads; /* calls so far */
    unsigned cell_macs;
    unsigned revocations_read;
    unsigned contexts_signed;
    uint64_t signature_ns;   /* what checking a signature is said to have taken; 0: what it has */
    unsigned signatures;     /* checked */
    unsigned bad_signatures; /* of these, found bad */
};

/* The one of this process. */
extern struct failing_calls failing_calls;

/* All calls work again; counts start at zero. */
void failing_calls_reset(void);

#endif
