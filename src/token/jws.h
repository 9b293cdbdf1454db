/*
 * Compact JWS (RFC 7515 §3.1) as it was sent, taken apart and decoded: nothing is verified. One
 * spelling per token: exactly three parts of canonical base64url, a header that is a JSON object
 * without doubles and names one of our algorithms.
 *
 * What asks for more than that is refused, not ignored: crit and b64 (RFC 7797), zip and enc, a
 * content type (a token in a token), and keys or places of keys (jku, x5u, jwk, x5c).
 */
#ifndef LH_TOKEN_JWS_H
#define LH_TOKEN_JWS_H

#include "crypto/public_key.h"

/* Longest text, looked at before anything else: twice what nginx takes as one header. */
#define LH_JWS_MAX_BYTES 16384U
/* Longest header, decoded. */
#define LH_JWS_HEADER_MAX_BYTES 1024U
/* Longest kid and typ. */
#define LH_JWS_NAME_MAX_BYTES 255U

/* Views into the text and into the room that was given. */
struct lh_raw_jws {
    lh_slice signing_input; /* header ‖ "." ‖ payload, as sent */
    enum lh_algorithm algorithm;
    lh_slice kid;     /* empty: none */
    lh_slice typ;     /* empty: none */
    uint8_t *payload; /* decoded; the reader's, who may change it */
    size_t payload_len;
    lh_slice signature; /* decoded */
};

/* Bytes of room that a text of that length needs. */
static inline size_t lh_jws_room_bytes(size_t text_len)
{
    return text_len;
}

/*
 * Takes a token apart, in time linear in its length; no allocation.
 * text     borrowed for the life of out_jws.
 * room     at least lh_jws_room_bytes(text.len) bytes, borrowed likewise, any alignment.
 * Errors: TOO_LARGE, MALFORMED.
 */
LH_MUST_USE lh_status lh_jws_read(lh_slice text, uint8_t *room, struct lh_raw_jws *out_jws);

#endif
