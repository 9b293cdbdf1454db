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
