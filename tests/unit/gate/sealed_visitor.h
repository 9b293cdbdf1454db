/*
 * Visitors whose cookies hold their sessions.
 */
#ifndef LH_TESTS_GATE_SEALED_VISITOR_H
#define LH_TESTS_GATE_SEALED_VISITOR_H

#include "gate_fixture.h"

#include "session/sealed_cookie.h"

struct sealed_visitor {
    struct visitor who; /* without a cookie */
    char cookie[LH_SEALED_COOKIE_TEXT_MAX_BYTES + 1];
};

/* Seals somebody's session into a cookie of a tenant: one role and one scope at most, no state. */
struct sealed_visitor seal_in(struct installation *all, const struct lh_tenant_uid *uid,
                              const struct visit *visit);
/* "alice" with the role "admin" and the scope "read". */
struct sealed_visitor seal_in_alice(struct installation *all, const struct lh_tenant_uid *uid);

/* Adds a cookie value under a name. */
void sent_add_value(struct sent *sent, const char *name, const char *value);

/* any_policy where cookies hold sessions. */
struct lh_gate_policy sealed_policy(void);

/* One request from beginning to end with a cookie value under "__Host-lh". */
enum lh_reason show_value(struct installation *all, const struct lh_gate_policy *policy,
                          const char *host, const char *value);

#endif
