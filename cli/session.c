/*
 * leasehold session …
 */
#include "command.h"
#include "files.h"

#include "base/secret.h"
#include "base/slice.h"

#include "base/banned.h"

#define SESSION_FIELDS 16U
/* Name and value are 4,096 bytes at most. */
#define COOKIE_BYTES 4097U

/* --- create ----------------------------------------------------------------------------------- */

static lh_status write_cookie(struct run *run, const char *cookie)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf line = LH_BUF_EMPTY;
    LH_TRY(lh_buf_add_format(&line, "%s\n", cookie));
    return files_write(run, lh_buf_view(&line));
}

struct making {
    struct run *run;
    lh_status status;
};

static void print_made(void *context, const struct lh_admin_credential *made)
{
    struct making *making = context;
    struct run *run = making->run;
    bool is_to_file = run->out_fd >= 0;
    char cookie[COOKIE_BYTES];
    (void)snprintf(cookie, sizeof(cookie), "%.*s=%.*s", LH_SLICE_ARG(made->cookie_name),
                   LH_SLICE_ARG(made->cookie_value));
    if (is_to_file) {
        making->status = write_cookie(run, cookie);
    }
    const struct field fields[] = {
        FIELD_OF_TEXT("cookie", SHOW_RECORD, lh_slice_from_text(cookie)),
        FIELD_OF_TEXT("reference", SHOW_RECORD, made->ref),
        FIELD_OF_LIFE("idle", SHOW_RECORD, made->idle_s),
        FIELD_OF_TIME("absolute_end", SHOW_RECORD, made->absolute_end_ms),
        FIELD_OF_TEXT("cookie_name", SHOW_JSON, made->cookie_name),
        FIELD_OF_TEXT("cookie_value", SHOW_JSON, made->cookie_value),
    };
    /* The first and the last two are the credential. */
    size_t first = is_to_file ? 1 : 0;
    size_t count = is_to_file ? 3 : FIELD_COUNT(fields);
    output_item(&run->output, fields + first, count);
    lh_wipe(cookie, sizeof(cookie));
}

lh_status read_ttl(struct run *run, uint32_t *out_ttl_s)
{
    lh_slice text = option_value(&run->arguments, OPTION_ttl);
    uint64_t ttl_s = 0;
    if (text.len > 0 && (!lh_is_ok(lh_slice_parse_u64(text, UINT32_MAX, &ttl_s)) || ttl_s == 0)) {
        return run_fail(run, LH_INVALID, "--ttl is a number of seconds, 1 or more");
    }
    *out_ttl_s = (uint32_t)ttl_s;
    return lh_ok();
}

lh_status run_session_create(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    struct lh_admin_session_spec spec = {
        .tenant = operand(arguments, 0),
        .subject = option_value(arguments, OPTION_sub),
        .roles = option_values(arguments, OPTION_role),
        .scopes = option_values(arguments, OPTION_scope),
        .groups = option_values(arguments, OPTION_group),
        .is_sealed = has_option(arguments, OPTION_sealed),
    };
    LH_TRY(read_ttl(run, &spec.ttl_s));
    if (has_option(arguments, OPTION_state)) {
        spec.state = lh_buf_view(&run->inputs[0].text);
        if (spec.state.len == 0) {
            return run_fail(run, LH_MALFORMED, "the file of --state is empty");
        }
    }
    struct making making = {run, lh_ok()};
    LH_TRY(lh_admin_session_create(run->admin, &spec, print_made, &making));
    return making.status;
}

/* --- rotate ----------------------------------------------------------------------------------- */

lh_status run_session_rotate(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    const struct lh_admin_rotation wish = {
        .tenant = operand(arguments, 0),
        .ref = operand(arguments, 1),
        .has_roles = has_option(arguments, OPTION_role),
        .roles = option_values(arguments, OPTION_role),
        .has_scopes = has_option(arguments, OPTION_scope),
        .scopes = option_values(arguments, OPTION_scope),
    };
    struct making making = {run, lh_ok()};
    LH_TRY(lh_admin_session_rotate(run->admin, &wish, print_made, &making));
    return making.status;
}

/* --- list and show ---------------------------------------------------------------------------- */

static size_t describe(const struct lh_admin_session *session, struct field fields[SESSION_FIELDS])
{
    lh_slice subject = session->has_user ? session->subject : LH_SLICE_LITERAL("(anonymous)");
    lh_slice shown = session->is_open ? subject : LH_SLICE_LITERAL("?");
    const struct field all[] = {
        FIELD_OF_TEXT("reference", SHOW_BOTH, session->ref),
        FIELD_OF_TEXT("standing", SHOW_BOTH, session->standing),
        FIELD_OF_TEXT("sub", SHOW_BOTH, shown),
        FIELD_OF_LIST("roles", SHOW_BOTH, session->roles),
        FIELD_OF_LIST("scopes", SHOW_RECORD, session->scopes),
        FIELD_OF_LIST("groups", SHOW_RECORD, session->groups),
        FIELD_OF_BOOL("anonymous", SHOW_JSON, session->is_open && !session->has_user),
        FIELD_OF_TIME("created", SHOW_BOTH, session->created_ms),
        FIELD_OF_TIME("last_touch", SHOW_BOTH, session->last_touch_ms),
        FIELD_OF_TIME("idle_end", SHOW_RECORD, session->idle_end_ms),
        FIELD_OF_TIME("absolute_end", SHOW_BOTH, session->absolute_end_ms),
        FIELD_OF_NUMBER("generation", SHOW_RECORD, session->generation),
        FIELD_OF_NUMBER("key", SHOW_RECORD, session->key_id),
        FIELD_OF_NUMBER("state_bytes", SHOW_RECORD, session->state_bytes),
    };
    memcpy(fields, all, sizeof(all));
    return FIELD_COUNT(all);
}

static void print_row(void *context, const struct lh_admin_session *session)
{
    struct field fields[SESSION_FIELDS];
    output_list_item(context, fields, describe(session, fields));
}

static void print_one(void *context, const struct lh_admin_session *session)
{
    struct field fields[SESSION_FIELDS];
    output_item(context, fields, describe(session, fields));
}

lh_status run_session_list(struct run *run)
{
    output_list_begin(&run->output, "sessions", "no sessions");
    LH_TRY(lh_admin_session_list(run->admin, operand(&run->arguments, 0),
                                 option_value(&run->arguments, OPTION_sub), print_row,
                                 &run->output));
    output_list_end(&run->output);
    return lh_ok();
}

lh_status run_session_show(struct run *run)
{
    return lh_admin_session_show(run->admin, operand(&run->arguments, 0),
                                 operand(&run->arguments, 1), print_one, &run->output);
}

/* --- revoke ----------------------------------------------------------------------------------- */

static void print_revoked(struct run *run, const char *what, lh_slice which)
{
    const struct field fields[] = {
        FIELD_OF_TEXT("tenant", SHOW_RECORD, operand(&run->arguments, 0)),
        FIELD_OF_TEXT("revoked", SHOW_RECORD, lh_slice_from_text(what)),
        FIELD_OF_TEXT("of", which.len > 0 ? SHOW_RECORD : SHOW_JSON, which),
    };
    output_item(&run->output, fields, FIELD_COUNT(fields));
}

static lh_status revoke_user(struct run *run, lh_slice tenant, lh_slice subject)
{
    uint64_t ended = 0;
    LH_TRY(lh_admin_session_revoke_user(run->admin, tenant, subject, &ended));
    char what[48];
    (void)snprintf(what, sizeof(what), "%llu sessions", (unsigned long long)ended);
    print_revoked(run, what, subject);
    return lh_ok();
}

lh_status run_session_revoke(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    lh_slice tenant = operand(arguments, 0);
    lh_slice ref = operand(arguments, 1);
    lh_slice subject = option_value(arguments, OPTION_sub);
    if (has_option(arguments, OPTION_sub)) {
        return revoke_user(run, tenant, subject);
    }
    if (has_option(arguments, OPTION_all)) {
        LH_TRY(lh_admin_session_revoke_all(run->admin, tenant));
        print_revoked(run, "all sessions", LH_SLICE_EMPTY);
        return lh_ok();
    }
    LH_TRY(has_option(arguments, OPTION_sealed)
               ? lh_admin_session_revoke_sealed(run->admin, tenant, ref)
               : lh_admin_session_revoke(run->admin, tenant, ref));
    print_revoked(run, "session", ref);
    return lh_ok();
}
