/*
 * The vault's inside, for the files of this room that make it up.
 */
#ifndef LH_SESSION_VAULT_PARTS_H
#define LH_SESSION_VAULT_PARTS_H

#include "session/session_vault.h"

#define LH_VAULT_MAGIC 0x4c485654U /* "LHVT" */

struct lh_vault {
    uint32_t magic;
    struct lh_vault_parts parts;
};

/*
 * The header of a new session: a new lease, the tier's life or a shorter one, today's epochs; no
 * secret yet. Errors: CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_vault_make_header(struct lh_vault *vault, const struct lh_tenant *tenant,
                                           const struct lh_session_spec *spec,
                                           struct lh_session_header *out_header);

#endif
