/*
 * One block of PEM text (RFC 7468): as "openssl pkey -pubout" writes a public key.
 */
#ifndef LH_CODEC_PEM_H
#define LH_CODEC_PEM_H

#include "base/slice.h"

/*
 * Decodes the one block that a text consists of; white space around it and line ends in it do not
 * count.
 * label      what stands behind "BEGIN": "PUBLIC KEY".
 * out_bytes  room for max_bytes, wiped on failure; out_len: bytes written.
 * Errors: ABSENT (no block of that label begins the text), MALFORMED (anything else), TOO_LARGE
 * (more than max_bytes).
 */
LH_MUST_USE lh_status lh_pem_decode(lh_slice text, const char *label, uint8_t *out_bytes,
                                    size_t max_bytes, size_t *out_len);

#endif
