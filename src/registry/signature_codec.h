/*
 * Rows and keys of request signatures' keys. As all rows they begin with their version, are read
 * to their end and are checked as if a stranger had written them. Private to the room.
 */
#ifndef LH_REGISTRY_SIGNATURE_CODEC_H
#define LH_REGISTRY_SIGNATURE_CODEC_H

#include "base/buf.h"
#include "tenant/directory.h"

/* Longest row: all lists full of the longest texts. */
#define LH_SIGNATURE_ROW_MAX_BYTES ((size_t)20 * 1024)

/*
 * Appends a key's row (all but its id, which is in the row's key).
 * Errors: INVALID (lh_signature_key_is_sane), TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_signature_row_write(const struct lh_signature_key *key,
                                             struct lh_buf *out);
/*
 * Reads one into an arena.
 * key_id  of the row's key; copied too.
 * Errors: MALFORMED, FUTURE_FORMAT, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_signature_row_read(lh_slice key_id, lh_slice row, struct lh_arena *arena,
                                            struct lh_signature_key *out_key);

/* uid ‖ key id. */
struct lh_signature_row_key {
    size_t len;
    uint8_t bytes[LH_TENANT_UID_BYTES + LH_SIGNATURE_KEY_ID_MAX_BYTES];
};

static inline lh_slice lh_signature_row_key_view(const struct lh_signature_row_key *key)
{
    return lh_slice_of(key->bytes, key->len);
}

/* Makes the row's key. Errors: INVALID (lh_signature_key_id_is_valid). */
LH_MUST_USE lh_status lh_signature_row_key_init(const struct lh_tenant_uid *uid, lh_slice key_id,
                                                struct lh_signature_row_key *out_key);

#endif
