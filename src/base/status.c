/*
 * Names, classes and texts of the status codes: the X-macro table read three times.
 */
#include "base/status.h"

#include "base/banned.h"

struct status_row {
    const char *name;
    const char *text;
    enum lh_class class;
};

static const struct status_row status_rows[LH_STATUS_COUNT] = {
#define STATUS_ROW(code_name, class_name, code_text)                                               \
    [LH_##code_name] = {#code_name, code_text, LH_CLASS_##class_name},
    LH_STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

static bool is_known(lh_status status)
{
    return (unsigned)status.code < (unsigned)LH_STATUS_COUNT;
}

enum lh_class lh_status_class(lh_status status)
{
    return is_known(status) ? status_rows[status.code].class : LH_CLASS_MISUSE;
}

const char *lh_status_name(lh_status status)
{
    return is_known(status) ? status_rows[status.code].name : "UNKNOWN_STATUS";
}

const char *lh_status_text(lh_status status)
{
    return is_known(status) ? status_rows[status.code].text : "unknown status";
}
