/*
 * The one access token that belongs to a session.
 */
#include "base/bug.h"
#include "session/session_vault.h"
#include "session/vault_parts.h"

#include "base/banned.h"

lh_status lh_vault_set_token(struct lh_vault *vault, struct lh_op *op,
                             const struct lh_tenant *tenant, const struct lh_loaded_session *loaded,
                             const struct lh_token_tag *tag, struct lh_session_header *out_header)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    LH_TRY(lh_vault_check_writes(vault));
    LH_ENSURE(!loaded->is_previous_secret && loaded->header.has_user, LH_FORBIDDEN);
    struct lh_session_header next;
    LH_TRY(lh_vault_follow_header(vault, tenant, &loaded->header, &next));
    next.token_tag = *tag;
    LH_TRY(lh_vault_put_next(vault, op, tenant, loaded, &next));
    *out_header = next;
    return lh_ok();
}
