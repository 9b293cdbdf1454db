/*
 * Making sessions that their cookies hold whole.
 */
#include "admin/session_sealed.h"

#include "session/sealed_cookie.h"

#include "base/banned.h"

/* Larger than any principal: three full lists of the longest texts. */
#define PLAIN_MAX_BYTES ((size_t)(3 * LH_PRINCIPAL_LIST_MAX + 2) * 256)

/* Who asks for too much shall know by how much. Errors: TOO_LARGE, NO_MEMORY. */
static lh_status check_size(struct lh_admin *admin, const struct lh_principal *principal)
{
    LH_CLEANUP(lh_buf_fini) struct lh_buf plain = lh_buf_bounded(PLAIN_MAX_BYTES);
    LH_TRY(lh_admin_check(admin, lh_principal_write_within(principal, PLAIN_MAX_BYTES, &plain),
                          "write the principal"));
    if (plain.len <= LH_SEALED_PRINCIPAL_MAX_BYTES) {
        return lh_ok();
    }
    return lh_admin_fail(admin, LH_TOO_LARGE,
                         "subject, roles, scopes and groups have %zu bytes; a sealed cookie holds "
                         "%zu, for browsers keep cookies of 4,096 bytes",
                         plain.len, LH_SEALED_PRINCIPAL_MAX_BYTES);
}

static lh_status seal(struct lh_admin *admin, const struct lh_tenant *tenant,
                      const struct lh_session_spec *spec, struct lh_buf *text,
                      struct lh_session_header *header)
{
    struct lh_op op = lh_admin_op(admin);
    for (;;) {
        lh_status status = lh_vault_create_sealed(admin->parts.vault, &op, admin->parts.cell,
                                                  tenant, spec, text, header);
        if (status.code != LH_PENDING) {
            return status;
        }
        LH_TRY(lh_admin_wait(admin, &op));
    }
}

static void audit(struct lh_admin *admin, const struct lh_tenant *tenant,
                  const struct lh_session_header *header)
{
    struct lh_session_ref ref;
    lh_session_ref_write(header->bucket, &header->lease, &ref);
    const struct lh_audit_field fields[] = {{"tenant", lh_tenant_id_view(&tenant->id)},
                                            {"ref", lh_slice_of(ref.text, ref.len)},
                                            {"kind", LH_SLICE_LITERAL("sealed")}};
    lh_admin_audit(admin, LH_AUDIT_session_created, fields, 3);
}

lh_status lh_admin_create_sealed(struct lh_admin *admin, const struct lh_tenant *tenant,
                                 const struct lh_session_spec *spec, lh_admin_credential_fn each,
                                 void *context)
{
    LH_TRY(check_size(admin, &spec->principal));
    LH_CLEANUP(lh_buf_fini) struct lh_buf text = lh_buf_bounded(LH_SEALED_COOKIE_TEXT_MAX_BYTES);
    struct lh_session_header header;
    LH_TRY(lh_admin_check(admin, seal(admin, tenant, spec, &text, &header), "seal the session"));
    audit(admin, tenant, &header);
    lh_admin_hand_out_value(tenant, lh_buf_view(&text), &header, each, context);
    return lh_ok();
}
