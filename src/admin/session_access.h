/*
 * How acts on sessions reach the store: with the reason why it is not there, and with operations
 * that wait run to their end.
 */
#ifndef LH_ADMIN_SESSION_ACCESS_H
#define LH_ADMIN_SESSION_ACCESS_H

#include "admin/admin.h"

/* Errors: STORE_DOWN with the reason, when the store could not be opened. */
LH_MUST_USE lh_status lh_admin_need_store(struct lh_admin *admin);

/* An op for one act; run lh_admin_wait between tries. */
struct lh_op lh_admin_op(const struct lh_admin *admin);
/*
 * Runs what the host was given until the op is complete.
 * Errors: TIMEOUT (nothing is left that could complete it).
 */
LH_MUST_USE lh_status lh_admin_wait(struct lh_admin *admin, struct lh_op *op);

/*
 * What the registry knows of a session. Errors: REGISTRY_DOWN.
 */
LH_MUST_USE lh_status lh_admin_read_facts(struct lh_admin *admin, const struct lh_tenant *tenant,
                                          const struct lh_session_header *header,
                                          struct lh_session_facts *out_facts);

/* Reads a session reference of a tenant. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_admin_parse_ref(struct lh_admin *admin, const struct lh_tenant *tenant,
                                         lh_slice ref, struct lh_session_key *out_key);

/* The tag of a user. Errors: MALFORMED (no subject), CRYPTO. */
LH_MUST_USE lh_status lh_admin_user_tag(struct lh_admin *admin, const struct lh_tenant *tenant,
                                        lh_slice subject, struct lh_user_tag *out_tag);

/* The tenant of that id, if its sessions may be used. Errors: as lh_admin_find, DISABLED. */
LH_MUST_USE lh_status lh_admin_find_active(struct lh_admin *admin, lh_slice id,
                                           struct lh_tenant **out_tenant);
/*
 * As lh_admin_check, with a sentence of its own for what an operator may meet with one session.
 * Errors: the status's.
 */
LH_MUST_USE lh_status lh_admin_explain(struct lh_admin *admin, lh_status status, const char *what);
/* Takes roles, scopes, groups or audiences over. what: their name. Errors: TOO_LARGE, MALFORMED. */
LH_MUST_USE lh_status lh_admin_fill_list(struct lh_admin *admin, const struct lh_admin_texts *texts,
                                         const char *what, struct lh_text_list *out_list);
/* lh_vault_create, run to its end. Errors: as there, TIMEOUT; the caller explains them. */
LH_MUST_USE lh_status lh_admin_make_session(struct lh_admin *admin, const struct lh_tenant *tenant,
                                            const struct lh_session_spec *spec,
                                            struct lh_handle *handle,
                                            struct lh_session_header *header,
                                            struct lh_store_evicted *evicted);
/* Tells the audit log and the workers who had to go. Errors: COUNTERS_DOWN. */
LH_MUST_USE lh_status lh_admin_announce_evicted(struct lh_admin *admin,
                                                const struct lh_tenant *tenant,
                                                const struct lh_store_evicted *evicted);
/* One audit line about a session. */
void lh_admin_audit_session(struct lh_admin *admin, enum lh_audit_event event,
                            const struct lh_tenant *tenant, uint32_t bucket,
                            const struct lh_lease_id *lease);
/* Calls each once with a cookie of that value. */
void lh_admin_hand_out_value(const struct lh_tenant *tenant, lh_slice value,
                             const struct lh_session_header *header, lh_admin_credential_fn each,
                             void *context);
/* Writes the cookie and calls each once. Errors: CRYPTO, NO_MEMORY. */
LH_MUST_USE lh_status lh_admin_hand_out(struct lh_admin *admin, const struct lh_tenant *tenant,
                                        const struct lh_handle *handle,
                                        const struct lh_session_header *header,
                                        lh_admin_credential_fn each, void *context);

/* Rows of a listing that are handled between two read transactions. */
#define LH_ADMIN_PAGE_ROWS 64U

struct lh_admin_page {
    struct lh_session_key keys[LH_ADMIN_PAGE_ROWS];
    uint64_t absolute_end_ms[LH_ADMIN_PAGE_ROWS];
    size_t count;
};

/* What to do with a page; nothing is open in the store meanwhile. */
typedef lh_status (*lh_admin_page_fn)(struct lh_admin *admin, const struct lh_tenant *tenant,
                                      const struct lh_admin_page *page, void *context);

/*
 * Walks the sessions of a tenant, or of one of its users, page by page. Keys are collected and
 * the read transaction ended before each page is handed on: whoever prints slowly would hold old
 * pages of the store otherwise.
 * tag  NULL: all users and anonymous ones.
 * Errors: STORE_DOWN, which the caller explains, and what handle returns.
 */
LH_MUST_USE lh_status lh_admin_each_page(struct lh_admin *admin, const struct lh_tenant *tenant,
                                         const struct lh_user_tag *tag, lh_admin_page_fn handle,
                                         void *context);

#endif
