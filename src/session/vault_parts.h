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
/*
 * Draws a new secret and hashes it into the header.
 * handle  gets the header's place and the secret. Errors: CRYPTO.
 */
LH_MUST_USE lh_status lh_vault_draw_secret(struct lh_vault *vault, struct lh_session_header *header,
                                           struct lh_handle *handle);
/* Appends the record of a header. Errors: CRYPTO, TOO_LARGE, NO_MEMORY, INVALID. */
LH_MUST_USE lh_status lh_vault_seal_record(struct lh_vault *vault, const struct lh_datakey *key,
                                           const struct lh_session_header *header,
                                           lh_slice principal, lh_slice state, struct lh_buf *out);
/*
 * The header of a session's next record: the same session, one generation on, under the tenant's
 * active DEK and in the present format. Errors: EXPIRED, TOO_LARGE (generation), KEY_DOWN.
 */
LH_MUST_USE lh_status lh_vault_follow_header(struct lh_vault *vault, const struct lh_tenant *tenant,
                                             const struct lh_session_header *old,
                                             struct lh_session_header *out_next);
/*
 * Seals what a session holds anew, under its next header, and swaps it for what was loaded. The
 * end of a grace goes on with the previous secret that it is of.
 * Errors: PENDING (key; nothing has happened), CONFLICT (changed since it was loaded), ABSENT,
 * REVOKED, QUARANTINED, TAMPERED, KEY_DOWN, STORE_DOWN, NO_SPACE, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_vault_put_next(struct lh_vault *vault, struct lh_op *op,
                                        const struct lh_tenant *tenant,
                                        const struct lh_loaded_session *loaded,
                                        const struct lh_session_header *next);
/* What the store compares and indexes of a header. */
struct lh_store_row lh_vault_row_of(const struct lh_session_header *header, uint64_t last_touch_ms,
                                    lh_slice record);
/* Whether this vault may write at once. Errors: INVALID. */
LH_MUST_USE lh_status lh_vault_check_writes(const struct lh_vault *vault);

#endif
