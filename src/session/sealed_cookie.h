/*
 * A session that its browser holds whole: the cookie of locations that read no session store.
 * base64url(header ‖ sealed principal ‖ MAC). The MAC, under the cell's key for the tenant, is a
 * filter: an invented cookie causes no key fetch. What admits is the seal, under the tenant's data
 * key, with header and uid as AAD.
 *
 * Nothing is remembered of it here. It ends at its absolute end or its idle time after it was
 * issued, whichever comes first: no use of it is noted, so none prolongs it, but whoever issues
 * another one for the same lease. It is revoked by what the registry says of its lease id, and by
 * every epoch; an older cookie of a lease by the least generation that the registry allows.
 */
#ifndef LH_SESSION_SEALED_COOKIE_H
#define LH_SESSION_SEALED_COOKIE_H

#include "session/session_vault.h"

/* Handles are version 1; the version stands first in both and is under both MACs. */
#define LH_SEALED_COOKIE_VERSION 2U
/* Truncated HMAC-SHA-256 (RFC 2104 §5). */
#define LH_SEALED_COOKIE_MAC_BYTES 16U
/* Version, key id, flags, bucket, lease id, generation, DEK id, three times and the idle length,
   three epochs, user tag. */
#define LH_SEALED_COOKIE_HEADER_BYTES                                                              \
    (3U + 2U + LH_LEASE_ID_BYTES + 8U + 4U + 3U * 8U + 4U + 3U * 8U + LH_USER_TAG_BYTES)
/* Name, "=" and value fit what browsers keep: 4,096 bytes (RFC 6265bis §5.6). */
#define LH_SEALED_COOKIE_TEXT_MAX_BYTES ((size_t)4096 - LH_COOKIE_SUFFIXED_NAME_BYTES - 1U)
#define LH_SEALED_COOKIE_MAX_BYTES      (LH_SEALED_COOKIE_TEXT_MAX_BYTES * 3U / 4U)
/* What is then left for a principal: 2,868 bytes. */
#define LH_SEALED_PRINCIPAL_MAX_BYTES                                                              \
    (LH_SEALED_COOKIE_MAX_BYTES - LH_SEALED_COOKIE_HEADER_BYTES - LH_SEALED_OVERHEAD_BYTES -       \
     LH_SEALED_COOKIE_MAC_BYTES)

/* A cookie as read; nothing of it is proved until lh_sealed_cookie_verify. Views into its room. */
struct lh_raw_sealed_cookie {
    lh_slice authentic; /* all but the MAC */
    lh_slice mac;
    uint8_t key_id;
    uint16_t bucket;
    struct lh_lease_id lease;
};

/* A cookie whose MAC held under one tenant's key; its principal is not open yet. */
struct lh_sealed_cookie {
    struct lh_session_header header; /* format 0 (of no record); no secrets, no grace */
    uint64_t issued_ms;
    lh_slice header_bytes; /* views into the room of the raw one */
    lh_slice sealed;
};

/* Bytes of room that a value of that length needs. */
static inline size_t lh_sealed_cookie_room_bytes(size_t text_len)
{
    return text_len / 4 * 3 + 3;
}

/*
 * Reads a cookie value.
 * room  at least lh_sealed_cookie_room_bytes(cookie_value.len) bytes; borrowed for the life of
 *       what is made of it.
 * Errors: MALFORMED, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_sealed_cookie_parse(lh_slice cookie_value, uint8_t *room,
                                             struct lh_raw_sealed_cookie *out_raw);

/*
 * Checks the MAC under the cell's key for uid.
 * Errors: BAD_MAC (also for a key id that there is not), TAMPERED (it holds, but no session has
 * such fields), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_sealed_cookie_verify(struct lh_cell *cell, const struct lh_tenant_uid *uid,
                                              const struct lh_raw_sealed_cookie *raw,
                                              struct lh_sealed_cookie *out_cookie);

/*
 * Holds it against the clock and the registry's facts.
 * facts  about its lease id and its user tag.
 * Errors: EXPIRED, REVOKED.
 */
LH_MUST_USE lh_status lh_sealed_cookie_judge(const struct lh_sealed_cookie *cookie,
                                             const struct lh_session_facts *facts, uint64_t now_ms);

/* When it ends unless something ends it before: at its absolute end, or its idle time after its
   issue if that is sooner. */
uint64_t lh_sealed_cookie_end_ms(const struct lh_sealed_cookie *cookie);

/*
 * Opens the principal. key: keys of the DEK that the header names, of the tenant it was verified
 * for.
 * plain  filled; the principal's views point into it. Errors: TAMPERED, CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_sealed_cookie_open(struct lh_crypto *crypto, const struct lh_datakey *key,
                                            const struct lh_sealed_cookie *cookie,
                                            struct lh_buf *plain,
                                            struct lh_principal *out_principal);

/* What a cookie is made of. */
struct lh_sealed_cookie_spec {
    const struct lh_session_header *header; /* format 0 */
    uint64_t issued_ms;
    const struct lh_principal *principal;
};

/*
 * Appends the cookie value.
 * key       keys of the DEK that the header names.
 * out_text  empty, or with what shall stand before the value.
 * Errors: TOO_LARGE (the principal: nothing is cut), MALFORMED (a text that is no token), INVALID
 * (fields that cannot be), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_sealed_cookie_write(struct lh_crypto *crypto, struct lh_cell *cell,
                                             const struct lh_datakey *key,
                                             const struct lh_sealed_cookie_spec *spec,
                                             struct lh_buf *out_text);

/*
 * Makes a session that lies in no store: a new lease, sealed under the tenant's active DEK.
 * spec        without state: there is no place for one.
 * out_text    the cookie value, appended; wipe it. out_header: what it says.
 * Errors: PENDING (key), TOO_LARGE, MALFORMED, INVALID (a state), KEY_DOWN (also: the tenant has
 * no active DEK), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_vault_create_sealed(struct lh_vault *vault, struct lh_op *op,
                                             struct lh_cell *cell, const struct lh_tenant *tenant,
                                             const struct lh_session_spec *spec,
                                             struct lh_buf *out_text,
                                             struct lh_session_header *out_header);
/*
 * Opens the principal of a verified and judged cookie.
 * plain  filled; the principal's views point into it.
 * Errors: PENDING (key), TAMPERED, KEY_DOWN, ABSENT (key destroyed), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_vault_open_sealed(struct lh_vault *vault, struct lh_op *op,
                                           const struct lh_tenant *tenant,
                                           const struct lh_sealed_cookie *cookie,
                                           struct lh_buf *plain,
                                           struct lh_principal *out_principal);

#endif
