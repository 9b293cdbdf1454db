/*
 * What a browser holds: the cookie's value. base64url(version ‖ key id ‖ bucket ‖ lease id ‖
 * secret ‖ MAC). The MAC is a filter that makes invented cookies cost nothing; what admits is
 * secret and seal.
 */
#ifndef LH_SESSION_SESSION_HANDLE_H
#define LH_SESSION_SESSION_HANDLE_H

#include "codec/base64url.h"
#include "keys/keys.h"
#include "store/store_key.h"

#define LH_HANDLE_VERSION       1U
#define LH_SESSION_SECRET_BYTES 16U
/* Truncated HMAC-SHA-256 (RFC 2104 §5). */
#define LH_HANDLE_MAC_BYTES 16U
#define LH_HANDLE_BYTES                                                                            \
    (1U + 1U + 2U + LH_LEASE_ID_BYTES + LH_SESSION_SECRET_BYTES + LH_HANDLE_MAC_BYTES)
#define LH_HANDLE_TEXT_BYTES LH_BASE64URL_TEXT_LEN(LH_HANDLE_BYTES)

/* A cookie as read; nothing of it is proved until lh_handle_verify. */
struct lh_raw_handle {
    uint8_t bytes[LH_HANDLE_BYTES]; /* as decoded, MAC included */
    uint8_t key_id;
    uint16_t bucket;
    struct lh_lease_id lease;
    uint8_t secret[LH_SESSION_SECRET_BYTES];
};

/* A handle whose MAC held under one tenant's key. A type of its own: only this one is looked up. */
struct lh_handle {
    struct lh_tenant_uid uid;
    uint16_t bucket;
    struct lh_lease_id lease;
    uint8_t secret[LH_SESSION_SECRET_BYTES];
};

/* Wipes; for LH_CLEANUP. */
void lh_handle_fini(struct lh_handle *handle);
/* Wipes; for LH_CLEANUP. */
void lh_raw_handle_fini(struct lh_raw_handle *raw);

/* Reads a cookie value. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_handle_parse(lh_slice cookie_value, struct lh_raw_handle *out_raw);

/*
 * Checks the MAC under the cell's key for uid.
 * Errors: BAD_MAC (also for a key id that there is not), CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_handle_verify(struct lh_cell *cell, const struct lh_tenant_uid *uid,
                                       const struct lh_raw_handle *raw,
                                       struct lh_handle *out_handle);

/*
 * Writes the cookie value of a handle.
 * out_text  LH_HANDLE_TEXT_BYTES characters, no NUL. Errors: CRYPTO, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_handle_write(struct lh_cell *cell, const struct lh_handle *handle,
                                      char out_text[LH_HANDLE_TEXT_BYTES]);

/* Longest session reference "<bucket>.<lease id in base32>". */
#define LH_SESSION_REF_MAX_BYTES (5U + 1U + LH_BASE32_TEXT_LEN(LH_LEASE_ID_BYTES))

struct lh_session_ref {
    uint8_t len;
    char text[LH_SESSION_REF_MAX_BYTES];
};

/* The reference of a session: names it, opens nothing. */
void lh_session_ref_write(uint16_t bucket, const struct lh_lease_id *lease,
                          struct lh_session_ref *out_ref);
/* Reads a reference. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_session_ref_parse(lh_slice text, uint16_t *out_bucket,
                                           struct lh_lease_id *out_lease);

/* "__Host-lh": the name where the host names the tenant. */
#define LH_COOKIE_NAME "__Host-lh"
/* "__Host-lh-" and 8 hex digits of the uid. */
#define LH_COOKIE_SUFFIXED_NAME_BYTES (sizeof(LH_COOKIE_NAME) - 1 + 1 + 8)

/* Writes the suffixed name, no NUL. */
void lh_cookie_suffixed_name(const struct lh_tenant_uid *uid,
                             char out_name[LH_COOKIE_SUFFIXED_NAME_BYTES]);
/* Whether a cookie's name is one of ours, of whatever tenant ("__Host-lh" and "__Host-lh-..."). */
bool lh_cookie_is_ours(lh_slice name);

#endif
