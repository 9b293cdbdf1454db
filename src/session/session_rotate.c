/*
 * A new secret for a session that stays what it is.
 */
#include "base/bug.h"
#include "session/session_vault.h"
#include "session/vault_parts.h"

#include "base/banned.h"

static lh_status make_next(struct lh_vault *vault, const struct lh_tenant *tenant,
                           const struct lh_session_header *old, struct lh_session_header *next,
                           struct lh_handle *handle)
{
    LH_TRY(lh_vault_follow_header(vault, tenant, old, next));
    next->previous_hash = old->secret_hash;
    next->grace_end_ms = lh_clock_now_ms(vault->parts.clock) + LH_ROTATION_GRACE_MS;
    return lh_vault_draw_secret(vault, next, handle);
}

lh_status lh_vault_rotate(struct lh_vault *vault, struct lh_op *op, const struct lh_tenant *tenant,
                          const struct lh_loaded_session *loaded, struct lh_handle *out_handle,
                          struct lh_session_header *out_header)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    LH_TRY(lh_vault_check_writes(vault));
    LH_ENSURE(!loaded->is_previous_secret, LH_FORBIDDEN);
    struct lh_session_header next;
    LH_CLEANUP(lh_handle_fini) struct lh_handle handle;
    LH_TRY(make_next(vault, tenant, &loaded->header, &next, &handle));
    LH_TRY(lh_vault_put_next(vault, op, tenant, loaded, &next));
    *out_handle = handle;
    *out_header = next;
    return lh_ok();
}
