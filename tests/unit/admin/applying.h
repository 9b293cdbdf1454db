/*
 * Applying texts, with the changes and mistakes that were told.
 */
#ifndef LH_TESTS_UNIT_ADMIN_APPLYING_H
#define LH_TESTS_UNIT_ADMIN_APPLYING_H

#include "acts.h"

struct applied {
    size_t changes;
    size_t mistakes;
    char told[8192]; /* "verb kind object/field before>after\n" of each change, and each mistake */
};

static inline void keep_change(void *context, const struct lh_admin_change *change)
{
    struct applied *applied = context;
    size_t len = strlen(applied->told);
    applied->changes++;
    (void)snprintf(
        applied->told + len, sizeof(applied->told) - len, "%.*s %.*s %.*s/%.*s %.*s>%.*s\n",
        LH_SLICE_ARG(change->verb), LH_SLICE_ARG(change->kind), LH_SLICE_ARG(change->object),
        LH_SLICE_ARG(change->field), LH_SLICE_ARG(change->before), LH_SLICE_ARG(change->after));
}

static inline void keep_mistake(void *context, lh_slice line)
{
    struct applied *applied = context;
    size_t len = strlen(applied->told);
    applied->mistakes++;
    (void)snprintf(applied->told + len, sizeof(applied->told) - len, "%.*s\n", LH_SLICE_ARG(line));
}

/* Applies one text as the file "f". */
static inline lh_status apply_text(struct made_home *made, const char *text, bool is_dry_run,
                                   bool may_reclaim, struct applied *applied)
{
    *applied = (struct applied){.changes = 0};
    const struct lh_admin_document document = {S("f"), S(text)};
    const struct lh_admin_apply_options options = {.is_dry_run = is_dry_run,
                                                   .may_reclaim = may_reclaim,
                                                   .on_change = keep_change,
                                                   .on_mistake = keep_mistake,
                                                   .context = applied};
    return lh_admin_apply(made->admin, &document, 1, &options);
}

#endif
