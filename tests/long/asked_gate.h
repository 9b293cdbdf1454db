/*
 * The real gate of a home, as a worker opens it, asked by a program that may wait.
 */
#ifndef LH_TESTS_LONG_ASKED_GATE_H
#define LH_TESTS_LONG_ASKED_GATE_H

#include <leasehold/gate.h>
#include <leasehold/setup.h>

#include "setup/blocking_host.h"

struct asked_gate {
    struct lh_blocking_host host;
    struct lh_home *home;
    enum lh_gate_state state;   /* what of a session is asked for; claims, unless changed */
    enum lh_gate_cookie cookie; /* the kind that is accepted; handles, unless changed */
    void *nonces;               /* for those of signatures; borrowed, set before it is opened */
    size_t nonces_len;
};

/* Opens the home. log: whose log and clocks to use, borrowed. Errors: as lh_home_open_worker. */
LH_MUST_USE lh_status asked_gate_open(struct asked_gate *asked, const char *path,
                                      const struct lh_host *log, char out_why[LH_HOME_ERROR_BYTES]);
/* Closes it. */
void asked_gate_close(struct asked_gate *asked);

/*
 * Decides a request to a tenant with a Cookie header, waiting for keys, and makes the writes that
 * come of it. Aborts if the gate waits for nothing.
 */
enum lh_reason asked_gate_ask(struct asked_gate *asked, const char *tenant, const char *cookie);
/* The same for any request; its memory is the gate's own. */
enum lh_reason asked_gate_decide(struct asked_gate *asked, const struct lh_gate_policy *policy,
                                 const struct lh_request *request);

#endif
