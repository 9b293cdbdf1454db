/*
 * Rows and keys of issuers and signing keys. As all rows they begin with their version, are read
 * to their end and are checked as if a stranger had written them. Private to the room.
 */
#ifndef LH_REGISTRY_ISSUER_CODEC_H
#define LH_REGISTRY_ISSUER_CODEC_H

#include "base/buf.h"
#include "tenant/directory.h"

/* Longest row of an issuer: all lists full, and every key the largest. */
#define LH_ISSUER_ROW_MAX_BYTES ((size_t)64 * 1024)

/* --- Rows ------------------------------------------------------------------------------------- */

/*
 * Appends an issuer's row (all but its iss, which is in the key).
 * Errors: INVALID (lh_issuer_check), TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_issuer_row_write(const struct lh_issuer *issuer, struct lh_buf *out);
/*
 * Reads one into an arena.
 * iss         of the key; copied too.
 * Errors: MALFORMED, FUTURE_FORMAT, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_issuer_row_read(lh_slice iss, lh_slice row, struct lh_arena *arena,
                                         struct lh_issuer *out_issuer);

/* What tells tenants of one issuer apart, as views into a row. */
struct lh_issuer_binding {
    struct lh_issuer issuer; /* is_shared, bind_claim, bind_value and audiences alone */
    lh_slice audiences[LH_ISSUER_AUDIENCES_MAX];
};
/* Reads that alone, without memory. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_issuer_row_read_binding(lh_slice row,
                                                 struct lh_issuer_binding *out_binding);

/*
 * Appends a signing key's row (all but its id). Errors: INVALID, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_signing_row_write(const struct lh_wrapped_signing_key *key,
                                           struct lh_buf *out);
/* Reads it; the blob is a view into row, the id is left alone. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_signing_row_read(lh_slice row, struct lh_wrapped_signing_key *out_key);

/* Appends the row that says in which generation a tenant's issuers and keys changed last. */
LH_MUST_USE lh_status lh_issuer_head_write(uint64_t generation, struct lh_buf *out);
/* Reads it. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_issuer_head_read(lh_slice row, uint64_t *out_generation);

/* --- Keys ------------------------------------------------------------------------------------- */

/* uid ‖ iss, or length of iss ‖ iss ‖ uid. */
struct lh_issuer_key {
    size_t len;
    uint8_t bytes[1 + LH_ISSUER_TEXT_MAX_BYTES + LH_TENANT_UID_BYTES];
};

static inline lh_slice lh_issuer_key_view(const struct lh_issuer_key *key)
{
    return lh_slice_of(key->bytes, key->len);
}

/* Makes the key of a tenant's issuer. Errors: INVALID (iss is empty or too long). */
LH_MUST_USE lh_status lh_issuer_key_init(const struct lh_tenant_uid *uid, lh_slice iss,
                                         struct lh_issuer_key *out_key);
/*
 * Makes the key under which it stands that a tenant has an iss.
 * uid  NULL: what all such keys of the iss begin with. Errors: as above.
 */
LH_MUST_USE lh_status lh_shared_key_init(lh_slice iss, const struct lh_tenant_uid *uid,
                                         struct lh_issuer_key *out_key);

#endif
