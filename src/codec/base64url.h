/*
 * base64url without padding (RFC 4648 §5, as in RFC 7515): strict and canonical, so that no two
 * texts decode to the same bytes. Reading base64 with its padding (§4) just as strictly, for
 * structured fields. And base32 in lower case for session references.
 */
#ifndef LH_CODEC_BASE64URL_H
#define LH_CODEC_BASE64URL_H

#include "base/buf.h"

/* Length of the text for n bytes. */
#define LH_BASE64URL_TEXT_LEN(n) (((n)*4U + 2U) / 3U)
/* The same with padding. */
#define LH_BASE64_TEXT_LEN(n) (((n) + 2U) / 3U * 4U)
/* Length of the base32 text for n bytes. */
#define LH_BASE32_TEXT_LEN(n) (((n)*8U + 4U) / 5U)

/* Writes LH_BASE64URL_TEXT_LEN(bytes.len) characters to out_text, no NUL. Cannot fail. */
void lh_base64url_write(lh_slice bytes, char *out_text);

/* Appends the text of bytes. Errors: TOO_LARGE, NO_MEMORY. */
LH_MUST_USE lh_status lh_base64url_add(struct lh_buf *out, lh_slice bytes);

/*
 * Decodes.
 * out_bytes  room for max_bytes, wiped on failure; out_len: bytes written.
 * Errors: MALFORMED (character, length, slack bits), TOO_LARGE (more than max_bytes).
 */
LH_MUST_USE lh_status lh_base64url_decode(lh_slice text, uint8_t *out_bytes, size_t max_bytes,
                                          size_t *out_len);

/* Writes LH_BASE64_TEXT_LEN(bytes.len) characters of base64 with padding to out_text, no NUL. */
void lh_base64_write(lh_slice bytes, char *out_text);

/*
 * Decodes base64 with padding, canonical.
 * out_bytes  room for max_bytes, wiped on failure; out_len: bytes written.
 * Errors: MALFORMED (character, length, padding, slack bits), TOO_LARGE (more than max_bytes).
 */
LH_MUST_USE lh_status lh_base64_decode(lh_slice text, uint8_t *out_bytes, size_t max_bytes,
                                       size_t *out_len);

/* Writes LH_BASE32_TEXT_LEN(bytes.len) characters of a-z2-7 to out_text, no NUL. */
void lh_base32_write(lh_slice bytes, char *out_text);

/*
 * Decodes lower-case base32 without padding, canonical.
 * out_bytes  room for max_bytes, wiped on failure; out_len: bytes written.
 * Errors: MALFORMED, TOO_LARGE.
 */
LH_MUST_USE lh_status lh_base32_decode(lh_slice text, uint8_t *out_bytes, size_t max_bytes,
                                       size_t *out_len);

#endif
