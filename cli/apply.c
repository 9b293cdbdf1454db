/*
 * leasehold apply
 */
#include "command.h"

#include "base/slice.h"

#include "base/banned.h"

static void print_change(void *context, const struct lh_admin_change *change)
{
    struct run *run = context;
    const struct field fields[] = {
        FIELD_OF_TEXT("verb", SHOW_TABLE, change->verb),
        FIELD_OF_TEXT("kind", SHOW_TABLE, change->kind),
        FIELD_OF_TEXT("name", SHOW_TABLE, change->object),
        FIELD_OF_TEXT("field", SHOW_TABLE, change->field),
        FIELD_OF_TEXT("before", SHOW_TABLE, change->before),
        FIELD_OF_TEXT("after", SHOW_TABLE, change->after),
    };
    output_list_item(&run->output, fields, FIELD_COUNT(fields));
}

static void print_mistake(void *context, lh_slice line)
{
    (void)context;
    (void)fprintf(stderr, "%.*s\n", LH_SLICE_ARG(line));
}

lh_status run_apply(struct run *run)
{
    static struct lh_admin_document documents[INPUTS_MAX];
    for (size_t i = 0; i < run->input_count; i++) {
        documents[i] = (struct lh_admin_document){lh_slice_from_text(run->inputs[i].name),
                                                  lh_buf_view(&run->inputs[i].text)};
    }
    /* Behind those that the caller named lie the files that they name. */
    size_t count = run->arguments.operand_count;
    const struct lh_admin_apply_options options = {
        .files = documents + count,
        .file_count = run->input_count - count,
        .is_dry_run = has_option(&run->arguments, OPTION_dry_run),
        .may_reclaim = has_option(&run->arguments, OPTION_reclaim),
        .on_change = print_change,
        .on_mistake = print_mistake,
        .context = run,
    };
    output_list_begin(&run->output, "changes", "nothing to change");
    LH_TRY(lh_admin_apply(run->admin, documents, count, &options));
    output_list_end(&run->output);
    return lh_ok();
}
