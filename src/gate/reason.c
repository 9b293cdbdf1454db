/*
 * What a reason is called, what it means and what it answers.
 */
#include <leasehold/gate.h>

#include "base/bug.h"

#include "base/banned.h"

struct reason_row {
    const char *name;
    unsigned http_status;
    const char *text;
};

static const struct reason_row reason_rows[LH_REASON_COUNT] = {
#define LH_REASON_ROW(name, lower, http_status, text)                                              \
    [LH_REASON_##name] = {#lower, http_status, text},
    LH_REASON_TABLE(LH_REASON_ROW)
#undef LH_REASON_ROW
};

static const struct reason_row *row_of(enum lh_reason reason)
{
    LH_BUG_IF((unsigned)reason >= LH_REASON_COUNT);
    return &reason_rows[reason];
}

const char *lh_reason_name(enum lh_reason reason)
{
    return row_of(reason)->name;
}

const char *lh_reason_text(enum lh_reason reason)
{
    return row_of(reason)->text;
}

unsigned lh_reason_http_status(enum lh_reason reason)
{
    return row_of(reason)->http_status;
}
