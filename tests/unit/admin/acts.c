/*
 * Acts for tests.
 */
#include "acts.h"

int acts_set_up(void **state)
{
    struct made_home *made = calloc(1, sizeof(*made));
    made_home_init(made);
    assert_ok(add_tenant(made, "acme", "premium", NULL, NULL));
    assert_ok(add_tenant(made, "globex", "free", NULL, NULL));
    made->fake.log[0] = '\0';
    *state = made;
    return 0;
}

int acts_tear_down(void **state)
{
    made_home_fini(*state);
    free(*state);
    return 0;
}

static void copy(lh_slice text, char *out_text, size_t size)
{
    assert_true(text.len < size);
    if (text.len > 0) {
        memcpy(out_text, text.ptr, text.len);
    }
    out_text[text.len] = '\0';
}

#define COPY(text, field) copy(text, field, sizeof(field))

void join_texts(const struct lh_admin_texts *texts, char *out_text, size_t size)
{
    out_text[0] = '\0';
    for (size_t i = 0; i < texts->count; i++) {
        size_t len = strlen(out_text);
        int added = snprintf(out_text + len, size - len, "%s%.*s", i == 0 ? "" : ",",
                             LH_SLICE_ARG(texts->items[i]));
        assert_true(added >= 0 && (size_t)added < size - len);
    }
}

static void keep_tenant(void *context, const struct lh_admin_tenant *tenant)
{
    struct shown_tenant *shown = context;
    shown->calls++;
    COPY(tenant->id, shown->id);
    COPY(tenant->uid, shown->uid);
    COPY(tenant->state, shown->state);
    COPY(tenant->tier, shown->tier);
    COPY(tenant->cookie, shown->cookie);
    join_texts(&tenant->aliases, shown->aliases, sizeof(shown->aliases));
    join_texts(&tenant->domains, shown->domains, sizeof(shown->domains));
    shown->roles[0] = '\0';
    for (size_t i = 0; i < tenant->role_count; i++) {
        size_t len = strlen(shown->roles);
        char scopes[ACTS_TEXT_BYTES];
        join_texts(&tenant->roles[i].scopes, scopes, sizeof(scopes));
        (void)snprintf(shown->roles + len, sizeof(shown->roles) - len, "%.*s=%s;",
                       LH_SLICE_ARG(tenant->roles[i].name), scopes);
    }
    shown->idle_s = tenant->idle_s;
    shown->absolute_s = tenant->absolute_s;
    shown->requests_per_s = tenant->requests_per_s;
    shown->requests_burst = tenant->requests_burst;
    shown->active_key = tenant->active_key;
    shown->epoch = tenant->epoch;
    shown->key_count = tenant->key_count;
}

lh_status add_tenant(struct made_home *made, const char *id, const char *tier, const char *domain,
                     const char *alias)
{
    struct shown_tenant shown = {.calls = 0};
    lh_slice domains[] = {S(domain == NULL ? "" : domain)};
    lh_slice aliases[] = {S(alias == NULL ? "" : alias)};
    const struct lh_admin_tenant_spec spec = {
        .id = S(id),
        .tier = S(tier == NULL ? "" : tier),
        .domains = {domains, domain == NULL ? 0 : 1},
        .aliases = {aliases, alias == NULL ? 0 : 1},
    };
    return lh_admin_tenant_add(made->admin, &spec, keep_tenant, &shown);
}

lh_status show_tenant(struct made_home *made, const char *id, struct shown_tenant *out_shown)
{
    *out_shown = (struct shown_tenant){.calls = 0};
    return lh_admin_tenant_show(made->admin, S(id), keep_tenant, out_shown);
}

static void keep_made(void *context, const struct lh_admin_credential *made)
{
    struct made_session *session = context;
    session->calls++;
    COPY(made->cookie_name, session->name);
    COPY(made->cookie_value, session->value);
    COPY(made->ref, session->ref);
    session->absolute_end_ms = made->absolute_end_ms;
    session->idle_s = made->idle_s;
}

lh_status make_session(struct made_home *made, const char *tenant, const char *subject,
                       struct made_session *out_session)
{
    *out_session = (struct made_session){.calls = 0};
    const struct lh_admin_session_spec spec = {.tenant = S(tenant),
                                               .subject = S(subject == NULL ? "" : subject)};
    return lh_admin_session_create(made->admin, &spec, keep_made, out_session);
}

static void keep_session(void *context, const struct lh_admin_session *session)
{
    struct shown_session *shown = context;
    shown->calls++;
    COPY(session->ref, shown->ref);
    COPY(session->standing, shown->standing);
    COPY(session->subject, shown->subject);
    join_texts(&session->roles, shown->roles, sizeof(shown->roles));
    join_texts(&session->scopes, shown->scopes, sizeof(shown->scopes));
    shown->has_user = session->has_user;
    shown->is_open = session->is_open;
    shown->state_bytes = session->state_bytes;
    shown->key_id = session->key_id;
    shown->absolute_end_ms = session->absolute_end_ms;
}

lh_status show_session(struct made_home *made, const char *tenant, const char *ref,
                       struct shown_session *out_shown)
{
    *out_shown = (struct shown_session){.calls = 0};
    return lh_admin_session_show(made->admin, S(tenant), S(ref), keep_session, out_shown);
}

lh_status list_sessions(struct made_home *made, const char *tenant, const char *subject,
                        struct shown_session *out_last)
{
    *out_last = (struct shown_session){.calls = 0};
    return lh_admin_session_list(made->admin, S(tenant), S(subject == NULL ? "" : subject),
                                 keep_session, out_last);
}

void assert_why(const struct made_home *made, const char *text)
{
    const char *why = lh_admin_why(made->admin);
    if (strstr(why, text) == NULL) {
        fail_msg("got \"%s\", expected something with \"%s\"", why, text);
    }
    assert_null(strchr(why, '\n'));
}
