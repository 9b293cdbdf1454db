/*
 * What happened, under names that stay: acts (someone changed something) and decisions (the gate
 * saw something that an operator must know). Until the audit log exists each is one error-level
 * line of the host's log: "leasehold: audit <event> key=value ...".
 */
#ifndef LH_AUDIT_AUDIT_EVENT_H
#define LH_AUDIT_AUDIT_EVENT_H

#include <leasehold/host.h>

#include "base/slice.h"

/* Every event: name and class (protocols: acts are synced and fail the act, decisions sampled). */
#define LH_AUDIT_EVENTS(X)                                                                         \
    X(home_created, ACT)                                                                           \
    X(tenant_created, ACT)                                                                         \
    X(tenant_changed, ACT)                                                                         \
    X(tenant_disabled, ACT)                                                                        \
    X(tenant_enabled, ACT)                                                                         \
    X(tenant_renamed, ACT)                                                                         \
    X(tenant_removed, ACT)                                                                         \
    X(name_reclaimed, ACT)                                                                         \
    X(tier_changed, ACT)                                                                           \
    X(session_created, ACT)                                                                        \
    X(session_evicted, ACT)                                                                        \
    X(session_rotated, ACT)                                                                        \
    X(session_revoked, ACT)                                                                        \
    X(user_sessions_revoked, ACT)                                                                  \
    X(tenant_sessions_revoked, ACT)                                                                \
    X(key_rotated, ACT)                                                                            \
    X(node_key_rotated, ACT)                                                                       \
    X(signing_key_rotated, ACT)                                                                    \
    X(signature_key_added, ACT)                                                                    \
    X(signature_key_removed, ACT)                                                                  \
    X(token_minted, ACT)                                                                           \
    X(sessions_recovered, ACT)                                                                     \
    X(cross_tenant_leak_detected, ACT)                                                             \
    X(tenant_mismatch, DECISION)                                                                   \
    X(tenant_conflict, DECISION)                                                                   \
    X(integrity, DECISION)                                                                         \
    X(signature_replayed, DECISION)                                                                \
    X(limited, DECISION)

enum lh_audit_class { LH_AUDIT_ACT, LH_AUDIT_DECISION };

enum lh_audit_event {
#define LH_AUDIT_ENUM(name, class) LH_AUDIT_##name,
    LH_AUDIT_EVENTS(LH_AUDIT_ENUM)
#undef LH_AUDIT_ENUM
        LH_AUDIT_EVENT_COUNT
};

/* One key=value pair; the value is escaped, the key is a literal of ours. */
struct lh_audit_field {
    const char *key;
    lh_slice value; /* never a secret */
};

/* The event's name; static storage. */
const char *lh_audit_event_name(enum lh_audit_event event);
/* The event's class. */
enum lh_audit_class lh_audit_event_class(enum lh_audit_event event);

/*
 * Writes the event's line. Values keep printable ASCII but space, "=", quotes and backslash; other
 * bytes become \xNN, so that no value can look like another pair or another line.
 * host  its log is called; fields: in this order.
 */
void lh_audit_write(const struct lh_host *host, enum lh_audit_event event,
                    const struct lh_audit_field *fields, size_t count);

#endif
