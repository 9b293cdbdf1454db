/*
 * Lower-case hexadecimal, as ids are written.
 */
#ifndef LH_CODEC_HEX_H
#define LH_CODEC_HEX_H

#include "base/slice.h"

/* Writes two digits for each byte. out_text  room for 2 × bytes.len; no NUL is put behind. */
void lh_hex_write(lh_slice bytes, char *out_text);

#endif
