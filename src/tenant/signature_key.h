/*
 * The keys under which a tenant's services sign requests (RFC 9421), and whom they speak for: plain
 * values of a tenant's snapshot, filled by the registry.
 *
 * A secret of hmac-sha256 lies sealed, and opening it may cause a key fetch; so its key id, which
 * every request names before anything is proved, is made here and holds at least 80 random bits
 * (LH_SIGNATURE_KEY_ID_RANDOM_BYTES): whoever does not know it causes no fetch. The id of a public
 * key may be anything, for it costs nothing to read one.
 */
#ifndef LH_TENANT_SIGNATURE_KEY_H
#define LH_TENANT_SIGNATURE_KEY_H

#include "base/slice.h"

/* The values are stored. */
enum lh_http_signature_algorithm {
    LH_HTTP_HMAC_SHA256 = 1, /* RFC 9421 §3.3.3 */
    LH_HTTP_ED25519 = 2      /* RFC 9421 §3.3.6 */
};

/* Most keys of a tenant. */
#define LH_SIGNATURE_KEYS_MAX 32U
/* Longest key id, as keyid has it. */
#define LH_SIGNATURE_KEY_ID_MAX_BYTES    128U
#define LH_SIGNATURE_KEY_ID_RANDOM_BYTES 10U
/* Secrets of hmac-sha256: as long as its hash, and no longer than its block (RFC 2104 §3). */
#define LH_SIGNATURE_SECRET_MIN_BYTES 32U
#define LH_SIGNATURE_SECRET_MAX_BYTES 64U
#define LH_SIGNATURE_PUBLIC_BYTES     32U /* an ed25519 key (RFC 8032) */
/* Bound of a sealed secret. */
#define LH_SIGNATURE_MATERIAL_MAX_BYTES 255U

struct lh_signature_key {
    lh_slice key_id; /* exact bytes: printable ASCII without quote and backslash */
    enum lh_http_signature_algorithm algorithm;
    lh_slice material; /* ed25519: the public key, 32 bytes; hmac-sha256: the sealed secret */
    uint32_t dek_id;   /* hmac-sha256: what it is sealed under */
    uint64_t created_ms;
    uint64_t until_ms; /* session time from which it no longer verifies; 0 = open */
    lh_slice subject;  /* whom it speaks for */
    lh_slice *roles;
    size_t role_count;
    lh_slice *scopes; /* beside what roles give */
    size_t scope_count;
};

/* The name in the registry of RFC 9421 §6.2; static storage, NULL for no algorithm. */
const char *lh_http_signature_algorithm_name(enum lh_http_signature_algorithm algorithm);
/* Reads exactly such a name. Errors: MALFORMED. */
LH_MUST_USE lh_status
lh_http_signature_algorithm_parse(lh_slice name, enum lh_http_signature_algorithm *out_algorithm);

/* Whether text may be a key id: then it is written in a request as it is here. */
bool lh_signature_key_id_is_valid(lh_slice text);

/*
 * Whether a key can be one of the registry: texts that may stand in a header, a public key as long
 * as its algorithm says, a secret with the number of the key that it is sealed under.
 */
bool lh_signature_key_is_sane(const struct lh_signature_key *key);

/* The key of that id that still verifies at now_ms, or NULL. */
const struct lh_signature_key *lh_signature_keys_find(const struct lh_signature_key *keys,
                                                      size_t count, lh_slice key_id,
                                                      uint64_t now_ms);

#endif
