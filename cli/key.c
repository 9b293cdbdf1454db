/*
 * leasehold key …
 */
#include "command.h"
#include "files.h"

#include "base/slice.h"

#include "base/banned.h"

static void print_row(void *context, const struct lh_admin_key *key)
{
    const struct field fields[] = {
        FIELD_OF_TEXT("kind", SHOW_TABLE, key->kind),
        FIELD_OF_TEXT("tenant", SHOW_TABLE, key->tenant),
        FIELD_OF_TEXT("key", SHOW_TABLE, key->id),
        FIELD_OF_TEXT("state", SHOW_TABLE, key->state),
        FIELD_OF_TIME("created", SHOW_TABLE, key->created_ms),
        FIELD_OF_TIME("from", SHOW_TABLE, key->from_ms),
        FIELD_OF_TIME("until", SHOW_TABLE, key->until_ms),
    };
    output_list_item(context, fields, FIELD_COUNT(fields));
}

lh_status run_key_list(struct run *run)
{
    output_list_begin(&run->output, "keys", "no keys");
    LH_TRY(lh_admin_key_list(run->admin, operand(&run->arguments, 0), print_row, &run->output));
    output_list_end(&run->output);
    return lh_ok();
}

static lh_status rotate_signing(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    if (has_option(arguments, OPTION_all)) {
        return lh_admin_key_rotate_signing_all(run->admin, print_row, &run->output);
    }
    return lh_admin_key_rotate_signing(run->admin, operand(arguments, 0), print_row, &run->output);
}

static lh_status rotate_other(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    if (has_option(arguments, OPTION_all)) {
        return lh_admin_key_rotate_all(run->admin, print_row, &run->output);
    }
    if (has_option(arguments, OPTION_node)) {
        return lh_admin_key_rotate_node(run->admin, print_row, &run->output);
    }
    return lh_admin_key_rotate(run->admin, operand(arguments, 0), print_row, &run->output);
}

lh_status run_key_rotate(struct run *run)
{
    bool is_signing = has_option(&run->arguments, OPTION_signing);
    if (is_signing && has_option(&run->arguments, OPTION_node)) {
        return run_fail(run, LH_INVALID, "--signing is a tenant's key: name one, or --all");
    }
    output_list_begin(&run->output, "keys", "no tenants");
    LH_TRY(is_signing ? rotate_signing(run) : rotate_other(run));
    output_list_end(&run->output);
    return lh_ok();
}

/* --- Keys of request signatures --------------------------------------------------------------- */

struct making {
    struct run *run;
    lh_status status;
};

static lh_status write_secret(struct run *run, lh_slice secret)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf line = LH_BUF_EMPTY;
    LH_TRY(lh_buf_add(&line, secret));
    LH_TRY(lh_buf_add_u8(&line, '\n'));
    return files_write(run, lh_buf_view(&line));
}

static void print_made(void *context, const struct lh_admin_signature_key *made)
{
    struct making *making = context;
    bool is_to_file = making->run->out_fd >= 0;
    if (is_to_file) {
        making->status = write_secret(making->run, made->secret);
    }
    const struct field fields[] = {
        FIELD_OF_TEXT("secret", SHOW_RECORD, made->secret),
        FIELD_OF_TEXT("key", SHOW_RECORD, made->id),
        FIELD_OF_TEXT("algorithm", SHOW_RECORD, made->algorithm),
        FIELD_OF_TEXT("subject", SHOW_RECORD, made->subject),
        FIELD_OF_LIST("roles", SHOW_RECORD, made->roles),
        FIELD_OF_LIST("scopes", SHOW_RECORD, made->scopes),
        FIELD_OF_TIME("until", SHOW_RECORD, made->until_ms),
    };
    /* The first is the credential. */
    size_t first = is_to_file || made->secret.len == 0 ? 1 : 0;
    output_item(&making->run->output, fields + first, FIELD_COUNT(fields) - first);
}

lh_status run_key_add(struct run *run)
{
    const struct arguments *arguments = &run->arguments;
    struct lh_admin_signature_key_spec spec = {
        .tenant = operand(arguments, 0),
        .id = option_value(arguments, OPTION_id),
        .algorithm = option_value(arguments, OPTION_algorithm),
        .subject = option_value(arguments, OPTION_sub),
        .roles = option_values(arguments, OPTION_role),
        .scopes = option_values(arguments, OPTION_scope),
    };
    if (spec.algorithm.len == 0) {
        return run_fail(run, LH_INVALID, "name --algorithm ed25519 or hmac-sha256");
    }
    if (run->out_fd >= 0 && has_option(arguments, OPTION_public_key)) {
        return run_fail(run, LH_INVALID, "--out is for a secret, and a public key has none");
    }
    LH_TRY(read_ttl(run, &spec.ttl_s));
    if (has_option(arguments, OPTION_public_key)) {
        spec.public_key = lh_buf_view(&run->inputs[0].text);
        if (spec.public_key.len == 0) {
            return run_fail(run, LH_MALFORMED, "the file of --public-key is empty");
        }
    }
    struct making making = {run, lh_ok()};
    LH_TRY(lh_admin_signature_key_add(run->admin, &spec, print_made, &making));
    return making.status;
}

lh_status run_key_remove(struct run *run)
{
    return lh_admin_signature_key_remove(run->admin, operand(&run->arguments, 0),
                                         operand(&run->arguments, 1));
}
