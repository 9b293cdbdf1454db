/*
 * Making a session for a subject that the operator names. What goes out is the one credential
 * that was asked for; nothing of it is kept or logged.
 */
#include "admin/session_access.h"
#include "admin/session_sealed.h"

#include "codec/json.h"

#include "base/banned.h"

/* State is one JSON object, stored compact. */
static lh_status fill_state(struct lh_admin *admin, const struct lh_tenant *tenant, lh_slice text,
                            struct lh_buf *out_state)
{
    if (text.len == 0) {
        return lh_ok();
    }
    LH_CLEANUP(lh_json_fini) json_t *value = NULL;
    lh_status status = lh_json_parse(text, LH_STORE_RECORD_MAX_BYTES, &value);
    if (lh_is_ok(status) && !json_is_object(value)) {
        status = lh_status_of(LH_MALFORMED);
    }
    if (status.code == LH_MALFORMED) {
        return lh_admin_fail(admin, LH_MALFORMED, "the state is not one JSON object");
    }
    LH_TRY(lh_admin_check(admin, status, "read the state"));
    LH_TRY(lh_admin_check(admin, lh_json_write(value, out_state), "read the state"));
    if (out_state->len > tenant->tier.record_max_bytes) {
        return lh_admin_fail(
            admin, LH_TOO_LARGE, "the state has %zu bytes; tier \"%.*s\" allows %u", out_state->len,
            LH_SLICE_ARG(lh_tier_name(&tenant->tier)), tenant->tier.record_max_bytes);
    }
    return lh_ok();
}

static lh_status fill_user(struct lh_admin *admin, const struct lh_tenant *tenant,
                           struct lh_session_spec *spec)
{
    if (spec->principal.subject.len == 0) {
        return lh_ok();
    }
    struct lh_user_tag tag;
    LH_TRY(lh_admin_user_tag(admin, tenant, spec->principal.subject, &tag));
    return lh_admin_check(
        admin,
        lh_registry_read_user_epoch(admin->parts.registry, &tenant->uid, &tag, &spec->user_epoch),
        "read the user's epoch");
}

static lh_status fill_spec(struct lh_admin *admin, const struct lh_tenant *tenant,
                           const struct lh_admin_session_spec *wish, struct lh_session_spec *spec,
                           struct lh_buf *state)
{
    if (wish->ttl_s > tenant->tier.absolute_s) {
        return lh_admin_fail(
            admin, LH_LIMITED, "a session of tier \"%.*s\" lives %u s at most, not %u s",
            LH_SLICE_ARG(lh_tier_name(&tenant->tier)), tenant->tier.absolute_s, wish->ttl_s);
    }
    spec->absolute_s = wish->ttl_s;
    spec->principal.subject = wish->subject;
    LH_TRY(lh_admin_fill_list(admin, &wish->roles, "roles", &spec->principal.roles));
    LH_TRY(lh_admin_fill_list(admin, &wish->scopes, "scopes", &spec->principal.scopes));
    LH_TRY(lh_admin_fill_list(admin, &wish->groups, "groups", &spec->principal.groups));
    LH_TRY(fill_state(admin, tenant, wish->state, state));
    spec->state = lh_buf_view(state);
    return fill_user(admin, tenant, spec);
}

lh_status lh_admin_make_session(struct lh_admin *admin, const struct lh_tenant *tenant,
                                const struct lh_session_spec *spec, struct lh_handle *handle,
                                struct lh_session_header *header, struct lh_store_evicted *evicted)
{
    struct lh_op op = lh_admin_op(admin);
    for (;;) {
        lh_status status =
            lh_vault_create(admin->parts.vault, &op, tenant, spec, handle, header, evicted);
        if (status.code != LH_PENDING) {
            return status;
        }
        LH_TRY(lh_admin_wait(admin, &op));
    }
}

/* Names the session, not its subject: who that is stays inside the seal. */
void lh_admin_audit_session(struct lh_admin *admin, enum lh_audit_event event,
                            const struct lh_tenant *tenant, uint32_t bucket,
                            const struct lh_lease_id *lease)
{
    struct lh_session_ref ref;
    lh_session_ref_write((uint16_t)bucket, lease, &ref);
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&tenant->id)},
                                            {"ref", lh_slice_of(ref.text, ref.len)}};
    lh_admin_audit(admin, event, fields, 2);
}

/*
 * Tells who had to go. A worker may still remember them: what it filled before is worth nothing
 * once the counter has moved, and what it fills after finds the tombstone.
 */
lh_status lh_admin_announce_evicted(struct lh_admin *admin, const struct lh_tenant *tenant,
                                    const struct lh_store_evicted *evicted)
{
    if (evicted->count == 0) {
        return lh_ok();
    }
    for (size_t i = 0; i < evicted->count; i++) {
        lh_admin_audit_session(admin, LH_AUDIT_session_evicted, tenant, evicted->keys[i].bucket,
                               &evicted->keys[i].lease);
    }
    struct lh_counters *counters = lh_registry_counters(admin->parts.registry);
    return lh_admin_check(admin, lh_counters_raise(counters, tenant->slot),
                          "tell the workers of evicted sessions");
}

void lh_admin_hand_out_value(const struct lh_tenant *tenant, lh_slice value,
                             const struct lh_session_header *header, lh_admin_credential_fn each,
                             void *context)
{
    char name[LH_COOKIE_SUFFIXED_NAME_BYTES];
    struct lh_session_ref ref;
    lh_cookie_suffixed_name(&tenant->uid, name);
    lh_session_ref_write(header->bucket, &header->lease, &ref);
    const struct lh_admin_credential made = {
        .cookie_name = LH_SLICE_OF(name),
        .cookie_value = value,
        .ref = lh_slice_of(ref.text, ref.len),
        .absolute_end_ms = header->absolute_end_ms,
        .idle_s = header->idle_s,
    };
    each(context, &made);
}

lh_status lh_admin_hand_out(struct lh_admin *admin, const struct lh_tenant *tenant,
                            const struct lh_handle *handle, const struct lh_session_header *header,
                            lh_admin_credential_fn each, void *context)
{
    char value[LH_HANDLE_TEXT_BYTES];
    LH_TRY(lh_admin_check(admin, lh_handle_write(admin->parts.cell, handle, value),
                          "write the cookie"));
    lh_admin_hand_out_value(tenant, LH_SLICE_OF(value), header, each, context);
    lh_wipe(value, sizeof(value));
    return lh_ok();
}

/* Nobody may be running who syncs in the background. */
static lh_status sync_store(struct lh_admin *admin)
{
    lh_status status = lh_store_sync(admin->parts.store);
    if (!lh_is_ok(status)) {
        return lh_admin_fail(admin, status.code,
                             "cannot sync the session store: %s; the session that was made has a "
                             "cookie that nobody knows, and ends when its time is over",
                             lh_status_text(status));
    }
    return lh_ok();
}

static lh_status create_stored(struct lh_admin *admin, const struct lh_tenant *tenant,
                               const struct lh_session_spec *spec, lh_admin_credential_fn each,
                               void *context)
{
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    struct lh_session_header header;
    struct lh_store_evicted evicted = {.count = 0};
    lh_status made = lh_admin_make_session(admin, tenant, spec, &handle, &header, &evicted);
    if (made.code == LH_LIMITED) {
        return lh_admin_fail(admin, LH_LIMITED,
                             "the tenant has as many sessions as tier \"%.*s\" allows, and an "
                             "anonymous one ends nobody's",
                             LH_SLICE_ARG(lh_tier_name(&tenant->tier)));
    }
    LH_TRY(lh_admin_check(admin, made, "make the session"));
    LH_TRY(lh_admin_announce_evicted(admin, tenant, &evicted));
    LH_TRY(sync_store(admin));
    lh_admin_audit_session(admin, LH_AUDIT_session_created, tenant, header.bucket, &header.lease);
    return lh_admin_hand_out(admin, tenant, &handle, &header, each, context);
}

lh_status lh_admin_session_create(struct lh_admin *admin, const struct lh_admin_session_spec *wish,
                                  lh_admin_credential_fn each, void *context)
{
    lh_admin_enter(admin);
    LH_CLEANUP(lh_tenant_fini) struct lh_tenant *tenant = NULL;
    LH_TRY(lh_admin_need_store(admin));
    LH_TRY(lh_admin_find_active(admin, wish->tenant, &tenant));
    if (wish->is_sealed && wish->state.len > 0) {
        return lh_admin_fail(admin, LH_INVALID, "a sealed session has no state");
    }
    LH_CLEANUP(lh_buf_fini) struct lh_buf state = lh_buf_bounded(LH_STORE_RECORD_MAX_BYTES);
    struct lh_session_spec spec = {.absolute_s = 0};
    LH_TRY(fill_spec(admin, tenant, wish, &spec, &state));
    return wish->is_sealed ? lh_admin_create_sealed(admin, tenant, &spec, each, context)
                           : create_stored(admin, tenant, &spec, each, context);
}
