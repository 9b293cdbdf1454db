/*
 * The small rows of the registry, and all of its keys. Rows are binary, big-endian, and begin
 * with their version; a version that is not known is FUTURE_FORMAT, anything else that does not
 * fit is MALFORMED. Private to the room.
 */
#ifndef LH_REGISTRY_ROW_CODEC_H
#define LH_REGISTRY_ROW_CODEC_H

#include "registry/registry.h"

/* Longest name of either kind. */
#define LH_NAME_MAX_BYTES 253U

struct lh_name_row {
    struct lh_tenant_uid uid;
    bool is_reserved;           /* released; nobody is reached by it */
    uint64_t reserved_until_ms; /* with is_reserved */
};

struct lh_revocation_row {
    struct lh_revocation revocation;
    uint64_t keep_until_ms;
};

struct lh_user_epoch_row {
    uint64_t epoch;
    uint64_t keep_until_ms;
};

/* --- Rows ------------------------------------------------------------------------------------- */

/* Appends a name's row. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_name_row_write(const struct lh_name_row *name, struct lh_buf *out);
/* Reads it. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_name_row_read(lh_slice row, struct lh_name_row *out_name);

/*
 * Appends a wrapped key's row (all but its id, which is in the key).
 * Errors: TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_dek_row_write(const struct lh_wrapped_dek *dek, struct lh_buf *out);
/* Reads it; the blob is a view into row, the id is left alone. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_dek_row_read(lh_slice row, struct lh_wrapped_dek *out_dek);

/* Appends a revocation's row. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_revocation_row_write(const struct lh_revocation_row *revocation,
                                              struct lh_buf *out);
/* Reads it. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_revocation_row_read(lh_slice row,
                                             struct lh_revocation_row *out_revocation);

/* Appends a user epoch's row. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_user_epoch_row_write(const struct lh_user_epoch_row *epoch,
                                              struct lh_buf *out);
/* Reads it. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_user_epoch_row_read(lh_slice row, struct lh_user_epoch_row *out_epoch);

/* Appends a tier's row (all but its name, which is the key). Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_tier_row_write(const struct lh_tier *tier, struct lh_buf *out);
/* Reads a tier of that name and checks it. Errors: MALFORMED, FUTURE_FORMAT. */
LH_MUST_USE lh_status lh_tier_row_read(lh_slice name, lh_slice row, struct lh_tier *out_tier);

/* --- Keys ------------------------------------------------------------------------------------- */

/* kind ‖ name. */
struct lh_name_key {
    size_t len;
    uint8_t bytes[1 + LH_NAME_MAX_BYTES];
};

/* Makes the key of a name. Errors: INVALID (empty or too long). */
LH_MUST_USE lh_status lh_name_key_init(enum lh_name_kind kind, lh_slice name,
                                       struct lh_name_key *out_key);

static inline lh_slice lh_name_key_view(const struct lh_name_key *key)
{
    return lh_slice_of(key->bytes, key->len);
}

/* uid ‖ DEK id. */
#define LH_DEK_KEY_BYTES (LH_TENANT_UID_BYTES + 4U)
/* Writes the key of a DEK; sorts by id. */
void lh_dek_key_write(const struct lh_tenant_uid *uid, uint32_t id,
                      uint8_t out_key[LH_DEK_KEY_BYTES]);
/* Reads the id of a key that belongs to uid. Errors: ABSENT (another tenant's), MALFORMED. */
LH_MUST_USE lh_status lh_dek_key_read(lh_slice key, const struct lh_tenant_uid *uid,
                                      uint32_t *out_id);

/* uid ‖ lease id, or uid ‖ user tag. */
#define LH_SUBJECT_KEY_BYTES (LH_TENANT_UID_BYTES + 16U)
/* Writes the key of what belongs to 16 bytes of a tenant: a lease id or a user tag. */
void lh_subject_key_write(const struct lh_tenant_uid *uid, const uint8_t subject[16],
                          uint8_t out_key[LH_SUBJECT_KEY_BYTES]);

/* time ‖ table ‖ uid ‖ subject; sorts by time. */
#define LH_END_KEY_BYTES (8U + 1U + LH_SUBJECT_KEY_BYTES)
struct lh_end_key {
    uint64_t end_ms;
    uint8_t table; /* enum lh_registry_table */
    uint8_t subject_key[LH_SUBJECT_KEY_BYTES];
};
/* Writes the key of an end. */
void lh_end_key_write(const struct lh_end_key *end, uint8_t out_key[LH_END_KEY_BYTES]);
/* Reads it. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_end_key_read(lh_slice key, struct lh_end_key *out_end);

#endif
