/*
 * Reaching the session store from an act that may block.
 */
#include "admin/session_access.h"

#include "base/banned.h"

/* An act gives up after this: key managers answer in seconds or not at all. */
#define OP_DEADLINE_MS 30000U

lh_status lh_admin_need_store(struct lh_admin *admin)
{
    if (admin->parts.vault != NULL) {
        return lh_ok();
    }
    return lh_admin_fail(admin, LH_STORE_DOWN, "%s", admin->parts.store_problem);
}

struct lh_op lh_admin_op(const struct lh_admin *admin)
{
    return lh_op_idle(lh_clock_boot_ms(admin->parts.clock) + OP_DEADLINE_MS, NULL);
}

lh_status lh_admin_wait(struct lh_admin *admin, struct lh_op *op)
{
    admin->parts.run_tasks(admin->parts.run_context);
    if (op->state == LH_OP_WAITING) {
        lh_op_cancel(op);
        return lh_status_of(LH_TIMEOUT);
    }
    return lh_ok();
}

lh_status lh_admin_read_facts(struct lh_admin *admin, const struct lh_tenant *tenant,
                              const struct lh_session_header *header,
                              struct lh_session_facts *out_facts)
{
    struct lh_revocation revocation;
    LH_TRY(lh_registry_read_revocation(admin->parts.registry, &tenant->uid, &header->lease,
                                       &revocation));
    uint64_t user_epoch = 0;
    if (header->has_user) {
        LH_TRY(lh_registry_read_user_epoch(admin->parts.registry, &tenant->uid, &header->user_tag,
                                           &user_epoch));
    }
    *out_facts = (struct lh_session_facts){
        .is_revoked = revocation.is_revoked,
        .least_generation = revocation.least_generation,
        .platform_epoch = tenant->platform_epoch,
        .tenant_epoch = tenant->epoch,
        .user_epoch = user_epoch,
    };
    return lh_ok();
}

lh_status lh_admin_parse_ref(struct lh_admin *admin, const struct lh_tenant *tenant, lh_slice ref,
                             struct lh_session_key *out_key)
{
    uint16_t bucket;
    struct lh_lease_id lease;
    if (!lh_is_ok(lh_session_ref_parse(ref, &bucket, &lease))) {
        return lh_admin_fail(admin, LH_MALFORMED,
                             "that is no session reference; \"leasehold session list\" shows them");
    }
    *out_key = (struct lh_session_key){.uid = tenant->uid, .bucket = bucket, .lease = lease};
    return lh_ok();
}

lh_status lh_admin_user_tag(struct lh_admin *admin, const struct lh_tenant *tenant,
                            lh_slice subject, struct lh_user_tag *out_tag)
{
    if (!lh_principal_is_token(subject)) {
        return lh_admin_fail(admin, LH_MALFORMED,
                             "a subject is 1 to 255 printable ASCII characters without space, "
                             "comma, quote or backslash");
    }
    return lh_admin_check(admin, lh_user_tag_of(admin->parts.crypto, tenant, subject, out_tag),
                          "compute the user's tag");
}

lh_status lh_admin_find_active(struct lh_admin *admin, lh_slice id, struct lh_tenant **out_tenant)
{
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_find(admin, id, &tenant));
    if (tenant->state != LH_TENANT_ACTIVE) {
        return lh_admin_fail(admin, LH_DISABLED, "tenant \"%.*s\" is not active",
                             LH_SLICE_ARG(lh_tenant_id_view(&tenant->id)));
    }
    *out_tenant = tenant;
    tenant = NULL;
    return lh_ok();
}

lh_status lh_admin_fill_list(struct lh_admin *admin, const struct lh_admin_texts *texts,
                             const char *what, struct lh_text_list *out_list)
{
    if (texts->count > LH_PRINCIPAL_LIST_MAX) {
        return lh_admin_fail(admin, LH_TOO_LARGE, "at most %u of %s", LH_PRINCIPAL_LIST_MAX, what);
    }
    for (size_t i = 0; i < texts->count; i++) {
        if (!lh_principal_is_token(texts->items[i])) {
            return lh_admin_fail(admin, LH_MALFORMED,
                                 "one of the %s is not 1 to 255 printable ASCII characters "
                                 "without space, comma, quote or backslash",
                                 what);
        }
        out_list->items[i] = texts->items[i];
    }
    out_list->count = texts->count;
    return lh_ok();
}

lh_status lh_admin_explain(struct lh_admin *admin, lh_status status, const char *what)
{
    switch (status.code) {
    case LH_ABSENT:
        return lh_admin_fail(admin, LH_ABSENT, "there is no such session of this tenant");
    case LH_REVOKED:
        return lh_admin_fail(admin, LH_REVOKED, "the session is revoked");
    case LH_EXPIRED:
        return lh_admin_fail(admin, LH_EXPIRED, "the session has expired");
    case LH_CONFLICT:
        return lh_admin_fail(admin, LH_CONFLICT, "the session was changed meanwhile; try again");
    default:
        return lh_admin_check(admin, status, what);
    }
}

/* --- Listing ---------------------------------------------------------------------------------- */

static bool collect(void *context, const struct lh_session_key *key, const struct lh_store_row *row)
{
    struct lh_admin_page *page = context;
    page->keys[page->count] = *key;
    page->absolute_end_ms[page->count] = row->absolute_end_ms;
    page->count++;
    return page->count < LH_ADMIN_PAGE_ROWS;
}

struct walk {
    struct lh_admin *admin;
    const struct lh_tenant *tenant;
    const struct lh_user_tag *tag;
    lh_admin_page_fn handle;
    void *context;
};

static lh_status walk_bucket(const struct walk *walk, uint32_t bucket)
{
    struct lh_admin *admin = walk->admin;
    struct lh_store_page cursor = LH_STORE_PAGE_FIRST;
    do {
        struct lh_admin_page page = {.count = 0};
        LH_TRY(lh_store_list(admin->parts.store, &walk->tenant->uid, bucket, walk->tag, &cursor,
                             collect, &page));
        if (page.count > 0) {
            LH_TRY(walk->handle(admin, walk->tenant, &page, walk->context));
        }
    } while (!cursor.is_last);
    return lh_ok();
}

/* A user's sessions lie in one bucket for each number of buckets that still lives. */
static lh_status walk_user(const struct walk *walk)
{
    const struct lh_tenant *tenant = walk->tenant;
    uint32_t done[LH_BUCKET_COUNTS_MAX];
    size_t done_count = 0;
    for (size_t i = 0; i < tenant->bucket_counts_len; i++) {
        uint32_t bucket =
            lh_tenant_bucket(tenant, LH_SLICE_OF(*walk->tag), tenant->bucket_counts[i]);
        bool is_done = false;
        for (size_t j = 0; j < done_count; j++) {
            is_done = is_done || done[j] == bucket;
        }
        if (!is_done) {
            LH_TRY(walk_bucket(walk, bucket));
            done[done_count++] = bucket;
        }
    }
    return lh_ok();
}

lh_status lh_admin_each_page(struct lh_admin *admin, const struct lh_tenant *tenant,
                             const struct lh_user_tag *tag, lh_admin_page_fn handle, void *context)
{
    LH_TRY(lh_admin_need_store(admin));
    const struct walk walk = {admin, tenant, tag, handle, context};
    if (tag != NULL) {
        return walk_user(&walk);
    }
    uint32_t most = 1;
    for (size_t i = 0; i < tenant->bucket_counts_len; i++) {
        most = tenant->bucket_counts[i] > most ? tenant->bucket_counts[i] : most;
    }
    for (uint32_t bucket = 0; bucket < most; bucket++) {
        LH_TRY(walk_bucket(&walk, bucket));
    }
    return lh_ok();
}
