/*
 * leasehold token …
 */
#include "command.h"
#include "files.h"

#include "base/slice.h"

#include "base/banned.h"

struct making {
    struct run *run;
    lh_status status;
};

static lh_status write_token(struct run *run, lh_slice token)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf line = LH_BUF_EMPTY;
    LH_TRY(lh_buf_add(&line, token));
    LH_TRY(lh_buf_add_u8(&line, '\n'));
    return files_write(run, lh_buf_view(&line));
}

static void print_made(void *context, const struct lh_admin_token *made)
{
    struct making *making = context;
    bool is_to_file = making->run->out_fd >= 0;
    if (is_to_file) {
        making->status = write_token(making->run, made->token);
    }
    const struct field fields[] = {
        FIELD_OF_TEXT("token", SHOW_RECORD, made->token),
        FIELD_OF_TEXT("type", SHOW_RECORD, made->type),
        FIELD_OF_LIST("audience", SHOW_RECORD, made->audiences),
        FIELD_OF_TIME("expires", SHOW_RECORD, made->expires_ms),
        FIELD_OF_TEXT("issuer", SHOW_RECORD, made->iss),
        FIELD_OF_TEXT("kid", SHOW_RECORD, made->kid),
        FIELD_OF_TEXT("jti", SHOW_RECORD, made->jti),
    };
    /* The first is the credential. */
    size_t first = is_to_file ? 1 : 0;
    output_item(&making->run->output, fields + first, FIELD_COUNT(fields) - first);
}

lh_status run_token_mint(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    struct lh_admin_token_spec spec = {
        .tenant = operand(arguments, 0),
        .subject = option_value(arguments, OPTION_sub),
        .roles = option_values(arguments, OPTION_role),
        .scopes = option_values(arguments, OPTION_scope),
        .groups = option_values(arguments, OPTION_group),
        .audiences = option_values(arguments, OPTION_audience),
        .ref = option_value(arguments, OPTION_sid),
        .is_service = has_option(arguments, OPTION_service),
    };
    if (spec.subject.len == 0) {
        return run_fail(run, LH_INVALID, "a token is for somebody: name --sub");
    }
    LH_TRY(read_ttl(run, &spec.ttl_s));
    struct making making = {run, lh_ok()};
    LH_TRY(lh_admin_token_mint(run->admin, &spec, print_made, &making));
    return making.status;
}
