/*
 * Visitors whose cookies hold their sessions.
 */
#include "sealed_visitor.h"

static void list_one(const char *text, struct lh_text_list *out_list)
{
    out_list->count = 0;
    if (text != NULL) {
        out_list->items[out_list->count++] = lh_slice_from_text(text);
    }
}

struct sealed_visitor seal_in(struct installation *all, const struct lh_tenant_uid *uid,
                              const struct visit *visit)
{
    struct lh_session_spec spec = {.idle_s = visit->idle_s, .absolute_s = visit->absolute_s};
    spec.principal.subject = lh_slice_from_text(visit->subject == NULL ? "" : visit->subject);
    list_one(visit->roles, &spec.principal.roles);
    list_one(visit->scopes, &spec.principal.scopes);
    struct lh_tenant *tenant;
    assert_ok(
        lh_directory_find_uid(all->directory, uid, lh_clock_now_ms(&all->host.clock), &tenant));
    struct lh_op op = lh_op_idle(0, NULL);
    struct lh_session_header header;
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = LH_BUF_EMPTY;
    assert_ok(lh_vault_create_sealed(all->vault, &op, all->cell, tenant, &spec, &text, &header));
    struct sealed_visitor visitor = {.who = {.key = {*uid, header.bucket, header.lease},
                                             .absolute_end_ms = header.absolute_end_ms,
                                             .user_tag = header.user_tag}};
    lh_cookie_suffixed_name(uid, visitor.who.suffixed_name);
    memcpy(visitor.cookie, text.ptr, text.len);
    lh_tenant_unref(tenant);
    return visitor;
}

struct sealed_visitor seal_in_alice(struct installation *all, const struct lh_tenant_uid *uid)
{
    return seal_in(all, uid,
                   &(struct visit){.subject = "alice", .roles = "admin", .scopes = "read"});
}

void sent_add_value(struct sent *sent, const char *name, const char *value)
{
    char text[LH_SEALED_COOKIE_TEXT_MAX_BYTES + 1024];
    (void)snprintf(text, sizeof(text), "%s=%s", name, value);
    sent_add(sent, "Cookie", text);
}

struct lh_gate_policy sealed_policy(void)
{
    struct lh_gate_policy policy = any_policy();
    policy.cookie = LH_GATE_COOKIE_SEALED;
    return policy;
}

enum lh_reason show_value(struct installation *all, const struct lh_gate_policy *policy,
                          const char *host, const char *value)
{
    struct sent sent;
    sent_init(&sent, host);
    sent_add_value(&sent, LH_COOKIE_NAME, value);
    enum lh_reason reason = sent_decide(&sent, all, policy);
    sent_fini(&sent);
    return reason;
}
