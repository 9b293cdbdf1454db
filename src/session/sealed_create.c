/*
 * Sealed cookies through the vault, which knows where the keys are.
 */
#include "base/bug.h"
#include "session/sealed_cookie.h"
#include "session/vault_parts.h"

#include "base/banned.h"

lh_status lh_vault_create_sealed(struct lh_vault *vault, struct lh_op *op, struct lh_cell *cell,
                                 const struct lh_tenant *tenant, const struct lh_session_spec *spec,
                                 struct lh_buf *out_text, struct lh_session_header *out_header)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    LH_ENSURE(tenant->active_dek != 0, LH_KEY_DOWN);
    const struct lh_datakey *key;
    LH_TRY(lh_datakey_cache_get(vault->parts.datakeys, op, tenant, tenant->active_dek, &key));

    struct lh_session_header header;
    LH_TRY(lh_vault_make_header(vault, tenant, spec, &header));
    header.format = 0;
    struct lh_sealed_cookie_spec cookie = {
        .header = &header, .issued_ms = header.created_ms, .principal = &spec->principal};
    LH_TRY(lh_sealed_cookie_write(vault->parts.crypto, cell, key, &cookie, out_text));
    *out_header = header;
    return lh_ok();
}

lh_status lh_vault_open_sealed(struct lh_vault *vault, struct lh_op *op,
                               const struct lh_tenant *tenant,
                               const struct lh_sealed_cookie *cookie, struct lh_buf *plain,
                               struct lh_principal *out_principal)
{
    LH_MAGIC_CHECK(vault, LH_VAULT_MAGIC);
    LH_BUG_IF(!lh_tenant_uid_is_equal(&tenant->uid, &cookie->header.uid));
    const struct lh_datakey *key;
    LH_TRY(lh_datakey_cache_get(vault->parts.datakeys, op, tenant, cookie->header.dek_id, &key));
    return lh_sealed_cookie_open(vault->parts.crypto, key, cookie, plain, out_principal);
}
