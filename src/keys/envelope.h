/*
 * Sealing a record: principal and state under one tenant data key, bound to the record's fixed
 * header. Wire: commitment (32) ‖ u32 length ‖ sealed principal ‖ u32 length ‖ sealed state; a
 * state of length 0 is "no state". AAD = one purpose byte ('P' or 'S') ‖ fixed header.
 */
#ifndef LH_KEYS_ENVELOPE_H
#define LH_KEYS_ENVELOPE_H

#include "keys/datakey_cache.h"

/* Most bytes of a principal before sealing. */
#define LH_PRINCIPAL_MAX_BYTES 512U

/* The parts of a sealed body, borrowed from it. */
struct lh_envelope {
    lh_slice commitment;
    lh_slice sealed_principal;
    lh_slice sealed_state; /* empty: the session has no state */
};

/*
 * Appends the sealed body.
 * header  the record's fixed header, authenticated and not repeated in the body.
 * Errors: CRYPTO, TOO_LARGE, NO_MEMORY.
 */
LH_MUST_USE lh_status lh_envelope_seal(struct lh_crypto *crypto, const struct lh_datakey *key,
                                       lh_slice header, lh_slice principal, lh_slice state,
                                       struct lh_buf *out_body);
/* Splits a sealed body without opening it. Errors: TAMPERED. */
LH_MUST_USE lh_status lh_envelope_parse(lh_slice body, struct lh_envelope *out_envelope);
/*
 * Opens the principal: commitment first, then the seal.
 * out_plain  appended to. Errors: TAMPERED, CRYPTO, NO_MEMORY, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_envelope_open_principal(struct lh_crypto *crypto,
                                                 const struct lh_datakey *key, lh_slice header,
                                                 const struct lh_envelope *envelope,
                                                 struct lh_buf *out_plain);
/* Opens the state. Errors: ABSENT (no state), TAMPERED, CRYPTO, NO_MEMORY, TOO_LARGE. */
LH_MUST_USE lh_status lh_envelope_open_state(struct lh_crypto *crypto, const struct lh_datakey *key,
                                             lh_slice header, const struct lh_envelope *envelope,
                                             struct lh_buf *out_plain);

#endif
