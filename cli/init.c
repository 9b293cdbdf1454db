/*
 * leasehold init
 */
#include "command.h"
#include "privileges.h"

#include "base/slice.h"

#include "base/banned.h"

lh_status run_init(struct run *run)
{
    const char *user = (const char *)option_value(&run->arguments, OPTION_user).ptr;
    const char *owner = NULL;
    LH_TRY(privileges_found_home(run->home_path, user, &owner, run->why, sizeof(run->why)));
    const struct lh_home_plan plan = {.path = run->home_path, .host = run->host};
    char why[LH_HOME_ERROR_BYTES];
    lh_status status = lh_home_create(&plan, why);
    if (!lh_is_ok(status)) {
        return run_fail(run, status.code, "%s", why);
    }
    const struct field fields[] = {
        FIELD_OF_TEXT("home", SHOW_RECORD, lh_slice_from_text(run->home_path)),
        FIELD_OF_TEXT("user", SHOW_RECORD, lh_slice_from_text(owner)),
    };
    output_item(&run->output, fields, FIELD_COUNT(fields));
    return lh_ok();
}
