/*
 * Listing and showing sessions: what the store holds, held against what the registry knows, and
 * opened where the key is there.
 */
#include "admin/session_access.h"

#include "base/banned.h"

struct reading {
    lh_admin_session_fn each;
    void *context;
};

static lh_slice standing_name(lh_status status)
{
    switch (status.code) {
    case LH_OK:
        return LH_SLICE_LITERAL("live");
    case LH_TAMPERED:
    case LH_FOREIGN:
        return LH_SLICE_LITERAL("tampered");
    case LH_QUARANTINED:
        return LH_SLICE_LITERAL("set aside");
    case LH_ABSENT:
        return LH_SLICE_LITERAL("key destroyed");
    default:
        return LH_SLICE_LITERAL("unknown");
    }
}

/* Ended sessions wait in the store to be swept; they are no longer sessions. */
static bool has_ended(lh_status status)
{
    return status.code == LH_REVOKED || status.code == LH_EXPIRED || status.code == LH_ABSENT;
}

static lh_status inspect(struct lh_admin *admin, const struct lh_tenant *tenant,
                         const struct lh_session_key *key, struct lh_loaded_session *loaded)
{
    struct lh_op op = lh_admin_op(admin);
    LH_TRY(lh_vault_inspect(admin->parts.vault, &op, key, loaded));
    struct lh_session_facts facts;
    /* A registry of a newer version is no news of the record. */
    LH_ENSURE(lh_is_ok(lh_admin_read_facts(admin, tenant, &loaded->header, &facts)),
              LH_REGISTRY_DOWN);
    return lh_session_judge(&loaded->header, &facts);
}

static lh_status open_waiting(struct lh_admin *admin, const struct lh_tenant *tenant,
                              const struct lh_loaded_session *loaded, struct lh_buf *plain,
                              struct lh_principal *principal)
{
    struct lh_op op = lh_admin_op(admin);
    for (;;) {
        lh_status status = lh_vault_open(admin->parts.vault, &op, tenant, loaded, plain, principal);
        if (status.code != LH_PENDING) {
            return status;
        }
        LH_TRY(lh_admin_wait(admin, &op));
    }
}

static struct lh_admin_texts texts_of(const struct lh_text_list *list)
{
    return (struct lh_admin_texts){list->items, list->count};
}

static void describe_header(const struct lh_loaded_session *loaded, struct lh_admin_session *view)
{
    const struct lh_session_header *header = &loaded->header;
    size_t sealed = loaded->envelope.sealed_state.len;
    view->has_user = header->has_user;
    view->state_bytes = sealed > LH_AEAD_OVERHEAD_BYTES ? sealed - LH_AEAD_OVERHEAD_BYTES : 0;
    view->generation = header->generation;
    view->key_id = header->dek_id;
    view->created_ms = header->created_ms;
    view->last_touch_ms = loaded->last_touch_ms;
    view->idle_end_ms = loaded->last_touch_ms + (uint64_t)header->idle_s * 1000U;
    view->absolute_end_ms = header->absolute_end_ms;
}

/* Opens what it can of a loaded session and hands it on. */
static void describe_loaded(struct lh_admin *admin, const struct lh_tenant *tenant,
                            const struct lh_loaded_session *loaded, struct lh_admin_session *view,
                            const struct reading *reading)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = LH_BUF_EMPTY;
    struct lh_principal principal;
    describe_header(loaded, view);
    lh_status status = open_waiting(admin, tenant, loaded, &plain, &principal);
    view->standing = standing_name(status);
    if (lh_is_ok(status)) {
        view->is_open = true;
        view->subject = principal.subject;
        view->roles = texts_of(&principal.roles);
        view->scopes = texts_of(&principal.scopes);
        view->groups = texts_of(&principal.groups);
    }
    reading->each(reading->context, view);
}

/* Whether it is the record that is wrong, and not what we judge it by. */
static bool is_of_the_record(lh_status status)
{
    return lh_status_class(status) == LH_CLASS_TAMPERED || status.code == LH_FUTURE_FORMAT;
}

/* Reads one session and hands it on, unless it has ended or nothing can be said: then says so. */
static lh_status describe(struct lh_admin *admin, const struct lh_tenant *tenant,
                          const struct lh_session_key *key, const struct reading *reading)
{
    LH_CLEANUP(lh_loaded_session_fini) struct lh_loaded_session loaded = LH_LOADED_SESSION_EMPTY;
    struct lh_session_ref ref;
    lh_session_ref_write((uint16_t)key->bucket, &key->lease, &ref);
    struct lh_admin_session view = {.ref = lh_slice_of(ref.text, ref.len)};
    lh_status status = inspect(admin, tenant, key, &loaded);
    if (lh_is_ok(status)) {
        describe_loaded(admin, tenant, &loaded, &view, reading);
        return status;
    }
    LH_ENSURE(is_of_the_record(status), status.code);
    view.standing = standing_name(status);
    reading->each(reading->context, &view);
    return lh_ok();
}

static lh_status describe_page(struct lh_admin *admin, const struct lh_tenant *tenant,
                               const struct lh_admin_page *page, void *context)
{
    for (size_t i = 0; i < page->count; i++) {
        lh_status status = describe(admin, tenant, &page->keys[i], context);
        if (!has_ended(status)) {
            LH_TRY(lh_admin_check(admin, status, "read a session"));
        }
    }
    return lh_ok();
}

lh_status lh_admin_session_list(struct lh_admin *admin, lh_slice tenant_id, lh_slice subject,
                                lh_admin_session_fn each, void *context)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_find(admin, tenant_id, &tenant));
    struct reading reading = {each, context};
    struct lh_user_tag tag;
    bool is_of_user = subject.len > 0;
    if (is_of_user) {
        LH_TRY(lh_admin_user_tag(admin, tenant, subject, &tag));
    }
    return lh_admin_check(
        admin, lh_admin_each_page(admin, tenant, is_of_user ? &tag : NULL, describe_page, &reading),
        "list the sessions");
}

lh_status lh_admin_session_show(struct lh_admin *admin, lh_slice tenant_id, lh_slice ref,
                                lh_admin_session_fn each, void *context)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_need_store(admin));
    LH_TRY(lh_admin_find(admin, tenant_id, &tenant));
    struct lh_session_key key;
    LH_TRY(lh_admin_parse_ref(admin, tenant, ref, &key));
    struct reading reading = {each, context};
    return lh_admin_explain(admin, describe(admin, tenant, &key, &reading), "read the session");
}
