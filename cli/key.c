/*
 * leasehold key …
 */
#include "command.h"

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
