/*
 * The keys with which a tenant's own tokens are signed (ES256): plain values of a snapshot, filled
 * by the registry. A key signs from its from_ms until that of the next one, and verifies until its
 * until_ms. What state it is in follows from the time alone, so that no act has to be on time.
 */
#ifndef LH_TENANT_SIGNING_KEY_H
#define LH_TENANT_SIGNING_KEY_H

#include "base/slice.h"

/* How long a public half is published before its key signs, unless it is the tenant's first. */
#define LH_SIGNING_KEY_LEAD_MS (10U * 60U * 1000U)
/* Keys of a tenant at most, as many as an issuer may have. */
#define LH_SIGNING_KEYS_MAX 32U
/* A coordinate of a point on P-256. */
#define LH_SIGNING_COORDINATE_BYTES 32U
/* Longest wrapped scalar. */
#define LH_SIGNING_BLOB_MAX_BYTES 1024U

/* A signing key as the registry holds it: the scalar wrapped, bound to uid and id. */
struct lh_wrapped_signing_key {
    uint32_t id; /* counts up from 1, never reused */
    uint64_t created_ms;
    uint64_t from_ms;  /* first use, session time; later than that of the key before */
    uint64_t until_ms; /* no longer verifies from then on; 0 = it has no successor */
    uint32_t life_s;   /* longest life of the tokens that it may have signed */
    uint8_t x[LH_SIGNING_COORDINATE_BYTES]; /* the public half */
    uint8_t y[LH_SIGNING_COORDINATE_BYTES];
    lh_slice blob; /* in the snapshot's arena; empty: it signs no more */
};

enum lh_signing_state {
    LH_SIGNING_PENDING,     /* published, not yet used */
    LH_SIGNING_ACTIVE,      /* signs */
    LH_SIGNING_VERIFY_ONLY, /* verifies what it has signed */
    LH_SIGNING_OVER         /* nothing that it has signed can be valid */
};

/*
 * The state of the key at index.
 * keys  in order of id.
 */
enum lh_signing_state lh_signing_key_state(const struct lh_wrapped_signing_key *keys, size_t count,
                                           size_t index, uint64_t now_ms);
/* The key that signs at now_ms, or NULL. */
const struct lh_wrapped_signing_key *
lh_signing_keys_signer(const struct lh_wrapped_signing_key *keys, size_t count, uint64_t now_ms);

#endif
