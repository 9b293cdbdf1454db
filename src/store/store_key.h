/*
 * Where a thing of a tenant lies: the only maker of store keys. Fixed-size fields, so that the
 * encoding is injective; no text of a client is ever part of a key.
 */
#ifndef LH_STORE_STORE_KEY_H
#define LH_STORE_STORE_KEY_H

#include "tenant/directory.h"
#include "tenant/tenant_id.h"

#define LH_LEASE_ID_BYTES 16U

/* The name of a session for its whole life. Random; not a credential. */
struct lh_lease_id {
    uint8_t bytes[LH_LEASE_ID_BYTES];
};

static inline lh_slice lh_lease_id_view(const struct lh_lease_id *lease)
{
    return lh_slice_of(lease->bytes, sizeof(lease->bytes));
}

/* The place of one session. */
struct lh_session_key {
    struct lh_tenant_uid uid;
    uint32_t bucket; /* < LH_STORE_BUCKETS_MAX */
    struct lh_lease_id lease;
};

/* Buckets of one tenant are fewer than this. */
#define LH_STORE_BUCKETS_MAX 2048U

/* uid ‖ bucket ‖ lease id. */
#define LH_SESSION_KEY_BYTES (LH_TENANT_UID_BYTES + 4U + LH_LEASE_ID_BYTES)
/* uid ‖ bucket ‖ user tag ‖ lease id. */
#define LH_USER_INDEX_KEY_BYTES (LH_TENANT_UID_BYTES + 4U + LH_USER_TAG_BYTES + LH_LEASE_ID_BYTES)
/* end in ms ‖ session key. */
#define LH_EXPIRY_INDEX_KEY_BYTES (8U + LH_SESSION_KEY_BYTES)
/* uid ‖ bucket ‖ class ‖ last use in ms ‖ lease id. */
#define LH_USE_INDEX_KEY_BYTES (LH_TENANT_UID_BYTES + 4U + 1U + 8U + LH_LEASE_ID_BYTES)
/* uid ‖ bucket. */
#define LH_BUCKET_KEY_BYTES (LH_TENANT_UID_BYTES + 4U)

/* Writes the key of a session. */
void lh_store_key_session(const struct lh_session_key *key,
                          uint8_t out_bytes[LH_SESSION_KEY_BYTES]);
/* Reads it back. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_store_key_parse_session(lh_slice bytes, struct lh_session_key *out_key);
/* Whether two keys name the same place. */
bool lh_session_key_is_equal(const struct lh_session_key *a, const struct lh_session_key *b);
/* Orders keys as their written forms sort. returns: < 0, 0, > 0. */
int lh_session_key_compare(const struct lh_session_key *a, const struct lh_session_key *b);
/* Writes the key of a session in the index of its user. */
void lh_store_key_user(const struct lh_session_key *key, const struct lh_user_tag *tag,
                       uint8_t out_bytes[LH_USER_INDEX_KEY_BYTES]);
/* Writes the key of a session in the index of ends; sorts by time. */
void lh_store_key_expiry(uint64_t end_ms, const struct lh_session_key *key,
                         uint8_t out_bytes[LH_EXPIRY_INDEX_KEY_BYTES]);
/*
 * Writes the key of a session in its bucket's index of use, where signed-in ones and anonymous ones
 * lie apart, each sorted by time.
 */
void lh_store_key_use(const struct lh_session_key *key, bool has_user, uint64_t used_ms,
                      uint8_t out_bytes[LH_USE_INDEX_KEY_BYTES]);
/* Writes the key of what there is once for each bucket. */
void lh_store_key_bucket(const struct lh_session_key *key, uint8_t out_bytes[LH_BUCKET_KEY_BYTES]);
/* Reads an entry of the index of use back. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_store_key_parse_use(lh_slice bytes, struct lh_session_key *out_key,
                                             bool *out_has_user, uint64_t *out_used_ms);
/* Reads an entry of the index of users back. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_store_key_parse_user(lh_slice bytes, struct lh_session_key *out_key,
                                              struct lh_user_tag *out_tag);
/* Reads an entry of the index of ends back. Errors: MALFORMED. */
LH_MUST_USE lh_status lh_store_key_parse_expiry(lh_slice bytes, uint64_t *out_end_ms,
                                                struct lh_session_key *out_key);

#endif
