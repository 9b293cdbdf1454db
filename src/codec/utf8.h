/*
 * UTF-8 as RFC 3629 has it: shortest form, no surrogates, nothing above U+10FFFF.
 */
#ifndef LH_CODEC_UTF8_H
#define LH_CODEC_UTF8_H

#include "base/slice.h"

/* Longest sequence of one code point. */
#define LH_UTF8_MAX_BYTES 4U

/* Length of the well-formed sequence at the front of a text, or 0 if there is none. */
size_t lh_utf8_sequence(lh_slice text);

/*
 * Writes the sequence of a code point; returns its length.
 * code_point  at most 0x10ffff and no surrogate.
 */
size_t lh_utf8_write(uint32_t code_point, uint8_t out_bytes[LH_UTF8_MAX_BYTES]);

#endif
